/* A zip in memory, for libzip, and where in it a member lies that is stored as it is.
 *
 * libzip gives no member's place.  So it reads through a source of ours that remembers where it was
 * asked to read last: the first byte of a stored member is read where the member begins. */
#ifndef VF_CAPTURE_ZIP_FILE_H
#define VF_CAPTURE_ZIP_FILE_H

#include "base/error.h"
#include "base/file.h"

#include <zip.h>

struct vf_zip_file {
    zip_t *zip; /* NULL: it can't be read */
    const unsigned char *bytes;
    uint64_t len;
    uint64_t at;      /* where the next read is from */
    uint64_t last_at; /* where the last one was from */
    zip_error_t error;
};

/* The bytes must stay as long as the zip is open.  `file` must stay where it is. */
enum vf_status vf_zip_file_open(struct vf_zip_file *file, const struct vf_bytes *bytes,
                                struct vf_error *error);
void vf_zip_file_close(struct vf_zip_file *file);

/* The bytes of a member where they lie, and the checksum that the zip has of them.  False for one
 * that is packed or encrypted, is empty, or does not lie in the file as the zip says: then it has
 * to be read through libzip. */
bool vf_zip_file_stored(struct vf_zip_file *file, zip_uint64_t index, struct vf_str *out,
                        uint32_t *crc);

#endif

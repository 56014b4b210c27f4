/* The two ends of a zip that libzip writes, over descriptors that are open already: libzip's own
 * take a path for what is written, and a descriptor more for each member. */
#ifndef VF_RECORD_ZIP_ENDS_H
#define VF_RECORD_ZIP_ENDS_H

#include "base/buf.h"

#include <zip.h>

/* Where the zip goes.  Lives until the zip is closed or discarded. */
struct vf_zip_out {
    int fd;
    int why; /* errno of the first write that failed; 0 */
    zip_int64_t pos, len;
    struct vf_buf waiting; /* not written yet; `pos` is behind it */
    zip_error_t error;
};

/* A new zip that is written to `fd` by zip_close().  NULL: there is no memory for it. */
zip_t *vf_zip_out_open(struct vf_zip_out *out, int fd);
void vf_zip_out_release(struct vf_zip_out *out);

/* The bytes of a member: `bytes` of the file `name` in a folder, which is open only while it is
 * read, or of `held`, a descriptor of it (-1: none), and `tail` behind them; all are borrowed until
 * the zip is closed.  NULL: there is no memory. */
zip_source_t *vf_zip_in(zip_t *zip, int folder, const char *name, int held, uint64_t bytes,
                        struct vf_str tail);

#endif

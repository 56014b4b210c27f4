/* Files in and out. */
#ifndef VF_BASE_FILE_H
#define VF_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <signal.h>

/* Bytes of a file, mapped or owned. */
struct vf_bytes {
    const unsigned char *ptr;
    size_t len;
    enum { VF_BYTES_BORROWED, VF_BYTES_MAPPED, VF_BYTES_HEAP } how;
};

static inline struct vf_str vf_bytes_view(const struct vf_bytes *bytes)
{
    return (struct vf_str){(const char *)bytes->ptr, bytes->len};
}

/* Maps a regular file for reading.  A directory, a device or a pipe is refused with words that say
 * so.  A file that is cut short while it is mapped ends vmfox when it gets there (main.c says why):
 * so what the user's editor writes is read (vf_bytes_read()). */
enum vf_status vf_bytes_map(const char *path, struct vf_bytes *out, struct vf_error *error);
/* The same over a file that is open. */
enum vf_status vf_bytes_map_fd(int fd, struct vf_bytes *out, struct vf_error *error);
/* Opens a file for that; -1 with `error` when it can't be. */
int vf_bytes_open(const char *path, struct vf_error *error);
/* Reads a regular file into memory, as long as it is now.  VF_WARN: it is longer than `limit`, or
 * there is no memory for it; nothing was read. */
enum vf_status vf_bytes_read(const char *path, uint64_t limit, struct vf_bytes *out,
                             struct vf_error *error);
void vf_bytes_release(struct vf_bytes *bytes);

static inline bool vf_is_gzip(const struct vf_bytes *bytes)
{
    return bytes->len >= 3 && bytes->ptr[0] == 0x1f && bytes->ptr[1] == 0x8b && bytes->ptr[2] == 8;
}

/* Replaces gzipped bytes by what is in them (RFC 1952, several members too).  The result lies in an
 * unlinked temporary file and is mapped, so that a small file that inflates to much costs disk
 * cache and not memory; more than `limit` bytes are refused.  A cut or damaged stream gives all
 * that came before it and a warning with the offset in the gzip file. */
enum vf_status vf_gunzip(struct vf_bytes *bytes, uint64_t limit, struct vf_warnings *warnings,
                         struct vf_error *error);

/* Gzips `text` into `out`. */
enum vf_status vf_gzip(struct vf_str text, struct vf_buf *out, struct vf_error *error);

/* Writes a whole file: into a temporary file beside it, then renamed, so that nobody sees half of
 * it and an existing file stays when the disk is full.  What is not a regular file (a pipe,
 * /dev/stdout) is written directly. */
enum vf_status vf_write_file(const char *path, struct vf_str bytes, struct vf_error *error);
/* The same for a file that is written in pieces, to `fd`. */
struct vf_new_file {
    int fd;
    char *temp; /* its name until it is whole; NULL: `fd` is written directly */
    char *name;
    bool made; /* `name` was made for it, as a link led to nothing */
};
enum vf_status vf_new_file_open(struct vf_new_file *file, const char *path, struct vf_error *error);
/* Puts it in the place of the old one, or gives it up: after VF_FATAL that has happened. */
enum vf_status vf_new_file_finish(struct vf_new_file *file, bool keep, struct vf_error *error);
/* Removes what is there of the file that is being written; for signal handlers. */
void vf_new_file_give_up(void);
/* Removed with it: a file that others write or that is needed for a while only.  NULL: no longer.
 */
void vf_new_file_watch(const char *temp);
/* Likewise one in an open folder; both are borrowed until then. */
void vf_new_file_watch_in(int folder, const char *name);
/* Around what makes a file and has it watched: a signal comes before or after both. */
void vf_signals_hold(sigset_t *before);
void vf_signals_let_go(const sigset_t *before);

/* write() until all is out. */
enum vf_status vf_write_fd(int fd, struct vf_str bytes, struct vf_error *error);
/* True when a file could be made or replaced at `path`; nothing is changed.  Else `error` says why
 * not. */
bool vf_can_write(const char *path, struct vf_error *error);

/* Where temporary files are made, "/tmp" unless set; the string is kept. */
void vf_set_temp_folder(const char *folder);
const char *vf_temp_folder(void);

/* An unlinked temporary file there, open for reading and writing, close-on-exec; -1
 * and errno when there is none. */
int vf_temp_file(void);

#endif

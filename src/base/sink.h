/* Where the bytes of a finished file go: in order, in pieces, gzipped where that is asked for, into
 * a file or into memory.
 *
 * A file of more than one piece is gzipped and written on a thread of its own, while the next piece
 * is being made; so neither the whole file nor its unpacked form is ever in memory.
 *
 *     struct vf_sink *sink = vf_sink_open("out.json.gz", true, &error);
 *     struct vf_buf buf = vf_sink_buf(sink);
 *     ... append to buf ...
 *     status = vf_sink_close(sink, &buf, &error);
 *
 * An error (a full disk) is kept and comes out at the end: what makes the bytes need not ask. */
#ifndef VF_BASE_SINK_H
#define VF_BASE_SINK_H

#include "base/buf.h"
#include "base/error.h"

struct vf_sink;

/* A file that is replaced when all of it is there (base/file.h); "-" is standard output.  NULL: it
 * can't be made. */
struct vf_sink *vf_sink_open(const char *path, bool gzip, struct vf_error *error);
/* Bytes in memory: they come out of vf_sink_close_memory(). */
struct vf_sink *vf_sink_open_memory(bool gzip);

/* A buffer whose content goes to the sink, a piece at a time, when it is full.  Of what has been
 * appended only the end may still be in it. */
struct vf_buf vf_sink_buf(struct vf_sink *sink);

/* Takes what is left in `buf`, ends the file and frees the sink; `*bytes` (may be NULL) is the
 * file's size.  After VF_FATAL the file is as it was before. */
enum vf_status vf_sink_close(struct vf_sink *sink, struct vf_buf *buf, uint64_t *bytes,
                             struct vf_error *error);
/* The same for one in memory; `out` is the caller's to release. */
enum vf_status vf_sink_close_memory(struct vf_sink *sink, struct vf_buf *buf, struct vf_buf *out,
                                    struct vf_error *error);
/* Gives the file up. */
void vf_sink_abandon(struct vf_sink *sink, struct vf_buf *buf);

#endif

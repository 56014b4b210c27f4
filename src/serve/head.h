/* The head of a request: its first line and its headers, up to the empty line.
 *
 * libmicrohttpd answers a head that it can't take with a page of its own, which tells what the
 * server is.  So it is given none but those that this finds plain. */
#ifndef VF_SERVE_HEAD_H
#define VF_SERVE_HEAD_H

#include "base/str.h"

enum {
    VF_HEAD_BYTES_MAX = 16 * 1024,
    VF_HEAD_TARGET_MAX = 4 * 1024, /* bytes of the path */
    VF_HEAD_METHOD_MAX = 16,
    VF_HEAD_FIELDS_MAX = 100,
};

enum vf_head {
    VF_HEAD_PART,  /* fine so far; more is to come */
    VF_HEAD_WHOLE, /* fine; what stands behind it was not looked at */
    VF_HEAD_BAD,
};

/* Judges a connection's first bytes.  Plain is: METHOD SP TARGET SP HTTP/1.0 or HTTP/1.1, lines
 * that end in CR LF, no control character, no folded line, one Host, at most one Content-Length,
 * which is a number, no Transfer-Encoding, and nothing beyond the sizes above. */
enum vf_head vf_head_check(struct vf_str bytes);

#endif

/* The code questions the Firefox Profiler asks its symbol server, answered from what the profile
 * holds.  Pure functions: bytes in, bytes out; no file is ever opened.
 *
 * A question is a POST whose body is a JSON object; the answer is a JSON object too, always sent
 * with status 200, because the front-end takes any other status for a network failure.  What can't
 * be answered is `{"error": "..."}`, and the front-end shows the text to the user.
 * The formats: https://github.com/mstange/samply/blob/main/API.md */
#ifndef VF_SERVE_API_H
#define VF_SERVE_API_H

#include "base/buf.h"

/* One source file of the profile. */
struct vf_serve_source {
    struct vf_str name; /* exactly as in the profile's source table */
    struct vf_str text;
};

/* A function whose machine code is asked for. */
struct vf_serve_function {
    struct vf_str lib, code_id; /* of the library; code_id is empty where the question has none */
    uint64_t address;           /* of its first byte, in the library */
};

/* Appends the whole answer to /asm/v1; false: the profile has no such function. */
typedef bool vf_serve_assembly(const void *context, const struct vf_serve_function *function,
                               struct vf_buf *out);

/* What questions are answered from.  Borrowed. */
struct vf_api_context {
    const struct vf_serve_source *sources;
    size_t source_count;
    vf_serve_assembly *assembly; /* NULL: none; called in the server's thread */
    const void *assembly_context;
};

struct vf_api_handler;

/* The handler of a path without its leading '/', like "source/v1"; NULL when there is none. */
const struct vf_api_handler *vf_api_find(struct vf_str path);

/* Appends the JSON answer to the question in `body` to `out`.  Every body has an answer, also one
 * that is not JSON. */
void vf_api_answer(const struct vf_api_handler *handler, const struct vf_api_context *context,
                   struct vf_str body, struct vf_buf *out);

/* Appends `{"error": "text"}`. */
void vf_api_error(struct vf_buf *out, const char *text);

#endif

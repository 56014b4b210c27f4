/* The code questions the Firefox Profiler asks its symbol server, answered from what the profile
 * holds and names.  Bytes in, bytes out: nothing of a question is ever used as the name of a file.
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
    struct vf_str lib;               /* the library's debugName */
    struct vf_str code_id, debug_id; /* empty where the question has none */
    uint64_t address;                /* of its first byte, in the library */
};

/* Appends the whole answer to /asm/v1; false: the profile has no such function. */
typedef bool vf_serve_assembly(const void *context, const struct vf_serve_function *function,
                               struct vf_buf *out);

/* A function at work at an address. */
struct vf_serve_frame {
    struct vf_str function, file; /* the file is empty where it is not known */
    uint32_t line;                /* 0: not known */
};
enum { VF_SERVE_FRAMES_MAX = 32 };
struct vf_serve_symbol {
    uint64_t start, size; /* of the outermost function; size 0: not known */
    size_t count;         /* at least 1 */
    struct vf_serve_frame frames[VF_SERVE_FRAMES_MAX]; /* outermost first */
};

/* A library of the profile by debugName and breakpadId, for the calls of vf_serve_find(); NULL: the
 * profile has none such, or nothing is known of it. */
typedef const void *vf_serve_library(const void *context, struct vf_str debug_name,
                                     struct vf_str debug_id);
/* False: no function is known at the address, which is VF_SERVE_NO_ADDRESS where the profile has
 * none.  Slices live until the next call. */
#define VF_SERVE_NO_ADDRESS UINT64_MAX
typedef bool vf_serve_find(const void *context, const void *library, uint64_t address,
                           struct vf_serve_symbol *out);

/* Appends the text of the source that the function at an address of a library is written in, if
 * it is called `file`; false: it is not, or is not there. */
typedef bool vf_serve_native_source(const void *context, const void *library, uint64_t address,
                                    struct vf_str file, struct vf_buf *text);

/* What questions are answered from.  Borrowed. */
struct vf_api_context {
    const struct vf_serve_source *sources;
    size_t source_count;
    vf_serve_assembly *assembly; /* NULL: none; called in the server's thread */
    const void *assembly_context;
    vf_serve_library *library; /* NULL: no symbols; these three go together */
    vf_serve_find *find;
    vf_serve_native_source *native_source;
    const void *symbols_context;
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

/* api_symbols.c: appends the answer to /symbolicate/v5; `question` is the body's object. */
struct json_t;
void vf_api_symbolicate(const struct vf_api_context *context, const struct json_t *question,
                        struct vf_buf *out);

#endif

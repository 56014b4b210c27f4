/* Errors and warnings are values: a code, a byte offset where there is one, and a line of text.
 *
 * A function that can fail returns enum vf_status and fills a struct vf_error; it never prints or
 * exits.  The text says what was expected and what was found and does not name the file: the
 * command that knows the name puts it in front (`app.prof: byte 0x1f4: expected ...`). */
#ifndef VF_BASE_ERROR_H
#define VF_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vf_status {
    VF_OK = 0,
    VF_WARN = 1,  /* a result was made, something is missing from it and was said */
    VF_FATAL = 2, /* no result; the error says why, nothing was touched */
};

struct vf_error {
    uint64_t offset; /* bytes from the file's start, where has_offset */
    bool has_offset;
    int number; /* errno, where that is why; else 0 */
    char text[480];
};

/* Fill `error` (which may be NULL: then nothing happens).  They return VF_FATAL, so that a
 * function can `return vf_fail(...)`. */
enum vf_status vf_fail(struct vf_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum vf_status vf_fail_at(struct vf_error *error, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As vf_fail(), with ": " and strerror(errno_value) at the end. */
enum vf_status vf_fail_errno(struct vf_error *error, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes "byte 0x1f4: text" or "text" into `out`, always terminated; returns `out`. */
const char *vf_error_line(const struct vf_error *error, char *out, size_t out_size);

/* Warnings gathered on the way to a result.  The first VF_WARNINGS_KEPT are kept as they came,
 * later ones are only counted. */
enum { VF_WARNINGS_KEPT = 32 };

struct vf_warnings {
    struct vf_error items[VF_WARNINGS_KEPT];
    size_t count; /* all of them, also those not kept */
};

/* Adds a warning; `warnings` may be NULL. */
void vf_warn(struct vf_warnings *warnings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void vf_warn_error(struct vf_warnings *warnings, const struct vf_error *error);

#endif

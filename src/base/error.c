#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct vf_error *error, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void fill(struct vf_error *error, const char *format, va_list args)
{
    error->has_offset = false;
    error->offset = 0;
    error->number = 0;
    vsnprintf(error->text, sizeof error->text, format, args);
    /* Names out of a file could end the line, or tell the terminal what to do. */
    for (char *at = error->text; *at; at++)
        if ((*at > 0 && *at < ' ') || *at == 0x7f)
            *at = '?';
}

enum vf_status vf_fail(struct vf_error *error, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        fill(error, format, args);
        va_end(args);
    }
    return VF_FATAL;
}

enum vf_status vf_fail_at(struct vf_error *error, uint64_t offset, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        fill(error, format, args);
        va_end(args);
        error->has_offset = true;
        error->offset = offset;
    }
    return VF_FATAL;
}

enum vf_status vf_fail_errno(struct vf_error *error, int errno_value, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        fill(error, format, args);
        va_end(args);
        error->number = errno_value;
        size_t used = strlen(error->text);
        snprintf(error->text + used, sizeof error->text - used, ": %s", strerror(errno_value));
    }
    return VF_FATAL;
}

const char *vf_error_line(const struct vf_error *error, char *out, size_t out_size)
{
    if (error->has_offset)
        snprintf(out, out_size, "byte 0x%llx: %s", (unsigned long long)error->offset, error->text);
    else
        snprintf(out, out_size, "%s", error->text);
    return out;
}

void vf_warn(struct vf_warnings *warnings, const char *format, ...)
{
    if (!warnings)
        return;
    if (warnings->count < VF_WARNINGS_KEPT) {
        va_list args;
        va_start(args, format);
        fill(&warnings->items[warnings->count], format, args);
        va_end(args);
    }
    warnings->count++;
}

void vf_warn_error(struct vf_warnings *warnings, const struct vf_error *error)
{
    if (!warnings)
        return;
    if (warnings->count < VF_WARNINGS_KEPT)
        warnings->items[warnings->count] = *error;
    warnings->count++;
}

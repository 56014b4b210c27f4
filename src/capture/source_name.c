#include "capture/source_name.h"

#include <stdlib.h>

static bool has_ending(struct vf_str path, const char *const *endings, size_t count)
{
    struct vf_str base = vf_str_basename(path);
    for (size_t i = 0; i < count; i++) {
        struct vf_str ending = vf_str_from(endings[i]);
        if (base.len > ending.len && vf_str_ends(base, ending))
            return true;
    }
    return false;
}

bool vf_source_is_python(struct vf_str path)
{
    static const char *const endings[] = {".py", ".pyw", ".pyx", ".pxd", ".pxi"};
    return has_ending(path, endings, sizeof endings / sizeof *endings);
}

bool vf_source_is_native(struct vf_str path)
{
    static const char *const endings[] = {".c",   ".h",   ".cc", ".hh",  ".cpp", ".hpp", ".cxx",
                                          ".hxx", ".c++", ".C",  ".inc", ".inl", ".ipp", ".tcc",
                                          ".rs",  ".s",   ".S",  ".asm", ".f",   ".f90", ".F90",
                                          ".go",  ".zig", ".cu", ".m",   ".mm",  ".d"};
    return has_ending(path, endings, sizeof endings / sizeof *endings);
}

enum vf_status vf_source_text(const char *path, uint64_t limit, struct vf_bytes *out)
{
    enum vf_status status = vf_bytes_read(path, limit, out, NULL);
    size_t look = out->len < 4096 ? out->len : 4096;
    if (!look || !memchr(out->ptr, 0, look))
        return status;
    vf_bytes_release(out);
    return VF_FATAL;
}

enum vf_status vf_source_text_native(struct vf_str path, uint64_t limit, struct vf_bytes *out)
{
    if (path.len == 0 || path.ptr[0] != '/' || memchr(path.ptr, 0, path.len) ||
        !vf_source_is_native(path))
        return VF_FATAL;
    char *place = vf_strdup(path), *real = realpath(place, NULL);
    enum vf_status status = VF_FATAL;
    if (real && vf_source_is_native(vf_str_from(real)))
        status = vf_source_text(real, limit, out);
    free(real);
    free(place);
    return status;
}

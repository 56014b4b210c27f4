#include "capture/source_name.h"

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

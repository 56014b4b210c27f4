#include "profile/roles.h"

/* A module of the standard library ("/usr/lib/python3.11/NAME.py", "lib-python/3/NAME.py"), and not
 * one of the program's that is called the same. */
static bool is_stdlib(struct vf_str file, struct vf_str name)
{
    if (!vf_str_eq(vf_str_basename(file), name) || file.len <= name.len)
        return false;
    struct vf_str rest = {file.ptr, file.len - name.len - 1};
    struct vf_str folder = vf_str_basename(rest);
    if (folder.len && folder.ptr[0] >= '0' && folder.ptr[0] <= '9') {
        rest.len -= folder.len + (rest.len > folder.len);
        folder = vf_str_basename(rest);
        return vf_str_eq(folder, VF_STR("lib-python"));
    }
    return vf_str_starts(folder, VF_STR("python")) || vf_str_starts(folder, VF_STR("pypy"));
}

/* runpy and site, as files or built into the interpreter. */
static bool is_start_module(struct vf_str file)
{
    return vf_str_eq(file, VF_STR("<frozen runpy>")) || vf_str_eq(file, VF_STR("<frozen site>")) ||
           is_stdlib(file, VF_STR("runpy.py")) || is_stdlib(file, VF_STR("site.py"));
}

/* Python code that only starts the program: it is left out while nothing of the program has come.
 */
static bool is_launcher(const struct vf_code_name *name)
{
    if (vf_str_eq(name->file, VF_STR("<builtin>/app_main.py")) || is_start_module(name->file))
        return true;
    return vf_str_ends(name->file, VF_STR("/vmprof/__main__.py"));
}

/* The folder importlib of the standard library. */
static bool is_in_importlib(struct vf_str file)
{
    size_t base = vf_str_basename(file).len;
    if (file.len <= base)
        return false;
    struct vf_str folder = {file.ptr, file.len - base - 1};
    return is_stdlib(folder, VF_STR("importlib"));
}

/* runpy or site being imported at the start: with all that they import in turn, none of it is the
 * program's. */
static bool is_launcher_import(const struct vf_code_name *name)
{
    return vf_str_eq(name->name, VF_STR("<module>")) && is_start_module(name->file);
}

/* Python's own import machinery. */
static bool is_import(const struct vf_code_name *name)
{
    static const char part[] = "importlib", zip[] = "zipimport";
    if (name->file.len && name->file.ptr[0] == '<')
        return memmem(name->file.ptr, name->file.len, part, sizeof part - 1) ||
               memmem(name->file.ptr, name->file.len, zip, sizeof zip - 1);
    return is_in_importlib(name->file);
}

static enum vf_role bootstrap_role(struct vf_str function, uint64_t *thread)
{
    if (vf_str_starts(function, VF_STR(VF_BOOTSTRAP_MAIN)))
        return VF_ROLE_MAIN;
    if (vf_str_starts(function, VF_STR(VF_THREAD_ROOT))) {
        struct vf_str number = {function.ptr + sizeof VF_THREAD_ROOT - 1,
                                function.len - (sizeof VF_THREAD_ROOT - 1)};
        if (vf_str_to_u64(number, 10, thread))
            return VF_ROLE_THREAD;
    }
    return VF_ROLE_BOOTSTRAP;
}

enum vf_role vf_role_find(const struct vf_code_name *name, uint64_t *thread)
{
    if (vf_str_eq(name->file, VF_STR(VF_BOOTSTRAP_LEFT)))
        return VF_ROLE_SAMPLER;
    if (vf_role_is_bootstrap_file(name->file))
        return bootstrap_role(name->name, thread);
    if (is_launcher_import(name))
        return VF_ROLE_OUTSIDE;
    if (is_launcher(name))
        return VF_ROLE_LAUNCHER;
    return is_import(name) ? VF_ROLE_IMPORT : VF_ROLE_FRAME;
}

#include "symbols/rpython_names.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_lower(c) || is_upper(c) || (c >= '0' && c <= '9');
}

/* Words that look like a class and are the beginning of a function's name, or of a class's that has
 * an underscore in it. */
static bool is_no_class(struct vf_str word)
{
    static const char *const words[] = {"GcLLDescr",
                                        "GcRootMap",
                                        "PyOS",
                                        "_Py",
                                        "For",
                                        "SuppressIPH",
                                        "GetLastError",
                                        "SetLastError",
                                        "Windows",
                                        "_As",
                                        "_AsULonglong",
                                        "PyBuffer",
                                        "W_SpecialisedTupleObject",
                                        "BuiltinActivation"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (vf_str_eq(word, vf_str_from(words[i])))
            return true;
    return false;
}

/* The class at the beginning: "W_" and a word, or a word with small letters in it, each beginning
 * with a capital; 0: none. */
static size_t class_length(struct vf_str name)
{
    size_t at = 0;
    bool small = false;
    if (at < name.len && name.ptr[at] == '_')
        at++;
    if (name.len - at > 2 && name.ptr[at] == 'W' && name.ptr[at + 1] == '_' &&
        is_upper(name.ptr[at + 2])) {
        at += 2;
        small = true;
    }
    if (at >= name.len || !is_upper(name.ptr[at]))
        return 0;
    for (; at < name.len && is_alnum(name.ptr[at]); at++)
        small |= is_lower(name.ptr[at]);
    return small ? at : 0;
}

/* True where a method's name may begin: with a small letter, perhaps behind underscores. */
static bool is_method(struct vf_str name)
{
    while (name.len && name.ptr[0] == '_')
        name = (struct vf_str){name.ptr + 1, name.len - 1};
    return name.len && is_lower(name.ptr[0]);
}

struct vf_str vf_rpython_name(struct vf_str name, struct vf_arena *arena)
{
    /* A copy for arguments known to be PyPy's own frames: to readers it is the same function. */
    const struct vf_str direct = VF_STR("__AccessDirect_None");
    if (vf_str_ends(name, direct) && name.len > direct.len)
        name.len -= direct.len;
    size_t length = class_length(name);
    if (length == 0 || length + 1 >= name.len || name.ptr[length] != '_')
        return name;
    struct vf_str class_name = {name.ptr, length};
    struct vf_str method = {name.ptr + length + 1, name.len - length - 1};
    if (is_no_class(class_name) || !is_method(method))
        return name;
    return vf_arena_printf(arena, "%.*s.%.*s", VF_STR_ARG(class_name), VF_STR_ARG(method));
}

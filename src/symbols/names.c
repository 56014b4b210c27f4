#include "symbols/names.h"

#include "symbols/rpython_names.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 4096 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct vf_str behind(struct vf_str s, size_t count)
{
    return (struct vf_str){s.ptr + count, s.len - count};
}

/* ---- what compilers and linkers add ---------------------------------------------------------- */

static struct vf_str without_version(struct vf_str s)
{
    const char *at = s.len > 1 ? memchr(s.ptr + 1, '@', s.len - 1) : NULL;
    return at ? (struct vf_str){s.ptr, (size_t)(at - s.ptr)} : s;
}

/* Takes ".part.0" and its like off the end, one after the other. */
static struct vf_str without_clones(struct vf_str s, bool *cold)
{
    static const char *const clones[] = {".cold", ".part",     ".constprop",
                                         ".isra", ".lto_priv", ".localalias",
                                         ".llvm", ".clone",    ".simdclone"};
    for (;;) {
        struct vf_str rest = s;
        while (rest.len && is_digit(rest.ptr[rest.len - 1]))
            rest.len--;
        if (rest.len && rest.len < s.len && rest.ptr[rest.len - 1] == '.')
            rest.len--;
        else
            rest = s;
        bool found = false;
        for (size_t i = 0; i < sizeof clones / sizeof *clones && !found; i++) {
            struct vf_str clone = vf_str_from(clones[i]);
            if (rest.len <= clone.len || !vf_str_ends(rest, clone))
                continue;
            *cold |= i == 0;
            s = (struct vf_str){rest.ptr, rest.len - clone.len};
            found = true;
        }
        if (!found)
            return s;
    }
}

/* ---- C++ and Rust ---------------------------------------------------------------------------- */

struct text {
    char bytes[NAME_MAX_BYTES];
    size_t len;
    jmp_buf full;
};

/* A short name can stand for gigabytes of text; the demanglers keep nothing that would be lost by
 * leaving them like this. */
static void take_text(const char *bytes, size_t len, void *context)
{
    struct text *text = context;
    if (len > sizeof text->bytes - text->len)
        longjmp(text->full, 1);
    if (len)
        memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

static bool run_demangler(const char *raw, bool rust, struct text *text)
{
    if (setjmp(text->full))
        return false;
    if (rust)
        return rust_demangle_callback(raw, 0, take_text, text) != 0;
    return cplus_demangle_v3_callback(raw, DMGL_PARAMS | DMGL_ANSI, take_text, text) != 0;
}

static struct vf_str demangle(struct vf_str s, struct vf_arena *arena)
{
    struct text text = {.len = 0};
    struct vf_str raw = vf_arena_str(arena, s); /* with a NUL behind it */
    if (memchr(s.ptr, 0, s.len))
        return s;
    if (!run_demangler(raw.ptr, true, &text)) {
        text.len = 0;
        if (!run_demangler(raw.ptr, false, &text))
            return s;
    }
    return text.len ? vf_arena_str(arena, (struct vf_str){text.bytes, text.len}) : s;
}

/* ---- PyPy's C API ---------------------------------------------------------------------------- */

static struct vf_str plain_api_name(struct vf_str s, struct vf_arena *arena)
{
    if (vf_str_starts(s, VF_STR("PyPy")) && s.len > 4)
        return vf_arena_printf(arena, "Py%.*s", VF_STR_ARG(behind(s, 4)));
    if (vf_str_starts(s, VF_STR("_PyPy")) && s.len > 5)
        return vf_arena_printf(arena, "_Py%.*s", VF_STR_ARG(behind(s, 5)));
    return s;
}

/* ---- the C library --------------------------------------------------------------------------- */

/* What a variant is written for (glibc, sysdeps/x86_64/multiarch and its like). */
static bool is_processor(struct vf_str word)
{
    static const char *const words[] = {
        "sse2", "ssse3",      "sse4",   "sse42",   "sse41",    "sse3",      "avx",
        "avx2", "avx512",     "evex",   "evex512", "erms",     "unaligned", "no",
        "fma",  "fma4",       "ifma",   "falkor",  "thunderx", "thunderx2", "a64fx",
        "sve",  "neon",       "simd",   "mte",     "mops",     "kunpeng",   "emag",
        "rtm",  "vzeroupper", "back",   "zva64",   "ares",     "z10",       "z13",
        "z15",  "power6",     "power7", "power8",  "power9",   "power10",   "vx"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (vf_str_eq(word, vf_str_from(words[i])))
            return true;
    return false;
}

/* "avx512", "no_vzeroupper", "sse4_1" */
static bool are_processors(struct vf_str words)
{
    uint64_t number;
    bool any = false;
    while (words.len) {
        struct vf_str word = vf_str_cut(&words, '_');
        if (!is_processor(word) && !(any && vf_str_to_u64(word, 10, &number)))
            return false;
        any = true;
    }
    return any;
}

/* "__memmove_avx_unaligned_erms": where all words from one on are a processor's, none of them
 * belongs to the name. */
static struct vf_str without_processor(struct vf_str s)
{
    struct vf_str rest = behind(s, 2);
    struct vf_str base = {rest.ptr, 0};
    while (rest.len) {
        if (base.len && are_processors(rest))
            return base;
        struct vf_str word = vf_str_cut(&rest, '_');
        base.len = (size_t)(word.ptr + word.len - base.ptr);
    }
    return s;
}

static struct vf_str plain_libc_name(struct vf_str s)
{
    static const char *const allocators[] = {"__libc_malloc", "__libc_calloc",   "__libc_realloc",
                                             "__libc_free",   "__libc_memalign", "__libc_valloc",
                                             "__libc_pvalloc"};
    if (!vf_str_starts(s, VF_STR("__")) || s.len < 5 || vf_str_starts(s, VF_STR("__pyx_")))
        return s; /* the last are Cython's */
    for (size_t i = 0; i < sizeof allocators / sizeof *allocators; i++)
        if (vf_str_eq(s, vf_str_from(allocators[i])))
            return behind(s, sizeof "__libc_" - 1);
    if (vf_str_starts(s, VF_STR("__GI_")) && s.len > 5) /* the library's own calls of it */
        return plain_libc_name(behind(s, 5));
    return without_processor(s);
}

/* ---- all ------------------------------------------------------------------------------------- */

static struct vf_str plain_name(struct vf_str s, struct vf_arena *arena)
{
    if (vf_str_starts(s, VF_STR("_Z")) || vf_str_starts(s, VF_STR("_R")) ||
        vf_str_starts(s, VF_STR("__Z")))
        return demangle(s, arena);
    if (vf_str_starts(s, VF_STR("pypy_g_")))
        return vf_rpython_name(behind(s, sizeof "pypy_g_" - 1), arena);
    if (vf_str_starts(s, VF_STR("PyPy")) || vf_str_starts(s, VF_STR("_PyPy")))
        return plain_api_name(s, arena);
    return plain_libc_name(s);
}

struct vf_str vf_name_readable(struct vf_str raw, struct vf_arena *arena)
{
    const struct vf_str stub = VF_STR("@plt");
    bool cold = false;
    if (raw.len > NAME_MAX_BYTES)
        return raw;
    struct vf_str s = without_clones(without_version(raw), &cold);
    struct vf_str plain = plain_name(s, arena);
    if (cold)
        return vf_arena_printf(arena, "%.*s [cold]", VF_STR_ARG(plain));
    if (vf_str_ends(raw, stub))
        return vf_arena_printf(arena, "%.*s@plt", VF_STR_ARG(plain));
    return plain;
}

bool vf_name_is_sampler(struct vf_str raw, struct vf_str library)
{
    static const char *const names[] = {"sigprof_handler", "__vmprof_eval_vmprof",
                                        "get_stack_trace"};
    static const char *const starts[] = {"vmprof_", "_vmprof_", "vmp_"};
    if (vf_str_eq(raw, VF_STR("__restore_rt")) || vf_str_eq(raw, VF_STR("__restore")))
        return true;
    /* Others may call their functions so. */
    if (!vf_str_starts(library, VF_STR("_vmprof.")) && !vf_str_starts(library, VF_STR("libpypy")) &&
        !vf_str_starts(library, VF_STR("pypy")))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (vf_str_eq(raw, vf_str_from(names[i])))
            return true;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (vf_str_starts(raw, vf_str_from(starts[i])))
            return true;
    return false;
}

/* Names of functions read from another process's memory: from a child that holds code objects and
 * strings laid out as CPython's are, in a version with two more words and one without. */
#include "test.h"

#include "record/layout.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, ASCII = 0x64, NOT_ASCII = 0x24, CODE_SIZE = 200 };

/* Where things stand in a code object and a string, as in CPython 3.11 and 3.12. */
struct version {
    size_t file_at, name_at, line_at, text_at;
};
static const struct version versions[] = {{112, 120, 72, 48}, {112, 120, 68, 40}};
enum { VERSIONS = sizeof versions / sizeof *versions };

/* Memory that the child has too, at the same addresses; used from the start, with a page behind it
 * that is not there. */
static unsigned char *memory;
static size_t used;
static const struct version *version;

static void *take(size_t size)
{
    void *place = memory + used;
    used += (size + 15) & ~(size_t)15;
    assert_true(used <= PAGE * PAGES);
    return place;
}

static void put64(unsigned char *object, size_t at, uint64_t value)
{
    memcpy(object + at, &value, sizeof value);
}

static void put32(unsigned char *object, size_t at, uint32_t value)
{
    memcpy(object + at, &value, sizeof value);
}

static void *string_in(unsigned char *s, const char *text, uint32_t state)
{
    put64(s, 0, 7);
    put64(s, 8, 0x955e40);
    put64(s, 16, strlen(text));
    put64(s, 24, 0x1234567890abcdef);
    put32(s, 32, state);
    memcpy(s + version->text_at, text, strlen(text) + 1);
    return s;
}

static void *string(const char *text)
{
    return string_in(take(version->text_at + strlen(text) + 1), text, ASCII);
}

static void *code_in(unsigned char *c, const void *name, const void *file, uint32_t line)
{
    put64(c, 0, 2);
    put64(c, 8, 0x955000);
    put64(c, version->file_at, (uintptr_t)file);
    put64(c, version->name_at, (uintptr_t)name);
    put64(c, version->name_at + 8, (uintptr_t)name); /* co_qualname */
    put32(c, version->line_at, line);
    return c;
}

static void *code(const void *name, const void *file, uint32_t line)
{
    return code_in(take(CODE_SIZE), name, file, line);
}

static pid_t start_child(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- finding the layout ---------------------------------------------------------------------- */

static const char probe_name[] = "vmfox_probe_function";
static const char probe_file[] = "/tmp/vmfox-abc/vmfox_probe.py";
enum { PROBE_LINE = 48611 };

struct probe {
    void *name, *file, *code;
};

/* Fresh memory with the code object whose contents the program tells. */
static struct probe begin(const struct version *v)
{
    version = v;
    used = 0;
    memset(memory, 0, PAGE * PAGES);
    take(64);
    struct probe probe = {.name = string(probe_name), .file = string(probe_file)};
    probe.code = code(probe.name, probe.file, PROBE_LINE);
    return probe;
}

static void find(struct vf_layout *layout, pid_t pid, const struct probe *probe)
{
    *layout = (struct vf_layout){0};
    vf_layout_find(layout, pid, (uintptr_t)probe->code, (uintptr_t)probe->name,
                   vf_str_from(probe_name), (uintptr_t)probe->file, vf_str_from(probe_file),
                   PROBE_LINE);
}

static void the_layout_is_found_from_one_known_function(void **state)
{
    (void)state;
    for (size_t i = 0; i < VERSIONS; i++) {
        struct vf_layout layout;
        struct probe probe = begin(&versions[i]);
        pid_t pid = start_child();
        find(&layout, pid, &probe);
        end_child(pid);
        assert_true(layout.known);
        assert_int_equal(layout.name_at, version->name_at);
        assert_int_equal(layout.file_at, version->file_at);
        assert_int_equal(layout.line_at, version->line_at);
        assert_int_equal(layout.length_at, 16);
        assert_int_equal(layout.text_at, version->text_at);
        vf_layout_release(&layout);
    }
}

static void nothing_is_guessed_where_the_function_is_another(void **state)
{
    (void)state;
    for (int what = 0; what < 6; what++) {
        struct vf_layout layout;
        struct vf_arena arena = {0};
        struct probe probe = begin(&versions[0]), told = probe;
        put32(probe.code, version->line_at, what == 0 ? 1 : PROBE_LINE);
        if (what == 1)
            told.name = take(64);
        if (what == 2)
            told.code = (void *)(uintptr_t)0x10;
        if (what == 3)
            put64(probe.name, 16, 3); /* not its length */
        if (what == 4)
            put32(probe.file, 32, NOT_ASCII); /* the two differ */
        if (what == 5)
            put64(probe.file, 16, 3);
        pid_t pid = start_child();
        find(&layout, pid, &told);
        assert_false(layout.known);
        vf_layout_peek(&layout, pid, (uintptr_t)probe.code, &arena);
        assert_int_equal(layout.names.len, 0);
        end_child(pid);
        vf_layout_release(&layout);
        vf_arena_release(&arena);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The layout as found, then the names of `count` code objects. */
static void peek_all(struct vf_layout *layout, struct vf_arena *arena, const struct probe *probe,
                     void *const *codes, size_t count)
{
    pid_t pid = start_child();
    find(layout, pid, probe);
    assert_true(layout->known);
    for (size_t i = 0; i < count; i++)
        vf_layout_peek(layout, pid, (uintptr_t)codes[i], arena);
    end_child(pid);
}

static void assert_named(const struct vf_layout *layout, size_t i, const void *id, const char *name,
                         const char *file, uint32_t line)
{
    assert_true(i < layout->names.len);
    const struct vf_peeked *peeked = &layout->names.items[i];
    assert_true(peeked->id == (uintptr_t)id);
    assert_true(vf_str_eq(peeked->name, vf_str_from(name)));
    assert_true(vf_str_eq(peeked->file, vf_str_from(file)));
    assert_int_equal(peeked->line, line);
}

static void functions_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < VERSIONS; i++) {
        struct vf_layout layout;
        struct vf_arena arena = {0};
        struct probe probe = begin(&versions[i]);
        void *file = string("/home/me/a b.py");
        void *codes[] = {code(string("f"), file, 1), code(string("<lambda>"), file, 0x7fffffff),
                         code(string("g"), string("<string>"), 0xffffffff)};
        peek_all(&layout, &arena, &probe, codes, 3);
        assert_int_equal(layout.names.len, 3);
        assert_named(&layout, 0, codes[0], "f", "/home/me/a b.py", 1);
        assert_named(&layout, 1, codes[1], "<lambda>", "/home/me/a b.py", 0x7fffffff);
        assert_named(&layout, 2, codes[2], "g", "<string>", 0);
        vf_layout_release(&layout);
        vf_arena_release(&arena);
    }
}

static void bits_that_say_nothing_of_the_text_do_not_count(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    struct probe probe = begin(&versions[0]);
    /* Interned in other ways, and what lies in the padding. */
    void *name = string_in(take(80), "interned", ASCII | 3);
    void *file = string_in(take(80), "/a.py", ASCII | 0xabcdef00);
    void *one = code(name, file, 5);
    peek_all(&layout, &arena, &probe, &one, 1);
    assert_named(&layout, 0, one, "interned", "/a.py", 5);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

static void what_is_no_plain_ascii_stays_without_a_name(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    char longer[1200];
    memset(longer, 'x', sizeof longer);
    longer[1100] = 0;
    struct probe probe = begin(&versions[1]);
    void *file = string("/a.py");
    void *huge = string("abc"), *negative = string("abc");
    put64(huge, 16, 1ull << 40);
    put64(negative, 16, UINT64_MAX);
    void *codes[] = {
        code(string_in(take(80), "\xc3\xa9", NOT_ASCII), file, 1),
        code(string_in(take(80), "caf\xc3\xa9", ASCII), file, 1),
        code(string("a\nb"), file, 1),
        code(string(""), file, 1),
        code(string(longer), file, 1),
        code(huge, file, 1),
        code(negative, file, 1),
        code(string("f"), string_in(take(80), "/\xc3\xa9.py", NOT_ASCII), 1),
        code(string("good"), file, 1),
    };
    peek_all(&layout, &arena, &probe, codes, sizeof codes / sizeof *codes);
    assert_int_equal(layout.names.len, 1);
    assert_named(&layout, 0, codes[8], "good", "/a.py", 1);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

/* ---- texts that are not ASCII ---------------------------------------------------------------- */

/* Compact, and of that many bytes a character: `kind` 1, 2 or 4 in the state's bits. */
static uint32_t state_of(unsigned width)
{
    return width << 2 | 0x20;
}

/* In front of the text there is room for its UTF-8, which ASCII does not need. */
static size_t wide_at(void)
{
    return version->text_at + 16;
}

static void *wide_string(const uint32_t *text, size_t len, unsigned width)
{
    unsigned char *s = take(wide_at() + (len + 1) * width);
    put64(s, 0, 7);
    put64(s, 8, 0x955e40);
    put64(s, 16, len);
    put64(s, 24, 0x1234567890abcdef);
    put32(s, 32, state_of(width));
    for (size_t i = 0; i < len; i++)
        memcpy(s + wide_at() + i * width, &text[i], width);
    return s;
}

static const uint32_t latin[] = {'c', 'a', 'f', 0xe9}, cyrillic[] = {0x416, 0x434, 'x'},
                      letters[] = {0x1d538, 0x1d539, 'y'}, alone[] = {'a', 0xdc80, 0xd800},
                      control[] = {0xe9, 1}, beyond[] = {0x110000};
#define WIDE(text, width) wide_string(text, sizeof text / sizeof *text, width)

/* What the bootstrap tells: one string of each width. */
static void find_wide(struct vf_layout *layout, pid_t pid, void *const *known)
{
    vf_layout_find_string(layout, pid, (uintptr_t)known[0], VF_STR("caf\xc3\xa9"));
    vf_layout_find_string(layout, pid, (uintptr_t)known[1], VF_STR("\xd0\x96\xd0\xb4x"));
    vf_layout_find_string(layout, pid, (uintptr_t)known[2],
                          VF_STR("\xf0\x9d\x94\xb8\xf0\x9d\x94\xb9y"));
}

static void names_of_every_width_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < VERSIONS; i++) {
        struct vf_layout layout;
        struct vf_arena arena = {0};
        struct probe probe = begin(&versions[i]);
        void *known[] = {WIDE(latin, 1), WIDE(cyrillic, 2), WIDE(letters, 4)};
        void *file = string("/a.py");
        void *codes[] = {code(known[0], file, 1), code(known[1], known[0], 2),
                         code(known[2], file, 3), code(WIDE(alone, 2), file, 4),
                         code(string("plain"), known[2], 5)};
        pid_t pid = start_child();
        find(&layout, pid, &probe);
        find_wide(&layout, pid, known);
        for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
            vf_layout_peek(&layout, pid, (uintptr_t)codes[k], &arena);
        end_child(pid);
        assert_int_equal(layout.names.len, 5);
        assert_named(&layout, 0, codes[0], "caf\xc3\xa9", "/a.py", 1);
        assert_named(&layout, 1, codes[1], "\xd0\x96\xd0\xb4x", "caf\xc3\xa9", 2);
        assert_named(&layout, 2, codes[2], "\xf0\x9d\x94\xb8\xf0\x9d\x94\xb9y", "/a.py", 3);
        assert_named(&layout, 3, codes[3], "a\\udc80\\ud800", "/a.py", 4);
        assert_named(&layout, 4, codes[4], "plain", "\xf0\x9d\x94\xb8\xf0\x9d\x94\xb9y", 5);
        vf_layout_release(&layout);
        vf_arena_release(&arena);
    }
}

static void texts_that_are_none_stay_without_a_name(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    struct probe probe = begin(&versions[0]);
    void *known[] = {WIDE(latin, 1), WIDE(cyrillic, 2), WIDE(letters, 4)};
    void *file = string("/a.py"), *huge = WIDE(cyrillic, 2);
    put64(huge, 16, UINT64_MAX / 2);
    void *end = memory + PAGE * PAGES - wide_at() - 4; /* its text goes on behind the memory */
    memcpy(end, known[2], wide_at() + 4);
    void *codes[] = {code(WIDE(control, 1), file, 1), code(WIDE(beyond, 4), file, 1),
                     code(huge, file, 1), code(end, file, 1)};
    pid_t pid = start_child();
    find(&layout, pid, &probe);
    find_wide(&layout, pid, known);
    assert_true(layout.wide_at == wide_at());
    for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
        vf_layout_peek(&layout, pid, (uintptr_t)codes[k], &arena);
    end_child(pid);
    assert_int_equal(layout.names.len, 0);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

/* Without the strings that are told, or with others than are there, nothing is guessed. */
static void nothing_is_guessed_of_texts_that_were_not_told(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    struct probe probe = begin(&versions[0]);
    void *known[] = {WIDE(latin, 1), WIDE(cyrillic, 2), WIDE(letters, 4)};
    void *one = code(known[1], string("/a.py"), 1);
    pid_t pid = start_child();
    find(&layout, pid, &probe);
    vf_layout_peek(&layout, pid, (uintptr_t)one, &arena);
    vf_layout_find_string(&layout, pid, (uintptr_t)known[1], VF_STR("other"));
    vf_layout_find_string(&layout, pid, (uintptr_t)known[1], VF_STR("\xd0\x96\xd0\xb4")); /* part */
    vf_layout_find_string(&layout, pid, 16, VF_STR("caf\xc3\xa9"));
    vf_layout_find_string(&layout, pid, (uintptr_t)known[0], VF_STR("caf\xc3\xa9"));
    vf_layout_peek(&layout, pid, (uintptr_t)one, &arena);
    end_child(pid);
    assert_int_equal(layout.names.len, 0);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

static void dead_pointers_do_no_harm(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    struct probe probe = begin(&versions[0]);
    void *file = string("/a.py"), *name = string("f");
    void *behind = memory + PAGE * PAGES;
    void *codes[] = {
        NULL,
        (void *)UINTPTR_MAX,
        (void *)(uintptr_t)0xdead0000,
        behind,
        code(NULL, file, 1),
        code(name, behind, 1),
        code((void *)(uintptr_t)0x8000000000000000, file, 1),
        code(name, file, 9),
    };
    peek_all(&layout, &arena, &probe, codes, sizeof codes / sizeof *codes);
    assert_int_equal(layout.names.len, 1);
    assert_named(&layout, 0, codes[7], "f", "/a.py", 9);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

static void objects_at_the_end_of_memory_are_read(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    struct probe probe = begin(&versions[0]);
    unsigned char *end = memory + PAGE * PAGES;
    void *name = string("f");
    void *file = string_in(end - version->text_at - 6, "/a.py", ASCII);
    void *one = code_in(end - CODE_SIZE - 64, name, file, 4);
    peek_all(&layout, &arena, &probe, &one, 1);
    assert_named(&layout, 0, one, "f", "/a.py", 4);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

static void a_program_that_is_gone_names_nothing(void **state)
{
    (void)state;
    struct vf_layout layout;
    struct vf_arena arena = {0};
    struct probe probe = begin(&versions[0]);
    pid_t pid = start_child();
    find(&layout, pid, &probe);
    end_child(pid);
    vf_layout_peek(&layout, pid, (uintptr_t)probe.code, &arena);
    assert_int_equal(layout.names.len, 0);
    find(&layout, pid, &probe);
    assert_false(layout.known);
    vf_layout_release(&layout);
    vf_arena_release(&arena);
}

static int map_memory(void **state)
{
    (void)state;
    memory =
        mmap(NULL, PAGE * (PAGES + 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED || mprotect(memory + PAGE * PAGES, PAGE, PROT_NONE) != 0;
}

/* Some sandboxes let no process look into another. */
static bool may_look(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)probe_name, 1};
    pid_t pid = start_child();
    bool may = process_vm_readv(pid, &here, 1, &there, 1, 0) == 1;
    end_child(pid);
    return may;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_found_from_one_known_function),
        cmocka_unit_test(nothing_is_guessed_where_the_function_is_another),
        cmocka_unit_test(functions_are_named),
        cmocka_unit_test(bits_that_say_nothing_of_the_text_do_not_count),
        cmocka_unit_test(what_is_no_plain_ascii_stays_without_a_name),
        cmocka_unit_test(names_of_every_width_are_read),
        cmocka_unit_test(texts_that_are_none_stay_without_a_name),
        cmocka_unit_test(nothing_is_guessed_of_texts_that_were_not_told),
        cmocka_unit_test(dead_pointers_do_no_harm),
        cmocka_unit_test(objects_at_the_end_of_memory_are_read),
        cmocka_unit_test(a_program_that_is_gone_names_nothing),
    };
    if (!may_look()) {
        print_message("process_vm_readv() is not allowed here: nothing is tested\n");
        return 77; /* Meson: skipped */
    }
    return cmocka_run_group_tests(tests, map_memory, NULL);
}

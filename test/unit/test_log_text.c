/* PyPy's runtime log through the ring: what PyPy prints (inside/log.c) and what is read of it
 * (record/log_text.c) is the same text, byte for byte. */
#include "test.h"

#include "inside/inside.h"
#include "inside/log_words.h"
#include "record/log_text.h"
#include "record/ring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static const char SECTION[] = "%s[%llx] %s%s%s\n%s",
                  MEMORY[] = "minor collect, total memory used: %lu\n",
                  PINNED[] = "number of pinned objects: %ld\n", TIME[] = "time taken: %f\n",
                  SURVIVING[] = "total size of surviving objects: %ld\n";

static const char SET[] = "vmfox-----------", SECTIONS[] = "gc,jit-summary,x";

static struct vf_ring_reader ring;
static FILE *plain; /* the same is printed into it */
static char *expected, *heard;
static size_t expected_len, heard_len;
static FILE *heard_file;
static unsigned entries;

/* As PyPy has them, among other variables that hold anything. */
static struct {
    void *before[40];
    char *prefix;
    void *between[3];
    FILE *pypy_debug_file;
    void *behind[40];
} pypy;

/* In place of the rest of the library. */
void *inside_object_symbol(const struct inside_object *object, const char *symbol)
{
    (void)object;
    assert_string_equal(symbol, "pypy_debug_file");
    return &pypy.pypy_debug_file;
}

void inside_jitlog_hear(const char *text, size_t len)
{
    fwrite(text, 1, len, heard_file);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(vf_ring_open(&ring, -1, NULL), VF_OK);
    inside = (struct inside){.ring = ring.shared, .data = ring.data, .mask = ring.bytes - 1};
    memset(&pypy, 0, sizeof pypy);
    pypy.prefix = strdup(SET);
    pypy.pypy_debug_file = stderr;
    plain = open_memstream(&expected, &expected_len);
    heard_file = open_memstream(&heard, &heard_len);
    entries = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    inside_log_forget();
    if (pypy.pypy_debug_file != stderr)
        fclose(pypy.pypy_debug_file);
    fclose(plain);
    fclose(heard_file);
    free(expected);
    free(heard);
    free(pypy.prefix);
    inside = (struct inside){0};
    vf_ring_close(&ring);
    return 0;
}

#define PRINT(...)                                                                                 \
    do {                                                                                           \
        inside_fprintf(pypy.pypy_debug_file, __VA_ARGS__);                                         \
        fprintf(plain, __VA_ARGS__);                                                               \
    } while (0)

static void open_section(uint64_t stamp, const char *name)
{
    PRINT(SECTION, "", (unsigned long long)stamp, "{", name, "", "");
}

static void close_section(uint64_t stamp, const char *name)
{
    PRINT(SECTION, "", (unsigned long long)stamp, "", name, "}", "");
    inside_fflush(pypy.pypy_debug_file);
}

static bool try_to_take(void)
{
    struct inside_object object = {.zeroed = (uintptr_t)&pypy,
                                   .zeroed_end = (uintptr_t)&pypy + sizeof pypy};
    return inside_log_take(&object, SECTIONS);
}

static void take(void)
{
    assert_true(try_to_take());
}

/* The next entry that is of the log; false: there is none. */
static bool next(struct vf_str *bytes)
{
    struct vf_ring_entry entry;
    while (vf_ring_next(&ring, false, &entry))
        if (entry.kind == VF_RING_PYPYLOG) {
            *bytes = entry.bytes;
            return true;
        }
    return false;
}

static void assert_same(void)
{
    struct vf_buf out = {0};
    struct vf_str bytes;
    while (next(&bytes)) {
        assert_int_equal(vf_log_text(bytes, &out), bytes.len);
        entries++;
    }
    fflush(plain);
    assert_int_equal(out.len, expected_len);
    assert_memory_equal(out.len ? out.ptr : "", expected, expected_len);
    vf_buf_release(&out);
}

static void minor(uint64_t stamp, unsigned long memory, long surviving)
{
    open_section(stamp, "gc-minor");
    open_section(stamp + 1, "gc-minor-walkroots");
    close_section(stamp + 2, "gc-minor-walkroots");
    PRINT(MEMORY, memory);
    PRINT(PINNED, 0l);
    PRINT(SURVIVING, surviving);
    if (surviving % 3)
        PRINT(TIME, (double)surviving / 1e6);
    close_section(stamp + 3, "gc-minor");
}

/* ---- as PyPy prints -------------------------------------------------------------------------- */

static void a_minor_collection_is_one_small_entry(void **state)
{
    (void)state;
    take();
    for (unsigned i = 0; i < 20; i++)
        minor((uint64_t)i << (3 * i), (unsigned long)i << (2 * i), 1l << (3 * i));
    assert_same();
    assert_int_equal(entries, 20);
    assert_between(ring.shared->head, 1, 20 * 104 + 100);
}

static void other_sections_and_lines_are_text(void **state)
{
    (void)state;
    take();
    open_section(1, "jit-tracing");
    open_section(2, "jit-backend-addr");
    PRINT("Loop %ld (%s;%s) has address 0x%lx to 0x%lx (bootstrap 0x%lx)\n", 3l, "f", "x.py:1",
          0x10l, 0x20l, 0x18l);
    close_section(3, "jit-backend-addr");
    minor(4, 5, 6);
    PRINT("memtotal = %f, %5d%%, %c, %s\n", 25276063744.0, -7, 'x', "");
    inside_fputs("a line\n", pypy.pypy_debug_file);
    inside_fwrite("of all\n", 1, 7, pypy.pypy_debug_file);
    fputs("a line\nof all\n", plain);
    close_section(0xffffffffffffffff, "jit-tracing");
    assert_same();
    fflush(heard_file);
    assert_non_null(memmem(heard, heard_len, "jit-backend-addr}", 17));
    assert_non_null(memmem(heard, heard_len, "jit-tracing}", 12));
}

static void words_are_only_for_what_they_say(void **state)
{
    (void)state;
    take();
    PRINT(SURVIVING, -1l);
    PRINT(TIME, -0.5);
    PRINT(TIME, 1e300);
    PRINT(TIME, (double)NAN);
    PRINT("time taken: %g\n", 0.25);
    PRINT(MEMORY, 0xfffffffffffffffful);
    PRINT("number of pinned objects: %ld of %ld\n", 1l, 2l);
    PRINT("number of pinned objects: %5ld\n", 1l);
    open_section(1, "gc-min");
    open_section(1, "gc-minor2");
    open_section(1, "");
    PRINT(SECTION, "", 8ull, "", "gc-minor", "", "");
    PRINT(SECTION, "", 9ull, "{", "gc-minor", "}", "");
    PRINT("%s", "");
    close_section(9, "");
    assert_same();
}

static void text_of_any_length(void **state)
{
    (void)state;
    static char text[300000];
    take();
    for (size_t len = 1; len < sizeof text; len = len * 5 / 3 + 1) {
        memset(text, (int)('a' + len % 26), len);
        text[len] = 0;
        PRINT("%s|", text);
        minor(len, len, (long)len);
        inside_fputs(text, pypy.pypy_debug_file);
        fputs(text, plain);
    }
    close_section(0, "gc-minor");
    assert_same();
}

static void the_buffer_is_filled_to_its_last_byte(void **state)
{
    (void)state;
    take();
    for (unsigned i = 0; i < 70000; i++)
        PRINT("%c", 'a' + i % 26);
    for (unsigned i = 0; i < 20000; i++)
        PRINT(PINNED, (long)i);
    close_section(0, "gc-minor");
    assert_same();
}

static void what_goes_through_the_stream_keeps_its_place(void **state)
{
    (void)state;
    take();
    fprintf(pypy.pypy_debug_file, "through the stream\n");
    fputc('\n', pypy.pypy_debug_file);
    fprintf(plain, "through the stream\n\n");
    minor(1, 2, 3);
    assert_same();
    assert_true(entries >= 2);
}

static void other_files_are_as_ever(void **state)
{
    (void)state;
    char *text;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    take();
    assert_int_equal(inside_fprintf(file, "%d-%s-%.2f\n", 5, "x", 1.5), 9);
    assert_int_equal(inside_fwrite("abcd", 2, 2, file), 2);
    assert_true(inside_fputs("efg", file) >= 0);
    assert_int_equal(inside_fflush(file), 0);
    assert_string_equal(text, "5-x-1.50\nabcdefg");
    fclose(file);
    free(text);
    assert_int_equal(inside_fflush(NULL), 0);
    assert_same();
}

static void its_cost_is_counted(void **state)
{
    (void)state;
    take();
    assert_int_equal(ring.shared->pypylog_ns, 0);
    int64_t before = inside_now_ns();
    for (unsigned i = 0; i < 3000; i++)
        minor(i, i, i);
    assert_between(ring.shared->pypylog_ns, 1, (uint64_t)(inside_now_ns() - before) * 2);
}

/* PyPy has colors where its standard error is a terminal. */
static void colors_are_left_out(void **state)
{
    (void)state;
    static const char on[] = "\33[1m\33[31m", off[] = "\33[0m";
    static const char *const names[] = {"gc-minor", "jit-tracing"};
    take();
    for (unsigned i = 0; i < 2; i++) {
        inside_fprintf(pypy.pypy_debug_file, SECTION, on, 255ull, "{", names[i], "", off);
        inside_fprintf(pypy.pypy_debug_file, SECTION, on, 256ull, "", names[i], "}", off);
        fprintf(plain, "[ff] {%s\n[100] %s}\n", names[i], names[i]);
        inside_fflush(pypy.pypy_debug_file);
    }
    assert_same();
}

/* ---- PyPy's variables ------------------------------------------------------------------------ */

static void the_name_that_was_set_becomes_the_sections(void **state)
{
    (void)state;
    take();
    assert_string_equal(pypy.prefix, SECTIONS);
    assert_true(pypy.pypy_debug_file != stderr);
}

/* What lies beside the two is not to be read as a pointer without care. */
static void other_variables_may_hold_anything(void **state)
{
    (void)state;
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static char shorter[] = "vmfox----------", longer[] = "vmfox------------",
                other[] = "vmfox----.------";
    mprotect(page + 4096, 4096, PROT_NONE);
    memcpy(page + 4096 - 5, "vmfox", 5);
    void *const values[] = {(void *)1,   (void *)5000,    (void *)-1, (void *)(UINTPTR_MAX / 2),
                            page + 4096, page + 4096 - 5, shorter,    longer,
                            other,       (void *)&pypy};
    enum { VALUES = sizeof values / sizeof *values };
    for (unsigned i = 0; i < 40; i++) {
        pypy.before[i] = values[i % VALUES];
        pypy.behind[i] = values[(i + 3) % VALUES];
    }
    char *prefix = pypy.prefix;
    pypy.prefix = NULL;
    assert_false(try_to_take());
    assert_ptr_equal(pypy.pypy_debug_file, stderr);
    pypy.prefix = prefix;
    take();
    assert_string_equal(prefix, SECTIONS);
    assert_string_equal(shorter, "vmfox----------");
    munmap(page, 8192);
}

/* ---- what a program has written over --------------------------------------------------------- */

static void damage_ends_an_entry(void **state)
{
    (void)state;
    static const char open[VF_LOG_WORD_BYTES] = {VF_LOG_WORD_OPEN, 0, 7};
    static const struct {
        char bytes[24];
        size_t len;
    } bad[] = {
        {{VF_LOG_WORD_TEXT}, 1},
        {{VF_LOG_WORD_TEXT, 4, 0, 0, 0, 'a', 'b', 'c'}, 8},
        {{VF_LOG_WORD_TEXT, -1, -1, -1, -1, 'a'}, 6},
        {{VF_LOG_WORD_OPEN, VF_LOG_NAME_COUNT}, 10},
        {{VF_LOG_WORD_CLOSE, -1}, 10},
        {{VF_LOG_WORD_CLOSE, 0}, 9},
        {{VF_LOG_WORD_NUMBER, VF_LOG_LINE_COUNT}, 10},
        {{4}, 10},
        {{-1}, 10},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vf_buf out = {0};
        char *entry = malloc(sizeof open + bad[i].len); /* to its last byte, for the sanitizer */
        memcpy(entry, open, sizeof open);
        memcpy(entry + sizeof open, bad[i].bytes, bad[i].len);
        assert_int_equal(vf_log_text((struct vf_str){entry, sizeof open + bad[i].len}, &out),
                         sizeof open);
        assert_true(vf_str_eq(vf_buf_view(&out), VF_STR("[7] {gc-minor\n")));
        vf_buf_release(&out);
        free(entry);
    }
    assert_int_equal(vf_log_text((struct vf_str){NULL, 0}, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_minor_collection_is_one_small_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_sections_and_lines_are_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_are_only_for_what_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_of_any_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_buffer_is_filled_to_its_last_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_through_the_stream_keeps_its_place, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_files_are_as_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_cost_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(colors_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_name_that_was_set_becomes_the_sections, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_variables_may_hold_anything, set_up, tear_down),
        cmocka_unit_test(damage_ends_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

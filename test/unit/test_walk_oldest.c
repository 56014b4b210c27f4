/* Stacks of the oldest files, which have no kinds; and stacks that share prefixes with others,
 * which must come out as if each sample stood alone in its file. */
#include "test.h"

#include "recording.h"

#include <stdio.h>

enum { MAIN = 0x10, HOT = 0x20, INNER = 0x30, DEEP = 0x40 };
#define PYPY_ID UINT64_C(0x7000000000002194)

static void assert_stack(struct recording *r, size_t sample, const char *expected)
{
    assert_string_equal(recording_stack(r, 0, sample), expected);
}

/* ---- the oldest files ------------------------------------------------------------------------ */

static const char maps[] = "00400000-00460000 r-xp 00000000 00:19 40633395   /usr/bin/python2.7\n"
                           "01000000-02000000 rw-p 00000000 00:00 0          [heap]\n"
                           "7fce39700000-7fce39800000 r-xp 00000000 00:19 1  /lib/libc-2.19.so\n";

static void begin_oldest_pypy(struct recording *r)
{
    recording_begin(r, RECORDING_OLDEST, 0, "pypy");
    recording_name(r, PYPY_ID, "py:main:1:/a.py");
    recording_name(r, PYPY_ID + 0x10, "py:hot:10:/a.py");
    recording_name(r, PYPY_ID + 0x20, "py:inner:20:/a.py");
    recording_name(r, PYPY_ID + 0x30, "py:run_toplevel:70:<builtin>/app_main.py");
    recording_name(r, PYPY_ID + 0x40, "py:_run_code:60:/opt/pypy/lib-python/2.7/runpy.py");
    r->maps_behind = maps;
}

static void the_oldest_pypy_marks_its_frames_by_an_odd_id(void **state)
{
    (void)state;
    struct recording r;
    begin_oldest_pypy(&r);
    TAKE(&r, CODE(0), CODE(PYPY_ID | 1), CODE((PYPY_ID + 0x10) | 1));
    TAKE(&r, CODE(0), CODE(PYPY_ID | 1), CODE(0x7fce39700010));
    TAKE(&r, CODE(0), CODE(PYPY_ID | 1), CODE(0x7fce39700011));
    recording_build(&r);
    assert_stack(&r, 0, "main > hot");
    assert_stack(&r, 1, "main > libc-2.19.so+0x10[Native]");
    assert_stack(&r, 2, "main > libc-2.19.so+0x10[Native]");
    recording_release(&r);
}

/* In the file `2, id, id, 3` leaf first; read from the root the 3 comes first. */
static void the_oldest_pypy_frames_a_trace_by_two_numbers(void **state)
{
    (void)state;
    struct recording r;
    begin_oldest_pypy(&r);
    TAKE(&r, CODE(0), CODE(PYPY_ID | 1), CODE(3), CODE(PYPY_ID + 0x10), CODE(PYPY_ID + 0x20),
         CODE(2));
    TAKE(&r, CODE(0), CODE(PYPY_ID | 1), CODE(3), CODE(PYPY_ID + 0x10), CODE(2),
         CODE((PYPY_ID + 0x20) | 1));
    TAKE(&r, CODE(0), CODE(PYPY_ID | 1), CODE(3), CODE(2), CODE((PYPY_ID + 0x10) | 1));
    recording_build(&r);
    assert_stack(&r, 0, "main > hot[JIT] > inner[JIT]");
    assert_stack(&r, 1, "main > hot[JIT] > inner");
    assert_stack(&r, 2, "main > hot");
    recording_release(&r);
}

static void the_oldest_pypys_launchers_are_left_out_too(void **state)
{
    (void)state;
    struct recording r;
    begin_oldest_pypy(&r);
    TAKE(&r, CODE(0), CODE((PYPY_ID + 0x30) | 1), CODE((PYPY_ID + 0x40) | 1), CODE(PYPY_ID | 1));
    TAKE(&r, CODE(0), CODE((PYPY_ID + 0x30) | 1));
    recording_build(&r);
    assert_stack(&r, 0, "main");
    assert_stack(&r, 1, "(interpreter start and exit)[Interpreter]");
    recording_release(&r);
}

static void the_oldest_cpython_has_plain_ids_and_maps(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, RECORDING_OLDEST, 0, "cpython");
    recording_name(&r, 0x1400100, "py:main:1:/a.py");
    recording_name(&r, 0x1400200, "py:hot:1:/a.py");
    r.maps_behind = maps;
    TAKE(&r, CODE(0x400123), CODE(0x1400100), CODE(0x7fce39700010), CODE(0x1400200));
    TAKE(&r, CODE(0x1400100), CODE(2), CODE(3));
    recording_build(&r);
    assert_stack(&r, 0, "python2.7+0x122[Native] > main > libc-2.19.so+0x10[Native] > hot");
    assert_stack(&r, 1, "main > unnamed code 0x2 > native code 0x2[Native]");
    recording_release(&r);
}

/* Code objects lie on the heap, native code lies in a file. */
static void unnamed_code_on_the_heap_is_not_native(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, RECORDING_OLDEST, 0, "cpython");
    recording_name(&r, 0x1400100, "py:main:1:/a.py");
    r.maps_behind = maps;
    TAKE(&r, CODE(0x1400100), CODE(0x1400200));
    recording_build(&r);
    assert_stack(&r, 0, "main > unnamed code 0x1400200");
    recording_release(&r);
}

static void maps_in_the_capture_win_over_those_in_the_file(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, RECORDING_OLDEST, 0, "cpython");
    r.maps_behind = maps;
    r.capture.maps = VF_STR("00400000-00460000 r-xp 00000000 00:19 1 /opt/python\n");
    TAKE(&r, CODE(0x400124));
    recording_build(&r);
    assert_stack(&r, 0, "python+0x124[Native]");
    recording_release(&r);
}

/* ---- samples with a common beginning --------------------------------------------------------- */

enum { FRAMES = 12, DEPTH_MAX = 9, SAMPLES = 400 };

static const struct prof_frame choice[FRAMES] = {
    CODE(MAIN),  CODE(HOT),   CODE(INNER), CODE(0x100), /* run_toplevel */
    CODE(0x170), CODE(0x160),                           /* a thread, the recorder's own work */
    JIT(HOT),    JIT(INNER),  JIT(DEEP),   ASM,         NATIVE(0x7f0000001000), KIND(5),
};

static void add_walk_names(struct recording *r)
{
    recording_name(r, MAIN, "py:main:1:/a.py");
    recording_name(r, HOT, "py:hot:10:/a.py");
    recording_name(r, INNER, "py:inner:20:/b.py");
    recording_name(r, DEEP, "py:deep:30:/b.py");
    recording_name(r, 0x100, "py:run_toplevel:70:<builtin>/app_main.py");
    recording_name(r, 0x160, "py:stop:90:<vmfox>");
    recording_name(r, 0x170, "py:vmfox_thread_7:1:<vmfox>");
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

struct shared_stack {
    struct prof_frame frames[DEPTH_MAX];
    size_t depth;
    char alone[1024]; /* "7: main > hot": thread and stack in a file of its own */
};

static void tell(struct recording *r, size_t thread, size_t sample, char *out, size_t size)
{
    snprintf(out, size, "%llu: %s", (unsigned long long)r->profile.threads.items[thread].tid,
             recording_stack(r, thread, sample));
}

static void build_alone(struct shared_stack *s)
{
    struct recording r;
    recording_begin(&r, 6, 12, "pypy");
    add_walk_names(&r);
    recording_take(&r, s->frames, s->depth);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 1);
    tell(&r, 0, 0, s->alone, sizeof s->alone);
    recording_release(&r);
}

/* The next sample keeps some of the last one's frames, from the root, and has others behind. */
static void make_stacks(struct shared_stack *all, uint32_t seed)
{
    struct prof_frame path[DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        depth = depth ? next_random(&seed) % (depth + 1) : 0;
        size_t whole = next_random(&seed) % (DEPTH_MAX + 1);
        while (depth < whole)
            path[depth++] = choice[next_random(&seed) % FRAMES];
        memcpy(all[i].frames, path, sizeof path);
        all[i].depth = depth;
        build_alone(&all[i]);
    }
}

static void compare_stacks(struct shared_stack *all)
{
    struct recording r;
    size_t taken[2] = {0, 0};
    char together[1024];
    recording_begin(&r, 6, 12, "pypy");
    add_walk_names(&r);
    for (size_t i = 0; i < SAMPLES; i++)
        recording_take(&r, all[i].frames, all[i].depth);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 2);
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t thread = all[i].alone[0] == '7';
        tell(&r, thread, taken[thread]++, together, sizeof together);
        assert_string_equal(together, all[i].alone);
    }
    recording_release(&r);
}

static void samples_that_share_a_beginning_come_out_as_if_alone(void **state)
{
    (void)state;
    struct shared_stack *all = vf_alloc_zeroed(SAMPLES, sizeof *all);
    for (uint32_t seed = 1; seed <= 5; seed++) {
        make_stacks(all, seed * 7919);
        compare_stacks(all);
    }
    free(all);
}

/* The same over lines: a line that differs is another frame, and so is what is below it. */
static void a_frame_at_another_line_is_not_shared(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 2, "cpython");
    add_walk_names(&r);
    TAKE(&r, AT_LINE(MAIN, 1), AT_LINE(HOT, 2), AT_LINE(INNER, 3));
    TAKE(&r, AT_LINE(MAIN, 1), AT_LINE(HOT, 4), AT_LINE(INNER, 3));
    TAKE(&r, AT_LINE(MAIN, 1), AT_LINE(HOT, 4));
    TAKE(&r, AT_LINE(MAIN, 1), AT_LINE(HOT, 4), AT_LINE(INNER, 3));
    recording_build(&r);
    assert_stack(&r, 0, "main:1 > hot:2 > inner:3");
    assert_stack(&r, 1, "main:1 > hot:4 > inner:3");
    assert_stack(&r, 2, "main:1 > hot:4");
    assert_stack(&r, 3, "main:1 > hot:4 > inner:3");
    assert_int_equal(r.profile.stacks.stacks.len, 5);
    recording_release(&r);
}

/* A hostile file: each frame a different one.  What came first stays as it is. */
static void too_many_different_frames_are_shown_as_one(void **state)
{
    (void)state;
    enum { STACKS = 100, DEPTH = 1000 };
    struct recording r;
    struct prof_frame *frames = vf_alloc_zeroed(DEPTH, sizeof *frames);
    recording_begin(&r, 6, 0, "cpython");
    add_walk_names(&r);
    TAKE(&r, CODE(MAIN), CODE(HOT));
    for (uint64_t i = 0; i < STACKS; i++) {
        for (uint64_t k = 0; k < DEPTH; k++)
            frames[k].value = (i * DEPTH + k + 0x1000) * 2;
        recording_take(&r, frames, DEPTH);
    }
    TAKE(&r, CODE(MAIN), CODE(0x7fff0000), CODE(HOT));
    recording_build(&r);
    assert_int_equal(r.status, VF_WARN);
    assert_int_equal(r.warnings.count, 1);
    assert_non_null(strstr(r.warnings.items[0].text, "different frames"));
    assert_non_null(recording_fact(&r, "Incomplete"));
    assert_stack(&r, 0, "main > hot");
    assert_stack(&r, STACKS + 1, "main > (other frames)[Other] > hot");
    assert_true(r.profile.funcs.funcs.len < STACKS * DEPTH);
    free(frames);
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_pypy_marks_its_frames_by_an_odd_id),
        cmocka_unit_test(the_oldest_pypy_frames_a_trace_by_two_numbers),
        cmocka_unit_test(the_oldest_pypys_launchers_are_left_out_too),
        cmocka_unit_test(the_oldest_cpython_has_plain_ids_and_maps),
        cmocka_unit_test(unnamed_code_on_the_heap_is_not_native),
        cmocka_unit_test(maps_in_the_capture_win_over_those_in_the_file),
        cmocka_unit_test(samples_that_share_a_beginning_come_out_as_if_alone),
        cmocka_unit_test(a_frame_at_another_line_is_not_shared),
        cmocka_unit_test(too_many_different_frames_are_shown_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

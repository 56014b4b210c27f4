/* Walks of the native stack: beside libunwind's, at every instruction, and what they must not do.
 */
#include "test.h"

#include "inside/unwind.h"
#include "inside/unwind_cache.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { MOST = 200, REG_PC = 16, TRAP_FLAG = 0x100 };

struct walk {
    unsigned count;
    int end; /* what the last step gave */
    uint64_t start[MOST], pc[MOST];
};

struct unwinder {
    int (*init)(unw_cursor_t *, unw_context_t *);
    int (*step)(unw_cursor_t *);
    int (*info)(unw_cursor_t *, unw_proc_info_t *);
    int (*reg)(unw_cursor_t *, int, uint64_t *);
};

static const struct unwinder ours = {unw_init_local, unw_step, unw_get_proc_info, unw_get_reg};
static struct unwinder theirs;

static int have_theirs(void **state)
{
    (void)state;
    void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return 0;
    *(void **)&theirs.init = dlsym(library, "_ULx86_64_init_local");
    *(void **)&theirs.step = dlsym(library, "_ULx86_64_step");
    *(void **)&theirs.info = dlsym(library, "_ULx86_64_get_proc_info");
    *(void **)&theirs.reg = dlsym(library, "_ULx86_64_get_reg");
    return 0;
}

/* The frames from where the cursor is, up to one that nothing is known of. */
static void follow(const struct unwinder *with, unw_cursor_t *cursor, struct walk *walk)
{
    unw_proc_info_t info;
    for (walk->count = 0, walk->end = 1; walk->count < MOST && walk->end > 0;) {
        with->info(cursor, &info);
        with->reg(cursor, REG_PC, &walk->pc[walk->count]);
        walk->start[walk->count++] = info.start_ip;
        if (info.end_ip == info.start_ip + 1)
            break;
        walk->end = with->step(cursor);
    }
}

/* As VMProf does it: out of the signal's handler first. */
static void walk_from_handler(const struct unwinder *with, unw_context_t *context,
                              struct walk *walk)
{
    unw_cursor_t cursor;
    struct walk inner = {0};
    with->init(&cursor, context);
    /* Ours tells the delivery's frame as VMProf expects it, libunwind does not. */
    static const unsigned char delivery[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    uint64_t pc;
    do {
        with->reg(&cursor, REG_PC, &pc);
        bool there = memcmp((const void *)pc, delivery, sizeof delivery) == 0;
        if (with == &ours)
            assert_int_equal(unw_is_signal_frame(&cursor), there);
        assert_true(with->step(&cursor) > 0 && ++inner.count < MOST);
        if (there)
            break;
    } while (true);
    follow(with, &cursor, walk);
}

static void walk_from_context(void *interrupted, struct walk *walk)
{
    unw_cursor_t cursor;
    unw_context_t context;
    vmfox_unwind_from(interrupted);
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    vmfox_unwind_from(NULL);
    assert_true(unw_is_signal_frame(&cursor));
    assert_int_equal(unw_step(&cursor), 1);
    follow(&ours, &cursor, walk);
}

static void assert_same(const struct walk *a, const struct walk *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->end, b->end);
    assert_memory_equal(a->start, b->start, a->count * sizeof *a->start);
    assert_memory_equal(a->pc, b->pc, a->count * sizeof *a->pc);
}

static unsigned instructions;

static void compare(int number, siginfo_t *info, void *interrupted)
{
    static struct walk slow, fast, other;
    unw_context_t context;
    (void)number, (void)info;
    instructions++;
    unw_getcontext(&context);
    walk_from_handler(&ours, &context, &slow);
    walk_from_context(interrupted, &fast);
    assert_same(&slow, &fast);
    assert_int_equal(slow.pc[0], ((ucontext_t *)interrupted)->uc_mcontext.gregs[REG_RIP]);
    if (!theirs.step)
        return;
    walk_from_handler(&theirs, &context, &other);
    assert_same(&slow, &other);
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

/* Flags are read and written by way of the stack, which no unwinding table tells of: so it is a
 * function of its own, with a frame pointer. */
__attribute__((noinline)) static void step_by_step(bool on)
{
    volatile unsigned size = 16;
    *(volatile char *)__builtin_alloca(size) = 0;
    uint64_t flags = __builtin_ia32_readeflags_u64();
    __builtin_ia32_writeeflags_u64(on ? flags | TRAP_FLAG : flags & ~(uint64_t)TRAP_FLAG);
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* With a stack of a size that is known when it runs, so with a frame pointer. */
__attribute__((noinline)) static int work(unsigned size)
{
    char *text = __builtin_alloca(size);
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, by_value);
    snprintf(text, size, "%d %.3f %s", numbers[0], 1.5, "word");
    char *copy = strdup(text);
    int length = (int)strlen(copy);
    free(copy);
    return length;
}

static void at_every_instruction(void **state)
{
    (void)state;
    handle(SIGTRAP, compare);
    instructions = 0;
    step_by_step(true);
    int length = work(64);
    step_by_step(false);
    assert_int_equal(length, 12);
    assert_true(instructions > 500);
}

static void *in_thread(void *unused)
{
    step_by_step(true);
    int length = work(100);
    step_by_step(false);
    return length == 12 ? unused : NULL;
}

static void in_another_thread(void **state)
{
    pthread_t thread;
    void *result = NULL;
    handle(SIGTRAP, compare);
    assert_int_equal(pthread_create(&thread, NULL, in_thread, state), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, state);
}

static void in_a_child(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        handle(SIGTRAP, compare);
        _exit(in_thread(&status) ? 7 : 8);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* A walk of a frame that begins somewhere else than given is one of VMProf's handler. */
static void a_context_that_is_not_of_this_stack(void **state)
{
    (void)state;
    static ucontext_t elsewhere;
    unw_cursor_t cursor;
    unw_context_t context;
    vmfox_unwind_from(&elsewhere);
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    vmfox_unwind_from(NULL);
    assert_false(unw_is_signal_frame(&cursor));
}

/* Kills the process at any system call but those a walk may make, and the end. */
static void allow_walks_alone(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
        _exit(9);
}

static struct walk only;
static unsigned walked;

static void walk_only(int number, siginfo_t *info, void *interrupted)
{
    unw_context_t context;
    unw_cursor_t cursor;
    (void)number, (void)info;
    int before = errno = 1234;
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    follow(&ours, &cursor, &only);
    vmfox_unwind_from(interrupted);
    unw_init_local(&cursor, &context);
    vmfox_unwind_from(NULL);
    unw_step(&cursor);
    follow(&ours, &cursor, &only);
    walked += only.count > 2 && errno == before;
}

static void no_system_call_but_one_without_descriptors(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        handle(SIGTRAP, walk_only);
        allow_walks_alone();
        step_by_step(true);
        int numbers[] = {3, 1, 2};
        qsort(numbers, 3, sizeof *numbers, by_value);
        step_by_step(false);
        syscall(SYS_exit_group, walked > 50 ? 7 : 8);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void what_can_be_read(void **state)
{
    (void)state;
    enum { PAGE = 4096 };
    struct vf_memory memory;
    uint64_t word = 0;
    char *pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    uint64_t start = (uint64_t)pages;
    mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
    munmap(pages + 3 * PAGE, PAGE);
    memset(pages, 0x11, 2 * PAGE);
    vf_memory_init(&memory, (uint64_t)&memory);
    assert_true(vf_memory_readable(&memory, (uint64_t)&memory, sizeof memory));
    assert_true(vf_memory_word(&memory, start + PAGE - 3, &word));
    assert_int_equal(word, UINT64_C(0x1111111111111111));
    assert_true(vf_memory_readable(&memory, start, 2 * PAGE));
    assert_false(vf_memory_readable(&memory, start, 2 * PAGE + 1));
    assert_false(vf_memory_word(&memory, start + 2 * PAGE - 7, &word));
    assert_false(vf_memory_readable(&memory, start + 2 * PAGE, 1)); /* not for reading */
    assert_false(vf_memory_readable(&memory, start + 3 * PAGE, 1)); /* gone */
    assert_false(vf_memory_readable(&memory, 0, 1));
    assert_false(vf_memory_readable(&memory, UINT64_MAX - 3, 8));
    assert_false(vf_memory_readable(&memory, UINT64_C(1) << 63, 8));
    munmap(pages, 3 * PAGE);
    vf_memory_init(&memory,
                   start); /* nothing is kept from the last walk, nor believed of a stack */
    assert_false(vf_memory_readable(&memory, start, 1));
}

static void walk_here(void *result)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    follow(&ours, &cursor, result);
}

/* The two have the same functions at the same places, with frames of other sizes, and nothing else
 * to tell them apart: no build id. */
static void walk_through(const char *path, struct walk *walk, void **place)
{
    void *library = dlopen(path, RTLD_NOW);
    assert_non_null(library);
    void (*through)(void (*)(void *), void *);
    *(void **)&through = dlsym(library, "through");
    assert_non_null(through);
    through(walk_here, walk);
    *place = *(void **)&through;
    dlclose(library);
}

static void a_library_in_the_place_of_another(void **state)
{
    (void)state;
    static struct walk first, second;
    void *first_place, *second_place;
    for (unsigned i = 0; i < 3; i++) {
        walk_through(VF_UNWIND_SMALL, &first, &first_place);
        walk_through(VF_UNWIND_LARGE, &second, &second_place);
        assert_ptr_equal(first_place, second_place);
        assert_int_equal(first.count, second.count);
        assert_int_equal(first.start[1], first_place);
        assert_memory_equal(first.start, second.start, first.count * sizeof *first.start);
    }
}

static sem_t locked, done;

static int hold(struct dl_phdr_info *info, size_t size, void *result)
{
    struct timespec limit;
    (void)info, (void)size;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    sem_post(&locked);
    *(bool *)result = sem_timedwait(&done, &limit) == 0;
    return 1;
}

static void *hold_linkers_lock(void *result)
{
    dl_iterate_phdr(hold, result);
    return NULL;
}

/* As in a program where it would be waiting for the one that walks. */
static void while_another_thread_has_the_dynamic_linkers_lock(void **state)
{
    static struct walk walk;
    pthread_t thread;
    bool was_walked = false;
    void *place = NULL;
    (void)state;
    sem_init(&locked, 0, 0);
    sem_init(&done, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_linkers_lock, &was_walked), 0);
    sem_wait(&locked);
    walk_here(&walk);
    sem_post(&done);
    pthread_join(thread, &place);
    assert_true(was_walked);
    assert_true(walk.count > 3);
}

static void it_works_here(void **state)
{
    (void)state;
    assert_int_equal(vmfox_unwind_ready(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_works_here),
        cmocka_unit_test(at_every_instruction),
        cmocka_unit_test(in_another_thread),
        cmocka_unit_test(in_a_child),
        cmocka_unit_test(a_context_that_is_not_of_this_stack),
        cmocka_unit_test(no_system_call_but_one_without_descriptors),
        cmocka_unit_test(what_can_be_read),
        cmocka_unit_test(a_library_in_the_place_of_another),
        cmocka_unit_test(while_another_thread_has_the_dynamic_linkers_lock),
    };
    return cmocka_run_group_tests(tests, have_theirs, NULL);
}

/* What vmfox loads into a recorded program: one small library, of the C library alone.
 *
 * VMProf, PyPy's JIT log and its runtime log write to descriptors.  They are given numbers that no
 * descriptor can have (INSIDE_NUMBER_*), and the places where their code keeps the address of
 * write() are led to inside_write(), which knows these numbers and puts the bytes into the ring
 * (ring.h).  So the program has no descriptor of ours: whatever it closes, copies or writes to is
 * its own.
 *
 *   unwind*.c  what VMProf takes for libunwind: a library of its own (unwind.h)
 *   slots.c    the places in the program's objects where addresses of functions are kept
 *   entries.c  entries into the ring
 *   calls.c    what is called in place of the C library's functions
 *   handler.c  the signal at which samples are taken, and the timers that send it
 *   threads.c  threads that begin and end, forks, exec
 *   jitlog.c   the JIT's log
 *   log.c      PyPy's runtime log
 *   cpython.c  what CPython calls; PyPy writes to INSIDE_NUMBER_CONTROL
 *   control.c  the bootstrap's commands
 *
 * Much of this runs in a signal's handler or between fork and exec, so: no allocation but where a
 * thread is started, no lock that a thread could hold for long, no errno that is not put back. */
#ifndef VF_INSIDE_INSIDE_H
#define VF_INSIDE_INSIDE_H

#include "inside/ring.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* In place of descriptors.  The kernel gives none above 2^30. */
enum {
    INSIDE_NUMBER_CONTROL = 0x7ffff0f0, /* messages and commands (control.c) */
    INSIDE_NUMBER_VMPROF = 0x7ffff0f1,
    INSIDE_NUMBER_JITLOG = 0x7ffff0f2,
};

#define INSIDE_EXPORT __attribute__((visibility("default")))

/* vmprof_mt.h of VMProf */
enum { VMPROF_BUFFERS = 20, VMPROF_BUFFER_BYTES = 8192 };

struct inside {
    struct vf_ring *ring; /* NULL: none, or this is a child */
    char *data;
    uint64_t mask; /* data bytes - 1, not to be read from the ring again */
    pid_t pid;     /* the recorded process */
    bool forked;   /* this is a child of it */
    bool sampling;
    bool off;       /* the recorder is gone, or the program becomes another one */
    bool window;    /* VMProf is being started or stopped: what it asks of the kernel is ours */
    bool log_taken; /* PyPy's runtime log goes into the ring */
    bool knows_recorder; /* its number is one here: not in another pid namespace */
    bool guard;          /* stacks may be read that are being made (CPython) */
    char *buffers;       /* VMProf's (handler.c); NULL: not known */
    void (*vmprof)(int, siginfo_t *, void *); /* its handler */
    void (*vmprof_fault)(int);                /* its handler of SIGSEGV; NULL: it has none now */
    bool half_done;                           /* it was left half way, so it can't be stopped */
    unsigned faults;                          /* how often, so that it has as many buffers less */
    bool stopped;                             /* the program has stopped it */
    void (*unwind_from)(const void *);        /* unwind.h; NULL: no native frames */
};
extern struct inside inside;

/* ---- entries.c ---- */

/* Puts an entry of two pieces into the ring.  False: there was no room, which was counted, or the
 * ring is gone. */
bool inside_put(enum vf_ring_kind kind, const void *first, size_t first_bytes, const void *second,
                size_t second_bytes);
/* Words separated by NUL; `text` is cut at 1,000 bytes. */
void inside_tell(const char *word, const char *text);
int64_t inside_now_ns(void);
/* A counter that runs evenly and is read in nanoseconds. */
static inline uint64_t inside_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)inside_now_ns();
#endif
}
/* How long something took in all, by that counter: begun once, then added to.  One addition counts
 * for no more than some 20 us: what takes longer was put aside by the kernel meanwhile. */
struct inside_meter {
    uint64_t first_tick; /* where counter and clock stood */
    int64_t first_ns;    /* 0: not begun */
    uint64_t spent;      /* in ticks */
};
void inside_meter_begin(struct inside_meter *meter);
void inside_meter_add(struct inside_meter *meter, uint64_t ticks);
double inside_meter_ns(const struct inside_meter *meter);
/* True when the recorder is gone: then `off` is set as well. */
bool inside_recorder_gone(void);

/* ---- slots.c ---- */

struct inside_object {
    uintptr_t base;
    const void *dynamic;
    uintptr_t relro, relro_end;   /* read-only after start; 0: nothing */
    uintptr_t zeroed, zeroed_end; /* .bss */
    const char *name;
};
struct inside_slot {
    const char *symbol;
    uintptr_t ours;
    unsigned found;
};
/* The first object for which `wanted` is true, in the order in which symbols are looked for. */
bool inside_object_find(bool (*wanted)(const struct inside_object *, const void *),
                        const void *what, struct inside_object *out);
/* The address of a symbol that the object defines; NULL: it does not. */
void *inside_object_symbol(const struct inside_object *object, const char *symbol);
/* Leads all slots of the object for these symbols to ours; each counts how many were found. */
void inside_object_patch(const struct inside_object *object, struct inside_slot *slots,
                         size_t count);
/* The address of a function as the program's own look-up gives it; 0: none. */
uintptr_t inside_function(const char *symbol);

/* ---- calls.c ---- */

/* In which object what is replaced.  0, or a negative number that says what was not found. */
int inside_attach_vmprof(const struct inside_object *object, bool is_pypy);
int inside_attach_interpreter(const struct inside_object *object);

/* ---- handler.c ---- */

/* Puts our handler in front of VMProf's, which was caught when it was set. */
bool inside_sampling_start(void);
void inside_sampling_stop(void);
/* sigaction(2) as the program calls it: our handler is not seen, and stays. */
int inside_signal_change(int number, const struct sigaction *now, struct sigaction *before);
/* Sets what the program has set for our signal; for exec, what another program inherits of it. */
void inside_signal_give_back(void);
/* The program has not set anything for our signal. */
bool inside_signal_is_unset(void);
void inside_signal_leave(void);
/* Takes our signal out of this thread's mask. */
void inside_signal_let_in(void);
/* Waits until no thread is in VMProf, and lets none in until it is given back.  A child has no use
 * for its parent's. */
void inside_turn_take(void);
void inside_turn_give(void);
void inside_turn_forget(void);
/* A record of VMProf: of the sample that is being taken, or from elsewhere. */
void inside_vmprof_record(const void *bytes, size_t len);
/* VMProf has given its buffers back: it was stopped, by us or by the program. */
void inside_vmprof_stopped(void);

/* ---- timers.c ---- */

/* Finds out how a thread knows its own number; whether that holds for this thread too. */
void inside_tid_learn(void);
void inside_tid_verify(void);
pid_t inside_tid(void);
/* The timer of a thread, as the ring says. */
void inside_timer_arm(pid_t tid);
/* The same for a thread that begins, which is the one that calls, and its end: what it has used and
 * no sample stands for is made up for in threads that begin later. */
void inside_timer_begin(pid_t tid);
void inside_timer_end(pid_t tid);
void inside_timer_set(struct vf_ring_thread *thread, uint32_t period_ns);
/* A sample of the thread is taken, by itself. */
void inside_timer_sampled(const struct vf_ring *ring, struct vf_ring_thread *thread);
/* Threads that the recorder has seen and that were not started by the interpreter, and such that
 * have ended. */
void inside_timers_arm_waiting(struct vf_ring *ring);
void inside_timer_drop(pid_t tid);
void inside_timers_drop_all(void);
/* VMProf has sampled the code object `id` perhaps; false: it has not. */
bool inside_may_have_seen(uint64_t id);

/* ---- threads.c ---- */

int inside_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*routine)(void *), void *argument);
int inside_execve(const char *path, char *const *words, char *const *environment);
int inside_execv(const char *path, char *const *words);
int inside_fexecve(int fd, char *const *words, char *const *environment);
/* The name of the thread that this thread starts next. */
void inside_name_next(const char *name);
void inside_watch_forks(void);

/* ---- jitlog.c ---- */

/* A record of the JIT's log. */
void inside_jitlog_write(const void *record, size_t len);
/* Text of the runtime log, as PyPy has written it. */
void inside_jitlog_hear(const char *text, size_t len);
/* Looks for PyPy's variable while the log is switched on, off and on: steps 0 to 3. */
void inside_jitlog_switched(const struct inside_object *object, int step);

/* ---- log.c ---- */

/* Switches PyPy's log on, with these sections, into the ring.  False: PyPy keeps its setting in a
 * way that is not known, and there is no log. */
bool inside_log_take(const struct inside_object *object, const char *sections);
void inside_log_forget(void);
/* The C library's functions as PyPy calls them. */
int inside_fprintf(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
int inside_fprintf_chk(FILE *file, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t inside_fwrite(const void *bytes, size_t size, size_t count, FILE *file);
int inside_fputs(const char *text, FILE *file);
int inside_fflush(FILE *file);
char *inside_getenv(const char *name);
FILE *inside_fopen(const char *path, const char *mode);

/* ---- control.c ---- */

/* A command of the bootstrap's or a message to the recorder: words separated by NUL.  Not negative
 * when it was done. */
INSIDE_EXPORT long vmfox_call(const char *words, long bytes);

#endif

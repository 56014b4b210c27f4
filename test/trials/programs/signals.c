/* What programs do with signals in C. Loaded by signalled.py. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int open_signalfd(int number);
int interrupted(const char *what, long milliseconds);
long errno_changes(long milliseconds);
int handle_on_stack(void);
int still_handled(void);
int crash_and_come_back(void);

int open_signalfd(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static struct timespec later(clockid_t clock, long milliseconds)
{
    struct timespec now;
    clock_gettime(clock, &now);
    now.tv_sec += milliseconds / 1000;
    now.tv_nsec += milliseconds % 1000 * 1000000;
    if (now.tv_nsec >= 1000000000) {
        now.tv_nsec -= 1000000000;
        now.tv_sec++;
    }
    return now;
}

static int past(const struct timespec *end)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

static int wait_once(const char *what, long milliseconds, sem_t *semaphore, int end)
{
    struct timespec span = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    struct timespec until = later(CLOCK_REALTIME, milliseconds);
    char byte;
    if (strcmp(what, "sleep") == 0) {
        return nanosleep(&span, NULL);
    }
    if (strcmp(what, "poll") == 0) {
        return poll(NULL, 0, (int)milliseconds);
    }
    if (strcmp(what, "sem") == 0) {
        return sem_timedwait(semaphore, &until);
    }
    return (int)read(end, &byte, 1);
}

/* How many calls came back early, for a signal's sake. A read is of a pipe that a child writes to
 * at the end. */
int interrupted(const char *what, long milliseconds)
{
    int count = 0;
    int ends[2] = {-1, -1};
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    int reads = strcmp(what, "read") == 0;
    if (reads && pipe(ends) == 0 && fork() == 0) {
        usleep((useconds_t)milliseconds * 1000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    struct timespec end = later(CLOCK_MONOTONIC, milliseconds);
    do {
        errno = 0;
        if (wait_once(what, milliseconds, &semaphore, ends[0]) < 0 && errno == EINTR) {
            count++;
        } else if (reads) {
            break;
        }
    } while (!past(&end));
    if (reads) {
        close(ends[0]);
        close(ends[1]);
    }
    return count;
}

/* Spins, and counts how often errno is not what it was set to. */
long errno_changes(long milliseconds)
{
    long changes = 0;
    struct timespec end = later(CLOCK_MONOTONIC, milliseconds);
    while (!past(&end)) {
        errno = 77;
        for (volatile int i = 0; i < 100000; i++) {
        }
        changes += errno != 77;
    }
    return changes;
}

static sigjmp_buf back;
static volatile sig_atomic_t on_own_stack;
static char *stack_start;
static size_t stack_size;

static void handle(int number, siginfo_t *info, void *context)
{
    char here;
    (void)number;
    (void)info;
    (void)context;
    on_own_stack = &here >= stack_start && &here < stack_start + stack_size;
    siglongjmp(back, 1);
}

int handle_on_stack(void)
{
    stack_size = (size_t)SIGSTKSZ * 8;
    stack_start = malloc(stack_size);
    stack_t stack = {.ss_sp = stack_start, .ss_size = stack_size};
    struct sigaction action = {.sa_flags = SA_ONSTACK | SA_SIGINFO};
    action.sa_sigaction = handle;
    return sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL);
}

int still_handled(void)
{
    struct sigaction action;
    stack_t stack;
    return sigaction(SIGSEGV, NULL, &action) == 0 && action.sa_sigaction == handle &&
           sigaltstack(NULL, &stack) == 0 && stack.ss_sp == stack_start;
}

int crash_and_come_back(void)
{
    if (sigsetjmp(back, 1) == 0) {
        *(volatile int *)16 = 1;
    }
    return on_own_stack;
}

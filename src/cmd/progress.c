#include "cmd/progress.h"

#include "base/file.h"
#include "base/thread.h"
#include "cmd/pager.h"
#include "cmd/progress_line.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 100, SHOWN_FROM_MS = 1000 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    pthread_t thread;
    bool running, ending;
    int64_t from_ms;    /* when the line may be there */
    struct vf_buf name; /* safe to print */
    struct vf_buf text; /* of the line */
    struct vf_pace pace;
} line = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* For the program's sudden end, which can't take the lock.  Only the thread draws, and no signal
 * comes to it: so whoever waits for it to be done is not itself what is waited for. */
static atomic_bool is_there, is_drawing, gives_up;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static const char WIPE[] = "\r\x1b[K";

static void put(const char *bytes, size_t len)
{
    vf_write_fd(STDERR_FILENO, (struct vf_str){bytes, len}, NULL);
}

static bool can_show(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* Behind the shell's back nothing is written. */
static bool is_in_front(void)
{
    pid_t front = tcgetpgrp(STDERR_FILENO);
    return front < 0 || front == getpgrp();
}

/* The last one is left free: there a terminal may go on to the next line. */
static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 79;
    return size.ws_col - 1u;
}

static void wipe(void)
{
    if (atomic_exchange(&is_there, false) && is_in_front())
        put(WIPE, sizeof WIPE - 1);
}

static void draw(void)
{
    atomic_store(&is_drawing, true);
    if (!atomic_load(&gives_up) && is_in_front()) {
        atomic_store(&is_there, true);
        put(line.text.ptr, line.text.len);
    }
    atomic_store(&is_drawing, false);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void look(void)
{
    struct vf_progress progress;
    int64_t now = now_ms();
    if (!vf_progress_get(&progress))
        return;
    line.text.len = 0;
    if (!progress.stage) {
        wipe();
        return;
    }
    vf_pace_look(&line.pace, &progress, now);
    if (now < line.from_ms)
        return;
    vf_buf_str(&line.text, VF_STR("\r"));
    vf_progress_text(&line.text, &progress, &line.pace, vf_buf_view(&line.name), columns());
    vf_buf_str(&line.text, VF_STR("\x1b[K"));
    draw();
}

static void *work(void *context)
{
    (void)context;
    pthread_mutex_lock(&line.lock);
    while (!line.ending) {
        struct timespec until;
        look();
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&line.ended, &line.lock, &until);
    }
    wipe();
    pthread_mutex_unlock(&line.lock);
    return NULL;
}

static void start(int64_t from_ms)
{
    pthread_condattr_t how;
    line.ending = false;
    line.from_ms = from_ms;
    line.pace = (struct vf_pace){0};
    line.text.len = 0;
    pthread_condattr_init(&how);
    pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
    pthread_cond_init(&line.ended, &how);
    pthread_condattr_destroy(&how);
    line.running = vf_thread_start(&line.thread, work, NULL) == 0;
}

bool vf_show_begin(bool quiet, int64_t before_ms)
{
    if (quiet || line.running || !can_show())
        return false;
    start(now_ms() + SHOWN_FROM_MS - before_ms);
    return true;
}

void vf_show_end(void)
{
    if (!line.running)
        return;
    pthread_mutex_lock(&line.lock);
    line.ending = true;
    pthread_cond_signal(&line.ended);
    pthread_mutex_unlock(&line.lock);
    pthread_join(line.thread, NULL);
    pthread_cond_destroy(&line.ended);
    line.running = false;
    vf_buf_release(&line.text);
    vf_buf_release(&line.name);
}

void vf_line_hide(void)
{
    pthread_mutex_lock(&line.lock);
    wipe();
}

void vf_line_show(void)
{
    pthread_mutex_unlock(&line.lock);
}

/* ---- a sudden end ---------------------------------------------------------------------------- */

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};
enum { ENDINGS = sizeof endings / sizeof *endings };

static struct {
    pid_t pid; /* 0: there is none */
    bool set[ENDINGS];
    struct sigaction before[ENDINGS];
} guard;

void vf_work_give_up(void)
{
    enum { TRIES = 100 };
    /* A terminal that takes nothing is not waited for. */
    atomic_store(&gives_up, true);
    for (int i = 0; i < TRIES && atomic_load(&is_drawing); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (!atomic_load(&is_drawing))
        wipe();
    vf_new_file_give_up();
}

/* A child that is about to become another program has inherited the handler, but no file. */
static void on_ending(int number)
{
    sigset_t this;
    if (getpid() == guard.pid)
        vf_work_give_up();
    signal(number, SIG_DFL);
    raise(number);
    sigemptyset(&this);
    sigaddset(&this, number);
    pthread_sigmask(SIG_UNBLOCK, &this, NULL);
}

void vf_work_guard(void)
{
    struct sigaction action = {.sa_handler = on_ending, .sa_flags = SA_RESTART};
    if (guard.pid)
        return;
    guard.pid = getpid();
    for (int i = 0; i < ENDINGS; i++)
        sigaddset(&action.sa_mask, endings[i]);
    for (int i = 0; i < ENDINGS; i++)
        guard.set[i] = sigaction(endings[i], NULL, &guard.before[i]) == 0 &&
                       guard.before[i].sa_handler == SIG_DFL &&
                       sigaction(endings[i], &action, NULL) == 0;
}

void vf_work_begin(const char *name, bool quiet)
{
    vf_work_guard();
    vf_progress_begin(NULL, VF_PROGRESS_PARTS, 0);
    if (line.running)
        return;
    vf_page_safe(&line.name, vf_str_basename(vf_str_from(name)));
    if (!vf_show_begin(quiet, 0))
        vf_buf_release(&line.name);
}

void vf_work_end(void)
{
    vf_show_end();
    for (int i = 0; guard.pid && i < ENDINGS; i++)
        if (guard.set[i])
            sigaction(endings[i], &guard.before[i], NULL);
    guard.pid = 0;
}

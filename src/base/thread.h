/* Threads beside the main one. */
#ifndef VF_BASE_THREAD_H
#define VF_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* pthread_create() for a thread that takes no signals: they are the main thread's, which may hold
 * them back while it must not be stopped.  0, or an errno value. */
static inline int vf_thread_start(pthread_t *thread, void *(*work)(void *), void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGPIPE); /* its own: it comes of what it writes */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(thread, NULL, work, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

#endif

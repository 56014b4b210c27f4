// Libraries that come and go in one thread, and exceptions through frames of theirs in others.
#include <dlfcn.h>
#include <stdexcept>
#include <time.h>

static double used()
{
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static int deeper(int n)
{
    if (n == 0)
        throw std::runtime_error("out");
    return deeper(n - 1) + 1;
}

extern "C" long throws(double seconds)
{
    long count = 0;
    for (double end = used() + seconds; used() < end; count++)
        try {
            deeper(20);
        } catch (const std::runtime_error &) {
        }
    return count;
}

// How often a library was where the other one had been.
extern "C" long churn(const char *first, const char *second, double seconds)
{
    const char *paths[] = {first, second};
    void *before = nullptr;
    long count = 0;
    for (double end = used() + seconds; used() < end;) {
        for (const char *path : paths) {
            void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (!library)
                return -1;
            auto work = (void (*)(long))dlsym(library, "work");
            work(20000);
            count += (void *)work == before;
            before = (void *)work;
            dlclose(library);
        }
    }
    return count;
}

#include "inside/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

/* Where VMProf and the interpreter are. */
static struct inside_object vmprof_object, interpreter_object;

/* ---- the ring -------------------------------------------------------------------------------- */

static void *map_file(int fd)
{
    struct vf_ring *head = mmap(NULL, VF_RING_HEAD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (head == MAP_FAILED)
        return MAP_FAILED;
    size_t bytes = head->magic == VF_RING_MAGIC ? (size_t)head->data_bytes : 0;
    munmap(head, VF_RING_HEAD);
    if (bytes == 0)
        return MAP_FAILED;
    return mmap(NULL, VF_RING_HEAD + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* They are of the program that is recorded, and not of one that ran before it. */
static void forget_counts(struct vf_ring *ring)
{
    memset(ring->left_out, 0, sizeof ring->left_out);
    ring->samples = ring->skipped = ring->faults = 0;
    ring->timed = ring->timed_ns = 0;
    ring->jitlog_ns = ring->pypylog_ns = ring->jitlog_traces = ring->jitlog_brief = 0;
    ring->jitlog_brief_ns = 0;
    ring->refused = ring->ended = 0;
}

/* The ring is for one process at a time: of two interpreters of one script the first, unless it has
 * ended. */
static bool own(struct vf_ring *ring)
{
    uint32_t owner = __atomic_load_n(&ring->program_pid, __ATOMIC_ACQUIRE);
    if (owner && owner != (uint32_t)inside.pid && kill((pid_t)owner, 0) == 0)
        return false;
    if (!__atomic_compare_exchange_n(&ring->program_pid, &owner, (uint32_t)inside.pid, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    forget_counts(ring);
    for (size_t i = 0; i < VF_RING_THREADS; i++)
        ring->threads[i] = (struct vf_ring_thread){.timer = -1};
    return true;
}

/* Maps the ring: a descriptor, which is closed, or "shm" and the number of a segment. */
static long open_ring(const char *which)
{
    bool is_segment = strncmp(which, "shm", 3) == 0;
    int number = atoi(which + (is_segment ? 3 : 0));
    struct vf_ring *ring = is_segment ? shmat(number, NULL, 0) : map_file(number);
    long code = ring == MAP_FAILED ? -errno : 0;
    if (!is_segment)
        close(number);
    if (code != 0)
        return code;
    uint64_t bytes = ring->data_bytes;
    if (ring->magic != VF_RING_MAGIC || bytes == 0 || (bytes & (bytes - 1)))
        return -EPROTO;
    inside.data = (char *)ring + VF_RING_HEAD;
    inside.mask = bytes - 1;
    inside.pid = getpid();
    inside_tid_learn();
    if (!own(ring))
        return -EBUSY;
    inside.ring = ring;
    inside.knows_recorder = kill(ring->recorder_pid, 0) == 0;
    inside_watch_forks();
    return 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool is_named(const struct inside_object *object, const void *name)
{
    return object->name && strcmp(object->name, name) == 0;
}

static bool defines(const struct inside_object *object, const void *symbol)
{
    return inside_object_symbol(object, symbol) != NULL;
}

/* PyPy and VMProf are one object; CPython's VMProf is a module, whose file is named. */
static long attach(const char *module)
{
    bool is_pypy = *module == 0;
    if (is_pypy ? !inside_object_find(defines, "pypy_debug_file", &vmprof_object)
                : !inside_object_find(is_named, module, &vmprof_object))
        return -100;
    if (is_pypy)
        interpreter_object = vmprof_object;
    else if (!inside_object_find(defines, "Py_IsInitialized", &interpreter_object))
        return -101;
    inside.guard = !is_pypy;
    int code = inside_attach_vmprof(&vmprof_object, is_pypy);
    if (code == 0 && inside_attach_interpreter(&interpreter_object) != 0)
        inside_tell("trouble", "threads that begin are seen late");
    return code;
}

static bool is_in_wheel(const struct inside_object *object, const void *part)
{
    return object->name && strstr(object->name, part);
}

/* Finds the library that walks native stacks; not when it says that it can't here, or where VMProf
 * takes a libunwind of its own (wheels before 0.5). */
static long find_unwind(void)
{
    struct inside_object other;
    if (inside_object_find(is_in_wheel, ".libs_vmprof/libunwind", &other))
        return -1;
    int (*ready)(void) = (int (*)(void))inside_function("vmfox_unwind_ready");
    if (!ready || !ready())
        return -1;
    inside.unwind_from = (void (*)(const void *))inside_function("vmfox_unwind_from");
    return inside.unwind_from ? 0 : -1;
}

/* ---- commands -------------------------------------------------------------------------------- */

static long command(const char *word, const char *rest)
{
    if (strcmp(word, "!open") == 0)
        return open_ring(rest);
    if (strcmp(word, "!attach") == 0)
        return attach(rest);
    if (strcmp(word, "!unwind") == 0)
        return find_unwind();
    if (strcmp(word, "!window") == 0)
        return inside.window = *rest == '1', 0;
    if (strcmp(word, "!jitlog") == 0)
        return inside_jitlog_switched(&vmprof_object, *rest - '0'), 0;
    if (strcmp(word, "!log") == 0)
        return inside_log_take(&vmprof_object, rest) ? 0 : -1;
    if (strcmp(word, "!start") == 0)
        return inside_sampling_start() ? 0 : -1;
    if (strcmp(word, "!stop") == 0)
        return inside_sampling_stop(), inside.stopped ? -1 : 0;
    if (strcmp(word, "!name") == 0)
        return inside_name_next(rest), 0;
    return -ENOSYS;
}

long vmfox_call(const char *words, long bytes)
{
    char text[4500];
    if (bytes <= 0 || (size_t)bytes >= sizeof text)
        return -EINVAL;
    if (words[0] != '!')
        return inside_put(VF_RING_MESSAGE, words, (size_t)bytes, NULL, 0) ? 0 : -ENOBUFS;
    memcpy(text, words, (size_t)bytes);
    text[bytes] = 0;
    size_t first = strlen(text);
    return command(text, first < (size_t)bytes ? text + first + 1 : "");
}

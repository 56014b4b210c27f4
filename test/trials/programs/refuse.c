/* refuse NAME[=ERRNO]... -- COMMAND [WORDS]: runs a command that the kernel refuses some system
 * calls, as sandboxes do. The names are those of the table below; ERRNO is EPERM (if none is given)
 * or ENOSYS. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define HERE AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define HERE AUDIT_ARCH_I386
#else
#error "the machine's name in linux/audit.h is wanted here"
#endif

enum { MAX_STEPS = 256, TIMESTAMPNS_OLD = 35, TIMESTAMPNS_NEW = 64 };

static const struct refused {
    const char *name;
    long number;
    int stamps_only; /* setsockopt of SO_TIMESTAMPNS, not of others */
} calls[] = {
    {"memfd_create", SYS_memfd_create, 0},
    {"timer_create", SYS_timer_create, 0},
    {"perf_event_open", SYS_perf_event_open, 0},
    {"process_vm_readv", SYS_process_vm_readv, 0},
    {"ptrace", SYS_ptrace, 0},
    {"shmget", SYS_shmget, 0},
    {"mincore", SYS_mincore, 0},
    {"pidfd_open", SYS_pidfd_open, 0},
    {"prctl", SYS_prctl, 0},
    {"membarrier", SYS_membarrier, 0},
    {"SO_TIMESTAMPNS", SYS_setsockopt, 1},
};

static struct sock_filter steps[MAX_STEPS];
static unsigned short step_count;

static void add(unsigned code, unsigned value, unsigned yes, unsigned no)
{
    steps[step_count++] = (struct sock_filter)BPF_JUMP((unsigned short)code, value,
                                                       (unsigned char)yes, (unsigned char)no);
}

static void load(size_t offset)
{
    add(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void give(unsigned what)
{
    add(BPF_RET | BPF_K, what, 0, 0);
}

static size_t argument(int number)
{
    return offsetof(struct seccomp_data, args) + 8 * (size_t)number;
}

static void refuse_call(const struct refused *call, int error)
{
    unsigned answer = SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA);
    load(offsetof(struct seccomp_data, nr));
    if (!call->stamps_only) {
        add(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call->number, 0, 1);
        give(answer);
        return;
    }
    add(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call->number, 0, 6);
    load(argument(1));
    add(BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 0, 4);
    load(argument(2));
    add(BPF_JMP | BPF_JEQ | BPF_K, TIMESTAMPNS_OLD, 1, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, TIMESTAMPNS_NEW, 0, 1);
    give(answer);
}

static int refuse(const char *word)
{
    size_t length = strcspn(word, "=");
    int error = strcmp(word + length, "=ENOSYS") == 0 ? ENOSYS : EPERM;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strlen(calls[i].name) == length && strncmp(calls[i].name, word, length) == 0 &&
            step_count < MAX_STEPS - 16) {
            refuse_call(&calls[i], error);
            return 0;
        }
    }
    fprintf(stderr, "refuse: %s is none of the calls it knows\n", word);
    return -1;
}

static int start_filter(void)
{
    give(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = step_count, .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv)
{
    load(offsetof(struct seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, HERE, 1, 0);
    give(SECCOMP_RET_ALLOW);
    int at = 1;
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (refuse(argv[at])) {
            return 2;
        }
    }
    if (at + 1 >= argc) {
        fprintf(stderr, "usage: refuse NAME[=ERRNO]... -- COMMAND [WORDS]\n");
        return 2;
    }
    if (start_filter()) {
        perror("refuse: seccomp");
        return 2;
    }
    execvp(argv[at + 1], argv + at + 1);
    perror(argv[at + 1]);
    return 127;
}

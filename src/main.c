/* vmfox: the list of commands, and what belongs to the process as a whole. */
#include "base/buf.h"
#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/common.h"
#include "cmd/progress.h"
#include "record/record.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const struct vf_command *const vf_commands[] = {
    &vf_cmd_run,   &vf_cmd_record,      &vf_cmd_view,    &vf_cmd_jit,   &vf_cmd_convert,
    &vf_cmd_share, &vf_cmd_symbolicate, &vf_cmd_recover, &vf_cmd_clean, &vf_cmd_help,
    NULL,
};

static void put(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* As vf_buf_shell_word(), which needs memory. */
static void put_word(const char *word)
{
    if (vf_is_shell_word(word)) {
        put(word);
        return;
    }
    put("'");
    for (; *word; word++)
        if (*word == '\'')
            put("'\\''");
        else
            (void)!write(STDERR_FILENO, word, 1);
    put("'");
}

/* A program that is being recorded is not left alone: its exit code is ours.  Also in a signal
 * handler. */
_Noreturn static void end(const char *why)
{
    const char *folder = vf_record_folder();
    vf_work_give_up();
    put("vmfox: ");
    put(why);
    if (folder) {
        put("; the program goes on; what was recorded until now is kept, go on with: vmfox "
            "recover ");
        put_word(folder);
    }
    put("\n");
    _exit(folder ? vf_record_wait() : VF_EXIT_INPUT);
}

static void out_of_memory(size_t bytes)
{
    (void)bytes;
    end("out of memory");
}

static pid_t self;

/* Files are mapped, and what lies behind the end of one that has become shorter is not there.  A
 * process that was forked dies of it, as its parent expects. */
static void on_missing_bytes(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code == BUS_ADRERR && getpid() == self)
        end("a file was cut short while it was read, or its disk can't be read");
    signal(number, SIG_DFL);
}

static void explain_missing_bytes(void)
{
    struct sigaction action = {.sa_sigaction = on_missing_bytes, .sa_flags = SA_SIGINFO};
    self = getpid();
    sigaction(SIGBUS, &action, NULL);
}

static int run_command(const struct vf_command *command, int argc, char **argv)
{
    struct vf_args args;
    struct vf_error error;
    if (!vf_args_parse(&args, command, argc, argv, &error))
        return vf_say_error(command->name, &error, VF_EXIT_USAGE);
    if (vf_args_has(&args, "help")) {
        vf_command_help(command, stdout);
        return VF_EXIT_OK;
    }
    return command->run(&args);
}

/* The C library asks the kernel for memory in steps, each of which costs; large ones, of which the
 * kernel gives only what is touched, cost nothing more, but where a limit (ulimit -v) counts them.
 */
static void take_memory_in_large_steps(void)
{
#ifdef __GLIBC__
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
        mallopt(M_TOP_PAD, 64 << 20);
#endif
}

static void on_file_limit(int number)
{
    (void)number;
}

/* At the limit of file size (ulimit -f) a write then fails, and that can be said.  A handler, and
 * not SIG_IGN: programs that are started begin with what there was before. */
static void survive_file_limit(void)
{
    struct sigaction action = {.sa_handler = on_file_limit, .sa_flags = SA_RESTART}, before;
    if (sigaction(SIGXFSZ, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(SIGXFSZ, &action, NULL);
}

int main(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    survive_file_limit();
    explain_missing_bytes();
    take_memory_in_large_steps();
    vf_set_oom_handler(out_of_memory);
    if (folder && *folder)
        vf_set_temp_folder(folder);
    if (argc < 2) {
        vf_commands_help(stderr);
        return VF_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("vmfox " VF_VERSION);
        return VF_EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        vf_commands_help(stdout);
        return VF_EXIT_OK;
    }
    const struct vf_command *command = vf_command_find(argv[1]);
    if (!command)
        return vf_command_unknown(argv[1]);
    return run_command(command, argc - 2, argv + 2);
}

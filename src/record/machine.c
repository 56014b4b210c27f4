#include "record/machine.h"

#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

/* `NAME : value` or `NAME="value"` in a text file; the first one. */
static struct vf_str find_line(const char *path, const char *name, struct vf_arena *arena)
{
    char line[8192]; /* the processor's flags are long */
    struct vf_str out = VF_STR("");
    FILE *file = fopen(path, "re");
    while (file && out.len == 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        char *value = line + strlen(name);
        value += strspn(value, " \t:=\"");
        value[strcspn(value, "\"\n")] = 0;
        out = vf_arena_str(arena, vf_str_from(value));
    }
    if (file)
        fclose(file);
    return out;
}

/* The processor's counter runs at one rate, also while it sleeps: Linux then has it the same on all
 * cores. */
static bool has_steady_counter(struct vf_arena *arena)
{
    struct vf_str flags = find_line("/proc/cpuinfo", "flags", arena);
    return strstr(flags.len ? flags.ptr : "", "constant_tsc") &&
           strstr(flags.len ? flags.ptr : "", "nonstop_tsc");
}

void vf_machine_read(struct vf_machine *machine, struct vf_arena *arena)
{
    struct utsname system;
    struct sysinfo info;
    *machine = (struct vf_machine){0};
    machine->cpu = find_line("/proc/cpuinfo", "model name", arena);
    machine->os = find_line("/etc/os-release", "PRETTY_NAME", arena);
    if (uname(&system) == 0) {
        machine->host = vf_arena_str(arena, vf_str_from(system.nodename));
        machine->arch = vf_arena_str(arena, vf_str_from(system.machine));
        machine->os = vf_arena_printf(arena, "%.*s%s%s %s", VF_STR_ARG(machine->os),
                                      machine->os.len ? ", " : "", system.sysname, system.release);
    }
    machine->steady_counter = has_steady_counter(arena);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    machine->cpu_count = cpus > 0 ? (uint64_t)cpus : 0;
    if (sysinfo(&info) == 0)
        machine->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
}

/* The machine a recording is made on. */
#ifndef VF_RECORD_MACHINE_H
#define VF_RECORD_MACHINE_H

#include "base/mem.h"

struct vf_machine {
    struct vf_str host, cpu, os, arch; /* in the arena; empty where not known */
    uint64_t cpu_count, memory_bytes;
    bool steady_counter; /* x86: constant_tsc and nonstop_tsc (proc_cpuinfo(5)) */
};

void vf_machine_read(struct vf_machine *machine, struct vf_arena *arena);

#endif

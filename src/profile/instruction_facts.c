#include "profile/instructions.h"

struct sums {
    uint64_t of_kind[VF_INSTRUCTION_KINDS];
    uint64_t known;     /* samples with an instruction */
    uint64_t in_native; /* of these, VMProf's stack ends in native code */
};

static struct sums sum_up(const struct vf_instructions *in)
{
    struct sums sums = {0};
    for (size_t i = 0; i < in->seen.len; i++) {
        const struct vf_instruction *at = &in->seen.items[i];
        sums.of_kind[at->kind] += at->samples;
        sums.known += at->samples;
        sums.in_native += at->ends_in_native ? at->samples : 0;
    }
    return sums;
}

static void add_count(struct vf_profile *profile, const char *label, uint64_t count,
                      const char *words)
{
    if (count)
        vf_profile_extra(profile, "Instructions", label, "%llu %s%s", (unsigned long long)count,
                         count == 1 ? "sample" : "samples", words);
}

void vf_instructions_add_facts(const struct vf_instructions *in, struct vf_profile *profile)
{
    if (!in->known)
        return;
    struct sums sums = sum_up(in);
    const uint64_t *of = sums.of_kind;
    vf_profile_extra(profile, "Instructions", "Samples with their instruction",
                     "%llu: each was noted as the sample was taken",
                     (unsigned long long)sums.known);
    add_count(profile, "In the trace at work",
              of[VF_INSTRUCTION_IN_TRACE] + of[VF_INSTRUCTION_OTHER_TRACE] +
                  of[VF_INSTRUCTION_MISSING_TRACE],
              "");
    if (in->native && sums.in_native)
        vf_profile_extra(profile, "Instructions", "In the native function at work",
                         "%llu of the %llu samples in which VMProf ends with one",
                         (unsigned long long)of[VF_INSTRUCTION_IN_NATIVE],
                         (unsigned long long)sums.in_native);
    add_count(profile, "Trace named by the instruction", of[VF_INSTRUCTION_OTHER_TRACE],
              ": VMProf names another one, which is not at work");
    add_count(profile, "Trace missing, named by the instruction", of[VF_INSTRUCTION_MISSING_TRACE],
              ": VMProf names none");
    add_count(profile, "Function missing below a trace", of[VF_INSTRUCTION_BELOW_TRACE],
              ": VMProf ends in compiled code, the instruction is in a native function, which was "
              "added");
    add_count(profile, "Function missing below its caller", of[VF_INSTRUCTION_BELOW_NATIVE],
              ": VMProf ends in another native function; the instruction's was added");
    add_count(profile, "Function missing below Python code", of[VF_INSTRUCTION_BELOW_PYTHON],
              ": VMProf ends in Python code, the instruction is in a native function, which was "
              "added");
    add_count(profile, "In code of several traces", of[VF_INSTRUCTION_SHARED],
              ": memory of freed traces is used again; left as VMProf has it");
}

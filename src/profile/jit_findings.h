/* What is worth a look in the JIT's log, in words.
 *
 * Every figure is one that was counted: how often a bridge was entered (which is how often its
 * guard failed), how often tracing was given up, how many addresses were taken in a trace.  For
 * guards without a bridge the log has no counter; what tells of them is that bridges were begun at
 * them and given up, and addresses in their exits.
 *
 * The order is by `score`: the share of the run, in percent, that a finding is about; a mere count
 * is worth about one percent, more or less by how large it is.  The share is that of instruction
 * addresses, of samples where there are none, and of time where the runtime's log has it. */
#ifndef VF_PROFILE_JIT_FINDINGS_H
#define VF_PROFILE_JIT_FINDINGS_H

#include "profile/jit_build.h"

/* Fills jit->findings with at most VF_JIT_FINDINGS_MAX, the first one most worth a look.  Behind
 * the runtime's markers, which tell of traces that were given up. */
void vf_jit_findings_find(struct vf_jit_build *b);

/* Adds them as markers over the whole run; where no runtime's log tells of the traces, also the
 * facts of those that were hottest, likewise. */
void vf_jit_findings_add_markers(const struct vf_jit_build *b, struct vf_markers *markers);

#endif

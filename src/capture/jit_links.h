/* What joins the traces of a JIT log with each other: the names of operations, which guard a bridge
 * hangs on, how often labels were passed, where calls are led to. */
#ifndef VF_CAPTURE_JIT_LINKS_H
#define VF_CAPTURE_JIT_LINKS_H

#include "capture/jit_traces.h"
#include "capture/jitlog.h"

/* Fills names, labels, redirects, and of each trace parent1, root, bridges and line.  For
 * vf_jit_traces_read(), once the rows are there. */
void vf_jit_traces_link(struct vf_jit_traces *traces);

/* A reader of the log at the offset of a record.  False: there is none. */
bool vf_jit_traces_seek(const struct vf_jit_traces *traces, uint64_t offset,
                        struct vf_jitlog *reader);

/* True for the record at which a further piece of a trace begins (jit_traces.h); *assembled, which
 * belongs to one walk over the log, keeps what came before. */
static inline bool vf_jit_is_piece(const struct vf_jitlog_record *record, bool *assembled)
{
    if (record->type == VF_JITLOG_START_TRACE)
        *assembled = false;
    else if (record->type == VF_JITLOG_CODE_BOUNDS)
        *assembled = true;
    return *assembled && record->type == VF_JITLOG_STAGE &&
           record->stage.stage == VF_JITLOG_RECORDED;
}

#endif

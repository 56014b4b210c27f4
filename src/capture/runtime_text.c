#include "capture/line_pieces.h"
#include "capture/runtime_log.h"

/* ---- kinds ------------------------------------------------------------------------------------
 */

enum vf_log_kind vf_log_kind_of(struct vf_str name)
{
    static const struct {
        struct vf_str name;
        enum vf_log_kind kind;
    } kinds[] = {
        {{"gc-minor", 8}, VF_LOG_MINOR},
        {{"gc-minor-walkroots", 18}, VF_LOG_WALKROOTS},
        {{"gc-collect-step", 15}, VF_LOG_STEP},
        {{"gc-collect", 10}, VF_LOG_STEP},
        {{"gc-collect-done", 15}, VF_LOG_DONE},
        {{"gc-set-nursery-size", 19}, VF_LOG_NURSERY},
        {{"jit-tracing", 11}, VF_LOG_TRACING},
        {{"jit-optimize", 12}, VF_LOG_OPTIMIZE},
        {{"jit-backend", 11}, VF_LOG_BACKEND},
        {{"jit-mem-looptoken-alloc", 23}, VF_LOG_ALLOC},
        {{"jit-backend-addr", 16}, VF_LOG_ADDR},
        {{"jit-regalloc-stats", 18}, VF_LOG_REGALLOC},
        {{"jit-log-noopt", 13}, VF_LOG_RECORDED},
        {{"jit-log-opt-loop", 16}, VF_LOG_OPTIMIZED},
        {{"jit-log-opt-bridge", 18}, VF_LOG_OPTIMIZED},
        {{"jit-abort", 9}, VF_LOG_ABORT},
        {{"jit-invalidate-quasi-immutable", 30}, VF_LOG_INVALIDATE},
        {{"jit-mem-collect", 15}, VF_LOG_LOOPS},
        {{"jit-summary", 11}, VF_LOG_SUMMARY},
        {{"jit-backend-counts", 18}, VF_LOG_COUNTS},
    };
    if (name.len < 4 || (name.ptr[0] != 'g' && name.ptr[0] != 'j'))
        return VF_LOG_OTHER;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (vf_str_eq(kinds[i].name, name))
            return kinds[i].kind;
    if (vf_str_starts(name, VF_STR("gc-")))
        return VF_LOG_GC;
    return vf_str_starts(name, VF_STR("jit-")) ? VF_LOG_JIT : VF_LOG_OTHER;
}

static struct vf_log_trace *current_trace(struct vf_runtime_log *log)
{
    return log->current_trace == VF_LOG_NONE ? NULL : &log->traces.items[log->current_trace];
}

static void add_trace(struct vf_runtime_log *log, uint32_t row)
{
    log->current_trace = (uint32_t)log->traces.len;
    log->sections.items[row].record = log->current_trace;
    VF_APPEND(&log->traces, ((struct vf_log_trace){.section = row}));
}

static void add_minor(struct vf_runtime_log *log, uint32_t row)
{
    log->sections.items[row].record = (uint32_t)log->minors.len;
    VF_APPEND(&log->minors,
              ((struct vf_log_minor){.section = row, .nursery_bytes = log->nursery_bytes}));
}

static bool in_backend(const struct vf_runtime_log *log, const struct vf_log_section *section)
{
    return section->parent != VF_LOG_NONE &&
           vf_log_section_kind(log, section->parent) == VF_LOG_BACKEND;
}

/* Of the part that is read: there is one as soon as a section opens. */
static struct vf_log_summary *summary_of(struct vf_runtime_log *log)
{
    return &log->parts.items[log->parts.len - 1].summary;
}

void vf_log_text_open(struct vf_runtime_log *log, uint32_t row)
{
    struct vf_log_section *section = &log->sections.items[row];
    switch ((int)vf_log_section_kind(log, row)) {
    case VF_LOG_MINOR:
        add_minor(log, row);
        break;
    case VF_LOG_STEP:
        section->record = (uint32_t)log->steps.len;
        VF_APPEND(&log->steps, ((struct vf_log_step){.section = row}));
        log->steps.items[section->record].done =
            vf_str_eq(log->names.items[section->name].text, VF_STR("gc-collect"));
        break;
    case VF_LOG_DONE: /* its text is the step's */
        if (section->parent != VF_LOG_NONE &&
            vf_log_section_kind(log, section->parent) == VF_LOG_STEP) {
            section->record = log->sections.items[section->parent].record;
            log->steps.items[section->record].done = true;
        }
        break;
    case VF_LOG_TRACING:
        add_trace(log, row);
        break;
    case VF_LOG_ALLOC:
        if (log->current_trace == VF_LOG_NONE)
            add_trace(log, in_backend(log, section) ? section->parent : row);
        break;
    case VF_LOG_INVALIDATE:
        section->record = (uint32_t)log->invalidations.len;
        VF_APPEND(&log->invalidations, ((struct vf_log_invalidation){.section = row}));
        break;
    case VF_LOG_LOOPS:
        section->record = (uint32_t)log->loops.len;
        VF_APPEND(&log->loops, ((struct vf_log_loops){.section = row}));
        break;
    case VF_LOG_SUMMARY:
        if (summary_of(log)->section == VF_LOG_NONE)
            summary_of(log)->section = row;
        break;
    default:
        break;
    }
}

/* The JIT starts its stopwatch within the first trace, in front of its first look at the loops. */
static void note_start(struct vf_runtime_log *log, const struct vf_log_section *section)
{
    struct vf_log_summary *summary = summary_of(log);
    if (log->traces.len && summary->from == 0 && summary->section == VF_LOG_NONE)
        summary->from = section->start;
}

/* What a trace calls may be traced before it is done itself. */
static uint32_t trace_around(const struct vf_runtime_log *log, uint32_t row)
{
    for (; row != VF_LOG_NONE; row = log->sections.items[row].parent) {
        enum vf_log_kind kind = vf_log_section_kind(log, row);
        uint32_t record = log->sections.items[row].record;
        if ((kind == VF_LOG_TRACING || kind == VF_LOG_BACKEND) && record != VF_LOG_NONE)
            return record;
    }
    return VF_LOG_NONE;
}

void vf_log_text_close(struct vf_runtime_log *log, uint32_t row)
{
    const struct vf_log_section *section = &log->sections.items[row];
    enum vf_log_kind kind = vf_log_section_kind(log, row);
    if (kind == VF_LOG_LOOPS)
        note_start(log, section);
    const struct vf_log_trace *trace = current_trace(log);
    if (!trace || trace->section != row)
        return;
    note_start(log, section);
    log->current_trace = trace_around(log, section->parent);
}

/* ---- texts, by kind ---------------------------------------------------------------------------
 */

static void minor_line(struct vf_log_minor *minor, struct vf_str line)
{
    if (vf_line_number_after(line, VF_STR("minor collect, total memory used:"),
                             &minor->memory_bytes))
        minor->has_text = true;
    else if (!vf_line_number_after(line, VF_STR("total size of surviving objects:"),
                                   &minor->surviving_bytes))
        vf_line_number_after(line, VF_STR("number of pinned objects:"), &minor->pinned);
}

static void step_line(struct vf_log_step *step, struct vf_str line)
{
    struct vf_str rest;
    if (vf_line_after(line, VF_STR("starting gc state:"), &rest))
        step->from = vf_line_skip_blanks(rest);
    else if (vf_line_after(line, VF_STR("stopping, now in gc state:"), &rest))
        step->to = vf_line_skip_blanks(rest);
}

static void done_line(struct vf_log_step *step, struct vf_str line)
{
    struct vf_str rest;
    if (vf_line_number_after(line, VF_STR("bytes used in arenas:"), &step->arena_bytes) ||
        vf_line_number_after(line, VF_STR("next major collection threshold:"),
                             &step->threshold_bytes))
        return;
    if (vf_line_number_after(line, VF_STR("bytes raw-malloced:"), &step->raw_before_bytes) &&
        vf_line_find(line, VF_STR("=>"), &rest))
        vf_line_number(rest, 10, &step->raw_after_bytes);
}

/* In jit-tracing stand the merge points, one a line, and a few messages. */
static void tracing_line(struct vf_log_trace *trace, struct vf_str line)
{
    static const struct vf_str messages[] = {
        {"JIT starting", 12}, {"Retrac", 6},  {"recursive function", 18},
        {"InvalidLoop", 11},  {"vable ", 6},  {"record_exact_class", 18},
        {"jit_debug", 9},     {"BROKEN ", 7}, {"disabled inlining", 17},
    };
    struct vf_str rest;
    if (line.len == 0)
        return;
    if (vf_str_starts(line, VF_STR("compiled new "))) {
        trace->result = line;
        if (trace->kind == VF_LOG_TRACE_UNKNOWN)
            trace->kind =
                vf_str_ends(line, VF_STR("bridge")) ? VF_LOG_TRACE_BRIDGE : VF_LOG_TRACE_LOOP;
        return;
    }
    if (vf_line_after(line, VF_STR("~~~ ABORTING TRACING "), &rest)) {
        trace->aborted = rest;
        /* What was compiled meanwhile is `Loop -1`, a call to what is not compiled yet. */
        trace->code_start = trace->code_end = trace->entry = trace->compiled = 0;
        return;
    }
    if (trace->where.len)
        return;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        if (vf_str_starts(line, messages[i]))
            return;
    trace->where = line;
}

static void alloc_line(struct vf_log_trace *trace, struct vf_str line)
{
    struct vf_str rest;
    if (vf_line_number_after(line, VF_STR("allocating Loop #"), &trace->loop)) {
        trace->kind = VF_LOG_TRACE_LOOP;
    } else if (vf_line_number_after(line, VF_STR("allocating Bridge #"), &trace->bridge)) {
        trace->kind = VF_LOG_TRACE_BRIDGE;
        if (vf_line_find(line, VF_STR("of Loop #"), &rest))
            vf_line_number(rest, 10, &trace->loop);
    }
}

/* `text` up to the last `what` in it. */
static struct vf_str cut_before_last(struct vf_str text, struct vf_str what)
{
    struct vf_str rest, from = text;
    size_t len = text.len;
    while (vf_line_find(from, what, &rest)) {
        len = (size_t)(rest.ptr - text.ptr) - what.len;
        from = rest;
    }
    return (struct vf_str){text.ptr, len};
}

/* `Loop 2 (where) has address 0x… to 0x… (bootstrap 0x…)`, `bridge out of Guard 0x… has address
 * 0x… to 0x…`, and behind it in newer PyPys a few lines more. */
static void addr_line(struct vf_log_trace *trace, struct vf_str line)
{
    struct vf_str rest;
    uint64_t start, end;
    if (vf_line_hex_at(line, VF_STR(" has address 0x"), &start)) {
        if (!vf_line_hex_at(line, VF_STR(" to 0x"), &end))
            return;
        if (!vf_line_hex_at(line, VF_STR("(bootstrap 0x"), &trace->code_start))
            trace->code_start = start;
        trace->code_end = end;
        trace->entry = start;
        if (vf_str_starts(line, VF_STR("bridge out of Guard ")))
            vf_line_hex_at(line, VF_STR("Guard 0x"), &trace->guard);
        else if (trace->where.len == 0 && vf_line_find(line, VF_STR(" ("), &rest))
            trace->where = cut_before_last(rest, VF_STR(") has address 0x"));
        return;
    }
    line = vf_line_skip_blanks(line);
    if (vf_str_starts(line, VF_STR("gc table: 0x")))
        vf_line_hex_at(line, VF_STR("0x"), &trace->code_start);
    else if (vf_str_starts(line, VF_STR("end: 0x")))
        vf_line_hex_at(line, VF_STR("0x"), &trace->code_end);
}

/* `# Traced loop or bridge with N ops`, then an operation a line; `# Loop 2 (where) : loop with N
 * ops`, `# bridge out of Guard 0x… with N ops`, likewise. */
static void operations_line(struct vf_log_trace *trace, enum vf_log_kind kind, struct vf_str line)
{
    struct vf_str rest;
    uint64_t *count = kind == VF_LOG_RECORDED ? &trace->recorded : &trace->optimized;
    if (vf_str_starts(line, VF_STR("# "))) {
        while (vf_line_find(line, VF_STR(" with "), &rest))
            line = rest;
        vf_line_number(line, 10, count);
        if (kind == VF_LOG_OPTIMIZED)
            trace->guards = 0;
    } else if (kind == VF_LOG_OPTIMIZED && (vf_str_starts(line, VF_STR("guard_")) ||
                                            vf_line_find(line, VF_STR(": guard_"), &rest) ||
                                            vf_line_find(line, VF_STR(" = guard_"), &rest))) {
        trace->guards++;
    }
}

static void invalidate_line(struct vf_log_invalidation *row, struct vf_str line)
{
    struct vf_str rest;
    if (!vf_line_after(line, VF_STR("fieldname "), &rest))
        return;
    row->field = rest;
    for (struct vf_str more = rest; vf_line_find(more, VF_STR(" invalidated "), &rest);
         more = rest) {
        row->field.len = (size_t)(rest.ptr - row->field.ptr) - strlen(" invalidated ");
        vf_line_number(rest, 10, &row->loops);
    }
}

static void summary_line(struct vf_log_summary *s, struct vf_str line)
{
    struct vf_str rest;
    if (vf_line_after(line, VF_STR("TOTAL:"), &rest)) {
        s->total_s = vf_line_seconds(rest);
        s->has_text = true;
    } else if (vf_line_after(line, VF_STR("Tracing:"), &rest) ||
               vf_line_after(line, VF_STR("Backend:"), &rest)) {
        uint64_t *count = line.ptr[0] == 'T' ? &s->tracings : &s->backends;
        double *time_s = line.ptr[0] == 'T' ? &s->tracing_s : &s->backend_s;
        rest = vf_line_skip_blanks(rest);
        vf_line_number(rest, 10, count);
        vf_str_cut(&rest, '\t');
        *time_s = vf_line_seconds(rest);
    } else if (!vf_line_number_after(line, VF_STR("Total # of loops:"), &s->loops) &&
               !vf_line_number_after(line, VF_STR("Total # of bridges:"), &s->bridges) &&
               !vf_line_number_after(line, VF_STR("Freed # of loops:"), &s->freed_loops)) {
        vf_line_number_after(line, VF_STR("Freed # of bridges:"), &s->freed_bridges);
    }
}

/* ---- jit-backend-counts -----------------------------------------------------------------------
 */

static uint64_t run_key(const struct vf_log_trace *trace)
{
    return trace->kind == VF_LOG_TRACE_BRIDGE ? trace->guard : trace->loop;
}

/* The trace that jit-backend-counts means, or NULL. */
static struct vf_log_trace *find_run(struct vf_runtime_log *log, enum vf_log_trace_kind kind,
                                     uint64_t key)
{
    struct vf_probe probe = vf_table_probe(&log->run_index, vf_hash_u64(key, kind));
    uint32_t row;
    while (vf_table_next(&log->run_index, &probe, &row)) {
        struct vf_log_trace *trace = &log->traces.items[row];
        if (trace->kind == kind && run_key(trace) == key)
            return trace;
    }
    return NULL;
}

/* Guards' numbers are addresses and may be given out again: the counts come in the order in which
 * the traces were made.  Those of one name are a chain; the last one is in the index and has its
 * head. */
static void index_runs(struct vf_runtime_log *log)
{
    uint32_t first_section = log->parts.items[log->parts.len - 1].first;
    log->has_run_index = true;
    for (size_t i = log->traces.len; i > 0; i--) {
        uint32_t row = (uint32_t)i - 1;
        struct vf_log_trace *trace = &log->traces.items[row];
        if (trace->section < first_section) /* loops are counted from 1 in each process */
            break;
        if (trace->kind == VF_LOG_TRACE_UNKNOWN || run_key(trace) == 0)
            continue;
        struct vf_log_trace *last = find_run(log, trace->kind, run_key(trace));
        trace->same_next = last ? last->same_first : VF_LOG_NONE;
        if (last)
            last->same_first = row;
        else {
            trace->same_first = row;
            vf_table_insert(&log->run_index, vf_hash_u64(run_key(trace), trace->kind), row);
        }
    }
}

/* `entry LOOP:COUNT`, `bridge GUARD:COUNT` (decimal), `TargetToken(ADDRESS):COUNT`. */
static void counts_line(struct vf_runtime_log *log, struct vf_str line)
{
    uint64_t key, count;
    struct vf_str rest;
    enum vf_log_trace_kind kind = VF_LOG_TRACE_LOOP;
    if (!log->has_run_index)
        index_runs(log);
    if (vf_line_after(line, VF_STR("bridge "), &rest))
        kind = VF_LOG_TRACE_BRIDGE;
    else if (!vf_line_after(line, VF_STR("entry "), &rest))
        return;
    struct vf_str name = vf_str_cut(&rest, ':');
    if (!vf_str_to_u64(name, 10, &key) || !vf_line_number(rest, 10, &count))
        return;
    struct vf_log_trace *last = find_run(log, kind, key);
    if (!last || last->same_first == VF_LOG_NONE)
        return;
    struct vf_log_trace *trace = &log->traces.items[last->same_first];
    last->same_first = trace->same_next;
    trace->runs = count;
    trace->has_runs = true;
}

/* ---- a line -----------------------------------------------------------------------------------
 */

static void trace_line(struct vf_runtime_log *log, enum vf_log_kind kind, struct vf_str line)
{
    struct vf_log_trace *trace = current_trace(log);
    if (!trace)
        return;
    switch ((int)kind) {
    case VF_LOG_TRACING:
        tracing_line(trace, line);
        break;
    case VF_LOG_ALLOC:
        alloc_line(trace, line);
        break;
    case VF_LOG_ADDR:
        addr_line(trace, line);
        break;
    case VF_LOG_REGALLOC:
        vf_line_number_after(line, VF_STR("number ops:"), &trace->compiled);
        break;
    case VF_LOG_ABORT:
        if (line.len)
            trace->never_works = line;
        break;
    default:
        operations_line(trace, kind, line);
        break;
    }
}

void vf_log_text_line(struct vf_runtime_log *log, uint32_t row, struct vf_str line)
{
    enum vf_log_kind kind = vf_log_section_kind(log, row);
    uint32_t record = log->sections.items[row].record;
    switch ((int)kind) {
    case VF_LOG_MINOR:
        minor_line(&log->minors.items[record], line);
        break;
    case VF_LOG_STEP:
        step_line(&log->steps.items[record], line);
        break;
    case VF_LOG_DONE:
        if (record != VF_LOG_NONE)
            done_line(&log->steps.items[record], line);
        break;
    case VF_LOG_NURSERY:
        vf_line_number_after(line, VF_STR("nursery size:"), &log->nursery_bytes);
        break;
    case VF_LOG_TRACING:
    case VF_LOG_ALLOC:
    case VF_LOG_ADDR:
    case VF_LOG_REGALLOC:
    case VF_LOG_ABORT:
    case VF_LOG_RECORDED:
    case VF_LOG_OPTIMIZED:
        trace_line(log, kind, line);
        break;
    case VF_LOG_INVALIDATE:
        invalidate_line(&log->invalidations.items[record], line);
        break;
    case VF_LOG_LOOPS:
        if (!vf_line_number_after(line, VF_STR("Loop tokens freed:"),
                                  &log->loops.items[record].freed))
            vf_line_number_after(line, VF_STR("Loop tokens left:"), &log->loops.items[record].left);
        break;
    case VF_LOG_SUMMARY:
        if (summary_of(log)->section == row) /* the first, as where it counts from */
            summary_line(summary_of(log), line);
        break;
    case VF_LOG_COUNTS:
        counts_line(log, line);
        break;
    default:
        break;
    }
}

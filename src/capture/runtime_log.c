#include "capture/runtime_log.h"

#include "base/progress.h"
#include "capture/pypylog.h"

/* Stamps of two cores may differ by little: less than this is no step back. */
enum { SLACK_TICKS = 100000 };
/* Logs of so many processes in one file are read. */
enum { PARTS_MAX = 1000 };

struct reader {
    struct vf_runtime_log *log;
    uint32_t open[VF_LOG_DEPTH_MAX]; /* rows, outermost first */
    uint32_t depth;
    uint64_t skipped;   /* open beyond the depth we follow */
    uint64_t made_stop; /* the end of the last section in the backend's that was put in */
    uint64_t last_stamp;
    bool has_stamp;
    size_t rows_max;
    struct vf_str bytes;
    bool looked, has_backend;
};

static void note(struct vf_log_damage *damage, uint64_t line)
{
    /* What never closes is noted from the innermost outwards. */
    if (damage->count++ == 0 || line < damage->line)
        damage->line = line;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static uint32_t intern(struct vf_runtime_log *log, struct vf_str name)
{
    uint64_t hash = vf_hash_bytes(name.ptr, name.len);
    struct vf_probe probe = vf_table_probe(&log->name_index, hash);
    uint32_t row;
    while (vf_table_next(&log->name_index, &probe, &row))
        if (vf_str_eq(log->names.items[row].text, name))
            return row;
    row = (uint32_t)log->names.len;
    VF_APPEND(&log->names, ((struct vf_log_name){name, vf_log_kind_of(name)}));
    vf_table_insert(&log->name_index, hash, row);
    return row;
}

/* ---- opening and closing ----------------------------------------------------------------------
 */

static struct vf_log_section *top(const struct reader *r)
{
    return &r->log->sections.items[r->open[r->depth - 1]];
}

static void close_top(struct reader *r, uint64_t stamp, bool cut)
{
    uint32_t row = r->open[--r->depth];
    struct vf_log_section *section = &r->log->sections.items[row];
    section->stop = stamp;
    section->cut = cut;
    if (cut)
        note(&r->log->never_closed, section->line);
    vf_log_text_close(r->log, row);
}

static void push(struct reader *r, struct vf_str name, uint64_t stamp, uint64_t line, bool made)
{
    struct vf_runtime_log *log = r->log;
    uint32_t row = (uint32_t)log->sections.len;
    struct vf_log_section *section = VF_PUSH(&log->sections);
    *section = (struct vf_log_section){
        .start = stamp,
        .stop = stamp,
        .line = line,
        .parent = r->depth ? r->open[r->depth - 1] : VF_LOG_NONE,
        .record = VF_LOG_NONE,
        .made = made,
    };
    section->name = intern(log, name);
    r->open[r->depth++] = row;
    vf_log_text_open(log, row);
}

/* Within the innermost trace only: what a trace calls may be traced meanwhile. */
static bool is_open(const struct reader *r, enum vf_log_kind kind)
{
    for (uint32_t i = r->depth; i > 0; i--) {
        enum vf_log_kind open = vf_log_section_kind(r->log, r->open[i - 1]);
        if (open == kind || open == VF_LOG_TRACING)
            return open == kind;
    }
    return false;
}

/* Some code is compiled outside of jit-backend, so whether it is in the log is not to be told from
 * what is open. */
static bool log_has_backend(struct reader *r)
{
    static const char start[] = "] {jit-backend";
    const char *p = r->bytes.ptr, *end = p + r->bytes.len;
    while (!r->looked && (p = memmem(p, (size_t)(end - p), start, sizeof start - 1))) {
        p += sizeof start - 1;
        if (p < end && (*p == '\n' || *p == '\r')) {
            r->has_backend = true;
            break;
        }
    }
    r->looked = true;
    return r->has_backend;
}

/* The backend section that was put in ends with the address of the trace. */
static void close_made(struct reader *r, uint64_t stamp)
{
    if (r->depth && top(r)->made)
        close_top(r, stamp, false);
}

/* Where addresses are not in the log, nothing but the trace around it is known to be its end; and
 * if there is none, it is short. */
static void end_made_before(struct reader *r, enum vf_log_kind kind, uint64_t stamp)
{
    if (!r->depth || !top(r)->made || kind == VF_LOG_ADDR)
        return;
    if (top(r)->parent == VF_LOG_NONE)
        close_made(r, r->made_stop);
    else if (kind == VF_LOG_ALLOC)
        close_made(r, stamp);
}

/* A section that can't stand inside another of its kind. */
static bool is_single(enum vf_log_kind kind)
{
    return kind != VF_LOG_OTHER && kind != VF_LOG_GC && kind != VF_LOG_JIT &&
           kind != VF_LOG_TRACING;
}

static void open_section(struct reader *r, const struct vf_log_event *event)
{
    enum vf_log_kind kind = vf_log_kind_of(event->text);
    end_made_before(r, kind, event->stamp);
    if (r->depth >= VF_LOG_DEPTH_MAX - 1) {
        note(&r->log->too_deep, event->line);
        r->skipped++;
        return;
    }
    if (is_single(kind) && is_open(r, kind))
        note(&r->log->in_itself, event->line);
    if (kind == VF_LOG_ALLOC && !log_has_backend(r))
        push(r, VF_STR("jit-backend"), event->stamp, event->line, true);
    push(r, event->text, event->stamp, event->line, false);
}

static void close_section(struct reader *r, const struct vf_log_event *event)
{
    struct vf_runtime_log *log = r->log;
    uint32_t at = r->depth;
    if (r->skipped) {
        r->skipped--;
        return;
    }
    while (at > 0 && !vf_str_eq(log->names.items[log->sections.items[r->open[at - 1]].name].text,
                                event->text))
        at--;
    if (at == 0) {
        note(&log->never_opened, event->line);
        return;
    }
    if (top(r)->made && at < r->depth)
        close_made(r, event->stamp);
    if (at < r->depth)
        note(&log->wrong_order, event->line);
    while (r->depth > at)
        close_top(r, event->stamp, !top(r)->made);
    enum vf_log_kind kind = vf_log_section_kind(log, r->open[at - 1]);
    close_top(r, event->stamp, false);
    if (!r->depth || !top(r)->made)
        return;
    r->made_stop = event->stamp;
    if (kind == VF_LOG_ADDR)
        close_made(r, event->stamp);
}

/* ---- parts ------------------------------------------------------------------------------------
 */

static void begin_part(struct reader *r, const struct vf_log_event *event)
{
    r->log->nursery_bytes = 0;
    VF_APPEND(&r->log->parts, ((struct vf_log_part){
                                  .first = (uint32_t)r->log->sections.len,
                                  .end = (uint32_t)r->log->sections.len,
                                  .first_line = event->line,
                                  .first_stamp = event->stamp,
                                  .summary = {.section = VF_LOG_NONE},
                              }));
    /* Another process: its loops are counted from 1, its JIT starts later. */
    vf_table_release(&r->log->run_index);
    r->log->has_run_index = false;
}

static void end_part(struct reader *r)
{
    struct vf_log_part *part = &r->log->parts.items[r->log->parts.len - 1];
    while (r->depth)
        close_top(r, r->last_stamp, !top(r)->made);
    r->skipped = 0;
    part->end = (uint32_t)r->log->sections.len;
    part->last_stamp = r->last_stamp;
    r->log->current_trace = VF_LOG_NONE;
}

/* PyPy sets up its collector first of all, and sums up its JIT last. */
static bool is_another_process(const struct reader *r, const struct vf_log_event *event)
{
    const struct vf_runtime_log *log = r->log;
    return event->type == VF_LOG_START && r->depth == 0 && log->parts.len &&
           log->parts.items[log->parts.len - 1].summary.section != VF_LOG_NONE &&
           vf_log_kind_of(event->text) == VF_LOG_NURSERY;
}

static void take_stamp(struct reader *r, struct vf_log_event *event)
{
    if (r->has_stamp && is_another_process(r, event)) {
        end_part(r);
        r->has_stamp = false;
    }
    if (r->has_stamp && event->stamp < r->last_stamp) {
        if (r->last_stamp - event->stamp <= SLACK_TICKS) {
            event->stamp = r->last_stamp;
        } else {
            end_part(r);
            r->has_stamp = false;
        }
    }
    if (!r->has_stamp)
        begin_part(r, event);
    r->has_stamp = true;
    r->last_stamp = event->stamp;
    r->log->parts.items[r->log->parts.len - 1].last_line = event->line;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* Sections, and what hangs on them, in sections' sizes. */
static size_t rows_of(const struct vf_runtime_log *log)
{
    return log->sections.len + log->minors.len + 2 * log->steps.len + 6 * log->traces.len;
}

static void take_text(struct reader *r, struct vf_str line)
{
    uint32_t row = r->open[r->depth - 1];
    const struct vf_log_section *section = &r->log->sections.items[row];
    if (section->made && section->parent != VF_LOG_NONE)
        row = section->parent;
    vf_log_text_line(r->log, row, line);
}

void vf_runtime_log_read(struct vf_runtime_log *log, struct vf_str bytes)
{
    struct vf_pypylog lines;
    struct vf_log_event event;
    /* So that a hostile log costs no more memory than a few times its size.  PyPy's own sections
     * have some 55 bytes at least, without their texts. */
    struct reader r = {.log = log, .bytes = bytes, .rows_max = 65536 + bytes.len / 36};
    *log = (struct vf_runtime_log){.current_trace = VF_LOG_NONE};
    vf_pypylog_open(&lines, bytes);
    vf_progress_begin("reading the runtime's log", VF_PROGRESS_BYTES, bytes.len);
    while (vf_pypylog_next(&lines, &event)) {
        if (vf_progress_due(event.line))
            vf_progress_set((uint64_t)(lines.at - bytes.ptr));
        if (event.type == VF_LOG_TEXT) {
            if (r.depth && !r.skipped)
                take_text(&r, event.text);
            continue;
        }
        take_stamp(&r, &event);
        if (event.type == VF_LOG_STOP)
            close_section(&r, &event);
        else if (rows_of(log) + 2 <= r.rows_max && log->parts.len <= PARTS_MAX)
            open_section(&r, &event);
        else {
            note(&log->too_many, event.line);
            break;
        }
    }
    if (lines.half_line)
        note(&log->half_line, lines.half_line);
    log->lines = lines.line;
    if (log->parts.len)
        end_part(&r);
    vf_table_release(&log->name_index);
    vf_table_release(&log->run_index);
}

static void warn_damage(const struct vf_log_damage *damage, const char *what,
                        struct vf_warnings *warnings)
{
    if (damage->count == 1)
        vf_warn(warnings, "PYPYLOG: line %llu: %s", (unsigned long long)damage->line, what);
    else if (damage->count)
        vf_warn(warnings, "PYPYLOG: line %llu: %s (and %llu more)",
                (unsigned long long)damage->line, what, (unsigned long long)damage->count - 1);
}

void vf_runtime_log_warn(const struct vf_runtime_log *log, struct vf_warnings *warnings)
{
    warn_damage(&log->half_line, "the log ends in the middle of a line", warnings);
    warn_damage(&log->never_closed,
                "a section opens here that never closes; it is shown up to the last that is known "
                "of it",
                warnings);
    warn_damage(&log->never_opened, "a section closes here that never opened; it is left out",
                warnings);
    warn_damage(&log->wrong_order, "a section closes before one inside it", warnings);
    warn_damage(&log->in_itself,
                "a section opens inside another of its kind: are these the logs of two processes?",
                warnings);
    warn_damage(&log->too_deep, "sections are nested more than 63 deep; it is left out", warnings);
    warn_damage(&log->too_many, "too many sections: the rest of the log is left out", warnings);
}

void vf_runtime_log_release(struct vf_runtime_log *log)
{
    free(log->sections.items);
    free(log->names.items);
    free(log->minors.items);
    free(log->steps.items);
    free(log->traces.items);
    free(log->invalidations.items);
    free(log->loops.items);
    free(log->parts.items);
    vf_table_release(&log->name_index);
    vf_table_release(&log->run_index);
    *log = (struct vf_runtime_log){0};
}

/* The JIT's log (docs/formats/jitlog.md), and how much of it is written.
 *
 * PyPy writes each operation of each trace three times, and making that text takes most of what the
 * log costs.  With `auto` that is held below a share of the program's CPU time: where a trace
 * begins while the log has had more, PyPy is told that there is no log until the trace is compiled.
 * It looks at one variable of its own for that (`ready`), which is found by what changes when the
 * log is switched on and off.  What is then missing but known from the runtime log is put in: where
 * the trace begins, its code's bounds, and which guard a bridge belongs to.  Counters are written
 * in any case.
 *
 * The time is taken between one record of an operation and the next: between them PyPy does nothing
 * but make that record.  (What takes longer than such a record can was something else: a
 * collection, another process.) */
#include "inside/inside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    INPUT = 0x11,
    OPERATION = 0x13,
    OPERATION_DESCR = 0x14,
    BOUNDS = 0x15,
    CODE = 0x16,
    STAGE_RECORDED = 0x17,
    STAGE_OPTIMISED = 0x18,
    STAGE_ASSEMBLED = 0x19,
    STITCH = 0x1a,
    START = 0x1b,
    LAYOUT = 0x1d,
    MERGE_POINT = 0x1f,
    PREFIX = 0x20,
};

static struct {
    int *ready;    /* PyPy's variable; NULL: not found */
    bool muted;    /* it is switched on and off, and nothing is written */
    bool cut;      /* there was no room for a record: what follows can't be read */
    bool in_stage; /* the record before was one of a stage */
    bool brief;    /* this trace has no operations */
    uint64_t last; /* in ticks */
    struct inside_meter spent;
    unsigned char trace[8]; /* its id, as the log has it */
    unsigned char guard[8]; /* for a bridge what it begins at */
    bool is_bridge;
} jitlog;

/* ---- PyPy's variable ------------------------------------------------------------------------- */

enum { SNAPSHOT_MAX = 1 << 20 };
static unsigned char *snapshots;
static size_t snapshot_bytes, candidate_count;
static int **candidates;

/* The bootstrap calls this around each switch: 0 before, 1 when the log is on, 2 off again, 3 on.
 */
void inside_jitlog_switched(const struct inside_object *object, int step)
{
    uintptr_t begin = object->zeroed, end = object->zeroed_end;
    jitlog.muted = step < 2;
    if (step == 0) {
        snapshot_bytes = end - begin;
        if (snapshot_bytes == 0 || snapshot_bytes > SNAPSHOT_MAX)
            return;
        snapshots = malloc(snapshot_bytes);
        candidates = malloc(snapshot_bytes / sizeof(int) * sizeof *candidates);
        if (snapshots && candidates)
            memcpy(snapshots, (const void *)begin, snapshot_bytes);
    }
    if (!snapshots || !candidates)
        return;
    size_t kept = 0;
    if (step == 1)
        for (size_t at = 0; at + sizeof(int) <= snapshot_bytes; at += sizeof(int)) {
            int before, *now = (int *)(begin + at);
            memcpy(&before, snapshots + at, sizeof before);
            if (before == 0 && *now == 1)
                candidates[kept++] = now;
        }
    for (size_t i = 0; step >= 2 && i < candidate_count; i++)
        if (*candidates[i] == (step == 3))
            candidates[kept++] = candidates[i];
    candidate_count = step == 0 ? 0 : kept;
    if (step < 3)
        return;
    jitlog.ready = candidate_count == 1 ? candidates[0] : NULL;
    free(snapshots);
    free(candidates);
    snapshots = NULL;
    candidates = NULL;
}

/* ---- records --------------------------------------------------------------------------------- */

static bool put(const void *bytes, size_t len)
{
    if (!jitlog.cut && !inside.off)
        jitlog.cut = !inside_put(VF_RING_JITLOG, bytes, len, NULL, 0);
    return !jitlog.cut;
}

static bool is_stage(unsigned char marker)
{
    return marker >= STAGE_RECORDED && marker <= STAGE_ASSEMBLED;
}

static bool is_of_stage(unsigned char marker)
{
    return marker == INPUT || marker == OPERATION || marker == OPERATION_DESCR ||
           marker == BOUNDS || marker == CODE || marker == LAYOUT || marker == MERGE_POINT ||
           marker == PREFIX;
}

/* True where the log has had more than its share. */
static bool is_dear(struct vf_ring *ring)
{
    struct timespec used;
    double spent_ns = inside_meter_ns(&jitlog.spent);
    __atomic_store_n(&ring->jitlog_ns, (uint64_t)spent_ns, __ATOMIC_RELAXED);
    if (ring->jitlog_share == 0 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return false;
    double cpu_ns = (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
    return spent_ns > ring->jitlog_grace_ns && spent_ns > cpu_ns * ring->jitlog_share / 10000;
}

/* 1b, id, text `loop` or `bridge`, number: what the trace is, and how much of it is written. */
static void begin_trace(struct vf_ring *ring, const unsigned char *bytes, size_t len)
{
    enum { ID_AT = 1, KIND_AT = 9, BRIDGE_NUMBER_AT = 13 + 6 };
    if (len < BRIDGE_NUMBER_AT)
        return;
    memcpy(jitlog.trace, bytes + ID_AT, sizeof jitlog.trace);
    jitlog.is_bridge = bytes[KIND_AT] == 6 && len >= BRIDGE_NUMBER_AT + sizeof jitlog.guard;
    if (jitlog.is_bridge)
        memcpy(jitlog.guard, bytes + BRIDGE_NUMBER_AT, sizeof jitlog.guard);
    jitlog.brief = is_dear(ring);
    ring->jitlog_traces++;
    if (!jitlog.brief)
        return;
    if (ring->jitlog_brief++ == 0)
        ring->jitlog_brief_ns = inside_now_ns();
    if (jitlog.ready && inside.log_taken)
        __atomic_store_n(jitlog.ready, 0, __ATOMIC_RELAXED);
}

void inside_jitlog_write(const void *record, size_t len)
{
    struct vf_ring *ring = inside.ring;
    const unsigned char *bytes = record;
    if (!ring || len == 0 || jitlog.muted)
        return;
    if (jitlog.spent.first_ns == 0)
        inside_meter_begin(&jitlog.spent);
    unsigned char marker = bytes[0];
    if (!(jitlog.brief && is_of_stage(marker) && marker != BOUNDS))
        put(bytes, len);
    uint64_t now = inside_ticks();
    if (jitlog.in_stage && is_of_stage(marker))
        inside_meter_add(&jitlog.spent, now - jitlog.last);
    jitlog.in_stage = is_stage(marker) || (jitlog.in_stage && is_of_stage(marker));
    jitlog.last = now;
    if (marker == START)
        begin_trace(ring, bytes, len);
}

/* ---- what the runtime log tells of a trace without operations -------------------------------- */

/* The number behind `word` in the text; false: it is not there. */
static bool find_hex(const char *text, size_t len, const char *word, uint64_t *out)
{
    const char *at = memmem(text, len, word, strlen(word));
    if (!at)
        return false;
    *out = strtoull(at + strlen(word), NULL, 16);
    return *out != 0;
}

static unsigned char *put_text(unsigned char *out, const char *text, size_t len)
{
    uint32_t bytes = (uint32_t)len;
    *out++ = 0xff;
    memcpy(out, &bytes, 4);
    memcpy(out + 4, text, len);
    return out + 4 + len;
}

static unsigned char *put_number(unsigned char *out, uint64_t value)
{
    *out++ = 0;
    memcpy(out, &value, 8);
    return out + 8;
}

/* `(function;file:first-line~#offset OPCODE)` as the merge point that it is. */
static void put_place(const char *text, size_t len)
{
    enum { MAX = 900 };
    static const unsigned char layout[] = {LAYOUT, 5, 0, 1, 's', 2, 'i', 8, 's', 4, 'i', 16, 's'};
    unsigned char record[MAX + 64], *out = record, stage[9] = {STAGE_OPTIMISED};
    const char *open = memchr(text, '(', len);
    const char *close =
        open ? memmem(open, len - (size_t)(open - text), ") has address", 13) : NULL;
    if (!close || close - open > MAX)
        return;
    const char *name = open + 1, *semicolon = memchr(name, ';', (size_t)(close - name));
    const char *tail = close;
    while (semicolon && tail > semicolon && !(tail[0] == '~' && tail[1] == '#'))
        tail--;
    const char *colon = tail;
    while (semicolon && colon > semicolon && *colon != ':')
        colon--;
    if (!semicolon || colon <= semicolon)
        return;
    char *rest;
    strtoul(colon + 1, &rest, 10);
    uint64_t line = *rest == '-' ? strtoul(rest + 1, NULL, 10) : 0;
    uint64_t offset = strtoul(tail + 2, &rest, 10);
    if (line == 0 || *rest != ' ' || rest >= close)
        return;
    *out++ = MERGE_POINT;
    out = put_text(out, semicolon + 1, (size_t)(colon - semicolon - 1));
    out = put_number(out, line);
    out = put_text(out, name, (size_t)(semicolon - name));
    out = put_number(out, offset);
    out = put_text(out, rest + 1, (size_t)(close - rest - 1));
    memcpy(stage + 1, jitlog.trace, 8);
    if (put(stage, sizeof stage) && put((const unsigned char[]){INPUT, 0, 0, 0, 0}, 5) &&
        put(layout, sizeof layout))
        put(record, (size_t)(out - record));
}

static void put_bounds(const char *text, size_t len)
{
    uint64_t begin, end;
    unsigned char stage[9] = {STAGE_ASSEMBLED}, bounds[17] = {BOUNDS}, stitch[17] = {STITCH};
    if (!find_hex(text, len, "gc table: ", &begin) && !find_hex(text, len, "has address ", &begin))
        return;
    if (!find_hex(text, len, "end: ", &end) && !find_hex(text, len, " to ", &end))
        return;
    memcpy(stage + 1, jitlog.trace, 8);
    memcpy(bounds + 1, &begin, 8);
    memcpy(bounds + 9, &end, 8);
    memcpy(stitch + 1, jitlog.guard, 8);
    memcpy(stitch + 9, &begin, 8);
    bool of_guard = jitlog.is_bridge && memmem(text, len, "out of Guard", 12);
    if (put(stage, sizeof stage) && put((const unsigned char[]){INPUT, 0, 0, 0, 0}, 5) &&
        put(bounds, sizeof bounds) && of_guard)
        put(stitch, sizeof stitch);
}

void inside_jitlog_hear(const char *text, size_t len)
{
    static const char compiled[] = "jit-backend-addr}", traced[] = "jit-tracing}";
    if (!jitlog.brief || !jitlog.ready || !inside.log_taken)
        return;
    if (memmem(text, len, compiled, sizeof compiled - 1)) {
        put_place(text, len);
        put_bounds(text, len);
    }
    if (memmem(text, len, traced, sizeof traced - 1)) {
        jitlog.brief = false;
        if (!jitlog.cut)
            __atomic_store_n(jitlog.ready, 1, __ATOMIC_RELAXED);
    }
}

#include "profile/markers.h"

#include "profile/stacks.h"

const struct vf_marker_schema vf_marker_schemas[VF_MARKER_COUNT] = {
    [VF_MARKER_MINOR] = {"MinorCollection",
                         "Minor collection",
                         "{marker.data.survivors}",
                         "{marker.data.survivors} survived, {marker.data.heap} in use",
                         "The nursery is full: what is still used in it is moved out.",
                         false,
                         VF_CATEGORY_GC,
                         {{"survivors", "Survivors", "bytes"},
                          {"share", "Survivors of the nursery", "percentage"},
                          {"nursery", "Nursery size", "bytes"},
                          {"before", "Heap as the collection before left it", "bytes"},
                          {"heap", "Heap after, without the nursery", "bytes"},
                          {"pinned", "Pinned objects", "integer"}}},
    [VF_MARKER_MINOR_PLAIN] =
        {"MinorCollectionTime",
         "Minor collection",
         NULL,
         NULL,
         "The nursery is full: what is still used in it is moved out. The log has no details.",
         false,
         VF_CATEGORY_GC,
         {{0}}},
    [VF_MARKER_MAJOR] =
        {"MajorCollection",
         "Major collection",
         "{marker.data.steps} steps",
         "{marker.data.steps} steps, {marker.data.after} left",
         "A collection of the whole heap, done in steps between which the program runs; from its "
         "first step to the end of its sweep.",
         true,
         VF_CATEGORY_GC,
         {{"steps", "Steps", "integer"},
          {"pause", "Time in its steps", "duration"},
          {"longest", "Longest step", "duration"},
          {"states", "Steps by state", "unique-string"},
          {"after", "Heap after", "bytes"},
          {"arenas", "In arenas", "bytes"},
          {"rawBefore", "Raw-malloced before", "bytes"},
          {"rawAfter", "Raw-malloced after", "bytes"},
          {"threshold", "Next major collection at", "bytes"},
          {"unfinished", "Not finished", "unique-string"}}},
    [VF_MARKER_STEP] = {"MajorCollectionStep",
                        "Major collection step",
                        "{marker.data.from}",
                        "{marker.data.from} → {marker.data.to}",
                        "One step of a major collection: the program waits for it.",
                        false,
                        VF_CATEGORY_GC,
                        {{"from", "State before", "unique-string"},
                         {"to", "State after", "unique-string"}}},
#define TRACE_FIELDS                                                                               \
    {                                                                                              \
        {"what", "What", "unique-string"}, {"function", "Function", "unique-string"},              \
            {"file", "File", "unique-string"}, {"line", "Line", "integer"},                        \
            {"result", "Result", "unique-string"}, {"recorded", "Operations recorded", "integer"}, \
            {"optimized", "Operations optimised", "integer"}, {"guards", "Guards", "integer"},     \
            {"code", "Machine code", "bytes"}, {"runs", "Times entered", "integer"},               \
            {"tracing", "Time tracing", "duration"},                                               \
            {"optimizing", "Time optimising", "duration"},                                         \
            {"backend", "Time in the backend", "duration"},                                        \
            {"collecting", "Collections meanwhile", "duration"},                                   \
            {"reason", "Reason", "unique-string"},                                                 \
        {                                                                                          \
            "note", "Note", "unique-string"                                                        \
        }                                                                                          \
    }
    [VF_MARKER_TRACE] = {"Trace", "Trace", "{marker.data.what}", "{marker.data.what}",
                         "A loop or function is recorded, optimised and turned into machine code. "
                         "The program goes on "
                         "while it is recorded: what it calls meanwhile is in the time.",
                         true, VF_CATEGORY_JIT_COMPILATION, TRACE_FIELDS},
    [VF_MARKER_BRIDGE] = {"Bridge", "Bridge", "{marker.data.what}", "{marker.data.what}",
                          "A guard of a trace failed often: the way from there on is compiled.",
                          true, VF_CATEGORY_JIT_COMPILATION, TRACE_FIELDS},
    [VF_MARKER_TRACING] = {"Tracing", "Trace", "{marker.data.what}", "{marker.data.what}",
                           "The tracer ran. The log does not say what came of it.", true,
                           VF_CATEGORY_JIT_COMPILATION, TRACE_FIELDS},
    [VF_MARKER_ABORT] = {"TraceAborted", "Trace aborted", "{marker.data.reason}",
                         "{marker.data.reason}: {marker.data.what}",
                         "A trace was begun and given up: its work is lost.", true,
                         VF_CATEGORY_JIT_COMPILATION, TRACE_FIELDS},
    [VF_MARKER_INVALIDATION] =
        {"Invalidation",
         "Invalidation",
         "{marker.data.loops} loops",
         "{marker.data.loops} loops by {marker.data.field}",
         "Something that compiled code takes as constant has changed: the loops that count on it "
         "are no longer used.",
         true,
         VF_CATEGORY_JIT_COMPILATION,
         {{"field", "Field", "unique-string"}, {"loops", "Loops made invalid", "integer"}}},
    [VF_MARKER_MISSED] =
        {"MissedSamples",
         "Samples missing",
         "{marker.data.missing} missing",
         "{marker.data.missing} samples missing in {marker.data.gap}",
         "The timer should have gone off here and did not, or its sample was lost.",
         false,
         VF_CATEGORY_OTHER,
         {{"missing", "Samples missing", "decimal"},
          {"gap", "Between samples, by the timer's clock", "duration"},
          {"interval", "Usual interval", "duration"}}},
    [VF_MARKER_FINDING] =
        {"JitFinding",
         "JIT finding",
         "{marker.data.finding}",
         "{marker.data.finding}",
         "What the JIT's log counts that may be worth a look. It is of the whole run.",
         false,
         VF_CATEGORY_JIT_COMPILATION,
         {{"finding", "Finding", "unique-string"}, {"count", "Count", "integer"}}},
    [VF_MARKER_JIT_TRACE] =
        {"JitTrace",
         "JIT trace",
         "{marker.data.what}",
         "{marker.data.what}",
         "One of the hottest traces. The log does not say when it was compiled.",
         false,
         VF_CATEGORY_JIT_COMPILATION,
         {{"what", "What", "unique-string"},
          {"function", "Function", "unique-string"},
          {"file", "File", "unique-string"},
          {"line", "Line", "integer"},
          {"recorded", "Operations recorded", "integer"},
          {"optimized", "Operations optimised", "integer"},
          {"assembled", "Operations assembled", "integer"},
          {"guards", "Guards", "integer"},
          {"bridges", "Bridges", "integer"},
          {"code", "Machine code", "bytes"},
          {"runs", "Times entered", "integer"},
          {"samples", "Share of all samples", "percentage"}}},
    [VF_MARKER_LISTING] =
        {"JitListing",
         "JIT listing",
         NULL,
         "{marker.data.what}: {marker.data.samples} of the samples",
         "A trace that was sampled, from the Python line to the machine's instructions. Hits are "
         "instruction addresses that were taken there.",
         false,
         VF_CATEGORY_JIT_COMPILATION,
         {{"what", "What", "unique-string"},
          {"samples", "Share of all samples", "percentage"},
          {"hits", "Instruction addresses", "integer"},
          {"addresses", "Share of all addresses", "percentage"},
          {"listing", "Listing", VF_MARKER_TABLE "Hits|At|Code"}}},
};

void vf_markers_add(struct vf_markers *markers, enum vf_marker_kind kind, double start_ms,
                    double end_ms)
{
    VF_APPEND(&markers->rows, ((struct vf_marker_row){
                                  .start_ms = start_ms,
                                  .end_ms = end_ms > start_ms ? end_ms : start_ms,
                                  .first = (uint32_t)markers->values.len,
                                  .kind = (uint8_t)kind,
                              }));
}

static void add_value(struct vf_markers *markers, const char *key, struct vf_marker_value value)
{
    struct vf_marker_row *row = &markers->rows.items[markers->rows.len - 1];
    const struct vf_marker_field *fields = vf_marker_schemas[row->kind].fields;
    uint8_t i = 0;
    while (i < VF_MARKER_FIELDS_MAX && fields[i].key && strcmp(fields[i].key, key) != 0)
        i++;
    if (i == VF_MARKER_FIELDS_MAX || !fields[i].key)
        return;
    value.field = i;
    row->count++;
    VF_APPEND(&markers->values, value);
}

void vf_markers_number(struct vf_markers *markers, const char *key, double value)
{
    add_value(markers, key, (struct vf_marker_value){.text = {VF_NONE}, .number = value});
}

void vf_markers_text(struct vf_markers *markers, const char *key, vf_string_id text)
{
    add_value(markers, key, (struct vf_marker_value){.text = text});
}

void vf_markers_table(struct vf_markers *markers, const char *key)
{
    add_value(
        markers, key,
        (struct vf_marker_value){.text = {VF_NONE}, .first_cell = (uint32_t)markers->cells.len});
}

void vf_markers_cell(struct vf_markers *markers, struct vf_str text)
{
    markers->values.items[markers->values.len - 1].cells++;
    VF_APPEND(&markers->cells, text);
}

const struct vf_marker_value *vf_markers_value(const struct vf_markers *markers,
                                               const struct vf_marker_row *row, const char *key)
{
    const struct vf_marker_field *fields = vf_marker_schemas[row->kind].fields;
    for (uint32_t i = row->first; i < row->first + row->count; i++)
        if (strcmp(fields[markers->values.items[i].field].key, key) == 0)
            return &markers->values.items[i];
    return NULL;
}

static int by_start(const void *a, const void *b)
{
    const struct vf_marker_row *x = a, *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms > y->start_ms ? 1 : -1;
    return (x->first > y->first) - (x->first < y->first);
}

void vf_markers_sort(struct vf_markers *markers)
{
    if (markers->rows.len)
        qsort(markers->rows.items, markers->rows.len, sizeof *markers->rows.items, by_start);
}

void vf_markers_release(struct vf_markers *markers)
{
    free(markers->rows.items);
    free(markers->values.items);
    free(markers->cells.items);
    *markers = (struct vf_markers){0};
}

/* Markers: what happened at a moment or over a stretch of time, with its details.
 *
 * Each kind has a schema: what the front-end calls it, where it shows it, and the fields its
 * markers may have.  A marker has any of them. */
#ifndef VF_PROFILE_MARKERS_H
#define VF_PROFILE_MARKERS_H

#include "profile/strings.h"

enum vf_marker_kind {
    VF_MARKER_MINOR,
    VF_MARKER_MINOR_PLAIN, /* of a log without texts */
    VF_MARKER_MAJOR,
    VF_MARKER_STEP,
    VF_MARKER_TRACE,
    VF_MARKER_BRIDGE,
    VF_MARKER_TRACING, /* of a log without texts: what came of it is not known */
    VF_MARKER_ABORT,
    VF_MARKER_INVALIDATION,
    VF_MARKER_MISSED,
    VF_MARKER_FINDING,
    VF_MARKER_JIT_TRACE, /* of a run without the runtime's log: without times */
    VF_MARKER_LISTING,   /* of a trace, as text that an upload keeps */
    VF_MARKER_COUNT,
};

/* A field's format, in the front-end's words; of a table "table:" and the labels of its columns,
 * with
 * '|' between them. */
#define VF_MARKER_TABLE "table:"
struct vf_marker_field {
    const char *key, *label, *format;
};

enum { VF_MARKER_FIELDS_MAX = 16 };

struct vf_marker_schema {
    const char *type;  /* what the marker's data name */
    const char *title; /* the marker's name: a row of the marker chart */
    const char *chart_label, *table_label, *description;
    bool in_overview; /* also in the timeline */
    uint8_t category;
    struct vf_marker_field fields[VF_MARKER_FIELDS_MAX];
};

extern const struct vf_marker_schema vf_marker_schemas[VF_MARKER_COUNT];

struct vf_marker_value {
    uint8_t field;
    vf_string_id text;          /* for the format unique-string; else VF_NONE */
    double number;              /* durations are in ms */
    uint32_t first_cell, cells; /* of a table, row by row; no cells: it is none */
};

struct vf_marker_row {
    double start_ms, end_ms; /* equal: a moment */
    uint32_t first, count;   /* of values */
    uint8_t kind;
};

struct vf_markers {
    VF_VEC(struct vf_marker_row) rows;
    VF_VEC(struct vf_marker_value) values; /* the fields of one marker stand together */
    VF_VEC(struct vf_str) cells;           /* borrowed */
};

/* Begins a marker; the values added next are its. */
void vf_markers_add(struct vf_markers *markers, enum vf_marker_kind kind, double start_ms,
                    double end_ms);
/* `key` is one of the schema's. */
void vf_markers_number(struct vf_markers *markers, const char *key, double value);
void vf_markers_text(struct vf_markers *markers, const char *key, vf_string_id text);
/* Begins a table; the cells added next are its, row by row.  Their texts must stay.
 *
 * They are no strings of the profile's table: the front-end, when it leaves out what is not needed
 * and numbers its strings anew, does not look into tables. */
void vf_markers_table(struct vf_markers *markers, const char *key);
void vf_markers_cell(struct vf_markers *markers, struct vf_str text);
/* The value of a field; NULL: the marker has none. */
const struct vf_marker_value *vf_markers_value(const struct vf_markers *markers,
                                               const struct vf_marker_row *row, const char *key);
/* Sorts the rows by their starts. */
void vf_markers_sort(struct vf_markers *markers);
void vf_markers_release(struct vf_markers *markers);

#endif

/* Writes VMProf files byte for byte, in every dialect: docs/formats/vmprof.md is what it follows,
 * and it shares no code with the reader it tests.
 *
 * Fill in the layout and the dialect, then append records; the bytes grow in `out`, which the
 * caller releases. */
#ifndef VF_TEST_PROF_BUILDER_H
#define VF_TEST_PROF_BUILDER_H

#include "base/buf.h"

struct prof_builder {
    struct vf_buf out;
    unsigned word_bytes, addr_bytes; /* 8 8, 4 4, or 4 8 (Windows) */
    int version;                     /* as in the header; 0 where there is none */
    unsigned mode;                   /* the mode byte; written from version 4 */
    bool kinds;                      /* frames are pairs (kind, value) */
    bool fork;                       /* version 7 as the allocation-sampling work writes it */
};

struct prof_frame {
    uint64_t kind, value, line;
};

struct prof_sample {
    const struct prof_frame *frames; /* root first, as a user reads a stack */
    size_t depth;
    uint64_t thread, memory_kb;
    int64_t time_ns;
};

struct prof_objects {
    int64_t time_ns;
    const uint64_t *entries;
    size_t count;
    const uint64_t *gc_stats; /* three words, or NULL */
};

/* Plain pieces. */
void prof_u8(struct prof_builder *b, unsigned value);
void prof_le(struct prof_builder *b, uint64_t value, unsigned bytes);
void prof_word(struct prof_builder *b, uint64_t value);
void prof_addr(struct prof_builder *b, uint64_t value);
void prof_f64(struct prof_builder *b, double value);
/* A word of length and the text. */
void prof_text(struct prof_builder *b, const char *text);

/* The five words at the start; the last one is 1 for word 4, addr 8. */
void prof_static_header(struct prof_builder *b, uint64_t period_us);
/* Record 05: the version, the mode from version 4, the interpreter. */
void prof_header(struct prof_builder *b, const char *interpreter);
/* Record 04 of the oldest files. */
void prof_old_interpreter(struct prof_builder *b, const char *interpreter);
/* Record 06. */
void prof_start_time(struct prof_builder *b, int64_t seconds, int64_t micros);
/* Record 03, with a time from version 5. */
void prof_trailer(struct prof_builder *b, int64_t seconds, int64_t micros);
/* Record 07. */
void prof_meta(struct prof_builder *b, const char *key, const char *value);
/* Record 02 (code) or 08 (native). */
void prof_name(struct prof_builder *b, unsigned marker, uint64_t id, const char *text);
/* Record 01 (stack trace) or 09 (allocation), as far as the thread, the memory and the time go in
 * this version and mode. */
void prof_stack(struct prof_builder *b, unsigned marker, const struct prof_sample *sample);
/* Record 0a. */
void prof_object_info(struct prof_builder *b, const struct prof_objects *objects);

#endif

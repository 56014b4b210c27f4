/* One small profile told in every dialect, and what a reader must find in it.
 *
 * The tests read the bytes back against `events`; the fuzzer takes the bytes as its seeds. */
#ifndef VF_TEST_PROF_STORY_H
#define VF_TEST_PROF_STORY_H

#include "capture/vmprof.h"
#include "prof_builder.h"

enum { PROF_OLDEST = -1 }; /* 04 in place of 05, maps text behind the trailer */

/* Where the metas gc_stats__0..2 stand, if at all: with them each 0a record is three words
 * longer. */
enum prof_gc_stats { PROF_NO_GC_STATS, PROF_GC_STATS_LATE, PROF_GC_STATS_EARLY };

struct prof_dialect {
    unsigned word_bytes, addr_bytes;
    int version; /* 0 to 7, or PROF_OLDEST */
    unsigned mode;
    const char *interpreter;
    bool fork;
    enum prof_gc_stats gc_stats;
};

/* "word 8, addr 8, version 7 fork, mode 12, pypy", for messages. */
void prof_dialect_name(const struct prof_dialect *dialect, char *out, size_t size);

/* All of them; the array belongs to the caller, who frees it. */
struct prof_dialect *prof_all_dialects(size_t *count);

/* What one record of the file must read as. */
struct prof_event {
    enum vf_record_type type;
    size_t offset; /* of its marker */
    size_t body; /* behind all that the record itself holds: `end`, or before the gc_stats words */
    size_t end;  /* the next record's offset */
    const struct prof_sample *sample;
    const struct prof_objects *objects;
    uint64_t id;
    const char *key, *text; /* meta: key and value; name and maps: text */
    int64_t time_us;
};

struct prof_story {
    struct prof_dialect dialect;
    struct prof_builder file;
    VF_VEC(struct prof_event) events;
    size_t trailer_end; /* a file cut here is whole */
};

void prof_story_make(struct prof_story *story, const struct prof_dialect *dialect);
void prof_story_release(struct prof_story *story);

/* Whether the dialect has these things. */
bool prof_has_kinds(const struct prof_dialect *d);
bool prof_has_lines(const struct prof_dialect *d);
bool prof_has_memory(const struct prof_dialect *d);
/* A number as it comes back from an address field of the dialect. */
uint64_t prof_as_addr(const struct prof_dialect *d, uint64_t value);

#endif

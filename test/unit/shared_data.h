/* A recording read whole, and its samples as lines of text the way the lists of the published
 * recordings write them:
 *
 *     time in ns or -, thread, memory in kB, then frames, root first, tabs between
 *     a frame: KIND:lang:name:line:file, or KIND:0xADDRESS without a name; @LINE at its end where
 *     lines were recorded
 *
 * For test_shared_data.c, whose assertions it uses. */
#ifndef VF_TEST_SHARED_DATA_H
#define VF_TEST_SHARED_DATA_H

#include "base/file.h"
#include "base/table.h"
#include "capture/vmprof.h"

#include <jansson.h>
#include <zlib.h>

struct shared_sample {
    struct vf_sample sample;
    uint64_t offset, end;
};

struct shared_name {
    uint64_t id;
    struct vf_str text; /* the last one given for the id, a 02 record before any 08 */
    bool is_code;
};

struct shared_meta {
    struct vf_str key, value;
};

struct shared_profile {
    struct vf_bytes bytes;
    struct vf_vmprof reader; /* at the end */
    VF_VEC(struct shared_sample) samples;
    VF_VEC(struct shared_sample) allocations;
    VF_VEC(struct shared_name) names;
    VF_VEC(struct shared_meta) metas;
    struct vf_table by_id;
    size_t object_records, object_entries, bytes_after_trailer, trailer_end;
    int64_t start_us, end_us;
    bool has_start;
};

void shared_profile_read(struct shared_profile *p, const char *path);
void shared_profile_release(struct shared_profile *p);

/* Ids with a name. */
size_t shared_symbol_count(const struct shared_profile *p);
/* "code", "jit", "asm", "n" ... */
const char *shared_kind(int kind);
bool shared_frame_name(const struct shared_profile *p, struct vf_frame frame, struct vf_str *out);
/* Appends the sample's line, without the line's end. */
void shared_sample_text(const struct shared_profile *p, const struct shared_sample *sample,
                        struct vf_buf *out);

/* The next line, however long, without its end, into `line`; false at the end of the file. */
bool shared_read_line(gzFile file, struct vf_buf *line);

#endif

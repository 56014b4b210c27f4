/* The first pass over a VMProf file, and the only one: names, and the samples as columns.
 *
 * Names may be written before the samples that use them (PyPy) or behind all of them (CPython), so
 * they are gathered first.  CPython's ids are addresses and can be used again: a code object is
 * named when it dies, also one that was in no sample, and a later one may get its address.  The
 * records lie in a buffer for a while, so their place among the samples says nothing; of several
 * names for one id the last is taken, which is the one of the code that lived to the end.  A native
 * name never replaces one of code. */
#ifndef VF_PROFILE_SCAN_H
#define VF_PROFILE_SCAN_H

#include "base/mem.h"
#include "base/table.h"
#include "profile/gather.h"

struct vf_name {
    uint64_t id;
    struct vf_str text; /* `lang:name:line:file` */
    bool is_native;     /* from a record 08: vmprof-python writes one of these for code ids too */
};

struct vf_meta {
    struct vf_str key, value;
};

struct vf_scan {
    struct vf_vmprof header; /* the reader after the pass: version, mode, dialect, problem ... */
    VF_VEC(struct vf_name) names;
    struct vf_table name_index; /* by id */
    VF_VEC(struct vf_meta) metas;
    struct vf_gathered gathered; /* both kinds of sample */
    uint64_t samples, allocations, object_infos;
    int64_t start_us, end_us; /* since the epoch; 0: not recorded */
    bool has_end;
    struct vf_str maps_text; /* of older files */
};

/* VF_FATAL when the bytes are no VMProf file; a cut one is VF_WARN, with the reader's words in
 * scan->header.problem. */
enum vf_status vf_scan_run(struct vf_scan *scan, struct vf_str prof, struct vf_error *error);
/* The row of the name of `id`; VF_NONE: it has none. */
uint32_t vf_scan_name(const struct vf_scan *scan, uint64_t id);
/* The value of a meta, or an empty slice; the last one where a key came twice. */
struct vf_str vf_scan_meta(const struct vf_scan *scan, struct vf_str key);
void vf_scan_release(struct vf_scan *scan);

#endif

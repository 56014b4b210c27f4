/* Any bytes as JSON Slabs.  What comes of them is bounded, and the same in one piece or in many. */
#include "fuzz.h"

#include "finished/file.h"
#include "finished/slabs.h"

#include <stdio.h>
#include <stdlib.h>

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_slabs: %s\n", what);
    abort();
}

static void gather(void *context, struct vf_buf *buf)
{
    vf_buf_str(context, vf_buf_view(buf));
    buf->len = 0;
}

static void check_pieces(const struct vf_slabs *slabs, enum vf_status status, struct vf_str whole)
{
    struct vf_buf gathered = {0};
    struct vf_buf pieces = {
        .ptr = vf_alloc(64, 1), .cap = 64, .drain = gather, .drain_context = &gathered};
    check(vf_slabs_to_json(slabs, &pieces, NULL) == status, "other in pieces");
    gather(&gathered, &pieces);
    check(vf_str_eq(vf_buf_view(&gathered), whole), "other text in pieces");
    vf_buf_release(&pieces);
    vf_buf_release(&gathered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LONGEST = 7 }; /* a text's bytes for one of a slab: 25 for the 4 of a float */
    struct vf_str file = {(const char *)data, size};
    struct vf_slabs slabs;
    struct vf_finished_libs libs;
    struct vf_buf out = {0};
    struct vf_error error = {0};
    enum vf_status status = vf_slabs_open(&slabs, file, &error);
    if (status == VF_OK) {
        vf_finished_libs_read(&libs, vf_slabs_root(&slabs));
        vf_finished_libs_release(&libs);
        status = vf_slabs_to_json(&slabs, &out, &error);
        check(out.len <= LONGEST * (2 * size + VF_SLABS_ALWAYS), "too much came of it");
        check_pieces(&slabs, status, vf_buf_view(&out));
    }
    check(status == VF_OK || (error.text[0] && error.has_offset && error.offset <= size),
          "refused without a word");
    vf_buf_release(&out);
    return 0;
}

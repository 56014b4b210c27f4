/* Any bytes as a finished file whose functions are to get names, and what comes of that once more.
 * Of a text that is nearly JSON something may come that is not; it only must do no harm. */
#include "fuzz.h"

#include "finished_story.h"

#include <stdio.h>
#include <stdlib.h>

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_finished: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_str text = {(const char *)data, size};
    struct vf_buf out = {0}, again = {0};
    struct vf_error error = {0};
    struct vf_symbolicated told;
    struct vf_symbolicate_options options = finished_story_options();
    if (vf_finished_symbolicate(&out, text, &options, &told, &error) == VF_FATAL) {
        check(error.text[0] && out.len == 0, "refused without a word");
    } else {
        check(out.len >= size || told.frames, "something was lost");
        vf_finished_symbolicate(&again, vf_buf_view(&out), &options, &told, &error);
    }
    vf_buf_release(&out);
    vf_buf_release(&again);
    return 0;
}

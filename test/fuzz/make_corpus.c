/* Writes the seeds of fuzz_vmprof: the test profile in every dialect, one file each.
 *
 *     make_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "corpus.h"
#include "prof_story.h"

#include <stdio.h>

static bool write_all(const char *folder)
{
    size_t count;
    struct prof_dialect *all = prof_all_dialects(&count);
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        struct prof_story story;
        struct vf_error error;
        struct vf_buf path = {0};
        prof_story_make(&story, &all[i]);
        vf_buf_printf(&path, "%s/%03zu.prof", folder, i);
        vf_buf_add(&path, "", 1);
        good = vf_write_file(path.ptr, vf_buf_view(&story.file.out), &error) == VF_OK;
        if (!good)
            fprintf(stderr, "make_corpus: %s: %s\n", path.ptr, error.text);
        vf_buf_release(&path);
        prof_story_release(&story);
    }
    free(all);
    return good;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

/* Writes the seeds of fuzz_finished: small finished files, whole and damaged.
 *
 *     make_finished_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "corpus.h"
#include "finished_story.h"

/* Cut, and with a byte changed, every so often. */
static bool write_seeds(const char *folder, const char *name, const char *file)
{
    enum { STEP = 97 };
    struct vf_str text = vf_str_from(file);
    bool good = write_seed(folder, name, 0, text);
    char *copy = vf_strdup(text);
    for (size_t at = 1; at < text.len && good; at += STEP) {
        char before = copy[at];
        copy[at] = "9-\"[{,"[at % 6];
        good = write_seed(folder, name, at, (struct vf_str){file, at}) &&
               write_seed(folder, name, text.len + at, (struct vf_str){copy, text.len});
        copy[at] = before;
    }
    free(copy);
    return good;
}

static bool write_all(const char *folder)
{
    return write_seeds(folder, "v69", finished_story) &&
           write_seeds(folder, "v70", finished_story_70);
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

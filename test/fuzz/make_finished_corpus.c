/* Writes the seeds of fuzz_finished: small finished files, whole and damaged.
 *
 *     make_finished_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "base/file.h"
#include "finished_story.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static bool write_seed(const char *folder, const char *name, size_t number, struct vf_str text)
{
    char path[4096];
    struct vf_error error;
    snprintf(path, sizeof path, "%s/%s-%zu", folder, name, number);
    if (vf_write_file(path, text, &error) == VF_OK)
        return true;
    fprintf(stderr, "%s: %s\n", path, error.text);
    return false;
}

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

int main(int argc, char **argv)
{
    struct vf_error error;
    if (argc != 3)
        return 2;
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST)
        return 1;
    if (!write_seeds(argv[1], "v69", finished_story) ||
        !write_seeds(argv[1], "v70", finished_story_70))
        return 1;
    return vf_write_file(argv[2], VF_STR(""), &error) == VF_OK ? 0 : 1;
}

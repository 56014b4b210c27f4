/* Writes the seeds of fuzz_slabs: small files in JSON Slabs, whole and damaged.
 *
 *     make_slabs_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "base/file.h"
#include "slabs_builder.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static bool write_seed(const char *folder, const char *name, size_t number,
                       const struct vf_buf *file)
{
    char path[4096];
    struct vf_error error;
    snprintf(path, sizeof path, "%s/%s-%zu", folder, name, number);
    if (vf_write_file(path, vf_buf_view(file), &error) == VF_OK)
        return true;
    fprintf(stderr, "%s: %s\n", path, error.text);
    return false;
}

/* Whole, and with a byte changed every so often. */
static bool write_story(const char *folder)
{
    enum { STEP = 13 };
    struct vf_buf file = slabs_story();
    bool good = write_seed(folder, "story", 0, &file);
    for (size_t at = 8; at < file.len && good; at += STEP) {
        char before = file.ptr[at];
        file.ptr[at] = (char)(before ^ 1 << at % 8);
        good = write_seed(folder, "story", at, &file);
        file.ptr[at] = before;
    }
    vf_buf_release(&file);
    return good;
}

static bool write_few(const char *folder)
{
    static const double f64[] = {0, 1.5, 1.0 / 3};
    static const struct slabs_part parts[][3] = {
        {SLABS_ARRAY(F64, f64), SLABS_JSON("[{\"$s\":0},{\"$s\":0}]"), SLABS_JSON("{\"$s\":1}")},
        {SLABS_JSON("{\"$s\":1}"), SLABS_JSON("{\"$s\":2}"), SLABS_JSON("{\"$s\":0}")},
        {SLABS_ARRAY(F64, f64), SLABS_JSON("[{\"$s\":0},{\"$s\":2}]"),
         SLABS_JSON("{\"endTime\":{\"$s\":0},\"phase\":[0,1,2],\"x\":{ \"$s\" : 9 }}")},
        {SLABS_JSON("[{},{}]"), SLABS_JSON("\"\\\"$s\\\":0\""),
         SLABS_JSON("{\"libs\":[{\"name\":\"a\"}],\"x\":[{\"$s\":1},{\"$s\":0}]}")},
    };
    bool good = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && good; i++) {
        struct vf_buf file = slabs_build(parts[i], 3);
        good = write_seed(folder, "few", i, &file);
        vf_buf_release(&file);
    }
    return good;
}

int main(int argc, char **argv)
{
    struct vf_error error;
    if (argc != 3)
        return 2;
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST)
        return 1;
    if (!write_story(argv[1]) || !write_few(argv[1]))
        return 1;
    return vf_write_file(argv[2], VF_STR(""), &error) == VF_OK ? 0 : 1;
}

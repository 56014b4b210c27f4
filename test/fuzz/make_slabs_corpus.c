/* Writes the seeds of fuzz_slabs: small files in JSON Slabs, whole and damaged.
 *
 *     make_slabs_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "corpus.h"
#include "slabs_builder.h"

/* Whole, and with a byte changed every so often. */
static bool write_story(const char *folder)
{
    enum { STEP = 13 };
    struct vf_buf file = slabs_story();
    bool good = write_seed(folder, "story", 0, vf_buf_view(&file));
    for (size_t at = 8; at < file.len && good; at += STEP) {
        char before = file.ptr[at];
        file.ptr[at] = (char)(before ^ 1 << at % 8);
        good = write_seed(folder, "story", at, vf_buf_view(&file));
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
        good = write_seed(folder, "few", i, vf_buf_view(&file));
        vf_buf_release(&file);
    }
    return good;
}

static bool write_all(const char *folder)
{
    return write_story(folder) && write_few(folder);
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

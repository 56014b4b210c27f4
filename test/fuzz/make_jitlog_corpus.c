/* Writes the seeds of fuzz_jitlog: the tests' log in every version, one file each.
 *
 *     make_jitlog_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "corpus.h"
#include "jitlog_builder.h"

#include <stdio.h>

static bool write_one(const char *folder, int version, unsigned addr_bytes)
{
    struct vf_error error;
    struct vf_buf path = {0};
    struct jitlog_builder b = jitlog_story(version, addr_bytes);
    vf_buf_printf(&path, "%s/v%d-%u.jitlog", folder, version, 8 * addr_bytes);
    vf_buf_add(&path, "", 1);
    bool good = vf_write_file(path.ptr, vf_buf_view(&b.out), &error) == VF_OK;
    if (!good)
        fprintf(stderr, "make_jitlog_corpus: %s: %s\n", path.ptr, error.text);
    vf_buf_release(&path);
    vf_buf_release(&b.out);
    return good;
}

static bool write_all(const char *folder)
{
    for (int version = 1; version <= 4; version++)
        for (unsigned addr_bytes = 4; addr_bytes <= 8; addr_bytes += 4)
            if (!write_one(folder, version, addr_bytes))
                return false;
    return true;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

/* Writes the seeds of fuzz_jitlog: the tests' log in every version, one file each.
 *
 *     make_jitlog_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "base/file.h"
#include "jitlog_builder.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

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

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: make_jitlog_corpus FOLDER STAMP\n");
        return 2;
    }
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST) {
        perror(argv[1]);
        return 1;
    }
    for (int version = 1; version <= 4; version++)
        for (unsigned addr_bytes = 4; addr_bytes <= 8; addr_bytes += 4)
            if (!write_one(argv[1], version, addr_bytes))
                return 1;
    return vf_write_file(argv[2], VF_STR("done\n"), NULL) == VF_OK ? 0 : 1;
}

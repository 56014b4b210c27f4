/* What the writers of seeds (make_*_corpus.c) have in common: they are called with a folder, which
 * is made where it is missing, and a stamp, which is written when all is done. */
#ifndef VF_TEST_FUZZ_CORPUS_H
#define VF_TEST_FUZZ_CORPUS_H

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static inline bool write_seed(const char *folder, const char *name, size_t number,
                              struct vf_str bytes)
{
    char path[4096];
    struct vf_error error;
    snprintf(path, sizeof path, "%s/%s-%zu", folder, name, number);
    if (vf_write_file(path, bytes, &error) == VF_OK)
        return true;
    fprintf(stderr, "%s: %s\n", path, error.text);
    return false;
}

/* The whole of main(). */
static inline int write_corpus(int argc, char **argv, bool (*write_all)(const char *folder))
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s FOLDER STAMP\n", argv[0]);
        return 2;
    }
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST) {
        perror(argv[1]);
        return 1;
    }
    return write_all(argv[1]) && vf_write_file(argv[2], VF_STR("done\n"), NULL) == VF_OK ? 0 : 1;
}

#endif

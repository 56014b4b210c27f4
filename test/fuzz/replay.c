/* Runs a fuzz target over corpus folders without libFuzzer: each file whole, and cut at 64 places.
 *
 *     replay FOLDER...
 *
 * Ends with 1 when no file was found: a corpus that is not there tests nothing. */
#include "fuzz.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>

enum { CUTS = 64 };

/* A block of just this size: a sanitizer sees a byte read behind it. */
static void run_cut(const struct vf_bytes *bytes, size_t len)
{
    uint8_t *copy = vf_alloc(len, 1);
    if (len)
        memcpy(copy, bytes->ptr, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static bool run_file(const char *path)
{
    struct vf_bytes bytes;
    struct vf_error error = {0};
    if (vf_bytes_map(path, &bytes, &error) != VF_OK) {
        fprintf(stderr, "replay: %s: %s\n", path, error.text);
        return false;
    }
    run_cut(&bytes, bytes.len);
    for (size_t i = 0; i < CUTS; i++)
        run_cut(&bytes, bytes.len * i / CUTS);
    vf_bytes_release(&bytes);
    return true;
}

/* How many files were run. */
static size_t run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t count = 0;
    struct dirent *entry;
    if (!dir) {
        perror(folder);
        return 0;
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        struct vf_buf path = {0};
        vf_buf_printf(&path, "%s/%s", folder, entry->d_name);
        vf_buf_add(&path, "", 1);
        count += run_file(path.ptr);
        vf_buf_release(&path);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++)
        files += run_folder(argv[i]);
    printf("%zu files, each whole and cut at %d places\n", files, CUTS);
    return files ? 0 : 1;
}

/* Any bytes at all as a recording, all the way to the finished file: a .prof, a gzipped one, a
 * .vmfox or a converter's zip, whatever they are taken for.  What is written must be JSON. */
#include "fuzz.h"

#include "capture/capture.h"
#include "output/firefox.h"
#include "profile/build.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { JSON_CHECKED_MAX = 1 << 20 }; /* larger ones are not parsed back: it would take too long */

/* Numbers are read as a browser reads them. */
enum { JSON_HOW = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL };

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_convert: %s\n", what);
    abort();
}

static void write_profile(const struct vf_profile *profile)
{
    struct vf_buf out = {0};
    vf_firefox_write(&out, profile);
    if (out.len <= JSON_CHECKED_MAX) {
        json_error_t why = {.text = ""};
        json_t *root = json_loadb(out.ptr, out.len, JSON_HOW, &why);
        if (!root)
            fprintf(stderr, "column %d: %s\n", why.column, why.text);
        check(root != NULL, "what is written is no JSON");
        json_decref(root);
    }
    vf_buf_release(&out);
}

static void check_order(const struct vf_profile *profile)
{
    check(profile->threads.len > 0, "no thread");
    for (size_t t = 0; t < profile->threads.len; t++) {
        const struct vf_thread *thread = &profile->threads.items[t];
        for (size_t i = 0; i < thread->samples.len; i++) {
            const struct vf_sample_row *row = &thread->samples.items[i];
            check(row->time_ms >= (i ? row[-1].time_ms : 0), "the times fall");
            check(row->stack.i == VF_NONE || row->stack.i < profile->stacks.stacks.len,
                  "a stack that is not there");
        }
    }
}

static void convert(const char *path)
{
    struct vf_capture capture;
    struct vf_profile profile;
    struct vf_warnings warnings = {0};
    struct vf_error error = {0};
    enum vf_status status = vf_capture_open(&capture, path, &warnings, &error);
    check(status != VF_FATAL || error.text[0], "refused without a word");
    if (status == VF_FATAL || capture.kind >= VF_CAPTURE_FINISHED_JSON) {
        vf_capture_release(&capture);
        return;
    }
    status = vf_profile_build(&profile, &capture, &warnings, &error);
    check(status != VF_FATAL || error.text[0], "no profile, without a word");
    if (status != VF_FATAL) {
        check_order(&profile);
        write_profile(&profile);
    }
    vf_profile_release(&profile);
    vf_capture_release(&capture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("recording", MFD_CLOEXEC);
    check(fd >= 0, "no memory file");
    check(vf_write_fd(fd, (struct vf_str){(const char *)data, size}, NULL) == VF_OK, "not written");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    convert(path);
    close(fd);
    return 0;
}

/* Any bytes at all as a recording, all the way to the finished file: a .prof, a gzipped one, a
 * .vmfox or a converter's zip, whatever they are taken for.  What is written must be JSON. */
#include "fuzz.h"

#include "capture/capture.h"
#include "output/firefox.h"
#include "profile/build.h"

#include <jansson.h>
#include <math.h>
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
    vf_firefox_write(&out, profile, 0, NULL);
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

/* What looks like PyPy's log in the bytes is taken for the recording's, and with an odd length it
 * has a clock too: so that the runtime's side is tried without a zip around it. */
static void add_log(struct vf_capture *capture, struct vf_buf *stamps)
{
    static const int64_t pairs[3][3] = {
        {1000, 1, 20}, {500000000, 1 << 30, 20}, {900000000, 1ll << 31, 30}};
    const char *log = capture->prof.len ? memchr(capture->prof.ptr, '[', capture->prof.len) : NULL;
    if (!log || capture->pypylog.len)
        return;
    capture->pypylog = (struct vf_str){log, capture->prof.len - (size_t)(log - capture->prof.ptr)};
    if (capture->prof.len % 2 == 0)
        return;
    for (int64_t i = 0; i < 64; i++) {
        int64_t stamp = 1000 + i * 10000000;
        vf_buf_add(stamps, &stamp, sizeof stamp);
    }
    capture->stamps = vf_buf_view(stamps);
    capture->info.start_monotonic_ns = 1000;
    capture->info.end_monotonic_ns = 900000000;
    capture->pairs = (struct vf_str){(const char *)pairs, sizeof pairs};
}

static double total_weight(const struct vf_profile *profile)
{
    double sum = 0;
    for (size_t t = 0; t < profile->threads.len; t++)
        for (size_t i = 0; i < profile->threads.items[t].samples.len; i++)
            sum += (double)profile->threads.items[t].samples.items[i].weight;
    return sum;
}

static void check_slabs(const struct vf_profile *profile)
{
    static const char magic[] = "\xDC\xDFJSLB";
    struct vf_buf out = {0};
    if (vf_firefox_write(&out, profile, VF_FIREFOX_SLABS, NULL) != VF_FATAL)
        check(out.len > 20 && memcmp(out.ptr, magic, 6) == 0, "what is written are no slabs");
    vf_buf_release(&out);
}

/* A part of it, and fewer samples: which, the bytes decide. */
static void build_part(const struct vf_capture *capture, const struct vf_profile *whole)
{
    struct vf_profile part, thin;
    struct vf_error error = {0};
    struct vf_build_options options = {.max_samples = 1 + capture->prof.len % 13};
    enum vf_status status = vf_profile_build(&thin, capture, &options, NULL, &error);
    check(status != VF_FATAL, "can't be thinned");
    check_order(&thin);
    check_slabs(&thin);
    double sum = total_weight(whole), thinned = total_weight(&thin);
    check(!(fabs(sum - thinned) > 1e-3 * (fabs(sum) + 1)), "weight was lost");
    vf_profile_release(&thin);
    options.window.from_ms = whole->end_ms * (double)(capture->prof.len % 5) / 5;
    options.window.to_ms = options.window.from_ms + whole->end_ms / 3;
    if (capture->prof.len % 2)
        options.window.threads = VF_STR("MainThread,2");
    status = vf_profile_build(&part, capture, &options, NULL, &error);
    check(status != VF_FATAL || error.text[0], "no part, without a word");
    if (status != VF_FATAL) {
        for (size_t t = 0; t < part.threads.len; t++)
            for (size_t i = 1; i < part.threads.items[t].samples.len; i++)
                check(part.threads.items[t].samples.items[i].time_ms >=
                          part.threads.items[t].samples.items[i - 1].time_ms,
                      "the times of a part fall");
        write_profile(&part);
        check_slabs(&part);
    }
    vf_profile_release(&part);
}

static void convert(const char *path)
{
    struct vf_capture capture;
    struct vf_profile profile;
    struct vf_warnings warnings = {0};
    struct vf_error error = {0};
    struct vf_buf stamps = {0};
    enum vf_status status = vf_capture_open(&capture, path, &warnings, &error);
    check(status != VF_FATAL || error.text[0], "refused without a word");
    if (status == VF_FATAL || capture.kind >= VF_CAPTURE_FINISHED_JSON) {
        vf_capture_release(&capture);
        return;
    }
    add_log(&capture, &stamps);
    status = vf_profile_build(&profile, &capture, NULL, &warnings, &error);
    check(status != VF_FATAL || error.text[0], "no profile, without a word");
    if (status != VF_FATAL) {
        check_order(&profile);
        write_profile(&profile);
        build_part(&capture, &profile);
    }
    vf_profile_release(&profile);
    vf_capture_release(&capture);
    vf_buf_release(&stamps);
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

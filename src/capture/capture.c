#include "capture/capture.h"

#include "base/jslb.h"
#include "capture/vmprof.h"

#include <sys/file.h>
#include <unistd.h>

uint64_t vf_inflated_max(size_t packed_bytes)
{
    const uint64_t always = (uint64_t)1 << 30;
    if (packed_bytes > VF_INFLATED_MAX / VF_INFLATED_RATIO)
        return VF_INFLATED_MAX;
    uint64_t most = (uint64_t)packed_bytes * VF_INFLATED_RATIO;
    return most > always ? most : always;
}

static bool is_zip(const struct vf_bytes *b)
{
    return b->len >= 4 && b->ptr[0] == 'P' && b->ptr[1] == 'K' &&
           ((b->ptr[2] == 3 && b->ptr[3] == 4) || (b->ptr[2] == 5 && b->ptr[3] == 6));
}

static bool is_jslb(const struct vf_bytes *b)
{
    static const char magic[] = VF_JSLB_MAGIC;
    return b->len >= sizeof magic && memcmp(b->ptr, magic, sizeof magic) == 0;
}

static bool is_json_object(const struct vf_bytes *b)
{
    size_t i = 0;
    while (i < b->len && memchr(" \t\r\n", b->ptr[i], 4))
        i++;
    return i < b->len && b->ptr[i] == '{';
}

/* The kind of what lies in a gzip file, or of the file itself. */
static enum vf_status open_plain(struct vf_capture *capture, const struct vf_bytes *content,
                                 struct vf_error *error)
{
    if (is_jslb(content)) {
        capture->kind = VF_CAPTURE_FINISHED_JSLB;
        return VF_OK;
    }
    if (is_json_object(content)) {
        capture->kind = VF_CAPTURE_FINISHED_JSON;
        return VF_OK;
    }
    struct vf_vmprof v;
    capture->kind = VF_CAPTURE_PROF;
    if (content->len && !vf_vmprof_sniff(content->ptr, content->len) && content->len >= 16)
        return vf_fail_at(error, 0,
                          "expected a VMProf file (.prof), a .vmfox, a zip of "
                          "vmprof-firefox-converter or a Firefox Profiler file, found other data");
    return vf_vmprof_open(&v, content->ptr, content->len, error);
}

/* Some file systems know no locks, and who has one of his own on it takes care of it himself. */
static enum vf_status open_held(struct vf_capture *capture, const char *path,
                                struct vf_error *error)
{
    int fd = vf_bytes_open(path, error);
    if (fd < 0)
        return VF_FATAL;
    capture->held = fd + 1;
    flock(fd, LOCK_SH | LOCK_NB);
    return vf_bytes_map_fd(fd, &capture->file, error);
}

enum vf_status vf_capture_open(struct vf_capture *capture, const char *path,
                               struct vf_warnings *warnings, struct vf_error *error)
{
    *capture = (struct vf_capture){0};
    enum vf_status status = open_held(capture, path, error);
    if (status == VF_FATAL)
        return status;
    if (is_zip(&capture->file))
        return vf_bundle_open(capture, warnings, error);
    if (!vf_is_gzip(&capture->file)) {
        status = open_plain(capture, &capture->file, error);
        capture->prof = vf_bytes_view(&capture->file);
        return status;
    }
    struct vf_bytes packed;
    status = vf_bytes_map_fd(capture->held - 1, &packed, error);
    if (status != VF_FATAL)
        status = vf_gunzip(&packed, vf_inflated_max(packed.len), warnings, error);
    if (status == VF_FATAL) {
        vf_bytes_release(&packed);
        return status;
    }
    if (status == VF_WARN && packed.len == 0) {
        vf_bytes_release(&packed);
        return vf_fail(error, "expected gzip data, found damaged or cut ones: nothing in them can "
                              "be inflated");
    }
    enum vf_status opened = open_plain(capture, &packed, error);
    if (opened == VF_OK && capture->kind != VF_CAPTURE_PROF) {
        vf_bytes_release(&packed); /* a finished file is served as it came */
        return VF_OK;
    }
    vf_bytes_release(&capture->file);
    capture->file = packed;
    capture->prof = vf_bytes_view(&packed);
    return opened == VF_OK ? status : opened;
}

static enum vf_status add_file(struct vf_capture *capture, const char *path, struct vf_str *out,
                               struct vf_warnings *warnings, struct vf_error *error)
{
    struct vf_bytes bytes;
    if (!path)
        return VF_OK;
    if (vf_bytes_map(path, &bytes, error) == VF_FATAL)
        return VF_FATAL;
    if (vf_is_gzip(&bytes) &&
        vf_gunzip(&bytes, vf_inflated_max(bytes.len), warnings, error) == VF_FATAL) {
        vf_bytes_release(&bytes);
        return VF_FATAL;
    }
    VF_APPEND(&capture->members, bytes);
    *out = bytes.ptr ? vf_bytes_view(&bytes) : VF_STR(""); /* empty, but given */
    return VF_OK;
}

enum vf_status vf_capture_add_companions(struct vf_capture *capture, const char *jitlog_path,
                                         const char *pypylog_path, struct vf_warnings *warnings,
                                         struct vf_error *error)
{
    capture->jitlog_given |= jitlog_path != NULL;
    if (add_file(capture, jitlog_path, &capture->jitlog, warnings, error) == VF_FATAL)
        return VF_FATAL;
    return add_file(capture, pypylog_path, &capture->pypylog, warnings, error);
}

void vf_capture_finish_checks(struct vf_capture *capture, struct vf_warnings *warnings)
{
    vf_zip_check_finish(&capture->check, warnings);
}

void vf_capture_release(struct vf_capture *capture)
{
    vf_zip_check_finish(&capture->check, NULL);
    for (size_t i = 0; i < capture->members.len; i++)
        vf_bytes_release(&capture->members.items[i]);
    free(capture->members.items);
    free(capture->sources.items);
    free(capture->info.threads.items);
    free(capture->info.modules.items);
    vf_arena_release(&capture->arena);
    vf_bytes_release(&capture->file);
    if (capture->held)
        close(capture->held - 1);
    *capture = (struct vf_capture){0};
}

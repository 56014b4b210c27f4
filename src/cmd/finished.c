#include "cmd/finished.h"

#include "base/sink.h"
#include "finished/file.h"
#include "finished/slabs.h"

#include <errno.h>
#include <unistd.h>

/* The file as it was before it was gzipped. */
static enum vf_status unpack(struct vf_finished_text *text, const struct vf_capture *capture,
                             struct vf_warnings *warnings, struct vf_error *error)
{
    enum vf_status status = VF_OK;
    text->bytes = (struct vf_bytes){capture->file.ptr, capture->file.len, VF_BYTES_BORROWED};
    if (vf_is_gzip(&text->bytes))
        status = vf_gunzip(&text->bytes, VF_INFLATED_MAX, warnings, error);
    text->text = vf_bytes_view(&text->bytes);
    return status == VF_FATAL ? VF_FATAL : VF_OK;
}

static enum vf_status read_root(struct vf_finished_text *text, const struct vf_capture *capture,
                                struct vf_warnings *warnings, struct vf_error *error)
{
    struct vf_slabs slabs;
    *text = (struct vf_finished_text){0};
    enum vf_status status = unpack(text, capture, warnings, error);
    if (status != VF_OK || capture->kind != VF_CAPTURE_FINISHED_JSLB)
        return status;
    status = vf_slabs_open(&slabs, text->text, error);
    text->text = status == VF_OK ? vf_slabs_root(&slabs) : VF_STR("");
    return status;
}

enum vf_status vf_finished_text_root(struct vf_finished_text *text,
                                     const struct vf_capture *capture, struct vf_error *error)
{
    return read_root(text, capture, NULL, error);
}

bool vf_finished_is_sound(const char *name, const struct vf_capture *capture)
{
    struct vf_error error;
    struct vf_warnings warnings = {0};
    struct vf_finished_text text;
    enum vf_status status = read_root(&text, capture, &warnings, &error);
    if (status == VF_OK && warnings.count) {
        error = warnings.items[0];
        status = VF_FATAL;
    }
    if (status == VF_OK)
        status = vf_finished_ends(text.text, &error);
    if (status != VF_OK)
        vf_say_error(name, &error, 0);
    vf_finished_text_release(&text);
    return status == VF_OK;
}

/* ---- slabs into a file without a name ---------------------------------------------------------
 */

struct drain {
    int fd;
    enum vf_status status;
    struct vf_error *error;
};

static void drain(void *context, struct vf_buf *buf)
{
    struct drain *d = context;
    if (d->status == VF_OK)
        d->status = vf_write_fd(d->fd, vf_buf_view(buf), d->error);
    buf->len = 0;
}

static enum vf_status write_unfolded(const struct vf_slabs *slabs, int fd, struct vf_bytes *out,
                                     struct vf_error *error)
{
    enum { PIECE = 1 << 20 };
    struct drain d = {.fd = fd, .error = error};
    struct vf_buf buf = {
        .ptr = vf_alloc(PIECE, 1), .cap = PIECE, .drain = drain, .drain_context = &d};
    enum vf_status status = vf_slabs_to_json(slabs, &buf, error);
    drain(&d, &buf);
    vf_buf_release(&buf);
    if (status == VF_OK)
        status = d.status;
    return status == VF_OK ? vf_bytes_map_fd(fd, out, error) : status;
}

/* The text is several times the slabs: it costs disk and not memory, as what is gunzipped does. */
enum vf_status vf_finished_text_json(struct vf_finished_text *text,
                                     const struct vf_capture *capture, struct vf_error *error)
{
    struct vf_slabs slabs;
    struct vf_bytes unfolded = {0};
    *text = (struct vf_finished_text){0};
    enum vf_status status = unpack(text, capture, NULL, error);
    if (status == VF_OK && capture->kind == VF_CAPTURE_FINISHED_JSLB)
        status = vf_slabs_open(&slabs, text->text, error);
    if (status != VF_OK || capture->kind != VF_CAPTURE_FINISHED_JSLB)
        return status;
    int fd = vf_temp_file();
    if (fd < 0)
        return vf_fail_errno(error, errno, "no temporary file for the profile's text");
    status = write_unfolded(&slabs, fd, &unfolded, error);
    close(fd);
    vf_bytes_release(&text->bytes);
    text->bytes = unfolded;
    text->text = vf_bytes_view(&unfolded);
    return status;
}

void vf_finished_text_release(struct vf_finished_text *text)
{
    vf_bytes_release(&text->bytes);
    *text = (struct vf_finished_text){0};
}

/* ---- slabs into a file ------------------------------------------------------------------------
 */

static bool write_json(const struct vf_conversion *c, const struct vf_slabs *slabs, uint64_t *bytes)
{
    struct vf_error error;
    const char *name = strcmp(c->out, "-") == 0 ? "standard output" : c->out;
    struct vf_sink *sink = vf_sink_open(c->out, c->format.gzip, &error);
    if (!sink)
        return vf_say_error(name, &error, false);
    struct vf_buf buf = vf_sink_buf(sink);
    if (vf_slabs_to_json(slabs, &buf, &error) != VF_OK) {
        vf_sink_abandon(sink, &buf);
        return vf_say_error(c->in, &error, false);
    }
    if (vf_sink_close(sink, &buf, bytes, &error) != VF_OK)
        return vf_say_error(name, &error, false);
    return true;
}

bool vf_finished_convert(const struct vf_conversion *c, const struct vf_capture *capture,
                         uint64_t *bytes)
{
    struct vf_error error;
    struct vf_slabs slabs;
    struct vf_finished_text text = {0};
    bool good = unpack(&text, capture, NULL, &error) == VF_OK &&
                vf_slabs_open(&slabs, text.text, &error) == VF_OK;
    if (good)
        good = write_json(c, &slabs, bytes);
    else
        vf_say_error(c->in, &error, 0);
    vf_finished_text_release(&text);
    return good;
}

bool vf_finished_is_whole(const char *name, const struct vf_args *args)
{
    static const char *const cutting[] = {"from", "to", "thread", "pid", "max-samples"};
    for (size_t i = 0; i < sizeof cutting / sizeof *cutting; i++)
        if (vf_args_has(args, cutting[i])) {
            vf_say("%s: is a Firefox Profiler file already: --%s needs the recording", name,
                   cutting[i]);
            return false;
        }
    return true;
}

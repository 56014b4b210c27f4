#include "record/zip_ends.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { OUT_BYTES = 1 << 18 };

/* ---- out ------------------------------------------------------------------------------------- */

static zip_int64_t out_fails(struct vf_zip_out *out, int code, int why)
{
    zip_error_set(&out->error, code, why);
    if (code == ZIP_ER_WRITE && !out->why)
        out->why = why;
    return -1;
}

static bool out_flush(struct vf_zip_out *out)
{
    struct vf_error error;
    enum vf_status status = vf_write_fd(out->fd, vf_buf_view(&out->waiting), &error);
    int why = errno;
    out->waiting.len = 0;
    if (status != VF_OK)
        out_fails(out, ZIP_ER_WRITE, why);
    return status == VF_OK;
}

static zip_int64_t out_write(struct vf_zip_out *out, const void *bytes, zip_uint64_t len)
{
    vf_buf_add(&out->waiting, bytes, len);
    out->pos += (zip_int64_t)len;
    if (out->pos > out->len)
        out->len = out->pos;
    if (out->waiting.len >= OUT_BYTES && !out_flush(out))
        return -1;
    return (zip_int64_t)len;
}

static zip_int64_t out_seek(struct vf_zip_out *out, void *where, zip_uint64_t size)
{
    if (!out_flush(out))
        return -1;
    zip_int64_t to = zip_source_seek_compute_offset((zip_uint64_t)out->pos, (zip_uint64_t)out->len,
                                                    where, size, &out->error);
    if (to < 0)
        return -1;
    if (lseek(out->fd, to, SEEK_SET) != to)
        return out_fails(out, ZIP_ER_SEEK, errno);
    out->pos = to;
    return 0;
}

static zip_int64_t out_call(void *context, void *data, zip_uint64_t len, zip_source_cmd_t command)
{
    struct vf_zip_out *out = context;
    switch ((int)command) {
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_WRITE:
        return out_write(out, data, len);
    case ZIP_SOURCE_SEEK_WRITE:
        return out_seek(out, data, len);
    case ZIP_SOURCE_TELL_WRITE:
        return out->pos;
    case ZIP_SOURCE_COMMIT_WRITE:
        return out_flush(out) ? 0 : -1;
    case ZIP_SOURCE_STAT: /* so that libzip begins a new one */
        return out_fails(out, ZIP_ER_READ, ENOENT);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&out->error, data, len);
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
    default:
        return out_fails(out, ZIP_ER_OPNOTSUPP, 0);
    }
}

zip_t *vf_zip_out_open(struct vf_zip_out *out, int fd)
{
    zip_error_t error;
    *out = (struct vf_zip_out){.fd = fd};
    zip_error_init(&out->error);
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(out_call, out, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    if (source && !zip)
        zip_source_free(source);
    zip_error_fini(&error);
    return zip;
}

void vf_zip_out_release(struct vf_zip_out *out)
{
    vf_buf_release(&out->waiting);
    zip_error_fini(&out->error);
}

/* ---- in -------------------------------------------------------------------------------------- */

struct in {
    int folder, held, fd;
    const char *name;
    uint64_t file_bytes, pos;
    struct vf_str tail;
    zip_error_t error;
};

static zip_int64_t in_read(struct in *in, void *data, zip_uint64_t len)
{
    if (in->pos < in->file_bytes) {
        uint64_t left = in->file_bytes - in->pos;
        ssize_t got;
        do
            got = pread(in->fd, data, left < len ? left : len, (off_t)in->pos);
        while (got < 0 && errno == EINTR);
        if (got > 0) {
            in->pos += (uint64_t)got;
            return got;
        }
        zip_error_set(&in->error, ZIP_ER_READ, got < 0 ? errno : EIO);
        return -1;
    }
    uint64_t at = in->pos - in->file_bytes, left = in->tail.len - at;
    if (len > left)
        len = left;
    if (len)
        memcpy(data, in->tail.ptr + at, len);
    in->pos += len;
    return (zip_int64_t)len;
}

static zip_int64_t in_open(struct in *in)
{
    in->pos = 0;
    if (in->file_bytes == 0)
        return 0;
    in->fd = in->held;
    if (in->held >= 0)
        return 0;
    in->fd = openat(in->folder, in->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (in->fd >= 0)
        return 0;
    zip_error_set(&in->error, ZIP_ER_OPEN, errno);
    return -1;
}

static zip_int64_t in_close(struct in *in)
{
    if (in->fd >= 0 && in->fd != in->held)
        close(in->fd);
    in->fd = -1;
    return 0;
}

static zip_int64_t in_stat(const struct in *in, zip_stat_t *st)
{
    zip_stat_init(st);
    st->size = in->file_bytes + in->tail.len;
    st->valid |= ZIP_STAT_SIZE;
    return (zip_int64_t)sizeof *st;
}

static zip_int64_t in_call(void *context, void *data, zip_uint64_t len, zip_source_cmd_t command)
{
    struct in *in = context;
    switch ((int)command) {
    case ZIP_SOURCE_OPEN:
        return in_open(in);
    case ZIP_SOURCE_READ:
        return in_read(in, data, len);
    case ZIP_SOURCE_CLOSE:
        return in_close(in);
    case ZIP_SOURCE_STAT:
        return in_stat(in, data);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&in->error, data, len);
    case ZIP_SOURCE_FREE:
        in_close(in);
        zip_error_fini(&in->error);
        free(in);
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              -1);
    default:
        zip_error_set(&in->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

zip_source_t *vf_zip_in(zip_t *zip, int folder, const char *name, int held, uint64_t bytes,
                        struct vf_str tail)
{
    struct in *in = vf_alloc_zeroed(1, sizeof *in);
    *in = (struct in){
        .folder = folder, .held = held, .fd = -1, .name = name, .file_bytes = bytes, .tail = tail};
    zip_error_init(&in->error);
    zip_source_t *source = zip_source_function(zip, in_call, in);
    if (!source)
        free(in);
    return source;
}

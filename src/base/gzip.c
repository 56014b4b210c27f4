#include "base/file.h"
#include "base/progress.h"

#include <errno.h>
#include <libdeflate.h>
#include <unistd.h>
#include <zlib.h>

enum { INFLATE_STEP = 256 * 1024 };

struct inflater {
    z_stream z;
    struct vf_bytes *in;
    uint64_t wrote, limit;
    int fd;
    unsigned char *step;
};

/* Inflates one gzip member; Z_STREAM_END, or another zlib code where it is cut or damaged. */
static int inflate_member(struct inflater *f, struct vf_error *error, enum vf_status *status)
{
    int code;
    do {
        f->z.next_out = f->step;
        f->z.avail_out = INFLATE_STEP;
        code = inflate(&f->z, Z_NO_FLUSH);
        size_t made = INFLATE_STEP - f->z.avail_out;
        vf_progress_set((uint64_t)(f->z.next_in - f->in->ptr));
        f->wrote += made;
        if (f->wrote > f->limit) {
            *status = vf_fail(error, "inflates to more than %llu bytes, the limit",
                              (unsigned long long)f->limit);
            return Z_DATA_ERROR;
        }
        *status = vf_write_fd(f->fd, (struct vf_str){(const char *)f->step, made}, error);
        if (*status != VF_OK)
            return Z_DATA_ERROR;
    } while (code == Z_OK && (f->z.avail_in || f->z.avail_out == 0));
    return code;
}

static enum vf_status inflate_all(struct inflater *f, struct vf_warnings *warnings,
                                  struct vf_error *error)
{
    enum vf_status status = VF_OK;
    const unsigned char *in = f->in->ptr;
    size_t left = f->in->len;
    for (;;) {
        /* zlib counts in 32 bits: feed it at most 1 GiB at a time. */
        unsigned chunk = left > (1u << 30) ? 1u << 30 : (unsigned)left;
        f->z.next_in = (Bytef *)(uintptr_t)in;
        f->z.avail_in = chunk;
        int code = inflate_member(f, error, &status);
        if (status != VF_OK)
            return status;
        size_t used = chunk - f->z.avail_in;
        in += used;
        left -= used;
        if ((code == Z_OK || code == Z_BUF_ERROR) && left > 0 && used > 0)
            continue;
        if (code == Z_STREAM_END && left >= 2 && in[0] == 0x1f && in[1] == 0x8b) {
            inflateReset(&f->z);
            continue;
        }
        if (code != Z_STREAM_END) {
            struct vf_error cut;
            vf_fail_at(&cut, (uint64_t)(in - f->in->ptr),
                       "the gzip stream is %s; kept the first %llu bytes in it",
                       code == Z_DATA_ERROR ? "damaged" : "cut", (unsigned long long)f->wrote);
            vf_warn_error(warnings, &cut);
            return VF_WARN;
        }
        return VF_OK;
    }
}

enum vf_status vf_gunzip(struct vf_bytes *bytes, uint64_t limit, struct vf_warnings *warnings,
                         struct vf_error *error)
{
    struct inflater f = {.in = bytes, .limit = limit, .fd = vf_temp_file()};
    if (f.fd < 0)
        return vf_fail_errno(error, errno, "no temporary file for the inflated data");
    enum vf_status status;
    if (inflateInit2(&f.z, 15 + 16) != Z_OK) {
        close(f.fd);
        return vf_fail(error, "zlib can't be started");
    }
    f.step = vf_alloc(INFLATE_STEP, 1);
    vf_progress_begin("unpacking %s", VF_PROGRESS_BYTES, bytes->len);
    status = inflate_all(&f, warnings, error);
    inflateEnd(&f.z);
    free(f.step);
    if (status != VF_FATAL) {
        struct vf_bytes inflated;
        if (vf_bytes_map_fd(f.fd, &inflated, error) == VF_FATAL) {
            status = VF_FATAL;
        } else {
            vf_bytes_release(bytes);
            *bytes = inflated;
        }
    }
    close(f.fd);
    return status;
}

enum vf_status vf_gzip(struct vf_str text, struct vf_buf *out, struct vf_error *error)
{
    /* Level 6 of libdeflate is smaller and three times faster than zlib's 6. */
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    if (!compressor)
        return vf_fail(error, "libdeflate can't be started");
    size_t bound = libdeflate_gzip_compress_bound(compressor, text.len);
    char *to = vf_buf_reserve(out, bound);
    vf_progress_begin("compressing", VF_PROGRESS_PARTS, 0);
    size_t made = libdeflate_gzip_compress(compressor, text.ptr, text.len, to, bound);
    libdeflate_free_compressor(compressor);
    if (made == 0)
        return vf_fail(error, "libdeflate could not compress %zu bytes", text.len);
    out->len += made;
    return VF_OK;
}

#include "base/sink.h"

#include "base/file.h"
#include "base/thread.h"
#include "base/progress.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>
#include <unistd.h>

enum {
    PIECE = 1 << 20,       /* of what is made */
    PACKED_STEP = 1 << 17, /* of what is written */
    LEVEL = 2,             /* igzip's: as small as libdeflate's 3, five times as fast */
};

struct vf_sink {
    bool gzip, to_file, to_stdout;
    struct vf_new_file file;
    struct vf_buf memory;
    uint64_t made, written;
    enum vf_status status; /* of what has been written; the thread's while it runs */
    struct vf_error error;

    struct isal_zstream stream;
    unsigned char *level_buf, *packed;

    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct vf_buf waiting; /* a piece that the thread is to take */
    struct vf_buf spare;   /* one that it is done with */
    bool has_waiting, ending;
};

/* ---- where the bytes go -----------------------------------------------------------------------
 */

static void put(struct vf_sink *sink, const void *bytes, size_t len)
{
    if (sink->status != VF_OK)
        return;
    sink->written += len;
    if (sink->to_file)
        sink->status = vf_write_fd(sink->file.fd, (struct vf_str){bytes, len}, &sink->error);
    else
        vf_buf_add(&sink->memory, bytes, len);
}

static void start_gzip(struct vf_sink *sink)
{
    sink->level_buf = vf_alloc(ISAL_DEF_LVL2_DEFAULT, 1);
    sink->packed = vf_alloc(PACKED_STEP, 1);
    isal_deflate_init(&sink->stream);
    sink->stream.level = LEVEL;
    sink->stream.level_buf = sink->level_buf;
    sink->stream.level_buf_size = ISAL_DEF_LVL2_DEFAULT;
    sink->stream.gzip_flag = IGZIP_GZIP;
}

static void pack(struct vf_sink *sink, const char *bytes, size_t len, bool last)
{
    struct isal_zstream *z = &sink->stream;
    const size_t most = 1u << 30; /* it counts in 32 bits */
    do {
        size_t now = len < most ? len : most;
        z->next_in = (uint8_t *)(uintptr_t)bytes;
        z->avail_in = (uint32_t)now;
        z->end_of_stream = last && now == len;
        do {
            z->next_out = sink->packed;
            z->avail_out = PACKED_STEP;
            if (isal_deflate(z) != COMP_OK && sink->status == VF_OK)
                sink->status = vf_fail(&sink->error, "can't be gzipped");
            put(sink, sink->packed, PACKED_STEP - z->avail_out);
        } while (z->avail_out == 0 && sink->status == VF_OK);
        bytes += now;
        len -= now;
    } while (len && sink->status == VF_OK);
}

static void take(struct vf_sink *sink, const struct vf_buf *piece, bool last)
{
    if (sink->gzip)
        pack(sink, piece->ptr, piece->len, last);
    else
        put(sink, piece->ptr, piece->len);
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static void *work(void *context)
{
    struct vf_sink *sink = context;
    bool last = false;
    while (!last) {
        pthread_mutex_lock(&sink->lock);
        while (!sink->has_waiting)
            pthread_cond_wait(&sink->changed, &sink->lock);
        struct vf_buf piece = sink->waiting;
        last = sink->ending;
        sink->has_waiting = false;
        pthread_cond_signal(&sink->changed);
        pthread_mutex_unlock(&sink->lock);
        take(sink, &piece, last);
        pthread_mutex_lock(&sink->lock);
        if (sink->spare.ptr)
            free(piece.ptr);
        else
            sink->spare = (struct vf_buf){.ptr = piece.ptr, .cap = piece.cap};
        pthread_mutex_unlock(&sink->lock);
    }
    return NULL;
}

static void start_thread(struct vf_sink *sink)
{
    if (sink->gzip)
        start_gzip(sink);
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->changed, NULL);
    int code = vf_thread_start(&sink->thread, work, sink);
    if (code != 0 && sink->status == VF_OK)
        sink->status = vf_fail_errno(&sink->error, code, "can't be written: no thread");
    sink->threaded = code == 0;
}

/* Gives a piece to the thread and takes the memory of one that it is done with. */
static void hand_over(struct vf_sink *sink, struct vf_buf *buf, bool last)
{
    pthread_mutex_lock(&sink->lock);
    while (sink->has_waiting)
        pthread_cond_wait(&sink->changed, &sink->lock);
    sink->waiting = *buf;
    sink->has_waiting = true;
    sink->ending = last;
    buf->ptr = sink->spare.ptr;
    buf->cap = sink->spare.cap;
    buf->len = 0;
    sink->spare = (struct vf_buf){0};
    pthread_cond_signal(&sink->changed);
    pthread_mutex_unlock(&sink->lock);
}

static void drain(void *context, struct vf_buf *buf)
{
    struct vf_sink *sink = context;
    sink->made += buf->len;
    vf_progress_set(sink->made);
    if (!sink->threaded && sink->status == VF_OK)
        start_thread(sink);
    if (sink->threaded)
        hand_over(sink, buf, false);
    else
        buf->len = 0; /* it has gone wrong already */
    if (!buf->ptr) {
        buf->ptr = vf_alloc(PIECE, 1);
        buf->cap = PIECE;
    }
}

/* ---- all of it --------------------------------------------------------------------------------
 */

struct vf_sink *vf_sink_open_memory(bool gzip)
{
    struct vf_sink *sink = vf_alloc_zeroed(1, sizeof *sink);
    sink->gzip = gzip;
    sink->file.fd = -1;
    return sink;
}

struct vf_sink *vf_sink_open(const char *path, bool gzip, struct vf_error *error)
{
    struct vf_sink *sink = vf_sink_open_memory(gzip);
    sink->to_file = true;
    sink->to_stdout = strcmp(path, "-") == 0;
    if (sink->to_stdout)
        sink->file.fd = STDOUT_FILENO;
    else if (vf_new_file_open(&sink->file, path, error) == VF_FATAL) {
        free(sink);
        return NULL;
    }
    return sink;
}

struct vf_buf vf_sink_buf(struct vf_sink *sink)
{
    return (struct vf_buf){
        .ptr = vf_alloc(PIECE, 1), .cap = PIECE, .drain = drain, .drain_context = sink};
}

/* All is in `buf`: worth the best compression. */
static void take_whole(struct vf_sink *sink, const struct vf_buf *buf)
{
    struct vf_buf packed = {0};
    if (!sink->gzip) {
        put(sink, buf->ptr, buf->len);
        return;
    }
    if (sink->status == VF_OK)
        sink->status = vf_gzip(vf_buf_view(buf), &packed, &sink->error);
    put(sink, packed.ptr, packed.len);
    vf_buf_release(&packed);
}

static void finish(struct vf_sink *sink, struct vf_buf *buf)
{
    if (sink->threaded) {
        hand_over(sink, buf, true);
        pthread_join(sink->thread, NULL);
        pthread_mutex_destroy(&sink->lock);
        pthread_cond_destroy(&sink->changed);
    } else {
        take_whole(sink, buf);
    }
    free(sink->spare.ptr);
    free(sink->level_buf);
    free(sink->packed);
    vf_buf_release(buf);
}

enum vf_status vf_sink_close_memory(struct vf_sink *sink, struct vf_buf *buf, struct vf_buf *out,
                                    struct vf_error *error)
{
    finish(sink, buf);
    enum vf_status status = sink->status;
    *out = sink->memory;
    if (status != VF_OK && error)
        *error = sink->error;
    free(sink);
    return status;
}

static enum vf_status close_file(struct vf_sink *sink, struct vf_buf *buf, bool keep,
                                 struct vf_error *error)
{
    finish(sink, buf);
    enum vf_status status = sink->status;
    if (status != VF_OK && error)
        *error = sink->error;
    if (!sink->to_stdout) {
        keep = keep && status == VF_OK;
        enum vf_status finished = vf_new_file_finish(&sink->file, keep, keep ? error : NULL);
        status = status == VF_OK ? finished : status;
    }
    return status;
}

enum vf_status vf_sink_close(struct vf_sink *sink, struct vf_buf *buf, uint64_t *bytes,
                             struct vf_error *error)
{
    enum vf_status status = close_file(sink, buf, true, error);
    if (bytes)
        *bytes = sink->written;
    free(sink);
    return status;
}

void vf_sink_abandon(struct vf_sink *sink, struct vf_buf *buf)
{
    buf->len = 0;
    close_file(sink, buf, false, NULL);
    vf_buf_release(&sink->memory);
    free(sink);
}

#include "capture/vmprof.h"

#include <math.h>

enum {
    MARKER_SAMPLE = 0x01,
    MARKER_CODE_NAME = 0x02,
    MARKER_TRAILER = 0x03,
    MARKER_INTERPRETER = 0x04,
    MARKER_HEADER = 0x05,
    MARKER_START_TIME = 0x06,
    MARKER_META = 0x07,
    MARKER_NATIVE_NAME = 0x08,
    MARKER_ALLOCATION = 0x09,
    MARKER_OBJECT_INFO = 0x0a,
};

enum {
    VERSION_THREAD_ID = 1,
    VERSION_MEMORY = 3,
    VERSION_MODE = 4,
    VERSION_END_TIME = 5,
    VERSION_SAMPLE_TIME = 7,
};

/* VMProf itself stops at 2^16 frames; twice that for the words of a pair. */
enum { MAX_STACK_WORDS = 1 << 18 };

/* ---- the static header ---------------------------------------------------------------------- */

struct layout {
    unsigned word_bytes, addr_bytes;
    bool big_endian;
};

static bool find_layout(const unsigned char *p, size_t len, struct layout *out)
{
    /* The second word is 3, the first is 0: where the 3 stands gives the size of a word. */
    if (len >= 16 && vf_load_le(p, 8) == 0 && p[15] == 3 && vf_load_le(p + 8, 7) == 0) {
        *out = (struct layout){8, 8, true};
        return true;
    }
    if (len >= 8 && vf_load_u32(p) == 0 && vf_load_le(p + 4, 3) == 0 && p[7] == 3) {
        *out = (struct layout){4, 4, true};
        return true;
    }
    if (len >= 16 && vf_load_u64(p) == 0 && vf_load_u64(p + 8) == 3) {
        *out = (struct layout){8, 8, false};
        return true;
    }
    if (len >= 8 && vf_load_u32(p) == 0 && vf_load_u32(p + 4) == 3) {
        bool win64 = len >= 20 && vf_load_u32(p + 16) == 1;
        *out = (struct layout){4, win64 ? 8 : 4, false};
        return true;
    }
    return false;
}

bool vf_vmprof_sniff(const void *bytes, size_t len)
{
    struct layout layout;
    return find_layout(bytes, len, &layout);
}

enum vf_status vf_vmprof_open(struct vf_vmprof *v, const void *bytes, size_t len,
                              struct vf_error *error)
{
    struct layout layout;
    *v = (struct vf_vmprof){.in = vf_reader_over(bytes, len)};
    if (len == 0)
        return vf_fail_at(error, 0, "expected a VMProf header, found an empty file");
    if (!find_layout(bytes, len, &layout)) {
        if (len < 16)
            return vf_fail_at(error, 0, "expected a VMProf header, found only %zu byte%s", len,
                              len == 1 ? "" : "s");
        return vf_fail_at(error, 0, "expected a VMProf header, found other data");
    }
    if (layout.big_endian)
        return vf_fail_at(error, layout.word_bytes,
                          "this profile was written on a big-endian machine; only little-endian "
                          "ones can be read");
    v->word_bytes = layout.word_bytes;
    v->addr_bytes = layout.addr_bytes;
    int64_t words[5];
    for (size_t i = 0; i < 5; i++)
        if (!vf_read_int(&v->in, v->word_bytes, &words[i]))
            return vf_fail_at(error, v->in.pos,
                              "expected a VMProf header of %u bytes, found %zu bytes",
                              5 * v->word_bytes, len);
    if (words[2] != 0 || words[3] < 0 || words[4] < 0 || words[4] > 1)
        return vf_fail_at(error, 2 * v->word_bytes,
                          "expected a VMProf header (0, 3, 0, period, 0 or 1), found other data");
    v->period_us = words[3];
    return VF_OK;
}

/* ---- records ----------------------------------------------------------------------------------
 */

/* Says why the reading ends; the reader stays at the record that could not be read. */
#define STOP(v, at, ...) (vf_fail_at(&(v)->problem, (at), __VA_ARGS__), false)

static bool read_text(struct vf_vmprof *v, const char *what, struct vf_str *out)
{
    int64_t length;
    size_t at = v->in.pos;
    if (!vf_read_int(&v->in, v->word_bytes, &length))
        return STOP(v, at, "expected the length of %s, found %zu bytes", what,
                    vf_reader_left(&v->in));
    if (length < 0 || !vf_read_bytes(&v->in, (uint64_t)length, out))
        return STOP(v, at, "expected %s of %lld bytes, found %zu bytes", what, (long long)length,
                    vf_reader_left(&v->in));
    return true;
}

static bool read_time(struct vf_vmprof *v, const char *what, int64_t *out_us)
{
    int64_t seconds, micros;
    struct vf_str zone;
    size_t at = v->in.pos;
    if (!vf_read_int(&v->in, 8, &seconds) || !vf_read_int(&v->in, 8, &micros) ||
        !vf_read_bytes(&v->in, 8, &zone))
        return STOP(v, at, "expected %s of 24 bytes, found %zu bytes", what, v->in.len - at);
    if (__builtin_mul_overflow(seconds, 1000000, out_us) ||
        __builtin_add_overflow(*out_us, micros, out_us))
        return STOP(v, at, "expected %s, found %lld seconds", what, (long long)seconds);
    return true;
}

static bool read_header(struct vf_vmprof *v, struct vf_record *record)
{
    struct vf_str version;
    uint8_t mode = 0, length;
    size_t at = v->in.pos;
    if (v->has_header || v->interpreter.len)
        return STOP(v, record->offset, "expected a record, found a second header");
    if (!vf_read_bytes(&v->in, 2, &version))
        return STOP(v, at, "expected a version, found %zu bytes", vf_reader_left(&v->in));
    v->version = (unsigned char)version.ptr[0] << 8 | (unsigned char)version.ptr[1];
    if (v->version > VERSION_SAMPLE_TIME)
        return STOP(v, at, "expected a version up to %d, found %d", VERSION_SAMPLE_TIME,
                    v->version);
    if (v->version >= VERSION_MODE && !vf_read_u8(&v->in, &mode))
        return STOP(v, v->in.pos, "expected a mode byte, found the end");
    if (v->version == VERSION_MEMORY)
        mode = VF_MODE_MEMORY;
    if (!vf_read_u8(&v->in, &length) || !vf_read_bytes(&v->in, length, &v->interpreter))
        return STOP(v, v->in.pos, "expected the interpreter's name, found %zu bytes",
                    vf_reader_left(&v->in));
    v->mode = mode;
    if (vf_str_eq(v->interpreter, VF_STR("pypy")))
        v->mode |= VF_MODE_RPYTHON;
    v->has_header = true;
    v->is_usual = false;
    record->type = VF_RECORD_HEADER;
    return true;
}

static bool read_old_interpreter(struct vf_vmprof *v, struct vf_record *record)
{
    uint8_t length;
    if (v->has_header || v->interpreter.len)
        return STOP(v, record->offset, "expected a record, found a second header");
    if (!vf_read_u8(&v->in, &length) || !vf_read_bytes(&v->in, length, &v->interpreter))
        return STOP(v, record->offset, "expected the interpreter's name, found %zu bytes",
                    vf_reader_left(&v->in));
    record->type = VF_RECORD_HEADER;
    return true;
}

/* Seconds as a double to nanoseconds; false for what no clock gives. */
static bool double_to_ns(uint64_t bits, int64_t *out_ns)
{
    double seconds;
    memcpy(&seconds, &bits, sizeof seconds);
    if (!(seconds >= 0 && seconds < 9.0e9))
        return false;
    *out_ns = (int64_t)llround(seconds * 1e9);
    return true;
}

/* Version 7: is the word after the marker the count 1, or the low half of a time?  A double whose
 * low bits read as the integer 1 is either denormal or has a mantissa no clock produces twice. */
static void find_dialect(struct vf_vmprof *v)
{
    const unsigned char *p = v->in.base + v->in.pos;
    if (v->version < VERSION_SAMPLE_TIME || v->dialect != VF_DIALECT_PLAIN ||
        vf_reader_left(&v->in) < 8)
        return;
    bool count = v->word_bytes == 8 ? vf_load_u64(p) == 1
                                    : vf_load_u32(p) == 1 && vf_load_u32(p + 4) <= MAX_STACK_WORDS;
    v->dialect = count ? VF_DIALECT_UPSTREAM : VF_DIALECT_FORK;
}

static bool read_sample_start(struct vf_vmprof *v, struct vf_sample *sample)
{
    size_t at = v->in.pos;
    int64_t count;
    uint64_t bits;
    find_dialect(v);
    if (v->dialect == VF_DIALECT_FORK) {
        if (!vf_read_uint(&v->in, 8, &bits))
            return STOP(v, at, "expected a sample's time, found %zu bytes", vf_reader_left(&v->in));
        sample->has_time = double_to_ns(bits, &sample->time_ns);
        return sample->has_time ||
               STOP(v, at, "expected a sample's time, found 0x%llx", (unsigned long long)bits);
    }
    if (!vf_read_int(&v->in, v->word_bytes, &count))
        return STOP(v, at, "expected a sample's count, found %zu bytes", vf_reader_left(&v->in));
    if (count != 1)
        return STOP(v, at, "expected a sample's count (1), found %lld", (long long)count);
    return true;
}

static bool read_frames(struct vf_vmprof *v, struct vf_sample *sample)
{
    size_t at = v->in.pos;
    int64_t words;
    struct vf_str body;
    if (!vf_read_int(&v->in, v->word_bytes, &words))
        return STOP(v, at, "expected a stack depth, found %zu bytes", vf_reader_left(&v->in));
    if (words < 0 || words > MAX_STACK_WORDS)
        return STOP(v, at, "expected a stack depth, found %lld", (long long)words);
    bool pairs = vf_vmprof_has_kinds(v) || vf_vmprof_has_lines(v);
    if (pairs && words % 2 != 0)
        return STOP(v, at, "expected an even stack depth (frames are pairs), found %lld",
                    (long long)words);
    if (!vf_read_bytes(&v->in, (uint64_t)words * v->addr_bytes, &body))
        return STOP(v, v->in.pos, "expected a stack of %lld bytes, found %zu bytes",
                    (long long)words * v->addr_bytes, vf_reader_left(&v->in));
    sample->frames = (const unsigned char *)body.ptr;
    sample->words = (uint32_t)words;
    sample->depth = (uint32_t)(pairs ? words / 2 : words);
    return true;
}

static bool is_marker(const struct vf_vmprof *v, size_t at)
{
    return at < v->in.len && v->in.base[at] >= MARKER_SAMPLE &&
           v->in.base[at] <= MARKER_OBJECT_INFO;
}

/* VMProf leaves the memory word out where two threads read the memory at once (vmprof 0.6.0,
 * real-time mode).  Then no record begins behind the sample as read, but one word earlier. */
static bool lacks_memory(const struct vf_vmprof *v)
{
    return v->in.pos < v->in.len && !is_marker(v, v->in.pos) &&
           is_marker(v, v->in.pos - v->addr_bytes);
}

static void drop_memory(struct vf_vmprof *v, struct vf_sample *sample, size_t behind_thread)
{
    sample->has_memory = false;
    sample->memory_kb = 0;
    v->in.pos -= v->addr_bytes;
    if (v->dialect == VF_DIALECT_UPSTREAM)
        sample->time_ns = (int64_t)vf_load_u64(v->in.base + behind_thread);
}

/* Samples in the layout that nearly all files have: 64-bit words, the count 1 in front, a whole
 * number of frames.  After the first sample all of this is known but what the sample itself says,
 * so that the others are read in one go: there may be millions. */
static void find_usual_layout(struct vf_vmprof *v)
{
    v->is_usual = v->word_bytes == 8 && v->addr_bytes == 8 && v->dialect != VF_DIALECT_FORK;
    v->usual_tail_bytes = (v->version >= VERSION_THREAD_ID ? 8u : 0u) +
                          (v->mode & VF_MODE_MEMORY ? 8u : 0u) +
                          (v->dialect == VF_DIALECT_UPSTREAM ? 8u : 0u);
}

/* Reads a sample of that layout; false where the record is anything else, or not whole: nothing has
 * been read then. */
static bool read_usual_sample(struct vf_vmprof *v, struct vf_record *record)
{
    enum { FRAMES_AT = 1 + 8 + 8 };
    const unsigned char *p = v->in.base + v->in.pos;
    size_t left = vf_reader_left(&v->in);
    struct vf_sample *sample = &record->sample;
    if (left < FRAMES_AT || p[0] != MARKER_SAMPLE || vf_load_u64(p + 1) != 1)
        return false;
    uint64_t words = vf_load_u64(p + 9);
    bool pairs = vf_vmprof_has_kinds(v) || vf_vmprof_has_lines(v);
    if (words > MAX_STACK_WORDS || (pairs && words % 2 != 0))
        return false;
    size_t size = FRAMES_AT + 8 * (size_t)words + v->usual_tail_bytes;
    if (left < size ||
        ((v->mode & VF_MODE_MEMORY) && left > size && !is_marker(v, v->in.pos + size)))
        return false;
    record->type = VF_RECORD_SAMPLE;
    record->offset = v->in.pos;
    *sample = (struct vf_sample){.frames = p + FRAMES_AT,
                                 .words = (uint32_t)words,
                                 .depth = (uint32_t)(pairs ? words / 2 : words)};
    v->in.pos += size;
    const unsigned char *tail = p + FRAMES_AT + 8 * words;
    if (v->version >= VERSION_THREAD_ID) {
        sample->thread = vf_load_u64(tail);
        tail += 8;
    }
    if (v->mode & VF_MODE_MEMORY) {
        sample->memory_kb = vf_load_u64(tail);
        sample->has_memory = true;
        tail += 8;
    }
    if (v->dialect == VF_DIALECT_UPSTREAM) {
        sample->time_ns = (int64_t)vf_load_u64(tail);
        sample->has_time = true;
    }
    return true;
}

static bool read_sample(struct vf_vmprof *v, struct vf_record *record, enum vf_record_type type)
{
    struct vf_sample *sample = &record->sample;
    *sample = (struct vf_sample){0};
    record->type = type;
    if (!read_sample_start(v, sample) || !read_frames(v, sample))
        return false;
    if (v->version >= VERSION_THREAD_ID && !vf_read_uint(&v->in, v->addr_bytes, &sample->thread))
        return STOP(v, v->in.pos, "expected a thread id, found %zu bytes", vf_reader_left(&v->in));
    size_t behind_thread = v->in.pos;
    if (v->mode & VF_MODE_MEMORY) {
        if (!vf_read_uint(&v->in, v->addr_bytes, &sample->memory_kb))
            return STOP(v, v->in.pos, "expected a memory size, found %zu bytes",
                        vf_reader_left(&v->in));
        sample->has_memory = true;
    }
    if (v->dialect == VF_DIALECT_UPSTREAM) {
        if (!vf_read_int(&v->in, 8, &sample->time_ns))
            return STOP(v, v->in.pos, "expected a sample's time, found %zu bytes",
                        vf_reader_left(&v->in));
        sample->has_time = true;
    }
    if (sample->has_memory && lacks_memory(v))
        drop_memory(v, sample, behind_thread);
    find_usual_layout(v);
    return true;
}

static bool read_name(struct vf_vmprof *v, struct vf_record *record, enum vf_record_type type)
{
    record->type = type;
    if (!vf_read_uint(&v->in, v->addr_bytes, &record->name.id))
        return STOP(v, v->in.pos, "expected a code id, found %zu bytes", vf_reader_left(&v->in));
    return read_text(v, "a code name", &record->name.text);
}

/* Whether three words follow each object record: the metas gc_stats__0..2 say so, and they come at
 * the file's end.  They are looked for once, as whole records. */
static bool has_gc_stats(struct vf_vmprof *v)
{
    unsigned char key[1 + 8 + 11] = {MARKER_META, 11};
    size_t length = 1 + v->word_bytes + 11;
    if (v->gc_stats == VF_GC_STATS_UNKNOWN) {
        memcpy(key + 1 + v->word_bytes, "gc_stats__0", 11);
        v->gc_stats = memmem(v->in.base + v->in.pos, vf_reader_left(&v->in), key, length)
                          ? VF_GC_STATS_YES
                          : VF_GC_STATS_NO;
    }
    return v->gc_stats == VF_GC_STATS_YES;
}

/* In a file cut before its metas the words show themselves: the third is the collector's state, 0
 * to 3, and a marker or the file's end stands behind it.  Where a record stands in their place, its
 * bytes there are never so small a number. */
static bool looks_like_gc_stats(const struct vf_vmprof *v, size_t extra)
{
    if (vf_reader_left(&v->in) < extra)
        return false;
    const unsigned char *p = v->in.base + v->in.pos;
    if (vf_load_le(p + extra - v->addr_bytes, v->addr_bytes) > 3)
        return false;
    return vf_reader_left(&v->in) == extra ||
           (p[extra] >= MARKER_SAMPLE && p[extra] <= MARKER_OBJECT_INFO);
}

static bool read_object_info(struct vf_vmprof *v, struct vf_record *record)
{
    uint64_t bits;
    int64_t words;
    struct vf_str body;
    size_t at = v->in.pos;
    record->type = VF_RECORD_OBJECT_INFO;
    if (!vf_read_uint(&v->in, 8, &bits) || !double_to_ns(bits, &record->objects.time_ns))
        return STOP(v, at, "expected the time of an object record, found %zu bytes",
                    vf_reader_left(&v->in));
    at = v->in.pos;
    if (!vf_read_int(&v->in, v->word_bytes, &words) || words < 0 ||
        (uint64_t)words > vf_reader_left(&v->in) / v->addr_bytes)
        return STOP(v, at, "expected the length of an object record, found other data");
    if (!vf_read_bytes(&v->in, (uint64_t)words * v->addr_bytes, &body))
        return false;
    record->objects.entries = (const unsigned char *)body.ptr;
    record->objects.count = (uint64_t)words;
    size_t extra = 3 * (size_t)v->addr_bytes;
    if (has_gc_stats(v) || looks_like_gc_stats(v, extra)) {
        v->gc_stats = VF_GC_STATS_YES;
        if (vf_reader_left(&v->in) < extra)
            return STOP(v, v->in.pos, "expected %zu bytes of collector state, found %zu bytes",
                        extra, vf_reader_left(&v->in));
        v->in.pos += extra;
    }
    return true;
}

static bool read_trailer(struct vf_vmprof *v, struct vf_record *record)
{
    record->type = VF_RECORD_END;
    record->time_us = 0;
    v->ended = true;
    return v->version < VERSION_END_TIME || read_time(v, "the end time", &record->time_us);
}

static bool read_maps(struct vf_vmprof *v, struct vf_record *record)
{
    if (vf_reader_left(&v->in) == 0)
        return false;
    record->type = VF_RECORD_MAPS;
    return vf_read_bytes(&v->in, vf_reader_left(&v->in), &record->text);
}

bool vf_vmprof_next(struct vf_vmprof *v, struct vf_record *record)
{
    uint8_t marker;
    if (v->problem.text[0])
        return false;
    record->offset = v->in.pos;
    if (v->ended)
        return read_maps(v, record);
    if (v->is_usual && read_usual_sample(v, record))
        return true;
    if (!vf_read_u8(&v->in, &marker))
        return STOP(v, v->in.pos, "expected a record or the trailer, found the end of the file");
    switch (marker) {
    case MARKER_SAMPLE:
        return read_sample(v, record, VF_RECORD_SAMPLE);
    case MARKER_ALLOCATION:
        return read_sample(v, record, VF_RECORD_ALLOCATION);
    case MARKER_CODE_NAME:
        return read_name(v, record, VF_RECORD_CODE_NAME);
    case MARKER_NATIVE_NAME:
        return read_name(v, record, VF_RECORD_NATIVE_NAME);
    case MARKER_TRAILER:
        return read_trailer(v, record);
    case MARKER_INTERPRETER:
        return read_old_interpreter(v, record);
    case MARKER_HEADER:
        return read_header(v, record);
    case MARKER_START_TIME:
        record->type = VF_RECORD_START_TIME;
        return read_time(v, "the start time", &record->time_us);
    case MARKER_META:
        record->type = VF_RECORD_META;
        if (!read_text(v, "a meta key", &record->meta.key) ||
            !read_text(v, "a meta value", &record->meta.value))
            return false;
        if (vf_str_eq(record->meta.key, VF_STR("gc_stats__0")))
            v->gc_stats = VF_GC_STATS_YES;
        return true;
    case MARKER_OBJECT_INFO:
        return read_object_info(v, record);
    default:
        return STOP(v, record->offset, "expected a record (01 to 0a), found byte %02x", marker);
    }
}

/* ---- frames -----------------------------------------------------------------------------------
 */

static uint64_t load_addr(const struct vf_vmprof *v, const struct vf_sample *sample, uint32_t word)
{
    return vf_load_le(sample->frames + (size_t)word * v->addr_bytes, v->addr_bytes);
}

struct vf_frame vf_vmprof_frame(const struct vf_vmprof *v, const struct vf_sample *sample,
                                uint32_t from_root)
{
    uint32_t from_leaf = sample->depth - 1 - from_root;
    struct vf_frame frame = {.line = -1, .kind = VF_FRAME_CODE};
    if (vf_vmprof_has_kinds(v)) {
        uint64_t kind = load_addr(v, sample, 2 * from_leaf);
        frame.kind = kind <= INT32_MAX ? (int)kind : INT32_MAX;
        frame.value = load_addr(v, sample, 2 * from_leaf + 1);
        return frame;
    }
    uint64_t sign = v->addr_bytes == 8 ? 1ull << 63 : 1ull << 31;
    if (vf_vmprof_has_lines(v)) {
        uint64_t line = load_addr(v, sample, 2 * from_leaf);
        frame.line = line < sign ? (int64_t)line : -1;
        frame.value = load_addr(v, sample, 2 * from_leaf + 1);
    } else {
        frame.value = load_addr(v, sample, from_leaf);
    }
    /* Code ids are even, or negative; native addresses are marked by bit 0. */
    if ((frame.value & 1) && frame.value < sign)
        frame.kind = VF_FRAME_NATIVE;
    return frame;
}

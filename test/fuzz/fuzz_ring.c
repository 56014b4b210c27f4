/* A program that writes what it likes into the memory that it shares with the recorder.  What is
 * taken of it is a readable profile, with a row of its columns for each sample.
 *
 * The input is a list of actions, each a byte and what belongs to it, all of it little-endian:
 *
 *     0 to 5   an entry of that kind as inside_put() puts it (0: of kind 1, with a good note):
 *              2 bytes of length, the payload
 *     6        raw bytes where the next entry would be: 2 bytes of length, the bytes
 *     7        4 bytes that are added to the head, as they are
 *     8        2 bytes of a place in the ring's head that is the program's, 8 bytes for it
 *     9        a drain in between
 *
 * At the end there is one as after the program's end. */
#include "fuzz.h"

#include "inside/inside.h"
#include "record/info.h"
#include "record/session.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ACTIONS = 10, PUT_SAMPLE = 0, RAW = 6, HEAD = 7, WORD = 8 };

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_ring: %s\n", what);
    abort();
}

/* ---- the program's side ---------------------------------------------------------------------- */

static struct vf_str take(struct vf_str *in, size_t len)
{
    struct vf_str taken = {in->ptr, len < in->len ? len : in->len};
    in->ptr += taken.len;
    in->len -= taken.len;
    return taken;
}

static uint64_t take_number(struct vf_str *in, size_t bytes)
{
    uint64_t value = 0;
    struct vf_str taken = take(in, bytes);
    memcpy(&value, taken.ptr, taken.len);
    return value;
}

static void put(struct vf_session *s, unsigned action, struct vf_str bytes)
{
    struct vf_ring_note note = {.stamp_ns = (int64_t)s->ring.shared->head, .pc = 0x1234, .tid = 5};
    if (s->ring.shared->head % 8)
        return; /* whoever writes over the head does not write entries after it */
    if (action == PUT_SAMPLE)
        inside_put(VF_RING_SAMPLE, &note, sizeof note, bytes.ptr, bytes.len);
    else
        inside_put((enum vf_ring_kind)action, bytes.ptr, bytes.len, NULL, 0);
}

static void put_raw(struct vf_session *s, struct vf_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        s->ring.data[(s->ring.shared->head + i) & (s->ring.bytes - 1)] = bytes.ptr[i];
}

/* The head of the ring is the program's as well, all of it. */
static void put_word(struct vf_session *s, uint64_t place, uint64_t value)
{
    memcpy((char *)s->ring.shared + place % (VF_RING_HEAD - 7), &value, sizeof value);
}

static void act(struct vf_session *s, struct vf_str *in)
{
    unsigned action = (unsigned)take_number(in, 1) % ACTIONS;
    if (action <= RAW) {
        struct vf_str bytes = take(in, (size_t)take_number(in, 2));
        if (action == RAW)
            put_raw(s, bytes);
        else
            put(s, action, bytes);
    } else if (action == HEAD) {
        s->ring.shared->head += (uint64_t)(int64_t)(int32_t)take_number(in, 4);
    } else if (action == WORD) {
        uint64_t place = take_number(in, 2);
        put_word(s, place, take_number(in, 8));
    } else {
        vf_session_drain(s, false);
        vf_session_flush(s);
    }
}

/* ---- what must hold -------------------------------------------------------------------------- */

static uint64_t samples_in(const struct vf_bytes *bytes)
{
    struct vf_vmprof reader;
    struct vf_record record;
    uint64_t samples = 0;
    check(vf_vmprof_open(&reader, bytes->ptr, bytes->len, NULL) != VF_FATAL, "a broken header");
    while (vf_vmprof_next(&reader, &record))
        samples += record.type == VF_RECORD_SAMPLE || record.type == VF_RECORD_ALLOCATION;
    check(reader.problem.text[0] == 0 && reader.ended, "a broken profile");
    return samples;
}

static void check_stamps(struct vf_session *s)
{
    struct vf_bytes bytes;
    int64_t stamp_ns, last_ns = 0;
    if (!s->samples || !vf_spool_map(&s->spool, VF_SPOOL_STAMPS, &bytes))
        return;
    for (size_t at = 0; at + sizeof stamp_ns <= bytes.len; at += sizeof stamp_ns) {
        memcpy(&stamp_ns, bytes.ptr + at, sizeof stamp_ns);
        check(stamp_ns >= last_ns, "a stamp goes back");
        last_ns = stamp_ns;
    }
    check(last_ns <= vf_clock_now_ns(CLOCK_MONOTONIC), "a stamp lies in the future");
    vf_bytes_release(&bytes);
}

static void check_profile(struct vf_session *s)
{
    struct vf_bytes bytes;
    if (!s->has_stream)
        return;
    check(vf_spool_map(&s->spool, VF_SPOOL_PROF, &bytes), "no profile");
    check(samples_in(&bytes) == s->samples, "other samples than were counted");
    vf_bytes_release(&bytes);
    check(vf_spool_size(&s->spool, VF_SPOOL_STAMPS) == 8 * s->samples, "stamps");
    check_stamps(s);
    check(vf_spool_size(&s->spool, VF_SPOOL_INTERRUPTED) == 16 * s->samples, "instructions");
}

static void check_info(struct vf_session *s)
{
    struct vf_buf info = {0};
    vf_session_write_info(&info, s, NULL);
    json_error_t why;
    json_t *json = json_loadb(info.ptr, info.len, 0, &why);
    check(json != NULL, why.text);
    json_decref(json);
    vf_buf_release(&info);
}

/* ---- a session ------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char python[] = "python3", *argv[] = {python, NULL};
    static struct vf_warnings warnings;
    struct vf_target target = {
        .interpreter = python, .argv = argv, .argc = 1, .kind = VF_TARGET_CODE};
    struct vf_record_options options = {.period_s = 0.001, .memory = true};
    struct vf_session s = {.options = &options, .target = &target, .warnings = &warnings};
    struct vf_str in = {(const char *)data, size};
    check(vf_spool_open(&s.spool, vf_temp_folder(), NULL) == VF_OK &&
              vf_ring_open(&s.ring, s.spool.folder_fd, NULL) == VF_OK,
          "no session");
    s.pid = s.python_pid = getpid();
    vf_pc_init(&s.pc, options.period_s);
    inside = (struct inside){.ring = s.ring.shared, .data = s.ring.data, .mask = s.ring.bytes - 1};
    while (in.len)
        act(&s, &in);
    vf_session_drain(&s, true);
    vf_session_read_failure(&s);
    vf_session_finish_stream(&s);
    vf_session_flush(&s);
    check(s.spool.status == VF_OK, "the files can't be written");
    check_profile(&s);
    check_info(&s);
    vf_session_release(&s);
    return 0;
}

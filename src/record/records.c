#include "record/session.h"

enum { PARTIAL_MAX = 1 << 16, TAIL_MAX = 1 << 26 };

static void put_uint(struct vf_buf *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        char byte = (char)(value >> 8 * i & 0xff);
        vf_buf_add(out, &byte, 1);
    }
}

/* ---- what comes from VMProf -------------------------------------------------------------------
 */

static void add_address(struct vf_session *s, uint64_t address, bool is_code)
{
    uint64_t hash = vf_hash_u64(address, 0);
    struct vf_probe probe = vf_table_probe(&s->address_index, hash);
    uint32_t row;
    while (vf_table_next(&s->address_index, &probe, &row))
        if (s->addresses.items[row] == address)
            return;
    vf_table_insert(&s->address_index, hash, (uint32_t)s->addresses.len);
    VF_APPEND(&s->addresses, address);
    if (is_code)
        vf_layout_peek(&s->layout, s->python.pid, address, &s->arena);
}

/* The maps are read again when a native function or an instruction comes that is in none of them: a
 * library has been loaded.  Soon, for a program that dies can't be asked any more; not at once each
 * time, for code that is made in the run may come with every sample. */
static void refresh_maps(struct vf_session *s)
{
    const int64_t pause_ns = 20000000;
    if (s->maps_stale && vf_clock_now_ns(CLOCK_MONOTONIC) - s->maps_ns > pause_ns)
        vf_session_read_maps(s);
}

/* What lay there before, and is in the maps still, was perhaps no code. */
static bool is_in_code(const struct vf_session *s, uint64_t address)
{
    const struct vf_map *map = vf_maps_find(&s->known_maps, address);
    return map && map->executable;
}

static void take_sample(struct vf_session *s, const struct vf_sample *sample)
{
    int64_t row[2] = {s->note.tid, (int64_t)s->note.pc};
    for (uint32_t i = 0; i < sample->depth; i++) {
        struct vf_frame frame = vf_vmprof_frame(&s->stream, sample, i);
        size_t had = s->addresses.len;
        if (frame.kind == VF_FRAME_ASM)
            continue; /* machine code has no name to ask for */
        add_address(s, frame.value, frame.kind == VF_FRAME_CODE);
        if (frame.kind == VF_FRAME_NATIVE && s->addresses.len > had)
            s->maps_stale |= !is_in_code(s, frame.value);
    }
    if (s->note.tid)
        vf_told_sample(&s->threads, s->note.tid);
    s->maps_stale |= s->note.pc && !vf_maps_find(&s->known_maps, s->note.pc);
    refresh_maps(s);
    vf_spool_add(&s->spool, VF_SPOOL_STAMPS, &s->note.stamp_ns, sizeof s->note.stamp_ns);
    vf_spool_add(&s->spool, VF_SPOOL_INTERRUPTED, row, sizeof row);
    s->samples++;
}

static struct vf_named_code *find_name(struct vf_session *s, uint64_t id)
{
    struct vf_probe probe = vf_table_probe(&s->name_index, vf_hash_u64(id, 0));
    uint32_t row;
    while (vf_table_next(&s->name_index, &probe, &row))
        if (s->names.items[row].id == id)
            return &s->names.items[row];
    return NULL;
}

static void take_name(struct vf_session *s, const struct vf_record *record)
{
    struct vf_str file = vf_code_name_parse(record->name.text).file;
    uint64_t hash = vf_hash_bytes(file.ptr, file.len);
    struct vf_probe probe = vf_table_probe(&s->file_index, hash);
    uint32_t row = 0;
    bool found = false;
    while (!found && vf_table_next(&s->file_index, &probe, &row))
        found = vf_str_eq(s->files.items[row], file);
    if (!found) {
        row = (uint32_t)s->files.len;
        VF_APPEND(&s->files, vf_arena_str(&s->arena, file));
        vf_table_insert(&s->file_index, hash, row);
    }
    struct vf_named_code *known = find_name(s, record->name.id);
    if (known) {
        known->file = row;
        return;
    }
    vf_table_insert(&s->name_index, vf_hash_u64(record->name.id, 0), (uint32_t)s->names.len);
    VF_APPEND(&s->names, ((struct vf_named_code){record->name.id, row}));
}

static void take_record(struct vf_session *s, const struct vf_record *record)
{
    if (record->type == VF_RECORD_SAMPLE && !s->waiting_ns)
        s->waiting_ns = s->note.stamp_ns;
    if (record->type == VF_RECORD_SAMPLE || record->type == VF_RECORD_ALLOCATION)
        take_sample(s, &record->sample);
    else if (record->type == VF_RECORD_CODE_NAME)
        take_name(s, record);
    else if (record->type == VF_RECORD_END) {
        s->has_trailer = true;
        s->trailer_us = record->time_us;
    }
}

/* Where there is no room for samples names are still taken: they are of the samples before. */
static void keep_name(struct vf_session *s, const struct vf_record *record, struct vf_str bytes)
{
    if (record->type == VF_RECORD_SAMPLE && !s->left_out_ns)
        s->left_out_ns = s->note.stamp_ns;
    if (record->type != VF_RECORD_CODE_NAME ||
        s->spool.waiting[VF_SPOOL_PROF].len + bytes.len > TAIL_MAX)
        return;
    take_name(s, record);
    vf_spool_keep(&s->spool, VF_SPOOL_PROF, bytes.ptr, bytes.len);
}

/* VMProf is not asked to sample by the wall clock, for it would do so in its own way; that it is
 * done stands in the header all the same, where readers look for it. */
static void add_profile(struct vf_session *s, const char *bytes, size_t len, bool begins)
{
    enum { WORDS = 5, MODE_AT = 3 }; /* docs/formats/vmprof.md: five words, 05, 00, version, mode */
    size_t at = (size_t)WORDS * s->stream.word_bytes + MODE_AT;
    if (!begins || !s->options->real_time || at >= len) {
        vf_spool_add(&s->spool, VF_SPOOL_PROF, bytes, len);
        return;
    }
    char mode = (char)(bytes[at] | VF_MODE_REAL_TIME);
    vf_spool_add(&s->spool, VF_SPOOL_PROF, bytes, at);
    vf_spool_add(&s->spool, VF_SPOOL_PROF, &mode, 1);
    vf_spool_add(&s->spool, VF_SPOOL_PROF, bytes + at + 1, len - at - 1);
}

/* Half a header leaves nothing behind in the reader: it is not in the profile either. */
static bool next_record(struct vf_session *s, struct vf_record *record)
{
    struct vf_vmprof before = s->stream;
    if (vf_vmprof_next(&s->stream, record))
        return true;
    s->stream = before;
    return false;
}

/* Takes whole records off the front of `bytes` and adds them to the profile; returns how many bytes
 * they are.  The trailer is held back: names may still have to go before it. */
static size_t take_whole(struct vf_session *s, struct vf_str bytes)
{
    struct vf_record record;
    size_t good = 0, kept = 0;
    bool begins = !s->has_stream;
    if (s->has_trailer)
        return 0; /* readers end there */
    if (begins) {
        if (vf_vmprof_open(&s->stream, bytes.ptr, bytes.len, NULL) == VF_FATAL)
            return 0;
        s->has_stream = true;
        good = kept = s->stream.in.pos;
    } else {
        s->stream.in = vf_reader_over(bytes.ptr, bytes.len);
    }
    while (!s->has_trailer && s->stream.in.pos < bytes.len && next_record(s, &record)) {
        size_t from = good;
        good = s->stream.in.pos;
        if (vf_spool_is_full(&s->spool) && record.type != VF_RECORD_END) {
            keep_name(s, &record, (struct vf_str){bytes.ptr + from, good - from});
            continue;
        }
        take_record(s, &record);
        if (!s->has_trailer)
            kept = good;
    }
    add_profile(s, bytes.ptr, kept, begins);
    s->stream.problem.text[0] = 0;
    s->stream.ended = false;
    return good;
}

/* The program can write what it likes there: a stamp neither goes back nor lies in the future,
 * which would hold back all that follow. */
static int64_t sound_stamp(struct vf_session *s, int64_t stamp_ns)
{
    if (stamp_ns > s->now_ns)
        s->now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    if (stamp_ns > s->now_ns)
        stamp_ns = s->now_ns;
    return stamp_ns < s->last_ns ? s->last_ns : stamp_ns;
}

/* A sample is one entry, whole or damaged; the others do not suffer from it. */
void vf_session_sample(struct vf_session *s, const struct vf_ring_note *note, struct vf_str bytes)
{
    s->note = *note;
    s->last_ns = s->note.stamp_ns = sound_stamp(s, note->stamp_ns);
    s->damaged_bytes += bytes.len - (s->has_stream ? take_whole(s, bytes) : 0);
}

/* Checks records one by one; what is whole goes into the profile, so that the file stays readable
 * whatever the program writes over the ring.  VMProf writes metas piece by piece: what is not whole
 * yet waits for the next bytes. */
void vf_session_records(struct vf_session *s, struct vf_str bytes)
{
    vf_buf_str(&s->partial, bytes);
    size_t good = take_whole(s, vf_buf_view(&s->partial));
    size_t left = s->partial.len - good;
    if (left > PARTIAL_MAX) { /* no record of VMProf is so long: this is something else */
        s->damaged_bytes += left;
        left = 0;
    }
    if (left)
        memmove(s->partial.ptr, s->partial.ptr + good, left);
    s->partial.len = left;
}

void vf_session_forget_records(struct vf_session *s)
{
    s->has_stream = s->has_trailer = false;
    s->samples = s->damaged_bytes = 0;
    s->left_out_ns = 0;
    s->partial.len = 0;
    s->addresses.len = s->names.len = s->long_files.len = 0;
    vf_table_release(&s->address_index);
    vf_table_release(&s->name_index);
    vf_layout_release(&s->layout);
    s->early_names = 0;
    for (int file = 0; file < VF_SPOOL_FILES; file++)
        vf_spool_forget(&s->spool, (enum vf_spool_file)file);
}

uint64_t vf_session_scan(struct vf_session *s, struct vf_str prof, struct vf_error *error)
{
    struct vf_record record;
    if (vf_vmprof_open(&s->stream, prof.ptr, prof.len, error) == VF_FATAL)
        return 0;
    s->has_stream = true;
    uint64_t good = s->stream.in.pos;
    while (!s->has_trailer && vf_vmprof_next(&s->stream, &record)) {
        if (record.type == VF_RECORD_SAMPLE || record.type == VF_RECORD_ALLOCATION) {
            for (uint32_t i = 0; i < record.sample.depth; i++) {
                struct vf_frame frame = vf_vmprof_frame(&s->stream, &record.sample, i);
                if (frame.kind != VF_FRAME_ASM)
                    add_address(s, frame.value, false);
            }
            s->samples++;
        } else {
            take_record(s, &record);
        }
        if (!s->has_trailer)
            good = s->stream.in.pos;
    }
    return good;
}

/* ---- after the program ------------------------------------------------------------------------
 */

static struct vf_str peeked_text(struct vf_session *s, const struct vf_peeked *p)
{
    return vf_arena_printf(&s->arena, "py:%.*s:%u:%.*s", VF_STR_ARG(p->name), p->line,
                           VF_STR_ARG(p->file));
}

static void put_name(const struct vf_session *s, struct vf_buf *out, uint64_t id,
                     struct vf_str text)
{
    put_uint(out, 0x02, 1);
    put_uint(out, id, s->stream.addr_bytes);
    put_uint(out, text.len, s->stream.word_bytes);
    vf_buf_str(out, text);
}

void vf_session_early_names(struct vf_session *s)
{
    struct vf_buf out = {0};
    for (; s->has_stream && s->early_names < s->layout.names.len; s->early_names++) {
        const struct vf_peeked *p = &s->layout.names.items[s->early_names];
        put_name(s, &out, p->id, peeked_text(s, p));
    }
    vf_spool_add(&s->spool, VF_SPOOL_PROF, out.ptr, out.len);
    vf_buf_release(&out);
}

/* Where VMProf was stopped in good order the names it wrote at the end are better: they are added
 * only for what is missing.  Else its records are of code that died, and may lie under the id of
 * code that lives: then what memory said is added behind them. */
static void put_peeked_names(struct vf_session *s, struct vf_buf *out)
{
    for (size_t i = 0; i < s->layout.names.len; i++) {
        const struct vf_peeked *p = &s->layout.names.items[i];
        if (s->has_trailer && find_name(s, p->id))
            continue;
        struct vf_record record = {.name = {p->id, peeked_text(s, p)}};
        take_name(s, &record);
        put_name(s, out, p->id, record.name.text);
    }
}

void vf_session_finish_stream(struct vf_session *s)
{
    int64_t end_us = s->trailer_us;
    if (!s->has_trailer)
        end_us = s->end_realtime_ns / 1000;
    if (s->has_stream) {
        struct vf_buf out = {0};
        put_peeked_names(s, &out);
        put_uint(&out, 0x03, 1);
        put_uint(&out, (uint64_t)(end_us / 1000000), 8);
        put_uint(&out, (uint64_t)(end_us % 1000000), 8);
        put_uint(&out, 0, 8);
        vf_spool_keep(&s->spool, VF_SPOOL_PROF, out.ptr, out.len);
        vf_buf_release(&out);
    }
    s->damaged_bytes += s->partial.len;
    if (s->damaged_bytes)
        vf_warn(s->warnings, "%llu bytes from the program are no VMProf records and were left out",
                (unsigned long long)s->damaged_bytes);
}

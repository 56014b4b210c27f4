#include "record/session.h"

#include <errno.h>
#include <unistd.h>

enum { FLUSH_BYTES = 1 << 18, PARTIAL_MAX = 1 << 16, TAIL_MAX = 1 << 26 };

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
        vf_layout_peek(&s->layout, s->python_pid, address, &s->arena);
}

/* The maps are read again when a native function comes that is in none of them: a library has been
 * loaded.  Soon, for a program that dies can't be asked any more; not at once each time, for code
 * that is made in the run may come with every sample. */
static void refresh_maps(struct vf_session *s)
{
    const int64_t pause_ns = 5000000;
    if (s->maps_stale && vf_clock_now_ns(CLOCK_MONOTONIC) - s->maps_ns > pause_ns)
        vf_session_read_maps(s);
}

/* What lay there before, and is in the maps still, was perhaps no code. */
static bool is_in_code(const struct vf_session *s, uint64_t address)
{
    const struct vf_map *map = vf_maps_find(&s->known_maps, address);
    return map && map->executable;
}

static void take_sample(struct vf_session *s, const struct vf_sample *sample, int64_t at_ns)
{
    for (uint32_t i = 0; i < sample->depth; i++) {
        struct vf_frame frame = vf_vmprof_frame(&s->stream, sample, i);
        size_t had = s->addresses.len;
        if (frame.kind == VF_FRAME_ASM)
            continue; /* machine code has no name to ask for */
        add_address(s, frame.value, frame.kind == VF_FRAME_CODE);
        if (frame.kind == VF_FRAME_NATIVE && s->addresses.len > had)
            s->maps_stale |= !is_in_code(s, frame.value);
    }
    refresh_maps(s);
    if (sample->has_memory)
        s->memory_kb = sample->memory_kb;
    vf_buf_add(&s->stamps, &at_ns, sizeof at_ns);
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

static void take_record(struct vf_session *s, const struct vf_record *record, int64_t at_ns)
{
    if (record->type == VF_RECORD_SAMPLE || record->type == VF_RECORD_ALLOCATION)
        take_sample(s, &record->sample, at_ns);
    else if (record->type == VF_RECORD_CODE_NAME)
        take_name(s, record);
    else if (record->type == VF_RECORD_END) {
        s->has_trailer = true;
        s->trailer_us = record->time_us;
    }
}

/* Where there is no room for samples names are still taken: they are of the samples before. */
static void keep_name(struct vf_session *s, const struct vf_record *record, struct vf_str bytes,
                      int64_t at_ns)
{
    if (record->type == VF_RECORD_SAMPLE && !s->left_out_ns)
        s->left_out_ns = at_ns;
    if (record->type != VF_RECORD_CODE_NAME || s->prof_tail.len + bytes.len > TAIL_MAX)
        return;
    take_record(s, record, at_ns);
    vf_buf_str(&s->prof_tail, bytes);
}

/* Takes whole records off the front of `bytes` and adds them to the profile; returns how many bytes
 * they are.  The trailer is held back: names may still have to go before it. */
static size_t take_whole(struct vf_session *s, struct vf_str bytes, int64_t at_ns)
{
    struct vf_record record;
    size_t good = 0, kept = 0;
    if (!s->has_stream) {
        if (vf_vmprof_open(&s->stream, bytes.ptr, bytes.len, NULL) == VF_FATAL)
            return 0;
        s->has_stream = true;
        good = kept = s->stream.in.pos;
    } else {
        s->stream.in = vf_reader_over(bytes.ptr, bytes.len);
    }
    while (s->stream.in.pos < bytes.len && vf_vmprof_next(&s->stream, &record)) {
        size_t from = good;
        good = s->stream.in.pos;
        if (s->full && record.type != VF_RECORD_END) {
            keep_name(s, &record, (struct vf_str){bytes.ptr + from, good - from}, at_ns);
            continue;
        }
        take_record(s, &record, at_ns);
        if (!s->has_trailer)
            kept = good;
    }
    if (!s->full)
        vf_buf_add(&s->prof, bytes.ptr, kept);
    s->stream.problem.text[0] = 0;
    s->stream.ended = false;
    return good;
}

/* With memory on, VMProf's handlers in two threads at once disturb each other reading the process's
 * memory, and the word is left out of the sample (vmprof 0.6.0, real-time mode).  Such a sample
 * gets the size of the one before: memory is a level, and this says no more than that it went on.
 */
static bool take_without_memory(struct vf_session *s, struct vf_str bytes, int64_t at_ns)
{
    size_t behind = s->stream.dialect == VF_DIALECT_UPSTREAM ? 8 : 0;
    if (!(s->stream.mode & VF_MODE_MEMORY) || bytes.len <= behind)
        return false;
    struct vf_buf whole = {0};
    vf_buf_add(&whole, bytes.ptr, bytes.len - behind);
    put_uint(&whole, s->memory_kb, s->stream.addr_bytes);
    vf_buf_add(&whole, bytes.ptr + bytes.len - behind, behind);
    bool good = take_whole(s, vf_buf_view(&whole), at_ns) == whole.len;
    vf_buf_release(&whole);
    return good;
}

/* A sample is one packet, whole or damaged; the others do not suffer from it. */
static void take_sample_packet(struct vf_session *s, struct vf_str bytes, int64_t at_ns)
{
    size_t good = take_whole(s, bytes, at_ns);
    if (good == bytes.len || (good == 0 && take_without_memory(s, bytes, at_ns)))
        return;
    s->damaged_bytes += bytes.len - good;
}

/* Checks a packet record by record; what is whole goes into the profile, so that the file stays
 * readable whatever the program writes into the channel.  Samples and names are a packet each, but
 * VMProf writes metas piece by piece: what is not whole yet waits for the next packet. */
static void take_records(struct vf_session *s, struct vf_str bytes, int64_t at_ns)
{
    size_t waiting = s->partial.len;
    if (!waiting && s->has_stream && (bytes.ptr[0] == 0x01 || bytes.ptr[0] == 0x09)) {
        take_sample_packet(s, bytes, at_ns);
        if (s->prof.len > FLUSH_BYTES)
            vf_session_flush(s);
        return;
    }
    if (waiting) {
        vf_buf_str(&s->partial, bytes);
        bytes = vf_buf_view(&s->partial);
    }
    size_t good = take_whole(s, bytes, at_ns);
    bytes.ptr += good;
    bytes.len -= good;
    if (bytes.len > PARTIAL_MAX) { /* no record of VMProf is so long: this is something else */
        s->damaged_bytes += bytes.len;
        bytes.len = 0;
    }
    if (waiting) {
        memmove(s->partial.ptr, bytes.ptr, bytes.len);
        s->partial.len = bytes.len;
    } else {
        vf_buf_str(&s->partial, bytes);
    }
    if (s->prof.len > FLUSH_BYTES)
        vf_session_flush(s);
}

static void empty_file(int fd)
{
    if (fd >= 0 && ftruncate(fd, 0) == 0)
        lseek(fd, 0, SEEK_SET);
}

static void forget_pcs(struct vf_session *s)
{
    empty_file(s->pc_fd);
    s->pc_rows.len = 0;
    s->pc.lost = 0;
}

/* The temporary folder is full, most likely of PyPy's logs: the samples are worth more. */
static void give_up_logs(struct vf_session *s)
{
    forget_pcs(s);
    if (s->pypylog && truncate(vf_session_pypylog(s), 0) != 0 && errno != ENOENT)
        return;
    if (s->jitlog_fd >= 0 && ftruncate(s->jitlog_fd, 0) != 0)
        return;
    s->logs_given_up = true;
}

/* False where it was not written whole; then none of it was. */
static bool write_whole(struct vf_session *s, int fd, const struct vf_buf *bytes)
{
    off_t before = lseek(fd, 0, SEEK_CUR);
    if (vf_write_fd(fd, vf_buf_view(bytes), &s->full_error) == VF_OK)
        return true;
    if (before >= 0 && ftruncate(fd, before) == 0)
        lseek(fd, before, SEEK_SET);
    return false;
}

static void write_out(struct vf_session *s, int fd, struct vf_buf *bytes, struct vf_buf *tail)
{
    if (!s->full && !write_whole(s, fd, bytes)) {
        give_up_logs(s);
        s->full = !write_whole(s, fd, bytes);
    }
    if (s->full)
        vf_buf_str(tail, vf_buf_view(bytes));
    bytes->len = 0;
}

static struct vf_str peeked_text(struct vf_session *s, const struct vf_peeked *p)
{
    return vf_arena_printf(&s->arena, "py:%.*s:%u:%.*s", VF_STR_ARG(p->name), p->line,
                           VF_STR_ARG(p->file));
}

static void put_name(struct vf_session *s, uint64_t id, struct vf_str text)
{
    put_uint(&s->prof, 0x02, 1);
    put_uint(&s->prof, id, s->stream.addr_bytes);
    put_uint(&s->prof, text.len, s->stream.word_bytes);
    vf_buf_str(&s->prof, text);
}

/* Names that memory told go into the file early, in case this process is killed; of two for one id
 * the last one holds, so those that come at the end are not disturbed. */
static void put_early_names(struct vf_session *s)
{
    for (; s->has_stream && s->early_names < s->layout.names.len; s->early_names++) {
        const struct vf_peeked *p = &s->layout.names.items[s->early_names];
        put_name(s, p->id, peeked_text(s, p));
    }
}

void vf_session_flush(struct vf_session *s)
{
    put_early_names(s);
    write_out(s, s->prof_fd, &s->prof, &s->prof_tail);
    write_out(s, s->stamps_fd, &s->stamps, &s->stamps_tail);
    write_out(s, s->cpu_fd, &s->cpu_rows, &s->cpu_tail);
    if (!s->logs_given_up && !write_whole(s, s->pc_fd, &s->pc_rows))
        give_up_logs(s);
    s->pc_rows.len = 0;
}

/* ---- what comes from the bootstrap ------------------------------------------------------------
 */

static struct vf_str keep(struct vf_session *s, struct vf_str text)
{
    return vf_arena_str(&s->arena, text);
}

/* `number`, `tid`, `name`: a new thread, or a new name for one (number 0, as the main thread has:
 * found by its tid). */
static void tell_thread(struct vf_session *s, struct vf_str words)
{
    uint64_t number, tid;
    struct vf_str number_text = vf_str_cut(&words, 0), tid_text = vf_str_cut(&words, 0);
    if (!vf_str_to_u64(number_text, 10, &number) || !vf_str_to_u64(tid_text, 10, &tid))
        return;
    uint64_t hash = vf_hash_u64(number, number ? 0 : tid);
    struct vf_probe probe = vf_table_probe(&s->thread_index, hash);
    uint32_t row;
    while (vf_table_next(&s->thread_index, &probe, &row)) {
        struct vf_told_thread *thread = &s->threads.items[row];
        if (thread->number == number && (number || thread->tid == tid)) {
            thread->name = keep(s, words);
            return;
        }
    }
    vf_table_insert(&s->thread_index, hash, (uint32_t)s->threads.len);
    VF_APPEND(&s->threads, ((struct vf_told_thread){number, tid, keep(s, words)}));
}

/* The answer to "ending": all addresses, and an almost empty packet behind them. */
static void send_addresses(struct vf_session *s)
{
    enum { PER_PACKET = 4096 };
    for (size_t i = 0; i < s->addresses.len; i += PER_PACKET) {
        size_t count = s->addresses.len - i < PER_PACKET ? s->addresses.len - i : PER_PACKET;
        if (!vf_channel_send(&s->channel, s->addresses.items + i, count * sizeof(uint64_t)))
            return;
    }
    vf_channel_send(&s->channel, ".", 1);
}

static void tell_layout(struct vf_session *s, struct vf_str words)
{
    uint64_t code, name_at, file_at, line;
    struct vf_str code_text = vf_str_cut(&words, 0);
    struct vf_str name_at_text = vf_str_cut(&words, 0);
    struct vf_str name = vf_str_cut(&words, 0);
    struct vf_str file_at_text = vf_str_cut(&words, 0);
    struct vf_str file = vf_str_cut(&words, 0);
    if (vf_str_to_u64(code_text, 10, &code) && vf_str_to_u64(name_at_text, 10, &name_at) &&
        vf_str_to_u64(file_at_text, 10, &file_at) &&
        vf_str_to_u64(vf_str_cut(&words, 0), 10, &line) && name.len && file.len)
        vf_layout_find(&s->layout, s->python_pid, code, name_at, name, file_at, file,
                       (uint32_t)line);
}

/* A second interpreter on the channel: a script ran one before it became the program.  The program
 * is what comes last, so all that was taken is forgotten. */
static void start_anew(struct vf_session *s)
{
    s->has_stream = s->has_trailer = false;
    s->samples = s->damaged_bytes = 0;
    s->partial.len = s->prof.len = s->stamps.len = s->cpu_rows.len = 0;
    s->addresses.len = s->names.len = s->threads.len = s->long_files.len = 0;
    vf_table_release(&s->address_index);
    vf_table_release(&s->name_index);
    vf_table_release(&s->thread_index);
    vf_cpu_release(&s->cpu);
    vf_layout_release(&s->layout);
    s->maps.len = 0; /* of another program */
    vf_maps_release(&s->known_maps);
    s->exe = VF_STR("");
    s->innermost = false;
    s->early_names = 0;
    empty_file(s->prof_fd);
    empty_file(s->stamps_fd);
    empty_file(s->cpu_fd);
    forget_pcs(s);
}

/* Events that were opened on a script which has started the interpreter do not follow it. */
static void follow(struct vf_session *s, pid_t pid)
{
    bool wanted = vf_session_wants_pcs(s);
    if (!wanted || pid != s->python_pid) {
        vf_pc_close(&s->pc);
        forget_pcs(s);
    }
    if (wanted && !vf_pc_is_open(&s->pc))
        vf_pc_open(&s->pc, pid, false);
    s->python_pid = pid;
}

static void take_hello(struct vf_session *s, struct vf_str words)
{
    uint64_t pid;
    if (s->connected)
        start_anew(s);
    s->connected = true;
    s->implementation = keep(s, vf_str_cut(&words, 0));
    s->version = keep(s, vf_str_cut(&words, 0));
    s->python_version = keep(s, vf_str_cut(&words, 0));
    if (vf_str_to_u64(vf_str_cut(&words, 0), 10, &pid) && pid > 0 && pid <= INT32_MAX)
        follow(s, (pid_t)pid);
    vf_session_read_maps(s);
}

static void take_message(struct vf_session *s, struct vf_str words)
{
    struct vf_str what = vf_str_cut(&words, 0);
    if (vf_str_eq(what, VF_STR("hello"))) {
        take_hello(s, words);
    } else if (vf_str_eq(what, VF_STR("failed"))) {
        s->failure = keep(s, vf_str_cut(&words, 0));
        s->failure_text = keep(s, words);
    } else if (vf_str_eq(what, VF_STR("innermost"))) {
        s->innermost = true;
    } else if (vf_str_eq(what, VF_STR("layout"))) {
        tell_layout(s, words);
    } else if (vf_str_eq(what, VF_STR("thread"))) {
        tell_thread(s, words);
    } else if (vf_str_eq(what, VF_STR("file"))) {
        VF_APPEND(&s->long_files, keep(s, words));
    } else if (vf_str_eq(what, VF_STR("forked"))) {
        s->forked = true;
    } else if (vf_str_eq(what, VF_STR("ending"))) {
        vf_session_read_maps(s);
        vf_session_see_children(s);
        send_addresses(s);
    } else if (vf_str_eq(what, VF_STR("exec"))) {
        vf_pc_drain(&s->pc, s->python_pid, &s->pc_rows);
        vf_pc_close(&s->pc);
        vf_warn(s->warnings,
                "the program was replaced by another one (exec %.*s); from there on nothing is in "
                "the profile",
                VF_STR_ARG(words));
    } else if (vf_str_eq(what, VF_STR("trouble"))) {
        vf_warn(s->warnings, "the recording could not be ended in good order: %.*s",
                VF_STR_ARG(words));
    }
}

void vf_session_packet(struct vf_session *session, const struct vf_packet *packet)
{
    struct vf_str bytes = packet->bytes, prefix = VF_STR(VF_CONTROL_PREFIX);
    if (!vf_str_starts(bytes, prefix)) {
        take_records(session, bytes, packet->monotonic_ns);
        return;
    }
    bytes.ptr += prefix.len;
    bytes.len -= prefix.len;
    take_message(session, bytes);
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
            take_record(s, &record, 0);
        }
        if (!s->has_trailer)
            good = s->stream.in.pos;
    }
    return good;
}

/* ---- after the program ------------------------------------------------------------------------
 */

/* Where VMProf was stopped in good order the names it wrote at the end are better: they are added
 * only for what is missing.  Else its records are of code that died, and may lie under the id of
 * code that lives: then what memory said is added behind them. */
static void put_peeked_names(struct vf_session *s)
{
    for (size_t i = 0; i < s->layout.names.len; i++) {
        const struct vf_peeked *p = &s->layout.names.items[i];
        if (s->has_trailer && find_name(s, p->id))
            continue;
        struct vf_record record = {.name = {p->id, peeked_text(s, p)}};
        take_name(s, &record);
        put_name(s, p->id, record.name.text);
    }
}

void vf_session_finish_stream(struct vf_session *s)
{
    int64_t end_us = s->trailer_us;
    if (!s->has_trailer)
        end_us = s->end_realtime_ns / 1000;
    if (s->has_stream) {
        put_peeked_names(s);
        put_uint(&s->prof, 0x03, 1);
        put_uint(&s->prof, (uint64_t)(end_us / 1000000), 8);
        put_uint(&s->prof, (uint64_t)(end_us % 1000000), 8);
        put_uint(&s->prof, 0, 8);
    }
    vf_session_flush(s);
    if (s->left_out_ns)
        vf_warn(s->warnings, "samples from second %.1f on are not in the recording: files in %s %s",
                (double)(s->left_out_ns - s->start_monotonic_ns) / 1e9, vf_temp_folder(),
                s->full_error.text);
    s->damaged_bytes += s->partial.len;
    if (s->damaged_bytes)
        vf_warn(s->warnings, "%llu bytes from the program are no VMProf records and were left out",
                (unsigned long long)s->damaged_bytes);
}

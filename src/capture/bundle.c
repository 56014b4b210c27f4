#include "capture/capture.h"
#include "capture/rows.h"
#include "capture/zip_file.h"

#include "base/progress.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

struct bundle {
    struct vf_capture *capture;
    struct vf_warnings *warnings;
    struct vf_zip_file file;
    uint64_t sources_bytes;
    uint64_t left;       /* bytes that may still be unpacked, in all members together */
    uint64_t packed;     /* bytes of the members that are unpacked */
    struct vf_error why; /* of the last unpack() that came back with false */
};

/* ---- members ----------------------------------------------------------------------------------
 */

/* Streams a member into an unlinked temporary file and maps it: what its header says of its size is
 * not believed.  `*unpacked` is how much came, also when it is refused. */
static enum vf_status unpack_to_temp(const struct bundle *b, const zip_stat_t *told,
                                     zip_file_t *member, uint64_t limit, struct vf_bytes *out,
                                     uint64_t *unpacked, struct vf_error *error)
{
    enum { STEP = 256 * 1024 };
    int fd = vf_temp_file();
    if (fd < 0)
        return vf_fail_errno(error, errno, "no temporary file to unpack into");
    char *step = vf_alloc(STEP, 1);
    uint64_t total = 0;
    enum vf_status status = VF_OK;
    zip_int64_t got;
    while (status == VF_OK && (got = zip_fread(member, step, STEP)) != 0) {
        if (got < 0) {
            status = vf_fail(error, "is damaged: %s", zip_file_strerror(member));
            break;
        }
        total += (uint64_t)got;
        if (total <= told->size)
            vf_progress_set(b->packed + (uint64_t)((double)told->comp_size * (double)total /
                                                   (double)told->size));
        if (total > limit)
            status = vf_fail(error, "unpacks to more than %llu bytes, the limit",
                             (unsigned long long)limit);
        else
            status = vf_write_fd(fd, (struct vf_str){step, (size_t)got}, error);
    }
    /* What came before the damage is whole and is kept; the caller says what is missing. */
    if (status == VF_FATAL && total > 0 && total <= limit && got < 0)
        status = VF_WARN;
    struct vf_error map_error;
    if (status != VF_FATAL && vf_bytes_map_fd(fd, out, &map_error) == VF_FATAL) {
        *error = map_error;
        status = VF_FATAL;
    }
    *unpacked = total;
    free(step);
    close(fd);
    return status;
}

/* A large member that is not packed is used where it lies: nothing is copied, and its checksum is
 * computed while it is being read. */
static bool use_in_place(struct bundle *b, const char *name, zip_uint64_t index, uint64_t limit,
                         struct vf_str *out)
{
    struct vf_str stored;
    uint32_t crc;
    if (!vf_zip_file_stored(&b->file, index, &stored, &crc) || stored.len < VF_STORED_FROM ||
        stored.len > limit)
        return false;
    vf_zip_check_add(&b->capture->check, vf_arena_str(&b->capture->arena, vf_str_from(name)),
                     stored, crc);
    *out = stored;
    return true;
}

/* Gives the member called `name`, in the file or unpacked into memory that the capture owns; false
 * when there is none or it can't be read (then said as a warning). */
static bool unpack(struct bundle *b, const char *name, uint64_t limit, struct vf_str *out)
{
    zip_int64_t index = zip_name_locate(b->file.zip, name, 0);
    uint64_t most = limit < b->left ? limit : b->left, unpacked = 0;
    vf_fail(&b->why, "there is none");
    if (index < 0)
        return false;
    if (use_in_place(b, name, (zip_uint64_t)index, limit, out))
        return true;
    if (most == 0) {
        vf_fail(&b->why, "is left out: others have used up what may be unpacked");
        vf_warn(b->warnings, "member %.200s %s", name, b->why.text);
        return false;
    }
    zip_file_t *member = zip_fopen_index(b->file.zip, (zip_uint64_t)index, 0);
    if (!member) {
        vf_fail(&b->why, "%s", zip_strerror(b->file.zip));
        vf_warn(b->warnings, "member %.200s can't be read: %s", name, b->why.text);
        return false;
    }
    struct vf_bytes bytes = {0};
    zip_stat_t told = {0};
    zip_stat_index(b->file.zip, (zip_uint64_t)index, 0, &told);
    enum vf_status status = unpack_to_temp(b, &told, member, most, &bytes, &unpacked, &b->why);
    zip_fclose(member);
    b->packed += told.comp_size;
    b->left -= unpacked < b->left ? unpacked : b->left;
    if (status != VF_OK)
        vf_warn(b->warnings, "member %.200s %s", name, b->why.text);
    if (status == VF_FATAL)
        return false;
    VF_APPEND(&b->capture->members, bytes);
    *out = vf_bytes_view(&bytes);
    return true;
}

/* A column of pairs (capture/rows.h). */
static void unpack_rows(struct bundle *b, const char *name, struct vf_str *out)
{
    if (unpack(b, name, VF_INFLATED_MAX, out) && out->len % VF_PAIR_BYTES)
        vf_warn(b->warnings, "member %s ends within a row, which is left out", name);
}

static void add_source(struct bundle *b, const char *path, struct vf_str real_path,
                       const char *member)
{
    struct vf_str text;
    uint64_t left = VF_ZIP_SOURCES_MAX - b->sources_bytes;
    if (!unpack(b, member, left, &text))
        return;
    b->sources_bytes += text.len;
    struct vf_source_text *source = VF_PUSH(&b->capture->sources);
    source->path = vf_arena_str(&b->capture->arena, vf_str_from(path));
    source->real_path = real_path;
    source->text = text;
}

/* A value stands behind one of these, or is one of them; those within texts are counted too. */
size_t vf_json_values(struct vf_str json)
{
    size_t count = 0;
    for (size_t i = 0; i < json.len; i++)
        count += json.ptr[i] == ',' || json.ptr[i] == '{' || json.ptr[i] == '[';
    return count;
}

static json_t *load_json(struct bundle *b, const char *name, struct vf_str *out,
                         struct vf_error *error)
{
    struct vf_str text;
    json_error_t why;
    if (!unpack(b, name, VF_ZIP_JSON_MAX, &text)) {
        vf_fail(error, "%s in the zip can't be read: %s", name, b->why.text);
        return NULL;
    }
    if (vf_json_values(text) > VF_ZIP_JSON_VALUES_MAX) {
        vf_fail(error, "%s in the zip holds more than %d values, the limit", name,
                VF_ZIP_JSON_VALUES_MAX);
        return NULL;
    }
    *out = text;
    json_t *root = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, &why);
    if (!root)
        vf_fail(error, "%s in the zip is not JSON: line %d: %s", name, why.line, why.text);
    else if (!json_is_object(root))
        vf_fail(error, "%s in the zip: expected an object", name);
    if (root && !json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

/* ---- capture.json -----------------------------------------------------------------------------
 */

static struct vf_str get_text(struct bundle *b, json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return VF_STR("");
    return vf_arena_str(&b->capture->arena,
                        (struct vf_str){json_string_value(value), json_string_length(value)});
}

static int64_t get_int(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

static uint64_t get_count(json_t *object, const char *key)
{
    int64_t value = get_int(object, key);
    return value > 0 ? (uint64_t)value : 0;
}

static void read_recording(struct bundle *b, json_t *root)
{
    struct vf_capture_info *info = &b->capture->info;
    json_t *cost = json_object_get(root, "cost");
    info->channel = get_text(b, root, "channel");
    info->channel_why = get_text(b, root, "channel_why");
    info->stamps = get_text(b, root, "stamps");
    info->timer = get_text(b, root, "timer");
    info->timer_note = get_text(b, root, "timer_note");
    info->jitlog_mode = get_text(b, root, "jitlog_mode");
    info->jitlog_detail_until_ns = get_int(root, "jitlog_detail_until_ns");
    info->jitlog_traces = get_count(root, "jitlog_traces");
    info->jitlog_traces_brief = get_count(root, "jitlog_traces_brief");
    info->records_left_out = get_count(root, "records_left_out");
    info->threads_idle = get_count(root, "threads_idle");
    info->threads_left_out = get_count(root, "threads_left_out");
    info->recovered = get_count(root, "recovered");
    info->samples_skipped = get_count(root, "samples_skipped");
    info->stacks_unreadable = get_count(root, "stacks_unreadable");
    info->cost = (struct vf_capture_cost){.samples = get_count(cost, "samples"),
                                          .handler_ns = get_count(cost, "handler_ns"),
                                          .jitlog_ns = get_count(cost, "jitlog_ns"),
                                          .runtime_log_ns = get_count(cost, "runtime_log_ns"),
                                          .recorder_ns = get_count(cost, "recorder_cpu_ns"),
                                          .program_ns = get_count(cost, "program_cpu_ns")};
}

static void read_lists(struct bundle *b, json_t *root)
{
    struct vf_capture_info *info = &b->capture->info;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(root, "threads"), i, item)
    {
        struct vf_thread_name *thread = VF_PUSH(&info->threads);
        thread->number = get_count(item, "number");
        thread->tid = get_count(item, "tid");
        thread->from_ns = get_int(item, "from_ns");
        thread->until_ns = get_int(item, "until_ns");
        thread->name = get_text(b, item, "name");
    }
    json_array_foreach(json_object_get(root, "modules"), i, item)
    {
        struct vf_module *module = VF_PUSH(&info->modules);
        module->path = get_text(b, item, "path");
        module->build_id = get_text(b, item, "build_id");
    }
    json_array_foreach(json_object_get(root, "sources"), i, item)
    {
        const char *path = json_string_value(json_object_get(item, "path"));
        const char *member = json_string_value(json_object_get(item, "member"));
        if (path && member && zip_name_locate(b->file.zip, member, 0) < 0)
            vf_warn(b->warnings, "capture.json: member %.200s of %.200s is not in the zip", member,
                    path);
        else if (path && member)
            add_source(b, path, get_text(b, item, "real_path"), member);
    }
}

static void read_info(struct bundle *b, json_t *root)
{
    struct vf_capture_info *info = &b->capture->info;
    info->command = get_text(b, root, "command");
    info->program = get_text(b, root, "program");
    info->interpreter = get_text(b, root, "interpreter");
    info->interpreter_path = get_text(b, root, "interpreter_path");
    info->working_dir = get_text(b, root, "working_dir");
    info->host = get_text(b, root, "host");
    info->cpu = get_text(b, root, "cpu");
    info->os = get_text(b, root, "os");
    info->arch = get_text(b, root, "arch");
    info->recorder = get_text(b, root, "recorder");
    info->pid = get_count(root, "pid");
    info->cpu_count = get_count(root, "cpu_count");
    info->memory_bytes = get_count(root, "memory_bytes");
    info->counter_unsteady = get_count(root, "counter_unsteady");
    info->children = get_count(root, "children");
    info->sources_left_out = get_count(root, "sources_left_out");
    info->native_innermost = get_count(root, "native_innermost");
    info->pc_period_ns = get_count(root, "pc_period_ns");
    info->pc_lost = get_count(root, "pc_lost");
    info->pc_missing = get_text(b, root, "pc_missing");
    info->main_cpu_first_ns = get_int(root, "main_cpu_first_ns");
    info->start_realtime_ns = get_int(root, "start_realtime_ns");
    info->start_monotonic_ns = get_int(root, "start_monotonic_ns");
    info->end_monotonic_ns = get_int(root, "end_monotonic_ns");
    info->has_exit = json_is_integer(json_object_get(root, "exit_code"));
    info->exit_code = get_int(root, "exit_code");
    info->exit_signal = get_int(root, "exit_signal");
    read_recording(b, root);
    read_lists(b, root);
}

static enum vf_status open_vmfox(struct bundle *b, struct vf_error *error)
{
    struct vf_capture *capture = b->capture;
    capture->kind = VF_CAPTURE_VMFOX;
    json_t *root = load_json(b, "capture.json", &capture->info_json, error);
    if (!root)
        return VF_FATAL;
    int64_t version = get_int(root, "version");
    enum vf_status status = VF_OK;
    if (version < 1 || version > VF_CAPTURE_VERSION)
        status = vf_fail(error, "capture.json says version %lld; this vmfox reads versions 1 to %d",
                         (long long)version, VF_CAPTURE_VERSION);
    else if (!unpack(b, "profile.prof", VF_INFLATED_MAX, &capture->prof))
        status = zip_name_locate(b->file.zip, "profile.prof", 0) < 0
                     ? vf_fail(error, "expected a member profile.prof in the zip, found none")
                     : vf_fail(error, "profile.prof in the zip can't be read: %s", b->why.text);
    if (status == VF_OK) {
        unpack(b, "stamps.i64", VF_INFLATED_MAX, &capture->stamps);
        unpack_rows(b, "interrupted.i64", &capture->interrupted);
        unpack_rows(b, "memory.i64", &capture->memory);
        unpack(b, "cpu.i64", VF_INFLATED_MAX, &capture->cpu);
        unpack(b, "clock.i64", VF_INFLATED_MAX, &capture->pairs);
        unpack(b, "pc.i64", VF_INFLATED_MAX, &capture->pcs);
        unpack(b, "bytecode.txt", VF_ZIP_JSON_MAX, &capture->bytecode);
        unpack(b, "maps.txt", VF_ZIP_JSON_MAX, &capture->maps);
        unpack(b, "symbols.json", VF_ZIP_SYMBOLS_MAX, &capture->symbols);
        unpack(b, "code.bin", VF_ZIP_CODE_MAX, &capture->code);
        unpack(b, "profile.jitlog", VF_INFLATED_MAX, &capture->jitlog);
        unpack(b, "profile.pypylog", VF_INFLATED_MAX, &capture->pypylog);
        read_info(b, root);
    }
    json_decref(root);
    return status;
}

/* ---- dict.json of vmprof-firefox-converter ----------------------------------------------------
 */

/* Seconds since the epoch. */
static void read_times(struct bundle *b, double start_s, double end_s)
{
    const double latest_s = 1e11; /* some thousand years on */
    if (start_s >= 0 && start_s < end_s && end_s < latest_s) {
        b->capture->time_start_s = start_s;
        b->capture->time_end_s = end_s;
    } else {
        vf_warn(b->warnings, "dict.json: expected two times, found %g and %g", start_s, end_s);
    }
}

/* The member that an entry names; NULL, with a warning, when there is none. */
static const char *find_member(struct bundle *b, const char *key, const json_t *value)
{
    const char *member = json_string_value(value);
    if (!member) {
        vf_warn(b->warnings, "dict.json: %.200s names no member", key);
    } else if (zip_name_locate(b->file.zip, member, 0) < 0) {
        vf_warn(b->warnings, "dict.json: member %.200s of %.200s is not in the zip", member, key);
        member = NULL;
    }
    return member;
}

/* Where the content of an entry that is no source goes; NULL for a source. */
static struct vf_str *find_place(struct vf_capture *capture, const char *key)
{
    if (strcmp(key, "prof") == 0)
        return &capture->prof;
    if (strcmp(key, "jitlog") == 0)
        return &capture->jitlog;
    return strcmp(key, "pypylog") == 0 ? &capture->pypylog : NULL;
}

static bool is_times(const char *key, const json_t *value)
{
    return strcmp(key, "times") == 0 && json_array_size(value) == 2;
}

/* The sources come last: what is too much is left out of them. */
static void read_sources(struct bundle *b, json_t *root)
{
    const char *key, *member;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (is_times(key, value) || find_place(b->capture, key))
            continue;
        if ((member = find_member(b, key, value)))
            add_source(b, key, VF_STR(""), member);
    }
}

static enum vf_status open_converter(struct bundle *b, struct vf_error *error)
{
    struct vf_capture *capture = b->capture;
    struct vf_str text;
    capture->kind = VF_CAPTURE_CONVERTER_ZIP;
    json_t *root = load_json(b, "dict.json", &text, error);
    if (!root)
        return VF_FATAL;
    const char *key, *member;
    json_t *value;
    struct vf_error prof_why = {0};
    json_object_foreach(root, key, value)
    {
        struct vf_str *place = find_place(capture, key);
        if (is_times(key, value))
            read_times(b, json_number_value(json_array_get(value, 0)),
                       json_number_value(json_array_get(value, 1)));
        if (!place || !(member = find_member(b, key, value)))
            continue;
        if (!unpack(b, member, VF_INFLATED_MAX, place) && place == &capture->prof)
            prof_why = b->why;
    }
    if (capture->prof.len > 0)
        read_sources(b, root);
    json_decref(root);
    if (prof_why.text[0])
        return vf_fail(error, "the \"prof\" of dict.json can't be read: %s", prof_why.text);
    if (capture->prof.len == 0)
        return vf_fail(error, "expected dict.json to name a VMProf file as \"prof\", found none");
    return VF_OK;
}

/* A .prof inside a converter's zip may be gzipped, as any .prof. */
static enum vf_status inflate_prof(struct vf_capture *capture, struct vf_warnings *warnings,
                                   struct vf_error *error)
{
    struct vf_bytes copy = {(const unsigned char *)capture->prof.ptr, capture->prof.len,
                            VF_BYTES_BORROWED};
    if (!vf_is_gzip(&copy))
        return VF_OK;
    enum vf_status status = vf_gunzip(&copy, vf_inflated_max(copy.len), warnings, error);
    if (status == VF_FATAL)
        return status;
    VF_APPEND(&capture->members, copy);
    capture->prof = vf_bytes_view(&copy);
    return VF_OK;
}

/* Other programs may read another of them. */
static void warn_of_twins(struct bundle *b, zip_int64_t members)
{
    for (zip_int64_t i = 0; i < members; i++) {
        const char *name = zip_get_name(b->file.zip, (zip_uint64_t)i, 0);
        zip_int64_t first = name ? zip_name_locate(b->file.zip, name, 0) : -1;
        if (first < 0 || first == i)
            continue;
        vf_warn(b->warnings, "member %.200s is in the zip more than once; one of them is read",
                name);
        return;
    }
}

enum vf_status vf_bundle_open(struct vf_capture *capture, struct vf_warnings *warnings,
                              struct vf_error *error)
{
    struct bundle b = {
        .capture = capture, .warnings = warnings, .left = vf_inflated_max(capture->file.len)};
    size_t warned = warnings ? warnings->count : 0;
    if (vf_zip_file_open(&b.file, &capture->file, error) == VF_FATAL)
        return VF_FATAL;
    enum vf_status status = VF_FATAL;
    vf_progress_begin("unpacking %s", VF_PROGRESS_BYTES, capture->file.len);
    zip_int64_t members = zip_get_num_entries(b.file.zip, 0);
    if (members <= VF_ZIP_MEMBERS_MAX)
        warn_of_twins(&b, members);
    if (members > VF_ZIP_MEMBERS_MAX)
        vf_fail(error, "the zip has %lld members, more than %d, the limit", (long long)members,
                VF_ZIP_MEMBERS_MAX);
    else if (zip_name_locate(b.file.zip, "capture.json", 0) >= 0)
        status = open_vmfox(&b, error);
    else if (zip_name_locate(b.file.zip, "dict.json", 0) >= 0)
        status = open_converter(&b, error);
    else
        vf_fail(error, "expected capture.json (a .vmfox) or dict.json (a zip of "
                       "vmprof-firefox-converter) in the zip, found neither");
    vf_zip_file_close(&b.file);
    vf_zip_check_start(&capture->check);
    if (status != VF_FATAL)
        status = inflate_prof(capture, warnings, error);
    if (status == VF_OK && warnings && warnings->count > warned)
        status = VF_WARN;
    return status;
}

#include "test.h"

#include "recording.h"

#include <math.h>

enum { CODE_NAME = 0x02, NATIVE_NAME = 0x08, SAMPLE = 0x01 };

static void begin(struct recording *r, struct prof_builder file, uint64_t period_us,
                  const char *interpreter)
{
    *r = (struct recording){.file = file};
    r->file.word_bytes = r->file.addr_bytes = 8;
    r->file.kinds = strcmp(interpreter, "pypy") == 0 && file.version != RECORDING_OLDEST;
    prof_static_header(&r->file, period_us);
    if (file.version == RECORDING_OLDEST) {
        r->file.version = 0;
        prof_old_interpreter(&r->file, interpreter);
        return;
    }
    prof_header(&r->file, interpreter);
    if (file.version >= 6)
        prof_start_time(&r->file, RECORDING_START_S, 0);
}

void recording_begin(struct recording *r, int version, unsigned mode, const char *interpreter)
{
    begin(r, (struct prof_builder){.version = version, .mode = mode}, 1000, interpreter);
}

void recording_begin_fork(struct recording *r, unsigned mode, const char *interpreter)
{
    begin(r, (struct prof_builder){.version = 7, .mode = mode, .fork = true}, 1000, interpreter);
}

void recording_begin_period(struct recording *r, int version, unsigned mode, uint64_t period_us)
{
    begin(r, (struct prof_builder){.version = version, .mode = mode}, period_us, "cpython");
}

void recording_name(struct recording *r, uint64_t id, const char *text)
{
    prof_name(&r->file, CODE_NAME, id, text);
}

void recording_native_name(struct recording *r, uint64_t id, const char *text)
{
    prof_name(&r->file, NATIVE_NAME, id, text);
}

void recording_take(struct recording *r, const struct prof_frame *frames, size_t depth)
{
    r->next.frames = frames;
    r->next.depth = depth;
    prof_stack(&r->file, SAMPLE, &r->next);
}

void recording_take_at(struct recording *r, uint64_t thread, int64_t time_ns)
{
    r->next.thread = thread;
    r->next.time_ns = time_ns;
    TAKE(r, CODE(0x10));
}

void recording_stamp(struct recording *r, int64_t monotonic_ns)
{
    vf_buf_add(&r->stamps, &monotonic_ns, sizeof monotonic_ns);
}

void recording_interrupted(struct recording *r, uint64_t tid, uint64_t ip)
{
    vf_buf_add(&r->interrupted, &tid, sizeof tid);
    vf_buf_add(&r->interrupted, &ip, sizeof ip);
}

void recording_memory(struct recording *r, double ms, uint64_t bytes)
{
    int64_t mono_ns = RECORDING_ZERO_NS + llround(ms * 1e6);
    vf_buf_add(&r->memory, &mono_ns, sizeof mono_ns);
    vf_buf_add(&r->memory, &bytes, sizeof bytes);
}

void recording_cpu(struct recording *r, int64_t monotonic_ns, uint64_t tid, int64_t cpu_ns)
{
    vf_buf_add(&r->cpu, &monotonic_ns, sizeof monotonic_ns);
    vf_buf_add(&r->cpu, &tid, sizeof tid);
    vf_buf_add(&r->cpu, &cpu_ns, sizeof cpu_ns);
}

void recording_pair(struct recording *r, int64_t monotonic_ns, uint64_t tick, int64_t error_ns)
{
    vf_buf_add(&r->pairs, &monotonic_ns, sizeof monotonic_ns);
    vf_buf_add(&r->pairs, &tick, sizeof tick);
    vf_buf_add(&r->pairs, &error_ns, sizeof error_ns);
}

static int64_t tick_at(double ms)
{
    return (int64_t)RECORDING_ZERO_TICK + llround(ms * (double)RECORDING_TICKS_PER_MS);
}

void recording_measured(struct recording *r, double run_ms)
{
    int64_t end_ns = RECORDING_ZERO_NS + llround(run_ms * 1e6);
    r->capture.info.start_monotonic_ns = RECORDING_ZERO_NS;
    r->capture.info.end_monotonic_ns = end_ns;
    r->capture.info.pid = 77;
    recording_pair(r, RECORDING_ZERO_NS, RECORDING_ZERO_TICK, 0);
    recording_pair(r, end_ns, (uint64_t)tick_at(run_ms), 0);
}

void recording_stamp_ms(struct recording *r, double ms)
{
    recording_stamp(r, RECORDING_ZERO_NS + llround(ms * 1e6));
}

static void log_line(struct recording *r, const char *line, size_t len)
{
    char *text;
    double ms = strtod(line, &text);
    bool is_event = text > line && text < line + len && *text == ' ' &&
                    (text[1] == '{' || line[len - 1] == '}');
    if (is_event) {
        vf_buf_printf(&r->log, "[%llx]", (unsigned long long)tick_at(ms));
        len -= (size_t)(text - line);
        line = text;
    }
    vf_buf_add(&r->log, line, len);
}

void recording_log(struct recording *r, const char *lines)
{
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        if (len)
            log_line(r, lines, len);
        lines += len;
        if (*lines) {
            vf_buf_add(&r->log, "\n", 1);
            lines++;
        }
    }
}

void recording_thread(struct recording *r, uint64_t number, uint64_t tid, const char *name)
{
    VF_APPEND(&r->capture.info.threads,
              ((struct vf_thread_name){.number = number, .tid = tid, .name = vf_str_from(name)}));
}

void recording_thread_from(struct recording *r, double ms, uint64_t tid, const char *name)
{
    recording_thread(r, 0, tid, name);
    r->capture.info.threads.items[r->capture.info.threads.len - 1].from_ns =
        RECORDING_ZERO_NS + llround(ms * 1e6);
}

void recording_source(struct recording *r, const char *path, const char *real_path,
                      struct vf_str text)
{
    VF_APPEND(&r->capture.sources,
              ((struct vf_source_text){vf_str_from(path), vf_str_from(real_path), text}));
}

void recording_module(struct recording *r, const char *path, const char *build_id)
{
    VF_APPEND(&r->capture.info.modules,
              ((struct vf_module){vf_str_from(path), vf_str_from(build_id)}));
}

void recording_build(struct recording *r)
{
    if (!r->cut)
        prof_trailer(&r->file, RECORDING_START_S + RECORDING_RUN_S, 0);
    if (r->maps_behind)
        vf_buf_str(&r->file.out, vf_str_from(r->maps_behind));
    r->capture.prof = vf_buf_view(&r->file.out);
    r->capture.stamps = vf_buf_view(&r->stamps);
    r->capture.interrupted = vf_buf_view(&r->interrupted);
    r->capture.memory = vf_buf_view(&r->memory);
    r->capture.cpu = vf_buf_view(&r->cpu);
    r->capture.pairs = vf_buf_view(&r->pairs);
    r->capture.pypylog = vf_buf_view(&r->log);
    r->status = vf_profile_build(&r->profile, &r->capture, r->options, &r->warnings, &r->error);
    if (r->status == VF_FATAL)
        fail_msg("no profile: %s", r->error.text);
}

void recording_release(struct recording *r)
{
    vf_profile_release(&r->profile);
    vf_capture_release(&r->capture);
    vf_buf_release(&r->file.out);
    vf_buf_release(&r->stamps);
    vf_buf_release(&r->interrupted);
    vf_buf_release(&r->memory);
    vf_buf_release(&r->cpu);
    vf_buf_release(&r->pairs);
    vf_buf_release(&r->log);
    vf_buf_release(&r->text);
}

/* ---- what is in it --------------------------------------------------------------------------- */

static const char *category(const struct vf_frame_row *frame)
{
    static const char *const names[] = {"[Other]",       "",         "", "[Native]", "[GC]",
                                        "[Interpreter]", "[Compile]"};
    _Static_assert(sizeof names / sizeof *names == VF_CATEGORY_COUNT, "each has a name");
    static const char *const jit[] = {"[JIT/Other]", "[JIT]", "[JIT/Inlined]", "[JIT/Loop]",
                                      "[JIT/Bridge]"};
    assert_between(frame->category, 0, VF_CATEGORY_COUNT - 1);
    if (frame->category != VF_CATEGORY_JIT) {
        assert_int_equal(frame->subcategory, 0);
        return names[frame->category];
    }
    assert_between(frame->subcategory, 0, 4);
    return jit[frame->subcategory];
}

static void add_frame(struct recording *r, vf_stack_id id)
{
    const struct vf_profile *p = &r->profile;
    const struct vf_stack_row *stack = &p->stacks.stacks.items[id.i];
    const struct vf_frame_row *frame = &p->stacks.frames.items[stack->frame.i];
    struct vf_str name = vf_strings_get(&p->strings, p->funcs.funcs.items[frame->func.i].name);
    if (stack->parent.i != VF_NONE) {
        assert_true(stack->parent.i < id.i);
        add_frame(r, stack->parent);
        vf_buf_str(&r->text, VF_STR(" > "));
    }
    vf_buf_str(&r->text, name);
    if (frame->line)
        vf_buf_printf(&r->text, ":%u", frame->line);
    vf_buf_str(&r->text, vf_str_from(category(frame)));
}

const char *recording_render(struct recording *r, vf_stack_id stack)
{
    r->text.len = 0;
    if (stack.i != VF_NONE)
        add_frame(r, stack);
    vf_buf_add(&r->text, "", 1);
    return r->text.ptr;
}

const char *recording_stack(struct recording *r, size_t thread, size_t sample)
{
    assert_true(thread < r->profile.threads.len);
    assert_true(sample < r->profile.threads.items[thread].samples.len);
    return recording_render(r, r->profile.threads.items[thread].samples.items[sample].stack);
}

const char *recording_marker(struct recording *r, size_t thread, size_t marker)
{
    assert_true(thread < r->profile.threads.len);
    const struct vf_markers *m = &r->profile.threads.items[thread].markers;
    r->text.len = 0;
    if (marker < m->rows.len) {
        const struct vf_marker_row *row = &m->rows.items[marker];
        const struct vf_marker_schema *schema = &vf_marker_schemas[row->kind];
        vf_buf_printf(&r->text, "%s %.9g..%.9g", schema->type, row->start_ms, row->end_ms);
        for (uint32_t i = 0; i < row->count; i++) {
            const struct vf_marker_value *value = &m->values.items[row->first + i];
            vf_buf_printf(&r->text, " %s=", schema->fields[value->field].key);
            if (value->text.i != VF_NONE)
                vf_buf_str(&r->text, vf_strings_get(&r->profile.strings, value->text));
            else
                vf_buf_printf(&r->text, "%.9g", value->number);
        }
    }
    vf_buf_add(&r->text, "", 1);
    return r->text.ptr;
}

const char *recording_counter(struct recording *r, const char *name)
{
    r->text.len = 0;
    for (size_t i = 0; i < r->profile.counters.len; i++) {
        const struct vf_counter *counter = &r->profile.counters.items[i];
        if (strcmp(counter->name, name) != 0)
            continue;
        for (size_t k = 0; k < counter->rows.len; k++)
            vf_buf_printf(&r->text, "%s%.9g=%.9g", k ? " " : "", counter->rows.items[k].time_ms,
                          counter->rows.items[k].value);
        vf_buf_add(&r->text, "", 1);
        return r->text.ptr;
    }
    return NULL;
}

const char *recording_fact(const struct recording *r, const char *label)
{
    for (size_t s = 0; s < r->profile.extras.len; s++)
        for (size_t i = 0; i < r->profile.extras.items[s].entries.len; i++)
            if (vf_str_eq(r->profile.extras.items[s].entries.items[i].label, vf_str_from(label)))
                return r->profile.extras.items[s].entries.items[i].value.ptr;
    return NULL;
}

void assert_fact(const struct recording *r, const char *label, const char *part)
{
    const char *value = recording_fact(r, label);
    if (!part && value)
        fail_msg("%s is %s", label, value);
    if (part && (!value || !strstr(value, part)))
        fail_msg("%s is %s, expected %s", label, value ? value : "missing", part);
}

const char *recording_string(const struct recording *r, vf_string_id id)
{
    return vf_strings_get(&r->profile.strings, id).ptr;
}

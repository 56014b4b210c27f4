#include "profile/walk.h"

#include <stdio.h>

/* ---- what a raw frame looks like in the profile -----------------------------------------------
 */

static vf_func_id text_func(struct vf_walk *walk, struct vf_str name)
{
    struct vf_func func = {.name = vf_strings_add(&walk->profile->strings, name),
                           .source = {VF_NONE},
                           .lib = {VF_NONE},
                           .is_python = true};
    return vf_funcs_func(&walk->profile->funcs, func);
}

static struct vf_frame_row frame_row(vf_func_id func, int category, int subcategory)
{
    return (struct vf_frame_row){.func = func,
                                 .native = {VF_NONE},
                                 .address = -1,
                                 .category = (uint8_t)category,
                                 .subcategory = (uint8_t)subcategory};
}

static vf_source_id add_source(struct vf_walk *walk, struct vf_str file)
{
    if (file.len == VF_PYPY_NAME_MAX && vf_str_ends(file, VF_STR("...")))
        for (size_t i = 0; i < walk->capture->sources.len; i++) {
            const struct vf_source_text *source = &walk->capture->sources.items[i];
            if (source->real_path.len && vf_str_eq(source->path, file))
                file = source->real_path;
        }
    if (file.len == 0 || vf_str_eq(file, VF_STR("-")))
        return (vf_source_id){VF_NONE};
    return vf_funcs_source(&walk->profile->funcs, vf_strings_add(&walk->profile->strings, file));
}

static struct vf_str name_text(const struct vf_walk *walk, uint32_t name)
{
    return name == VF_NONE ? VF_STR("") : walk->scan->names.items[name].text;
}

/* vmprof-python writes this where it has found no symbol. */
static bool has_real_name(struct vf_str text, const struct vf_code_name *name)
{
    return text.len && name->name.len && !vf_str_starts(name->name, VF_STR("<native symbol 0x"));
}

vf_func_id vf_walk_func(struct vf_walk *walk, const struct vf_code_name *name)
{
    struct vf_func func = {.name = vf_strings_add(&walk->profile->strings, name->name),
                           .source = add_source(walk, name->file),
                           .lib = {VF_NONE},
                           .line = name->line,
                           .is_python = true};
    return vf_funcs_func(&walk->profile->funcs, func);
}

static struct vf_frame_row code_frame(struct vf_walk *walk, const struct vf_walk_frame *raw)
{
    struct vf_str text = name_text(walk, raw->name);
    struct vf_code_name name = vf_code_name_parse(text);
    vf_func_id func;
    if (has_real_name(text, &name)) {
        func = vf_walk_func(walk, &name);
    } else {
        char unnamed[64];
        snprintf(unnamed, sizeof unnamed, "unnamed code 0x%llx", (unsigned long long)raw->value);
        func = text_func(walk, vf_str_from(unnamed));
        walk->unnamed_code++;
    }
    bool jit = raw->kind == VF_FRAME_JITTED;
    struct vf_frame_row row =
        frame_row(func, jit ? VF_CATEGORY_JIT : VF_CATEGORY_PYTHON, jit ? VF_JIT_INLINED : 0);
    row.line = raw->line > 0 && raw->line <= INT32_MAX ? (uint32_t)raw->line : 0;
    return row;
}

static struct vf_code_name told_name(const struct vf_walk *walk, const struct vf_walk_frame *raw)
{
    struct vf_str text = name_text(walk, raw->name);
    struct vf_code_name name = vf_code_name_parse(text);
    if (!has_real_name(text, &name))
        name = (struct vf_code_name){0};
    return name;
}

/* True where assembler frames are looked up among the traces of the JIT's log. */
static bool has_traces(const struct vf_walk *walk)
{
    return walk->jit->jit && walk->jit->jit->present;
}

static bool shows_traces(const struct vf_walk *walk)
{
    return has_traces(walk) && !walk->jit->hidden;
}

/* No kind of VMProf's. */
enum { UNKNOWN_KIND = INT32_MAX };

static struct vf_frame_row state_frame(struct vf_walk *walk, int kind)
{
    switch (kind) {
    case VF_FRAME_ASM:
        if (shows_traces(walk))
            return frame_row(text_func(walk, VF_STR("(compiled code of no known trace)")),
                             VF_CATEGORY_JIT, VF_JIT_COMPILED);
        return frame_row(text_func(walk, VF_STR("(compiled code)")), VF_CATEGORY_JIT,
                         VF_JIT_COMPILED);
    case VF_FRAME_BLACKHOLE:
        return frame_row(text_func(walk, VF_STR("(leaving compiled code)")), VF_CATEGORY_JIT, 0);
    case VF_FRAME_JITTING:
        return frame_row(text_func(walk, VF_STR("(tracing and compiling)")), VF_CATEGORY_JIT, 0);
    case VF_FRAME_GC:
        return frame_row(text_func(walk, VF_STR("(garbage collection)")), VF_CATEGORY_GC, 0);
    default:
        return frame_row(text_func(walk, VF_STR("(other frames)")), VF_CATEGORY_OTHER, 0);
    }
}

/* The oldest files (no header record) have no kinds and do not mark native code: what has no name
 * and lies in a library is native.  In those of PyPy an odd number is the id of a name that stands
 * under the even one before it, and the numbers 3 and 2 stand around the functions of a trace, root
 * first. */
static void read_oldest(struct vf_walk *walk, struct vf_walk_frame *raw)
{
    const struct vf_vmprof *header = &walk->scan->header;
    bool pypy = vf_str_eq(header->interpreter, VF_STR("pypy"));
    if (header->has_header)
        return;
    if (raw->value == 0) { /* where the walk over the native stack ended */
        raw->role = VF_ROLE_LAUNCHER;
        return;
    }
    if (pypy && (raw->value == 2 || raw->value == 3)) {
        raw->role = raw->value == 3 ? VF_ROLE_TRACE_BEGINS : VF_ROLE_TRACE_ENDS;
        return;
    }
    if (pypy && raw->name == VF_NONE && (raw->value & 1))
        raw->name = vf_scan_name(walk->scan, raw->value - 1);
    if (raw->name != VF_NONE)
        raw->kind = VF_FRAME_CODE;
    else {
        const struct vf_map *map = vf_maps_find(&walk->natives->maps, raw->value);
        if (map && map->executable)
            raw->kind = VF_FRAME_NATIVE;
    }
}

static void read_native(struct vf_walk *walk, struct vf_walk_frame *raw)
{
    struct vf_code_name name = told_name(walk, raw);
    struct vf_native_frame frame = vf_natives_frame(walk->natives, raw->value, &name);
    raw->start = frame.start;
    raw->end = frame.end;
    if (frame.is_sampler)
        raw->role = VF_ROLE_SAMPLER;
    else
        raw->frame = vf_stacks_frame(&walk->profile->stacks, frame.row);
}

static struct vf_walk_frame *lookup(struct vf_walk *walk, const struct vf_frame *frame)
{
    struct vf_walk_frame raw = {.value = frame->value,
                                .line = frame->line,
                                .key_kind = frame->kind,
                                .kind = frame->kind,
                                .trace = VF_NONE,
                                .frame = {VF_NONE}};
    bool named = frame->kind == VF_FRAME_CODE || frame->kind == VF_FRAME_JITTED ||
                 frame->kind == VF_FRAME_NATIVE;
    raw.name = named ? vf_scan_name(walk->scan, frame->value) : VF_NONE;
    if (frame->kind == VF_FRAME_ASM && has_traces(walk))
        raw.value = raw.trace = vf_jit_build_find(walk->jit, frame->value);
    else if (!named)
        raw.value = 0; /* its address makes no frame of its own */
    uint64_t hash = vf_hash_u64(raw.value, (uint64_t)raw.line << 8 ^ (uint64_t)raw.key_kind);
    struct vf_probe probe = vf_table_probe(&walk->frame_index, hash);
    uint32_t row;
    while (vf_table_next(&walk->frame_index, &probe, &row)) {
        struct vf_walk_frame *x = &walk->frames.items[row];
        if (x->value == raw.value && x->line == raw.line && x->key_kind == raw.key_kind)
            return x;
    }
    if (walk->frames.len >= walk->frames_max) {
        walk->frames_folded++;
        return &walk->folded;
    }
    read_oldest(walk, &raw);
    if (raw.role == VF_ROLE_FRAME && (raw.kind == VF_FRAME_CODE || raw.kind == VF_FRAME_JITTED)) {
        struct vf_code_name name = vf_code_name_parse(name_text(walk, raw.name));
        raw.role = vf_role_find(&name, &raw.thread);
    }
    if (raw.kind == VF_FRAME_NATIVE && raw.role == VF_ROLE_FRAME)
        read_native(walk, &raw);
    vf_table_insert(&walk->frame_index, hash, (uint32_t)walk->frames.len);
    VF_APPEND(&walk->frames, raw);
    return &walk->frames.items[walk->frames.len - 1];
}

/* ---- the walk ---------------------------------------------------------------------------------
 */

/* The profile's frame, made when it is first needed: frames that are left out leave no trace. */
static vf_frame_id profile_frame(struct vf_walk *walk, struct vf_walk_frame *raw)
{
    struct vf_frame_row made;
    if (raw->frame.i != VF_NONE)
        return raw->frame;
    if (raw->trace != VF_NONE)
        return raw->frame = vf_jit_build_frame(walk->jit, raw->trace, 0);
    if (raw->kind == VF_FRAME_CODE || raw->kind == VF_FRAME_JITTED)
        made = code_frame(walk, raw);
    else
        made = state_frame(walk, raw->kind);
    raw->frame = vf_stacks_frame(&walk->profile->stacks, made);
    return raw->frame;
}

/* The stack with its last frame in category JIT instead. */
static vf_stack_id in_jit(struct vf_walk *walk, vf_stack_id stack)
{
    struct vf_stacks *stacks = &walk->profile->stacks;
    struct vf_stack_row row = stacks->stacks.items[stack.i];
    struct vf_frame_row frame = stacks->frames.items[row.frame.i];
    frame.category = VF_CATEGORY_JIT;
    frame.subcategory = VF_JIT_COMPILED;
    return vf_stacks_push(stacks, row.parent, vf_stacks_frame(stacks, frame));
}

/* True for a frame that makes none of its own; what it says otherwise is noted in `step`. */
static bool is_left_out(struct vf_walk *walk, struct vf_walk_step *step,
                        const struct vf_walk_frame *raw)
{
    switch (raw->role) {
    case VF_ROLE_SAMPLER:
        return true;
    case VF_ROLE_THREAD:
        step->thread = raw->thread;
        return true;
    case VF_ROLE_TRACE_BEGINS:
    case VF_ROLE_TRACE_ENDS:
        step->in_trace = raw->role == VF_ROLE_TRACE_BEGINS;
        return true;
    case VF_ROLE_BOOTSTRAP:
        step->outside = true;
        step->stack =
            vf_stacks_push(&walk->profile->stacks, (vf_stack_id){VF_NONE}, walk->outside_frame);
        return true;
    case VF_ROLE_OUTSIDE:
        step->outside = !step->started;
        return !step->started;
    case VF_ROLE_MAIN: /* started by -c, whose own <module> has been taken for the program's */
        step->stack = (vf_stack_id){VF_NONE};
        step->started = false;
        step->launched = true;
        return true;
    case VF_ROLE_LAUNCHER:
        step->launched |= !step->started;
        return !step->started;
    case VF_ROLE_IMPORT: /* while nothing of the program has asked for it */
        return !step->started;
    case VF_ROLE_FRAME: /* what a launcher calls in C */
        return raw->kind == VF_FRAME_NATIVE && step->launched && !step->started;
    }
    return false;
}

/* The trace of the assembler frame that ends the row of jitted frames here; VF_NONE: there is none.
 * Notes how far it has looked: a sample with other frames there may come out otherwise. */
static uint32_t find_own_trace(struct vf_walk *walk, struct vf_walk_step *step,
                               const struct vf_sample *sample, uint32_t next)
{
    for (uint32_t i = next; i < sample->depth; i++) {
        struct vf_frame frame = vf_vmprof_frame(&walk->scan->header, sample, i);
        if (step->ahead < i + 1)
            step->ahead = i + 1;
        if (frame.kind != VF_FRAME_JITTED)
            return frame.kind == VF_FRAME_ASM ? vf_jit_build_find(walk->jit, frame.value) : VF_NONE;
    }
    step->ahead = UINT32_MAX;
    return VF_NONE;
}

/* True for a jitted frame that is the same activation as the one above. */
static bool goes_on(struct vf_walk *walk, struct vf_walk_step *step,
                    const struct vf_walk_frame *raw, const struct vf_sample *sample, uint32_t at)
{
    if (raw->kind != VF_FRAME_JITTED || step->kind != VF_FRAME_ASM || step->trace == VF_NONE ||
        step->inner != raw->value || !has_traces(walk))
        return false;
    uint32_t own = find_own_trace(walk, step, sample, at + 1);
    return own != VF_NONE &&
           vf_jit_build_continues(walk->jit, step->trace, own,
                                  vf_code_name_parse(name_text(walk, raw->name)).name);
}

static void take_trace(struct vf_walk *walk, struct vf_walk_step *step, struct vf_walk_frame *raw,
                       int before)
{
    if (before == VF_FRAME_CODE)
        step->stack = in_jit(walk, step->stack);
    step->trace = raw->trace;
    step->asm_frames++;
    step->unowned += raw->trace == VF_NONE && has_traces(walk);
    if (shows_traces(walk) || before == 0)
        step->stack = vf_stacks_push(&walk->profile->stacks, step->stack, profile_frame(walk, raw));
}

/* Takes the frame `at` of the sample. */
static void take_frame(struct vf_walk *walk, struct vf_walk_step *step,
                       const struct vf_sample *sample, uint32_t at)
{
    struct vf_frame frame = vf_vmprof_frame(&walk->scan->header, sample, at);
    struct vf_walk_frame *raw = lookup(walk, &frame);
    int before = step->kind;
    uint64_t value_before = step->value;
    if (step->outside || is_left_out(walk, step, raw))
        return;
    bool continued = goes_on(walk, step, raw, sample, at);
    if ((raw->kind == VF_FRAME_JITTED || raw->kind == VF_FRAME_ASM) && before != VF_FRAME_JITTED) {
        step->base = step->stack;
        step->base_trace = before == VF_FRAME_ASM ? step->trace : VF_NONE;
    }
    step->started = true;
    step->kind = raw->kind;
    step->value = raw->value;
    step->start = raw->start;
    step->end = raw->end;
    if (raw->kind == VF_FRAME_CODE || raw->kind == VF_FRAME_JITTED)
        step->inner = raw->value;
    if (continued)
        step->continued++;
    else if (raw->kind == VF_FRAME_ASM)
        take_trace(walk, step, raw, before);
    else if (raw->kind == VF_FRAME_JITTED && before == VF_FRAME_CODE && value_before == raw->value)
        step->stack = in_jit(walk, step->stack);
    else
        step->stack = vf_stacks_push(&walk->profile->stacks, step->stack, profile_frame(walk, raw));
    if (step->in_trace && raw->kind == VF_FRAME_CODE)
        step->stack = in_jit(walk, step->stack);
}

/* Where the group of frames begins that the assembler frame `at` ends. */
static uint32_t group_start(const struct vf_walk *walk, const struct vf_sample *sample, uint32_t at)
{
    while (at > 0 && vf_vmprof_frame(&walk->scan->header, sample, at - 1).kind == VF_FRAME_JITTED)
        at--;
    return at;
}

/* The frames of a sample that VMProf has made up (vf_jit_build_is_left_over()); none: from is
 * UINT32_MAX. */
static struct vf_walk_range find_left_over(struct vf_walk *walk, const struct vf_sample *sample)
{
    const struct vf_vmprof *v = &walk->scan->header;
    const struct vf_walk_range none = {UINT32_MAX, UINT32_MAX};
    if (!has_traces(walk) || walk->keeps_left_over || sample->depth < 2)
        return none;
    struct vf_frame leaf = vf_vmprof_frame(v, sample, sample->depth - 1);
    if (leaf.kind != VF_FRAME_ASM)
        return none;
    uint32_t to = group_start(walk, sample, sample->depth - 1);
    struct vf_frame before = {0};
    if (to > 0)
        before = vf_vmprof_frame(v, sample, to - 1);
    if (before.kind != VF_FRAME_ASM)
        return none;
    uint32_t outer = vf_jit_build_find(walk->jit, before.value);
    uint32_t inner = vf_jit_build_find(walk->jit, leaf.value);
    if (outer == VF_NONE || inner == VF_NONE || !vf_jit_build_is_left_over(walk->jit, outer, inner))
        return none;
    return (struct vf_walk_range){group_start(walk, sample, to - 1), to};
}

/* How many frames from the root two samples have in common. */
static uint32_t common_frames(const struct vf_walk *walk, const struct vf_sample *sample)
{
    const struct vf_vmprof *v = &walk->scan->header;
    const struct vf_sample *before = &walk->before;
    if (!walk->has_before || sample->depth == 0 || before->depth == 0)
        return 0;
    size_t size = v->addr_bytes * (size_t)(sample->words / sample->depth);
    const unsigned char *a = sample->frames + size * sample->depth;
    const unsigned char *b = before->frames + size * before->depth;
    uint32_t most = sample->depth < before->depth ? sample->depth : before->depth;
    uint32_t same = 0;
    while (same < most && memcmp(a - size, b - size, size) == 0) {
        a -= size;
        b -= size;
        same++;
    }
    return same;
}

struct vf_walked vf_walk_sample(struct vf_walk *walk, const struct vf_sample *sample)
{
    uint32_t same = common_frames(walk, sample);
    struct vf_walk_step step = {
        .stack = {VF_NONE}, .trace = VF_NONE, .base = {VF_NONE}, .base_trace = VF_NONE};
    struct vf_walk_range left_out = find_left_over(walk, sample);
    if (same > left_out.from)
        same = left_out.from;
    if (same > walk->left_out_from)
        same = walk->left_out_from;
    walk->left_out_from = left_out.from;
    while (same && walk->path.items[same - 1].ahead > same)
        same--;
    if (same)
        step = walk->path.items[same - 1];
    walk->path.len = same;
    for (uint32_t i = same; i < sample->depth; i++) {
        if (i < left_out.from || i >= left_out.to)
            take_frame(walk, &step, sample, i);
        VF_APPEND(&walk->path, step);
    }
    walk->before = *sample;
    walk->has_before = true;
    if (step.stack.i == VF_NONE && sample->depth > 0)
        step.stack =
            vf_stacks_push(&walk->profile->stacks, (vf_stack_id){VF_NONE}, walk->outside_frame);
    return (struct vf_walked){.stack = step.stack,
                              .thread = step.thread,
                              .base = step.base,
                              .base_trace = step.base_trace,
                              .trace = step.trace,
                              .asm_frames = step.asm_frames,
                              .unowned = step.unowned,
                              .continued = step.continued,
                              .left_over = left_out.from != UINT32_MAX,
                              .native = step.start,
                              .native_end = step.kind == VF_FRAME_NATIVE ? step.end : 0,
                              .in_program = step.started && !step.outside,
                              .ends_compiled = step.kind == VF_FRAME_ASM,
                              .ends_in_native = step.kind == VF_FRAME_NATIVE,
                              .ends_in_trace = step.kind == VF_FRAME_ASM && step.trace != VF_NONE};
}

uint64_t vf_walk_thread(struct vf_walk *walk, const struct vf_sample *sample)
{
    for (uint32_t i = 0; i < sample->depth && walk->has_thread_roots; i++) {
        struct vf_frame frame = vf_vmprof_frame(&walk->scan->header, sample, i);
        if (frame.kind != VF_FRAME_CODE)
            continue;
        const struct vf_walk_frame *raw = lookup(walk, &frame);
        if (raw->role == VF_ROLE_THREAD)
            return raw->thread;
    }
    return 0;
}

static bool has_thread_roots(const struct vf_scan *scan)
{
    uint64_t thread;
    for (size_t i = 0; i < scan->names.len; i++) {
        struct vf_code_name name = vf_code_name_parse(scan->names.items[i].text);
        if (vf_role_is_bootstrap_file(name.file) && vf_role_find(&name, &thread) == VF_ROLE_THREAD)
            return true;
    }
    return false;
}

void vf_walk_init(struct vf_walk *walk, struct vf_profile *profile, const struct vf_scan *scan,
                  const struct vf_capture *capture, struct vf_jit_build *jit,
                  struct vf_natives *natives)
{
    *walk = (struct vf_walk){
        .profile = profile, .scan = scan, .capture = capture, .jit = jit, .natives = natives};
    walk->left_out_from = UINT32_MAX;
    walk->has_thread_roots = has_thread_roots(scan);
    walk->keeps_left_over = jit->own_addresses && !(scan->header.mode & VF_MODE_NATIVE);
    walk->frames_max = 65536 + scan->header.in.len / 128;
    walk->folded =
        (struct vf_walk_frame){.kind = UNKNOWN_KIND, .trace = VF_NONE, .frame = {VF_NONE}};
    walk->outside_frame = vf_stacks_frame(
        &profile->stacks, frame_row(text_func(walk, VF_STR("(interpreter start and exit)")),
                                    VF_CATEGORY_INTERPRETER, 0));
}

void vf_walk_release(struct vf_walk *walk)
{
    free(walk->frames.items);
    free(walk->path.items);
    vf_table_release(&walk->frame_index);
}

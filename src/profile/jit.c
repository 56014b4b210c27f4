#include "profile/jit.h"

#include "profile/jit_build.h"

/* Where the first trace lies in the library. */
enum { FIRST_ADDRESS = 0x1000, ALIGN = 16 };

/* ---- what stays ------------------------------------------------------------------------------ */

struct vf_jit_hits vf_jit_row_hits(const struct vf_jit *jit, uint32_t trace)
{
    const struct vf_jit_row *row = &jit->rows.items[trace];
    return (struct vf_jit_hits){row->count ? &jit->hits.items[row->first] : NULL, row->count};
}

uint32_t vf_jit_find_address(const struct vf_jit *jit, uint64_t address)
{
    size_t low = 0, high = jit->rows.len;
    /* Addresses grow with the rows; a row without code has that of the next. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct vf_jit_row *row = &jit->rows.items[middle];
        if (row->address >= 0 && (uint64_t)row->address < address)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < jit->rows.len && (uint64_t)jit->rows.items[low].address == address; low++)
        if (jit->traces.traces.items[low].code_end > jit->traces.traces.items[low].code_start)
            return (uint32_t)low;
    return VF_NONE;
}

void vf_jit_free(struct vf_jit *jit)
{
    if (!jit)
        return;
    vf_jit_traces_release(&jit->traces);
    free(jit->rows.items);
    free(jit->hits.items);
    free(jit);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Each trace its place in the library; what does not fit into 31 bits, the front-end's limit, has
 * none. */
static void lay_out(struct vf_jit *jit)
{
    int64_t next = FIRST_ADDRESS;
    for (size_t i = 0; i < jit->traces.traces.len; i++) {
        const struct vf_jit_trace *trace = &jit->traces.traces.items[i];
        uint64_t size =
            trace->code_end > trace->code_start ? trace->code_end - trace->code_start : 0;
        struct vf_jit_row *row = VF_PUSH(&jit->rows);
        row->func.i = row->native.i = VF_NONE;
        row->address = next;
        if (next < 0 || size > (uint64_t)(INT32_MAX - ALIGN - next))
            row->address = next = -1;
        else
            next += ((int64_t)size + ALIGN - 1) / ALIGN * ALIGN;
    }
}

/* False when there are assembler frames and none of them lies in a trace.  A log that came through
 * the recorder's ring is of this run whatever the samples are in. */
static bool is_of_this_run(const struct vf_jit_build *b)
{
    const struct vf_gathered *gathered = &b->scan->gathered;
    bool any = false;
    if (b->capture->info.jitlog_mode.len && !b->capture->jitlog_given)
        return true;
    for (size_t s = 0; s < gathered->stacks.len; s++) {
        struct vf_sample sample = vf_raw_stack_sample(&gathered->stacks.items[s]);
        for (uint32_t i = 0; i < sample.depth; i++) {
            struct vf_frame frame = vf_vmprof_frame(&b->scan->header, &sample, i);
            if (frame.kind != VF_FRAME_ASM)
                continue;
            any = true;
            if (vf_jit_traces_find(&b->jit->traces, frame.value))
                return true;
        }
    }
    return !any;
}

static uint64_t id_of_log(struct vf_str log)
{
    return vf_hash_bytes(log.ptr, log.len);
}

static bool read_log(struct vf_jit_build *b, struct vf_warnings *warnings)
{
    struct vf_error error = {0};
    char line[600];
    enum vf_status status = vf_jit_traces_read(&b->jit->traces, b->capture->jitlog, &error);
    if (status != VF_OK)
        vf_warn(warnings, "JIT log: %s", vf_error_line(&error, line, sizeof line));
    return status != VF_FATAL;
}

void vf_jit_build_init(struct vf_jit_build *b, struct vf_profile *profile,
                       const struct vf_capture *capture, const struct vf_scan *scan,
                       const struct vf_clock *clock, struct vf_pcs *pcs, bool own_addresses,
                       struct vf_warnings *warnings)
{
    *b = (struct vf_jit_build){.profile = profile,
                               .capture = capture,
                               .scan = scan,
                               .clock = clock,
                               .pcs = pcs,
                               .own_addresses = own_addresses};
    if (!capture->jitlog.ptr)
        return;
    b->jit = vf_alloc_zeroed(1, sizeof *b->jit);
    b->jit->lib.i = VF_NONE;
    if (!read_log(b, warnings)) {
        vf_jit_free(b->jit);
        b->jit = NULL;
        return;
    }
    profile->jit = b->jit;
    b->jit->foreign = !is_of_this_run(b);
    b->jit->present = !b->jit->foreign;
    if (b->jit->foreign)
        vf_warn(warnings, "the JIT log is of another run: none of the samples' addresses lies in "
                          "one of its traces; it is not used");
    lay_out(b->jit);
    vf_jit_calls_init(&b->calls, &b->jit->traces);
    size_t count = b->jit->traces.traces.len;
    b->codes = vf_alloc_zeroed(count, sizeof *b->codes);
    if (b->jit->present)
        vf_jit_pcs_read(b);
}

void vf_jit_build_release(struct vf_jit_build *b)
{
    size_t count = b->jit ? b->jit->traces.traces.len : 0;
    for (size_t i = 0; i < count; i++) {
        if (b->codes[i])
            vf_jit_code_release(b->codes[i]);
        free(b->codes[i]);
    }
    free(b->codes);
    free(b->named.items);
    free(b->graph_roots.items);
    vf_jit_calls_release(&b->calls);
    vf_table_release(&b->named_index);
}

/* ---- traces ---------------------------------------------------------------------------------- */

uint32_t vf_jit_build_find(const struct vf_jit_build *b, uint64_t value)
{
    const struct vf_jit_trace *trace = vf_jit_traces_find(&b->jit->traces, value);
    return trace ? vf_jit_traces_row(&b->jit->traces, trace) : VF_NONE;
}

const struct vf_jit_code *vf_jit_build_code(struct vf_jit_build *b, uint32_t trace)
{
    if (!b->codes[trace]) {
        b->codes[trace] = vf_alloc(1, sizeof **b->codes);
        vf_jit_code_read(b->codes[trace], &b->jit->traces, trace);
    }
    return b->codes[trace];
}

static vf_lib_id get_lib(struct vf_jit_build *b)
{
    struct vf_profile *p = b->profile;
    struct vf_jit *jit = b->jit;
    if (jit->lib.i != VF_NONE)
        return jit->lib;
    vf_string_id name = vf_strings_add(&p->strings, VF_STR(VF_JIT_LIB));
    jit->lib = vf_funcs_lib(&p->funcs, name, name);
    struct vf_lib *lib = &p->funcs.libs.items[jit->lib.i];
    /* The log itself tells this library from that of any other run. */
    uint64_t id = id_of_log(b->capture->jitlog);
    lib->build_id = vf_arena_printf(&p->arena, "%016llx%016llx", (unsigned long long)id,
                                    (unsigned long long)b->capture->jitlog.len);
    lib->arch = jit->traces.machine;
    return jit->lib;
}

static vf_source_id add_source(struct vf_jit_build *b, struct vf_str path)
{
    return vf_funcs_source(&b->profile->funcs, vf_strings_add(&b->profile->strings, path));
}

/* The graph of a family.  Numbers of traces come twice where two processes wrote into one log: each
 * family has a graph of its own all the same. */
static vf_source_id graph_source(struct vf_jit_build *b, uint32_t root)
{
    struct vf_buf path = {0};
    vf_jit_graph_path(&path, &b->jit->traces.traces.items[root]);
    vf_source_id source = add_source(b, vf_buf_view(&path));
    while (b->graph_roots.len <= source.i)
        VF_APPEND(&b->graph_roots, VF_NONE);
    if (b->graph_roots.items[source.i] == VF_NONE)
        b->graph_roots.items[source.i] = root;
    if (b->graph_roots.items[source.i] != root) {
        path.len = 0;
        vf_buf_printf(&path, "jit/row-%u.iongraph.json", root);
        source = add_source(b, vf_buf_view(&path));
    }
    vf_buf_release(&path);
    return source;
}

vf_func_id vf_jit_build_func(struct vf_jit_build *b, uint32_t trace)
{
    struct vf_funcs *funcs = &b->profile->funcs;
    struct vf_jit_row *row = &b->jit->rows.items[trace];
    const struct vf_jit_trace *info = &b->jit->traces.traces.items[trace];
    struct vf_buf name = {0};
    if (row->func.i != VF_NONE)
        return row->func;
    vf_jit_trace_name(&name, &b->jit->traces, info);
    vf_string_id name_id = vf_strings_add(&b->profile->strings, vf_buf_view(&name));
    vf_buf_release(&name);
    vf_lib_id lib = get_lib(b);
    row->func = vf_funcs_func(funcs, (struct vf_func){.name = name_id,
                                                      .source = graph_source(b, info->root),
                                                      .lib = lib,
                                                      .is_python = true});
    if (row->address >= 0) {
        row->native = vf_funcs_native(funcs, lib, (uint64_t)row->address, name_id);
        funcs->natives.items[row->native.i].size = info->code_end - info->code_start;
    }
    return row->func;
}

vf_frame_id vf_jit_build_frame(struct vf_jit_build *b, uint32_t trace, uint32_t offset)
{
    vf_func_id func = vf_jit_build_func(b, trace);
    const struct vf_jit_row *row = &b->jit->rows.items[trace];
    const struct vf_jit_trace *info = &b->jit->traces.traces.items[trace];
    bool loop = info->root == trace && info->kind != VF_JIT_BRIDGE;
    struct vf_frame_row frame = {.func = func,
                                 .native = row->native,
                                 .address = row->address >= 0 ? row->address + offset : -1,
                                 .category = VF_CATEGORY_JIT,
                                 .subcategory = loop ? VF_JIT_LOOPS : VF_JIT_BRIDGES};
    if (offset)
        frame.line = vf_jit_line(info, vf_jit_code_find(vf_jit_build_code(b, trace), offset));
    return vf_stacks_frame(&b->profile->stacks, frame);
}

/* ---- activations ----------------------------------------------------------------------------- */

bool vf_jit_build_is_left_over(struct vf_jit_build *b, uint32_t outer, uint32_t inner)
{
    return !vf_jit_calls_reach(&b->calls, outer, inner);
}

enum begins { BEGINS_ELSEWHERE, BEGINS_AT_ENTRY, BEGINS_INSIDE };

/* Whether a trace begins in the function, and there at its first bytecode. */
static enum begins how_it_begins(const struct vf_jit_build *b, uint32_t trace,
                                 struct vf_str function)
{
    const struct vf_jit_traces *traces = &b->jit->traces;
    const struct vf_jit_place *place = vf_jit_trace_place(traces, &traces->traces.items[trace]);
    if (!place || !vf_str_eq(place->function, function))
        return BEGINS_ELSEWHERE;
    return place->offset == 0 ? BEGINS_AT_ENTRY : BEGINS_INSIDE;
}

bool vf_jit_build_continues(struct vf_jit_build *b, uint32_t outer, uint32_t inner,
                            struct vf_str function)
{
    const struct vf_jit_edge *edges;
    size_t count = vf_jit_calls_of(&b->calls, outer, &edges);
    bool entry = false, inside = false;
    for (size_t i = 0; i < count; i++) {
        enum begins begins = how_it_begins(b, edges[i].to, function);
        entry |= begins == BEGINS_AT_ENTRY;
        inside |= begins == BEGINS_INSIDE;
    }
    if (entry != inside)
        return inside;
    return how_it_begins(b, b->jit->traces.traces.items[inner].root, function) == BEGINS_INSIDE;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* The innermost trace of each stack; parents come first. */
static uint32_t *innermost_traces(const struct vf_jit_build *b)
{
    const struct vf_profile *p = b->profile;
    uint32_t *of_func = vf_alloc(p->funcs.funcs.len, sizeof *of_func);
    uint32_t *of_stack = vf_alloc(p->stacks.stacks.len, sizeof *of_stack);
    memset(of_func, 0xff, p->funcs.funcs.len * sizeof *of_func);
    for (uint32_t i = 0; i < b->jit->rows.len; i++)
        if (b->jit->rows.items[i].func.i != VF_NONE)
            of_func[b->jit->rows.items[i].func.i] = i;
    for (size_t i = 0; i < p->stacks.stacks.len; i++) {
        struct vf_stack_row row = p->stacks.stacks.items[i];
        uint32_t own = of_func[p->stacks.frames.items[row.frame.i].func.i];
        of_stack[i] = own != VF_NONE            ? own
                      : row.parent.i == VF_NONE ? VF_NONE
                                                : of_stack[row.parent.i];
    }
    free(of_func);
    return of_stack;
}

void vf_jit_count_samples(struct vf_jit_build *b)
{
    struct vf_profile *p = b->profile;
    if (!b->jit || b->hidden) /* without frames the first count has to do */
        return;
    uint32_t *traces = innermost_traces(b);
    b->jit->samples = 0;
    for (size_t i = 0; i < b->jit->rows.len; i++)
        b->jit->rows.items[i].samples = 0;
    for (size_t t = 0; t < p->threads.len; t++) {
        const struct vf_thread *thread = &p->threads.items[t];
        for (size_t i = 0; i < thread->samples.len && !thread->is_runtime; i++) {
            const struct vf_sample_row *sample = &thread->samples.items[i];
            uint32_t trace = sample->stack.i == VF_NONE ? VF_NONE : traces[sample->stack.i];
            vf_jit_count_sample(b->jit, trace, (double)sample->weight);
        }
    }
    free(traces);
}

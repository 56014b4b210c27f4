#include "cmd/jit_code.h"

#include "base/progress.h"
#include "code/graph.h"
#include "serve/api.h"

/* ---- sources --------------------------------------------------------------------------------- */

static struct vf_str find_source(const struct vf_input *input, struct vf_str file)
{
    for (size_t i = 0; i < input->capture.sources.len; i++) {
        const struct vf_source_text *source = &input->capture.sources.items[i];
        if (vf_str_eq(source->real_path.len ? source->real_path : source->path, file))
            return source->text;
    }
    /* Those of --sources. */
    const struct vf_profile *profile = &input->profile;
    for (size_t i = 0; i < profile->funcs.sources.len; i++) {
        const struct vf_source *source = &profile->funcs.sources.items[i];
        if (source->text.ptr && vf_str_eq(vf_strings_get(&profile->strings, source->path), file))
            return source->text;
    }
    return VF_STR("");
}

static struct vf_str source_line(const void *context, struct vf_str file, uint32_t line)
{
    const struct vf_input *input = context;
    struct vf_str text = find_source(input, file);
    if (text.len == 0)
        return vf_jit_traces_source_line(&input->profile.jit->traces, file, line);
    for (uint32_t i = 1; i < line && text.len; i++)
        vf_str_cut(&text, '\n');
    return vf_str_cut(&text, '\n');
}

struct vf_listing_source vf_jit_listing_source(const struct vf_input *input, uint32_t trace)
{
    const struct vf_jit *jit = input->profile.jit;
    return (struct vf_listing_source){.traces = &jit->traces,
                                      .trace = trace,
                                      .bytecode = &input->bytecode,
                                      .source_line = source_line,
                                      .context = input,
                                      .hits = vf_jit_row_hits(jit, trace)};
}

/* ---- the server's question ------------------------------------------------------------------- */

bool vf_jit_answer_assembly(const void *context, const struct vf_serve_function *function,
                            struct vf_buf *out)
{
    const struct vf_input *input = context;
    const struct vf_profile *profile = &input->profile;
    const struct vf_jit *jit = profile->jit;
    if (!jit || jit->lib.i == VF_NONE || !vf_str_eq(function->lib, VF_STR(VF_JIT_LIB)))
        return false;
    if (function->code_id.len &&
        !vf_str_eq(function->code_id, profile->funcs.libs.items[jit->lib.i].build_id))
        return false;
    uint32_t trace = vf_jit_find_address(jit, function->address);
    if (trace == VF_NONE)
        return false;
    struct vf_listing listing;
    struct vf_listing_source source = vf_jit_listing_source(input, trace);
    const struct vf_jit_trace *info = &jit->traces.traces.items[trace];
    vf_listing_make(&listing, &source);
    vf_listing_write_asm(out, &listing, function->address, info->code_end - info->code_start,
                         jit->traces.machine);
    vf_listing_release(&listing);
    return true;
}

/* ---- graphs ---------------------------------------------------------------------------------- */

static struct vf_jit_hits hits_of(const void *context, uint32_t trace)
{
    return vf_jit_row_hits(context, trace);
}

/* The text goes to the capture's memory, which the profile borrows from. */
static bool add_graph(struct vf_input *input, uint32_t root, struct vf_source *source,
                      struct vf_error *error)
{
    const struct vf_jit *jit = input->profile.jit;
    struct vf_graph_source from = {.traces = &jit->traces,
                                   .root = root,
                                   .bytecode = &input->bytecode,
                                   .hits = hits_of,
                                   .context = jit};
    struct vf_buf text = {0};
    if (vf_graph_write(&text, &from, error) == VF_FATAL) {
        vf_buf_release(&text);
        return false;
    }
    source->text = vf_arena_str(&input->capture.arena, vf_buf_view(&text));
    vf_buf_release(&text);
    return true;
}

void vf_jit_add_graphs(struct vf_input *input, struct vf_warnings *warnings)
{
    struct vf_profile *profile = &input->profile;
    const struct vf_jit *jit = profile->jit;
    size_t left_out = 0;
    struct vf_error first = {0}, error;
    vf_progress_begin("making graphs of traces", VF_PROGRESS_TRACES, jit ? jit->rows.len : 0);
    for (size_t i = 0; jit && i < jit->rows.len; i++) {
        vf_progress_set(i);
        if (jit->rows.items[i].func.i == VF_NONE)
            continue;
        struct vf_func *func = &profile->funcs.funcs.items[jit->rows.items[i].func.i];
        struct vf_source *source = &profile->funcs.sources.items[func->source.i];
        if (source->text.ptr || add_graph(input, jit->traces.traces.items[i].root, source, &error))
            continue;
        if (left_out++ == 0)
            first = error;
        func->source.i = VF_NONE;
    }
    if (left_out)
        vf_warn(warnings, "%zu traces have no graph, the first one because %s", left_out,
                first.text);
}

void vf_jit_leave_graphs(struct vf_input *input)
{
    const struct vf_jit *jit = input->profile.jit;
    for (size_t i = 0; jit && i < jit->rows.len; i++)
        if (jit->rows.items[i].func.i != VF_NONE)
            input->profile.funcs.funcs.items[jit->rows.items[i].func.i].source.i = VF_NONE;
}

#include "profile/native.h"

#include <stdio.h>

void vf_natives_init(struct vf_natives *n, struct vf_profile *profile,
                     const struct vf_capture *capture, const struct vf_scan *scan,
                     const struct vf_symbolizer *symbolizer, const struct vf_pcs *pcs)
{
    *n = (struct vf_natives){
        .profile = profile, .capture = capture, .symbolizer = symbolizer, .pcs = pcs};
    n->has_jit = vf_str_eq(scan->header.interpreter, VF_STR("pypy"));
    vf_maps_parse(&n->maps, capture->maps.len ? capture->maps : scan->maps_text);
}

void vf_natives_release(struct vf_natives *n)
{
    vf_maps_release(&n->maps);
    free(n->stacks.items);
    free(n->frames.items);
    vf_table_release(&n->stack_index);
}

/* ---- libraries ------------------------------------------------------------------------------- */

vf_lib_id vf_natives_lib(struct vf_natives *n, const struct vf_map *map)
{
    struct vf_profile *profile = n->profile;
    const struct vf_capture_info *info = &n->capture->info;
    if (!map || map->path.len == 0)
        return (vf_lib_id){VF_NONE};
    size_t known = profile->funcs.libs.len;
    vf_string_id path = vf_strings_add(&profile->strings, map->path);
    vf_string_id base = vf_strings_add(&profile->strings, vf_str_basename(map->path));
    vf_lib_id lib = vf_funcs_lib(&profile->funcs, path, base);
    struct vf_lib *row = &profile->funcs.libs.items[lib.i];
    if (lib.i < known)
        return lib;
    for (size_t i = 0; row->build_id.len == 0 && i < info->modules.len; i++)
        if (vf_str_eq(info->modules.items[i].path, map->path))
            row->build_id = info->modules.items[i].build_id;
    row->arch = info->arch;
    return lib;
}

static struct vf_str lib_name(const struct vf_natives *n, vf_lib_id lib)
{
    return vf_strings_get(&n->profile->strings, n->profile->funcs.libs.items[lib.i].name);
}

/* ---- symbols --------------------------------------------------------------------------------- */

/* VMProf's extension for CPython, and vmfox's own library: everything in them is there for the
 * recording. */
static bool is_recorder(struct vf_str lib)
{
    return vf_str_starts(lib, VF_STR("_vmprof.")) || vf_str_ends(lib, VF_STR("vmfox_inside.so"));
}

static bool find_symbol(struct vf_natives *n, vf_lib_id lib, uint64_t address, bool is_instruction,
                        struct vf_symbolized *out)
{
    const struct vf_lib *row = &n->profile->funcs.libs.items[lib.i];
    struct vf_native_place place = {.path = vf_strings_get(&n->profile->strings, row->path),
                                    .build_id = row->build_id,
                                    .address = address,
                                    .is_instruction = is_instruction};
    *out = (struct vf_symbolized){0};
    return n->symbolizer && n->symbolizer->find(n->symbolizer->context, &place, out);
}

static vf_source_id add_source(struct vf_natives *n, struct vf_str file)
{
    if (file.len == 0)
        return (vf_source_id){VF_NONE};
    return vf_funcs_source(&n->profile->funcs, vf_strings_add(&n->profile->strings, file));
}

/* "libc.so.6+0x1234". */
static vf_string_id place_name(struct vf_natives *n, vf_lib_id lib, uint64_t address)
{
    char made[512];
    snprintf(made, sizeof made, "%.*s+0x%llx", VF_STR_ARG(lib_name(n, lib)),
             (unsigned long long)address);
    return vf_strings_add(&n->profile->strings, vf_str_from(made));
}

static struct vf_frame_row native_row(vf_func_id func)
{
    return (struct vf_frame_row){
        .func = func, .native = {VF_NONE}, .address = -1, .category = VF_CATEGORY_NATIVE};
}

static vf_func_id frame_func(struct vf_natives *n, vf_lib_id lib, vf_string_id name,
                             const struct vf_symbolized_frame *frame)
{
    struct vf_func func = {
        .name = name, .source = add_source(n, frame->file), .lib = lib, .line = frame->first_line};
    return vf_funcs_func(&n->profile->funcs, func);
}

/* The function's row among the native symbols, whose name is the linker's. */
static vf_native_id add_native(struct vf_natives *n, vf_lib_id lib, uint64_t start, uint64_t size,
                               vf_string_id name)
{
    vf_native_id id = vf_funcs_native(&n->profile->funcs, lib, start, name);
    if (size)
        n->profile->funcs.natives.items[id.i].size = size;
    return id;
}

/* The functions of `symbol` as frames at an address, outermost first; returns how many. */
static size_t symbol_frames(struct vf_natives *n, vf_lib_id lib, const struct vf_symbolized *symbol,
                            uint64_t address, struct vf_frame_row *rows)
{
    struct vf_strings *strings = &n->profile->strings;
    bool named = symbol->frames[0].name.len > 0;
    vf_string_id name =
        named ? vf_strings_add(strings, symbol->frames[0].name) : place_name(n, lib, symbol->start);
    vf_string_id raw = named ? vf_strings_add(strings, symbol->frames[0].raw) : name;
    size_t before = n->profile->funcs.natives.len;
    vf_native_id native = add_native(n, lib, symbol->start, symbol->size, raw);
    n->unnamed += !named && n->profile->funcs.natives.len > before;
    for (size_t i = 0; i < symbol->count; i++) {
        const struct vf_symbolized_frame *frame = &symbol->frames[i];
        if (i)
            name = vf_strings_add(strings, frame->name.len ? frame->name : VF_STR("(inlined)"));
        rows[i] = native_row(frame_func(n, lib, name, frame));
        rows[i].native = native;
        rows[i].address = (int64_t)address;
        rows[i].line = frame->line;
        rows[i].inline_depth = (uint8_t)i;
    }
    return symbol->count;
}

/* ---- VMProf's frames ------------------------------------------------------------------------- */

/* vmprof-python writes a shared library's name where it knows no source. */
static bool is_source_file(struct vf_str file)
{
    struct vf_str base = vf_str_basename(file);
    struct vf_str rest = base;
    vf_str_cut(&rest, '.');
    return rest.len && !vf_str_eq(file, VF_STR("-")) && !vf_str_starts(rest, VF_STR("so")) &&
           !vf_str_ends(base, VF_STR(".so"));
}

/* What VMProf says, where the symbols say nothing. */
static void add_told(struct vf_symbolized_frame *frame, const struct vf_code_name *name)
{
    if (frame->name.len || name->name.len == 0)
        return;
    frame->name = frame->raw = name->name;
    if (name->line && is_source_file(name->file)) {
        frame->file = name->file;
        frame->first_line = name->line;
    }
}

/* Not even the function is known: only the library is told. */
static struct vf_frame_row library_row(struct vf_natives *n, vf_lib_id lib)
{
    struct vf_func func = {
        .name = n->profile->funcs.libs.items[lib.i].name, .source = {VF_NONE}, .lib = lib};
    return native_row(vf_funcs_func(&n->profile->funcs, func));
}

/* Of no library, so that nobody looks for its symbol. */
static struct vf_frame_row told_row(struct vf_natives *n, struct vf_str text)
{
    struct vf_func func = {.name = vf_strings_add(&n->profile->strings, text),
                           .source = {VF_NONE},
                           .lib = {VF_NONE},
                           .is_python = true};
    return native_row(vf_funcs_func(&n->profile->funcs, func));
}

struct vf_frame_row vf_natives_outside(struct vf_natives *n, const struct vf_map *map)
{
    bool code = map && map->executable, jit = code && n->has_jit;
    struct vf_frame_row row = told_row(n, jit    ? VF_STR("(the JIT's own code, in no trace)")
                                          : code ? VF_STR("(machine code made at run time)")
                                                 : VF_STR("(unknown memory)"));
    row.category = jit ? VF_CATEGORY_JIT : VF_CATEGORY_OTHER;
    return row;
}

/* Memory of no library: code made in the run has another address in the next one.  Where the maps
 * know nothing of the place the address is all there is. */
static struct vf_native_frame frame_outside(struct vf_natives *n, uint64_t address,
                                            const struct vf_map *map,
                                            const struct vf_code_name *name)
{
    struct vf_symbolized_frame frame = {0};
    char made[64];
    add_told(&frame, name);
    if (frame.name.len == 0 && map)
        return (struct vf_native_frame){.row = vf_natives_outside(n, map)};
    if (frame.name.len == 0) {
        n->unnamed++;
        snprintf(made, sizeof made, "native code 0x%llx", (unsigned long long)address);
        frame.name = vf_str_from(made);
    }
    vf_string_id id = vf_strings_add(&n->profile->strings, frame.name);
    return (struct vf_native_frame){
        .row = native_row(frame_func(n, (vf_lib_id){VF_NONE}, id, &frame))};
}

/* VMProf sets the lowest bit of a native function's address, which some have of their own:
 * compilers align functions when they optimise for speed, and not always then.  So where one begins
 * at the odd address it is that one.  Returns where it begins in the library. */
static uint64_t find_function(struct vf_natives *n, vf_lib_id lib, uint64_t marked,
                              struct vf_symbolized *symbol)
{
    uint64_t even = marked & ~(uint64_t)1;
    if (marked != even && find_symbol(n, lib, marked, false, symbol) && symbol->start == marked)
        return marked;
    if (!find_symbol(n, lib, even, false, symbol))
        *symbol = (struct vf_symbolized){.start = even, .count = 1};
    return even;
}

struct vf_native_frame vf_natives_frame(struct vf_natives *n, uint64_t marked,
                                        const struct vf_code_name *name)
{
    struct vf_symbolized symbol;
    struct vf_frame_row rows[VF_SYMBOLIZED_MAX];
    uint64_t address = marked & ~(uint64_t)1;
    const struct vf_map *map = vf_maps_find(&n->maps, address);
    vf_lib_id lib = vf_natives_lib(n, map);
    if (lib.i == VF_NONE)
        return frame_outside(n, address, map, name);
    uint64_t relative = find_function(n, lib, marked - map->base, &symbol);
    address = map->base + relative;
    symbol.count = 1;
    add_told(&symbol.frames[0], name);
    struct vf_native_frame out = {.start = address - relative + symbol.start,
                                  .is_sampler = symbol.is_sampler || is_recorder(lib_name(n, lib))};
    out.end = symbol.size ? out.start + symbol.size : 0;
    if (out.is_sampler)
        return out;
    if (relative > INT32_MAX || symbol.start > INT32_MAX) { /* the front-end's limit */
        vf_string_id id = symbol.frames[0].name.len
                              ? vf_strings_add(&n->profile->strings, symbol.frames[0].name)
                              : place_name(n, lib, symbol.start);
        out.row = native_row(frame_func(n, lib, id, &symbol.frames[0]));
        return out;
    }
    symbol_frames(n, lib, &symbol, relative, rows);
    out.row = rows[0];
    return out;
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* Of 3.14's builds with tail calls each bytecode has a function. */
static bool is_eval_loop(struct vf_str name)
{
    return vf_str_starts(name, VF_STR("_PyEval_EvalFrameDefault")) ||
           vf_str_starts(name, VF_STR("_TAIL_CALL_"));
}

static void add_frames(struct vf_natives *n, struct vf_native_stack *stack)
{
    struct vf_symbolized symbol;
    struct vf_frame_row rows[VF_SYMBOLIZED_MAX];
    const struct vf_map *map = vf_maps_find(&n->maps, stack->ip);
    vf_lib_id lib = vf_natives_lib(n, map);
    stack->lib = lib;
    if (lib.i == VF_NONE)
        return;
    uint64_t relative = stack->ip - map->base;
    size_t count = 1;
    bool known = relative <= INT32_MAX && find_symbol(n, lib, relative, true, &symbol) &&
                 symbol.start <= INT32_MAX;
    stack->is_sampler = is_recorder(lib_name(n, lib)) || (known && symbol.is_sampler);
    stack->is_known = known;
    stack->is_named = known && symbol.frames[0].raw.len > 0;
    stack->is_eval = stack->is_named && is_eval_loop(symbol.frames[0].raw);
    if (stack->is_sampler) {
        rows[0] = told_row(n, VF_STR("(VMProf takes a sample)"));
        rows[0].category = VF_CATEGORY_OTHER;
    } else if (known) {
        count = symbol_frames(n, lib, &symbol, relative, rows);
    } else {
        rows[0] = library_row(n, lib);
    }
    for (size_t i = 0; i < count; i++)
        VF_APPEND(&n->frames, vf_stacks_frame(&n->profile->stacks, rows[i]));
    stack->count = (uint32_t)count;
}

struct vf_native_stack vf_natives_at(struct vf_natives *n, uint64_t ip)
{
    uint64_t hash = vf_hash_u64(ip, 0);
    struct vf_probe probe = vf_table_probe(&n->stack_index, hash);
    uint32_t row;
    while (vf_table_next(&n->stack_index, &probe, &row))
        if (n->stacks.items[row].ip == ip)
            return n->stacks.items[row];
    struct vf_native_stack stack = {.ip = ip, .first = (uint32_t)n->frames.len};
    add_frames(n, &stack);
    vf_table_insert(&n->stack_index, hash, (uint32_t)n->stacks.len);
    VF_APPEND(&n->stacks, stack);
    return stack;
}

vf_stack_id vf_natives_push(struct vf_natives *n, vf_stack_id parent, uint64_t ip)
{
    struct vf_native_stack stack = vf_natives_at(n, ip);
    for (uint32_t i = 0; i < stack.count; i++)
        parent = vf_stacks_push(&n->profile->stacks, parent, n->frames.items[stack.first + i]);
    return parent;
}

static vf_func_id func_of(const struct vf_natives *n, vf_frame_id frame)
{
    return n->profile->stacks.frames.items[frame.i].func;
}

/* Another symbol may know the instruction within the function's bounds.  The recorder sees to it
 * that VMProf's walk begins with the function at work (native_innermost), so where nothing tells
 * where functions begin and end, as in the vdso, the leaf is that of the instruction. */
enum vf_native_fit vf_natives_fit(struct vf_natives *n, vf_stack_id stack, uint64_t start,
                                  uint64_t end, const struct vf_native_stack *at)
{
    vf_func_id leaf = func_of(n, n->profile->stacks.stacks.items[stack.i].frame);
    if (at->count && func_of(n, n->frames.items[at->first]).i == leaf.i)
        return VF_NATIVE_LEAF;
    vf_lib_id lib = n->profile->funcs.funcs.items[leaf.i].lib;
    if (end == 0 && lib.i == at->lib.i && !at->is_known && at->ip >= start &&
        n->capture->info.native_innermost)
        return VF_NATIVE_UNNAMED;
    if (end ? at->ip >= start && at->ip < end : lib.i == at->lib.i)
        return VF_NATIVE_UNSURE;
    return VF_NATIVE_CALLEE;
}

vf_stack_id vf_natives_push_same(struct vf_natives *n, vf_stack_id stack, uint64_t ip)
{
    struct vf_stacks *stacks = &n->profile->stacks;
    struct vf_stack_row leaf = stacks->stacks.items[stack.i];
    struct vf_frame_row frame = stacks->frames.items[leaf.frame.i];
    const struct vf_map *map = vf_maps_find(&n->maps, ip);
    if (!map || frame.address < 0 || ip - map->base > INT32_MAX)
        return stack;
    frame.address = (int64_t)(ip - map->base);
    return vf_stacks_push(stacks, leaf.parent, vf_stacks_frame(stacks, frame));
}

struct range {
    uint64_t start, end;
};

static bool is_in(const void *context, const struct vf_pc *pc)
{
    const struct range *range = context;
    return pc->ip >= range->start && pc->ip < range->end;
}

vf_stack_id vf_natives_place(struct vf_natives *n, vf_stack_id stack, uint64_t start, uint64_t end,
                             uint64_t tid, int64_t mono_ns)
{
    struct range range = {start, end};
    n->leaves++;
    const struct vf_pc *pc = end ? vf_pcs_near(n->pcs, tid, mono_ns, is_in, &range) : NULL;
    if (!pc)
        return stack;
    struct vf_native_stack found = vf_natives_at(n, pc->ip);
    if (vf_natives_fit(n, stack, start, end, &found) != VF_NATIVE_LEAF)
        return stack;
    n->placed++;
    return vf_natives_push(n, n->profile->stacks.stacks.items[stack.i].parent, pc->ip);
}

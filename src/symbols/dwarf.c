#include "symbols/dwarf.h"

#include "base/sorted.h"

#include <dwarf.h>

/* ---- units and functions --------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct vf_dwarf_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static void add_ranges(struct vf_dwarf_ranges *ranges, Dwarf_Die *die, size_t row)
{
    Dwarf_Addr base, start, end;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &start, &end)) > 0;)
        if (end > start)
            VF_APPEND(&ranges->v, ((struct vf_dwarf_range){start, end, row}));
}

static void sort_ranges(struct vf_dwarf_ranges *ranges)
{
    if (ranges->v.len)
        qsort(ranges->v.items, ranges->v.len, sizeof *ranges->v.items, by_start);
}

static const struct vf_dwarf_range *find_range(const struct vf_dwarf_ranges *ranges, uint64_t at)
{
    size_t count = VF_UP_TO(ranges->v.items, ranges->v.len, start, at);
    const struct vf_dwarf_range *range = count ? &ranges->v.items[count - 1] : NULL;
    return range && at < range->end ? range : NULL;
}

static bool is_function(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_subprogram || tag == DW_TAG_entry_point;
}

/* The entry below `die` that holds the address. */
static bool find_inside(const struct vf_dwarf *dwarf, uint64_t at, Dwarf_Die *die)
{
    Dwarf_Die child;
    for (int more = dwarf_child(die, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if ((tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) ||
            dwarf_haspc(&child, at - dwarf->bias) <= 0)
            continue;
        *die = child;
        return true;
    }
    return false;
}

static bool may_hold_functions(Dwarf_Die *die)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
        return true;
    default:
        return false;
    }
}

static void read_functions(struct vf_dwarf *dwarf, Dwarf_Die *parent, unsigned depth)
{
    enum { DEPTH_MAX = 100 };
    Dwarf_Die child;
    if (depth == DEPTH_MAX)
        return;
    for (int more = dwarf_child(parent, &child); more == 0;
         more = dwarf_siblingof(&child, &child)) {
        if (is_function(&child)) {
            add_ranges(&dwarf->function_ranges, &child, dwarf->functions.len);
            VF_APPEND(&dwarf->functions, child);
        }
        if (may_hold_functions(&child))
            read_functions(dwarf, &child, depth + 1);
    }
}

static void read_units(struct vf_dwarf *dwarf)
{
    Dwarf_Die *unit = NULL;
    if (dwarf->has_units)
        return;
    dwarf->has_units = true;
    while ((unit = dwfl_module_nextcu(dwarf->module, unit, &dwarf->bias))) {
        uint8_t type = 0;
        Dwarf_Die split = {0};
        struct vf_dwarf_unit row = {.die = *unit, .body = *unit};
        if (dwarf_cu_info(unit->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
            type == DW_UT_skeleton && split.addr)
            row.body = split;
        add_ranges(&dwarf->unit_ranges, unit, dwarf->units.len);
        VF_APPEND(&dwarf->units, row);
    }
    sort_ranges(&dwarf->unit_ranges);
}

static struct vf_dwarf_unit *find_unit(struct vf_dwarf *dwarf, uint64_t at)
{
    read_units(dwarf);
    const struct vf_dwarf_range *range = find_range(&dwarf->unit_ranges, at - dwarf->bias);
    return range ? &dwarf->units.items[range->row] : NULL;
}

static Dwarf_Die *find_function(struct vf_dwarf *dwarf, uint64_t at)
{
    struct vf_dwarf_unit *unit = find_unit(dwarf, at);
    if (!unit)
        return NULL;
    if (!unit->read) {
        read_functions(dwarf, &unit->body, 0);
        sort_ranges(&dwarf->function_ranges);
    }
    unit->read = true;
    const struct vf_dwarf_range *range = find_range(&dwarf->function_ranges, at - dwarf->bias);
    return range ? &dwarf->functions.items[range->row] : NULL;
}

bool vf_dwarf_knows(struct vf_dwarf *dwarf, uint64_t at)
{
    return find_function(dwarf, at) != NULL;
}

void vf_dwarf_release(struct vf_dwarf *dwarf)
{
    free(dwarf->units.items);
    free(dwarf->functions.items);
    free(dwarf->unit_ranges.v.items);
    free(dwarf->function_ranges.v.items);
    *dwarf = (struct vf_dwarf){0};
}

/* ---- what they say --------------------------------------------------------------------------- */

/* The name that the linker sees, which tells overloaded functions apart; else the source's. */
static struct vf_str name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        name = dwarf_formstring(&attribute);
    return vf_str_from(name ? name : dwarf_diename(die));
}

/* Not dwarf_decl_file(): that of elfutils 0.188 takes file 0 for none, which in DWARF 5 is the
 * unit's own (6.2.4.1), and ends the program where it can't read a unit's files. */
static const char *file_of(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    Dwarf_Files *files;
    Dwarf_Half version;
    size_t count;
    Dwarf_Die unit;
    if (!dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) ||
        dwarf_formudata(&attribute, &number) != 0 ||
        !dwarf_cu_die(attribute.cu, &unit, &version, NULL, NULL, NULL, NULL, NULL) ||
        (number == 0 && version < 5) || dwarf_getsrcfiles(&unit, &files, &count) != 0 ||
        number >= count)
        return NULL;
    return dwarf_filesrc(files, number, NULL, NULL);
}

static void declared_at(Dwarf_Die *die, struct vf_str *file, uint32_t *line)
{
    int number = 0;
    const char *path = file_of(die);
    if (path)
        *file = vf_str_from(path);
    if (dwarf_decl_line(die, &number) == 0 && number > 0)
        *line = (uint32_t)number;
}

bool vf_dwarf_function(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out)
{
    Dwarf_Addr low, high;
    Dwarf_Die *function = find_function(dwarf, at);
    if (!function || dwarf_lowpc(function, &low) != 0 || dwarf_highpc(function, &high) != 0)
        return false;
    low += dwarf->bias;
    high += dwarf->bias;
    if (low > at || high <= at)
        return false;
    out->name = name_of(function);
    out->start = low;
    out->size = high - low;
    return true;
}

void vf_dwarf_declaration(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out)
{
    Dwarf_Die *function = find_function(dwarf, at);
    if (!function)
        return;
    if (out->name.len == 0)
        out->name = name_of(function);
    declared_at(function, &out->file, &out->line);
}

void vf_dwarf_line(struct vf_dwarf *dwarf, uint64_t at, struct vf_str *file, uint32_t *line)
{
    int number = 0;
    struct vf_dwarf_unit *unit = find_unit(dwarf, at);
    Dwarf_Line *row = unit ? dwarf_getsrc_die(&unit->die, at - dwarf->bias) : NULL;
    const char *path = row ? dwarf_linesrc(row, NULL, NULL) : NULL;
    if (path)
        *file = vf_str_from(path);
    if (path && dwarf_lineno(row, &number) == 0 && number > 0)
        *line = (uint32_t)number;
}

uint64_t vf_dwarf_next_line(struct vf_dwarf *dwarf, uint64_t at)
{
    Dwarf_Addr address;
    Dwarf_Lines *lines;
    size_t count;
    struct vf_dwarf_unit *unit = find_unit(dwarf, at);
    if (!unit || dwarf_getsrclines(&unit->die, &lines, &count) != 0)
        return UINT64_MAX;
    size_t low = 0, high = count;
    while (low < high) { /* the rows are in the order of their addresses */
        size_t middle = low + (high - low) / 2;
        if (dwarf_lineaddr(dwarf_onesrcline(lines, middle), &address) == 0 &&
            address <= at - dwarf->bias)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || dwarf_lineaddr(dwarf_onesrcline(lines, low), &address) != 0)
        return UINT64_MAX;
    return address + dwarf->bias;
}

static void call_at(Dwarf_Die *die, uint32_t *line)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    if (dwarf_attr(die, DW_AT_call_line, &attribute) && dwarf_formudata(&attribute, &number) == 0 &&
        number > 0 && number <= INT32_MAX)
        *line = (uint32_t)number;
}

size_t vf_dwarf_frames(struct vf_dwarf *dwarf, uint64_t at,
                       struct vf_symbol_frame frames[VF_INLINE_MAX])
{
    enum { DEPTH_MAX = 1000 }; /* blocks count too */
    size_t n = 1;
    struct vf_str file = {0};
    uint32_t line = 0;
    Dwarf_Die *function = find_function(dwarf, at);
    if (function) {
        Dwarf_Die die = *function;
        for (int i = 0; i < DEPTH_MAX && n < VF_INLINE_MAX && find_inside(dwarf, at, &die); i++) {
            if (dwarf_tag(&die) != DW_TAG_inlined_subroutine)
                continue;
            call_at(&die, &frames[n - 1].line);
            frames[n] = (struct vf_symbol_frame){.name = name_of(&die)};
            declared_at(&die, &frames[n].file, &frames[n].first_line);
            n++;
        }
    }
    vf_dwarf_line(dwarf, at, &file, &line);
    /* A line of another file than the function's (a macro's, an included piece) is not one of it.
     */
    struct vf_symbol_frame *inner = &frames[n - 1];
    if (inner->file.len == 0)
        inner->file = file;
    if (vf_str_eq(inner->file, file))
        inner->line = line;
    return n;
}

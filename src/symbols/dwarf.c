#include "symbols/dwarf.h"

#include <dwarf.h>

static bool is_function(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_subprogram || tag == DW_TAG_entry_point;
}

/* Of the entries that stand around the address the innermost that is a function and not inlined. */
static bool find_function(struct vf_dwarf *dwarf, uint64_t at)
{
    Dwarf_Die *around = NULL, *scopes = NULL;
    if (dwarf->has_function && dwarf_haspc(&dwarf->function, at - dwarf->bias) > 0)
        return true;
    dwarf->has_function = false;
    Dwarf_Die *unit = dwfl_module_addrdie(dwarf->module, at, &dwarf->bias);
    int count = unit ? dwarf_getscopes(unit, at - dwarf->bias, &around) : 0;
    /* Around an inlined one the first gives those of its source; wanted are those of the code. */
    if (count > 0)
        count = dwarf_getscopes_die(&around[0], &scopes);
    for (int i = 0; i < count && !dwarf->has_function; i++) {
        dwarf->has_function = is_function(&scopes[i]);
        dwarf->function = scopes[i];
    }
    free(around);
    free(scopes);
    return dwarf->has_function;
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

static void declared_at(Dwarf_Die *die, struct vf_str *file, uint32_t *line)
{
    int number = 0;
    const char *path = dwarf_decl_file(die);
    if (path)
        *file = vf_str_from(path);
    if (dwarf_decl_line(die, &number) == 0 && number > 0)
        *line = (uint32_t)number;
}

bool vf_dwarf_function(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out)
{
    Dwarf_Addr low, high;
    if (!find_function(dwarf, at) || dwarf_lowpc(&dwarf->function, &low) != 0 ||
        dwarf_highpc(&dwarf->function, &high) != 0)
        return false;
    low += dwarf->bias;
    high += dwarf->bias;
    if (low > at || high <= at)
        return false;
    out->name = name_of(&dwarf->function);
    out->start = low;
    out->size = high - low;
    return true;
}

void vf_dwarf_declaration(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out)
{
    if (!find_function(dwarf, at))
        return;
    if (out->name.len == 0)
        out->name = name_of(&dwarf->function);
    declared_at(&dwarf->function, &out->file, &out->line);
}

void vf_dwarf_line(const struct vf_dwarf *dwarf, uint64_t at, struct vf_str *file, uint32_t *line)
{
    int number = 0;
    Dwfl_Line *row = dwfl_module_getsrc(dwarf->module, at);
    const char *path = row ? dwfl_lineinfo(row, NULL, &number, NULL, NULL, NULL) : NULL;
    if (path)
        *file = vf_str_from(path);
    if (path && number > 0)
        *line = (uint32_t)number;
}

uint64_t vf_dwarf_next_line(const struct vf_dwarf *dwarf, uint64_t at)
{
    Dwarf_Addr bias = 0, address;
    Dwarf_Lines *lines;
    size_t count;
    Dwarf_Die *unit = dwfl_module_addrdie(dwarf->module, at, &bias);
    if (!unit || dwarf_getsrclines(unit, &lines, &count) != 0)
        return UINT64_MAX;
    size_t low = 0, high = count;
    while (low < high) { /* the rows are in the order of their addresses */
        size_t middle = low + (high - low) / 2;
        if (dwarf_lineaddr(dwarf_onesrcline(lines, middle), &address) == 0 && address <= at - bias)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || dwarf_lineaddr(dwarf_onesrcline(lines, low), &address) != 0)
        return UINT64_MAX;
    return address + bias;
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
    if (find_function(dwarf, at)) {
        Dwarf_Die die = dwarf->function;
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

#include "symbols/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

/* The entries that hold the address, innermost first, as they stand in each other; to be freed. */
static int find_scopes(Dwfl_Module *module, uint64_t at, Dwarf_Die **out)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_addrdie(module, at, &bias), *around = NULL;
    int count = unit ? dwarf_getscopes(unit, at - bias, &around) : 0;
    *out = NULL;
    if (count > 0)
        count = dwarf_getscopes_die(&around[0], out);
    free(around);
    return count > 0 ? count : 0;
}

static bool is_function(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_subprogram || tag == DW_TAG_entry_point;
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

bool vf_dwarf_function(Dwfl_Module *module, uint64_t at, struct vf_symbol *out)
{
    Dwarf_Die *scopes;
    int count = find_scopes(module, at, &scopes);
    bool good = false;
    for (int i = 0; i < count && !good; i++) {
        Dwarf_Addr low, high;
        if (!is_function(&scopes[i]) || dwarf_lowpc(&scopes[i], &low) != 0 ||
            dwarf_highpc(&scopes[i], &high) != 0 || low > at || high <= at)
            continue;
        out->name = name_of(&scopes[i]);
        out->start = low;
        out->size = high - low;
        good = true;
    }
    free(scopes);
    return good;
}

void vf_dwarf_declaration(Dwfl_Module *module, uint64_t at, struct vf_symbol *out)
{
    Dwarf_Die *scopes;
    int count = find_scopes(module, at, &scopes);
    for (int i = 0; i < count; i++) {
        if (!is_function(&scopes[i]))
            continue;
        if (out->name.len == 0)
            out->name = name_of(&scopes[i]);
        declared_at(&scopes[i], &out->file, &out->line);
        break;
    }
    free(scopes);
}

void vf_dwarf_line(Dwfl_Module *module, uint64_t at, struct vf_str *file, uint32_t *line)
{
    int number = 0;
    Dwfl_Line *row = dwfl_module_getsrc(module, at);
    const char *path = row ? dwfl_lineinfo(row, NULL, &number, NULL, NULL, NULL) : NULL;
    if (path)
        *file = vf_str_from(path);
    if (path && number > 0)
        *line = (uint32_t)number;
}

uint64_t vf_dwarf_next_line(Dwfl_Module *module, uint64_t at)
{
    Dwarf_Addr bias = 0, address;
    Dwarf_Lines *lines;
    size_t count;
    Dwarf_Die *unit = dwfl_module_addrdie(module, at, &bias);
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

size_t vf_dwarf_frames(Dwfl_Module *module, uint64_t at,
                       struct vf_symbol_frame frames[VF_INLINE_MAX])
{
    Dwarf_Die *scopes;
    int count = find_scopes(module, at, &scopes), outer = count - 1;
    size_t n = 1;
    struct vf_str file = {0};
    uint32_t line = 0;
    while (outer >= 0 && !is_function(&scopes[outer]))
        outer--;
    for (int i = outer - 1; i >= 0 && n < VF_INLINE_MAX; i--) {
        if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine)
            continue;
        call_at(&scopes[i], &frames[n - 1].line);
        frames[n] = (struct vf_symbol_frame){.name = name_of(&scopes[i])};
        declared_at(&scopes[i], &frames[n].file, &frames[n].first_line);
        n++;
    }
    free(scopes);
    vf_dwarf_line(module, at, &file, &line);
    /* A line of another file than the function's (a macro's, an included piece) is not one of it.
     */
    struct vf_symbol_frame *inner = &frames[n - 1];
    if (inner->file.len == 0)
        inner->file = file;
    if (vf_str_eq(inner->file, file))
        inner->line = line;
    return n;
}

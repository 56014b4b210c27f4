#include "symbols/symtab.h"

#include "base/sorted.h"

#include <gelf.h>

/* 0 is best; 255: it is no function. */
static uint8_t rank_of(const GElf_Sym *symbol, const char *name)
{
    enum { NOT_ONE = 255, UNDERSCORES_MAX = 7 };
    int type = GELF_ST_TYPE(symbol->st_info);
    unsigned underscores = 0;
    if (!name || !*name || *name == '$' || symbol->st_shndx == SHN_UNDEF ||
        symbol->st_shndx == SHN_ABS) /* "$x": where ARM's code begins and ends */
        return NOT_ONE;
    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
        return NOT_ONE;
    while (name[underscores] == '_' && underscores < UNDERSCORES_MAX)
        underscores++;
    bool local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL;
    unsigned rank = underscores << 1 | (unsigned)local;
    if (type == STT_NOTYPE)
        rank |= 1U << 4;
    if (symbol->st_size == 0)
        rank |= 1U << 5;
    return (uint8_t)rank;
}

/* Where the section of machine code ends that the symbol is in; 0: it is in none. */
static uint64_t section_end(Elf *elf, GElf_Word index)
{
    GElf_Shdr header;
    Elf_Scn *scn = elf ? elf_getscn(elf, index) : NULL;
    if (!scn || !gelf_getshdr(scn, &header) || !(header.sh_flags & SHF_EXECINSTR))
        return 0;
    return header.sh_addr + header.sh_size;
}

static int in_order(const void *a, const void *b)
{
    const struct vf_symtab_row *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    size_t long_x = strlen(x->name), long_y = strlen(y->name);
    if (long_x != long_y)
        return long_x < long_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

void vf_symtab_read(struct vf_symtab *symtab, Dwfl_Module *module)
{
    int count = module ? dwfl_module_getsymtab(module) : 0;
    *symtab = (struct vf_symtab){0};
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        GElf_Word section;
        Elf *elf;
        const char *name =
            dwfl_module_getsym_info(module, i, &symbol, &address, &section, &elf, NULL);
        uint8_t rank = name ? rank_of(&symbol, name) : 255;
        uint64_t end = rank != 255 ? section_end(elf, section) : 0;
        if (end <= symbol.st_value)
            continue;
        VF_APPEND(&symtab->v, ((struct vf_symtab_row){.address = address,
                                                      .size = symbol.st_size,
                                                      .limit = address + (end - symbol.st_value),
                                                      .name = name,
                                                      .rank = rank}));
    }
    vf_symtab_sort(symtab);
}

void vf_symtab_sort(struct vf_symtab *symtab)
{
    size_t kept = 0;
    if (symtab->v.len)
        qsort(symtab->v.items, symtab->v.len, sizeof *symtab->v.items, in_order);
    for (size_t i = 0; i < symtab->v.len; i++)
        if (!kept || symtab->v.items[kept - 1].address != symtab->v.items[i].address)
            symtab->v.items[kept++] = symtab->v.items[i];
    symtab->v.len = kept;
}

const struct vf_symtab_row *vf_symtab_find(const struct vf_symtab *symtab, uint64_t address)
{
    enum { BACK_MAX = 64 }; /* how many may lie inside of another */
    size_t count = VF_UP_TO(symtab->v.items, symtab->v.len, address, address);
    const struct vf_symtab_row *unsized = NULL;
    for (size_t i = 0; i < BACK_MAX && i < count; i++) {
        const struct vf_symtab_row *row = &symtab->v.items[count - 1 - i];
        if (address - row->address < row->size)
            return row;
        if (row->size == 0 && i == 0 && address < row->limit)
            unsized = row;
    }
    return unsized;
}

void vf_symtab_release(struct vf_symtab *symtab)
{
    free(symtab->v.items);
    *symtab = (struct vf_symtab){0};
}

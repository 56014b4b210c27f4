#include "symbols/plt.h"

#include <gelf.h>

enum { STUB_BYTES = 16 };

/* A word of the GOT, and the function whose address it holds. */
struct slot {
    uint64_t address;
    const char *name;
};

struct slots {
    VF_VEC(struct slot) v;
};

static int by_address(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    return (x->address > y->address) - (x->address < y->address);
}

static void add_slots(struct slots *slots, Elf *elf, Elf_Scn *scn, const GElf_Shdr *header)
{
    Elf_Data *rows = elf_getdata(scn, NULL);
    Elf_Scn *symbols = elf_getscn(elf, header->sh_link);
    Elf_Data *table = symbols ? elf_getdata(symbols, NULL) : NULL;
    GElf_Shdr symbols_header;
    if (!rows || !table || !gelf_getshdr(symbols, &symbols_header) || header->sh_entsize == 0)
        return;
    size_t count = rows->d_size / header->sh_entsize;
    for (size_t i = 0; i < count && i < INT32_MAX; i++) {
        GElf_Rela rela;
        GElf_Sym symbol;
        if (!gelf_getrela(rows, (int)i, &rela) ||
            (GELF_R_TYPE(rela.r_info) != R_X86_64_JUMP_SLOT &&
             GELF_R_TYPE(rela.r_info) != R_X86_64_GLOB_DAT) ||
            !gelf_getsym(table, (int)GELF_R_SYM(rela.r_info), &symbol))
            continue;
        const char *name = elf_strptr(elf, symbols_header.sh_link, symbol.st_name);
        if (name && *name)
            VF_APPEND(&slots->v, ((struct slot){rela.r_offset, name}));
    }
}

static const char *find_slot(const struct slots *slots, uint64_t address)
{
    struct slot key = {.address = address};
    const struct slot *found = slots->v.len ? bsearch(&key, slots->v.items, slots->v.len,
                                                      sizeof *slots->v.items, by_address)
                                            : NULL;
    return found ? found->name : NULL;
}

/* endbr64, perhaps, and a jump, perhaps with a prefix: jmp *displacement(%rip). */
static bool find_target(const unsigned char *stub, uint64_t address, uint64_t *out)
{
    static const unsigned char endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
    size_t at = memcmp(stub, endbr, sizeof endbr) == 0 ? sizeof endbr : 0;
    if (stub[at] == 0xf2)
        at++;
    if (stub[at] != 0xff || stub[at + 1] != 0x25)
        return false;
    uint32_t displacement = 0;
    for (size_t i = 0; i < 4; i++)
        displacement |= (uint32_t)stub[at + 2 + i] << 8 * i;
    *out = address + at + 6 + (uint64_t)(int64_t)(int32_t)displacement;
    return true;
}

static void add_stubs(struct vf_symtab *symtab, const struct slots *slots, Elf_Scn *scn,
                      const GElf_Shdr *header, struct vf_arena *arena)
{
    enum { LEAST_WANTED = 254 };
    size_t step = header->sh_entsize == 8 ? 8 : STUB_BYTES; /* .plt.got's may be short */
    Elf_Data *code = elf_getdata(scn, NULL);
    if (!code || !code->d_buf)
        return;
    for (size_t at = 0; at + step <= code->d_size; at += step) {
        unsigned char stub[STUB_BYTES] = {0};
        uint64_t target;
        memcpy(stub, (const unsigned char *)code->d_buf + at, step);
        const char *name =
            find_target(stub, header->sh_addr + at, &target) ? find_slot(slots, target) : NULL;
        if (name)
            VF_APPEND(&symtab->v,
                      ((struct vf_symtab_row){.address = header->sh_addr + at,
                                              .size = step,
                                              .name = vf_arena_printf(arena, "%s@plt", name).ptr,
                                              .rank = LEAST_WANTED}));
    }
}

void vf_plt_read(struct vf_symtab *symtab, Elf *elf, struct vf_arena *arena)
{
    GElf_Ehdr head;
    GElf_Shdr header;
    size_t names;
    struct slots slots = {0};
    if (!gelf_getehdr(elf, &head) || head.e_machine != EM_X86_64 ||
        elf_getshdrstrndx(elf, &names) != 0)
        return;
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));)
        if (gelf_getshdr(scn, &header) && header.sh_type == SHT_RELA)
            add_slots(&slots, elf, scn, &header);
    if (slots.v.len)
        qsort(slots.v.items, slots.v.len, sizeof *slots.v.items, by_address);
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
        const char *name =
            gelf_getshdr(scn, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name && header.sh_type == SHT_PROGBITS && strncmp(name, ".plt", 4) == 0)
            add_stubs(symtab, &slots, scn, &header, arena);
    }
    free(slots.v.items);
}

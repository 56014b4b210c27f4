#include "symbols/bounds.h"

#include "base/sorted.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

/* ---- the section ----------------------------------------------------------------------------- */

struct section {
    Elf_Data *data;
    uint64_t address; /* where its first byte is in memory */
    unsigned char ident[EI_NIDENT];
    bool is_64;
};

static bool find_section(Elf *elf, struct section *out)
{
    size_t names;
    const char *ident = elf_getident(elf, NULL);
    if (!ident || elf_getshdrstrndx(elf, &names) != 0)
        return false;
    memcpy(out->ident, ident, EI_NIDENT);
    out->is_64 = out->ident[EI_CLASS] == ELFCLASS64;
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
        GElf_Shdr header;
        if (!gelf_getshdr(scn, &header) || header.sh_type == SHT_NOBITS ||
            (header.sh_flags & SHF_COMPRESSED))
            continue;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (!name || strcmp(name, ".eh_frame") != 0)
            continue;
        out->data = elf_rawdata(scn, NULL);
        out->address = header.sh_addr;
        return out->data && out->data->d_buf && out->data->d_size > 0;
    }
    return false;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* How a CIE writes the addresses of its entries. */
struct encoding {
    uint8_t pointers; /* DW_EH_PE_* */
    bool is_signal, known;
};

static size_t skip_leb128(const uint8_t *bytes, size_t size)
{
    size_t i = 0;
    while (i < size && bytes[i] & 0x80)
        i++;
    return i < size ? i + 1 : size;
}

static size_t pointer_size(const struct section *s, uint8_t encoding)
{
    switch (encoding & 0x07) {
    case DW_EH_PE_absptr:
        return s->is_64 ? 8 : 4;
    case DW_EH_PE_udata2:
        return 2;
    case DW_EH_PE_udata4:
        return 4;
    case DW_EH_PE_udata8:
        return 8;
    default:
        return 0; /* LEB128: no compiler writes it for addresses */
    }
}

/* The augmentation "zRS" and its like: a letter for each piece of the data. */
static struct encoding read_encoding(const struct section *s, const Dwarf_CIE *cie)
{
    struct encoding out = {.pointers = DW_EH_PE_absptr, .known = true};
    const char *letter = cie->augmentation;
    const uint8_t *data = cie->augmentation_data;
    size_t left = cie->augmentation_data_size;
    if (*letter++ != 'z')
        return out;
    for (; *letter; letter++) {
        size_t step = 0;
        if (*letter == 'S') {
            out.is_signal = true;
        } else if (*letter == 'R' && left) {
            out.pointers = data[0];
            step = 1;
        } else if (*letter == 'L') {
            step = 1;
        } else if (*letter == 'P' && left) {
            size_t size = pointer_size(s, data[0]);
            step = 1 + (size ? size : skip_leb128(data + 1, left - 1));
        } else if (*letter != 'B') { /* of aarch64, without data */
            out.known = false;
        }
        if (step > left || !out.known) {
            out.known = false;
            return out;
        }
        data += step;
        left -= step;
    }
    return out;
}

static uint64_t read_number(const struct section *s, const uint8_t *bytes, size_t size,
                            bool is_signed)
{
    bool big = s->ident[EI_DATA] == ELFDATA2MSB;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[big ? size - 1 - i : i] << 8 * i;
    if (is_signed && size < 8 && value >> (8 * size - 1))
        value |= ~(uint64_t)0 << 8 * size;
    return value;
}

static void add_entry(struct vf_bounds *bounds, const struct section *s,
                      const struct encoding *encoding, const Dwarf_FDE *fde)
{
    size_t size = pointer_size(s, encoding->pointers);
    uint8_t relative = encoding->pointers & 0x70;
    if (!encoding->known || size == 0 || (encoding->pointers & DW_EH_PE_indirect) ||
        (relative != DW_EH_PE_absptr && relative != DW_EH_PE_pcrel) || fde->end < fde->start ||
        (size_t)(fde->end - fde->start) < 2 * size)
        return;
    uint64_t start = read_number(s, fde->start, size, encoding->pointers & DW_EH_PE_signed);
    uint64_t length = read_number(s, fde->start + size, size, false);
    if (relative == DW_EH_PE_pcrel)
        start += s->address + (uint64_t)(fde->start - (const uint8_t *)s->data->d_buf);
    if (!s->is_64)
        start &= UINT32_MAX;
    if (length == 0 || start == 0 || start + length < start)
        return;
    VF_APPEND(&bounds->v, ((struct vf_bound){start, start + length, encoding->is_signal}));
}

static int by_start(const void *a, const void *b)
{
    const struct vf_bound *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->end < y->end) - (x->end > y->end);
}

/* The rows sorted, each cut where the next one begins; of several at one address the longest. */
static void put_in_order(struct vf_bounds *bounds)
{
    struct vf_bound *rows = bounds->v.items;
    size_t kept = 0;
    if (bounds->v.len == 0)
        return;
    qsort(rows, bounds->v.len, sizeof *rows, by_start);
    for (size_t i = 0; i < bounds->v.len; i++) {
        if (kept && rows[kept - 1].start == rows[i].start)
            continue;
        if (kept && rows[kept - 1].end > rows[i].start)
            rows[kept - 1].end = rows[i].start;
        rows[kept++] = rows[i];
    }
    bounds->v.len = kept;
}

void vf_bounds_read(struct vf_bounds *bounds, Elf *elf)
{
    struct section s = {0};
    Dwarf_Off at = 0, next, cie_at = UINT64_MAX;
    struct encoding encoding = {0};
    *bounds = (struct vf_bounds){0};
    if (!find_section(elf, &s))
        return;
    for (;; at = next) {
        Dwarf_CFI_Entry entry, cie;
        Dwarf_Off behind;
        int got = dwarf_next_cfi(s.ident, s.data, true, at, &next, &entry);
        if (got > 0 || next == (Dwarf_Off)-1 || next <= at)
            break;
        if (got < 0 || dwarf_cfi_cie_p(&entry))
            continue;
        if (entry.fde.CIE_pointer != cie_at) {
            cie_at = entry.fde.CIE_pointer;
            encoding.known = cie_at < at &&
                             dwarf_next_cfi(s.ident, s.data, true, cie_at, &behind, &cie) == 0 &&
                             dwarf_cfi_cie_p(&cie);
            if (encoding.known)
                encoding = read_encoding(&s, &cie.cie);
        }
        add_entry(bounds, &s, &encoding, &entry.fde);
    }
    put_in_order(bounds);
}

const struct vf_bound *vf_bounds_find(const struct vf_bounds *bounds, uint64_t address)
{
    size_t count = VF_UP_TO(bounds->v.items, bounds->v.len, start, address);
    if (count == 0 || address >= bounds->v.items[count - 1].end)
        return NULL;
    return &bounds->v.items[count - 1];
}

void vf_bounds_release(struct vf_bounds *bounds)
{
    free(bounds->v.items);
    *bounds = (struct vf_bounds){0};
}

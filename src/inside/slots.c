/* An object that was loaded keeps the addresses of the functions it calls in others in slots, which
 * the dynamic linker fills in as the object's relocations say (System V ABI, "Dynamic Linking").
 * The relocations stay in memory, so the slots of a function are found by its name. */
#include "inside/inside.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT };
#else
#error "the relocations of this machine are not known here"
#endif

struct table {
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * plt, *rela;
    size_t plt_bytes, rela_bytes;
    const uint32_t *hash;
};

/* glibc has added the base to the addresses in the dynamic section, musl has not. */
static const void *place(const struct inside_object *object, uintptr_t value)
{
    return (const void *)(value < object->base ? value + object->base : value);
}

static struct table read_table(const struct inside_object *object)
{
    struct table t = {0};
    for (const ElfW(Dyn) *d = object->dynamic; d && d->d_tag != DT_NULL; d++)
        switch (d->d_tag) {
        case DT_SYMTAB:
            t.symbols = place(object, d->d_un.d_ptr);
            break;
        case DT_STRTAB:
            t.strings = place(object, d->d_un.d_ptr);
            break;
        case DT_JMPREL:
            t.plt = place(object, d->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            t.plt_bytes = d->d_un.d_val;
            break;
        case DT_RELA:
            t.rela = place(object, d->d_un.d_ptr);
            break;
        case DT_RELASZ:
            t.rela_bytes = d->d_un.d_val;
            break;
        case DT_GNU_HASH:
            t.hash = place(object, d->d_un.d_ptr);
            break;
        default:
            break;
        }
    return t;
}

/* ---- objects --------------------------------------------------------------------------------- */

struct search {
    bool (*wanted)(const struct inside_object *, const void *);
    const void *what;
    struct inside_object *out;
};

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    struct inside_object object = {.base = info->dlpi_addr, .name = info->dlpi_name};
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_DYNAMIC)
            object.dynamic = (const void *)(object.base + p->p_vaddr);
        if (p->p_type == PT_LOAD && p->p_memsz > p->p_filesz && p->p_flags & PF_W) {
            object.zeroed = (object.base + p->p_vaddr + p->p_filesz + 7) & ~(uintptr_t)7;
            object.zeroed_end = object.base + p->p_vaddr + p->p_memsz;
        }
        if (p->p_type == PT_GNU_RELRO) {
            object.relro = object.base + p->p_vaddr;
            object.relro_end = object.relro + p->p_memsz;
        }
    }
    if (!object.dynamic || !search->wanted(&object, search->what))
        return 0;
    *search->out = object;
    return 1;
}

bool inside_object_find(bool (*wanted)(const struct inside_object *, const void *),
                        const void *what, struct inside_object *out)
{
    struct search search = {wanted, what, out};
    return dl_iterate_phdr(visit, &search) == 1;
}

/* ---- symbols: the hash table of DT_GNU_HASH -------------------------------------------------- */

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

void *inside_object_symbol(const struct inside_object *object, const char *symbol)
{
    struct table t = read_table(object);
    if (!t.hash || !t.symbols || !t.strings || t.hash[0] == 0)
        return NULL;
    uint32_t buckets = t.hash[0], first = t.hash[1], bloom_words = t.hash[2];
    const uint32_t *bucket = t.hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chain = bucket + buckets;
    uint32_t hash = hash_of(symbol), row = bucket[hash % buckets];
    if (row < first)
        return NULL;
    for (;; row++) {
        uint32_t other = chain[row - first];
        const ElfW(Sym) *s = &t.symbols[row];
        if ((other | 1) == (hash | 1) && s->st_shndx != SHN_UNDEF && s->st_value &&
            strcmp(t.strings + s->st_name, symbol) == 0)
            return (void *)(object->base + s->st_value);
        if (other & 1)
            return NULL;
    }
}

static bool defines(const struct inside_object *object, const void *what)
{
    return inside_object_symbol(object, what) != NULL;
}

uintptr_t inside_function(const char *symbol)
{
    struct inside_object object;
    if (!inside_object_find(defines, symbol, &object))
        return 0;
    return (uintptr_t)inside_object_symbol(&object, symbol);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static bool store(const struct inside_object *object, uintptr_t *slot, uintptr_t value)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)slot & ~(page - 1);
    bool locked = (uintptr_t)slot >= (object->relro & ~(page - 1)) &&
                  (uintptr_t)slot < (object->relro_end & ~(page - 1));
    if (locked && mprotect((void *)at, page, PROT_READ | PROT_WRITE) != 0)
        return false;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    if (locked)
        mprotect((void *)at, page, PROT_READ);
    return true;
}

static void patch_table(const struct inside_object *object, const struct table *t,
                        const ElfW(Rela) * rows, size_t bytes, struct inside_slot *slots,
                        size_t count)
{
    for (size_t i = 0; rows && i < bytes / sizeof *rows; i++) {
        uint64_t type = ELF64_R_TYPE(rows[i].r_info);
        if (type != JUMP_SLOT && type != GLOB_DAT)
            continue;
        const char *name = t->strings + t->symbols[ELF64_R_SYM(rows[i].r_info)].st_name;
        for (size_t k = 0; k < count; k++)
            if (strcmp(name, slots[k].symbol) == 0 &&
                store(object, (uintptr_t *)(object->base + rows[i].r_offset), slots[k].ours))
                slots[k].found++;
    }
}

void inside_object_patch(const struct inside_object *object, struct inside_slot *slots,
                         size_t count)
{
    struct table t = read_table(object);
    if (!t.symbols || !t.strings)
        return;
    patch_table(object, &t, t.plt, t.plt_bytes, slots, count);
    patch_table(object, &t, t.rela, t.rela_bytes, slots, count);
}

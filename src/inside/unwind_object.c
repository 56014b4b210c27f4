/* Which loaded library an address is in. */
#include "unwind_rule.h"
#include <dlfcn.h>
#include <link.h>

#ifdef DLFO_STRUCT_HAS_EH_DBASE /* declared by glibc 2.35 and later */
/* Takes no lock.  Where the program's C library is older it is missing, and so NULL. */
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

static int find_without_lock(uint64_t pc, struct vf_object *object)
{
    struct dl_find_object found;
    if (!_dl_find_object)
        return -1;
    if (_dl_find_object((void *)pc, &found) != 0 || !found.dlfo_eh_frame)
        return 0;
    *object = (struct vf_object){(uint64_t)found.dlfo_eh_frame, (uint64_t)found.dlfo_map_start,
                                 (uint64_t)found.dlfo_map_end};
    return 1;
}
#else
static int find_without_lock(uint64_t pc, struct vf_object *object)
{
    (void)pc, (void)object;
    return -1;
}
#endif

struct search {
    uint64_t pc;
    struct vf_object object;
};

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    struct vf_object object = {0, UINT64_MAX, 0};
    bool inside = false;
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;
        if (part->p_type == PT_GNU_EH_FRAME)
            object.header = start;
        if (part->p_type != PT_LOAD)
            continue;
        inside |= search->pc >= start && search->pc < end;
        object.start = start < object.start ? start : object.start;
        object.end = end > object.end ? end : object.end;
    }
    if (!inside)
        return 0;
    search->object = object;
    return 1;
}

bool vf_object_find(uint64_t pc, struct vf_object *object)
{
    int found = find_without_lock(pc, object);
    if (found >= 0)
        return found;
    struct search search = {.pc = pc};
    if (!dl_iterate_phdr(look, &search) || !search.object.header)
        return false;
    *object = search.object;
    return true;
}

static int count(struct dl_phdr_info *info, size_t size, void *data)
{
    if (size < offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs)
        return -1;
    *(uint64_t *)data = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

uint64_t vf_object_generation(void)
{
    uint64_t changes = 0;
    dl_iterate_phdr(count, &changes);
    return changes;
}

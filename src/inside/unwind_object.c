/* Which loaded library an address is in.
 *
 * Asked in a signal's handler, so nothing here may wait.  dl_iterate_phdr() does: for the dynamic
 * linker's lock, which the interrupted thread may be about to take, or another one may hold that
 * waits for what the interrupted thread holds.  _dl_find_object() takes none: it reads one of two
 * copies of the dynamic linker's table, of which the other is written (glibc's manual: AS-Safe).
 * C libraries without it (glibc before 2.35, musl) have no other way; there are no native frames
 * there. */
#include "unwind_hash.h"
#include "unwind_rule.h"
#include <dlfcn.h>

#ifdef DLFO_STRUCT_HAS_EH_DBASE /* declared by glibc 2.35 and later */
/* Where the program's C library is older it is missing, and so NULL. */
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

enum { HEAD = 1024 }; /* the ELF header, the program headers, and mostly the build id */

/* A library may lie where another was, with the same address of the dynamic linker's record. */
static uint64_t identify(struct vf_memory *memory, const struct dl_find_object *found)
{
    const uint64_t place[] = {(uint64_t)found->dlfo_map_start, (uint64_t)found->dlfo_map_end,
                              (uint64_t)found->dlfo_eh_frame, (uint64_t)found->dlfo_link_map};
    uint64_t identity = vf_hash(1, place, sizeof place);
    memory->library = (struct vf_span){place[0], place[1]};
    memory->library_identity = identity;
    if (!vf_memory_of_library(memory, place[0], HEAD))
        return 0;
    identity = vf_hash(identity, (const void *)place[0], HEAD);
    return identity ? identity : 1;
}

static bool ask(struct vf_memory *memory, uint64_t pc, struct vf_object *object)
{
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)pc, &found) != 0 || !found.dlfo_eh_frame)
        return false;
    *object = (struct vf_object){
        .header = (uint64_t)found.dlfo_eh_frame,
        .start = (uint64_t)found.dlfo_map_start,
        .end = (uint64_t)found.dlfo_map_end,
        .identity = identify(memory, &found),
    };
    return object->identity != 0;
}
#else
static bool ask(struct vf_memory *memory, uint64_t pc, struct vf_object *object)
{
    (void)memory, (void)pc, (void)object;
    return false;
}
#endif

bool vf_object_find(struct vf_memory *memory, uint64_t pc, struct vf_object *object)
{
    for (unsigned i = 0; i < VF_MEMORY_OBJECTS; i++)
        if (pc >= memory->objects[i].start && pc < memory->objects[i].end) {
            *object = memory->objects[i];
            memory->library = (struct vf_span){object->start, object->end};
            memory->library_identity = object->identity;
            return true;
        }
    if (!ask(memory, pc, object))
        return false;
    memory->library_identity = object->identity;
    memory->objects[memory->next_object++ % VF_MEMORY_OBJECTS] = *object;
    return true;
}

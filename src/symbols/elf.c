#include "symbols/elf.h"

#include "base/table.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <unistd.h>

/* Rust's linker and some others write no build id. */
static struct vf_str id_of_content(Elf *elf, struct vf_arena *arena)
{
    size_t size;
    const char *bytes = elf && elf_kind(elf) == ELF_K_ELF ? elf_rawfile(elf, &size) : NULL;
    if (!bytes)
        return VF_STR("");
    return vf_arena_printf(arena, "%016llx%016llx", (unsigned long long)vf_hash_bytes(bytes, size),
                           (unsigned long long)size);
}

struct vf_str vf_elf_id_of(Elf *elf, struct vf_arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    const void *id = NULL;
    ssize_t length = elf ? dwelf_elf_gnu_build_id(elf, &id) : 0;
    if (length <= 0)
        return id_of_content(elf, arena);
    char *text = vf_arena_alloc(arena, (size_t)length * 2 + 1);
    for (size_t i = 0; i < (size_t)length; i++) {
        unsigned char byte = ((const unsigned char *)id)[i];
        text[2 * i] = hex[byte >> 4];
        text[2 * i + 1] = hex[byte & 15];
    }
    return (struct vf_str){text, (size_t)length * 2};
}

struct vf_str vf_elf_build_id(const char *path, struct vf_arena *arena)
{
    struct vf_str out = VF_STR("");
    elf_version(EV_CURRENT);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return out;
    /* Not mapped: it may be built anew just now, and a recorder must not end of that. */
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    out = vf_elf_id_of(elf, arena);
    elf_end(elf);
    close(fd);
    return out;
}

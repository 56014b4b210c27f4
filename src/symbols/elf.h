/* ELF files, through elfutils. */
#ifndef VF_SYMBOLS_ELF_H
#define VF_SYMBOLS_ELF_H

#include "base/mem.h"

#include <libelf.h>

/* What tells this build of an ELF file from any other, as hex digits in the arena: its GNU build
 * id; where it has none a hash of its bytes (XXH3, 64 bits) and its size.  Empty where the file is
 * no ELF file or can't be read. */
struct vf_str vf_elf_build_id(const char *path, struct vf_arena *arena);

/* The same of a file that is open; NULL gives the empty one. */
struct vf_str vf_elf_id_of(Elf *elf, struct vf_arena *arena);

#endif

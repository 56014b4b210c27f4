/* ELF files, through elfutils. */
#ifndef VF_SYMBOLS_ELF_H
#define VF_SYMBOLS_ELF_H

#include "base/mem.h"

/* The GNU build id of an ELF file as hex digits in the arena; empty where there is none, or the
 * file is no ELF file or can't be read. */
struct vf_str vf_elf_build_id(const char *path, struct vf_arena *arena);

#endif

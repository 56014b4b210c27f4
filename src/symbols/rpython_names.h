/* Names of RPython functions, as its translator to C writes them; for names.c. */
#ifndef VF_SYMBOLS_RPYTHON_NAMES_H
#define VF_SYMBOLS_RPYTHON_NAMES_H

#include "base/mem.h"

/* `name` is what stands behind "pypy_g_". */
struct vf_str vf_rpython_name(struct vf_str name, struct vf_arena *arena);

#endif

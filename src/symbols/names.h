#ifndef VF_SYMBOLS_NAMES_H
#define VF_SYMBOLS_NAMES_H
#include "base/mem.h"
struct vf_str vf_name_readable(struct vf_str raw, struct vf_str file, struct vf_arena *arena);
bool vf_name_is_sampler(struct vf_str raw);
#endif

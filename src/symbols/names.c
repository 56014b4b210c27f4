#include "symbols/names.h"
struct vf_str vf_name_readable(struct vf_str raw, struct vf_str file, struct vf_arena *arena)
{
    (void)file;
    (void)arena;
    return raw;
}
bool vf_name_is_sampler(struct vf_str raw)
{
    return vf_str_eq(raw, VF_STR("__restore_rt"));
}

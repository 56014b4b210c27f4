#include "profile/profile.h"

#include "profile/jit.h"

#include <stdarg.h>
#include <stdio.h>

static struct vf_extra *find_section(struct vf_profile *profile, const char *label)
{
    for (size_t i = 0; i < profile->extras.len; i++)
        if (strcmp(profile->extras.items[i].label, label) == 0)
            return &profile->extras.items[i];
    struct vf_extra *extra = VF_PUSH(&profile->extras);
    extra->label = label;
    return extra;
}

void vf_profile_extra(struct vf_profile *profile, const char *section, const char *label,
                      const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct vf_extra *extra = find_section(profile, section);
    struct vf_extra_entry *entry = VF_PUSH(&extra->entries);
    entry->label = vf_arena_str(&profile->arena, vf_str_from(label));
    entry->value = vf_arena_str(&profile->arena, vf_str_from(text));
}

static void name_markers(struct vf_profile *profile)
{
    for (size_t i = 0; i < VF_MARKER_COUNT; i++)
        profile->marker_titles[i].i = VF_NONE;
    for (size_t i = 0; i < profile->threads.len; i++) {
        const struct vf_markers *markers = &profile->threads.items[i].markers;
        for (size_t m = 0; m < markers->rows.len; m++) {
            uint8_t kind = markers->rows.items[m].kind;
            if (profile->marker_titles[kind].i == VF_NONE)
                profile->marker_titles[kind] =
                    vf_strings_add(&profile->strings, vf_str_from(vf_marker_schemas[kind].title));
        }
    }
}

void vf_profile_freeze(struct vf_profile *profile)
{
    name_markers(profile);
    vf_table_release(&profile->strings.index);
    vf_table_release(&profile->stacks.stack_index);
    vf_table_release(&profile->stacks.frame_index);
    vf_table_release(&profile->funcs.func_index);
    vf_table_release(&profile->funcs.source_index);
    vf_table_release(&profile->funcs.lib_index);
    vf_table_release(&profile->funcs.native_index);
}

void vf_profile_thaw(struct vf_profile *profile)
{
    vf_strings_index(&profile->strings);
}

void vf_thread_release(struct vf_thread *thread)
{
    free(thread->samples.items);
    free(thread->allocations.items);
    vf_markers_release(&thread->markers);
    *thread = (struct vf_thread){0};
}

void vf_profile_release(struct vf_profile *profile)
{
    for (size_t i = 0; i < profile->threads.len; i++)
        vf_thread_release(&profile->threads.items[i]);
    for (size_t i = 0; i < profile->counters.len; i++)
        free(profile->counters.items[i].rows.items);
    for (size_t i = 0; i < profile->extras.len; i++)
        free(profile->extras.items[i].entries.items);
    free(profile->threads.items);
    free(profile->counters.items);
    free(profile->extras.items);
    vf_jit_free(profile->jit);
    vf_strings_release(&profile->strings);
    vf_funcs_release(&profile->funcs);
    vf_stacks_release(&profile->stacks);
    vf_arena_release(&profile->arena);
    *profile = (struct vf_profile){0};
}

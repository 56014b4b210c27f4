/* Names and code of native functions, from what the recording brought along, else from the files on
 * this machine.
 *
 * What the recording holds comes first: it was found when the very libraries were there.  What it
 * leaves open (no name, no line) is looked for here too where there may be more than there was
 * then: where the user names places with debug files, or wants the symbols to be looked up again.
 * A library on this machine is asked only where its id is the recorded one; where the recording has
 * none (a plain .prof) it is not asked at all, for it may be another build. */
#ifndef VF_CMD_SYMBOLS_H
#define VF_CMD_SYMBOLS_H

#include "base/table.h"
#include "capture/capture.h"
#include "capture/symbols.h"
#include "profile/symbolizer.h"
#include "symbols/symbols.h"

/* A symbol's name as the linker has it and as people read it. */
struct vf_read_name {
    struct vf_str raw, name;
};

struct vf_name_source {
    struct vf_packed_symbols packed;
    struct vf_symbols files;
    VF_VEC(struct vf_read_name) read; /* each name once, however often it is asked for */
    struct vf_table read_index;
    struct vf_arena arena; /* of these names */
    bool ask_files;        /* what the recording leaves open is looked for on this machine */
};

/* Takes the symbols out of the capture, which must outlive it, as must `debug`; one that can't be
 * read is said. */
void vf_name_source_init(struct vf_name_source *source, const struct vf_capture *capture,
                         const struct vf_debug_files *debug, struct vf_warnings *warnings);
void vf_name_source_release(struct vf_name_source *source);

/* For vf_profile_build(): `context` is a struct vf_name_source. */
bool vf_name_source_find(void *context, const struct vf_native_place *place,
                         struct vf_symbolized *out);

/* The same from the files on this machine alone. */
bool vf_name_source_find_here(struct vf_name_source *source, const struct vf_native_place *place,
                              struct vf_symbolized *out);

/* The machine code of the function at the address and where it begins, from the recording or from
 * the library; empty where neither has it.  `arch` is that of the code. */
struct vf_str vf_name_source_code(struct vf_name_source *source,
                                  const struct vf_native_place *place, uint64_t *start,
                                  struct vf_str *arch);
/* The library on this machine, as it was recorded, ready to be asked; else NULL. */
struct vf_library *vf_name_source_library(struct vf_name_source *source,
                                          const struct vf_native_place *place);
/* Whether the library lies on this machine as it was recorded. */
enum vf_library_state vf_name_source_state(struct vf_name_source *source,
                                           const struct vf_native_place *place);

#endif

/* `vmfox symbolicate`, of which symbolicate_capture.c does recordings. */
#ifndef VF_CMD_SYMBOLICATE_H
#define VF_CMD_SYMBOLICATE_H

#include "cmd/common.h"
#include "finished/symbolicate.h"

/* The text of a source below --sources DIR, kept in `members`; for a source that symbols name. */
struct vf_source_folder {
    const char *folder; /* NULL: none are wanted */
    VF_VEC(struct vf_bytes) members;
};
bool vf_source_folder_get(void *context, struct vf_str path, struct vf_str *text);

/* Writes the recording with the symbols that are known now to `out`.  False: a message was said. */
bool vf_symbolicate_capture(const struct vf_capture *capture, struct vf_name_source *names,
                            struct vf_source_folder *sources, const char *out,
                            struct vf_symbolicated *told);

#endif

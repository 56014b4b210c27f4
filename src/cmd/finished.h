/* Finished Firefox Profiler files as an input, JSON or JSON Slabs, gzipped or not. */
#ifndef VF_CMD_FINISHED_H
#define VF_CMD_FINISHED_H

#include "cmd/common.h"

/* A text and the bytes it lies in, which are in files without a name where they had to be
 * unpacked. */
struct vf_finished_text {
    struct vf_bytes bytes;
    struct vf_str text;
};

/* The text that has the profile's libraries: of JSON all of it, of slabs the root.  VF_FATAL: there
 * is none; release in either case. */
enum vf_status vf_finished_text_root(struct vf_finished_text *text,
                                     const struct vf_capture *capture, struct vf_error *error);
/* All of the profile as JSON. */
enum vf_status vf_finished_text_json(struct vf_finished_text *text,
                                     const struct vf_capture *capture, struct vf_error *error);
void vf_finished_text_release(struct vf_finished_text *text);

/* False, said, where a part of a finished file is asked for, or fewer samples: that needs the
 * recording.  `name` is the file's. */
bool vf_finished_is_whole(const char *name, const struct vf_args *args);

/* False, said, where a finished file is cut or damaged: the profiler's page can't load one. */
bool vf_finished_is_sound(const char *name, const struct vf_capture *capture);

/* Writes JSON Slabs as JSON to the conversion's output.  False: a message was said. */
bool vf_finished_convert(const struct vf_conversion *c, const struct vf_capture *capture,
                         uint64_t *bytes);

#endif

/* A recording made of what a killed recorder left (record/remains.h).
 *
 * In its folder lie `session.json`, which is what capture.json would have begun with, and files
 * that are called as the members of a recording (docs/formats/vmfox.md).  Each may be missing, end
 * anywhere, or hold anything at all: what is whole is taken, and the recording gets the end that
 * its recorder would have given it: sources, names of native functions, a trailer.  Nothing that
 * the folder names is run, and no link in it is followed. */
#ifndef VF_RECORD_RECOVER_H
#define VF_RECORD_RECOVER_H

#include "record/record.h"
#include "record/remains.h"

struct vf_recover_facts {
    char program[128];         /* short name, fit for a file; "program" where it is not known */
    int64_t start_realtime_ns; /* 0: not known */
    uint64_t samples;
};

/* Reads what is needed for a name for it.  VF_FATAL: there is no sample in it, or it is of a newer
 * vmfox. */
enum vf_status vf_recover_look(const struct vf_remains *remains, struct vf_recover_facts *facts,
                               struct vf_error *error);
/* Writes the recording to `place`, or to the first of its other names that takes it.  The folder
 * stays as it is.  `debug` as in vf_record_options. */
enum vf_status vf_recover(const struct vf_remains *remains, const struct vf_place *place,
                          const struct vf_debug_files *debug, struct vf_record_result *result,
                          struct vf_warnings *warnings, struct vf_error *error);

#endif

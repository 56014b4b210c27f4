/* Folders of killed recorders as input of commands. */
#ifndef VF_CMD_RECOVER_H
#define VF_CMD_RECOVER_H

#include "record/recover.h"

/* Where `path` is a folder: makes a recording of what a killed recorder left there, in the
 * temporary folder, and gives its name, to be freed; it should be removed as soon as it is open,
 * and is when vmfox is ended before (vf_new_file_watch()).  Until *held, to be freed,
 * is closed nobody removes the folder.  NULL with *failed: that can't be done, which was said; NULL
 * else: it is no folder. */
char *vf_recover_for_reading(const char *path, const struct vf_debug_files *debug, bool quiet,
                             struct vf_remains **held, bool *failed);

#endif

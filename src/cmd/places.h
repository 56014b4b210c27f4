/* The folders of this user that the environment names. */
#ifndef VF_CMD_PLACES_H
#define VF_CMD_PLACES_H

#include "record/keep.h"

/* Where a recording goes that the place it was meant for does not take: the temporary folder,
 * /var/tmp, the home folder; ends with NULL. */
const char *const *vf_spare_folders(void);
/* Where a recorder's folder may lie: the temporary folder, /tmp, /var/tmp, the home folder; ends
 * with NULL. */
const char *const *vf_recorder_folders(void);

/* vf_keep_open() below $XDG_CACHE_HOME, or ~/.cache. */
enum vf_status vf_keep_open_own(struct vf_keep *keep, bool make, struct vf_error *error);

#endif

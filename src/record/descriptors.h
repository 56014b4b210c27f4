/* How many files vmfox has open.
 *
 * It has one for each thread that it samples, and the limit (ulimit -n) may be low.  vmfox takes
 * for itself what it may have, and gives the program the limit that the user has set.  What can be
 * done without is not opened when it would take one of the last descriptors: these are for the
 * files of the recording. */
#ifndef VF_RECORD_DESCRIPTORS_H
#define VF_RECORD_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/resource.h>

enum { VF_DESCRIPTORS_RESERVE = 24 };

struct vf_descriptors {
    bool raised;
    struct rlimit before;
};

/* Raises the limit as far as it may be. */
void vf_descriptors_raise(struct vf_descriptors *descriptors);
/* Sets it back, in vmfox or in a child: async-signal-safe. */
void vf_descriptors_give_back(const struct vf_descriptors *descriptors);
/* Closes a new descriptor that leaves too few for the rest, and gives -1 in its place, with errno
 * set to EMFILE. */
int vf_descriptors_spare(int fd);

#endif

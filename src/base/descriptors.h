/* How many files vmfox has open.
 *
 * The recorder has one for each thread that it samples, the symbol server one for each library, and
 * the limit (ulimit -n) may be low.  vmfox takes for itself what it may have, and gives what it
 * starts (the program, a browser, a pager) the limit that the user has set.  What can be done
 * without is not opened when it would take one of the last descriptors: these are for the files of
 * the recording. */
#ifndef VF_BASE_DESCRIPTORS_H
#define VF_BASE_DESCRIPTORS_H

enum { VF_DESCRIPTORS_RESERVE = 24 };

/* Raises the limit as far as it may be. */
void vf_descriptors_raise(void);
/* Sets it back where it was raised, in vmfox or in a child: async-signal-safe. */
void vf_descriptors_give_back(void);
/* Closes a new descriptor that leaves too few for the rest, and gives -1 in its place, with errno
 * set to EMFILE. */
int vf_descriptors_spare(int fd);

#endif

/* A recorder's folder, emptied and removed.
 *
 * What is removed is what lies in the folder that is open: its path may lead to another one by now,
 * of somebody else who waits for that, where the temporary folder was emptied meanwhile. */
#ifndef VF_RECORD_FOLDER_H
#define VF_RECORD_FOLDER_H

#include <dirent.h>
#include <stdbool.h>

/* The entries of a folder that is open, with a place of its own in it; NULL: it can't be read.  To
 * be closed with closedir(). */
DIR *vf_folder_entries(int folder);
/* Removes all that is in the folder, and then the folder where it is still the one at `path`. Links
 * in it are not followed.  False: something stays. */
bool vf_folder_remove(int folder, const char *path);

#endif

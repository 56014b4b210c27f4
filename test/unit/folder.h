/* A new folder as the working directory of a test, and files in it. */
#ifndef VF_TEST_FOLDER_H
#define VF_TEST_FOLDER_H

#include "base/str.h"

/* For cmocka_unit_test_setup_teardown(). */
int folder_make(void **state);
int folder_remove(void **state);
/* Writes a file; a folder in its path is made. */
void folder_put(const char *path, struct vf_str bytes, unsigned mode);
/* How many entries there are in it. */
size_t folder_count(const char *path);

#endif

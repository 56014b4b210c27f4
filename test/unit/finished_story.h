/* A small finished file with native functions, and somebody who knows their names. */
#ifndef VF_TEST_FINISHED_STORY_H
#define VF_TEST_FINISHED_STORY_H

#include "finished/symbolicate.h"

/* A function without a name at 0x100 with an instruction at 0x104, one without a name at 0x200, one
 * with a name and a line at 0x302.  A sample each in: 0x104's caller, and so on; see the .c. */
extern const char finished_story[];
/* Of format version 70, where frames have their libraries themselves, and with old frames of an
 * inlined function. */
extern const char finished_story_70[];

/* Names 0x100 "outer" in /x.c, inlined at 0x104 "inner" of /x.h, line 4; 0x200 is VMProf's handler;
 * 0x300 is "other", without a line. */
bool finished_story_find(void *context, const struct vf_native_place *place,
                         struct vf_symbolized *out);
struct vf_symbolicate_options finished_story_options(void);

#endif

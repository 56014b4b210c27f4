/* Where the walks of a thread begin while it is in a signal's handler: vmfox_unwind_from(). */
#pragma once
#include "unwind.h"

/* The registers given for this thread; NULL where there are none, or where they can't be those of
 * the handler that is running. */
const unw_context_t *vf_unwind_from(void);

/* What capture.json has: see vf_session_write_info() in session.h. */
#ifndef VF_RECORD_INFO_H
#define VF_RECORD_INFO_H

#include "record/sources.h"

/* The name of a source's member. */
void vf_source_member(char name[64], const struct vf_found_sources *sources, size_t row);

#endif

/* The shapes of a Firefox Profiler file, which the ending of its name says. */
#ifndef VF_OUTPUT_FORMAT_H
#define VF_OUTPUT_FORMAT_H

#include "base/str.h"

struct vf_format {
    bool slabs; /* JSON Slabs, else JSON */
    bool gzip;
};

/* What a message says of names that have none of the endings. */
#define VF_FORMAT_ENDINGS ".json, .json.gz, .jslb or .jslb.gz"

/* By a name's ending; false for one that is no format. */
bool vf_format_find(struct vf_str name, struct vf_format *format);
/* ".jslb.gz" and the like. */
const char *vf_format_ending(struct vf_format format);

#endif

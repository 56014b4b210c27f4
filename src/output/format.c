#include "output/format.h"

static const struct {
    const char *ending;
    struct vf_format format;
} formats[] = {
    {".json", {false, false}},
    {".json.gz", {false, true}},
    {".jslb", {true, false}},
    {".jslb.gz", {true, true}},
};

bool vf_format_find(struct vf_str name, struct vf_format *format)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (vf_str_ends(name, vf_str_from(formats[i].ending))) {
            *format = formats[i].format;
            return true;
        }
    return false;
}

const char *vf_format_ending(struct vf_format format)
{
    size_t i = 0;
    while (formats[i].format.slabs != format.slabs || formats[i].format.gzip != format.gzip)
        i++;
    return formats[i].ending;
}

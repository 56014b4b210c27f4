/* Captures opened from files that a test writes, zips most of all. */
#ifndef VF_TEST_OPENED_H
#define VF_TEST_OPENED_H

#include "capture/capture.h"
#include "zip_builder.h"

struct opened {
    struct vf_capture capture;
    struct vf_warnings warnings;
    struct vf_error error;
    enum vf_status status;
};

/* The file opened last. */
extern struct opened file;

void open_file(const char *path);
void open_zip(const struct zip_part *parts, size_t count);
#define OPEN_ZIP(...)                                                                              \
    open_zip((const struct zip_part[]){__VA_ARGS__},                                               \
             sizeof((const struct zip_part[]){__VA_ARGS__}) / sizeof(struct zip_part))
#define PART(name, text)                                                                           \
    {                                                                                              \
        (name), VF_STR(text), false                                                                \
    }
#define PROF                                                                                       \
    {                                                                                              \
        "profile.prof", prof(), false                                                              \
    }

/* It was refused, and `part` is in what was said; it is released. */
void refused(const char *part);
/* It was taken, with one warning that has `part` in it, or none. */
void taken(const char *warning);
/* A profile with samples can be built from it. */
void build_it(const char *what);
void assert_str(struct vf_str value, const char *expected);
/* A small profile of 20 samples. */
struct vf_str prof(void);

#endif

/* What the commands share: messages, and the way from an input file to a finished profile. */
#ifndef VF_CMD_COMMON_H
#define VF_CMD_COMMON_H

#include "base/buf.h"
#include "capture/bytecode.h"
#include "capture/capture.h"
#include "cmd/debug.h"
#include "cmd/options.h"
#include "cmd/symbols.h"
#include "output/format.h"
#include "profile/profile.h"
#include "profile/window.h"

/* Messages go to standard error, "vmfox: " before them. */
void vf_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* `vmfox: NAME: byte 0x1f4: text`; name may be NULL.  Returns `code`. */
int vf_say_error(const char *name, const struct vf_error *error, int code);
/* A line for each warning, and one for those that were only counted. */
void vf_say_warnings(const char *name, const struct vf_warnings *warnings);

/* "wrote NAME (12.3 kB)". */
void vf_say_wrote(const char *name, size_t bytes);

/* Rows for the option tables of commands that read a capture. */
#define VF_INPUT_OPTIONS                                                                           \
    {"jitlog", 0, "FILE", "PyPy's JIT log that belongs to a plain .prof"},                         \
        {"pypylog", 0, "FILE", "PyPy's text log (PYPYLOG) that belongs to a plain .prof"},         \
        {"sources", 0, "DIR", "embed the sources of the profile that lie below DIR"},              \
        VF_DEBUG_OPTIONS, VF_BUILD_OPTIONS

/* For every command that builds a profile. */
#define VF_BUILD_OPTIONS                                                                           \
    {"no-phases", 0, NULL, "leave collections and compilation out of the program's stacks"},       \
        {"no-traces", 0, NULL, "no frames for the JIT's traces"},                                  \
        {"no-graphs", 0, NULL, "make no graphs of the JIT's traces"},                              \
        {"from", 0, "SECONDS", "leave out what was before this second of the run"},                \
        {"to", 0, "SECONDS", "leave out what was from this second on"},                            \
        {"thread", 0, "NAME,...", "only these threads, by name or id"},                            \
    {                                                                                              \
        "pid", 0, "PID", "only this process"                                                       \
    }

/* For commands that write a profile. */
#define VF_THIN_OPTIONS                                                                            \
    {                                                                                              \
        "max-samples", 0, "N",                                                                     \
            "at most N samples: the others' weight goes to those with\n"                           \
            "                               the same stack"                                        \
    }

/* For commands whose profile a server goes with. */
#define VF_EMBED_OPTIONS                                                                           \
    {                                                                                              \
        "no-embed-sources", 0, NULL,                                                               \
            "leave sources and graphs out of the profile: the page\n"                              \
            "                               asks vmfox view for those it shows"                    \
    }

/* A capture, and the profile made of it. */
struct vf_input {
    struct vf_capture capture;
    struct vf_remains *remains; /* what a recorder left, and it is of; held; NULL: of none */
    struct vf_profile profile;
    struct vf_bytecode bytecode;
    struct vf_name_source names; /* of native functions */
    bool has_profile;            /* false: capture.kind is a finished file */
    bool sources_apart;          /* the file that is written has no sources */
};

/* How a capture is read. */
struct vf_input_options {
    const char *jitlog, *pypylog, *sources; /* NULL: none */
    const struct vf_debug_files *debug;     /* NULL: only this machine's own */
    struct vf_window window;
    uint64_t max_samples; /* 0: all */
    bool no_phases, no_traces, no_graphs, sources_apart, quiet;
};
/* What VF_INPUT_OPTIONS, VF_EMBED_OPTIONS, VF_THIN_OPTIONS and --quiet say; `debug` is made by
 * vf_debug_init() and stays in use.  False: wrong usage, said. */
bool vf_input_options(struct vf_input_options *options, const struct vf_args *args,
                      const struct vf_debug *debug);
/* The same for all but --jitlog, --pypylog and --sources. */
bool vf_input_build_options(struct vf_input_options *options, const struct vf_args *args);

/* Opens `path` and builds the profile.  Problems are said, with `name` for the file.  False: it
 * can't be used.  Release in either case. */
bool vf_input_open(struct vf_input *input, const char *path, const char *name,
                   const struct vf_input_options *options);
/* Frees both; slices out of them are gone with it. */
void vf_input_release(struct vf_input *input);

/* vf_format_find(); false, said, for a name that has none. */
bool vf_format_of(const char *path, struct vf_format *format);

/* The profile as a Firefox Profiler file, written as it is made to the file `out` ("-": standard
 * output); *bytes is its size.  False: a message was said. */
bool vf_input_write(const struct vf_input *input, struct vf_format format, const char *out,
                    uint64_t *bytes);
/* The same, in memory. */
bool vf_input_write_memory(const struct vf_input *input, struct vf_format format,
                           struct vf_buf *out);

/* Writes to the file `out`, or "-", which is standard output.  False: a message was said. */
bool vf_output_write(const char *out, struct vf_str bytes);

/* A command that makes one file of another: FILE [-o OUT].  Its options have "output", "quiet" and
 * VF_DEBUG_OPTIONS. */
struct vf_conversion {
    const char *in, *out; /* out "-": standard output */
    char *made;           /* owns `out` where it is the default name */
    struct vf_format format;
    bool quiet;
    struct vf_debug debug;
};

/* VF_EXIT_OK, or a code after a message: nothing has been touched.  Release in either case. */
int vf_conversion_init(struct vf_conversion *conversion, const struct vf_args *args);
/* The same for the output: without -o its name is the input's with another ending; it must be that
 * of a format, and not the input.  Where `ending` is not one of slabs, and not `any`, the format
 * must be JSON. */
int vf_conversion_output(struct vf_conversion *conversion, const char *ending, bool any);
/* Its work begins (cmd/progress.h), which is over with vf_work_end(), or with the release. */
void vf_conversion_begin_work(const struct vf_conversion *conversion);
void vf_conversion_release(struct vf_conversion *conversion);

#endif

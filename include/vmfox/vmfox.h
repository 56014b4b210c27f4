/* vmfox as a library: reads a recording and writes it as a Firefox Profiler file.
 *
 * This is the only installed header; all it offers is in libvmfox.  Functions are thread-safe as
 * long as two threads do not write the same file. */
#ifndef VMFOX_VMFOX_H
#define VMFOX_VMFOX_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, "0.1.0". */
const char *vmfox_version(void);

enum vmfox_status {
    VMFOX_OK = 0,
    VMFOX_PARTIAL = 1, /* the file was written; part of the input was damaged or missing */
    VMFOX_FAILED = 2,  /* nothing was written */
};

/* Converts the recording `in` (a .prof of any dialect, gzipped or not, a .vmfox, or a zip of
 * vmprof-firefox-converter) to the file `out`: as JSON where its name ends in ".json" or
 * ".json.gz", as JSON Slabs, which the profiler loads quicker, where it ends in ".jslb" or
 * ".jslb.gz"; gzipped where it ends in ".gz".  Other names are refused.
 *
 * `message` may be NULL; else up to `message_size` bytes of text are put there, NUL-terminated:
 * empty, the first thing that is missing, or why it failed (with the byte offset where there is
 * one). */
enum vmfox_status vmfox_convert(const char *in, const char *out, char *message,
                                size_t message_size);

#ifdef __cplusplus
}
#endif

#endif

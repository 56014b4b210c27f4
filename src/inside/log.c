/* PyPy's runtime log (PYPYLOG).
 *
 * PyPy opens the file that the variable names before any code of ours runs, and keeps its stream in
 * a variable that it exports.  In place of that stream comes one that writes into the ring, and the
 * file is closed.  A forked child closes the stream and opens what the variable names then, or
 * writes to its standard error where there is none: there it is given a stream that forgets. */
#include "inside/inside.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 16 };

static const char NOWHERE[] = "vmfox:/nowhere";
static char nowhere_setting[] = "none:vmfox:/nowhere";

static ssize_t write_log(void *cookie, const char *bytes, size_t len)
{
    (void)cookie;
    inside_put(VF_RING_PYPYLOG, bytes, len, NULL, 0);
    inside_jitlog_hear(bytes, len);
    if (inside.ring)
        inside.ring->pypylog_bytes += len;
    return (ssize_t)len;
}

static ssize_t forget(void *cookie, const char *bytes, size_t len)
{
    (void)cookie, (void)bytes;
    return (ssize_t)len;
}

bool inside_log_take(const struct inside_object *object)
{
    FILE **file = inside_object_symbol(object, "pypy_debug_file");
    if (!file || !*file || *file == stderr)
        return false;
    FILE *ours = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_log});
    if (!ours)
        return false;
    setvbuf(ours, NULL, _IOFBF, BUFFER_BYTES);
    /* What comes through the ring behind this belongs behind what the file has. */
    FILE *theirs = *file;
    fflush(theirs);
    inside_tell("log", "");
    *file = ours;
    fclose(theirs);
    inside.log_taken = true;
    return true;
}

char *inside_getenv(const char *name)
{
    char *value = getenv(name);
    return inside.forked && !value && strcmp(name, "PYPYLOG") == 0 ? nowhere_setting : value;
}

FILE *inside_fopen(const char *path, const char *mode)
{
    if (inside.forked && strcmp(path, NOWHERE) == 0)
        return fopencookie(NULL, "w", (cookie_io_functions_t){.write = forget});
    return fopen(path, mode);
}

/* A recording with a JIT log made trace by trace, and the findings in the profile built from it.
 *
 *     struct story s;
 *     begin(&s);
 *     loop(&s, 12, "parse", 40);
 *     bridge(&s, 31, 12, "parse", 44, 812000);
 *     build(&s);
 *     assert_finding(&s, 0, "`parse` line 40: guard_true failed 812,000 times into bridge 31");
 *     end(&s);
 *
 * A trace has one guard, with an exit, and a jump. */
#ifndef VF_TEST_JIT_STORY_H
#define VF_TEST_JIT_STORY_H

#include "jitlog_builder.h"
#include "profile/jit.h"
#include "recording.h"

enum {
    MAIN = 0x10,
    GUARD = 0xd000, /* + id: the descr of a trace's guard */
    CODE_AT = 0x700000,
    CODE_SIZE = 0x1000,
    OP_AT = 16,   /* of the guard in the code; its jump has 6 bytes */
    EXIT_AT = 48, /* of its exit */
};

struct story {
    struct recording r;
    struct jitlog_builder log;
    struct vf_buf pcs;
    const char *runtime; /* lines of PyPy's own log; NULL: there is none */
    bool no_counters;
};

/* A recording of 200 ms under PyPy, with a log that has only its header. */
void begin(struct story *s);
void end(struct story *s);
/* Where a trace's code begins. */
uint64_t code_of(uint64_t id);

/* ---- traces ---------------------------------------------------------------------------------- */

/* A merge point of /a.py. */
void merge_point(struct story *s, const char *function, unsigned line);
/* Record 16 with any bytes. */
void code(struct story *s, unsigned offset, const void *bytes, unsigned len);
/* The assembled stage: the guard, `more` operations, a jump; `size` bytes of code. */
void assembled(struct story *s, uint64_t id, unsigned size, unsigned more);
/* A trace with an optimised stage and this assembled one. */
void trace_of(struct story *s, uint64_t id, const char *type, uint64_t number, const char *function,
              unsigned line, unsigned size, unsigned more);
void loop(struct story *s, uint64_t id, const char *function, unsigned line);
/* On the guard of the trace `parent`; entered `runs` times. */
void bridge(struct story *s, uint64_t id, uint64_t parent, const char *function, unsigned line,
            uint64_t runs);
void entry_bridge(struct story *s, uint64_t id, const char *function, unsigned line);
void given_up(struct story *s, uint64_t id, const char *type, uint64_t number, const char *function,
              unsigned line);
/* The counter of a loop. */
void entered(struct story *s, uint64_t id, uint64_t runs);

/* ---- what was seen --------------------------------------------------------------------------- */

void samples_in(struct story *s, uint64_t id, unsigned count);
void samples_outside(struct story *s, unsigned count);
/* Instruction addresses. */
void addresses(struct story *s, uint64_t address, unsigned count);
/* Adds a sample outside of traces and builds the profile. */
void build(struct story *s);

/* ---- findings -------------------------------------------------------------------------------- */

const struct vf_jit_finding *finding(const struct story *s, size_t i);
void assert_finding(const struct story *s, size_t i, const char *expected);
void assert_count(const struct story *s, size_t expected);

#endif

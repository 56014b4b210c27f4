/* Writes JIT logs byte for byte, in every version: docs/formats/jitlog.md is what it follows, and
 * it shares no code with the reader it tests.
 *
 * Fill in the version and the size of an address, then append records; the bytes grow in `out`,
 * which the caller releases. */
#ifndef VF_TEST_JITLOG_BUILDER_H
#define VF_TEST_JITLOG_BUILDER_H

#include "base/buf.h"

struct jitlog_builder {
    struct vf_buf out;
    int version;
    unsigned addr_bytes; /* 8 or 4 */
};

enum { JITLOG_RECORDED = 0x17, JITLOG_OPTIMISED = 0x18, JITLOG_ASSEMBLED = 0x19 };

/* Numbers of operations that jitlog_names() gives names to. */
enum { OP_LABEL = 1, OP_INT_ADD = 2, OP_GUARD_TRUE = 7, OP_VEC_GUARD_TRUE = 9, OP_JUMP = 0x1ff };

/* Plain pieces. */
void jitlog_le(struct jitlog_builder *b, uint64_t value, unsigned bytes);
void jitlog_addr(struct jitlog_builder *b, uint64_t value);
/* A u32 of length and the text. */
void jitlog_text(struct jitlog_builder *b, const char *text);

/* Record 1e. */
void jitlog_header(struct jitlog_builder *b, const char *machine);
/* Record 12, with the five names above. */
void jitlog_names(struct jitlog_builder *b);
/* Record 1b; the driver from version 2. */
void jitlog_start(struct jitlog_builder *b, uint64_t id, const char *type, uint64_t number,
                  const char *driver);
/* Records 17, 18 and 19. */
void jitlog_stage(struct jitlog_builder *b, unsigned marker, uint64_t id);
/* Record 11. */
void jitlog_input_args(struct jitlog_builder *b, const char *args);
/* Record 13, or 14 where `descr` is not 0; the fail arguments from version 2. */
void jitlog_operation(struct jitlog_builder *b, unsigned opnum, const char *text, uint64_t descr,
                      const char *fail_args);
/* Record 15. */
void jitlog_bounds(struct jitlog_builder *b, uint64_t start, uint64_t end);
/* Record 16. */
void jitlog_code(struct jitlog_builder *b, unsigned offset, const char *bytes);
/* Record 1a. */
void jitlog_stitch(struct jitlog_builder *b, uint64_t guard, uint64_t address);
/* Record 1c. */
void jitlog_counter(struct jitlog_builder *b, uint64_t key, char kind, uint64_t count);
/* Record 1d with PyPy's five fields: file, line, function, offset, opcode. */
void jitlog_layout(struct jitlog_builder *b);
/* Record 20. */
void jitlog_prefix(struct jitlog_builder *b, unsigned field, const char *prefix);
/* Record 1f for that layout; a text NULL is the prefix alone, one that begins with '+' goes behind
 * the prefix. */
void jitlog_merge_point(struct jitlog_builder *b, const char *file, uint64_t line,
                        const char *function, uint64_t offset, const char *opcode);
/* Record 21. */
void jitlog_abort(struct jitlog_builder *b, uint64_t id);
/* Record 22 with two lines. */
void jitlog_source(struct jitlog_builder *b, const char *file, const char *first,
                   const char *second);
/* Records 23 and 24. */
void jitlog_redirect(struct jitlog_builder *b, uint64_t from, uint64_t to, uint64_t address);
void jitlog_callback(struct jitlog_builder *b, uint64_t token, uint64_t number);

/* A log with every record there is: loop 5 with a bridge 6 at its guard, an entry bridge 7 and a
 * trace 8 that was given up. */
struct jitlog_builder jitlog_story(int version, unsigned addr_bytes);
/* How many records that is behind the header. */
size_t jitlog_story_records(void);

#endif

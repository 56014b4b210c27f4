/* Naming CPython functions from outside.
 *
 * CPython's VMProf writes the names of the functions it saw when it is stopped in good order.  A
 * program that is killed, crashes or calls os._exit() never gets there.  So the recorder reads each
 * code object's name, file and line from the program's memory (process_vm_readv(2), allowed for a
 * process's own child) when its address first comes in a sample.
 *
 * How code objects and strings lie in memory differs between versions and builds.  It is not built
 * in: the bootstrap makes a code object whose contents it tells, and the offsets are found by
 * looking for those contents.  Where something is not found nothing is guessed: that function stays
 * without a name. */
#ifndef VF_RECORD_LAYOUT_H
#define VF_RECORD_LAYOUT_H

#include "base/mem.h"

#include <sys/types.h>

struct vf_peeked {
    uint64_t id;
    struct vf_str name, file;
    uint32_t line;
};

enum { VF_LAYOUT_WIDTHS = 3 };

struct vf_layout {
    bool known;
    size_t name_at, file_at, line_at;     /* in a code object */
    size_t length_at, state_at, text_at;  /* in a string */
    uint32_t state_mask;                  /* the bits that tell how a string's text is kept */
    uint32_t ascii_bits;                  /* in those: compact, ASCII */
    uint32_t wide_bits[VF_LAYOUT_WIDTHS]; /* compact, 1, 2, 4 bytes a character; 0: not known */
    size_t wide_at;                       /* where the text of such a one begins; 0: not known */
    VF_VEC(struct vf_peeked) names;
};

/* Finds the offsets from the code object the bootstrap tells of: its address, its name's and its
 * file's addresses and texts, and its first line. */
void vf_layout_find(struct vf_layout *layout, pid_t pid, uint64_t code, uint64_t name_address,
                    struct vf_str name, uint64_t file_address, struct vf_str file, uint32_t line);
/* Learns from a string that is not ASCII how such ones are kept; `text` is what it holds, in UTF-8.
 */
void vf_layout_find_string(struct vf_layout *layout, pid_t pid, uint64_t address,
                           struct vf_str text);
/* Reads the code object at `id`; what can be read is added to layout->names. */
void vf_layout_peek(struct vf_layout *layout, pid_t pid, uint64_t id, struct vf_arena *arena);
void vf_layout_release(struct vf_layout *layout);

#endif

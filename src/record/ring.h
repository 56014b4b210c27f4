/* The recorder's side of the ring (inside/ring.h). */
#ifndef VF_RECORD_RING_H
#define VF_RECORD_RING_H

#include "base/buf.h"
#include "base/error.h"
#include "inside/ring.h"

struct vf_ring_reader {
    struct vf_ring *shared; /* NULL: not open */
    char *data;
    uint64_t bytes, tail; /* not to be read from memory that the program can write to */
    int fd;               /* for the program to inherit; -1: none */
    int shm;              /* or the segment's number (shmget(2)); -1: none */
    bool broken;          /* the program has written over it; nothing more is read */
    uint64_t damaged_bytes;
    char *payload; /* room for one */
};

struct vf_ring_entry {
    enum vf_ring_kind kind;
    struct vf_str bytes; /* good until the next entry is read */
};

/* Makes the ring: in memory alone (memfd_create), or where that is refused in a file of `folder_fd`
 * without a name, or where files may not be so large (RLIMIT_FSIZE) in shared memory of System V,
 * which goes when nobody has it mapped. */
enum vf_status vf_ring_open(struct vf_ring_reader *ring, int folder_fd, struct vf_error *error);
/* The next entry; false: there is none now.  With `last` nobody writes any more: entries that were
 * not filled are passed over. */
bool vf_ring_next(struct vf_ring_reader *ring, bool last, struct vf_ring_entry *out);
/* Entries of a kind that found no room; of all kinds: VF_RING_KINDS. */
uint64_t vf_ring_left_out(const struct vf_ring_reader *ring, enum vf_ring_kind kind);
/* Moves a descriptor that the program inherits to a high number: until it has closed it, files that
 * it opens should get the numbers they would get without us.  Returns the new one, or `fd`. */
int vf_ring_move_up(int fd);
void vf_ring_close(struct vf_ring_reader *ring);

#endif

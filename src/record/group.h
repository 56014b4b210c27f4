/* Whether a signal was for the whole process group, or for vmfox alone.
 *
 * What another process sends to vmfox is passed on to the program.  But a signal to the process
 * group
 * (`kill -TERM -PGID`, timeout(1)) has reached the program already, and a second one would be
 * noticed.  Nothing in a signal tells which it was.  So there is one more process in the group,
 * which does nothing and lets no signal in: a signal that waits there as well was sent to all.  It
 * ends with vmfox, whatever happens to it. */
#ifndef VF_RECORD_GROUP_H
#define VF_RECORD_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

struct vf_group {
    pid_t witness; /* 0: there is none, and nothing is known */
};

void vf_group_open(struct vf_group *group);
/* True where the signal was sent to the group that `program` is in, too. */
bool vf_group_has(struct vf_group *group, int number, pid_t program);
void vf_group_close(struct vf_group *group);

#endif

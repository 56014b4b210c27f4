/* What the line of progress says: how fast the work goes, and the text.  Nothing here looks at a
 * clock or a terminal. */
#ifndef VF_CMD_PROGRESS_LINE_H
#define VF_CMD_PROGRESS_LINE_H

#include "base/buf.h"
#include "base/progress.h"

/* How fast a stage goes; zero-initialised. */
struct vf_pace {
    uint32_t turn;             /* of the stage that it is of */
    unsigned looks;            /* at that stage */
    int64_t first_ms, last_ms; /* of looks at it */
    uint64_t last_done;
    double per_s; /* what is done in a second, smoothed over the last few; 0: not known */
};
/* Looks at how far the work has got at `now_ms` of any clock that does not go back. */
void vf_pace_look(struct vf_pace *pace, const struct vf_progress *progress, int64_t now_ms);
/* Seconds until the stage is over, rounded up; 0: not known yet. */
uint64_t vf_pace_left_s(const struct vf_pace *pace, const struct vf_progress *progress);

/* Appends "vmfox: reading app.prof  43 %  1.2 GB/s  2 s left", of which what is not known is left
 * out, in at most `columns` columns.  `name` stands for the stage's "%s" and is safe to print; it
 * is shortened first where the line is too long. */
void vf_progress_text(struct vf_buf *out, const struct vf_progress *progress,
                      const struct vf_pace *pace, struct vf_str name, size_t columns);

#endif

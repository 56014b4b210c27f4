/* Lines of PyPy's text log (the environment variable PYPYLOG), as events; docs/formats/pypylog.md.
 *
 * Nothing is copied and nothing is judged here: sections that never close, or close in the wrong
 * order, are the business of capture/runtime_log.h. */
#ifndef VF_CAPTURE_PYPYLOG_H
#define VF_CAPTURE_PYPYLOG_H

#include "base/str.h"

enum vf_log_event_type {
    VF_LOG_START, /* [hex] {section */
    VF_LOG_STOP,  /* [hex] section} */
    VF_LOG_TEXT,  /* any other line: of the innermost open section */
};

struct vf_log_event {
    enum vf_log_event_type type;
    uint64_t stamp;     /* START, STOP: the counter's reading; 0 for TEXT */
    struct vf_str text; /* the section's name, or the line; a slice of the log */
    uint64_t line;      /* from 1 */
};

struct vf_pypylog {
    const char *at, *end;
    uint64_t line;      /* of the event given last */
    uint64_t half_line; /* the last line, where the log ends in the middle of one; else 0 */
};

void vf_pypylog_open(struct vf_pypylog *log, struct vf_str bytes);
/* False at the end.  Colour codes and carriage returns are taken off.  A last line that may be half
 * of one is not given; its number stays in log->half_line. */
bool vf_pypylog_next(struct vf_pypylog *log, struct vf_log_event *event);
/* True when the bytes begin like a log: with a section, within the first lines. */
bool vf_pypylog_sniff(struct vf_str bytes);

#endif

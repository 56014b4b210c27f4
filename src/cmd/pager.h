/* Text for people: coloured on a terminal and through a pager when it is long; plain elsewhere.
 *
 * Nothing that a file says reaches the terminal as a command: control characters, bytes that are
 * not UTF-8 and marks that turn the direction of text around are written out, as "\x1b" and
 * "\u202e". */
#ifndef VF_CMD_PAGER_H
#define VF_CMD_PAGER_H

#include "base/buf.h"

enum vf_color {
    VF_COLOR_PLAIN,
    VF_COLOR_TITLE,
    VF_COLOR_SOURCE,
    VF_COLOR_DIM,
    VF_COLOR_HOT,
    VF_COLOR_GUARD,
};

struct vf_page {
    struct vf_buf text;
    bool colors; /* standard output is a terminal that shows them */
};

void vf_page_init(struct vf_page *page);
/* Appends text in a colour. */
void vf_page_add(struct vf_page *page, enum vf_color color, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the line; blanks at its end go. */
void vf_page_newline(struct vf_page *page);
/* Writes all to standard output, through $VMFOX_PAGER, $PAGER or less where it is a terminal with
 * fewer lines.  False: it could not be written, errno says why; a reader that went away is no
 * failure. */
bool vf_page_show(struct vf_page *page);

/* Appends a text that some file holds so that it can be shown on a terminal. */
void vf_page_safe(struct vf_buf *out, struct vf_str text);

#endif

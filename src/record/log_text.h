/* The text of PyPy's runtime log, of the words in which it comes through the ring
 * (inside/log_words.h). */
#ifndef VF_RECORD_LOG_TEXT_H
#define VF_RECORD_LOG_TEXT_H

#include "base/buf.h"

/* Adds an entry's text to `out`.  Returns how many of its bytes were read: fewer than there are
 * where the program has written over them. */
size_t vf_log_text(struct vf_str entry, struct vf_buf *out);

#endif

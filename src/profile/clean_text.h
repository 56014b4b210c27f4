/* Paths, homes and names within a text.
 *
 * A path begins with a slash at the text's beginning or behind a blank, a quote, a bracket or one
 * of = : , ; and ends before the next of these; a home folder begins one anywhere.  So "a/b" and "a
 * / b" are none, nor is what stands in a URL but file:. */
#ifndef VF_PROFILE_CLEAN_TEXT_H
#define VF_PROFILE_CLEAN_TEXT_H

#include "base/buf.h"
#include "profile/clean_paths.h"

struct vf_clean_rules {
    struct vf_paths *paths; /* paths get their names from it; NULL: they stay */
    const struct vf_private *hidden;
    bool words; /* homes and words are replaced, see vf_private_replace() */
};

/* Appends the text as it may be shown. */
void vf_clean_text(struct vf_buf *out, const struct vf_clean_rules *rules, struct vf_str text);

#endif

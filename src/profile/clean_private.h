/* What tells of a person or a machine: home folders, and names of users and hosts. */
#ifndef VF_PROFILE_CLEAN_PRIVATE_H
#define VF_PROFILE_CLEAN_PRIVATE_H

#include "base/buf.h"

/* A name, and what is written in its place. */
struct vf_private_word {
    struct vf_str text, instead;
};

/* Texts are borrowed. */
struct vf_private {
    VF_VEC(struct vf_str) homes; /* whole paths, no slash at the end */
    VF_VEC(struct vf_private_word) words;
};

/* Adds a home folder and, as a word, its last component.  Anything but an absolute path is passed
 * over, as is "/". */
void vf_private_add_home(struct vf_private *p, struct vf_str home);
/* Adds a name.  Names that are nobody's (root, ubuntu, localhost, main ...) are passed over. */
void vf_private_add_word(struct vf_private *p, struct vf_str word, struct vf_str instead);
/* Adds the home folder that a path goes through: /home/NAME, /Users/NAME, /root, also one or two
 * folders further down (/var/home/NAME). */
void vf_private_learn(struct vf_private *p, struct vf_str path);
void vf_private_release(struct vf_private *p);

/* The length of the home folder that `text` begins with; 0: none. */
size_t vf_private_home_at(const struct vf_private *p, struct vf_str text);
/* The word that stands at `at` as a whole word; NULL: none. */
const struct vf_private_word *vf_private_word_at(const struct vf_private *p, struct vf_str text,
                                                 size_t at);
/* True where one of the words is in it. */
bool vf_private_is_in(const struct vf_private *p, struct vf_str text);
/* Appends the text with "~" in place of homes, and what stands for the words. */
void vf_private_replace(struct vf_buf *out, const struct vf_private *p, struct vf_str text);

#endif

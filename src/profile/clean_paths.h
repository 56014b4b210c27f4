/* Short names for files: one for each path, and no two alike.
 *
 * A file is called by its last component; below site-packages, or the interpreter's own library
 * folder, by the part from that folder on.  Files that would be called alike get as many of their
 * parent folders as tell them apart, and where those may not be told, a number: "a.py (2)".
 * What tells of a person (profile/clean_private.h) is in none of the folders that are shown.  A
 * home folder itself is "~". */
#ifndef VF_PROFILE_CLEAN_PATHS_H
#define VF_PROFILE_CLEAN_PATHS_H

#include "base/table.h"
#include "profile/clean_private.h"

struct vf_path_row {
    struct vf_str path, name;
    uint32_t shown, most; /* components that the name has, and may have; shown 0: it is the path */
    uint32_t numbered;    /* others that have this name and a number */
    bool alike;
};

struct vf_paths {
    const struct vf_private *hidden;
    bool shorten, words;
    VF_VEC(struct vf_path_row) rows;
    VF_VEC(uint32_t) with_blank;
    struct vf_table index; /* of the paths */
    struct vf_table names;
    struct vf_arena arena;
};

/* `shorten`: as above; else paths stay whole.  `words`: homes and words in the names are replaced.
 */
void vf_paths_init(struct vf_paths *paths, const struct vf_private *hidden, bool shorten,
                   bool words);
/* Adds a path that is to have a name.  One that is a name already, without folders, keeps it,
 * unless it tells of a person. */
void vf_paths_add(struct vf_paths *paths, struct vf_str path);
/* Gives all paths so far their names; those that would be called alike are treated alike. */
void vf_paths_settle(struct vf_paths *paths);
/* The path's name.  One that was not added is added now; those before it keep their names. */
struct vf_str vf_paths_name(struct vf_paths *paths, struct vf_str path);
/* The length of the longest path with a blank in it that `text` begins with; 0: none.  Others end
 * where the next blank is. */
size_t vf_paths_with_blank(const struct vf_paths *paths, struct vf_str text);
void vf_paths_release(struct vf_paths *paths);

/* True for "/a", "C:\a" and "C:/a". */
bool vf_path_is_absolute(struct vf_str path);

#endif

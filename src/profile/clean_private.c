#include "profile/clean_private.h"

/* Each is looked for at each byte of each text; a recording has one or two. */
enum { HOMES_MAX = 16 };

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Taken as they are they would hide a good part of many programs, and tell of nobody. */
static bool is_nobody(struct vf_str word)
{
    static const char *const names[] = {
        "root",   "user",   "home",    "host",  "localhost", "localdomain", "app",
        "ubuntu", "debian", "fedora",  "admin", "test",      "tests",       "nobody",
        "runner", "main",   "vagrant", "build", "python",    "python3",     "pypy",
        "pypy3",  "src",    "lib",     "work",  "tmp",       "data",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (vf_str_eq(word, vf_str_from(names[i])))
            return true;
    return word.len < 2;
}

void vf_private_add_word(struct vf_private *p, struct vf_str word, struct vf_str instead)
{
    if (is_nobody(word))
        return;
    for (size_t i = 0; i < p->words.len; i++)
        if (vf_str_eq(p->words.items[i].text, word))
            return;
    VF_APPEND(&p->words, ((struct vf_private_word){word, instead}));
}

void vf_private_add_home(struct vf_private *p, struct vf_str home)
{
    while (home.len && home.ptr[home.len - 1] == '/')
        home.len--;
    if (home.len < 2 || home.ptr[0] != '/' || p->homes.len == HOMES_MAX)
        return;
    for (size_t i = 0; i < p->homes.len; i++)
        if (vf_str_eq(p->homes.items[i], home))
            return;
    VF_APPEND(&p->homes, home);
    vf_private_add_word(p, vf_str_basename(home), VF_STR("user"));
}

void vf_private_learn(struct vf_private *p, struct vf_str path)
{
    enum { DEEPEST = 2 };
    struct vf_str rest = path;
    if (path.len == 0 || path.ptr[0] != '/')
        return;
    vf_str_cut(&rest, '/');
    for (int i = 0; i <= DEEPEST && rest.len; i++) {
        struct vf_str folder = vf_str_cut(&rest, '/');
        bool homes = vf_str_eq(folder, VF_STR("home")) || vf_str_eq(folder, VF_STR("Users"));
        if (homes && rest.len)
            folder = vf_str_cut(&rest, '/');
        else if (i > 0 || !vf_str_eq(folder, VF_STR("root")))
            continue;
        vf_private_add_home(
            p, (struct vf_str){path.ptr, (size_t)(folder.ptr - path.ptr) + folder.len});
        return;
    }
}

void vf_private_release(struct vf_private *p)
{
    free(p->homes.items);
    free(p->words.items);
    *p = (struct vf_private){0};
}

size_t vf_private_home_at(const struct vf_private *p, struct vf_str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < p->homes.len; i++) {
        struct vf_str home = p->homes.items[i];
        if (home.len > longest && vf_str_starts(text, home) &&
            (text.len == home.len || !is_word_byte(text.ptr[home.len])))
            longest = home.len;
    }
    return longest;
}

const struct vf_private_word *vf_private_word_at(const struct vf_private *p, struct vf_str text,
                                                 size_t at)
{
    const struct vf_private_word *longest = NULL;
    if (at && is_word_byte(text.ptr[at - 1]))
        return NULL;
    struct vf_str rest = {text.ptr + at, text.len - at};
    for (size_t i = 0; i < p->words.len; i++) {
        const struct vf_private_word *word = &p->words.items[i];
        if (vf_str_starts(rest, word->text) &&
            (rest.len == word->text.len || !is_word_byte(rest.ptr[word->text.len])) &&
            (!longest || longest->text.len < word->text.len))
            longest = word;
    }
    return longest;
}

bool vf_private_is_in(const struct vf_private *p, struct vf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (vf_private_word_at(p, text, i))
            return true;
    return false;
}

void vf_private_replace(struct vf_buf *out, const struct vf_private *p, struct vf_str text)
{
    for (size_t at = 0; at < text.len;) {
        struct vf_str rest = {text.ptr + at, text.len - at};
        size_t home = vf_private_home_at(p, rest);
        const struct vf_private_word *word = home ? NULL : vf_private_word_at(p, text, at);
        if (home)
            vf_buf_str(out, VF_STR("~"));
        else if (word)
            vf_buf_str(out, word->instead);
        else
            vf_buf_add(out, rest.ptr, 1);
        at += home ? home : word ? word->text.len : 1;
    }
}

#include "finished/slabs.h"

#include "base/reader.h"

#include <math.h>
#include <stdio.h>

/* A slab that is being laid in, and those around it. */
struct inside {
    uint32_t slab;
    unsigned depth;
    const struct inside *around;
};

struct unfolding {
    const struct vf_slabs *slabs;
    struct vf_json json;
    uint64_t left; /* bytes of slabs that may still be laid in */
    struct vf_error *error;
};

static uint64_t offset_of(const struct unfolding *u, const char *at)
{
    return (uint64_t)(at - u->slabs->file.ptr);
}

/* In pieces: a buffer that is drained grows to the largest that it is given. */
static void put_text(struct unfolding *u, struct vf_str text)
{
    enum { PIECE = 1 << 16 };
    while (text.len) {
        size_t now = text.len < PIECE ? text.len : PIECE;
        vf_buf_add(u->json.out, text.ptr, now);
        text.ptr += now;
        text.len -= now;
    }
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void put_double(struct vf_json *json, double value)
{
    const double exact = 9007199254740992e-6; /* 2^53 nanoseconds */
    char text[32];
    if (!isfinite(value)) {
        vf_json_null(json);
        return;
    }
    if (fabs(value) < exact) {
        long long ns = llround(value * 1e6);
        if ((double)ns / 1e6 == value) {
            vf_json_ms(json, ns);
            return;
        }
    }
    int digits = 15;
    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    if (json->comma)
        vf_buf_add(json->out, ",", 1);
    vf_buf_str(json->out, vf_str_from(text));
    json->comma = true;
}

static double load_double(const unsigned char *p)
{
    double value;
    uint64_t bits = vf_load_u64(p);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To a page the element is a double like any other number. */
static double load_float(const unsigned char *p)
{
    float value;
    uint32_t bits = vf_load_u32(p);
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static void put_number(struct vf_json *json, enum vf_slabs_type type, const unsigned char *p)
{
    switch (type) {
    case VF_SLABS_I8:
        vf_json_int(json, (int8_t)p[0]);
        break;
    case VF_SLABS_U8:
        vf_json_uint(json, p[0]);
        break;
    case VF_SLABS_I16:
        vf_json_int(json, (int16_t)vf_load_le(p, 2));
        break;
    case VF_SLABS_U16:
        vf_json_uint(json, vf_load_le(p, 2));
        break;
    case VF_SLABS_I32:
        vf_json_int(json, (int32_t)vf_load_u32(p));
        break;
    case VF_SLABS_U32:
        vf_json_uint(json, vf_load_u32(p));
        break;
    case VF_SLABS_F32:
        put_double(json, load_float(p));
        break;
    case VF_SLABS_F64:
        put_double(json, load_double(p));
        break;
    case VF_SLABS_I64:
        vf_json_int(json, (int64_t)vf_load_u64(p));
        break;
    case VF_SLABS_U64:
        vf_json_uint(json, vf_load_u64(p));
        break;
    case VF_SLABS_JSON:
    case VF_SLABS_TYPES:
        break;
    }
}

/* ---- placeholders ---------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static struct vf_str skip_blanks(struct vf_str s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = (struct vf_str){s.ptr + 1, s.len - 1};
    return s;
}

static struct vf_str cut_blanks(struct vf_str s)
{
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Takes the words, with blanks before each, off the start. */
static bool take(struct vf_str *s, const char *const *words, size_t count)
{
    struct vf_str rest = *s;
    for (size_t i = 0; i < count; i++) {
        struct vf_str word = vf_str_from(words[i]);
        rest = skip_blanks(rest);
        if (!vf_str_starts(rest, word))
            return false;
        rest = (struct vf_str){rest.ptr + word.len, rest.len - word.len};
    }
    *s = rest;
    return true;
}

/* `"$s"` where it is a string and not inside of one: there its first quote would be escaped.  It is
 * searched for as bytes and not walked to, since text may be long and nested as deep as it is
 * long. */
static const char *find_key(struct vf_str text)
{
    const char *from = text.ptr, *end = text.ptr + text.len, *key;
    while ((key = memmem(from, (size_t)(end - from), "\"$s\"", 4))) {
        if (key == text.ptr || key[-1] != '\\')
            return key;
        from = key + 1;
    }
    return NULL;
}

/* An object with one member: what is before it, its value, what is behind. */
struct placeholder {
    struct vf_str before, value, behind;
};

/* The value ends at the first byte that a number does not have: so nothing is looked at twice,
 * however objects are nested. */
static bool read_placeholder(struct vf_str text, const char *key, struct placeholder *out)
{
    static const char *const colon[] = {":"};
    struct vf_str before = cut_blanks((struct vf_str){text.ptr, (size_t)(key - text.ptr)});
    struct vf_str rest = {key + 4, text.len - (size_t)(key + 4 - text.ptr)};
    size_t len = 0;
    if (!vf_str_ends(before, VF_STR("{")) || !take(&rest, colon, 1))
        return false;
    while (len < rest.len && !memchr(",\"[{}", rest.ptr[len], 5))
        len++;
    if (len == rest.len || rest.ptr[len] != '}')
        return false;
    out->before = (struct vf_str){before.ptr, before.len - 1};
    out->value = cut_blanks(skip_blanks((struct vf_str){rest.ptr, len}));
    out->behind = (struct vf_str){rest.ptr + len + 1, rest.len - len - 1};
    return true;
}

/* ---- markers' ends --------------------------------------------------------------------------- */

/* The list of phases of markers whose ends are meant; empty for anything else. */
static struct vf_str phases_of(const struct placeholder *p)
{
    static const char *const words[] = {",", "\"phase\"", ":", "["};
    struct vf_str before = cut_blanks(p->before), phases = p->behind;
    if (!vf_str_ends(before, VF_STR(":")))
        return VF_STR("");
    before.len--;
    if (!vf_str_ends(cut_blanks(before), VF_STR("\"endTime\"")) || !take(&phases, words, 4))
        return VF_STR("");
    return phases;
}

/* Whether the next one of the phases is of markers that have no end: an instant, or a start. */
static bool take_endless(struct vf_str *phases)
{
    struct vf_str rest = skip_blanks(*phases);
    if (rest.len && rest.ptr[0] == ',')
        rest = skip_blanks((struct vf_str){rest.ptr + 1, rest.len - 1});
    if (!rest.len || rest.ptr[0] < '0' || rest.ptr[0] > '9') {
        *phases = VF_STR("");
        return false;
    }
    *phases = (struct vf_str){rest.ptr + 1, rest.len - 1};
    return rest.ptr[0] == '0' || rest.ptr[0] == '2';
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void put_array(struct unfolding *u, struct vf_str slab, enum vf_slabs_type type,
                      struct vf_str phases)
{
    size_t size = vf_slabs_size(type);
    const unsigned char *p = (const unsigned char *)slab.ptr, *end = p + slab.len;
    u->json.comma = false;
    vf_json_begin(&u->json, '[');
    for (; p < end; p += size)
        if (phases.len && take_endless(&phases) && type == VF_SLABS_F64 && load_double(p) == 0)
            vf_json_null(&u->json);
        else
            put_number(&u->json, type, p);
    vf_json_end(&u->json, ']');
}

static enum vf_status check_inside(struct unfolding *u, const struct inside *in, const char *at,
                                   struct vf_str slab, enum vf_slabs_type type)
{
    for (const struct inside *i = in->around; i; i = i->around)
        if (i->slab == in->slab)
            return vf_fail_at(u->error, offset_of(u, at),
                              "expected another slab than %u, which this is a part of", in->slab);
    if (in->depth > VF_SLABS_DEPTH)
        return vf_fail_at(u->error, offset_of(u, at), "expected slabs at most %d deep, found more",
                          VF_SLABS_DEPTH);
    if (type == VF_SLABS_JSON && cut_blanks(slab).len == 0)
        return vf_fail_at(u->error, offset_of(u, slab.ptr), "expected JSON as slab %u, found none",
                          in->slab);
    if (slab.len > u->left)
        return vf_fail_at(u->error, offset_of(u, at),
                          "expected each slab to be meant once, found slabs that are meant again "
                          "and again: more than twice the file's bytes would be laid in");
    u->left -= slab.len;
    return VF_OK;
}

static enum vf_status put_slab(struct unfolding *u, const struct inside *in, const char *at,
                               struct vf_str phases);

static enum vf_status put_pieces(struct unfolding *u, const struct inside *in, struct vf_str text)
{
    struct placeholder p;
    struct vf_str rest = text;
    const char *key;
    while ((key = find_key(rest))) {
        uint64_t k;
        const char *from = rest.ptr;
        if (!read_placeholder(rest, key, &p)) {
            size_t passed = (size_t)(key + 4 - from);
            put_text(u, (struct vf_str){from, passed});
            rest = (struct vf_str){from + passed, rest.len - passed};
            continue;
        }
        const char *at = p.before.ptr + p.before.len;
        if (!vf_str_to_u64(p.value, 10, &k) || k >= u->slabs->count)
            return vf_fail_at(u->error, offset_of(u, at),
                              "expected the number of one of %u slabs, found %.*s", u->slabs->count,
                              (int)(p.value.len < 24 ? p.value.len : 24), p.value.ptr);
        struct inside inner = {(uint32_t)k, in->depth + 1, in};
        put_text(u, p.before);
        enum vf_status status = put_slab(u, &inner, at, phases_of(&p));
        if (status != VF_OK)
            return status;
        rest = p.behind;
    }
    put_text(u, rest);
    return VF_OK;
}

/* `at`: where the slab is meant. */
static enum vf_status put_slab(struct unfolding *u, const struct inside *in, const char *at,
                               struct vf_str phases)
{
    enum vf_slabs_type type;
    struct vf_str slab = vf_slabs_get(u->slabs, in->slab, &type);
    enum vf_status status = check_inside(u, in, at, slab, type);
    if (status != VF_OK)
        return status;
    if (type == VF_SLABS_JSON)
        return put_pieces(u, in, slab);
    put_array(u, slab, type, phases);
    return VF_OK;
}

enum vf_status vf_slabs_to_json(const struct vf_slabs *slabs, struct vf_buf *out,
                                struct vf_error *error)
{
    struct unfolding u = {.slabs = slabs,
                          .json = {.out = out},
                          .left = 2 * (uint64_t)slabs->file.len + VF_SLABS_ALWAYS,
                          .error = error};
    struct inside root = {.slab = slabs->root};
    struct vf_str text = vf_slabs_root(slabs);
    enum vf_status status = put_slab(&u, &root, text.ptr, VF_STR(""));
    if (status == VF_OK && !vf_str_ends(text, VF_STR("\n")))
        vf_buf_add(out, "\n", 1);
    return status;
}

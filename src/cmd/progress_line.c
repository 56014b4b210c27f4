#include "cmd/progress_line.h"

#include <stdio.h>

/* ---- how fast it goes ------------------------------------------------------------------------ */

enum {
    SMOOTH_MS = 4000, /* what was longer ago counts little */
    SURE_MS = 500,    /* less time says nothing of the time left */
    SURE_LOOKS = 5,
};

void vf_pace_look(struct vf_pace *pace, const struct vf_progress *progress, int64_t now_ms)
{
    if (pace->looks == 0 || progress->turn != pace->turn || progress->done < pace->last_done) {
        *pace = (struct vf_pace){.turn = progress->turn,
                                 .looks = 1,
                                 .first_ms = now_ms,
                                 .last_ms = now_ms,
                                 .last_done = progress->done};
        return;
    }
    int64_t step_ms = now_ms - pace->last_ms, all_ms = now_ms - pace->first_ms;
    if (step_ms <= 0)
        return;
    double now_per_s = (double)(progress->done - pace->last_done) * 1e3 / (double)step_ms;
    /* At first the mean of all that was seen, later one in which old looks fade. */
    double part = (double)step_ms / (double)(all_ms < SMOOTH_MS ? all_ms : SMOOTH_MS);
    if (part > 1)
        part = 1;
    pace->per_s += (now_per_s - pace->per_s) * part;
    pace->last_ms = now_ms;
    pace->last_done = progress->done;
    pace->looks++;
}

static bool is_sure(const struct vf_pace *pace)
{
    return pace->looks >= SURE_LOOKS && pace->last_ms - pace->first_ms >= SURE_MS;
}

/* A total that is passed was not one. */
static bool has_total(const struct vf_progress *progress)
{
    return progress->total && progress->done <= progress->total;
}

uint64_t vf_pace_left_s(const struct vf_pace *pace, const struct vf_progress *progress)
{
    const double most_s = 100 * 3600;
    if (!is_sure(pace) || !has_total(progress) || progress->done == progress->total ||
        !(pace->per_s > 0))
        return 0;
    double left_s = (double)(progress->total - progress->done) / pace->per_s;
    return left_s < most_s ? (uint64_t)left_s + 1 : 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static const char *name_of(enum vf_progress_unit unit)
{
    switch (unit) {
    case VF_PROGRESS_SAMPLES:
        return " samples";
    case VF_PROGRESS_TRACES:
        return " traces";
    case VF_PROGRESS_FRAMES:
        return " frames";
    case VF_PROGRESS_BYTES:
    case VF_PROGRESS_PARTS:
        break;
    }
    return "";
}

/* "1.2 GB", "340 samples", "12 k samples": as many digits as can be read in passing. */
static void put_amount(struct vf_buf *out, double amount, enum vf_progress_unit unit)
{
    static const char *const bytes[] = {" B", " kB", " MB", " GB", " TB", " PB"};
    static const char *const others[] = {"", " k", " M", " G", " T", " P"};
    size_t power = 0;
    while (amount >= 999.5 && power + 1 < sizeof bytes / sizeof *bytes) {
        amount /= 1000;
        power++;
    }
    vf_buf_printf(out, amount < 9.95 && power ? "%.1f%s%s" : "%.0f%s%s", amount,
                  unit == VF_PROGRESS_BYTES ? bytes[power] : others[power], name_of(unit));
}

static void put_left(struct vf_buf *out, uint64_t left_s)
{
    enum { MINUTE = 60, HOUR = 3600 };
    if (left_s < 2 * MINUTE)
        vf_buf_printf(out, "  %u s left", (unsigned)left_s);
    else if (left_s < 2 * HOUR)
        vf_buf_printf(out, "  %u min left", (unsigned)((left_s + MINUTE - 1) / MINUTE));
    else
        vf_buf_printf(out, "  %u h left", (unsigned)((left_s + HOUR - 1) / HOUR));
}

static void put_numbers(struct vf_buf *out, const struct vf_progress *progress,
                        const struct vf_pace *pace)
{
    bool counted = progress->unit != VF_PROGRESS_PARTS;
    if (has_total(progress)) {
        double part = (double)progress->done / (double)progress->total;
        vf_buf_printf(out, "  %u %%", (unsigned)(100 * part));
    } else if (counted && progress->done) {
        vf_buf_str(out, VF_STR("  "));
        put_amount(out, (double)progress->done, progress->unit);
    }
    if (counted && is_sure(pace) && pace->per_s >= 0.5) {
        vf_buf_str(out, VF_STR("  "));
        put_amount(out, pace->per_s, progress->unit);
        vf_buf_str(out, VF_STR("/s"));
    }
    uint64_t left_s = vf_pace_left_s(pace, progress);
    if (left_s)
        put_left(out, left_s);
}

/* ---- the line -------------------------------------------------------------------------------- */

/* Columns that the character of UTF-8 at text[i] takes at most, and its bytes in *len.  Where wide
 * ones begin is not looked up: what has three bytes may be wide. */
static size_t width_at(struct vf_str text, size_t i, size_t *len)
{
    *len = 1;
    while (i + *len < text.len && ((unsigned char)text.ptr[i + *len] & 0xc0) == 0x80)
        (*len)++;
    return *len >= 3 ? 2 : 1;
}

static size_t width_of(struct vf_str text)
{
    size_t width = 0, len;
    for (size_t i = 0; i < text.len; i += len)
        width += width_at(text, i, &len);
    return width;
}

/* The beginning of the text that has room in so many columns. */
static struct vf_str fitting(struct vf_str text, size_t columns)
{
    size_t i = 0, len, width;
    for (; i < text.len; i += len) {
        width = width_at(text, i, &len);
        if (width > columns)
            break;
        columns -= width;
    }
    return (struct vf_str){text.ptr, i};
}

static void put_name(struct vf_buf *out, struct vf_str name, size_t columns)
{
    enum { DOTS = 3, WORTH = 8 }; /* fewer columns of a name tell nothing: then the end is cut */
    if (width_of(name) <= columns || columns < WORTH) {
        vf_buf_str(out, name);
        return;
    }
    vf_buf_str(out, fitting(name, columns - DOTS));
    vf_buf_str(out, VF_STR("..."));
}

void vf_progress_text(struct vf_buf *out, const struct vf_progress *progress,
                      const struct vf_pace *pace, struct vf_str name, size_t columns)
{
    const char *stage = progress->stage, *gap = strstr(stage, "%s");
    struct vf_str start = {stage, gap ? (size_t)(gap - stage) : strlen(stage)};
    struct vf_str rest = vf_str_from(gap ? gap + 2 : "");
    struct vf_buf numbers = {0};
    size_t from = out->len;
    put_numbers(&numbers, progress, pace);
    vf_buf_str(out, VF_STR("vmfox: "));
    vf_buf_str(out, start);
    if (gap) {
        size_t others =
            out->len - from + width_of(rest) + width_of(vf_buf_view(&numbers)); /* ASCII so far */
        put_name(out, name, columns > others ? columns - others : 0);
    }
    vf_buf_str(out, rest);
    vf_buf_str(out, vf_buf_view(&numbers));
    out->len = from + fitting((struct vf_str){out->ptr + from, out->len - from}, columns).len;
    vf_buf_release(&numbers);
}

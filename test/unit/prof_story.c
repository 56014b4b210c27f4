#include "prof_story.h"

#include <stdio.h>

/* ---- the dialects ---------------------------------------------------------------------------- */

bool prof_has_kinds(const struct prof_dialect *d)
{
    if (d->version == PROF_OLDEST)
        return false;
    return strcmp(d->interpreter, "pypy") == 0 || (d->version >= 4 && (d->mode & 8));
}

bool prof_has_lines(const struct prof_dialect *d)
{
    return d->version >= 4 && (d->mode & 2) && !prof_has_kinds(d);
}

bool prof_has_memory(const struct prof_dialect *d)
{
    return d->version == 3 || (d->version >= 4 && (d->mode & 1));
}

uint64_t prof_as_addr(const struct prof_dialect *d, uint64_t value)
{
    return d->addr_bytes == 4 ? value & 0xffffffff : value;
}

void prof_dialect_name(const struct prof_dialect *d, char *out, size_t size)
{
    static const char *const gc_stats[] = {"", ", gc_stats late", ", gc_stats early"};
    char version[24] = "oldest";
    if (d->version != PROF_OLDEST)
        snprintf(version, sizeof version, "version %d%s", d->version,
                 d->version < 7 ? "" : (d->fork ? " fork" : " upstream"));
    snprintf(out, size, "word %u, addr %u, %s, mode %u, %s%s", d->word_bytes, d->addr_bytes,
             version, d->mode, d->interpreter, gc_stats[d->gc_stats]);
}

typedef VF_VEC(struct prof_dialect) dialect_vec;

static void add_versions(dialect_vec *all, unsigned word_bytes, unsigned addr_bytes)
{
    static const unsigned cpython_modes[] = {0, 1, 2, 3, 4, 5, 6, 7, 16, 23};
    static const unsigned pypy_modes[] = {8, 9, 10, 12, 13, 24, 31};
    struct prof_dialect d = {.word_bytes = word_bytes, .addr_bytes = addr_bytes};
    for (d.version = PROF_OLDEST; d.version < 4; d.version++) {
        d.interpreter = "cpython";
        VF_APPEND(all, d);
        d.interpreter = "pypy";
        VF_APPEND(all, d);
    }
    for (int i = 4; i <= 8; i++) {
        d.version = i < 8 ? i : 7;
        d.fork = i == 8;
        d.interpreter = "cpython";
        for (size_t j = 0; j < sizeof cpython_modes / sizeof *cpython_modes; j++) {
            d.mode = cpython_modes[j];
            VF_APPEND(all, d);
        }
        /* The name alone says what the frames are, and so does the mode bit alone. */
        d.mode = 0;
        d.interpreter = "pypy";
        VF_APPEND(all, d);
        d.mode = 8;
        d.interpreter = "topaz";
        VF_APPEND(all, d);
        d.interpreter = "pypy";
        for (size_t j = 0; j < sizeof pypy_modes / sizeof *pypy_modes; j++) {
            d.mode = pypy_modes[j];
            VF_APPEND(all, d);
        }
    }
    d.mode = 12;
    d.gc_stats = PROF_GC_STATS_LATE;
    VF_APPEND(all, d);
    d.gc_stats = PROF_GC_STATS_EARLY;
    VF_APPEND(all, d);
}

struct prof_dialect *prof_all_dialects(size_t *count)
{
    dialect_vec all = {0};
    add_versions(&all, 8, 8);
    add_versions(&all, 4, 4);
    add_versions(&all, 4, 8);
    *count = all.len;
    return all.items;
}

/* ---- the profile ----------------------------------------------------------------------------- */

/* In dialects without kinds the values alone count: even, or negative, is a code id. */
static const struct prof_frame plain_stack[] = {
    {1, 0x1400, 10}, {1, 0x1404, 27}, {7, 0x7f2a11223345, 0}};
static const struct prof_frame jit_stack[] = {
    {1, 0x1400, 10},    {6, 0x7ff3319a2cf0, 0}, {3, 0x1404, 12}, {3, 0x1408, 0x7fffffff},
    {6, 0x319a4580, 0}, {4, 0x2000, 3},         {5, 0x2004, 4},  {2, 0x2008, 5},
    {7, 0x4f86a1, 0},   {99, 0x1400, 6}};
static const struct prof_frame odd_ids_stack[] = {
    {1, (uint64_t)-4, 1}, {1, (uint64_t)-3, (uint64_t)-7}, {1, 0xdead0000, 3}, {1, 0, 4}};

#define STACK(frames) (frames), sizeof(frames) / sizeof *(frames)

static const struct prof_sample first_sample = {STACK(plain_stack), 0x7f0000001002, 11972,
                                                451370060965};
static const struct prof_sample second_sample = {STACK(jit_stack), 1, 0, 2048283828970};
static const struct prof_sample empty_sample = {NULL, 0, 0, 0xffffffff, 451372250000};
static const struct prof_sample last_sample = {STACK(odd_ids_stack), (uint64_t)-1, 1,
                                               9406325184000};
static const struct prof_sample allocation = {STACK(jit_stack), 0, 12, 451380000000};

/* Collector words whose first bytes look like records: a short 04, a name. */
static const uint64_t stats_one[3] = {0x1230104, 0x22004, 2};
static const uint64_t stats_two[3] = {0x1234508, 0x0a01, 0};
static const uint64_t entries_one[] = {8, 2392, 4};
static const struct prof_objects objects_one = {451381000000, entries_one, 3, NULL};
static const struct prof_objects objects_two = {451382000000, NULL, 0, NULL};
static const struct prof_objects stats_objects_one = {451381000000, entries_one, 3, stats_one};
static const struct prof_objects stats_objects_two = {451382000000, NULL, 0, stats_two};

static struct prof_event *event(struct prof_story *s, enum vf_record_type type)
{
    struct prof_event *e = VF_PUSH(&s->events);
    e->type = type;
    e->offset = s->file.out.len;
    return e;
}

static void end_event(struct prof_story *s)
{
    struct prof_event *e = &s->events.items[s->events.len - 1];
    e->end = e->body = s->file.out.len;
}

static void tell_name(struct prof_story *s, bool native, uint64_t id, const char *text)
{
    struct prof_event *e = event(s, native ? VF_RECORD_NATIVE_NAME : VF_RECORD_CODE_NAME);
    e->id = id;
    e->text = text;
    prof_name(&s->file, native ? 0x08 : 0x02, id, text);
    end_event(s);
}

static void tell_meta(struct prof_story *s, const char *key, const char *value)
{
    struct prof_event *e = event(s, VF_RECORD_META);
    e->key = key;
    e->text = value;
    prof_meta(&s->file, key, value);
    end_event(s);
}

static void tell_sample(struct prof_story *s, bool is_allocation, const struct prof_sample *sample)
{
    event(s, is_allocation ? VF_RECORD_ALLOCATION : VF_RECORD_SAMPLE)->sample = sample;
    prof_stack(&s->file, is_allocation ? 0x09 : 0x01, sample);
    end_event(s);
}

static void tell_objects(struct prof_story *s, const struct prof_objects *objects)
{
    event(s, VF_RECORD_OBJECT_INFO)->objects = objects;
    prof_object_info(&s->file, objects);
    end_event(s);
    if (objects->gc_stats)
        s->events.items[s->events.len - 1].body -= 3 * (size_t)s->file.addr_bytes;
}

static void tell_gc_stats(struct prof_story *s)
{
    tell_meta(s, "gc_stats__0", "total memory used");
    tell_meta(s, "gc_stats__1", "arena bytes");
    tell_meta(s, "gc_stats__2", "gc state");
}

static void tell_start(struct prof_story *s)
{
    const struct prof_dialect *d = &s->dialect;
    prof_static_header(&s->file, 990);
    event(s, VF_RECORD_HEADER);
    if (d->version == PROF_OLDEST)
        prof_old_interpreter(&s->file, d->interpreter);
    else
        prof_header(&s->file, d->interpreter);
    end_event(s);
    if (d->version >= 6) {
        event(s, VF_RECORD_START_TIME)->time_us = 1683196964690260;
        prof_start_time(&s->file, 1683196964, 690260);
        end_event(s);
    }
    if (d->version >= 4) {
        tell_meta(s, "os", "linux");
        tell_meta(s, "", "");
    }
    if (d->gc_stats == PROF_GC_STATS_EARLY)
        tell_gc_stats(s);
}

static void tell_allocations(struct prof_story *s)
{
    bool with_stats = s->dialect.gc_stats != PROF_NO_GC_STATS;
    tell_sample(s, true, &allocation);
    tell_objects(s, with_stats ? &stats_objects_one : &objects_one);
    tell_objects(s, with_stats ? &stats_objects_two : &objects_two);
    tell_sample(s, true, &empty_sample);
    tell_sample(s, false, &last_sample);
    tell_objects(s, with_stats ? &stats_objects_one : &objects_one);
}

static void tell_end(struct prof_story *s)
{
    const struct prof_dialect *d = &s->dialect;
    struct prof_event *e = event(s, VF_RECORD_END);
    e->time_us = d->version >= 5 ? 1683196997058647 : 0;
    prof_trailer(&s->file, 1683196997, 58647);
    end_event(s);
    s->trailer_end = s->file.out.len;
    if (d->version == PROF_OLDEST) {
        static const char maps[] = "00400000-00460000 r-xp 00000000 00:19 40633395   /bin/pypy\n"
                                   "7fce39707000-7fce39708000 rw-p 00000000 00:00 0 \n";
        event(s, VF_RECORD_MAPS)->text = maps;
        vf_buf_str(&s->file.out, vf_str_from(maps));
        end_event(s);
    }
}

void prof_story_make(struct prof_story *s, const struct prof_dialect *d)
{
    *s = (struct prof_story){.dialect = *d};
    s->file.word_bytes = d->word_bytes;
    s->file.addr_bytes = d->addr_bytes;
    s->file.version = d->version == PROF_OLDEST ? 0 : d->version;
    s->file.mode = d->mode;
    s->file.kinds = prof_has_kinds(d);
    s->file.fork = d->fork;
    tell_start(s);
    tell_name(s, false, 0x1400, "py:<module>:1:/tmp/a.py");
    tell_sample(s, false, &first_sample);
    tell_sample(s, false, &empty_sample);
    tell_name(s, false, 0x1404, "py:f:3:/tmp/a.py");
    tell_sample(s, false, &second_sample);
    tell_sample(s, false, &last_sample);
    if (d->fork && prof_has_kinds(d))
        tell_allocations(s);
    if (d->version >= 4) {
        tell_name(s, true, 0x7f2a11223345, "n:std::vector<int>::push_back(int const&):0:-");
        tell_name(s, true, 0x1404, "n:<native symbol 0x1404>:0:-"); /* an id named twice */
        tell_meta(s, "os", "linux again");
        tell_meta(s, "late", "\xff\x00");
    }
    if (d->gc_stats == PROF_GC_STATS_LATE)
        tell_gc_stats(s);
    tell_name(s, false, (uint64_t)-4, "py:late:7:c:\\a\\b.py");
    tell_name(s, false, 0x1408, "");
    tell_end(s);
}

void prof_story_release(struct prof_story *s)
{
    vf_buf_release(&s->file.out);
    free(s->events.items);
    *s = (struct prof_story){0};
}

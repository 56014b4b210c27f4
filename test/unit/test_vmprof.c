/* Every VMProf dialect is read back exactly, whole and cut at every byte. */
#include "test.h"

#include "prof_story.h"

#include <stdlib.h>

/* ---- the builder itself: against bytes of real recordings ------------------------------------ */

static void assert_bytes(const struct vf_buf *out, const void *expected, size_t size)
{
    assert_int_equal(out->len, size);
    assert_memory_equal(out->ptr, expected, size);
}

#define BYTES(literal) (literal), sizeof(literal) - 1

static void the_builder_writes_a_pypy_file_as_pypy_does(void **state)
{
    (void)state;
    struct prof_builder b = {.word_bytes = 8, .addr_bytes = 8, .version = 6, .mode = 8};
    b.kinds = true;
    const struct prof_frame frames[] = {{1, 0x77000158, 0}, {6, 0x7ff3319a2cf0, 0}};
    prof_static_header(&b, 990);
    prof_header(&b, "pypy");
    prof_start_time(&b, 1683532531, 987461);
    prof_meta(&b, "os", "linux");
    prof_stack(&b, 0x01, &(struct prof_sample){frames, 2, 0, 0, 0});
    assert_bytes(&b.out, BYTES("\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\xde\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\5\0\6\x08\4pypy"
                               "\6\xf3\xaa\x58\x64\0\0\0\0\x45\x11\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\7\2\0\0\0\0\0\0\0os\5\0\0\0\0\0\0\0linux"
                               "\1\1\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"
                               "\6\0\0\0\0\0\0\0\xf0\x2c\x9a\x31\xf3\x7f\0\0"
                               "\1\0\0\0\0\0\0\0\x58\1\0\x77\0\0\0\0"
                               "\0\0\0\0\0\0\0\0"));
    vf_buf_release(&b.out);
}

static void the_builder_writes_a_windows_file_as_windows_does(void **state)
{
    (void)state;
    struct prof_builder b = {.word_bytes = 4, .addr_bytes = 8, .version = 6};
    const struct prof_frame frames[] = {{1, 0x223d6dac870, 0}};
    prof_static_header(&b, 1000);
    prof_header(&b, "cpython");
    prof_meta(&b, "bits", "64");
    prof_stack(&b, 0x01, &(struct prof_sample){frames, 1, 14348, 0, 0});
    prof_name(&b, 0x02, 0x223d6dac870, "py:f:1:x");
    assert_bytes(&b.out, BYTES("\0\0\0\0\3\0\0\0\0\0\0\0\xe8\3\0\0\1\0\0\0"
                               "\5\0\6\0\7cpython"
                               "\7\4\0\0\0bits\2\0\0\0"
                               "64"
                               "\1\1\0\0\0\1\0\0\0\x70\xc8\xda\xd6\x23\2\0\0\x0c\x38\0\0\0\0\0\0"
                               "\2\x70\xc8\xda\xd6\x23\2\0\0\x08\0\0\0py:f:1:x"));
    vf_buf_release(&b.out);
}

static void the_builder_writes_allocations_as_the_fork_does(void **state)
{
    (void)state;
    struct prof_builder b = {.word_bytes = 8, .addr_bytes = 8, .version = 7, .mode = 12};
    b.kinds = b.fork = true;
    const struct prof_frame frames[] = {{1, 0x458, 0}};
    const uint64_t entries[] = {8}, stats[] = {1, 2, 3};
    prof_header(&b, "pypy");
    prof_stack(&b, 0x09, &(struct prof_sample){frames, 1, 0, 0, 9406500000000});
    prof_object_info(&b, &(struct prof_objects){9406500000000, entries, 1, stats});
    assert_bytes(&b.out, BYTES("\5\0\7\x0c\4pypy"
                               "\x09\0\0\0\0\x40\x5f\xc2\x40\2\0\0\0\0\0\0\0"
                               "\1\0\0\0\0\0\0\0\x58\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\x0a\0\0\0\0\x40\x5f\xc2\x40\1\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0"
                               "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"));
    vf_buf_release(&b.out);
}

static void the_builder_writes_version_7_as_upstream_does(void **state)
{
    (void)state;
    struct prof_builder b = {.word_bytes = 4, .addr_bytes = 4, .version = 7, .mode = 3};
    const struct prof_frame frames[] = {{1, 0x1400, 9}, {7, 0x401, 0}};
    prof_stack(&b, 0x01, &(struct prof_sample){frames, 2, 6, 7, 0x0102030405060708});
    prof_trailer(&b, 5, 6);
    assert_bytes(&b.out, BYTES("\1\1\0\0\0\4\0\0\0\0\0\0\0\1\4\0\0\x09\0\0\0\0\x14\0\0"
                               "\6\0\0\0\7\0\0\0\x08\7\6\5\4\3\2\1"
                               "\3\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    vf_buf_release(&b.out);
}

/* ---- what a record must read as -------------------------------------------------------------- */

static void assert_text(struct vf_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    if (text.len)
        assert_memory_equal(text.ptr, expected, text.len);
}

static void assert_frame(const struct prof_dialect *d, struct vf_frame found,
                         const struct prof_frame *told)
{
    uint64_t value = prof_as_addr(d, told->value);
    bool negative = value >> (8 * d->addr_bytes - 1) & 1;
    int kind = (value & 1) && !negative ? VF_FRAME_NATIVE : VF_FRAME_CODE;
    assert_int_equal(found.value, value);
    assert_int_equal(found.kind, prof_has_kinds(d) ? (int)told->kind : kind);
    bool line = prof_has_lines(d) && (int64_t)told->line >= 0; /* a negative one is none */
    assert_int_equal(found.line, line ? (int64_t)told->line : -1);
}

static void assert_sample(const struct prof_dialect *d, const struct vf_vmprof *v,
                          const struct vf_sample *found, const struct prof_sample *told)
{
    bool pairs = prof_has_kinds(d) || prof_has_lines(d);
    assert_int_equal(found->depth, told->depth);
    assert_int_equal(found->words, told->depth * (pairs ? 2 : 1));
    for (uint32_t i = 0; i < found->depth; i++)
        assert_frame(d, vf_vmprof_frame(v, found, i), &told->frames[i]);
    assert_int_equal(found->thread, d->version >= 1 ? prof_as_addr(d, told->thread) : 0);
    assert_int_equal(found->has_memory, prof_has_memory(d));
    assert_int_equal(found->memory_kb, prof_has_memory(d) ? prof_as_addr(d, told->memory_kb) : 0);
    assert_int_equal(found->has_time, d->version == 7);
    assert_int_equal(found->time_ns, d->version == 7 ? told->time_ns : 0);
}

static void assert_objects(const struct prof_dialect *d, const struct vf_record *found,
                           const struct prof_objects *told)
{
    assert_int_equal(found->objects.count, told->count);
    assert_int_equal(found->objects.time_ns, told->time_ns);
    for (size_t i = 0; i < told->count; i++)
        assert_int_equal(vf_load_le(found->objects.entries + i * d->addr_bytes, d->addr_bytes),
                         told->entries[i]);
}

static void assert_header(const struct prof_dialect *d, const struct vf_vmprof *v)
{
    assert_int_equal(v->word_bytes, d->word_bytes);
    assert_int_equal(v->addr_bytes, d->addr_bytes);
    assert_int_equal(v->version, d->version == PROF_OLDEST ? 0 : d->version);
    assert_int_equal(v->period_us, 990);
    assert_text(v->interpreter, d->interpreter);
    assert_int_equal(v->has_header, d->version != PROF_OLDEST);
    assert_int_equal(vf_vmprof_has_kinds(v), prof_has_kinds(d));
    assert_int_equal(vf_vmprof_has_lines(v), prof_has_lines(d));
    if (d->version >= 4)
        assert_int_equal(v->mode & ~8u, d->mode & ~8u);
}

static void assert_record(const struct prof_dialect *d, const struct vf_vmprof *v,
                          const struct vf_record *found, const struct prof_event *told)
{
    assert_int_equal(found->type, told->type);
    assert_int_equal(found->offset, told->offset);
    switch (told->type) {
    case VF_RECORD_HEADER:
        assert_header(d, v);
        break;
    case VF_RECORD_SAMPLE:
    case VF_RECORD_ALLOCATION:
        assert_sample(d, v, &found->sample, told->sample);
        break;
    case VF_RECORD_CODE_NAME:
    case VF_RECORD_NATIVE_NAME:
        assert_int_equal(found->name.id, prof_as_addr(d, told->id));
        assert_text(found->name.text, told->text);
        break;
    case VF_RECORD_META:
        assert_text(found->meta.key, told->key);
        assert_text(found->meta.value, told->text);
        break;
    case VF_RECORD_OBJECT_INFO:
        assert_objects(d, found, told->objects);
        break;
    case VF_RECORD_MAPS:
        /* The text may be cut; all that is left of it is given. */
        assert_int_equal(found->text.len, v->in.len - told->offset);
        assert_memory_equal(found->text.ptr, told->text, found->text.len);
        break;
    case VF_RECORD_START_TIME:
    case VF_RECORD_END:
        assert_int_equal(found->time_us, told->time_us);
        break;
    }
}

/* ---- whole files ----------------------------------------------------------------------------- */

static char reading[120]; /* the dialect in hand, for the failure message */

static int say_what_was_read(void **state)
{
    (void)state;
    if (reading[0])
        print_error("while reading: %s\n", reading);
    reading[0] = 0;
    return 0;
}

static void for_all_dialects(void (*check)(const struct prof_story *story))
{
    size_t count;
    struct prof_dialect *all = prof_all_dialects(&count);
    assert_true(count > 200);
    for (size_t i = 0; i < count; i++) {
        struct prof_story story;
        prof_dialect_name(&all[i], reading, sizeof reading);
        prof_story_make(&story, &all[i]);
        check(&story);
        prof_story_release(&story);
    }
    free(all);
    reading[0] = 0;
}

static enum vf_vmprof_dialect expected_dialect(const struct prof_dialect *d)
{
    if (d->version < 7)
        return VF_DIALECT_PLAIN;
    return d->fork ? VF_DIALECT_FORK : VF_DIALECT_UPSTREAM;
}

static void check_whole(const struct prof_story *s)
{
    struct vf_vmprof v;
    struct vf_record record;
    struct vf_error error = {0};
    const struct vf_buf *file = &s->file.out;
    assert_true(vf_vmprof_sniff(file->ptr, file->len));
    assert_int_equal(vf_vmprof_open(&v, file->ptr, file->len, &error), VF_OK);
    for (size_t i = 0; i < s->events.len; i++) {
        if (!vf_vmprof_next(&v, &record))
            fail_msg("record %zu is missing: %s", i, v.problem.text);
        assert_record(&s->dialect, &v, &record, &s->events.items[i]);
        assert_int_equal(v.in.pos, s->events.items[i].end);
    }
    assert_false(vf_vmprof_next(&v, &record));
    assert_false(vf_vmprof_next(&v, &record));
    assert_string_equal(v.problem.text, "");
    assert_true(v.ended);
    assert_int_equal(v.dialect, expected_dialect(&s->dialect));
}

static void every_dialect_reads_back_exactly(void **state)
{
    (void)state;
    for_all_dialects(check_whole);
}

/* ---- cut files ------------------------------------------------------------------------------- */

static size_t whole_events(const struct prof_story *s, size_t cut)
{
    size_t count = 0;
    while (count < s->events.len && s->events.items[count].end <= cut)
        count++;
    return count;
}

/* One more record than the whole ones may come: maps text that was cut, and the object record
 * whose entries are whole when nothing yet tells that collector words follow it. */
static bool may_be_one_more(const struct prof_story *s, size_t whole, size_t cut)
{
    if (whole >= s->events.len)
        return false;
    const struct prof_event *e = &s->events.items[whole];
    if (e->type == VF_RECORD_MAPS)
        return cut > e->offset;
    return e->type == VF_RECORD_OBJECT_INFO && s->dialect.gc_stats == PROF_GC_STATS_LATE &&
           e->body <= cut;
}

static void check_end_of_cut(const struct prof_story *s, const struct vf_vmprof *v, size_t cut,
                             size_t whole)
{
    if (cut >= s->trailer_end) {
        assert_string_equal(v->problem.text, "");
        return;
    }
    size_t behind = whole ? s->events.items[whole - 1].end : 5 * (size_t)s->file.word_bytes;
    assert_true(v->problem.text[0]);
    assert_true(v->problem.has_offset);
    assert_between(v->problem.offset, behind, cut);
}

static void check_cut(const struct prof_story *s, size_t cut)
{
    struct vf_vmprof v;
    struct vf_record record;
    struct vf_error error = {0};
    /* A block of just this size: a sanitizer sees a byte read behind it. */
    unsigned char *bytes = vf_alloc(cut, 1);
    if (cut)
        memcpy(bytes, s->file.out.ptr, cut);
    if (cut < 5 * s->file.word_bytes) {
        assert_int_equal(vf_vmprof_open(&v, bytes, cut, &error), VF_FATAL);
        assert_non_null(strstr(error.text, "expected a VMProf header"));
        assert_true(error.has_offset);
        assert_between(error.offset, 0, cut);
        free(bytes);
        return;
    }
    assert_int_equal(vf_vmprof_open(&v, bytes, cut, &error), VF_OK);
    size_t whole = whole_events(s, cut), count = 0;
    while (vf_vmprof_next(&v, &record)) {
        if (count > whole || (count == whole && !may_be_one_more(s, whole, cut)))
            fail_msg("cut at %zu: a record of type %d at %llu that is not whole", cut,
                     (int)record.type, (unsigned long long)record.offset);
        assert_record(&s->dialect, &v, &record, &s->events.items[count++]);
    }
    if (count < whole)
        fail_msg("cut at %zu: %zu of %zu whole records: %s", cut, count, whole, v.problem.text);
    check_end_of_cut(s, &v, cut, whole);
    assert_false(vf_vmprof_next(&v, &record));
    free(bytes);
}

static void check_all_cuts(const struct prof_story *s)
{
    for (size_t cut = 0; cut <= s->file.out.len; cut++)
        check_cut(s, cut);
}

static void every_dialect_cut_at_every_byte_keeps_the_whole_records(void **state)
{
    (void)state;
    for_all_dialects(check_all_cuts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_builder_writes_a_pypy_file_as_pypy_does),
        cmocka_unit_test(the_builder_writes_a_windows_file_as_windows_does),
        cmocka_unit_test(the_builder_writes_allocations_as_the_fork_does),
        cmocka_unit_test(the_builder_writes_version_7_as_upstream_does),
        cmocka_unit_test_teardown(every_dialect_reads_back_exactly, say_what_was_read),
        cmocka_unit_test_teardown(every_dialect_cut_at_every_byte_keeps_the_whole_records,
                                  say_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

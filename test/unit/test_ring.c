/* The ring between a recorded program and the recorder: the program's side (inside/entries.c) and
 * the recorder's (record/ring.c), and what a program may have written over it. */
#include "test.h"

#include "base/file.h"
#include "inside/inside.h"
#include "record/ring.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct vf_ring_reader ring;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(vf_ring_open(&ring, -1, NULL), VF_OK);
    inside = (struct inside){.ring = ring.shared, .data = ring.data, .mask = ring.bytes - 1};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    inside = (struct inside){0};
    vf_ring_close(&ring);
    return 0;
}

/* As if so many bytes had gone through it; a multiple of 8. */
static void begin_at(uint64_t position)
{
    ring.tail = ring.shared->tail = ring.shared->head = position;
}

static bool put(enum vf_ring_kind kind, const char *text)
{
    return inside_put(kind, text, strlen(text), NULL, 0);
}

static void assert_next(enum vf_ring_kind kind, const char *text)
{
    struct vf_ring_entry entry;
    assert_true(vf_ring_next(&ring, false, &entry));
    assert_int_equal(entry.kind, kind);
    assert_int_equal(entry.bytes.len, strlen(text));
    assert_memory_equal(entry.bytes.ptr, text, strlen(text));
}

static void assert_none(bool last)
{
    struct vf_ring_entry entry;
    assert_false(vf_ring_next(&ring, last, &entry));
}

static uint64_t *word_at(uint64_t position)
{
    return (uint64_t *)(void *)(ring.data + (position & (ring.bytes - 1)));
}

/* ---- as it should be ------------------------------------------------------------------------- */

static void entries_come_in_their_order(void **state)
{
    (void)state;
    assert_none(false);
    assert_true(put(VF_RING_MESSAGE, "hello"));
    assert_true(inside_put(VF_RING_JITLOG, "two ", 4, "pieces", 6));
    assert_true(put(VF_RING_RECORDS, ""));
    assert_next(VF_RING_MESSAGE, "hello");
    assert_next(VF_RING_JITLOG, "two pieces");
    assert_next(VF_RING_RECORDS, "");
    assert_none(false);
    assert_none(true);
    assert_int_equal(ring.damaged_bytes, 0);
    assert_int_equal(ring.shared->tail, ring.shared->head);
}

static void entries_go_on_at_the_beginning_of_the_data(void **state)
{
    (void)state;
    char text[101];
    memset(text, 'x', 100);
    text[100] = 0;
    for (uint64_t before = 8; before <= 112; before += 8) {
        begin_at(5 * ring.bytes - before);
        memcpy(text, "begin", 5);
        assert_true(put(VF_RING_PYPYLOG, text));
        assert_true(put(VF_RING_MESSAGE, "behind"));
        assert_next(VF_RING_PYPYLOG, text);
        assert_next(VF_RING_MESSAGE, "behind");
        assert_none(true);
    }
    assert_int_equal(ring.damaged_bytes, 0);
}

static void the_position_may_be_a_large_number(void **state)
{
    (void)state;
    begin_at((UINT64_C(1) << 62) - 8);
    assert_true(put(VF_RING_MESSAGE, "far"));
    assert_next(VF_RING_MESSAGE, "far");
}

/* The program may write there: an entry's first word must not cross the end of the memory. */
static void nothing_is_written_at_a_position_that_none_has(void **state)
{
    (void)state;
    uint64_t left_out = vf_ring_left_out(&ring, VF_RING_KINDS);
    for (uint64_t off = 1; off < 8; off++) {
        begin_at(7 * ring.bytes - 8);
        ring.shared->head += off;
        assert_false(put(VF_RING_MESSAGE, "abc"));
    }
    assert_int_equal(vf_ring_left_out(&ring, VF_RING_KINDS), left_out + 7);
}

static void what_finds_no_room_is_left_out_whole_and_counted(void **state)
{
    (void)state;
    enum { BYTES = 1 << 16 };
    static char text[BYTES];
    unsigned went = 0;
    struct vf_ring_entry entry;
    ring.shared->recorder_pid = (int32_t)getpid();
    for (unsigned i = 0; i < 300; i++) {
        memset(text, (int)('a' + i % 26), BYTES);
        went += inside_put(VF_RING_JITLOG, text, BYTES, NULL, 0);
    }
    assert_int_equal(went, ring.bytes / (BYTES + 8));
    assert_int_equal(vf_ring_left_out(&ring, VF_RING_JITLOG), 300 - went);
    assert_int_equal(vf_ring_left_out(&ring, VF_RING_SAMPLE), 0);
    assert_int_equal(vf_ring_left_out(&ring, VF_RING_KINDS), 300 - went);
    for (unsigned i = 0; i < went; i++) {
        assert_true(vf_ring_next(&ring, false, &entry));
        assert_int_equal(entry.bytes.len, BYTES);
        assert_int_equal(entry.bytes.ptr[0], 'a' + i % 26);
        assert_int_equal(entry.bytes.ptr[BYTES - 1], 'a' + i % 26);
    }
    assert_none(true);
    assert_true(put(VF_RING_MESSAGE, "room again"));
    assert_next(VF_RING_MESSAGE, "room again");
}

static void an_entry_may_fill_the_ring_to_its_last_byte(void **state)
{
    (void)state;
    static char text[VF_RING_PAYLOAD_MAX];
    struct vf_ring_entry entry;
    unsigned entries = 0;
    while (inside_put(VF_RING_JITLOG, text, sizeof text - 8, NULL, 0))
        entries++;
    assert_int_equal(entries, ring.bytes / sizeof text);
    assert_int_equal(ring.shared->head - ring.shared->tail, ring.bytes);
    assert_false(put(VF_RING_MESSAGE, ""));
    while (vf_ring_next(&ring, false, &entry))
        entries--;
    assert_int_equal(entries, 0);
    assert_false(ring.broken);
}

static void what_is_too_long_for_an_entry_is_left_out(void **state)
{
    (void)state;
    static char text[VF_RING_PAYLOAD_MAX + 1];
    struct vf_ring_entry entry;
    assert_false(inside_put(VF_RING_JITLOG, text, sizeof text, NULL, 0));
    assert_int_equal(vf_ring_left_out(&ring, VF_RING_JITLOG), 1);
    assert_true(inside_put(VF_RING_JITLOG, text, 1, text, sizeof text - 2));
    assert_true(vf_ring_next(&ring, false, &entry));
    assert_int_equal(entry.bytes.len, VF_RING_PAYLOAD_MAX);
}

static void what_is_not_filled_is_waited_for_and_passed_over_at_the_end(void **state)
{
    (void)state;
    uint64_t place = ring.shared->head;
    ring.shared->head += 24; /* taken, and its writer has stopped there */
    assert_true(put(VF_RING_MESSAGE, "behind"));
    assert_none(false);
    assert_none(false);
    memcpy(ring.data + place + 8, "late", 4);
    *word_at(place) = vf_ring_word(place, VF_RING_MESSAGE, 4);
    assert_next(VF_RING_MESSAGE, "late");
    /* The room was for 9 to 16 bytes, the entry has less: the rest is one that is never filled. */
    assert_none(false);
    struct vf_ring_entry entry;
    assert_true(vf_ring_next(&ring, true, &entry));
    assert_memory_equal(entry.bytes.ptr, "behind", 6);
    assert_none(true);
    assert_int_equal(ring.damaged_bytes, 0);
}

static void half_of_a_payload_is_no_entry(void **state)
{
    (void)state;
    uint64_t place = ring.shared->head;
    ring.shared->head += 64;
    memset(ring.data + place + 8, 0xfe, 30);
    assert_true(put(VF_RING_MESSAGE, "behind"));
    assert_none(false);
    struct vf_ring_entry entry;
    assert_true(vf_ring_next(&ring, true, &entry));
    assert_int_equal(entry.bytes.len, 6);
    assert_none(true);
    assert_int_equal(ring.damaged_bytes, 32);
}

static void the_program_puts_nothing_when_the_recorder_is_gone(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    ring.shared->recorder_pid = (int32_t)pid;
    inside.knows_recorder = true;
    assert_true(put(VF_RING_MESSAGE, "nobody asks yet"));
    static char text[VF_RING_PAYLOAD_MAX];
    while (inside_put(VF_RING_JITLOG, text, sizeof text, NULL, 0))
        continue;
    assert_false(inside.off); /* it may be busy, and is asked after three seconds */
    int64_t until_ns = inside_now_ns() + INT64_C(20000000000);
    while (!inside.off && inside_now_ns() < until_ns)
        inside_put(VF_RING_JITLOG, text, sizeof text, NULL, 0);
    assert_true(inside.off);
    struct vf_ring_entry entry;
    while (vf_ring_next(&ring, false, &entry))
        continue;
    assert_false(put(VF_RING_MESSAGE, "off"));
}

/* ---- what a program may have written over it ------------------------------------------------- */

static void a_wild_head_ends_the_reading(void **state)
{
    (void)state;
    uint64_t tail = ring.shared->head;
    const uint64_t heads[] = {tail + ring.bytes + 8, tail + 1, tail + 9, tail - 8, UINT64_MAX,
                              UINT64_MAX - 7,        7};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        ring.broken = false;
        ring.shared->head = heads[i];
        assert_none(false);
        assert_true(ring.broken);
        ring.shared->head = tail;
        assert_none(true); /* it does not get well again */
    }
}

static void the_tail_in_memory_is_not_believed(void **state)
{
    (void)state;
    assert_true(put(VF_RING_MESSAGE, "one"));
    ring.shared->tail = UINT64_MAX / 2;
    ring.shared->data_bytes = 64;
    ring.shared->magic = 0;
    assert_next(VF_RING_MESSAGE, "one");
    assert_int_equal(ring.shared->tail, ring.shared->head);
}

static void words_that_are_none_are_passed_over(void **state)
{
    (void)state;
    uint64_t place = 0;
    const uint64_t good = vf_ring_word(place, VF_RING_MESSAGE, 3);
    const uint64_t words[] = {
        vf_ring_word(place, 0, 3),
        vf_ring_word(place, VF_RING_KINDS, 3),
        vf_ring_word(place, 0xff, 3),
        vf_ring_word(place + 8, VF_RING_MESSAGE, 3), /* another's tag */
        vf_ring_word(place, VF_RING_MESSAGE, VF_RING_PAYLOAD_MAX + 1),
        vf_ring_word(place, VF_RING_MESSAGE, UINT32_MAX),
        vf_ring_word(place, VF_RING_MESSAGE, 64), /* ends behind the head */
        good ^ UINT64_C(1) << 63,
        UINT64_MAX,
        1,
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        memset(ring.data, 0, 64);
        begin_at(place);
        ring.damaged_bytes = 0;
        assert_true(put(VF_RING_MESSAGE, "abc"));
        assert_int_equal(*word_at(place), good);
        assert_true(put(VF_RING_MESSAGE, "next"));
        *word_at(place) = words[i];
        assert_next(VF_RING_MESSAGE, "next");
        assert_int_equal(ring.damaged_bytes, 16); /* the word, and a text that is none */
        assert_none(true);
        assert_false(ring.broken);
    }
}

static void random_bytes_are_read_to_their_end(void **state)
{
    (void)state;
    uint64_t seed = 12345;
    struct vf_ring_entry entry;
    for (int round = 0; round < 20; round++) {
        uint64_t size = UINT64_C(1) << 16;
        begin_at((uint64_t)round * 8 + ring.bytes - size / 2);
        for (uint64_t at = 0; at < size; at += 8) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint64_t position = ring.tail + at;
            *word_at(position) = seed >> 61 == 0   ? 0
                                 : seed >> 61 == 1 ? vf_ring_word(position, (seed >> 20) % 8,
                                                                  (uint32_t)(seed >> 40) % 200)
                                                   : seed;
        }
        ring.shared->head = ring.tail + size;
        while (vf_ring_next(&ring, true, &entry))
            assert_true(entry.kind > 0 && entry.kind < VF_RING_KINDS && entry.bytes.len < 200);
        assert_int_equal(ring.tail, ring.shared->head);
    }
    for (uint64_t at = 0; at < ring.bytes; at += 8)
        assert_int_equal(*word_at(at), 0); /* what was read is empty again */
}

/* ---- several at once ------------------------------------------------------------------------- */

enum { WRITERS = 4, ENTRIES = 20000 };

struct writer {
    uint32_t number;
    uint64_t left_out;
};

/* Each entry: its writer, its number, and bytes that follow from both. */
static void *write_entries(void *data)
{
    struct writer *writer = data;
    unsigned char text[700];
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t words[2] = {writer->number, i};
        size_t len = (i * 37 + writer->number) % sizeof text;
        memset(text, (int)(i + writer->number) & 0xff, len);
        while (!inside_put(VF_RING_RECORDS, words, sizeof words, text, len))
            writer->left_out++;
    }
    return NULL;
}

static void assert_is_next_of_its_writer(struct vf_str bytes, uint32_t *next)
{
    uint32_t words[2];
    assert_true(bytes.len >= sizeof words);
    memcpy(words, bytes.ptr, sizeof words);
    assert_between(words[0], 0, WRITERS - 1);
    assert_int_equal(words[1], next[words[0]]++);
    assert_int_equal(bytes.len - sizeof words, (words[1] * 37 + words[0]) % 700);
    for (size_t i = sizeof words; i < bytes.len; i++)
        assert_int_equal((unsigned char)bytes.ptr[i], (words[0] + words[1]) & 0xff);
}

static void writers_at_once_and_a_reader(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    uint32_t next[WRITERS] = {0}, got = 0;
    uint64_t left_out = 0;
    struct vf_ring_entry entry;
    begin_at(ring.bytes - 4096);
    ring.shared->recorder_pid = (int32_t)getpid();
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_entries, &writers[i]), 0);
    }
    while (got < WRITERS * ENTRIES)
        if (vf_ring_next(&ring, false, &entry)) {
            assert_is_next_of_its_writer(entry.bytes, next);
            got++;
        }
    for (uint32_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        left_out += writers[i].left_out;
    }
    assert_none(true);
    assert_int_equal(ring.damaged_bytes, 0);
    assert_int_equal(vf_ring_left_out(&ring, VF_RING_KINDS), left_out);
}

/* ---- where memory comes from ----------------------------------------------------------------- */

static void its_descriptor_is_high_and_not_inherited(void **state)
{
    (void)state;
    struct rlimit limit;
    struct stat st;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(ring.fd > 32 || limit.rlim_cur < 64);
    assert_int_equal(fcntl(ring.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fstat(ring.fd, &st), 0);
    assert_int_equal(st.st_size, VF_RING_HEAD + VF_RING_DATA);
    assert_int_equal(ring.shm, -1);
}

/* In a process of its own, for limits can't be raised again. */
static void in_child(void (*part)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        part();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void need(bool good)
{
    if (!good)
        _exit(1);
}

static void open_where_files_may_not_be_large(void)
{
    struct vf_ring_reader other;
    struct vf_ring_entry entry;
    need(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20}) == 0);
    need(vf_ring_open(&other, -1, NULL) == VF_OK);
    need(other.fd == -1 && other.shm >= 0);
    void *again = shmat(other.shm, NULL, 0); /* as the program maps it */
    need(again != (void *)-1);
    struct vf_ring *theirs = again;
    need(theirs->magic == VF_RING_MAGIC && theirs->data_bytes == VF_RING_DATA);
    inside = (struct inside){
        .ring = theirs, .data = (char *)again + VF_RING_HEAD, .mask = VF_RING_DATA - 1};
    need(put(VF_RING_MESSAGE, "here"));
    need(vf_ring_next(&other, false, &entry) && entry.bytes.len == 4);
    shmdt(again);
    int number = other.shm;
    vf_ring_close(&other);
    need(shmat(number, NULL, 0) == (void *)-1); /* gone with the last that had it */
}

static void where_files_may_not_be_large_there_is_a_segment(void **state)
{
    (void)state;
    in_child(open_where_files_may_not_be_large);
}

static void open_with_few_descriptors(void)
{
    struct vf_ring_reader other;
    need(setrlimit(RLIMIT_NOFILE, &(struct rlimit){20, 20}) == 0);
    need(vf_ring_open(&other, -1, NULL) == VF_OK);
    need(other.fd >= 3 && other.fd < 20);
    need(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3}) == 0); /* memfd_create is refused */
    need(vf_ring_open(&other, -1, NULL) == VF_OK);
    need(other.fd == -1 && other.shm >= 0);
}

static void few_descriptors_are_enough(void **state)
{
    (void)state;
    in_child(open_with_few_descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_come_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_go_on_at_the_beginning_of_the_data, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_position_may_be_a_large_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_at_a_position_that_none_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_left_out_whole_and_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_entry_may_fill_the_ring_to_its_last_byte, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_long_for_an_entry_is_left_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_filled_is_waited_for_and_passed_over_at_the_end,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_of_a_payload_is_no_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_program_puts_nothing_when_the_recorder_is_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wild_head_ends_the_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_tail_in_memory_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_that_are_none_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_bytes_are_read_to_their_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writers_at_once_and_a_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_descriptor_is_high_and_not_inherited, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(where_files_may_not_be_large_there_is_a_segment, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(few_descriptors_are_enough, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

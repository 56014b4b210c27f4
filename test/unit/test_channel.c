/* The recorder's end of the channel: packets as they were sent, in their order, with the times they
 * were sent at, and never a program that waits. */
#include "test.h"

#include "record/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_channel(void **state)
{
    static struct vf_channel channel;
    struct vf_error error;
    *state = &channel;
    alarm(60); /* what hangs fails */
    return vf_channel_open(&channel, &error) == VF_OK ? 0 : -1;
}

static int close_channel(void **state)
{
    vf_channel_close(*state);
    alarm(0);
    return 0;
}

static void put(struct vf_channel *c, const void *bytes, size_t len)
{
    assert_int_equal(write(c->theirs, bytes, len), len);
}

static void close_theirs(struct vf_channel *c)
{
    close(c->theirs);
    c->theirs = -1;
}

static void assert_packet(const struct vf_channel *c, int i, const char *expected)
{
    assert_true(vf_str_eq(c->packets[i].bytes, vf_str_from(expected)));
}

static void packets_come_whole_and_in_order(void **state)
{
    struct vf_channel *c = *state;
    assert_int_equal(vf_channel_receive(c), 0);
    put(c, "one", 3);
    put(c, "two and more", 12);
    put(c, "3", 1);
    assert_int_equal(vf_channel_receive(c), 3);
    assert_packet(c, 0, "one");
    assert_packet(c, 1, "two and more");
    assert_packet(c, 2, "3");
    assert_int_equal(vf_channel_receive(c), 0);
}

static void many_packets_come_in_batches(void **state)
{
    struct vf_channel *c = *state;
    enum { COUNT = 3 * VF_BATCH + 7 };
    int got, taken = 0;
    for (int i = 0; i < COUNT; i++)
        put(c, &i, sizeof i);
    while ((got = vf_channel_receive(c)) > 0) {
        assert_true(got <= VF_BATCH);
        for (int i = 0; i < got; i++, taken++) {
            assert_int_equal(c->packets[i].bytes.len, sizeof taken);
            assert_memory_equal(c->packets[i].bytes.ptr, &taken, sizeof taken);
        }
    }
    assert_int_equal(got, 0);
    assert_int_equal(taken, COUNT);
}

static void the_largest_packet_of_vmprof_fits(void **state)
{
    struct vf_channel *c = *state;
    char bytes[8192];
    memset(bytes, 'x', sizeof bytes);
    put(c, bytes, sizeof bytes);
    assert_int_equal(vf_channel_receive(c), 1);
    assert_int_equal(c->packets[0].bytes.len, sizeof bytes);
    assert_memory_equal(c->packets[0].bytes.ptr, bytes, sizeof bytes);
}

static void an_empty_packet_is_not_the_end(void **state)
{
    struct vf_channel *c = *state;
    assert_int_equal(send(c->theirs, "", 0, 0), 0);
    assert_int_equal(vf_channel_receive(c), 0);
    put(c, "a", 1);
    assert_int_equal(send(c->theirs, "", 0, 0), 0);
    put(c, "b", 1);
    assert_int_equal(vf_channel_receive(c), 2);
    assert_packet(c, 0, "a");
    assert_packet(c, 1, "b");
    assert_int_equal(vf_channel_receive(c), 0);
}

static void the_end_comes_behind_all_packets(void **state)
{
    struct vf_channel *c = *state;
    put(c, "last", 4);
    assert_int_equal(send(c->theirs, "", 0, 0), 0);
    close_theirs(c);
    assert_int_equal(vf_channel_receive(c), 1);
    assert_packet(c, 0, "last");
    assert_int_equal(vf_channel_receive(c), -1);
    assert_int_equal(vf_channel_receive(c), -1);
}

/* The stamp is of the sending: reading it late changes nothing.  Both clocks are read when it is
 * read, one behind the other, so a little is allowed for what may come in between. */
static void a_packets_time_is_when_it_was_sent(void **state)
{
    struct vf_channel *c = *state;
    const int64_t late = 200000000, allowed = 100000000;
    int64_t before = vf_clock_now_ns(CLOCK_MONOTONIC);
    put(c, "a", 1);
    int64_t after = vf_clock_now_ns(CLOCK_MONOTONIC);
    usleep((useconds_t)(late / 1000));
    assert_int_equal(vf_channel_receive(c), 1);
    assert_true(c->packets[0].monotonic_ns >= before - allowed / 10);
    assert_true(c->packets[0].monotonic_ns <= after + allowed);
}

static void times_never_go_back(void **state)
{
    struct vf_channel *c = *state;
    int64_t last = 0;
    int got;
    for (int i = 0; i < 1000; i++) {
        put(c, &i, sizeof i);
        if (i % 10)
            continue;
        got = vf_channel_receive(c);
        for (int k = 0; k < got; k++) {
            assert_true(c->packets[k].monotonic_ns >= last);
            last = c->packets[k].monotonic_ns;
        }
    }
}

static void a_program_never_waits_for_a_late_recorder(void **state)
{
    struct vf_channel *c = *state;
    char bytes[8192] = {0};
    uint32_t sent = 0, taken = 0, number;
    int got;
    for (;;) {
        memcpy(bytes, &sent, sizeof sent);
        ssize_t wrote = write(c->theirs, bytes, sizeof bytes);
        if (wrote < 0)
            break;
        assert_int_equal(wrote, sizeof bytes);
        sent++;
    }
    assert_int_equal(errno, EAGAIN);
    assert_true(sent > 0);
    while ((got = vf_channel_receive(c)) > 0)
        for (int i = 0; i < got; i++) {
            memcpy(&number, c->packets[i].bytes.ptr, sizeof number);
            assert_int_equal(number, taken++);
        }
    assert_int_equal(taken, sent);
    put(c, "again", 5);
    assert_int_equal(vf_channel_receive(c), 1);
    assert_packet(c, 0, "again");
}

static void the_program_gets_what_is_sent_to_it(void **state)
{
    struct vf_channel *c = *state;
    char got[16];
    assert_true(vf_channel_send(c, "hello", 5));
    assert_int_equal(read(c->theirs, got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
    close_theirs(c);
    assert_false(vf_channel_send(c, "hello", 5)); /* and no SIGPIPE */
}

/* The program's files get the numbers they would have without a recorder. */
static void the_programs_end_has_a_high_number_and_is_not_inherited(void **state)
{
    struct vf_channel *c = *state;
    assert_true(c->theirs >= 16);
    assert_true(fcntl(c->theirs, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(c->ours, F_GETFD) & FD_CLOEXEC);
    int fd = open("/dev/null", O_RDONLY);
    int moved = vf_fd_move_up(fd);
    assert_true(moved > fd && moved >= 16);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* not there twice */
    close(moved);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_channel, close_channel)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_come_whole_and_in_order),
        TEST(many_packets_come_in_batches),
        TEST(the_largest_packet_of_vmprof_fits),
        TEST(an_empty_packet_is_not_the_end),
        TEST(the_end_comes_behind_all_packets),
        TEST(a_packets_time_is_when_it_was_sent),
        TEST(times_never_go_back),
        TEST(a_program_never_waits_for_a_late_recorder),
        TEST(the_program_gets_what_is_sent_to_it),
        TEST(the_programs_end_has_a_high_number_and_is_not_inherited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

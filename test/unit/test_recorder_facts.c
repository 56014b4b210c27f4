/* What Profile Info says of how a recording was made, and of what it cost. */
#include "test.h"

#include "recording.h"

static void begin(struct recording *r, unsigned mode)
{
    recording_begin(r, 6, mode, "pypy");
    recording_name(r, 0x10, "py:main:1:/a.py");
    recording_measured(r, 200);
    TAKE(r, CODE(0x10));
    recording_stamp_ms(r, 1);
}

static void nothing_is_said_that_is_not_in_the_recording(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 8);
    recording_build(&r);
    assert_fact(&r, "Channel", NULL);
    assert_fact(&r, "Records left out", NULL);
    assert_fact(&r, "Threads without samples", NULL);
    assert_fact(&r, "Threads without names", NULL);
    assert_fact(&r, "Samples not taken", NULL);
    assert_fact(&r, "Timer, a note", NULL);
    assert_fact(&r, "Program's CPU time", NULL);
    assert_fact(&r, "A sample", NULL);
    assert_fact(&r, "All samples", NULL);
    assert_fact(&r, "vmfox itself, another process", NULL);
    assert_fact(&r, "Operations left out of the log", NULL);
    assert_fact(&r, "Sample times", "stamped by the recorder");
    recording_release(&r);
}

static void all_that_is_told_is_said(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 8);
    struct vf_capture_info *info = &r.capture.info;
    info->channel = VF_STR("ring");
    info->stamps = VF_STR("program");
    info->timer = VF_STR("perf");
    info->timer_note = VF_STR("one in 2.0 ms from 1.5 s on");
    info->records_left_out = 12;
    info->threads_idle = 300;
    info->threads_left_out = 20;
    info->samples_skipped = 7;
    info->stacks_unreadable = 18;
    info->jitlog_mode = VF_STR("auto");
    info->jitlog_traces = 90;
    info->jitlog_traces_brief = 40;
    info->jitlog_detail_until_ns = RECORDING_ZERO_NS + 1500000000;
    info->cost = (struct vf_capture_cost){.samples = 1000,
                                          .handler_ns = 4200000,
                                          .jitlog_ns = 2000000,
                                          .runtime_log_ns = 1000000,
                                          .recorder_ns = 30000000,
                                          .program_ns = 1000000000};
    recording_build(&r);
    assert_fact(&r, "Channel", "shared memory");
    assert_fact(&r, "Records left out", "12: the channel had no room");
    assert_fact(&r, "Threads without samples", "300 more than are listed");
    assert_fact(&r, "Threads without names", "20: there were too many");
    assert_fact(&r, "Samples not taken", "7: another thread");
    assert_fact(&r, "Stacks that could not be read", "18: of a frame");
    assert_fact(&r, "Sample times", "stamped in the program as it was taken");
    assert_fact(&r, "Timer", "perf_event");
    assert_fact(&r, "Timer, a note", "one in 2.0 ms from 1.5 s on");
    assert_fact(&r, "Operations left out of the log",
                "of 40 of 90 traces, from 1.500 s on: writing them took too much of the program's "
                "time (--jitlog=full keeps them)");
    assert_fact(&r, "Program's CPU time", "1.000 s, with all of the below but vmfox");
    assert_fact(&r, "A sample", "4.17 µs in the signal handler: the mean");
    assert_fact(&r, "All samples", "4.2 ms, 0.42 % of the program's CPU time (ESTIMATE");
    assert_fact(&r, "Writing the JIT's log", "2.0 ms, 0.20 %");
    assert_fact(&r, "Writing the runtime's log", "1.0 ms, 0.10 %");
    assert_fact(&r, "vmfox itself, another process", "30.0 ms, 3.00 %");
    recording_release(&r);
}

static void the_fallbacks_say_what_they_are(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 8 + 16);
    struct vf_capture_info *info = &r.capture.info;
    info->channel = VF_STR("socket");
    info->channel_why = VF_STR("no slot of write() was found");
    info->stamps = VF_STR("arrival");
    info->timer = VF_STR("posix");
    info->cost.handler_ns = 5000000;
    info->jitlog_detail_until_ns = RECORDING_ZERO_NS + 250000000;
    recording_build(&r);
    assert_fact(&r, "Channel", "a socket, for no slot of write() was found");
    assert_fact(&r, "Sample times", "when the recorder read each sample");
    assert_fact(&r, "Timer", "a timer for each thread");
    assert_string_equal(recording_fact(&r, "Operations left out of the log"),
                        "from 0.250 s on: writing them took too much of the program's time");
    assert_string_equal(recording_fact(&r, "All samples"), "5.0 ms (ESTIMATE: some are timed)");
    recording_release(&r);
    begin(&r, 8);
    r.capture.info.stamps = VF_STR("kernel");
    r.capture.info.timer = VF_STR("itimer");
    recording_build(&r);
    assert_fact(&r, "Sample times", "stamped by the kernel");
    assert_fact(&r, "Timer", "CPU time of the process");
    recording_release(&r);
}

/* Words that a later recorder may write. */
static void words_that_are_not_known_are_passed_over(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 8);
    r.capture.info.channel = r.capture.info.stamps = r.capture.info.timer = VF_STR("telepathy");
    r.capture.info.jitlog_detail_until_ns = INT64_MIN;
    recording_build(&r);
    assert_fact(&r, "Channel", NULL);
    assert_fact(&r, "Sample times", "stamped by the recorder");
    assert_fact(&r, "Timer", "CPU time of the process");
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_that_is_not_in_the_recording),
        cmocka_unit_test(all_that_is_told_is_said),
        cmocka_unit_test(the_fallbacks_say_what_they_are),
        cmocka_unit_test(words_that_are_not_known_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

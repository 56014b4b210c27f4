#include "record/rate.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static const int64_t LOOK_EVERY_NS = 500000000;
/* A program's hot loops are mostly compiled early: some 30 traces may be written whole in any case.
 */
static const double JITLOG_GRACE_NS = 20e6;
static const uint64_t LONGEST_NS = 1000000000;

void vf_rate_init(struct vf_rate *rate, struct vf_ring_reader *ring, double budget,
                  bool jitlog_auto, uint64_t period_ns)
{
    *rate = (struct vf_rate){.budget = budget, .asked_ns = period_ns, .longest_ns = period_ns};
    ring->shared->jitlog_grace_ns = JITLOG_GRACE_NS;
    if (!jitlog_auto)
        return;
    if (budget > 0) /* one half for each */
        ring->shared->jitlog_share = (uint32_t)(budget * 10000 / 2 + 0.5);
    else
        ring->shared->jitlog_share = 200;
    if (budget > 0 && ring->shared->jitlog_share == 0)
        ring->shared->jitlog_share = 1;
}

/* True when the CPUs have had next to nothing idle since the last look (/proc/stat, see proc(5)).
 */
static bool is_busy(struct vf_rate *rate)
{
    unsigned long long user, nice, system, idle, wait, irq, soft, steal;
    FILE *file = fopen("/proc/stat", "re");
    int got = file ? fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
                            &system, &idle, &wait, &irq, &soft, &steal)
                   : 0;
    if (file)
        fclose(file);
    if (got != 8)
        return false;
    uint64_t resting = idle + wait, all = user + nice + system + resting + irq + soft + steal;
    uint64_t rested = resting - rate->idle, passed = all - rate->ticks;
    rate->idle = resting;
    rate->ticks = all;
    return passed > 0 && rested * 10 < passed;
}

static double sample_ns(const struct vf_ring *ring)
{
    double handler_ns = ring->timed ? (double)ring->timed_ns / (double)ring->timed : 0;
    return handler_ns + VF_RATE_SIGNAL_NS;
}

/* Another interpreter counts from 0. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

/* An estimate. */
static double logs_ns(const struct vf_ring *ring)
{
    return (double)ring->jitlog_ns + (double)ring->pypylog_ns;
}

/* How many times what they may cost the samples have cost. */
static double excess(struct vf_rate *rate, const struct vf_ring *ring, double samples_ns,
                     double cpu_ns, double passed_ns)
{
    double over = 0;
    if (rate->budget > 0 && cpu_ns > 1e6) {
        double room_ns = rate->budget * cpu_ns - (logs_ns(ring) - rate->logs_ns);
        over = samples_ns /
               (room_ns > rate->budget * cpu_ns / 2 ? room_ns : rate->budget * cpu_ns / 2);
    }
    if (ring->timer == VF_TIMER_WALL) {
        double most = is_busy(rate) ? VF_RATE_WALL_BUSY : VF_RATE_WALL;
        double wall = samples_ns / (most * passed_ns);
        over = wall > over ? wall : over;
    }
    return over;
}

static void set_period(struct vf_rate *rate, struct vf_timers *timers, struct vf_ring_reader *ring,
                       uint64_t next_ns, int64_t now_ns)
{
    if (next_ns > rate->longest_ns)
        rate->longest_ns = next_ns;
    if (!rate->lowered_ns)
        rate->lowered_ns = now_ns;
    vf_timers_set_period(timers, ring, next_ns);
}

/* Many threads by the wall clock are too much from the first moment on. */
static uint64_t crowd_ns(const struct vf_timers *timers, const struct vf_ring *ring)
{
    if (ring->timer != VF_TIMER_WALL)
        return 0;
    return (uint64_t)((double)timers->threads.len * 2 * VF_RATE_SIGNAL_NS / VF_RATE_WALL);
}

void vf_rate_look(struct vf_rate *rate, struct vf_timers *timers, struct vf_ring_reader *ring,
                  pid_t pid, int64_t now_ns)
{
    const struct vf_ring *shared = ring->shared;
    clockid_t clock;
    int64_t passed_ns = now_ns - rate->looked_ns;
    uint64_t least_ns = crowd_ns(timers, shared);
    if (least_ns > timers->period_ns)
        set_period(rate, timers, ring, least_ns, now_ns);
    if (passed_ns < LOOK_EVERY_NS)
        return;
    bool known = pid > 0 && clock_getcpuclockid(pid, &clock) == 0;
    int64_t cpu_ns = known ? vf_clock_now_ns(clock) : rate->cpu_ns;
    uint64_t signals = shared->samples + shared->skipped;
    double samples_ns = (double)since(signals, rate->signals) * sample_ns(shared);
    double over = rate->looked_ns ? excess(rate, shared, samples_ns,
                                           (double)(cpu_ns - rate->cpu_ns), (double)passed_ns)
                                  : 0;
    rate->looked_ns = now_ns;
    rate->signals = signals;
    rate->logs_ns = logs_ns(shared);
    rate->cpu_ns = cpu_ns;
    double period = (double)timers->period_ns;
    if (over > 1)
        period *= over * 1.1;
    else if (over < 0.7 && timers->period_ns > rate->asked_ns)
        period /= over > 0.35 ? 1.2 : 2;
    uint64_t next_ns = period > (double)LONGEST_NS ? LONGEST_NS : (uint64_t)period;
    least_ns = least_ns > rate->asked_ns ? least_ns : rate->asked_ns;
    next_ns = next_ns < least_ns ? least_ns : next_ns;
    if (next_ns != timers->period_ns)
        set_period(rate, timers, ring, next_ns, now_ns);
}

void vf_rate_anew(struct vf_rate *rate, const struct vf_timers *timers, int64_t now_ns)
{
    rate->longest_ns = timers->period_ns;
    rate->lowered_ns = timers->period_ns > rate->asked_ns ? now_ns : 0;
}

void vf_rate_note(const struct vf_rate *rate, int64_t start_ns, char *out, size_t size)
{
    size_t at = strlen(out);
    if (!rate->lowered_ns || at >= size)
        return;
    snprintf(out + at, size - at,
             "%sfrom second %.1f on up to %.3g ms between samples instead of %.3g, to hold %s",
             at ? "; " : "", (double)(rate->lowered_ns - start_ns) / 1e9,
             (double)rate->longest_ns / 1e6, (double)rate->asked_ns / 1e6,
             rate->budget > 0 ? "the budget" : "what they take from the machine");
}

/* How fast PyPy's text log is read, on one core.
 *
 *     read_pypylog FILE ROUNDS
 *
 * Prints a line a round: seconds for all lines (vf_pypylog_next), seconds for all that is read out
 * of them (vf_runtime_log_read), how many lines and sections there are. */
#include "base/file.h"
#include "capture/pypylog.h"
#include "capture/runtime_log.h"

#include <stdio.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Returns a sum over all events, so that none of them is optimised away. */
static uint64_t read_lines(struct vf_str bytes)
{
    struct vf_pypylog lines;
    struct vf_log_event event;
    uint64_t sum = 0;
    vf_pypylog_open(&lines, bytes);
    while (vf_pypylog_next(&lines, &event))
        sum += event.stamp + event.text.len + (uint64_t)event.type;
    return sum;
}

static void run(struct vf_str bytes)
{
    struct vf_runtime_log log;
    double start = now_s();
    uint64_t sum = read_lines(bytes);
    double lines_s = now_s() - start;
    start = now_s();
    vf_runtime_log_read(&log, bytes);
    double log_s = now_s() - start;
    printf("%.6f %.6f %llu %zu %llx\n", lines_s, log_s, (unsigned long long)log.lines,
           log.sections.len, (unsigned long long)sum);
    vf_runtime_log_release(&log);
}

int main(int argc, char **argv)
{
    struct vf_bytes bytes;
    struct vf_error error = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: read_pypylog FILE ROUNDS\n");
        return 2;
    }
    if (vf_bytes_map(argv[1], &bytes, &error) != VF_OK) {
        fprintf(stderr, "read_pypylog: %s: %s\n", argv[1], error.text);
        return 1;
    }
    read_lines(vf_bytes_view(&bytes)); /* brings the file into memory */
    for (int i = strtol(argv[2], NULL, 10) < 1 ? 1 : (int)strtol(argv[2], NULL, 10); i > 0; i--)
        run(vf_bytes_view(&bytes));
    vf_bytes_release(&bytes);
    return 0;
}

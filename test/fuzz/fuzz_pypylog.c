/* Any bytes at all as PyPy's text log: every slice is touched, so that a sanitizer sees what lies
 * outside the input; sections nest, records point at sections, parts hold them all. */
#include "fuzz.h"

#include "capture/pypylog.h"
#include "capture/runtime_log.h"

#include <stdlib.h>

static volatile unsigned char sink;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void touch(struct vf_str text)
{
    unsigned char sum = 0;
    for (size_t i = 0; i < text.len; i++)
        sum ^= (unsigned char)text.ptr[i];
    sink ^= sum;
}

static void check_lines(struct vf_str bytes)
{
    struct vf_pypylog lines;
    struct vf_log_event event;
    uint64_t last = 0;
    vf_pypylog_open(&lines, bytes);
    while (vf_pypylog_next(&lines, &event)) {
        require(event.line == last + 1);
        last = event.line;
        require(event.type != VF_LOG_TEXT ? event.text.len > 0 : event.stamp == 0);
        touch(event.text);
    }
    require(lines.half_line == 0 || lines.half_line == lines.line);
    require(!vf_pypylog_next(&lines, &event));
    vf_pypylog_sniff(bytes);
}

static void check_section(const struct vf_runtime_log *log, size_t row)
{
    const struct vf_log_section *section = &log->sections.items[row];
    require(section->start <= section->stop && section->name < log->names.len);
    require(section->line > 0 && section->line <= log->lines);
    if (section->parent == VF_LOG_NONE)
        return;
    require(section->parent < row);
    const struct vf_log_section *parent = &log->sections.items[section->parent];
    require(parent->start <= section->start && section->stop <= parent->stop);
}

static void check_parts(const struct vf_runtime_log *log)
{
    uint32_t next = 0;
    for (size_t i = 0; i < log->parts.len; i++) {
        const struct vf_log_part *part = &log->parts.items[i];
        require(part->first == next && part->end >= part->first);
        require(part->first_stamp <= part->last_stamp && part->first_line <= part->last_line);
        for (uint32_t row = part->first; row < part->end; row++) {
            const struct vf_log_section *section = &log->sections.items[row];
            require(section->start >= part->first_stamp && section->stop <= part->last_stamp);
            require(section->parent == VF_LOG_NONE || section->parent >= part->first);
        }
        next = part->end;
    }
    require(next == log->sections.len);
}

static void check_traces(const struct vf_runtime_log *log)
{
    for (size_t i = 0; i < log->traces.len; i++) {
        const struct vf_log_trace *trace = &log->traces.items[i];
        struct vf_log_where where;
        require(trace->section < log->sections.len);
        require(log->sections.items[trace->section].record == i);
        touch(trace->where);
        touch(trace->result);
        touch(trace->aborted);
        touch(trace->never_works);
        require(trace->has_runs || trace->runs == 0);
        if (vf_log_where_parse(trace->where, &where)) {
            require(where.function.len + where.file.len < trace->where.len);
            touch(where.function);
            touch(where.file);
        }
    }
}

/* Rows of the table name the section that names the row. */
#define CHECK_RECORDS(log, table)                                                                  \
    for (size_t i = 0; i < (log)->table.len; i++) {                                                \
        require((log)->table.items[i].section < (log)->sections.len);                              \
        require((log)->sections.items[(log)->table.items[i].section].record == i);                 \
    }

static void check_records(const struct vf_runtime_log *log)
{
    CHECK_RECORDS(log, minors);
    CHECK_RECORDS(log, steps);
    CHECK_RECORDS(log, invalidations);
    CHECK_RECORDS(log, loops);
    for (size_t i = 0; i < log->steps.len; i++) {
        touch(log->steps.items[i].from);
        touch(log->steps.items[i].to);
    }
    for (size_t i = 0; i < log->invalidations.len; i++)
        touch(log->invalidations.items[i].field);
    for (size_t i = 0; i < log->names.len; i++)
        touch(log->names.items[i].text);
    for (size_t i = 0; i < log->parts.len; i++)
        require(log->parts.items[i].summary.section == VF_LOG_NONE ||
                log->parts.items[i].summary.section < log->parts.items[i].end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_str bytes = {(const char *)data, size};
    struct vf_runtime_log log;
    struct vf_warnings warnings = {0};
    struct vf_log_where where;
    check_lines(bytes);
    vf_log_where_parse(bytes, &where);
    vf_runtime_log_read(&log, bytes);
    for (size_t i = 0; i < log.sections.len; i++)
        check_section(&log, i);
    check_parts(&log);
    check_traces(&log);
    check_records(&log);
    vf_runtime_log_warn(&log, &warnings);
    vf_runtime_log_release(&log);
    return 0;
}

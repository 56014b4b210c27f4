/* Markers, their schemas, counters and the runtime's thread as another program parses them. */
#include "test.h"

#include "written.h"

#include <math.h>
#include <stdio.h>

enum { RPYTHON = 8, REAL_TIME = 16, MEMORY = 1 };

static void begin(struct recording *r, unsigned mode, const char *log)
{
    recording_begin(r, 6, mode, "pypy");
    recording_name(r, 0x10, "py:main:1:/a.py");
    recording_measured(r, 200);
    TAKE(r, CODE(0x10));
    recording_stamp_ms(r, 15);
    recording_log(r, log);
}

static const char collections[] =
    "5 {gc-set-nursery-size\nnursery size: 4096\n6 gc-set-nursery-size}\n"
    "10 {gc-minor\nminor collect, total memory used: 9000\nnumber of pinned objects: 0\n"
    "total size of surviving objects: 1024\n12 gc-minor}\n"
    "20 {gc-collect-step\nstarting gc state:  SCANNING\nstopping, now in gc state:  MARKING\n"
    "21.5 gc-collect-step}\n";
static const char trace[] =
    "60 {jit-tracing\nwalk;/tmp/a b.py:13-15~#4 LOAD_FAST\n62 {jit-mem-looptoken-alloc\n"
    "allocating Loop # 2\n62 jit-mem-looptoken-alloc}\n65 {jit-backend-addr\n"
    "Loop 2 (x) has address 0x2000 to 0x2080\n65 jit-backend-addr}\ncompiled new loop\n"
    "70 jit-tracing}\n"
    "80 {jit-invalidate-quasi-immutable\nfieldname version invalidated 3\n"
    "80 jit-invalidate-quasi-immutable}\n";

/* The first marker whose data are of that type. */
static size_t find_marker(json_t *thread, const char *type)
{
    json_t *data = at(thread, "markers.data");
    for (size_t i = 0; i < json_array_size(data); i++)
        if (strcmp(text(json_array_get(data, i), "type"), type) == 0)
            return i;
    fail_msg("no marker %s", type);
    return 0;
}

static json_t *find_schema(json_t *root, const char *name)
{
    json_t *schema;
    size_t i;
    json_array_foreach(at(root, "meta.markerSchema"), i, schema)
    {
        if (strcmp(text(schema, "name"), name) == 0)
            return schema;
    }
    return NULL;
}

static json_t *find_counter(json_t *root, const char *name)
{
    json_t *counter;
    size_t i;
    json_array_foreach(at(root, "counters"), i, counter)
    {
        if (strcmp(text(counter, "name"), name) == 0)
            return counter;
    }
    fail_msg("no counter %s", name);
    return NULL;
}

/* A text that a marker's field leads to. */
static const char *data_text(json_t *root, json_t *data, const char *key)
{
    json_t *row = at(data, key);
    assert_true(json_is_integer(row));
    json_t *string =
        json_array_get(at(root, "shared.stringArray"), (size_t)json_integer_value(row));
    assert_true(json_is_string(string));
    return json_string_value(string);
}

/* ---- what holds for every profile ------------------------------------------------------------ */

static const char *format_of(json_t *schema, const char *key)
{
    json_t *field;
    size_t i;
    json_array_foreach(at(schema, "fields"), i, field)
    {
        if (strcmp(text(field, "key"), key) == 0)
            return text(field, "format");
    }
    fail_msg("%s has no field %s", text(schema, "name"), key);
    return NULL;
}

static void assert_data(json_t *root, json_t *data)
{
    json_t *schema = find_schema(root, text(data, "type")), *value;
    const char *key;
    assert_non_null(schema);
    json_object_foreach(data, key, value)
    {
        if (strcmp(key, "type") == 0)
            continue;
        assert_true(json_is_number(value));
        if (strcmp(format_of(schema, key), "unique-string") == 0)
            data_text(root, data, key);
    }
}

static void assert_markers_sound(json_t *root)
{
    size_t t, i;
    json_t *thread, *data;
    json_array_foreach(at(root, "threads"), t, thread)
    {
        json_t *m = at(thread, "markers");
        assert_int_equal(json_array_size(at(m, "data")), number(m, "length"));
        json_array_foreach(at(m, "data"), i, data)
        {
            json_t *end = cell(m, "endTime", i);
            bool interval = json_integer_value(cell(m, "phase", i)) == 1;
            assert_data(root, data);
            assert_string_equal(string_at(root, m, "name", i),
                                text(find_schema(root, text(data, "type")), "tooltipLabel"));
            assert_true(json_integer_value(cell(m, "category", i)) <
                        (json_int_t)json_array_size(at(root, "meta.categories")));
            assert_int_equal(json_is_null(end), !interval);
            if (interval)
                assert_true(json_number_value(end) > json_number_value(cell(m, "startTime", i)));
            if (i)
                assert_true(json_number_value(cell(m, "startTime", i)) >=
                            json_number_value(cell(m, "startTime", i - 1)));
        }
    }
}

/* ---- markers --------------------------------------------------------------------------------- */

static json_t *all_kinds(struct recording *r)
{
    begin(r, RPYTHON | MEMORY, collections);
    recording_log(r, trace);
    recording_log(r, "90 {jit-tracing\n~~~ ABORTING TRACING ABORT_ESCAPE\n91 jit-tracing}\n"
                     "92 {jit-tracing\n93 jit-tracing}\n94 {gc-minor\n95 gc-minor}\n"
                     "100 {jit-tracing\ncompiled new bridge\n101 jit-tracing}\n");
    for (int i = 0; i < 3; i++) {
        TAKE(r, CODE(0x10));
        recording_stamp_ms(r, 110 + 20 * i);
    }
    recording_cpu(r, RECORDING_ZERO_NS, 77, 0);
    recording_cpu(r, RECORDING_ZERO_NS + 200000000, 77, 200000000);
    json_t *root = written(r);
    assert_sound(root);
    assert_markers_sound(root);
    return root;
}

static void every_kind_is_sound_and_has_its_schema(void **state)
{
    (void)state;
    struct recording r;
    json_t *root = all_kinds(&r);
    static const char *const kinds[] = {"MinorCollection", "MinorCollectionTime",
                                        "MajorCollection", "MajorCollectionStep",
                                        "Trace",           "Bridge",
                                        "Tracing",         "TraceAborted",
                                        "Invalidation",    "MissedSamples"};
    assert_int_equal(json_array_size(at(root, "meta.markerSchema")), 10);
    for (size_t i = 0; i < 10; i++) {
        json_t *schema = find_schema(root, kinds[i]);
        assert_non_null(schema);
        assert_string_equal(text(schema, "display.0"), "marker-chart");
        assert_string_equal(text(schema, "display.1"), "marker-table");
        assert_true(strlen(text(schema, "description")) > 20);
        find_marker(at(root, i == 9 ? "threads.0" : "threads.1"), kinds[i]);
    }
    json_decref(root);
    recording_release(&r);
}

static void only_kinds_in_use_have_schemas(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, RPYTHON, trace);
    json_t *root = written(&r);
    assert_markers_sound(root);
    assert_int_equal(json_array_size(at(root, "meta.markerSchema")), 2);
    assert_non_null(find_schema(root, "Trace"));
    assert_non_null(find_schema(root, "Invalidation"));
    json_decref(root);
    recording_release(&r);

    begin(&r, RPYTHON, "");
    root = written(&r);
    assert_int_equal(json_array_size(at(root, "meta.markerSchema")), 0);
    assert_int_equal(number(root, "threads.0.markers.length"), 0);
    json_decref(root);
    recording_release(&r);
}

static void a_collection_is_written_with_its_fields(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, RPYTHON, collections);
    json_t *root = written(&r), *thread = at(root, "threads.1"), *m = at(thread, "markers");
    assert_markers_sound(root);
    size_t i = find_marker(thread, "MinorCollection");
    json_t *data = cell(m, "data", i);
    assert_string_equal(string_at(root, m, "name", i), "Minor collection");
    assert_true(json_number_value(cell(m, "startTime", i)) == 10);
    assert_true(json_number_value(cell(m, "endTime", i)) == 12);
    assert_int_equal(json_integer_value(cell(m, "phase", i)), 1);
    assert_string_equal(text(json_array_get(at(root, "meta.categories"),
                                            (size_t)json_integer_value(cell(m, "category", i))),
                             "name"),
                        "Garbage collection");
    assert_int_equal(json_object_size(data), 6);
    assert_int_equal(number(data, "survivors"), 1024);
    assert_true(number(data, "share") == 0.25);
    assert_int_equal(number(data, "heap"), 9000);
    assert_string_equal(format_of(find_schema(root, "MinorCollection"), "share"), "percentage");
    assert_string_equal(format_of(find_schema(root, "MinorCollection"), "heap"), "bytes");
    data = cell(m, "data", find_marker(thread, "MajorCollection"));
    assert_string_equal(data_text(root, data, "states"), "SCANNING 1");
    assert_true(number(data, "pause") == 1.5);
    json_decref(root);
    recording_release(&r);
}

static void a_trace_has_its_texts_in_the_string_table(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, RPYTHON, trace);
    json_t *root = written(&r), *m = at(root, "threads.1.markers");
    json_t *data = cell(m, "data", find_marker(at(root, "threads.1"), "Trace"));
    assert_string_equal(data_text(root, data, "what"), "loop 2: walk a b.py:15");
    assert_string_equal(data_text(root, data, "function"), "walk");
    assert_string_equal(data_text(root, data, "file"), "/tmp/a b.py");
    assert_string_equal(data_text(root, data, "result"), "loop");
    assert_int_equal(number(data, "line"), 15);
    assert_int_equal(number(data, "code"), 128);
    assert_true(fabs(number(data, "tracing") - 7) < 1e-6);
    assert_true(fabs(number(data, "backend") - 3) < 1e-6);
    json_decref(root);
    recording_release(&r);
}

static void a_trace_may_have_sixteen_fields(void **state)
{
    (void)state;
    struct recording r;
    static const char *const keys[] = {
        "what", "function", "file",    "line",    "result",     "recorded",   "optimized", "guards",
        "code", "runs",     "tracing", "backend", "optimizing", "collecting", "reason",    "note"};
    begin(&r, RPYTHON,
          "60 {jit-tracing\nwalk;/a.py:13-15~#4 LOAD_FAST\n"
          "61 {jit-abort\nint bounds\n61 jit-abort}\n"
          "61 {jit-log-noopt\n# Traced loop or bridge with 166 ops\n61 jit-log-noopt}\n"
          "62 {jit-mem-looptoken-alloc\nallocating Loop # 2\n62 jit-mem-looptoken-alloc}\n"
          "compiled new loop\n63 {jit-log-opt-loop\n# Loop 2 (x) : loop with 96 ops\n"
          "+28: guard_true(i5) []\n63 jit-log-opt-loop}\n~~~ ABORTING TRACING ABORT_ESCAPE\n"
          "65 {jit-backend-addr\nLoop 2 (x) has address 0x2000 to 0x2080\n65 jit-backend-addr}\n"
          "70 jit-tracing}\n80 {jit-backend-counts\nentry 2:7\n81 jit-backend-counts}\n");
    json_t *root = written(&r), *schema = find_schema(root, "TraceAborted");
    assert_markers_sound(root);
    assert_int_equal(json_array_size(at(schema, "fields")), 16);
    json_t *data = at(root, "threads.1.markers.data.0");
    for (size_t i = 0; i < 16; i++)
        at(data, keys[i]);
    assert_int_equal(json_object_size(data), 17);
    assert_string_equal(data_text(root, data, "note"), "int bounds");
    assert_string_equal(text(schema, "chartLabel"), "{marker.data.reason}");
    json_decref(root);
    recording_release(&r);
}

static void what_takes_no_time_is_an_instant(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, RPYTHON, trace);
    json_t *root = written(&r), *m = at(root, "threads.1.markers");
    size_t i = find_marker(at(root, "threads.1"), "Invalidation");
    assert_true(json_number_value(cell(m, "startTime", i)) == 80);
    assert_true(json_is_null(cell(m, "endTime", i)));
    assert_int_equal(json_integer_value(cell(m, "phase", i)), 0);
    json_decref(root);
    recording_release(&r);
}

static void what_shows_in_the_overview_says_so(void **state)
{
    (void)state;
    struct recording r;
    json_t *root = all_kinds(&r), *schema;
    static const char *const overview[] = {"MajorCollection", "Trace",        "Bridge",
                                           "Tracing",         "TraceAborted", "Invalidation"};
    size_t i, shown = 0;
    json_array_foreach(at(root, "meta.markerSchema"), i, schema)
    {
        shown += json_array_size(at(schema, "display")) == 3;
    }
    assert_int_equal(shown, 6);
    for (i = 0; i < 6; i++)
        assert_string_equal(text(find_schema(root, overview[i]), "display.2"), "timeline-overview");
    assert_null(json_object_get(find_schema(root, "MinorCollectionTime"), "chartLabel"));
    json_decref(root);
    recording_release(&r);
}

/* A path in Latin-1, a quote, a control character; and a character cut in two at 100 bytes. */
static void odd_texts_are_valid_json(void **state)
{
    (void)state;
    struct recording r;
    char cut[300], names[100];
    memset(cut, 'x', 99);
    snprintf(cut + 99, sizeof cut - 99, "ä behind it\n");
    begin(&r, RPYTHON,
          "60 {jit-tracing\nf\xe4;/tmp/\xfc\"\x01.py:1-2~#4 LOAD_FAST\n"
          "70 jit-tracing}\n80 {jit-tracing\n");
    recording_log(&r, cut);
    recording_log(&r, "81 jit-tracing}\n90 {gc-\xff\n91 gc-\xff}\n");
    json_t *root = written(&r), *m = at(root, "threads.1.markers");
    assert_sound(root);
    assert_markers_sound(root);
    json_t *data = cell(m, "data", 0);
    assert_string_equal(data_text(root, data, "function"), "f\xef\xbf\xbd");
    assert_string_equal(data_text(root, data, "file"), "/tmp/\xef\xbf\xbd\"\x01.py");
    data = cell(m, "data", 1);
    memset(names, 'x', 99);
    names[99] = 0;
    assert_int_equal(strncmp(data_text(root, data, "what"), names, 99), 0);
    assert_null(strstr(data_text(root, data, "what"), "behind"));
    json_decref(root);
    recording_release(&r);
}

/* A character is shown whole or not at all. */
static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct recording r;
    char log[300] = "80 {jit-tracing\n";
    size_t len = strlen(log);
    memset(log + len, 'x', 99);
    snprintf(log + len + 99, sizeof log - len - 99, "ä behind it\n81 jit-tracing}\n");
    begin(&r, RPYTHON, log);
    json_t *root = written(&r);
    assert_null(
        strstr(data_text(root, at(root, "threads.1.markers.data.0"), "what"), "\xef\xbf\xbd"));
    json_decref(root);
    recording_release(&r);
}

static void missing_samples_are_the_main_threads(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, REAL_TIME, "cpython");
    recording_measured(&r, 200);
    static const double ms[] = {1, 2, 5, 6};
    for (size_t i = 0; i < 4; i++) {
        TAKE(&r, CODE(0x10));
        recording_stamp_ms(&r, ms[i]);
    }
    json_t *root = written(&r), *m = at(root, "threads.0.markers");
    assert_sound(root);
    assert_markers_sound(root);
    assert_int_equal(number(m, "length"), 1);
    assert_string_equal(string_at(root, m, "name", 0), "Samples missing");
    assert_true(number(m, "data.0.missing") == 2);
    assert_true(number(m, "data.0.gap") == 3);
    json_t *weights = at(root, "threads.0.samples.weight");
    assert_true(json_number_value(json_array_get(weights, 2)) == 3);
    assert_string_equal(text(root, "threads.0.samples.weightType"), "samples");
    json_decref(root);
    recording_release(&r);
}

/* ---- the runtime's thread -------------------------------------------------------------------- */

static void the_runtime_is_a_thread_of_milliseconds(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, RPYTHON, collections);
    json_t *root = written(&r), *thread = at(root, "threads.1"), *weight;
    assert_sound(root);
    assert_string_equal(text(thread, "name"), "PyPy runtime");
    assert_string_equal(text(thread, "tid"), "runtime");
    assert_true(json_is_false(at(thread, "isMainThread")));
    assert_string_equal(text(thread, "pid"), text(root, "threads.0.pid"));
    assert_string_equal(text(thread, "samples.weightType"), "tracing-ms");
    assert_string_equal(text(root, "threads.0.samples.weightType"), "samples");
    double sum = 0, time = 0;
    size_t i;
    json_array_foreach(at(thread, "samples.weight"), i, weight)
    {
        time += json_number_value(cell(at(thread, "samples"), "timeDeltas", i));
        assert_true(fabs(time - sum) < 1e-6);
        sum += json_number_value(weight);
    }
    assert_true(fabs(sum - 200) < 1e-6);
    assert_true(json_is_number(at(root, "threads.0.tid")));
    json_decref(root);
    recording_release(&r);
}

static void its_frames_are_of_a_library_of_its_own(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, RPYTHON, collections);
    json_t *root = written(&r), *funcs = at(root, "shared.funcTable");
    size_t seen = 0;
    for (size_t i = 0; i < json_array_size(at(funcs, "name")); i++) {
        const char *name = string_at(root, funcs, "name", i);
        if (strcmp(name, "running") != 0 && strncmp(name, "gc-", 3) != 0)
            continue;
        json_t *resources = at(root, "shared.resourceTable");
        size_t resource = (size_t)json_integer_value(cell(funcs, "resource", i));
        assert_string_equal(string_at(root, resources, "name", resource), "PyPy runtime");
        assert_true(json_is_false(cell(funcs, "isJS", i)));
        seen++;
    }
    assert_int_equal(seen, 4);
    json_decref(root);
    recording_release(&r);
}

/* ---- counters -------------------------------------------------------------------------------- */

static void a_counter_has_its_unit_and_colour(void **state)
{
    (void)state;
    static const char *const expected[][4] = {
        {"Heap in use", "Memory", "bytes", "orange"}, {"Survivors", "Memory", "bytes", "yellow"},
        {"Machine code", "JIT", "bytes", "purple"},   {"Loops alive", "JIT", "number", "magenta"},
        {"Bridges alive", "JIT", "number", "blue"},
    };
    struct recording r;
    begin(&r, RPYTHON, collections);
    recording_log(&r, trace);
    recording_log(&r, "90 {jit-tracing\n92 {jit-mem-looptoken-alloc\n"
                      "allocating Bridge # 1 of Loop # 2\n92 jit-mem-looptoken-alloc}\n"
                      "95 {jit-backend-addr\nX has address 0x3000 to 0x3080\n"
                      "95 jit-backend-addr}\n97 jit-tracing}\n");
    json_t *root = written(&r);
    assert_sound(root);
    assert_int_equal(json_array_size(at(root, "counters")), 5);
    for (size_t i = 0; i < 5; i++) {
        json_t *counter = find_counter(root, expected[i][0]);
        assert_string_equal(text(counter, "category"), expected[i][1]);
        assert_string_equal(text(counter, "display.unit"), expected[i][2]);
        assert_string_equal(text(counter, "display.color"), expected[i][3]);
        assert_string_equal(text(counter, "display.label"), expected[i][0]);
        assert_string_equal(text(counter, "display.tooltipRows.0.format.unit"), expected[i][2]);
        assert_true(number(counter, "display.sortWeight") == (double)(10 + i));
        assert_string_equal(text(counter, "pid"), "77");
    }
    json_decref(root);
    recording_release(&r);
}

/* Differences, of which the first is not looked at: nothing, then all of it at once. */
static void a_counters_rows_are_differences(void **state)
{
    (void)state;
    static const double times[] = {70, 70, 70, 200}, counts[] = {0, 0, 128, 0};
    struct recording r;
    begin(&r, RPYTHON, trace);
    json_t *root = written(&r), *samples = at(find_counter(root, "Machine code"), "samples");
    assert_int_equal(number(samples, "length"), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(json_number_value(cell(samples, "time", i)) == times[i]);
        assert_true(json_number_value(cell(samples, "count", i)) == counts[i]);
    }
    json_decref(root);
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_sound_and_has_its_schema),
        cmocka_unit_test(only_kinds_in_use_have_schemas),
        cmocka_unit_test(a_collection_is_written_with_its_fields),
        cmocka_unit_test(a_trace_has_its_texts_in_the_string_table),
        cmocka_unit_test(a_trace_may_have_sixteen_fields),
        cmocka_unit_test(what_takes_no_time_is_an_instant),
        cmocka_unit_test(what_shows_in_the_overview_says_so),
        cmocka_unit_test(odd_texts_are_valid_json),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(missing_samples_are_the_main_threads),
        cmocka_unit_test(the_runtime_is_a_thread_of_milliseconds),
        cmocka_unit_test(its_frames_are_of_a_library_of_its_own),
        cmocka_unit_test(a_counter_has_its_unit_and_colour),
        cmocka_unit_test(a_counters_rows_are_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

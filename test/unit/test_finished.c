/* Finished files: names come in, nothing else changes. */
#include "test.h"

#include "base/buf.h"
#include "finished/json_text.h"
#include "finished_story.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- helpers --------------------------------------------------------------------------------- */

struct done {
    json_t *root;
    struct vf_buf text;
    struct vf_symbolicated told;
};

static struct done symbolicate(const char *file)
{
    struct done done = {0};
    struct vf_error error = {0};
    struct vf_symbolicate_options options = finished_story_options();
    json_error_t why;
    if (vf_finished_symbolicate(&done.text, vf_str_from(file), &options, &done.told, &error) !=
        VF_OK)
        fail_msg("%s", error.text);
    done.root = json_loadb(done.text.ptr, done.text.len, JSON_REJECT_DUPLICATES, &why);
    if (!done.root)
        fail_msg("no JSON: column %d: %s\n%.*s", why.column, why.text, (int)done.text.len,
                 done.text.ptr);
    return done;
}

/* The story with change[1] in place of change[0]. */
static struct vf_buf changed(const char *const change[2])
{
    const char *place = strstr(finished_story, change[0]);
    struct vf_buf file = {0};
    assert_non_null(place);
    vf_buf_add(&file, finished_story, (size_t)(place - finished_story));
    vf_buf_str(&file, vf_str_from(change[1]));
    vf_buf_str(&file, vf_str_from(place + strlen(change[0])));
    return file;
}

static void done_release(struct done *done)
{
    json_decref(done->root);
    vf_buf_release(&done->text);
}

static json_t *at(json_t *value, const char *path)
{
    char copy[100], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *word = strsep(&rest, "."); word; word = strsep(&rest, "."))
        value = json_is_array(value) ? json_array_get(value, strtoul(word, NULL, 10))
                                     : json_object_get(value, word);
    if (!value)
        fail_msg("there is no %s", path);
    return value;
}

static void assert_value(json_t *root, const char *path, const char *expected)
{
    char *text = json_dumps(at(root, path), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, expected);
    free(text);
}

static json_t *cell(json_t *root, const char *table, const char *column, json_int_t row)
{
    char path[60];
    snprintf(path, sizeof path, "shared.%s.%s.%lld", table, column, (long long)row);
    return at(root, path);
}

static json_int_t number(json_t *root, const char *table, const char *column, json_int_t row)
{
    json_t *value = cell(root, table, column, row);
    return json_is_null(value) ? -1 : json_integer_value(value);
}

static const char *string(json_t *root, json_int_t row)
{
    return json_string_value(json_array_get(at(root, "shared.stringArray"), (size_t)row));
}

/* The stack of a row, innermost first: "inner:4<outer:12<main". */
static const char *stack(json_t *root, json_int_t row, char out[200])
{
    out[0] = 0;
    for (;;) {
        json_int_t frame = number(root, "stackTable", "frame", row);
        json_int_t func = number(root, "frameTable", "func", frame);
        json_int_t line = number(root, "frameTable", "line", frame);
        json_int_t prefix = number(root, "stackTable", "prefixOffset", row);
        strcat(out, string(root, number(root, "funcTable", "name", func)));
        if (line >= 0)
            sprintf(out + strlen(out), ":%lld", (long long)line);
        if (prefix == 0)
            return out;
        strcat(out, "<");
        row -= prefix;
    }
}

static void assert_stacks(json_t *root, const char *column, const char *const *expected,
                          size_t count)
{
    char have[200], path[60];
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "threads.0.%s.%zu", column, i);
        json_t *row = at(root, path);
        if (expected[i])
            assert_string_equal(stack(root, json_integer_value(row), have), expected[i]);
        else
            assert_true(json_is_null(row));
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void functions_get_names_lines_and_what_is_inlined(void **state)
{
    struct done done = symbolicate(finished_story);
    /* The signal's handler is gone, and what called it ends the sample. */
    const char *const expected[] = {"outer<main",
                                    "inner:4<outer:12<main",
                                    "namedA:8<inner:4<outer:12<main",
                                    NULL,
                                    "outer<main",
                                    "outer<main",
                                    "main"};
    const char *const allocations[] = {"inner:4<outer:12<main"};
    (void)state;
    assert_stacks(done.root, "samples.stack", expected, 7);
    assert_stacks(done.root, "nativeAllocations.stack", allocations, 1);
    char have[200];
    json_t *cause = at(done.root, "threads.0.markers.data.0.cause.stack");
    assert_string_equal(stack(done.root, json_integer_value(cause), have),
                        "namedA:8<inner:4<outer:12<main");
    assert_value(done.root, "shared.stackTable.length", "5");
    assert_int_equal(json_array_size(at(done.root, "shared.stackTable.frame")), 5);
    assert_int_equal(done.told.functions, 3);
    assert_int_equal(done.told.named, 2);
    assert_int_equal(done.told.unnamed, 0);
    assert_int_equal(done.told.inlined, 1);
    done_release(&done);
}

static void tables_grow_in_all_their_columns(void **state)
{
    static const char *const tables[] = {"frameTable", "funcTable", "nativeSymbols", "sources"};
    struct done done = symbolicate(finished_story);
    const char *key;
    json_t *column;
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char path[60];
        snprintf(path, sizeof path, "shared.%s", tables[i]);
        json_t *table = at(done.root, path);
        size_t length = (size_t)json_integer_value(json_object_get(table, "length"));
        json_object_foreach(table, key, column) if (json_is_array(column))
            assert_int_equal(json_array_size(column), length);
    }
    /* The frame of the inlined function is in the same place as that of its function, in all that
     * is said of it, also what this vmfox has not heard of. */
    assert_value(done.root, "shared.frameTable.address", "[1,256,260,512,770,260]");
    assert_value(done.root, "shared.frameTable.inlineDepth", "[0,0,0,0,0,1]");
    assert_value(done.root, "shared.frameTable.category", "[1,3,2,3,3,2]");
    assert_value(done.root, "shared.frameTable.new.5", "{\"c\":[1,2]}");
    assert_value(done.root, "shared.sources.content", "[\"pass\\n\",\"int x;\\n\",null]");
    assert_value(done.root, "shared.sources.startLine", "[1,1,1]");
    json_int_t func = number(done.root, "frameTable", "func", 2);
    json_int_t native = number(done.root, "frameTable", "nativeSymbol", 2);
    assert_int_equal(number(done.root, "frameTable", "nativeSymbol", 5), native);
    assert_int_equal(number(done.root, "funcTable", "lineNumber", func), 10);
    assert_int_equal(number(done.root, "funcTable", "resource", func), 0);
    assert_true(json_is_false(cell(done.root, "funcTable", "isJS", func)));
    assert_string_equal(string(done.root, number(done.root, "nativeSymbols", "name", native)),
                        "outer_raw");
    assert_int_equal(number(done.root, "nativeSymbols", "functionSize", native), 64);
    done_release(&done);
}

static void what_is_known_already_stays(void **state)
{
    struct done first = symbolicate(finished_story);
    vf_buf_add(&first.text, "", 1);
    struct done again = symbolicate(first.text.ptr);
    (void)state;
    /* "other" is known now where the file has a name with a line. */
    assert_string_equal(string(first.root, 3), "namedA");
    assert_int_equal(again.told.frames, 0);
    assert_int_equal(again.text.len, first.text.len - 1);
    assert_memory_equal(again.text.ptr, first.text.ptr, again.text.len);
    done_release(&first);
    done_release(&again);
}

static void profile_info_says_what_was_done(void **state)
{
    struct done done = symbolicate(finished_story);
    json_t *entries = at(done.root, "meta.extra.0.entries");
    (void)state;
    assert_int_equal(json_array_size(entries), 2);
    assert_value(entries, "0.value", "\"0\"");
    assert_string_equal(json_string_value(at(entries, "1.label")), "Symbols");
    assert_non_null(strstr(json_string_value(at(entries, "1.value")),
                           "2 of 3 functions got a name; 0 have none"));
    done_release(&done);
}

static void frames_of_an_older_lookup_make_room(void **state)
{
    struct done done = symbolicate(finished_story_70);
    const char *const expected[] = {"outer<main",
                                    "inner:4<outer:12<main",
                                    "inner:4<outer:12<main",
                                    NULL,
                                    "outer<main",
                                    "outer<main",
                                    "main"};
    (void)state;
    assert_stacks(done.root, "samples.stack", expected, 7);
    assert_value(done.root, "shared.frameTable.lib", "[1,0,0,0,0,0]");
    done_release(&done);
}

static void other_files_are_refused_with_the_place(void **state)
{
    static const struct {
        const char *file, *expected;
        uint64_t offset;
    } files[] = {
        {"[]", "expected a JSON object", 0},
        {"{\"meta\":{}", "expected the end of the object", 10},
        {"{\"meta\":{}}", "expected meta.preprocessedProfileVersion", 8},
        {"{\"meta\":{\"preprocessedProfileVersion\":55}}", "expected format version 69", 38},
        {"{\"meta\":{\"preprocessedProfileVersion\":75}}", "found 75, which is newer", 38},
        {"{\"meta\":{\"preprocessedProfileVersion\":69},\"shared\":{}}",
         "expected \"shared\" to have stackTable.frame, found none", 51},
        {"{\"meta\":{\"preprocessedProfileVersion\":69},\"shared\":{\"stackTable\":{\"frame\":"
         "[0,1.5]}}}",
         "expected shared.stackTable.frame to be a list of whole numbers", 74},
        {"{\"meta\":{\"preprocessedProfileVersion\":69},\"shared\":{\"stackTable\":{\"frame\":[0],"
         "\"prefixOffset\":[0,0]}}}",
         "expected 1 values in shared.stackTable.prefixOffset, found 2", 93},
    };
    struct vf_symbolicate_options options = finished_story_options();
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct vf_buf out = {0};
        struct vf_error error = {0};
        struct vf_symbolicated told;
        assert_int_equal(
            vf_finished_symbolicate(&out, vf_str_from(files[i].file), &options, &told, &error),
            VF_FATAL);
        assert_int_equal(out.len, 0);
        if (!strstr(error.text, files[i].expected) || error.offset != files[i].offset)
            fail_msg("%s: byte %d: %s", files[i].file, (int)error.offset, error.text);
    }
}

static enum vf_status symbolicate_changed(const char *const change[2], struct vf_error *error)
{
    struct vf_symbolicate_options options = finished_story_options();
    struct vf_buf file = changed(change), out = {0};
    struct vf_symbolicated told;
    enum vf_status status =
        vf_finished_symbolicate(&out, vf_buf_view(&file), &options, &told, error);
    vf_buf_release(&file);
    vf_buf_release(&out);
    return status;
}

static void rows_that_lead_nowhere_do_no_harm(void **state)
{
    static const char *const changes[][2] = {
        {"\"frame\":[0,1,3,2,4]", "\"frame\":[0,1,9,2,4]"},
        {"\"prefixOffset\":[0,1,1,3,1]", "\"prefixOffset\":[0,1,1,9,1]"},
        {"\"func\":[0,1,1,2,3]", "\"func\":[0,9,-4,2,3]"},
        {"\"name\":[1,2,3],", "\"name\":[9,-1,3],"},
        {"\"name\":[0,1,2,3,7]", "\"name\":[0,99,2,null,7]"},
        {"\"lib\":[0,1]", "\"lib\":[7,-3]"},
        {"\"libIndex\":[0,0,0]", "\"libIndex\":[5,-5,0]"},
        {"\"stack\":[2,3,4,null,1,2,0]", "\"stack\":[2,33,-4,null,1,2,0]"},
        {"\"stack\":4}", "\"stack\":444}"},
        {"\"filename\":[5]", "\"filename\":[50]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct vf_error error = {0};
        assert_true(symbolicate_changed(changes[i], &error) == VF_OK || error.text[0]);
    }
}

/* Else samples would get stacks that are others' by now. */
static void rows_of_stacks_that_are_no_whole_numbers_are_refused(void **state)
{
    static const char *const changes[][2] = {
        {"\"stack\":[2,3,4,null,1,2,0]", "\"stack\":[2.0,3,4,null,1,2,0]"},
        {"\"stack\":[3],", "\"stack\":{},"},
        {"\"stack\":4}", "\"stack\":4.5}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct vf_error error = {0};
        assert_int_equal(symbolicate_changed(changes[i], &error), VF_FATAL);
        assert_non_null(strstr(error.text, "expected rows of stacks as whole numbers"));
        assert_true(error.has_offset);
    }
}

static void every_cut_is_refused(void **state)
{
    struct vf_symbolicate_options options = finished_story_options();
    (void)state;
    for (size_t length = 0; length < strlen(finished_story) - 2; length++) {
        char *copy = malloc(length + 1); /* without a byte behind it, for the sanitizers */
        struct vf_buf out = {0};
        struct vf_error error = {0};
        struct vf_symbolicated told;
        memcpy(copy, finished_story, length);
        char *end = realloc(copy, length ? length : 1);
        assert_int_equal(
            vf_finished_symbolicate(&out, (struct vf_str){end, length}, &options, &told, &error),
            VF_FATAL);
        assert_true(error.text[0]);
        free(end);
        vf_buf_release(&out);
    }
}

static void strings_are_read_as_json_writes_them(void **state)
{
    static const char *const strings[][2] = {
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"\\ud83dx\\udc00\"", "\xef\xbf\xbdx\xef\xbf\xbd"},
        {"\"\\u\\u\\u\\u\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\\u12\"", "\xef\xbf\xbd"
                      "12"},
        {"17", ""},
    };
    struct vf_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        struct vf_str text = vf_json_to_text(vf_str_from(strings[i][0]), &arena);
        assert_true(vf_str_eq(text, vf_str_from(strings[i][1])));
    }
    vf_arena_release(&arena);
}

static void texts_hide_no_brackets(void **state)
{
    struct vf_str object =
        VF_STR("{ \"a\" : \"}]\\\"{\\\\\" , \"b\":[ {\"]\":[1]} ,2 ] ,\"c\": -7}");
    struct vf_json_walk walk;
    struct vf_str item;
    int32_t value;
    (void)state;
    assert_true(vf_str_eq(vf_json_member(object, VF_STR("a")), VF_STR("\"}]\\\"{\\\\\"")));
    assert_true(vf_json_enter(&walk, vf_json_member(object, VF_STR("b")), '['));
    assert_true(vf_json_next_item(&walk, &item));
    assert_true(vf_str_eq(item, VF_STR("{\"]\":[1]}")));
    assert_true(vf_json_next_item(&walk, &item));
    assert_true(vf_str_eq(item, VF_STR("2")));
    assert_false(vf_json_next_item(&walk, &item));
    assert_true(vf_json_to_int(vf_json_member(object, VF_STR("c")), &value));
    assert_int_equal(value, -7);
    assert_null(vf_json_member(object, VF_STR("d")).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_get_names_lines_and_what_is_inlined),
        cmocka_unit_test(tables_grow_in_all_their_columns),
        cmocka_unit_test(what_is_known_already_stays),
        cmocka_unit_test(profile_info_says_what_was_done),
        cmocka_unit_test(frames_of_an_older_lookup_make_room),
        cmocka_unit_test(other_files_are_refused_with_the_place),
        cmocka_unit_test(rows_that_lead_nowhere_do_no_harm),
        cmocka_unit_test(rows_of_stacks_that_are_no_whole_numbers_are_refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(strings_are_read_as_json_writes_them),
        cmocka_unit_test(texts_hide_no_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

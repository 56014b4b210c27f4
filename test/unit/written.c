#include "test.h"

#include "written.h"

#include "output/firefox.h"

#include <stdio.h>

json_t *written(struct recording *r)
{
    struct vf_buf out = {0};
    json_error_t why;
    recording_build(r);
    vf_firefox_write(&out, &r->profile, 0, NULL);
    json_t *root = json_loadb(out.ptr, out.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
    if (!root)
        fail_msg("no JSON: line %d column %d: %s", why.line, why.column, why.text);
    vf_buf_release(&out);
    return root;
}

json_t *at(json_t *value, const char *path)
{
    char copy[200], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *word = strsep(&rest, "."); word; word = strsep(&rest, ".")) {
        value = json_is_array(value) ? json_array_get(value, strtoul(word, NULL, 10))
                                     : json_object_get(value, word);
        if (!value)
            fail_msg("%s: there is no %s", path, word);
    }
    return value;
}

double number(json_t *value, const char *path)
{
    value = at(value, path);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

const char *text(json_t *value, const char *path)
{
    value = at(value, path);
    assert_true(json_is_string(value));
    return json_string_value(value);
}

json_t *cell(json_t *table, const char *column, size_t row)
{
    json_t *value = json_array_get(at(table, column), row);
    assert_non_null(value);
    return value;
}

static void assert_row(json_t *table, const char *column, size_t row, json_t *other,
                       const char *name)
{
    json_t *value = cell(table, column, row);
    if (json_is_null(value))
        return;
    json_int_t i = json_integer_value(value);
    if (!json_is_integer(value) || i < -1 ||
        i >= (json_int_t)json_array_size(json_is_array(other) ? other : at(other, name)))
        fail_msg("%s of row %zu leads nowhere", column, row);
}

/* Each table's columns are as long as its `length` says. */
static void assert_columns(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    json_t *length = json_object_get(value, "length");
    json_array_foreach(value, i, item) assert_columns(item);
    json_object_foreach(value, key, item)
    {
        assert_columns(item);
        if (json_is_integer(length) && json_is_array(item) &&
            (json_int_t)json_array_size(item) != json_integer_value(length))
            fail_msg("%s has %zu rows", key, json_array_size(item));
    }
}

static void assert_references(json_t *root)
{
    json_t *shared = at(root, "shared"), *strings = at(shared, "stringArray");
    json_t *stacks = at(shared, "stackTable"), *frames = at(shared, "frameTable");
    json_t *funcs = at(shared, "funcTable"), *natives = at(shared, "nativeSymbols");
    for (size_t i = 0; i < json_array_size(at(stacks, "frame")); i++) {
        double offset = json_number_value(cell(stacks, "prefixOffset", i));
        assert_row(stacks, "frame", i, frames, "func");
        assert_true(offset >= 0 && offset <= (double)i);
    }
    for (size_t i = 0; i < json_array_size(at(frames, "func")); i++) {
        json_t *category = at(root, "meta.categories");
        assert_row(frames, "func", i, funcs, "name");
        assert_row(frames, "nativeSymbol", i, natives, "name");
        assert_row(frames, "category", i, category, NULL);
        category =
            json_array_get(category, (size_t)json_integer_value(cell(frames, "category", i)));
        assert_row(frames, "subcategory", i, category, "subcategories");
    }
    for (size_t i = 0; i < json_array_size(at(funcs, "name")); i++) {
        assert_row(funcs, "name", i, strings, NULL);
        assert_row(funcs, "resource", i, at(shared, "resourceTable"), "lib");
        assert_row(funcs, "source", i, at(shared, "sources"), "filename");
    }
    for (size_t i = 0; i < json_array_size(at(natives, "name")); i++)
        assert_row(natives, "libIndex", i, at(root, "libs"), NULL);
}

void assert_sound(json_t *root)
{
    size_t t;
    json_t *thread, *samples;
    assert_columns(root);
    assert_references(root);
    json_array_foreach(at(root, "threads"), t, thread)
    {
        samples = at(thread, "samples");
        for (size_t i = 0; i < json_array_size(at(samples, "stack")); i++) {
            assert_row(samples, "stack", i, at(root, "shared.stackTable"), "frame");
            assert_true(json_number_value(cell(samples, "timeDeltas", i)) >= 0);
        }
    }
}

const char *string_at(json_t *root, json_t *table, const char *column, size_t row)
{
    size_t i = (size_t)json_integer_value(cell(table, column, row));
    return json_string_value(json_array_get(at(root, "shared.stringArray"), i));
}

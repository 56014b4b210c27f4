#include "finished/file.h"

#include "base/progress.h"

/* ---- libraries ------------------------------------------------------------------------------- */

static struct vf_str text_of(struct vf_finished_libs *libs, struct vf_str lib, struct vf_str key)
{
    struct vf_str value = vf_json_member(lib, key);
    return value.len ? vf_arena_str(&libs->arena, vf_json_to_text(value, &libs->arena))
                     : VF_STR("");
}

static void read_libs(struct vf_finished_libs *libs, struct vf_str list)
{
    enum { LIBS_MAX = 100000 }; /* functions of others keep their names */
    struct vf_json_walk walk;
    struct vf_str lib;
    if (!vf_json_enter(&walk, list, '['))
        return;
    while (libs->v.len < LIBS_MAX && vf_json_next_item(&walk, &lib)) {
        struct vf_finished_lib *row = VF_PUSH(&libs->v);
        row->name = text_of(libs, lib, VF_STR("name"));
        row->path = text_of(libs, lib, VF_STR("path"));
        row->debug_name = text_of(libs, lib, VF_STR("debugName"));
        row->code_id = text_of(libs, lib, VF_STR("codeId"));
        row->breakpad_id = text_of(libs, lib, VF_STR("breakpadId"));
    }
}

void vf_finished_libs_read(struct vf_finished_libs *libs, struct vf_str text)
{
    *libs = (struct vf_finished_libs){0};
    read_libs(libs, vf_json_member(text, VF_STR("libs")));
}

void vf_finished_libs_release(struct vf_finished_libs *libs)
{
    free(libs->v.items);
    vf_arena_release(&libs->arena);
    *libs = (struct vf_finished_libs){0};
}

/* ---- columns --------------------------------------------------------------------------------- */

bool vf_column_read(struct vf_column *column, struct vf_str value)
{
    struct vf_json_walk walk;
    struct vf_str item;
    *column = (struct vf_column){0};
    if (!vf_json_enter(&walk, value, '['))
        return false;
    while (vf_json_next_item(&walk, &item)) {
        int32_t number;
        if (!vf_json_to_int(item, &number))
            return false;
        VF_APPEND(column, number);
    }
    return true;
}

static const struct {
    const char *table, *key;
    bool optional;
} places[VF_FINISHED_COLUMNS] = {
    [VF_STACK_FRAME] = {"stackTable", "frame", false},
    [VF_STACK_PREFIX] = {"stackTable", "prefixOffset", false},
    [VF_FRAME_ADDRESS] = {"frameTable", "address", false},
    [VF_FRAME_DEPTH] = {"frameTable", "inlineDepth", false},
    [VF_FRAME_FUNC] = {"frameTable", "func", false},
    [VF_FRAME_NATIVE] = {"frameTable", "nativeSymbol", false},
    [VF_FRAME_LINE] = {"frameTable", "line", false},
    [VF_FRAME_LIB] = {"frameTable", "lib", true},
    [VF_FUNC_NAME] = {"funcTable", "name", false},
    [VF_FUNC_RESOURCE] = {"funcTable", "resource", false},
    [VF_FUNC_SOURCE] = {"funcTable", "source", false},
    [VF_FUNC_LINE] = {"funcTable", "lineNumber", false},
    [VF_RESOURCE_LIB] = {"resourceTable", "lib", true},
    [VF_NATIVE_LIB] = {"nativeSymbols", "libIndex", false},
    [VF_NATIVE_ADDRESS] = {"nativeSymbols", "address", false},
    [VF_NATIVE_NAME] = {"nativeSymbols", "name", false},
    [VF_NATIVE_SIZE] = {"nativeSymbols", "functionSize", false},
    [VF_SOURCE_FILENAME] = {"sources", "filename", false},
};

static uint64_t offset_of(const struct vf_finished *file, struct vf_str value)
{
    return value.ptr ? (uint64_t)(value.ptr - file->text.ptr) : 0;
}

static enum vf_status read_column(struct vf_finished *file, size_t i, struct vf_error *error)
{
    struct vf_str table = vf_json_member(file->shared, vf_str_from(places[i].table));
    struct vf_str value = vf_json_member(table, vf_str_from(places[i].key));
    if (!value.len && places[i].optional)
        return VF_OK;
    if (!value.len)
        return vf_fail_at(error, offset_of(file, file->shared),
                          "expected \"shared\" to have %s.%s, found none", places[i].table,
                          places[i].key);
    if (!vf_column_read(&file->columns[i], value))
        return vf_fail_at(
            error, offset_of(file, value),
            "expected shared.%s.%s to be a list of whole numbers, found another value",
            places[i].table, places[i].key);
    if (i && strcmp(places[i].table, places[i - 1].table) == 0 &&
        file->columns[i].len != file->columns[i - 1].len)
        return vf_fail_at(
            error, offset_of(file, value), "expected %zu values in shared.%s.%s, found %zu",
            file->columns[i - 1].len, places[i].table, places[i].key, file->columns[i].len);
    return VF_OK;
}

static void read_strings(struct vf_finished *file)
{
    struct vf_json_walk walk;
    struct vf_str value;
    if (!vf_json_enter(&walk, vf_json_member(file->shared, VF_STR("stringArray")), '['))
        return;
    while (vf_json_next_item(&walk, &value))
        VF_APPEND(&file->strings, vf_json_to_text(value, &file->arena));
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum vf_status check_version(const struct vf_finished *file, struct vf_error *error)
{
    enum { SHARED_TABLES = 69, NEWEST = 70 }; /* from 71 on frames have flags for inlineDepth */
    int32_t version;
    struct vf_str value = vf_json_member(file->meta, VF_STR("preprocessedProfileVersion"));
    if (!vf_json_to_int(value, &version) || version == VF_JSON_NULL)
        return vf_fail_at(error, offset_of(file, file->meta),
                          "expected meta.preprocessedProfileVersion, found none: this is no "
                          "processed Firefox Profiler file");
    if (version < SHARED_TABLES)
        return vf_fail_at(error, offset_of(file, value),
                          "expected format version %d or later, found %d: open it at "
                          "profiler.firefox.com and save it again",
                          SHARED_TABLES, version);
    if (version > NEWEST)
        return vf_fail_at(error, offset_of(file, value),
                          "expected format version %d or %d, found %d, which is newer: take the "
                          "recording, or the file as vmfox wrote it",
                          SHARED_TABLES, NEWEST, version);
    return VF_OK;
}

static enum vf_status check_end(struct vf_str text, const struct vf_json_walk *walk,
                                struct vf_error *error)
{
    if (walk->rest.len && walk->rest.ptr[0] == '}')
        return VF_OK;
    return vf_fail_at(error, (uint64_t)(walk->rest.ptr - text.ptr),
                      "expected the end of the object, found the end of the file or no JSON");
}

enum vf_status vf_finished_ends(struct vf_str text, struct vf_error *error)
{
    struct vf_json_walk walk;
    struct vf_str key, value;
    if (!vf_json_enter(&walk, text, '{'))
        return vf_fail_at(error, 0, "expected a JSON object, found another value");
    while (vf_json_next_member(&walk, &key, &value))
        continue;
    return check_end(text, &walk, error);
}

enum vf_status vf_finished_read(struct vf_finished *file, struct vf_str text,
                                struct vf_error *error)
{
    struct vf_json_walk walk;
    struct vf_str key, value, libs = {0};
    *file = (struct vf_finished){.text = text};
    if (!vf_json_enter(&walk, text, '{'))
        return vf_fail_at(error, 0, "expected a JSON object, found another value");
    vf_progress_begin("reading %s", VF_PROGRESS_PARTS, 0);
    while (vf_json_next_member(&walk, &key, &value)) {
        if (vf_str_eq(key, VF_STR("meta")))
            file->meta = value;
        else if (vf_str_eq(key, VF_STR("libs")))
            libs = value;
        else if (vf_str_eq(key, VF_STR("shared")))
            file->shared = value;
        else if (vf_str_eq(key, VF_STR("threads")))
            file->threads = value;
    }
    enum vf_status status = check_end(text, &walk, error);
    if (status == VF_OK)
        status = check_version(file, error);
    for (size_t i = 0; status == VF_OK && i < VF_FINISHED_COLUMNS; i++)
        status = read_column(file, i, error);
    if (status != VF_OK)
        return status;
    read_libs(&file->libs, libs);
    read_strings(file);
    return VF_OK;
}

void vf_finished_release(struct vf_finished *file)
{
    for (size_t i = 0; i < VF_FINISHED_COLUMNS; i++)
        free(file->columns[i].items);
    free(file->strings.items);
    vf_finished_libs_release(&file->libs);
    vf_arena_release(&file->arena);
    *file = (struct vf_finished){0};
}

int32_t vf_finished_frame_lib(const struct vf_finished *file, int32_t frame)
{
    if (file->columns[VF_FRAME_LIB].len)
        return vf_finished_get(file, VF_FRAME_LIB, frame);
    int32_t func = vf_finished_get(file, VF_FRAME_FUNC, frame);
    int32_t resource = vf_finished_get(file, VF_FUNC_RESOURCE, func);
    return vf_finished_get(file, VF_RESOURCE_LIB, resource);
}

#include "capture/bytecode.h"

struct parse {
    struct vf_bytecode *out;
    struct vf_table names; /* of out->names, by text */
    uint32_t file, function;
    bool in_code;
};

/* \t, \n, \r and \\ stand for a tab, line ends and a backslash. */
static struct vf_str unescape(struct vf_bytecode *out, struct vf_str text)
{
    static const char letters[] = "tnr\\", meant[] = "\t\n\r\\";
    if (text.len == 0 || !memchr(text.ptr, '\\', text.len))
        return text;
    char *copy = vf_arena_alloc(&out->arena, text.len);
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *found = NULL;
        if (text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1])
            found = strchr(letters, text.ptr[i + 1]);
        copy[length++] = found ? meant[found - letters] : text.ptr[i];
        i += found != NULL;
    }
    return (struct vf_str){copy, length};
}

static uint32_t add_name(struct parse *p, struct vf_str text)
{
    struct vf_str name = unescape(p->out, text);
    uint64_t hash = vf_hash_bytes(name.ptr, name.len);
    struct vf_probe probe = vf_table_probe(&p->names, hash);
    uint32_t row;
    while (vf_table_next(&p->names, &probe, &row))
        if (vf_str_eq(p->out->names.items[row], name))
            return row;
    row = (uint32_t)p->out->names.len;
    vf_table_insert(&p->names, hash, row);
    VF_APPEND(&p->out->names, name);
    return row;
}

static uint64_t hash_place(struct vf_str file, struct vf_str function, uint32_t offset,
                           uint32_t line, struct vf_str opcode)
{
    return vf_hash_u64(vf_hash_bytes(file.ptr, file.len) ^
                           vf_hash_bytes(function.ptr, function.len) * 3 ^
                           vf_hash_bytes(opcode.ptr, opcode.len) * 5,
                       (uint64_t)offset << 32 | line);
}

static struct vf_bytecode_row *find_row(const struct vf_bytecode *b, struct vf_str file,
                                        struct vf_str function, uint32_t offset, uint32_t line,
                                        struct vf_str opcode)
{
    struct vf_probe probe =
        vf_table_probe(&b->index, hash_place(file, function, offset, line, opcode));
    uint32_t i;
    while (vf_table_next(&b->index, &probe, &i)) {
        struct vf_bytecode_row *row = &b->rows.items[i];
        if (row->offset == offset && row->line == line && vf_str_eq(row->opcode, opcode) &&
            vf_str_eq(b->names.items[row->file], file) &&
            vf_str_eq(b->names.items[row->function], function))
            return row;
    }
    return NULL;
}

static bool read_number(struct vf_str text, uint32_t *out)
{
    uint64_t value;
    if (!vf_str_to_u64(text, 10, &value) || value > INT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static void add_instruction(struct parse *p, struct vf_str offset_text, struct vf_str line)
{
    struct vf_bytecode *b = p->out;
    struct vf_bytecode_row row = {.file = p->file, .function = p->function};
    if (!p->in_code || !read_number(offset_text, &row.offset) ||
        !read_number(vf_str_cut(&line, '\t'), &row.line))
        return;
    row.opcode = vf_str_cut(&line, '\t');
    row.argument = unescape(b, line);
    struct vf_str file = b->names.items[row.file], function = b->names.items[row.function];
    struct vf_bytecode_row *had = find_row(b, file, function, row.offset, row.line, row.opcode);
    if (had) {
        if (!vf_str_eq(had->argument, row.argument))
            had->argument = VF_STR(""); /* two functions that can't be told apart */
        return;
    }
    vf_table_insert(&b->index, hash_place(file, function, row.offset, row.line, row.opcode),
                    (uint32_t)b->rows.len);
    VF_APPEND(&b->rows, row);
}

void vf_bytecode_parse(struct vf_bytecode *bytecode, struct vf_str text)
{
    struct parse p = {.out = bytecode};
    *bytecode = (struct vf_bytecode){0};
    p.file = add_name(&p, VF_STR(""));
    while (text.len) {
        struct vf_str line = vf_str_cut(&text, '\n'), word = vf_str_cut(&line, '\t');
        if (vf_str_eq(word, VF_STR("file"))) {
            p.file = add_name(&p, line);
            p.in_code = false;
        } else if (vf_str_eq(word, VF_STR("code"))) {
            p.function = add_name(&p, vf_str_cut(&line, '\t'));
            p.in_code = true;
        } else {
            add_instruction(&p, word, line);
        }
    }
    vf_table_release(&p.names);
}

void vf_bytecode_release(struct vf_bytecode *bytecode)
{
    free(bytecode->rows.items);
    free(bytecode->names.items);
    vf_table_release(&bytecode->index);
    vf_arena_release(&bytecode->arena);
    *bytecode = (struct vf_bytecode){0};
}

struct vf_str vf_bytecode_argument(const struct vf_bytecode *bytecode,
                                   const struct vf_jit_point *point)
{
    const struct vf_bytecode_row *row =
        find_row(bytecode, point->place.file, point->place.function, point->place.offset,
                 point->place.line, point->opcode);
    return row ? row->argument : VF_STR("");
}

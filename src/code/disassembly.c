#include "code/disassembly.h"

#include "code/machine.h"

#include <stdio.h>

static void put_hex(struct vf_json *json, const char *key, uint64_t value)
{
    char number[24];
    vf_json_key(json, key);
    snprintf(number, sizeof number, "0x%llx", (unsigned long long)value);
    vf_json_str(json, vf_str_from(number));
}

void vf_asm_begin(struct vf_json *json, uint64_t start, uint64_t size, struct vf_str arch)
{
    vf_json_begin(json, '{');
    put_hex(json, "startAddress", start);
    put_hex(json, "size", size);
    vf_json_key(json, "arch");
    vf_json_str(json, arch);
    vf_json_key(json, "syntax");
    vf_json_begin(json, '[');
    vf_json_str(json, VF_STR("Intel"));
    vf_json_end(json, ']');
    vf_json_key(json, "instructions");
    vf_json_begin(json, '[');
}

void vf_asm_row(struct vf_json *json, uint64_t offset, struct vf_str text)
{
    vf_json_begin(json, '[');
    vf_json_uint(json, offset);
    vf_json_str(json, text);
    vf_json_end(json, ']');
}

void vf_asm_end(struct vf_json *json)
{
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

/* The target of a call or jump out of the function: its operand is an address alone, while other
 * instructions' numbers may be anything. */
static bool find_target(struct vf_str text, uint64_t *target)
{
    static const char *const branches[] = {"call", "bl", "b", "brasl", "jal"};
    struct vf_str rest = text, name = vf_str_cut(&rest, ' ');
    bool known = vf_str_starts(name, VF_STR("j")); /* jmp, je, ... */
    for (size_t i = 0; i < sizeof branches / sizeof *branches && !known; i++)
        known = vf_str_eq(name, vf_str_from(branches[i]));
    if (known && vf_str_starts(rest, VF_STR("#")))
        vf_str_cut(&rest, '#');
    return known && vf_str_starts(rest, VF_STR("0x")) &&
           vf_str_to_u64((struct vf_str){rest.ptr + 2, rest.len - 2}, 16, target);
}

static void add_name(const struct vf_disassembly *d, size_t indent, struct vf_buf *text)
{
    uint64_t target;
    struct vf_buf name = {0};
    struct vf_str instruction = {text->ptr + indent, text->len - indent};
    if (d->name && find_target(instruction, &target) && target - d->start >= d->code.len &&
        d->name(d->context, target, &name)) {
        vf_buf_str(text, VF_STR("  <"));
        vf_buf_str(text, vf_buf_view(&name));
        vf_buf_str(text, VF_STR(">"));
    }
    vf_buf_release(&name);
}

void vf_disassembly_targets(struct vf_str code, uint64_t start, struct vf_str arch,
                            void (*add)(void *to, uint64_t address), void *to)
{
    struct vf_machine machine;
    struct vf_buf text = {0};
    uint64_t target;
    vf_machine_open(&machine, arch);
    for (size_t at = 0; at < code.len;) {
        struct vf_str rest = {code.ptr + at, code.len - at};
        text.len = 0;
        at += vf_machine_next(&machine, rest, start + at, start, 0, &text);
        if (find_target(vf_buf_view(&text), &target) && target - start >= code.len)
            add(to, target);
    }
    vf_machine_close(&machine);
    vf_buf_release(&text);
}

void vf_disassembly_write(struct vf_buf *out, const struct vf_disassembly *d)
{
    enum { LISTED_MAX = 1 << 20 }; /* bytes; the longest functions of interpreters have 60 kB */
    struct vf_json json = {.out = out};
    struct vf_machine machine;
    static const char indent[] = "    ";
    struct vf_buf text = {0}, line = {0}, before = {0};
    vf_machine_open(&machine, d->arch);
    vf_asm_begin(&json, d->start, d->code.len, d->arch);
    for (struct vf_str note = d->note; note.len;)
        vf_asm_row(&json, 0, vf_str_cut(&note, '\n'));
    for (size_t at = 0; at < d->code.len;) {
        struct vf_str rest = {d->code.ptr + at, d->code.len - at};
        if (at >= LISTED_MAX) {
            vf_asm_row(&json, at, VF_STR("(the rest is not listed: the function is too long)"));
            break;
        }
        line.len = text.len = 0;
        vf_buf_str(&text, vf_str_from(indent));
        if (d->line && !d->line(d->context, d->start + at, &line) && before.len)
            vf_buf_str(&line, VF_STR("(no line)"));
        if (line.len && !vf_str_eq(vf_buf_view(&line), vf_buf_view(&before))) {
            vf_asm_row(&json, at, vf_buf_view(&line));
            before.len = 0;
            vf_buf_str(&before, vf_buf_view(&line));
        }
        size_t step = vf_machine_next(&machine, rest, d->start + at, d->start, 0, &text);
        add_name(d, sizeof indent - 1, &text);
        vf_asm_row(&json, at, vf_buf_view(&text));
        at += step;
    }
    vf_asm_end(&json);
    vf_machine_close(&machine);
    vf_buf_release(&text);
    vf_buf_release(&line);
    vf_buf_release(&before);
}

#include "unwind_rule.h"
#include "unwind_bytes.h"

enum {
    MAX_ENTRY = 1 << 16, /* bytes; thousands are already out of the common */
    MAX_REMEMBERED = 8,
    CFA_ADVANCE = 0x40, /* the upper two bits; the others are an operand */
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE1 = 0x02,
    CFA_ADVANCE2 = 0x03,
    CFA_ADVANCE4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

/* The part of a rule that instructions change. */
struct row {
    bool cfa_is_expression;
    uint8_t cfa_register;
    int64_t cfa_value;
    uint8_t where[VF_REG_COUNT];
    int64_t value[VF_REG_COUNT];
};

/* What a CIE, the part that entries have in common, says. */
struct common {
    uint64_t code_align;
    int64_t data_align;
    unsigned pointer_form;
    bool sized, signal_frame;
    struct vf_bytes program;
};

struct machine {
    const struct common *common;
    uint64_t pc, wanted, header;
    struct row row, initial, remembered[MAX_REMEMBERED];
    unsigned remembered_count;
};

/* The bytes of the CIE or FDE at `address`, behind its length. */
static bool open_entry(struct vf_memory *memory, uint64_t address, struct vf_bytes *b)
{
    if (!vf_memory_readable(memory, address, 4))
        return false;
    *b = (struct vf_bytes){address, address + 4, false};
    uint64_t size = vf_bytes_number(b, 4);
    if (size < 4 || size > MAX_ENTRY) /* 64-bit lengths, 0xffffffff, are written by nobody */
        return false;
    b->end = b->at + size;
    return vf_memory_readable(memory, b->at, size);
}

static void read_augmentation(struct vf_bytes *b, const char *letters, struct common *common)
{
    uint64_t end = 0;
    if (*letters == 'z') {
        uint64_t size = vf_bytes_uleb(b);
        b->failed |= size > b->end - b->at;
        end = b->at + size;
        common->sized = true;
        letters++;
    }
    for (; *letters && !b->failed; letters++) {
        if (*letters == 'L')
            vf_bytes_number(b, 1);
        else if (*letters == 'R')
            common->pointer_form = (unsigned)vf_bytes_number(b, 1);
        else if (*letters == 'P') {
            unsigned form = (unsigned)vf_bytes_number(b, 1);
            vf_bytes_pointer(b, form & 0x0f, 0);
        } else if (*letters == 'S')
            common->signal_frame = true;
        else
            break;
    }
    if (common->sized)
        b->at = end;
    else if (*letters)
        b->failed = true;
}

static bool read_common(struct vf_memory *memory, uint64_t address, struct common *common)
{
    struct vf_bytes b;
    char letters[8] = {0};
    *common = (struct common){.pointer_form = VF_PTR_ABSOLUTE};
    if (!open_entry(memory, address, &b) || vf_bytes_number(&b, 4) != 0)
        return false;
    uint64_t version = vf_bytes_number(&b, 1);
    if (version != 1 && version != 3 && version != 4)
        return false;
    for (unsigned i = 0;; i++) {
        char letter = (char)vf_bytes_number(&b, 1);
        if (!letter)
            break;
        if (i < sizeof letters - 1)
            letters[i] = letter;
    }
    if (version == 4)
        vf_bytes_number(&b, 2); /* sizes of addresses and segments */
    common->code_align = vf_bytes_uleb(&b);
    common->data_align = vf_bytes_sleb(&b);
    uint64_t return_column = version == 1 ? vf_bytes_number(&b, 1) : vf_bytes_uleb(&b);
    read_augmentation(&b, letters, common);
    common->program = b;
    return !b.failed && return_column == VF_REG_RIP;
}

static bool set(struct machine *m, uint64_t reg, enum vf_where where, int64_t value)
{
    if (reg >= VF_REG_COUNT)
        return true; /* of vectors and the like: nobody looks for them */
    m->row.where[reg] = (uint8_t)where;
    m->row.value[reg] = value;
    return true;
}

static bool restore(struct machine *m, uint64_t reg)
{
    if (reg >= VF_REG_COUNT)
        return true;
    m->row.where[reg] = m->initial.where[reg];
    m->row.value[reg] = m->initial.value[reg];
    return true;
}

static bool set_cfa_register(struct machine *m, uint64_t reg)
{
    m->row.cfa_is_expression = false;
    m->row.cfa_register = (uint8_t)reg;
    return reg < VF_REG_COUNT;
}

static uint64_t skip_expression(struct vf_bytes *b)
{
    uint64_t address = b->at, size = vf_bytes_uleb(b);
    if (size > b->end - b->at)
        b->failed = true;
    else
        b->at += size;
    return address;
}

static bool remember(struct machine *m)
{
    if (m->remembered_count == MAX_REMEMBERED)
        return false;
    m->remembered[m->remembered_count++] = m->row;
    return true;
}

static bool recall(struct machine *m)
{
    if (m->remembered_count == 0)
        return false;
    m->row = m->remembered[--m->remembered_count];
    return true;
}

static int64_t scaled(const struct machine *m, int64_t number)
{
    return (int64_t)((uint64_t)number * (uint64_t)m->common->data_align);
}

/* Instructions about the CFA; false: not understood. */
static bool run_cfa(struct machine *m, unsigned op, struct vf_bytes *b)
{
    bool known = true;
    switch (op) {
    case CFA_DEF_CFA:
        known = set_cfa_register(m, vf_bytes_uleb(b));
        m->row.cfa_value = (int64_t)vf_bytes_uleb(b);
        return known;
    case CFA_DEF_CFA_SF:
        known = set_cfa_register(m, vf_bytes_uleb(b));
        m->row.cfa_value = scaled(m, vf_bytes_sleb(b));
        return known;
    case CFA_DEF_CFA_REGISTER:
        return set_cfa_register(m, vf_bytes_uleb(b));
    case CFA_DEF_CFA_OFFSET:
        m->row.cfa_value = (int64_t)vf_bytes_uleb(b);
        return true;
    case CFA_DEF_CFA_OFFSET_SF:
        m->row.cfa_value = scaled(m, vf_bytes_sleb(b));
        return true;
    case CFA_DEF_CFA_EXPRESSION:
        m->row.cfa_is_expression = true;
        m->row.cfa_value = (int64_t)skip_expression(b);
        return true;
    default:
        return false;
    }
}

/* Instructions about one register. */
static bool run_register(struct machine *m, unsigned op, struct vf_bytes *b)
{
    uint64_t reg = vf_bytes_uleb(b);
    switch (op) {
    case CFA_OFFSET_EXTENDED:
        return set(m, reg, VF_WHERE_CFA, scaled(m, (int64_t)vf_bytes_uleb(b)));
    case CFA_OFFSET_EXTENDED_SF:
        return set(m, reg, VF_WHERE_CFA, scaled(m, vf_bytes_sleb(b)));
    case CFA_GNU_NEGATIVE_OFFSET:
        return set(m, reg, VF_WHERE_CFA, -scaled(m, (int64_t)vf_bytes_uleb(b)));
    case CFA_RESTORE_EXTENDED:
        return restore(m, reg);
    case CFA_UNDEFINED:
        return set(m, reg, VF_WHERE_UNDEFINED, 0);
    case CFA_SAME_VALUE:
        return set(m, reg, VF_WHERE_SAME, 0);
    case CFA_REGISTER: {
        uint64_t other = vf_bytes_uleb(b);
        return other < VF_REG_COUNT && set(m, reg, VF_WHERE_REGISTER, (int64_t)other);
    }
    case CFA_EXPRESSION:
        return set(m, reg, VF_WHERE_AT, (int64_t)skip_expression(b));
    case CFA_VAL_EXPRESSION:
        return set(m, reg, VF_WHERE_IS, (int64_t)skip_expression(b));
    default:
        return false; /* DW_CFA_val_offset among them, which no compiler for x86-64 writes */
    }
}

static bool run_instruction(struct machine *m, struct vf_bytes *b)
{
    unsigned op = (unsigned)vf_bytes_number(b, 1), operand = op & 0x3f;
    switch (op & 0xc0) {
    case CFA_ADVANCE:
        m->pc += operand * m->common->code_align;
        return true;
    case CFA_OFFSET:
        return set(m, operand, VF_WHERE_CFA, scaled(m, (int64_t)vf_bytes_uleb(b)));
    case CFA_RESTORE:
        return restore(m, operand);
    default:
        break;
    }
    switch (op) {
    case CFA_NOP:
        return true;
    case CFA_SET_LOC:
        m->pc = vf_bytes_pointer(b, m->common->pointer_form, m->header);
        return true;
    case CFA_ADVANCE1:
        m->pc += vf_bytes_number(b, 1) * m->common->code_align;
        return true;
    case CFA_ADVANCE2:
        m->pc += vf_bytes_number(b, 2) * m->common->code_align;
        return true;
    case CFA_ADVANCE4:
        m->pc += vf_bytes_number(b, 4) * m->common->code_align;
        return true;
    case CFA_REMEMBER_STATE:
        return remember(m);
    case CFA_RESTORE_STATE:
        return recall(m);
    case CFA_GNU_ARGS_SIZE:
        vf_bytes_uleb(b);
        return true;
    default:
        return run_cfa(m, op, b) || run_register(m, op, b);
    }
}

static bool run(struct machine *m, struct vf_bytes b, bool to_the_end)
{
    while (b.at < b.end && (to_the_end || m->pc <= m->wanted))
        if (!run_instruction(m, &b) || b.failed)
            return false;
    return true;
}

/* Where the table of .eh_frame_hdr says that the function at `pc` has its entry (FDE); 0: none. */
static uint64_t find_entry(struct vf_memory *memory, const struct vf_object *object, uint64_t pc)
{
    enum { TABLE = VF_PTR_HEADER | VF_PTR_S4, ROW = 8 };
    uint64_t header = object->header;
    if (header < object->start || header >= object->end || object->end - header < 20 ||
        !vf_memory_readable(memory, header, 20))
        return 0;
    struct vf_bytes b = {header, header + 20, false};
    uint64_t version = vf_bytes_number(&b, 1);
    unsigned frame_form = (unsigned)vf_bytes_number(&b, 1);
    unsigned count_form = (unsigned)vf_bytes_number(&b, 1);
    unsigned table_form = (unsigned)vf_bytes_number(&b, 1);
    if (version != 1 || table_form != TABLE || count_form == VF_PTR_NONE)
        return 0;
    if (frame_form != VF_PTR_NONE)
        vf_bytes_pointer(&b, frame_form, header);
    uint64_t count = vf_bytes_pointer(&b, count_form, header);
    if (b.failed || count == 0 || count > (object->end - b.at) / ROW ||
        !vf_memory_readable(memory, b.at + (count - 1) * ROW, ROW))
        return 0;
    uint64_t low = 0, high = count; /* the last row that begins at or before pc is before `high` */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2, row = b.at + middle * ROW;
        struct vf_bytes at = {row, row + ROW, false};
        if (vf_bytes_pointer(&at, TABLE, header) > pc)
            high = middle;
        else
            low = middle + 1;
    }
    if (high == 0)
        return 0;
    struct vf_bytes at = {b.at + (high - 1) * ROW + 4, b.at + high * ROW, false};
    uint64_t entry = vf_bytes_pointer(&at, TABLE, header);
    return entry >= object->start && entry < object->end ? entry : 0;
}

static void keep(const struct machine *m, const struct common *common, struct vf_rule *rule)
{
    const struct row *row = &m->row;
    rule->signal_frame = common->signal_frame;
    rule->cfa_is_expression = row->cfa_is_expression;
    rule->cfa_register = row->cfa_register;
    rule->cfa_value = row->cfa_value;
    memcpy(rule->where, row->where, sizeof rule->where);
    memcpy(rule->value, row->value, sizeof rule->value);
}

int vf_rule_find(struct vf_memory *memory, uint64_t pc, struct vf_rule *rule)
{
    struct vf_object object;
    struct common common;
    struct vf_bytes b;
    if (!vf_object_find(memory, pc, &object))
        return VF_UNWIND_NO_INFO;
    uint64_t entry = find_entry(memory, &object, pc);
    if (!entry || !open_entry(memory, entry, &b))
        return VF_UNWIND_NO_INFO;
    uint64_t place = b.at, back = vf_bytes_number(&b, 4);
    if (!read_common(memory, place - back, &common))
        return VF_UNWIND_INVALID;
    rule->entry = entry;
    rule->entry_bytes = (uint32_t)(b.end - entry);
    rule->common = place - back;
    rule->common_bytes = (uint32_t)(common.program.end - rule->common);
    rule->start = vf_bytes_pointer(&b, common.pointer_form, object.header);
    rule->end = rule->start + vf_bytes_pointer(&b, common.pointer_form & 0x0f, 0);
    if (common.sized) {
        uint64_t size = vf_bytes_uleb(&b);
        b.failed |= size > b.end - b.at;
        b.at += b.failed ? 0 : size;
    }
    if (b.failed)
        return VF_UNWIND_INVALID;
    if (pc < rule->start || pc >= rule->end)
        return VF_UNWIND_NO_INFO;
    struct machine m = {
        .common = &common, .pc = rule->start, .wanted = pc, .header = object.header};
    if (!run(&m, common.program, true))
        return VF_UNWIND_INVALID;
    m.initial = m.row;
    m.pc = rule->start;
    if (!run(&m, b, false))
        return VF_UNWIND_INVALID;
    keep(&m, &common, rule);
    return 0;
}

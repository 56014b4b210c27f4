#include "unwind_bytes.h"
#include "unwind_rule.h"

enum {
    DEPTH = 32,
    MAX_OPERATIONS = 1000, /* branches may go back */
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08, /* then 1 signed, 2, 4 and 8 bytes likewise */
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_DIV = 0x1b,
    OP_MINUS = 0x1c,
    OP_MOD = 0x1d,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_BREGX = 0x92,
    OP_DEREF_SIZE = 0x94,
    OP_NOP = 0x96,
};

struct stack {
    struct vf_memory *memory;
    const uint64_t *registers;
    uint64_t values[DEPTH];
    unsigned count;
    bool failed;
};

static void push(struct stack *s, uint64_t value)
{
    if (s->count == DEPTH)
        s->failed = true;
    else
        s->values[s->count++] = value;
}

static uint64_t pop(struct stack *s)
{
    if (s->count == 0) {
        s->failed = true;
        return 0;
    }
    return s->values[--s->count];
}

static uint64_t peek(struct stack *s, uint64_t depth)
{
    if (depth >= s->count) {
        s->failed = true;
        return 0;
    }
    return s->values[s->count - 1 - depth];
}

static void push_register(struct stack *s, uint64_t reg, int64_t offset)
{
    if (reg >= VF_REG_COUNT)
        s->failed = true;
    else
        push(s, s->registers[reg] + (uint64_t)offset);
}

static void dereference(struct stack *s, uint64_t size)
{
    uint64_t address = pop(s), value = 0;
    if (size == 0 || size > 8 || !vf_memory_readable(s->memory, address, size)) {
        s->failed = true;
        return;
    }
    memcpy(&value, (const void *)address, size);
    push(s, value);
}

static uint64_t shift_right_signed(uint64_t value, uint64_t by)
{
    bool negative = value >> 63;
    if (by > 63)
        return negative ? UINT64_MAX : 0;
    uint64_t shifted = value >> by;
    return negative && by ? shifted | ~UINT64_C(0) << (64 - by) : shifted;
}

/* Division as DWARF has it, signed, and its one overflow without a trap. */
static uint64_t divide(struct stack *s, uint64_t a, uint64_t b)
{
    if (b == 0) {
        s->failed = true;
        return 0;
    }
    return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t remainder_of(struct stack *s, uint64_t a, uint64_t b)
{
    if (b == 0) {
        s->failed = true;
        return 0;
    }
    return a % b;
}

static bool run_binary(struct stack *s, unsigned op)
{
    if (op < OP_AND || op > OP_NE || op == OP_NEG || op == OP_NOT || op == OP_PLUS_UCONST ||
        op == OP_BRA)
        return false;
    uint64_t b = pop(s), a = pop(s);
    int64_t x = (int64_t)a, y = (int64_t)b;
    switch (op) {
    case OP_AND:
        push(s, a & b);
        break;
    case OP_DIV:
        push(s, divide(s, a, b));
        break;
    case OP_MINUS:
        push(s, a - b);
        break;
    case OP_MOD:
        push(s, remainder_of(s, a, b));
        break;
    case OP_MUL:
        push(s, a * b);
        break;
    case OP_OR:
        push(s, a | b);
        break;
    case OP_PLUS:
        push(s, a + b);
        break;
    case OP_SHL:
        push(s, b > 63 ? 0 : a << b);
        break;
    case OP_SHR:
        push(s, b > 63 ? 0 : a >> b);
        break;
    case OP_SHRA:
        push(s, shift_right_signed(a, b));
        break;
    case OP_XOR:
        push(s, a ^ b);
        break;
    case OP_EQ:
        push(s, x == y);
        break;
    case OP_GE:
        push(s, x >= y);
        break;
    case OP_GT:
        push(s, x > y);
        break;
    case OP_LE:
        push(s, x <= y);
        break;
    case OP_LT:
        push(s, x < y);
        break;
    default:
        push(s, x != y);
        break;
    }
    return true;
}

static bool run_stack(struct stack *s, unsigned op, struct vf_bytes *b)
{
    uint64_t first, second, third;
    switch (op) {
    case OP_DUP:
        push(s, peek(s, 0));
        return true;
    case OP_DROP:
        pop(s);
        return true;
    case OP_OVER:
        push(s, peek(s, 1));
        return true;
    case OP_PICK:
        push(s, peek(s, vf_bytes_number(b, 1)));
        return true;
    case OP_SWAP:
        first = pop(s), second = pop(s);
        push(s, first), push(s, second);
        return true;
    case OP_ROT:
        first = pop(s), second = pop(s), third = pop(s);
        push(s, first), push(s, third), push(s, second);
        return true;
    case OP_ABS:
        first = pop(s);
        push(s, first >> 63 ? 0 - first : first);
        return true;
    case OP_NEG:
        push(s, 0 - pop(s));
        return true;
    case OP_NOT:
        push(s, ~pop(s));
        return true;
    case OP_PLUS_UCONST:
        push(s, pop(s) + vf_bytes_uleb(b));
        return true;
    default:
        return false;
    }
}

static bool run_constant(struct stack *s, unsigned op, struct vf_bytes *b)
{
    if (op >= OP_CONST1U && op <= OP_CONST8S) {
        unsigned size = 1u << ((op - OP_CONST1U) / 2), unused = 64 - 8 * size;
        uint64_t number = vf_bytes_number(b, size);
        if (op & 1) /* signed */
            number = shift_right_signed(number << unused, unused);
        push(s, number);
    } else if (op == OP_ADDR)
        push(s, vf_bytes_number(b, 8));
    else if (op == OP_CONSTU)
        push(s, vf_bytes_uleb(b));
    else if (op == OP_CONSTS)
        push(s, (uint64_t)vf_bytes_sleb(b));
    else if (op >= OP_LIT0 && op <= OP_LIT31)
        push(s, op - OP_LIT0);
    else if (op >= OP_BREG0 && op <= OP_BREG31)
        push_register(s, op - OP_BREG0, vf_bytes_sleb(b));
    else if (op == OP_BREGX) {
        uint64_t reg = vf_bytes_uleb(b);
        push_register(s, reg, vf_bytes_sleb(b));
    } else if (op == OP_DEREF)
        dereference(s, 8);
    else if (op == OP_DEREF_SIZE)
        dereference(s, vf_bytes_number(b, 1));
    else
        return op == OP_NOP;
    return true;
}

/* A branch to before the expression begins fails, as one behind its end does. */
static bool run_branch(struct stack *s, unsigned op, struct vf_bytes *b, uint64_t start)
{
    if (op != OP_BRA && op != OP_SKIP)
        return false;
    uint64_t by = (uint64_t)(int64_t)(int16_t)vf_bytes_number(b, 2), to = b->at + by;
    if (op == OP_BRA && pop(s) == 0)
        return true;
    b->failed |= to < start || to > b->end;
    b->at = to;
    return true;
}

int vf_expression_run(struct vf_memory *memory, uint64_t address,
                      const uint64_t registers[VF_REG_COUNT], uint64_t first, uint64_t *result)
{
    enum { LONGEST_LENGTH = 10, LONGEST = 1 << 16 };
    struct stack s = {.memory = memory, .registers = registers};
    unsigned operations = 0;
    if (!vf_memory_readable(memory, address, 1))
        return VF_UNWIND_INVALID;
    struct vf_bytes b = {address, address + LONGEST_LENGTH, false};
    while (b.end > address + 1 && !vf_memory_readable(memory, address, b.end - address))
        b.end--; /* the last bytes of what is mapped */
    uint64_t size = vf_bytes_uleb(&b);
    if (b.failed || size > LONGEST || !vf_memory_readable(memory, b.at, size))
        return VF_UNWIND_INVALID;
    b.end = b.at + size;
    uint64_t start = b.at;
    push(&s, first);
    while (b.at < b.end) {
        unsigned op = (unsigned)vf_bytes_number(&b, 1);
        bool known = run_constant(&s, op, &b) || run_stack(&s, op, &b) || run_binary(&s, op) ||
                     run_branch(&s, op, &b, start);
        if (!known || b.failed || s.failed || ++operations > MAX_OPERATIONS)
            return VF_UNWIND_INVALID;
    }
    *result = pop(&s);
    return s.failed ? VF_UNWIND_INVALID : 0;
}

#include "unwind.h"
#include "unwind_cache.h"
#include "unwind_from.h"
#include "unwind_stub.h"
#include <string.h>
#include <ucontext.h>

#define EXPORTED __attribute__((visibility("default")))

enum {
    MAX_STEPS = 2048, /* four times what fits into one of VMProf's samples */
    FARTHEST_GUESS = 0x4000,
};

/* A bit for each register that is known after a call: RBX, RBP, RSP, R12 to R15, RIP. */
#define CALL_KEEPS UINT32_C(0x1f0c8)

struct cursor {
    uint64_t registers[VF_REG_COUNT]; /* RSP is the CFA of the function called last */
    uint32_t unknown;                 /* a bit each: not saved where it can be read */
    uint32_t steps;
    bool interrupted; /* RIP is what comes next; else it is where a call returns to */
    bool delivery;    /* before the interrupted function, see unw_init_local() */
    bool found;       /* `step` is that of RIP */
    struct vf_memory memory;
    struct vf_step step;
};
_Static_assert(sizeof(struct cursor) <= sizeof(unw_cursor_t), "VMProf makes room for no more");

/* Where it does not, walks end where they begin, and VMProf takes the Python functions alone. */
static bool works;

static struct cursor *of(unw_cursor_t *cursor)
{
    return (struct cursor *)cursor;
}

/* ---- where a walk begins ---- */

_Static_assert(offsetof(unw_context_t, registers) == offsetof(ucontext_t, uc_mcontext.gregs),
               "as in the C library");
_Static_assert(sizeof(unw_context_t) <= sizeof(mcontext_t), "VMProf makes room for no more");

/* What a function has to leave as it was, and where it returns to, as if it had returned. */
__asm__(".text\n"
        ".globl _Ux86_64_getcontext\n"
        ".type _Ux86_64_getcontext, @function\n"
        "_Ux86_64_getcontext:\n"
        ".cfi_startproc\n"
        "movq %r12, 72(%rdi)\n"
        "movq %r13, 80(%rdi)\n"
        "movq %r14, 88(%rdi)\n"
        "movq %r15, 96(%rdi)\n"
        "movq %rbp, 120(%rdi)\n"
        "movq %rbx, 128(%rdi)\n"
        "leaq 8(%rsp), %rax\n"
        "movq %rax, 160(%rdi)\n"
        "movq (%rsp), %rax\n"
        "movq %rax, 168(%rdi)\n"
        "xorl %eax, %eax\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size _Ux86_64_getcontext, .-_Ux86_64_getcontext\n");

/* DWARF's numbers of the registers in the order of the C library's. */
static const uint8_t context_registers[VF_REG_COUNT] = {
    8, 9, 10, 11, 12, 13, 14, 15, 5, 4, VF_REG_RBP, VF_REG_RBX, 1, 0, 2, VF_REG_RSP, VF_REG_RIP};

static void take_registers(struct cursor *c, const uint64_t *registers)
{
    for (unsigned i = 0; i < VF_REG_COUNT; i++)
        c->registers[context_registers[i]] = registers[i];
}

static void begin(struct cursor *c, const uint64_t *registers, bool interrupted)
{
    memset(c, 0, offsetof(struct cursor, memory));
    c->delivery = c->interrupted = interrupted;
    take_registers(c, registers);
    if (!interrupted)
        c->unknown = ~CALL_KEEPS;
    vf_memory_init(&c->memory, c->registers[VF_REG_RSP]);
}

EXPORTED int unw_init_local(unw_cursor_t *cursor, unw_context_t *context)
{
    static const uint64_t nowhere[VF_REG_COUNT];
    const unw_context_t *from = vf_unwind_from();
    if (!works)
        begin(of(cursor), nowhere, true);
    else
        begin(of(cursor), from ? from->registers : context->registers, from != NULL);
    return 0;
}

/* ---- what is known of the function ---- */

static uint64_t lookup_pc(const struct cursor *c)
{
    return c->registers[VF_REG_RIP] - !c->interrupted; /* a call may be a function's last */
}

static const struct vf_step *find(struct cursor *c)
{
    if (!c->found)
        vf_step_find(&c->memory, lookup_pc(c), &c->step);
    c->found = true;
    return &c->step;
}

EXPORTED int unw_get_proc_info(unw_cursor_t *cursor, unw_proc_info_t *info)
{
    struct cursor *c = of(cursor);
    const struct vf_step *step = find(c);
    memset(info, 0, sizeof *info);
    bool known = step->kind == VF_STEP_PLAIN || step->kind == VF_STEP_RULE;
    info->start_ip = known ? step->start : c->registers[VF_REG_RIP];
    info->end_ip = known ? step->end : c->registers[VF_REG_RIP] + 1;
    return 0;
}

EXPORTED int unw_get_proc_name(unw_cursor_t *cursor, char *name, size_t size, uint64_t *offset)
{
    (void)cursor, (void)name, (void)size, (void)offset;
    return VF_UNWIND_NO_INFO;
}

EXPORTED int unw_get_reg(unw_cursor_t *cursor, int reg, uint64_t *value)
{
    struct cursor *c = of(cursor);
    if (reg < 0 || reg >= VF_REG_COUNT || c->unknown >> reg & 1)
        return VF_UNWIND_BAD_REGISTER;
    *value = c->registers[reg];
    return 0;
}

/* The instructions that a signal's handler returns to (signal(7), sigreturn(2)). */
static bool at_delivery(struct cursor *c)
{
    static const uint8_t expected[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    uint64_t pc = c->registers[VF_REG_RIP];
    return vf_memory_readable(&c->memory, pc, sizeof expected) &&
           memcmp((const void *)pc, expected, sizeof expected) == 0;
}

EXPORTED int unw_is_signal_frame(unw_cursor_t *cursor)
{
    return of(cursor)->delivery || at_delivery(of(cursor));
}

/* ---- a step by call frame information ---- */

static void load(struct cursor *c, unsigned reg, uint64_t address)
{
    uint64_t value = 0;
    bool readable = vf_memory_word(&c->memory, address, &value);
    c->registers[reg] = value;
    c->unknown = readable ? c->unknown & ~(1u << reg) : c->unknown | 1u << reg;
}

static int finish(struct cursor *c, uint64_t old_pc, uint64_t old_sp, bool is_last)
{
    if (c->unknown >> VF_REG_RIP & 1)
        return VF_UNWIND_INVALID;
    if (is_last)
        c->registers[VF_REG_RIP] = 0;
    else if (c->registers[VF_REG_RIP] == old_pc && c->registers[VF_REG_RSP] == old_sp)
        return VF_UNWIND_BAD_FRAME;
    return is_last ? 0 : 1;
}

static int step_plain(struct cursor *c, const struct vf_step *step)
{
    uint64_t old_pc = c->registers[VF_REG_RIP], old_sp = c->registers[VF_REG_RSP];
    if (c->unknown >> step->cfa_register & 1)
        return VF_UNWIND_INVALID;
    uint64_t cfa = c->registers[step->cfa_register] + (uint64_t)(int64_t)step->cfa_offset;
    for (unsigned i = 0; i < VF_STEP_KEPT; i++)
        if (step->kept_in_frame >> i & 1)
            load(c, vf_step_registers[i], cfa + (uint64_t)(int64_t)step->kept_offset[i]);
    load(c, VF_REG_RIP, cfa + (uint64_t)(int64_t)step->return_offset);
    c->registers[VF_REG_RSP] = cfa;
    c->interrupted = false;
    return finish(c, old_pc, old_sp, step->rbp_undefined);
}

/* One register's value in the caller; `before` is the called function's. */
static int restore(struct cursor *c, const struct cursor *before, const struct vf_rule *rule,
                   unsigned reg, uint64_t cfa)
{
    uint64_t place = (uint64_t)rule->value[reg];
    int error = 0;
    switch (rule->where[reg]) {
    case VF_WHERE_UNDEFINED:
        c->unknown |= 1u << reg;
        break;
    case VF_WHERE_CFA:
        load(c, reg, cfa + place);
        break;
    case VF_WHERE_REGISTER:
        c->registers[reg] = before->registers[place];
        c->unknown = (c->unknown & ~(1u << reg)) | (before->unknown >> place & 1) << reg;
        break;
    case VF_WHERE_AT:
        error = vf_expression_run(&c->memory, place, before->registers, cfa, &place);
        if (!error)
            load(c, reg, place);
        break;
    case VF_WHERE_IS:
        error = vf_expression_run(&c->memory, place, before->registers, cfa, &c->registers[reg]);
        c->unknown &= ~(1u << reg);
        break;
    default: /* VF_WHERE_SAME */
        break;
    }
    return error;
}

static int step_rule(struct cursor *c)
{
    struct vf_rule rule = {0};
    struct cursor before = *c;
    uint64_t cfa;
    int error = vf_rule_find(&c->memory, lookup_pc(c), &rule);
    if (error)
        return error;
    if (rule.cfa_is_expression) {
        error = vf_expression_run(&c->memory, (uint64_t)rule.cfa_value, before.registers, 0, &cfa);
        if (error)
            return error;
    } else {
        if (c->unknown >> rule.cfa_register & 1)
            return VF_UNWIND_INVALID;
        cfa = c->registers[rule.cfa_register] + (uint64_t)rule.cfa_value;
    }
    for (unsigned reg = 0; reg < VF_REG_COUNT; reg++) {
        error = restore(c, &before, &rule, reg, cfa);
        if (error)
            return error;
    }
    bool is_last = rule.where[VF_REG_RIP] == VF_WHERE_UNDEFINED ||
                   rule.where[VF_REG_RBP] == VF_WHERE_UNDEFINED;
    c->unknown &= is_last ? ~(1u << VF_REG_RIP) : ~0u;
    c->registers[VF_REG_RSP] = cfa;
    c->interrupted = rule.signal_frame;
    return finish(c, before.registers[VF_REG_RIP], before.registers[VF_REG_RSP], is_last);
}

/* ---- a step without ---- */

/* The stub of a procedure linkage table: jmp *(…), push, jmp. Nothing is pushed yet in front of it.
 */
static bool at_stub(struct cursor *c)
{
    uint64_t pc = c->registers[VF_REG_RIP], first, second;
    return vf_memory_word(&c->memory, pc, &first) && vf_memory_word(&c->memory, pc + 8, &second) &&
           (first & 0xffff) == 0x25ff && (first >> 48 & 0xff) == 0x68 &&
           (second >> 24 & 0xff) == 0xe9;
}

/* The kernel puts a ucontext_t where the stack pointer of a signal's delivery is. */
static int step_delivery(struct cursor *c)
{
    const unw_context_t *context = (const unw_context_t *)c->registers[VF_REG_RSP];
    if (!vf_memory_readable(&c->memory, c->registers[VF_REG_RSP], sizeof *context))
        return 0;
    take_registers(c, context->registers);
    c->unknown = 0;
    c->interrupted = true;
    return 1;
}

/* A call through a bad pointer: the return address is all that was pushed. */
static bool step_bad_call(struct cursor *c)
{
    uint64_t sp = c->registers[VF_REG_RSP], pc;
    if (!vf_memory_word(&c->memory, sp, &pc) || !vf_memory_readable(&c->memory, pc, 8))
        return false;
    c->registers[VF_REG_RIP] = pc;
    c->registers[VF_REG_RSP] = sp + 8;
    return true;
}

/* RBP as a frame pointer, where it is not far above the stack pointer. */
static int step_frame_pointer(struct cursor *c)
{
    uint64_t rbp = c->registers[VF_REG_RBP], sp = c->registers[VF_REG_RSP], outer, pc;
    if (rbp < sp || rbp - sp > FARTHEST_GUESS || !vf_memory_word(&c->memory, rbp, &outer))
        return 0;
    if (!vf_memory_word(&c->memory, rbp + 8, &pc))
        return VF_UNWIND_INVALID;
    c->registers[VF_REG_RBP] = outer;
    c->registers[VF_REG_RIP] = pc;
    c->registers[VF_REG_RSP] = rbp + 16;
    c->unknown = ~(1u << VF_REG_RIP | 1u << VF_REG_RSP | 1u << VF_REG_RBP);
    return 1;
}

static int step_guess(struct cursor *c)
{
    uint64_t pc = c->registers[VF_REG_RIP];
    if (at_delivery(c))
        return step_delivery(c);
    c->interrupted = false;
    if (at_stub(c)) {
        load(c, VF_REG_RIP, c->registers[VF_REG_RSP]);
        c->registers[VF_REG_RSP] += 8;
        return c->unknown >> VF_REG_RIP & 1 ? VF_UNWIND_INVALID : 1;
    }
    if (c->unknown >> VF_REG_RBP & 1)
        return 0;
    if (!vf_memory_readable(&c->memory, pc, 8) && step_bad_call(c))
        return 1;
    return step_frame_pointer(c);
}

/* Over a piece of code that traces share, so that it is no frame, to the trace.  Only one that
 * called what is further in: of the one at work itself nothing is known of its stack. */
static void step_over_stub(struct cursor *c)
{
    uint64_t pc = c->registers[VF_REG_RIP], sp = c->registers[VF_REG_RSP], caller;
    struct vf_object object;
    if (c->interrupted || find(c)->kind != VF_STEP_NO_INFO ||
        vf_object_find(&c->memory, pc, &object) || !vf_stub_find(&c->memory, pc, &sp, &caller))
        return;
    c->registers[VF_REG_RIP] = caller;
    c->registers[VF_REG_RSP] = sp;
    c->unknown = ~(1u << VF_REG_RIP | 1u << VF_REG_RSP);
    c->found = false;
}

static int step_by(struct cursor *c, const struct vf_step *step)
{
    switch ((enum vf_step_kind)step->kind) {
    case VF_STEP_PLAIN:
        return step_plain(c, step);
    case VF_STEP_RULE: /* the C library tells of a delivery in expressions, one for each register */
        return at_delivery(c) ? step_delivery(c) : step_rule(c);
    case VF_STEP_NO_INFO:
        return step_guess(c);
    case VF_STEP_BAD:
    default:
        return VF_UNWIND_INVALID;
    }
}

EXPORTED int unw_step(unw_cursor_t *cursor)
{
    struct cursor *c = of(cursor);
    if (c->delivery) {
        c->delivery = false;
        return 1;
    }
    if (!works)
        return 0;
    if (++c->steps > MAX_STEPS)
        return VF_UNWIND_BAD_FRAME;
    const struct vf_step *step = find(c);
    c->found = false;
    int result = step_by(c, step);
    if (result > 0)
        step_over_stub(c);
    return result;
}

/* ---- whether all this works here ---- */

/* Tells what can be read from what can't, and finds its own way back to where it was called. */
__attribute__((noinline)) static bool check(void)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_proc_info_t info;
    uint64_t pc;
    unw_getcontext(&context);
    begin(of(&cursor), context.registers, false);
    struct vf_memory *memory = &of(&cursor)->memory;
    if (!vf_memory_readable(memory, (uint64_t)check, 1) ||
        vf_memory_readable(memory, UINT64_C(1) << 63, 1) || vf_memory_readable(memory, 0, 1))
        return false;
    if (unw_get_proc_info(&cursor, &info) < 0 || unw_step(&cursor) <= 0 ||
        unw_get_reg(&cursor, VF_REG_RIP, &pc) < 0)
        return false;
    return info.start_ip == (uint64_t)check && pc == (uint64_t)__builtin_return_address(0);
}

__attribute__((constructor)) static void check_first(void)
{
    works = true;
    works = check();
}

EXPORTED int vmfox_unwind_ready(void)
{
    return works;
}

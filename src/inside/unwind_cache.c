#include "unwind_cache.h"
#include "unwind_hash.h"
#include <stdatomic.h>
#include <string.h>

const uint8_t vf_step_registers[VF_STEP_KEPT] = {VF_REG_RBX, VF_REG_RBP, 12, 13, 14, 15};

enum { ROW_BITS = 11, WORDS = sizeof(struct vf_step) / 8 };
_Static_assert(sizeof(struct vf_step) % 8 == 0, "copied as words");

/* Even `turn`: whole. Odd: being written. */
struct row {
    _Atomic uint32_t turn;
    _Atomic uint64_t pc, identity, words[WORDS];
};

static struct row rows[1 << ROW_BITS];

static struct row *row_of(uint64_t pc)
{
    return &rows[pc * UINT64_C(0x9e3779b97f4a7c15) >> (64 - ROW_BITS)];
}

static bool read_row(struct row *row, uint64_t pc, uint64_t identity, struct vf_step *step)
{
    uint64_t words[WORDS];
    uint32_t turn = atomic_load_explicit(&row->turn, memory_order_acquire);
    bool same = atomic_load_explicit(&row->pc, memory_order_relaxed) == pc &&
                atomic_load_explicit(&row->identity, memory_order_relaxed) == identity;
    if (!same || turn & 1)
        return false;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&row->words[i], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&row->turn, memory_order_relaxed) != turn)
        return false;
    memcpy(step, words, sizeof words);
    return true;
}

static void write_row(struct row *row, uint64_t pc, uint64_t identity, const struct vf_step *step)
{
    uint64_t words[WORDS];
    uint32_t turn = atomic_load_explicit(&row->turn, memory_order_relaxed);
    if (turn & 1 || !atomic_compare_exchange_strong_explicit(
                        &row->turn, &turn, turn + 1, memory_order_acquire, memory_order_relaxed))
        return;
    atomic_thread_fence(memory_order_release);
    memcpy(words, step, sizeof words);
    atomic_store_explicit(&row->pc, pc, memory_order_relaxed);
    atomic_store_explicit(&row->identity, identity, memory_order_relaxed);
    for (unsigned i = 0; i < WORDS; i++)
        atomic_store_explicit(&row->words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&row->turn, turn + 2, memory_order_release);
}

static bool is_short(int64_t value)
{
    return value >= INT32_MIN && value <= INT32_MAX;
}

/* Whether the rule has a plain form. Registers that a function may change are of no account: who
 * called it does not rely on them. */
static bool make_plain(const struct vf_rule *rule, struct vf_step *step)
{
    if (rule->cfa_is_expression || rule->signal_frame || !is_short(rule->cfa_value) ||
        rule->where[VF_REG_RIP] != VF_WHERE_CFA || !is_short(rule->value[VF_REG_RIP]) ||
        rule->where[VF_REG_RSP] != VF_WHERE_SAME)
        return false;
    step->cfa_register = rule->cfa_register;
    step->cfa_offset = (int32_t)rule->cfa_value;
    step->return_offset = (int32_t)rule->value[VF_REG_RIP];
    for (unsigned i = 0; i < VF_STEP_KEPT; i++) {
        uint8_t reg = vf_step_registers[i], where = rule->where[reg];
        if (where == VF_WHERE_CFA && is_short(rule->value[reg])) {
            step->kept_offset[i] = (int32_t)rule->value[reg];
            step->kept_in_frame |= (uint8_t)(1u << i);
        } else if (where == VF_WHERE_UNDEFINED && reg == VF_REG_RBP)
            step->rbp_undefined = 1;
        else if (where != VF_WHERE_SAME)
            return false;
    }
    return true;
}

/* A hash of all that a rule follows from but for the library's place, 0 where it can't be read.
 * Most entries of a library have the same common part. */
static uint64_t hash_entry(struct vf_memory *memory, const struct vf_step *step)
{
    if (memory->common != step->common) {
        if (!vf_memory_of_library(memory, step->common, step->common_bytes))
            return 0;
        memory->common_hash = vf_hash(1, (const void *)step->common, step->common_bytes);
        memory->common = step->common;
    }
    if (!vf_memory_of_library(memory, step->entry, step->entry_bytes))
        return 0;
    return vf_hash(memory->common_hash, (const void *)step->entry, step->entry_bytes);
}

void vf_step_find(struct vf_memory *memory, uint64_t pc, struct vf_step *step)
{
    struct row *row = row_of(pc);
    struct vf_rule rule = {0};
    struct vf_object object;
    bool found = vf_object_find(memory, pc, &object);
    if (found && read_row(row, pc, object.identity, step) && hash_entry(memory, step) == step->hash)
        return;
    memset(step, 0, sizeof *step);
    int error = found ? vf_rule_find(memory, pc, &rule) : VF_UNWIND_NO_INFO;
    if (error) {
        step->kind = error == VF_UNWIND_NO_INFO ? VF_STEP_NO_INFO : VF_STEP_BAD;
        return;
    }
    step->kind = make_plain(&rule, step) ? VF_STEP_PLAIN : VF_STEP_RULE;
    step->start = rule.start;
    step->end = rule.end;
    step->entry = rule.entry;
    step->common = rule.common;
    step->entry_bytes = rule.entry_bytes;
    step->common_bytes = rule.common_bytes;
    step->hash = hash_entry(memory, step);
    if (step->hash)
        write_row(row, pc, object.identity, step);
}

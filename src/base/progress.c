#include "base/progress.h"

static _Atomic(const char *) stage;
static _Atomic int unit;
static _Atomic uint64_t total;
/* Odd while the others are being changed. */
static _Atomic uint32_t turn;

_Atomic uint64_t vf_progress_done;

static void change(const char *new_stage, enum vf_progress_unit new_unit, uint64_t new_done,
                   uint64_t new_total)
{
    atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&stage, new_stage, memory_order_relaxed);
    atomic_store_explicit(&unit, (int)new_unit, memory_order_relaxed);
    atomic_store_explicit(&total, new_total, memory_order_relaxed);
    vf_progress_set(new_done);
    atomic_fetch_add_explicit(&turn, 1, memory_order_release);
}

void vf_progress_begin(const char *new_stage, enum vf_progress_unit new_unit, uint64_t new_total)
{
    change(new_stage, new_unit, 0, new_total);
}

void vf_progress_resume(const struct vf_progress *before)
{
    change(before->stage, before->unit, before->done, before->total);
}

bool vf_progress_get(struct vf_progress *out)
{
    uint32_t before = atomic_load_explicit(&turn, memory_order_acquire);
    *out = (struct vf_progress){
        .stage = atomic_load_explicit(&stage, memory_order_relaxed),
        .unit = (enum vf_progress_unit)atomic_load_explicit(&unit, memory_order_relaxed),
        .turn = before,
        .done = atomic_load_explicit(&vf_progress_done, memory_order_relaxed),
        .total = atomic_load_explicit(&total, memory_order_relaxed),
    };
    atomic_thread_fence(memory_order_acquire);
    return before % 2 == 0 && atomic_load_explicit(&turn, memory_order_relaxed) == before;
}

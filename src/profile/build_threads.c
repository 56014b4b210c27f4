/* Which thread a sample is of. */
#include "profile/build_parts.h"

#include <stdio.h>

/* ---- what the capture tells ------------------------------------------------------------------ */

static uint64_t told_hash(uint64_t number, uint64_t tid)
{
    return vf_hash_u64(number, number ? 0 : tid);
}

/* What the capture tells of a thread, by the number in its root frame or, without one, its id. */
static const struct vf_thread_name *find_told(const struct vf_build *b, uint64_t number,
                                              uint64_t tid)
{
    struct vf_probe probe = vf_table_probe(&b->told_index, told_hash(number, tid));
    uint32_t row;
    while (vf_table_next(&b->told_index, &probe, &row)) {
        const struct vf_thread_name *told = &b->capture->info.threads.items[row];
        if (told->number == number && (number || told->tid == tid))
            return told;
    }
    return NULL;
}

/* The capture's entries for a kernel's id: how many, up to two, and the first. */
static int find_told_tid(const struct vf_build *b, uint64_t tid,
                         const struct vf_thread_name **first)
{
    struct vf_probe probe = vf_table_probe(&b->told_tid_index, vf_hash_u64(tid, 0));
    uint32_t row;
    int count = 0;
    while (count < 2 && vf_table_next(&b->told_tid_index, &probe, &row)) {
        const struct vf_thread_name *told = &b->capture->info.threads.items[row];
        if (told->tid == tid && count++ == 0)
            *first = told;
    }
    return count;
}

static int by_tid_and_time(const void *a, const void *b, void *context)
{
    const struct vf_thread_name *told = context;
    const struct vf_thread_name *x = &told[*(const uint32_t *)a], *y = &told[*(const uint32_t *)b];
    if (x->tid != y->tid)
        return x->tid < y->tid ? -1 : 1;
    return (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns);
}

/* Where some id was used again, and it is told since when: the lives of all ids. */
static void list_lives(struct vf_build *b, bool used_again)
{
    const struct vf_capture_info *info = &b->capture->info;
    if (!used_again)
        return;
    b->lives = vf_alloc(info->threads.len, sizeof *b->lives);
    for (uint32_t i = 0; i < info->threads.len; i++)
        if (info->threads.items[i].number == 0 && info->threads.items[i].from_ns)
            b->lives[b->life_count++] = i;
    if (b->life_count)
        qsort_r(b->lives, b->life_count, sizeof *b->lives, by_tid_and_time, info->threads.items);
}

/* The life of the id at a time, as in struct vf_thread_key; 0 where it had but one. */
static uint32_t find_life(const struct vf_build *b, uint64_t tid, double time_ms)
{
    const struct vf_thread_name *told = b->capture->info.threads.items;
    size_t low = 0, high = b->life_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct vf_thread_name *at = &told[b->lives[middle]];
        if (at->tid < tid || (at->tid == tid && vf_clock_ms(&b->clock, at->from_ns) <= time_ms))
            low = middle + 1;
        else
            high = middle;
    }
    bool before = low > 0 && told[b->lives[low - 1]].tid == tid;
    const struct vf_thread_name *last = before ? &told[b->lives[low - 1]] : NULL;
    if (last && last->until_ns && vf_clock_ms(&b->clock, last->until_ns) <= time_ms)
        return VF_LIFE_UNTOLD;
    bool behind = low < b->life_count && told[b->lives[low]].tid == tid;
    bool two = low > 1 && before && told[b->lives[low - 2]].tid == tid;
    bool two_behind = low + 1 < b->life_count && behind && told[b->lives[low + 1]].tid == tid;
    if (before && (behind || two))
        return b->lives[low - 1] + 1;
    return two_behind ? b->lives[low] + 1 : 0; /* it began before it was told of */
}

void vf_build_index_told(struct vf_build *b)
{
    const struct vf_capture_info *info = &b->capture->info;
    const struct vf_thread_name *first;
    bool used_again = false;
    for (size_t i = 0; i < info->threads.len; i++) {
        const struct vf_thread_name *told = &info->threads.items[i];
        used_again |= told->until_ns || (told->from_ns && find_told_tid(b, told->tid, &first) > 0);
        if (!find_told(b, told->number, told->tid))
            vf_table_insert(&b->told_index, told_hash(told->number, told->tid), (uint32_t)i);
        if (find_told_tid(b, told->tid, &first) < 2)
            vf_table_insert(&b->told_tid_index, vf_hash_u64(told->tid, 0), (uint32_t)i);
    }
    list_lives(b, used_again);
}

/* Of a thread that has no root frame: the one name that there is for the kernel's id, which may
 * have been given out again. */
static const struct vf_thread_name *find_only_told(const struct vf_build *b, uint64_t tid)
{
    const struct vf_thread_name *told = NULL;
    return find_told_tid(b, tid, &told) == 1 ? told : NULL;
}

static void name_thread(struct vf_build *b, struct vf_thread *thread,
                        const struct vf_thread_name *told)
{
    char made[64];
    struct vf_str name = told ? told->name : VF_STR("");
    if (name.len == 0) {
        snprintf(made, sizeof made, thread->is_main ? "MainThread" : "Thread %llu",
                 (unsigned long long)thread->tid);
        name = vf_str_from(made);
    }
    thread->name = vf_strings_add(&b->profile->strings, name);
}

/* ---- new ones -------------------------------------------------------------------------------- */

/* The recorder's threads carry a number in their root frame (key->root); without one, and without
 * the kernel's id, the file's own number tells threads apart: 0 for all on PyPy, the address of the
 * thread's state on CPython.  There, the thread seen first is the main one. */
static struct vf_thread *new_thread(struct vf_build *b, const struct vf_thread_key *key)
{
    struct vf_profile *profile = b->profile;
    uint64_t pid = b->capture->info.pid;
    struct vf_thread *thread = VF_PUSH(&profile->threads);
    if (profile->threads.len == 1) /* it has most samples, or all */
        VF_RESERVE(&thread->samples, b->scan.samples);
    thread->is_main = !b->has_main && (key->tid && pid ? key->tid == pid : key->root == 0);
    b->has_main |= thread->is_main;
    thread->tid = key->tid                 ? key->tid
                  : key->root              ? key->root
                  : thread->is_main && pid ? pid
                                           : key->id;
    const struct vf_thread_name *told = find_told(b, key->root, thread->tid);
    if (key->life1 == VF_LIFE_UNTOLD)
        told = NULL;
    else if (key->life1)
        told = &b->capture->info.threads.items[key->life1 - 1];
    if (told && !key->tid)
        thread->tid = told->tid;
    if (!told && key->tid && !key->life1)
        told = find_only_told(b, key->tid);
    name_thread(b, thread, told);
    return thread;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static uint64_t key_hash(const struct vf_thread_key *key)
{
    return vf_hash_u64(key->tid ^ key->root << 32, key->id ^ key->life1);
}

static uint32_t find_exact(const struct vf_build *b, const struct vf_thread_key *wanted)
{
    struct vf_probe probe = vf_table_probe(&b->thread_index, key_hash(wanted));
    uint32_t row;
    while (vf_table_next(&b->thread_index, &probe, &row)) {
        const struct vf_thread_key *key = &b->thread_keys.items[row];
        if (key->root == wanted->root && key->tid == wanted->tid && key->id == wanted->id &&
            key->life1 == wanted->life1)
            return row;
    }
    return VF_NONE;
}

static struct vf_tid_key *find_tid(const struct vf_build *b, const struct vf_thread_key *key)
{
    struct vf_probe probe = vf_table_probe(&b->tid_index, vf_hash_u64(key->tid, key->life1));
    uint32_t row;
    while (vf_table_next(&b->tid_index, &probe, &row))
        if (b->tid_keys.items[row].tid == key->tid && b->tid_keys.items[row].life1 == key->life1)
            return &b->tid_keys.items[row];
    return NULL;
}

/* A kernel's id is used again by later threads, which then have another number; and not all samples
 * of a thread have its root frame: those are of the last one with the id. */
static uint32_t find_key(const struct vf_build *b, const struct vf_thread_key *wanted)
{
    uint32_t row = wanted->tid && !wanted->root ? VF_NONE : find_exact(b, wanted);
    if (row != VF_NONE || !wanted->tid)
        return row;
    const struct vf_tid_key *last = find_tid(b, wanted);
    bool fits = last && (wanted->root == 0 || b->thread_keys.items[last->key].root == 0);
    return fits ? last->key : VF_NONE;
}

/* The same by the kernel's id that the capture has for the root's number. */
static uint32_t find_told_key(const struct vf_build *b, const struct vf_thread_key *wanted)
{
    struct vf_thread_key key = *wanted;
    const struct vf_thread_name *told = NULL;
    if (b->instructions.count && key.root && !key.tid)
        told = find_told(b, key.root, 0);
    if (!told || !told->tid)
        return VF_NONE;
    key.tid = told->tid;
    return find_key(b, &key);
}

static void add_key(struct vf_build *b, struct vf_thread_key key)
{
    uint32_t row = (uint32_t)b->thread_keys.len;
    vf_table_insert(&b->thread_index, key_hash(&key), row);
    VF_APPEND(&b->thread_keys, key);
    struct vf_tid_key *last = key.tid ? find_tid(b, &key) : NULL;
    if (last) {
        last->key = row;
    } else if (key.tid) {
        vf_table_insert(&b->tid_index, vf_hash_u64(key.tid, key.life1), (uint32_t)b->tid_keys.len);
        VF_APPEND(&b->tid_keys, ((struct vf_tid_key){key.tid, key.life1, row}));
    }
}

/* The column may lack rows: a thread goes on under what is told of it without one, and the other
 * way round. */
static void add_other_key(struct vf_build *b, struct vf_thread_key key, uint64_t id)
{
    const struct vf_thread *thread = &b->profile->threads.items[key.thread];
    bool told = key.root || thread->is_main;
    key.life1 = 0;
    if (key.tid) {
        key.id = key.root ? 0 : id;
        key.tid = 0;
        told |= id != 0;
    } else {
        key.id = 0;
        key.tid = thread->tid;
        told &= thread->tid != key.root;
    }
    if (told && find_exact(b, &key) == VF_NONE)
        add_key(b, key);
}

/* A thread of which the root frame is seen only now. */
static void adopt_root(struct vf_build *b, uint32_t row, uint64_t root)
{
    struct vf_thread_key *key = &b->thread_keys.items[row];
    struct vf_thread *thread = &b->profile->threads.items[key->thread];
    key->root = root;
    vf_table_insert(&b->thread_index, key_hash(key), row);
    if (!thread->is_main)
        name_thread(b, thread, find_told(b, root, key->tid));
    key->outside = !vf_window_has_thread(&b->options.window, b->profile, thread);
}

struct vf_thread *vf_build_find_thread(struct vf_build *b, uint64_t root, uint64_t tid, uint64_t id,
                                       double time_ms)
{
    struct vf_profile *profile = b->profile;
    /* A root's number or a kernel's id is enough, and CPython's number is used again by later
     * threads. */
    struct vf_thread_key key = {.root = root, .tid = tid, .id = root || tid ? 0 : id};
    if (b->lives && tid)
        key.life1 = find_life(b, tid, time_ms);
    if (b->thread_keys.len) {
        const struct vf_thread_key *last = &b->thread_keys.items[b->last_key];
        if (last->root == key.root && last->tid == key.tid && last->id == key.id &&
            last->life1 == key.life1)
            return &profile->threads.items[last->thread];
    }
    uint32_t row = find_key(b, &key);
    if (row == VF_NONE)
        row = find_told_key(b, &key);
    if (row != VF_NONE) {
        if (root && b->thread_keys.items[row].root == 0)
            adopt_root(b, row, root);
        b->last_key = row;
        return &profile->threads.items[b->thread_keys.items[row].thread];
    }
    b->last_key = (uint32_t)b->thread_keys.len;
    key.thread = (uint32_t)profile->threads.len;
    struct vf_thread *thread = new_thread(b, &key);
    key.outside = !vf_window_has_thread(&b->options.window, profile, thread);
    add_key(b, key);
    if (b->instructions.count)
        add_other_key(b, key, id);
    return thread;
}

void vf_build_release_threads(struct vf_build *b)
{
    vf_table_release(&b->thread_index);
    vf_table_release(&b->tid_index);
    vf_table_release(&b->told_index);
    vf_table_release(&b->told_tid_index);
    free(b->thread_keys.items);
    free(b->tid_keys.items);
    free(b->lives);
}

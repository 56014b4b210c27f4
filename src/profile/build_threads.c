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

void vf_build_index_told(struct vf_build *b)
{
    const struct vf_capture_info *info = &b->capture->info;
    const struct vf_thread_name *first;
    for (size_t i = 0; i < info->threads.len; i++) {
        const struct vf_thread_name *told = &info->threads.items[i];
        if (!find_told(b, told->number, told->tid))
            vf_table_insert(&b->told_index, told_hash(told->number, told->tid), (uint32_t)i);
        if (find_told_tid(b, told->tid, &first) < 2)
            vf_table_insert(&b->told_tid_index, vf_hash_u64(told->tid, 0), (uint32_t)i);
    }
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
    if (told && !key->tid)
        thread->tid = told->tid;
    if (!told && key->tid)
        told = find_only_told(b, key->tid);
    name_thread(b, thread, told);
    return thread;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static uint64_t key_hash(const struct vf_thread_key *key)
{
    return vf_hash_u64(key->tid ^ key->root << 32, key->id);
}

static uint32_t find_exact(const struct vf_build *b, const struct vf_thread_key *wanted)
{
    struct vf_probe probe = vf_table_probe(&b->thread_index, key_hash(wanted));
    uint32_t row;
    while (vf_table_next(&b->thread_index, &probe, &row)) {
        const struct vf_thread_key *key = &b->thread_keys.items[row];
        if (key->root == wanted->root && key->tid == wanted->tid && key->id == wanted->id)
            return row;
    }
    return VF_NONE;
}

static struct vf_tid_key *find_tid(const struct vf_build *b, uint64_t tid)
{
    struct vf_probe probe = vf_table_probe(&b->tid_index, vf_hash_u64(tid, 0));
    uint32_t row;
    while (vf_table_next(&b->tid_index, &probe, &row))
        if (b->tid_keys.items[row].tid == tid)
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
    const struct vf_tid_key *last = find_tid(b, wanted->tid);
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
    struct vf_tid_key *last = key.tid ? find_tid(b, key.tid) : NULL;
    if (last) {
        last->key = row;
    } else if (key.tid) {
        vf_table_insert(&b->tid_index, vf_hash_u64(key.tid, 0), (uint32_t)b->tid_keys.len);
        VF_APPEND(&b->tid_keys, ((struct vf_tid_key){key.tid, row}));
    }
}

/* The column may lack rows: a thread goes on under what is told of it without one, and the other
 * way round. */
static void add_other_key(struct vf_build *b, struct vf_thread_key key, uint64_t id)
{
    const struct vf_thread *thread = &b->profile->threads.items[key.thread];
    bool told = key.root || thread->is_main;
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

struct vf_thread *vf_build_find_thread(struct vf_build *b, uint64_t root, uint64_t tid, uint64_t id)
{
    struct vf_profile *profile = b->profile;
    /* A root's number or a kernel's id is enough, and CPython's number is used again by later
     * threads. */
    struct vf_thread_key key = {.root = root, .tid = tid, .id = root || tid ? 0 : id};
    if (b->thread_keys.len) {
        const struct vf_thread_key *last = &b->thread_keys.items[b->last_key];
        if (last->root == key.root && last->tid == key.tid && last->id == key.id)
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

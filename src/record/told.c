#include "record/told.h"

#include <string.h>

/* The bytes of a name in JSON, as many as they may be; a mark that its readers count as a value
 * costs as much as an escape. */
static size_t weight(struct vf_str name)
{
    enum { ESCAPE = 6, REPLACEMENT = 3 };
    size_t sum = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool marked = c < ' ' || c == '"' || c == '\\' || c == ',' || c == '{' || c == '[';
        sum += marked ? ESCAPE : c >= 0x80 ? REPLACEMENT : 1;
    }
    return sum;
}

static struct vf_str name_of(const struct vf_told_thread *thread)
{
    return vf_str_from(thread->name ? thread->name : "");
}

static struct vf_told_thread *find(struct vf_told *told, uint64_t tid)
{
    struct vf_probe probe = vf_table_probe(&told->index, vf_hash_u64(tid, 0));
    struct vf_told_thread *found = NULL, *thread;
    uint32_t row;
    while (vf_table_next(&told->index, &probe, &row)) {
        thread = &told->threads.items[row];
        if (thread->tid == tid && (!found || found < thread))
            found = thread;
    }
    return found;
}

static void index_thread(struct vf_told *told, uint64_t tid, size_t row)
{
    vf_table_insert(&told->index, vf_hash_u64(tid, 0), (uint32_t)row);
}

static bool has_room(struct vf_told *told, struct vf_str name)
{
    told->full |= told->threads.len >= VF_TOLD_MAX || told->text + weight(name) > VF_TOLD_TEXT_MAX;
    return !told->full;
}

static void set_name(struct vf_told *told, struct vf_told_thread *thread, struct vf_str name)
{
    told->text -= weight(name_of(thread));
    free(thread->name);
    thread->name = NULL;
    if (name.len == 0 || told->text + weight(name) > VF_TOLD_TEXT_MAX)
        return;
    thread->name = vf_strdup(name);
    told->text += weight(name);
}

static void add(struct vf_told *told, uint64_t tid, struct vf_str name, int64_t now_ns)
{
    index_thread(told, tid, told->threads.len);
    struct vf_told_thread *thread = VF_PUSH(&told->threads);
    thread->tid = tid;
    thread->from_ns = now_ns;
    set_name(told, thread, name);
}

void vf_told_begin(struct vf_told *told, uint64_t tid, struct vf_str name, int64_t now_ns)
{
    if (has_room(told, name)) {
        add(told, tid, name, now_ns);
        return;
    }
    struct vf_told_thread *before = find(told, tid);
    told->left_out++;
    if (before && !before->until_ns)
        before->until_ns = now_ns;
}

void vf_told_name(struct vf_told *told, uint64_t tid, struct vf_str name, int64_t now_ns)
{
    struct vf_told_thread *thread = find(told, tid);
    if (thread && thread->until_ns)
        return; /* the one that has this number now is left out */
    if (thread && !vf_str_eq(name_of(thread), name))
        set_name(told, thread, name);
    else if (!thread && has_room(told, name))
        add(told, tid, name, now_ns);
}

void vf_told_sample(struct vf_told *told, uint64_t tid)
{
    struct vf_told_thread *thread = find(told, tid);
    if (thread && !thread->until_ns)
        thread->sampled = true;
}

/* ---- fewer of them --------------------------------------------------------------------------- */

bool vf_told_is_due(const struct vf_told *told)
{
    return told->threads.len >= told->kept + VF_TOLD_STEP;
}

void vf_told_mark(struct vf_told *told)
{
    told->marked = told->threads.len;
    for (size_t i = 0; i < told->marked; i++)
        told->threads.items[i].lives = false;
}

void vf_told_lives(struct vf_told *told, uint64_t tid)
{
    struct vf_told_thread *thread = find(told, tid);
    if (thread)
        thread->lives = true;
}

void vf_told_sweep(struct vf_told *told)
{
    size_t kept = 0;
    for (size_t i = 0; i < told->threads.len; i++) {
        struct vf_told_thread *thread = &told->threads.items[i];
        if (i >= told->marked || thread->lives || thread->sampled) {
            told->threads.items[kept++] = *thread;
            continue;
        }
        set_name(told, thread, VF_STR(""));
        told->idle++;
    }
    told->threads.len = told->kept = kept;
    told->marked = 0;
    vf_table_release(&told->index);
    for (size_t i = 0; i < kept; i++)
        index_thread(told, told->threads.items[i].tid, i);
}

void vf_told_release(struct vf_told *told)
{
    for (size_t i = 0; i < told->threads.len; i++)
        free(told->threads.items[i].name);
    free(told->threads.items);
    vf_table_release(&told->index);
    *told = (struct vf_told){0};
}

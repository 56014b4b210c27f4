/* Writes the seeds of fuzz_ring: what a program under either interpreter puts into the ring.
 *
 *     make_ring_corpus FOLDER STAMP */
#include "corpus.h"
#include "prof_builder.h"

enum {
    PUT_SAMPLE = 0,
    PUT_NOTED,
    PUT_RECORDS = 2,
    PUT_JITLOG,
    PUT_PYPYLOG,
    PUT_MESSAGE,
    RAW,
    HEAD,
    WORD,
    DRAIN
};

/* ---- actions (fuzz_ring.c) ------------------------------------------------------------------- */

static void add_byte(struct vf_buf *out, unsigned value)
{
    char byte = (char)value;
    vf_buf_add(out, &byte, 1);
}

static void add_number(struct vf_buf *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        add_byte(out, (unsigned)(value >> 8 * i & 0xff));
}

static void add_bytes(struct vf_buf *out, unsigned action, const void *bytes, size_t len)
{
    add_byte(out, action);
    add_number(out, len, 2);
    vf_buf_add(out, bytes, len);
}

/* What the builder holds, which is empty again. */
static void add_built(struct vf_buf *out, unsigned action, struct prof_builder *b)
{
    add_bytes(out, action, b->out.ptr, b->out.len);
    b->out.len = 0;
}

#define ADD_MESSAGE(out, words) add_bytes(out, PUT_MESSAGE, words, sizeof words - 1)

/* ---- programs -------------------------------------------------------------------------------- */

static void add_sample(struct vf_buf *out, struct prof_builder *b, uint64_t code)
{
    const struct prof_frame frames[] = {{1, 0x7f0010, 0}, {1, code, 0}, {2, 0x401000, 0}};
    prof_stack(b, 1, &(struct prof_sample){.frames = frames, .depth = 3, .thread = 0x7f55});
    add_built(out, PUT_SAMPLE, b);
}

static void add_start(struct vf_buf *out, struct prof_builder *b, const char *interpreter)
{
    prof_static_header(b, 1000);
    prof_header(b, interpreter);
    add_built(out, PUT_RECORDS, b);
    prof_start_time(b, 1700000000, 5);
    prof_meta(b, "os", "linux");
    add_built(out, PUT_RECORDS, b);
}

static struct prof_builder builder(bool kinds)
{
    return (struct prof_builder){
        .word_bytes = 8, .addr_bytes = 8, .version = 6, .mode = kinds ? 2 : 1, .kinds = kinds};
}

static void pypy(struct vf_buf *out)
{
    struct prof_builder b = builder(true);
    ADD_MESSAGE(out, "hello\0pypy\0007.3.11\0003.9.16\0001");
    add_start(out, &b, "pypy");
    ADD_MESSAGE(out, "log\0");
    ADD_MESSAGE(out, "sampling\0");
    add_bytes(out, PUT_JITLOG, "\x23\x04\0x86_64", 9);
    add_bytes(out, PUT_PYPYLOG, "[1234] {gc-minor\n[1244] gc-minor}\n", 34);
    prof_name(&b, 2, 0x7f0010, "py:main:1:/tmp/a.py");
    add_built(out, PUT_RECORDS, &b);
    for (uint64_t i = 0; i < 3; i++)
        add_sample(out, &b, 0x7f0010 + 8 * i);
    add_byte(out, DRAIN);
    ADD_MESSAGE(out, "thread\00077\0worker");
    ADD_MESSAGE(out, "name\00077\0another");
    ADD_MESSAGE(out, "thread\00078\0of two\0words");
    ADD_MESSAGE(out, "file\0/a/very/long/name.py");
    prof_trailer(&b, 1700000001, 7);
    add_built(out, PUT_RECORDS, &b);
    ADD_MESSAGE(out, "ended\0");
    vf_buf_release(&b.out);
}

static void cpython(struct vf_buf *out)
{
    struct prof_builder b = builder(false);
    ADD_MESSAGE(out, "hello\0cpython\0003.11.2\0003.11.2\0001");
    ADD_MESSAGE(out, "innermost");
    add_start(out, &b, "cpython");
    ADD_MESSAGE(out, "layout\0004096\0004200\0name\0004300\0file\00048611");
    ADD_MESSAGE(out, "string\0004096\0n\xc3\xa9");
    ADD_MESSAGE(out, "sampling\0");
    add_sample(out, &b, 0x7f2000);
    ADD_MESSAGE(out, "forked\0");
    ADD_MESSAGE(out, "exec\0/bin/true");
    ADD_MESSAGE(out, "exec-failed\0");
    ADD_MESSAGE(out, "trouble\0of some kind");
    add_sample(out, &b, 0x7f2000);
    vf_buf_release(&b.out);
}

/* A script that runs two interpreters, and a second end of the first. */
static void twice(struct vf_buf *out)
{
    struct prof_builder b = builder(true);
    pypy(out);
    add_sample(out, &b, 0x7f3000);
    prof_trailer(&b, 1700000002, 7);
    add_built(out, PUT_RECORDS, &b);
    add_byte(out, DRAIN);
    cpython(out);
    vf_buf_release(&b.out);
}

/* A header that breaks off, and samples all the same. */
static void headless(struct vf_buf *out)
{
    struct prof_builder b = builder(true);
    ADD_MESSAGE(out, "hello\0pypy\0007.3.11\0003.9.16\0001");
    prof_static_header(&b, 1000);
    prof_header(&b, "pypy");
    b.out.len -= 2;
    add_built(out, PUT_RECORDS, &b);
    add_byte(out, PUT_RECORDS);
    add_number(out, 0, 2);
    for (uint64_t i = 0; i < 3; i++)
        add_sample(out, &b, 0x7f0010 + 8 * i);
    vf_buf_release(&b.out);
}

/* A sample whose stamp lies far ahead, and others behind it. */
static void ahead(struct vf_buf *out)
{
    struct prof_builder b = builder(true);
    const struct prof_frame frames[] = {{1, 0x7f0010, 0}};
    const uint64_t note[] = {UINT64_C(1) << 62, 0x1234, 5};
    struct vf_buf noted = {0};
    ADD_MESSAGE(out, "hello\0pypy\0007.3.11\0003.9.16\0001");
    add_start(out, &b, "pypy");
    add_sample(out, &b, 0x7f0010);
    prof_stack(&b, 1, &(struct prof_sample){.frames = frames, .depth = 1, .thread = 0x7f55});
    vf_buf_add(&noted, note, sizeof note);
    vf_buf_str(&noted, vf_buf_view(&b.out));
    add_bytes(out, PUT_NOTED, noted.ptr, noted.len);
    b.out.len = 0;
    add_sample(out, &b, 0x7f0010);
    vf_buf_release(&noted);
    vf_buf_release(&b.out);
}

/* Entries in parts, and scribbling of every kind. */
static void scribbled(struct vf_buf *out, unsigned kind)
{
    static const char noise[40] = "\x03\0\0\0\x05\0\0\0noise that is no entry";
    pypy(out);
    if (kind & 1) {
        add_bytes(out, RAW, noise, sizeof noise);
        add_byte(out, HEAD);
        add_number(out, sizeof noise, 4);
    }
    if (kind & 2) {
        add_byte(out, HEAD);
        add_number(out, kind & 1 ? 24 : (uint64_t)-24, 4);
    }
    if (kind & 4)
        for (unsigned at = 0; at < 400; at += 36) {
            add_byte(out, WORD);
            add_number(out, at, 2);
            add_number(out, UINT64_C(0x8000ffff00000001), 8);
        }
    cpython(out);
}

static bool write_one(const char *folder, const char *name, size_t number, struct vf_buf *out)
{
    bool good = write_seed(folder, name, number, vf_buf_view(out));
    out->len = 0;
    return good;
}

static bool write_all(const char *folder)
{
    struct vf_buf out = {0};
    pypy(&out);
    bool good = write_one(folder, "pypy", 0, &out);
    cpython(&out);
    good = good && write_one(folder, "cpython", 0, &out);
    twice(&out);
    good = good && write_one(folder, "twice", 0, &out);
    headless(&out);
    good = good && write_one(folder, "headless", 0, &out);
    ahead(&out);
    good = good && write_one(folder, "ahead", 0, &out);
    for (unsigned kind = 1; kind < 8 && good; kind++) {
        scribbled(&out, kind);
        good = write_one(folder, "scribbled", kind, &out);
    }
    vf_buf_release(&out);
    return good;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

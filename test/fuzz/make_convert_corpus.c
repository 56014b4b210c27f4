/* Writes the seeds of fuzz_convert: some dialects of VMProf plain, gzipped, and in the two kinds of
 * zip; and recordings of compiled code, with the instruction of each sample.
 *
 *     make_convert_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "corpus.h"
#include "jitlog_builder.h"
#include "prof_story.h"
#include "zip_builder.h"

enum { EVERY = 23 }; /* one of so many dialects: fuzz_vmprof has them all */

static const char capture_json[] =
    "{\"version\":1,\"command\":\"python3 a.py\",\"program\":\"a\",\"pid\":77,\"cpu_count\":4,"
    "\"start_realtime_ns\":1600000000000000000,\"start_monotonic_ns\":1000,"
    "\"end_monotonic_ns\":900000000,\"exit_code\":0,"
    "\"channel\":\"socket\",\"channel_why\":\"seccomp\",\"stamps\":\"kernel\","
    "\"timer\":\"perf\",\"timer_note\":\"2 ms\",\"records_left_out\":3,\"samples_skipped\":2,"
    "\"jitlog_mode\":\"auto\",\"jitlog_detail_until_ns\":700000,"
    "\"cost\":{\"samples\":4,\"handler_ns\":9000,\"jitlog_ns\":5,\"runtime_log_ns\":6,"
    "\"recorder_cpu_ns\":7,\"program_cpu_ns\":100000},"
    "\"threads\":[{\"number\":1,\"tid\":77,\"name\":\"Main\"},"
    "{\"number\":0,\"tid\":78,\"from_ns\":1000,\"name\":\"first\"},"
    "{\"number\":0,\"tid\":78,\"from_ns\":6500000,\"name\":\"second\"}],"
    "\"modules\":[{\"path\":\"/bin/pypy\",\"build_id\":\"0123456789abcdef\"}],"
    "\"sources\":[{\"path\":\"/tmp/a.py\",\"real_path\":\"\",\"member\":\"s\"}]}";
static const char dict_json[] = "{\"prof\":\"p\",\"times\":[1.5,2],\"/tmp/a.py\":\"s\"}";
static const char maps[] = "00400000-00460000 r-xp 00000000 00:19 40633395   /bin/pypy\n"
                           "7f2a11000000-7f2a12000000 r-xp 00001000 00:19 1 /lib/libc.so.6\n";

static const char *place(struct vf_buf *path, const char *folder, size_t i, const char *ending)
{
    path->len = 0;
    vf_buf_printf(path, "%s/%03zu.%s", folder, i, ending);
    vf_buf_add(path, "", 1);
    return path->ptr;
}

/* Stamps and CPU readings for a few samples; the numbers are odd enough. */
static void make_times(int64_t *stamps, size_t count, struct vf_buf *cpu)
{
    for (size_t i = 0; i < count; i++) {
        stamps[i] = 1000 + (int64_t)i * 1000000;
        int64_t row[3] = {stamps[i], 77, (int64_t)i * 900000};
        vf_buf_add(cpu, row, sizeof row);
    }
}

static bool write_zips(const char *folder, size_t i, struct vf_str prof, struct vf_buf *path)
{
    int64_t stamps[4];
    struct vf_buf cpu = {0}, packed = {0};
    make_times(stamps, 4, &cpu);
    bool stored = i % 2;
    const struct zip_part vmfox[] = {
        {"capture.json", VF_STR(capture_json), stored},
        {"profile.prof", prof, stored},
        {"stamps.i64", {(const char *)stamps, sizeof stamps}, stored},
        {"cpu.i64", vf_buf_view(&cpu), stored},
        {"maps.txt", VF_STR(maps), stored},
        {"s", VF_STR("x = 1\n"), stored},
    };
    bool good = vf_gzip(prof, &packed, NULL) == VF_OK;
    const struct zip_part converter[] = {
        {"dict.json", VF_STR(dict_json), stored},
        {"p", stored ? prof : vf_buf_view(&packed), stored},
        {"s", VF_STR("x = 1\n"), stored},
    };
    good = good &&
           vf_write_file(place(path, folder, i, "gz"), vf_buf_view(&packed), NULL) == VF_OK &&
           zip_write_file(place(path, folder, i, "vmfox"), vmfox, 6) &&
           zip_write_file(place(path, folder, i, "zip"), converter, 3);
    vf_buf_release(&packed);
    vf_buf_release(&cpu);
    return good;
}

/* ---- compiled code --------------------------------------------------------------------------- */

/* Samples in the traces of jitlog_story() and beside them: stacks as VMProf has them right, stale,
 * and cut short. */
static const struct prof_frame compiled[] = {{1, 0x10, 0}, {3, 0x10, 0}, {6, 0x7000, 0}};
static const struct prof_frame bridged[] = {
    {1, 0x10, 0}, {3, 0x10, 0}, {6, 0x6000, 0}, {3, 0x20, 0}, {6, 0x7100, 0}};
static const struct prof_frame native[] = {{1, 0x10, 0}, {7, 0x400101, 0}};
static const struct prof_frame plain[] = {{1, 0x30, 0}, {1, 0x20, 0}};
static const struct compiled_sample {
    const struct prof_frame *frames;
    size_t depth;
    uint64_t tid, ip;
} compiled_samples[] = {
    {compiled, 3, 77, 0x7010}, {compiled, 3, 77, 0x7110},       {compiled, 3, 77, 0x400105},
    {bridged, 5, 77, 0x7104},  {bridged, 5, 77, 0x6010},        {native, 2, 77, 0x400103},
    {native, 2, 78, 0x7012},   {native, 2, 78, 0x7f2a11000010}, {plain, 2, 79, 0x7012},
    {plain, 2, 0, 0x401000},   {NULL, 0, 79, 0x7012},           {compiled, 3, 77, 0},
};

static void make_compiled(struct prof_builder *prof, struct vf_buf *interrupted,
                          struct vf_buf *memory, struct vf_buf *stamps)
{
    *prof = (struct prof_builder){
        .word_bytes = 8, .addr_bytes = 8, .version = 6, .mode = 12, .kinds = true};
    prof_static_header(prof, 990);
    prof_header(prof, "pypy");
    prof_start_time(prof, 1600000000, 0);
    prof_name(prof, 2, 0x10, "py:work:1:/tmp/app/main.py");
    prof_name(prof, 2, 0x20, "py:helper:1:/tmp/app/util.py");
    prof_name(prof, 2, 0x30, "py:vmfox_thread_1:1:<vmfox>");
    for (size_t i = 0; i < sizeof compiled_samples / sizeof *compiled_samples; i++) {
        const struct compiled_sample *s = &compiled_samples[i];
        uint64_t row[2] = {s->tid, s->ip}, level[2] = {1000 + i * 1000000, 4096 * (i / 2)};
        prof_stack(prof, 1, &(struct prof_sample){.frames = s->frames, .depth = s->depth});
        vf_buf_add(interrupted, row, sizeof row);
        vf_buf_add(memory, level, sizeof level);
        vf_buf_add(stamps, &level[0], sizeof level[0]);
    }
    prof_trailer(prof, 1600000001, 0);
}

static bool write_compiled(const char *folder, struct vf_buf *path)
{
    struct prof_builder prof;
    struct vf_buf interrupted = {0}, memory = {0}, stamps = {0};
    struct jitlog_builder log = jitlog_story(4, 8);
    make_compiled(&prof, &interrupted, &memory, &stamps);
    uint64_t pcs[2][3] = {{3000000, 77, 0x7010}, {5000000, 77, 0x401000}};
    const struct zip_part parts[] = {
        {"capture.json", VF_STR(capture_json), true},
        {"profile.prof", vf_buf_view(&prof.out), true},
        {"stamps.i64", vf_buf_view(&stamps), true},
        {"interrupted.i64", vf_buf_view(&interrupted), true},
        {"memory.i64", vf_buf_view(&memory), true},
        {"maps.txt", VF_STR(maps), true},
        {"profile.jitlog", vf_buf_view(&log.out), true},
        {"s", VF_STR("x = 1\n"), true},
        {"pc.i64", {(const char *)pcs, sizeof pcs}, true},
    };
    size_t count = sizeof parts / sizeof *parts;
    struct zip_part cut[sizeof parts / sizeof *parts];
    memcpy(cut, parts, sizeof parts);
    cut[3].bytes.len -= 3 * 16 + 5; /* the column ends early, within a row */
    cut[4].bytes.len -= 9;
    bool good = zip_write_file(place(path, folder, 900, "vmfox"), parts, count - 1) &&
                zip_write_file(place(path, folder, 901, "vmfox"), parts, count) &&
                zip_write_file(place(path, folder, 902, "vmfox"), cut, count);
    vf_buf_release(&prof.out);
    vf_buf_release(&interrupted);
    vf_buf_release(&memory);
    vf_buf_release(&stamps);
    vf_buf_release(&log.out);
    return good;
}

/* ---- PyPy's log ------------------------------------------------------------------------------ */

/* A recording with PyPy's log behind it, as fuzz_convert takes it; of odd length, so with a clock.
 */
static bool write_log(const char *folder, size_t i, struct vf_str prof, struct vf_buf *path)
{
    static const char log[] =
        "[100000] {gc-set-nursery-size\nnursery size: 4096\n[100100] gc-set-nursery-size}\n"
        "[4000000] {gc-minor\n[4000100] {gc-minor-walkroots\n[4000200] gc-minor-walkroots}\n"
        "minor collect, total memory used: 1000\nnumber of pinned objects: 1\n"
        "total size of surviving objects: 100\n[5000000] gc-minor}\n"
        "[6000000] {jit-tracing\nf;/a.py:1-3~#8 LOAD_FAST\n[6100000] {jit-optimize\n"
        "[6200000] jit-optimize}\n[6200010] {jit-mem-looptoken-alloc\nallocating Loop # 1\n"
        "[6200020] jit-mem-looptoken-alloc}\n[6300000] {jit-backend-addr\n"
        "Loop 1 (f) has address 0x1000 to 0x2000 (bootstrap 0x900)\n"
        "[6300010] jit-backend-addr}\ncompiled new loop\n[8000000] jit-tracing}\n"
        "[9000000] {gc-collect-step\nstarting gc state:  SWEEPING\n[9000100] {gc-collect-done\n"
        "bytes used in arenas:  100\nbytes raw-malloced:    20  =>  10\n[9000200] "
        "gc-collect-done}\nstopping, now in gc state:  FINALIZING\n[9500000] gc-collect-step}\n"
        "[a000000] {my-own\n[b000000] my-own}\n[c000000] {jit-invalidate-quasi-immutable\n"
        "fieldname x invalidated 2\n[c000100] jit-invalidate-quasi-immutable}\n"
        "[70000000] {jit-summary\nTOTAL:      \t\t0.8\n[70000100] jit-summary}\n";
    struct vf_buf both = {0};
    vf_buf_str(&both, prof);
    vf_buf_add(&both, log, sizeof log - 1);
    if (both.len % 2 == 0)
        vf_buf_add(&both, "\n", 1);
    bool good = vf_write_file(place(path, folder, i, "log"), vf_buf_view(&both), NULL) == VF_OK;
    vf_buf_release(&both);
    return good;
}

static bool write_all(const char *folder)
{
    size_t count;
    struct prof_dialect *all = prof_all_dialects(&count);
    struct vf_buf path = {0};
    bool good = true;
    for (size_t i = 0; i < count && good; i += EVERY) {
        struct prof_story story;
        prof_story_make(&story, &all[i]);
        struct vf_str prof = vf_buf_view(&story.file.out);
        good = vf_write_file(place(&path, folder, i, "prof"), prof, NULL) == VF_OK &&
               write_log(folder, i, prof, &path) && write_zips(folder, i, prof, &path);
        prof_story_release(&story);
    }
    good = good && write_compiled(folder, &path);
    vf_buf_release(&path);
    free(all);
    return good;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

/* Writes the seeds of fuzz_convert: some dialects of VMProf plain, gzipped, and in the two kinds of
 * zip.
 *
 *     make_convert_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "corpus.h"
#include "prof_story.h"
#include "zip_builder.h"

enum { EVERY = 23 }; /* one of so many dialects: fuzz_vmprof has them all */

static const char capture_json[] =
    "{\"version\":1,\"command\":\"python3 a.py\",\"program\":\"a\",\"pid\":77,\"cpu_count\":4,"
    "\"start_realtime_ns\":1600000000000000000,\"start_monotonic_ns\":1000,"
    "\"end_monotonic_ns\":900000000,\"exit_code\":0,"
    "\"threads\":[{\"number\":1,\"tid\":77,\"name\":\"Main\"}],"
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
    vf_buf_release(&path);
    free(all);
    return good;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

/* Writes the seeds of fuzz_recover: the folder of a killed recorder, with the test profile in
 * several dialects, as packs of files. */
#include "corpus.h"
#include "prof_story.h"

enum { EVERY = 7 };

static const char session_json[] =
    "{\"version\":1,\"recorder\":\"vmfox 0.1.0\",\"command\":\"a.py\",\"program\":\"a\","
    "\"interpreter\":\"PyPy 7.3.11 (Python 3.9.16)\",\"pid\":7,\"start_realtime_ns\":1000000000,"
    "\"start_monotonic_ns\":500,\"native_innermost\":1,\"threads\":[{\"number\":1,\"tid\":8,"
    "\"name\":\"worker\"}],\"modules\":[],\"sources\":[{\"path\":\"/a.py\",\"member\":\"s\"}]}";
static const char maps[] = "00400000-00460000 r-xp 00000000 00:19 40633395   /nowhere/sh\n"
                           "7f2a11000000-7f2a12000000 r-xp 00001000 00:19 1 /nowhere/libc.so.6\n";

static void add(struct vf_buf *pack, const char *name, struct vf_str bytes)
{
    vf_buf_printf(pack, "%s\n%zu\n", name, bytes.len);
    vf_buf_str(pack, bytes);
}

static void make_pack(struct vf_buf *pack, struct vf_str prof)
{
    int64_t rows[13];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rows[i] = 1000 + (int64_t)i * 1000000;
    struct vf_str bytes = {(const char *)rows, sizeof rows};
    add(pack, "session.json", VF_STR(session_json));
    add(pack, "profile.prof", prof);
    add(pack, "stamps.i64", bytes);
    add(pack, "interrupted.i64", bytes);
    add(pack, "cpu.i64", bytes);
    add(pack, "pc.i64", bytes);
    add(pack, "maps.txt", VF_STR(maps));
    add(pack, "profile.pypylog", VF_STR("[100000] {gc-minor\n[100100] gc-minor}\n"));
}

static bool write_all(const char *folder)
{
    size_t count;
    struct prof_dialect *all = prof_all_dialects(&count);
    bool good = true;
    for (size_t i = 0; i < count && good; i += EVERY) {
        struct prof_story story;
        struct vf_buf pack = {0};
        prof_story_make(&story, &all[i]);
        make_pack(&pack, vf_buf_view(&story.file.out));
        good = write_seed(folder, "folder", i, vf_buf_view(&pack));
        vf_buf_release(&pack);
        prof_story_release(&story);
    }
    free(all);
    return good;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

/* Any files at all in a killed recorder's folder: what comes of them is a recording, or words that
 * say why not, and the folder stays as it is.
 *
 * The input is a pack of files: each a line with its name, a line with its length, and its bytes.
 */
#include "fuzz.h"

#include "capture/capture.h"
#include "record/recover.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64], folder[96], out[96];

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_recover: %s\n", what);
    abort();
}

static void clean_up(void)
{
    struct vf_error error;
    struct vf_remains remains;
    if (vf_remains_open(&remains, folder, &error) == VF_OK)
        vf_remains_remove(&remains);
    vf_remains_close(&remains);
    unlink(out);
    rmdir(base);
}

static void make_base(void)
{
    if (base[0])
        return;
    snprintf(base, sizeof base, "/tmp/fuzz-recover-XXXXXX");
    check(mkdtemp(base) != NULL, "no folder can be made");
    snprintf(folder, sizeof folder, "%s/vmfox-AbC123", base);
    snprintf(out, sizeof out, "%s/x.vmfox", base);
    atexit(clean_up);
}

static bool is_member(struct vf_str name)
{
    static const char *const names[] = {"session.json",   "profile.prof",    "stamps.i64",
                                        "cpu.i64",        "clock.i64",       "pc.i64",
                                        "memory.i64",     "interrupted.i64", "maps.txt",
                                        "profile.jitlog", "profile.pypylog", "bytecode.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (vf_str_eq(name, vf_str_from(names[i])))
            return true;
    return false;
}

static void write_bytes(const char *name, struct vf_str bytes)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0 && vf_write_fd(fd, bytes, NULL) == VF_OK, "a file can't be written");
    close(fd);
}

static void unpack(struct vf_str rest)
{
    struct vf_arena arena = {0};
    check(mkdir(folder, 0700) == 0, "the folder can't be made");
    write_bytes("lock", VF_STR(""));
    while (rest.len) {
        struct vf_str name = vf_str_cut(&rest, '\n'), length = vf_str_cut(&rest, '\n');
        uint64_t size;
        if (!vf_str_to_u64(length, 10, &size) || size > rest.len)
            size = rest.len;
        if (is_member(name))
            write_bytes(vf_arena_str(&arena, name).ptr, (struct vf_str){rest.ptr, size});
        rest.ptr += size;
        rest.len -= size;
    }
    vf_arena_release(&arena);
}

static void recover(const struct vf_remains *remains)
{
    struct vf_record_result result;
    struct vf_warnings warnings = {0};
    struct vf_recover_facts facts;
    struct vf_error error;
    struct vf_place place;
    struct vf_capture capture;
    bool good = vf_recover_look(remains, &facts, &error) == VF_OK;
    check(good || error.text[0], "no reason");
    check(vf_place_open(&place, out, &error) == VF_OK, "no place");
    check((vf_recover(remains, &place, NULL, &result, &warnings, &error) != VF_FATAL) == good,
          "it is looked at in another way than it is recovered");
    vf_place_close(&place);
    if (good) {
        check(result.path && !result.elsewhere, "it is in another place");
        check(vf_capture_open(&capture, out, NULL, &error) != VF_FATAL, "it can't be opened");
        check(capture.kind == VF_CAPTURE_VMFOX && capture.prof.len > 0, "it has no profile");
        vf_capture_release(&capture);
        close(result.held);
    }
    free(result.path);
    unlink(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_error error;
    struct vf_remains remains;
    make_base();
    unpack((struct vf_str){(const char *)data, size});
    check(vf_remains_open(&remains, folder, &error) == VF_OK, "the folder can't be opened");
    recover(&remains);
    check(vf_remains_remove(&remains), "the folder can't be removed");
    vf_remains_close(&remains);
    return 0;
}

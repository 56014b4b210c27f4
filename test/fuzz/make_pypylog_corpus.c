/* Writes the seeds of fuzz_pypylog: logs of PyPy in short, whole and damaged.
 *
 *     make_pypylog_corpus FOLDER STAMP
 *
 * The folder is made where it is missing; STAMP is written when all is done. */
#include "base/buf.h"
#include "corpus.h"

#include <stdio.h>

#define COLLECTOR                                                                                  \
    "[1] {gc-set-nursery-size\nnursery size: 270336\n[2] gc-set-nursery-size}\n"                   \
    "[3] {gc-minor\n[4] {gc-minor-walkroots\n[5] gc-minor-walkroots}\n"                            \
    "minor collect, total memory used: 430384\nnumber of pinned objects: 3\n"                      \
    "total size of surviving objects: 427744\n[6] gc-minor}\n"                                     \
    "[7] {gc-collect-step\nstarting gc state:  SWEEPING\n[8] {gc-collect-done\n"                   \
    "bytes used in arenas:  2372344\nbytes raw-malloced:    829160  =>  648032\n"                  \
    "next major collection threshold:  5343543.296000\n[9] gc-collect-done}\n"                     \
    "stopping, now in gc state:  FINALIZING\n[a] gc-collect-step}\n"
#define LOOP                                                                                       \
    "[b] {jit-tracing\nJIT starting (x86)\n[c] {jit-mem-collect\nLoop tokens freed:  2\n"          \
    "Loop tokens left:   3\n[d] jit-mem-collect}\nf;/tmp/a.py:3-5~#4 LOAD_FAST\n"                  \
    "[e] {jit-log-noopt\n# Traced loop or bridge with 6 ops\n[f] jit-log-noopt}\n"                 \
    "[10] {jit-mem-looptoken-alloc\nallocating Loop # 2\n[11] jit-mem-looptoken-alloc}\n"          \
    "[12] {jit-backend-addr\nLoop 2 (f;/tmp/a.py:3-5~#4 LOAD_FAST) has address 0x7fcb to 0x8340 "  \
    "(bootstrap 0x7f40)\n       gc table: 0x7f00\n            end: 0x85bb\n"                       \
    "[13] jit-backend-addr}\n[14] {jit-regalloc-stats\nnumber ops:  91\n"                          \
    "[15] jit-regalloc-stats}\ncompiled new loop\n[16] {jit-log-opt-loop\n"                        \
    "# Loop 2 (f) : loop with 96 ops\n+29: guard_value(i2, 4, descr=<Guard0x7f>) [p0]\n"           \
    "p4 = guard_exception(5) []\n[17] jit-log-opt-loop}\n[18] jit-tracing}\n"
#define BRIDGE                                                                                     \
    "[19] {jit-tracing\n<code object f. file '/tmp/a.py'. line 3> #8 LOAD_FAST\n"                  \
    "[1a] {jit-mem-looptoken-alloc\nallocating Bridge # 1 of Loop # 2\n"                           \
    "[1b] jit-mem-looptoken-alloc}\n[1c] {jit-backend-addr\n"                                      \
    "bridge out of Guard 0x20 has address 0x9000 to 0x9100\n[1d] jit-backend-addr}\n"              \
    "~~~ ABORTING TRACING ABORT_TOO_LONG\n[1e] {jit-abort\nno\n[1f] jit-abort}\n"                  \
    "[20] jit-tracing}\n"
#define END                                                                                        \
    "[21] {jit-invalidate-quasi-immutable\nfieldname x invalidated 4\n"                            \
    "[22] jit-invalidate-quasi-immutable}\n[23] {jit-summary\nTracing:      \t8\t0.007014\n"       \
    "Backend:      \t7\t0.001808\nTOTAL:      \t\t0.027656\nTotal # of loops:\t4\n"                \
    "Freed # of bridges:\t2\n[24] jit-summary}\n[25] {jit-backend-counts\nentry 2:7\n"             \
    "TargetToken(1):58958\nbridge 32:9858\n[26] jit-backend-counts}\n"

static const char *const seeds[] = {
    COLLECTOR LOOP BRIDGE END,
    COLLECTOR,
    LOOP BRIDGE END,
    /* A trace within a trace, a backend in the log, none of it closed. */
    "[1] {jit-tracing\nf\n[2] {jit-backend\n[3] {jit-mem-looptoken-alloc\n[4] {jit-tracing\ng\n",
    "[1] {jit-mem-looptoken-alloc\n[2] jit-mem-looptoken-alloc}\n[3] {gc-minor\n[4] gc-minor}\n",
    /* A terminal, Windows, half a line. */
    "\033[1m\033[31m[1f] {jit-summary\n\033[0mTracing: 1\n\033[31m[20] jit-summary}\n\033[0m",
    "[1f] {gc-minor\r\ntext\r\n[20] gc-minor}\r\n[21] {gc-mi",
    /* Two processes, one behind and one inside the other; stamps at their ends. */
    "[4000000] {a\n[4000010] {b\n[5] {c\n[9] c}\n[ffffffffffffffff] {gc-minor\n[0] gc-minor}\n",
    "[10] {gc-minor\n[12] {gc-minor\n[14] {gc-minor-walkroots\n[20] gc-minor}\n[24] gc-minor}\n",
    "[2] a}\n[3] {a\n[4] {b\n[5] a}\n[6] b}\n[11111111111111111] {c\n[] {d\n",
};

static bool write_all(const char *folder)
{
    bool good = true;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds && good; i++) {
        struct vf_buf path = {0};
        struct vf_error error = {0};
        vf_buf_printf(&path, "%s/%03zu.pypylog", folder, i);
        vf_buf_add(&path, "", 1);
        good = vf_write_file(path.ptr, vf_str_from(seeds[i]), &error) == VF_OK;
        if (!good)
            fprintf(stderr, "make_pypylog_corpus: %s: %s\n", path.ptr, error.text);
        vf_buf_release(&path);
    }
    return good;
}

int main(int argc, char **argv)
{
    return write_corpus(argc, argv, write_all);
}

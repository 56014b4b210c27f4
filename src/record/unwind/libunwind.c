/* What VMProf takes for libunwind in a recorded program: libunwind itself, with one function set
 * right.
 *
 * VMProf walks the native stack from its signal handler until unw_is_signal_frame() is true, makes
 * one more step to leave the frame of the signal's delivery, and takes the functions from there on
 * (rpython/rlib/rvmprof/src/shared/vmp_stack.c, vmp_walk_and_record_stack).  In libunwind since 1.0
 * that function is true one step later, at the function that was interrupted, and so the innermost
 * function is missing from every sample: the one that was at work.
 *
 * Here it is true where VMProf expects it, at the instructions that the signal's handler returns to
 * (signal(7), sigreturn(2)).  VMProf finds this file under the name libunwind.so, because the
 * dynamic linker takes a library that is loaded under that name (DT_SONAME); everything else comes
 * from the true libunwind, which it depends on.  It is loaded for VMProf alone (RTLD_LOCAL).
 *
 * Runs in a signal's handler: it only reads, byte by byte, so that nothing behind the code is
 * touched. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

int unw_is_signal_frame(unw_cursor_t *cursor)
{
#if defined(__x86_64__)
    static const unsigned char expected[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
#elif defined(__aarch64__)
    static const unsigned char expected[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4};
#else
#error "the code that a signal's handler returns to is not known for this machine"
#endif
    unw_word_t ip;
    if (unw_get_reg(cursor, UNW_REG_IP, &ip) < 0 || ip == 0)
        return 0;
    const volatile unsigned char *code = (const volatile unsigned char *)ip;
    for (unsigned i = 0; i < sizeof expected; i++)
        if (code[i] != expected[i])
            return 0;
    return 1;
}

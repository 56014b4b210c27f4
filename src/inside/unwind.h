/* What VMProf takes for libunwind in a recorded program (x86-64): walks of the native stack from
 * its signal handler, of the process's own memory alone.
 *
 * VMProf finds this library under the name libunwind.so, because the dynamic linker takes a library
 * that is loaded under that name (DT_SONAME), and looks up the seven functions below by their
 * linker's names. It is loaded for VMProf alone (RTLD_LOCAL). libunwind itself opens a pipe to test
 * addresses with, and goes on using its descriptors' numbers after the program has closed them and
 * has files of its own under them; here nothing has to do with descriptors, and nothing allocates,
 * waits or changes errno.
 *
 * Return values are libunwind's: below 0 an error, for unw_step() 0 at the outermost function. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t opaque[127];
} unw_cursor_t;

/* The registers as a signal's handler gets them.  VMProf has 256 bytes for it. */
typedef struct {
    uint64_t flags, link, stack[3], registers[23];
} unw_context_t;

typedef struct {
    uint64_t start_ip, end_ip, lsda, handler, gp, flags;
    int format, unwind_info_size;
    void *unwind_info;
} unw_proc_info_t;

#define VF_UNWIND_NAME(name) __asm__("_ULx86_64_" #name)

int unw_getcontext(unw_context_t *context) __asm__("_Ux86_64_getcontext");

/* Begins a walk at `context`; or, within vmfox_unwind_from(), at the instruction that was
 * interrupted.  Then unw_is_signal_frame() is true at once, and the first unw_step() goes nowhere:
 * it leaves the frame of the signal's delivery, which VMProf looks for. */
int unw_init_local(unw_cursor_t *cursor, unw_context_t *context) VF_UNWIND_NAME(init_local);

/* To the caller. */
int unw_step(unw_cursor_t *cursor) VF_UNWIND_NAME(step);

/* The function's bounds; where none is known the instruction itself is taken for one. */
int unw_get_proc_info(unw_cursor_t *cursor, unw_proc_info_t *info) VF_UNWIND_NAME(get_proc_info);

/* Always an error: the recorder names functions. */
int unw_get_proc_name(unw_cursor_t *cursor, char *name, size_t size, uint64_t *offset)
    VF_UNWIND_NAME(get_proc_name);

/* 0 to 15 as in DWARF for x86-64, 16 the instruction. */
int unw_get_reg(unw_cursor_t *cursor, int reg, uint64_t *value) VF_UNWIND_NAME(get_reg);

/* Whether this is the frame of a signal's delivery. In libunwind since 1.0 it is true one step
 * later, at the function that was interrupted, which VMProf would then leave out. */
int unw_is_signal_frame(unw_cursor_t *cursor) VF_UNWIND_NAME(is_signal_frame);

/* A signal's handler calls this with the ucontext_t it was given before it calls VMProf's handler,
 * and with NULL after: walks of this thread begin there meanwhile.  Where it is not called they
 * begin in VMProf's handler and find the interrupted function by themselves.  Of handlers that
 * interrupt each other in one thread the last one counts. */
void vmfox_unwind_from(const void *context);

/* 1 when walks are right and safe here, which was tried as the library was loaded: native frames
 * are to be left off where it is 0, or where this library can't be loaded.  Where they are asked
 * for nevertheless, walks end where they begin. */
int vmfox_unwind_ready(void);

/* The bytecode of the functions that the JIT traced, for the capture.
 *
 * The JIT's log names the opcodes and not their arguments.  When the program has ended, the same
 * interpreter is started once more, apart from it, and compiles and disassembles the sources of
 * the functions in the log (bootstrap/vmfox_bytecode.py); nothing of the program is run by that.
 * It is given ten seconds and 16 MB. */
#ifndef VF_RECORD_BYTECODE_H
#define VF_RECORD_BYTECODE_H

#include "record/session.h"

/* Fills session->bytecode; it stays empty where there is nothing to tell, or no telling it. */
void vf_session_bytecode(struct vf_session *session);

#endif

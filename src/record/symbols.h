/* The symbols that go into a capture: of the native functions and instructions that were seen, from
 * the libraries as they are on this machine now. */
#ifndef VF_RECORD_SYMBOLS_H
#define VF_RECORD_SYMBOLS_H

#include "record/session.h"
#include "symbols/pack.h"

struct vf_found_symbols {
    struct vf_buf json, code; /* members symbols.json and code.bin; empty: there is none */
    struct vf_pack pack;      /* its `files` are the sources that the symbols name */
};

/* Needs session->modules.  Machine code is taken where the options ask for it. */
void vf_symbols_find(struct vf_found_symbols *symbols, struct vf_session *session);
void vf_symbols_found_release(struct vf_found_symbols *symbols);

#endif

/* The files of record/bootstrap and record/unwind, built into the program (see src/meson.build). */
#ifndef VF_RECORD_BOOTSTRAP_FILES_H
#define VF_RECORD_BOOTSTRAP_FILES_H

#include <stddef.h>

/* inside/unwind.c and its like, built; empty where VMProf has no native frames. */
extern const unsigned char vf_libunwind_so[];
extern const size_t vf_libunwind_so_size;
/* src/inside, built; empty for machines it does not know. */
extern const unsigned char vf_vmfox_inside_so[];
extern const size_t vf_vmfox_inside_so_size;
extern const unsigned char vf_sitecustomize_py[];
extern const size_t vf_sitecustomize_py_size;
extern const unsigned char vf_vmfox_bootstrap_py[];
extern const size_t vf_vmfox_bootstrap_py_size;
extern const unsigned char vf_vmfox_bytecode_py[];
extern const unsigned char vf_vmfox_in_pypy_py[];
extern const size_t vf_vmfox_in_pypy_py_size;
extern const unsigned char vf_vmfox_direct_py[];
extern const size_t vf_vmfox_bytecode_py_size;
extern const size_t vf_vmfox_direct_py_size;

#endif

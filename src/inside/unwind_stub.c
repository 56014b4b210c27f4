#include "unwind_stub.h"
#include <string.h>

enum {
    CODE =
        96, /* bytes that are looked at; PyPy's give the stack back 25 to 40 bytes behind a call */
    MOST = 64, /* bytes that one has on the stack; a trace has more */
};

/* `call distance` or `call r11`: what PyPy calls its own code with. */
static bool after_call(struct vf_memory *memory, uint64_t pc)
{
    enum { NEAR = 5, BY_REGISTER = 3 };
    if (pc < 4096 || pc >> 47 || !vf_memory_readable(memory, pc - NEAR, NEAR))
        return false;
    return *(const uint8_t *)(pc - NEAR) == 0xe8 ||
           memcmp((const void *)(pc - BY_REGISTER), "\x41\xff\xd3", BY_REGISTER) == 0;
}

/* The bytes that the instruction takes off the stack: add rsp, n; lea rsp, [rsp + n]. 0: it is none
 * of these. */
static unsigned given_back(const uint8_t code[5])
{
    unsigned size = 0;
    if (memcmp(code, "\x48\x83\xc4", 3) == 0)
        size = code[3];
    else if (memcmp(code, "\x48\x8d\x64\x24", 4) == 0)
        size = code[4];
    return size % 8 == 0 && size <= MOST ? size : 0;
}

bool vf_stub_find(struct vf_memory *memory, uint64_t pc, uint64_t *sp, uint64_t *caller)
{
    uint64_t word;
    if (!vf_memory_readable(memory, pc, CODE))
        return false;
    for (const uint8_t *code = (const uint8_t *)pc; code < (const uint8_t *)pc + CODE - 5; code++) {
        unsigned size = given_back(code);
        if (size == 0)
            continue;
        if (!vf_memory_word(memory, *sp + size, &word) || !after_call(memory, word))
            return false;
        *sp += size + 8;
        *caller = word;
        return true;
    }
    return false;
}

#include "unwind_memory.h"
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define PAGE UINT64_C(4096)
#define LONGEST (UINT64_C(1) << 20)
/* The kernel keeps at least this much free below the main thread's stack (mmap_base()), so that a
 * stack pointer no further from its end is on no other stack. */
#define MAIN_STACK (UINT64_C(64) << 20)

/* The dynamic linker's, at the outer end of the main thread's stack. */
extern void *__libc_stack_end __attribute__((weak));

/* The kernel copies the set before it looks at what is to be done with it, which is nothing here:
 * EFAULT where it can't be read, else EINVAL.  Allowed wherever signals are: no filter of system
 * calls can do without it. */
static bool page_readable(uint64_t page)
{
    register long mask_size __asm__("r10") = 8;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_rt_sigprocmask), "D"(-1L), "S"(page), "d"(0L), "r"(mask_size)
                     : "rcx", "r11", "memory");
    return result == -EINVAL;
}

void vf_memory_init(struct vf_memory *memory, uint64_t sp)
{
    *memory = (struct vf_memory){0};
    uint64_t page = sp & ~(PAGE - 1);
    uint64_t end = &__libc_stack_end ? (uint64_t)__libc_stack_end & ~(PAGE - 1) : 0;
    if (sp < end && end - sp < MAIN_STACK)
        memory->stack = (struct vf_span){page, end + PAGE};
    else if (sp < UINT64_MAX - PAGE && page_readable(page))
        memory->stack = (struct vf_span){page, page + PAGE};
}

/* Lets the span reach over a readable page that lies beside it. */
static bool extend(struct vf_span *span, uint64_t page)
{
    if (span->start == span->end)
        return false;
    if (page == span->end)
        span->end += PAGE;
    else if (page + PAGE == span->start)
        span->start = page;
    else
        return false;
    return true;
}

static bool covers(const struct vf_span *span, uint64_t start, uint64_t end)
{
    return start >= span->start && end <= span->end;
}

static bool known(const struct vf_memory *memory, uint64_t start, uint64_t end)
{
    if (covers(&memory->stack, start, end))
        return true;
    for (unsigned i = 0; i < VF_MEMORY_OTHERS; i++)
        if (covers(&memory->others[i], start, end))
            return true;
    return false;
}

/* Pages of libraries: each the page's number and the lower bits of the library's identity. */
enum { LASTING_BITS = 12, IDENTITY_BITS = 28, PAGE_BITS = 12 };
static _Atomic uint64_t lasting[1 << LASTING_BITS];

static bool library_page_readable(const struct vf_memory *memory, uint64_t page)
{
    uint64_t number = page >> PAGE_BITS;
    uint64_t mask = (UINT64_C(1) << IDENTITY_BITS) - 1;
    uint64_t entry = number << IDENTITY_BITS | (memory->library_identity & mask);
    _Atomic uint64_t *place = &lasting[number % (1 << LASTING_BITS)];
    if (atomic_load_explicit(place, memory_order_relaxed) == entry)
        return true;
    if (!page_readable(page))
        return false;
    atomic_store_explicit(place, entry, memory_order_relaxed);
    return true;
}

static bool look_at(struct vf_memory *memory, uint64_t page)
{
    if (known(memory, page, page + PAGE))
        return true;
    if (covers(&memory->library, page, page + PAGE) ? !library_page_readable(memory, page)
                                                    : !page_readable(page))
        return false;
    if (extend(&memory->stack, page))
        return true;
    for (unsigned i = 0; i < VF_MEMORY_OTHERS; i++)
        if (extend(&memory->others[i], page))
            return true;
    memory->others[memory->next++ % VF_MEMORY_OTHERS] = (struct vf_span){page, page + PAGE};
    return true;
}

bool vf_memory_readable(struct vf_memory *memory, uint64_t address, size_t size)
{
    uint64_t end = address + size;
    if (end < address || end > UINT64_MAX - PAGE || size > LONGEST)
        return false;
    if (known(memory, address, end))
        return true;
    for (uint64_t page = address & ~(PAGE - 1); page < end; page += PAGE)
        if (!look_at(memory, page))
            return false;
    return true;
}

bool vf_memory_word(struct vf_memory *memory, uint64_t address, uint64_t *word)
{
    if (!vf_memory_readable(memory, address, sizeof *word))
        return false;
    __builtin_memcpy(word, (const void *)address, sizeof *word);
    return true;
}

bool vf_memory_of_library(const struct vf_memory *memory, uint64_t address, size_t size)
{
    uint64_t end = address + size;
    if (address < memory->library.start || end > memory->library.end || end < address)
        return false;
    for (uint64_t page = address & ~(PAGE - 1); page < end; page += PAGE)
        if (!library_page_readable(memory, page))
            return false;
    return true;
}

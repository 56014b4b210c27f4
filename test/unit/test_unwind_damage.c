/* Unwinding information with any byte wrong, cut anywhere: an error or another rule, no crash. */
#include "test.h"

#include "inside/unwind_rule.h"
#include "inside/unwind_stub.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* This program's own information, and a copy of it, which is about addresses `moved` further on. */
static uint64_t header, end, code_start, code_end, moved;
static struct vf_object object;
static unsigned char *copy;
static size_t size;

/* In place of the dynamic linker's. */
bool vf_object_find(struct vf_memory *memory, uint64_t pc, struct vf_object *found)
{
    *found = object;
    memory->library = (struct vf_span){object.start, object.end};
    memory->library_identity = object.identity;
    return pc != 0;
}

static int find(struct dl_phdr_info *info, size_t unused, void *data)
{
    (void)unused, (void)data;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            header = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        uint64_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uint64_t after = start + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        if (start <= header && header < after)
            end = after;
        if (info->dlpi_phdr[i].p_flags & PF_X) {
            code_start = start;
            code_end = after;
        }
    }
    return 1; /* the first is this program */
}

/* The copy ends where a page ends that nothing follows. */
static int make_copy(void **state)
{
    (void)state;
    dl_iterate_phdr(find, NULL);
    size = end - header;
    size_t room = (size + 4095) & ~(size_t)4095;
    unsigned char *pages =
        mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return -1;
    mprotect(pages + room, 4096, PROT_NONE);
    copy = pages + ((room - size) & ~(size_t)7);
    moved = (uint64_t)copy - header;
    object = (struct vf_object){(uint64_t)copy, (uint64_t)copy, (uint64_t)copy + size, 1};
    memcpy(copy, (const void *)header, size);
    return 0;
}

/* Each eleventh byte of the program, or of a large one (the sanitizers' runtime is in it) some
 * thousand. */
static uint64_t stride(void)
{
    enum { PLACES = 4000 };
    uint64_t far = (code_end - code_start) / PLACES;
    return far > 11 ? far : 11;
}

/* How many instructions have a rule, of those that are looked at. */
static unsigned look_up_all(void)
{
    struct vf_memory memory;
    unsigned found = 0;
    for (uint64_t pc = code_start; pc < code_end; pc += stride()) {
        struct vf_rule rule = {0};
        uint64_t registers[VF_REG_COUNT] = {0}, cfa;
        vf_memory_init(&memory, (uint64_t)&memory);
        if (vf_rule_find(&memory, pc + moved, &rule) != 0)
            continue;
        found++;
        assert_true(vf_memory_readable(&memory, rule.entry, rule.entry_bytes) &&
                    vf_memory_readable(&memory, rule.common, rule.common_bytes));
        assert_true(rule.start <= pc + moved && pc + moved < rule.end);
        registers[VF_REG_RSP] = (uint64_t)&memory;
        if (rule.cfa_is_expression)
            vf_expression_run(&memory, (uint64_t)rule.cfa_value, registers, 0, &cfa);
        else
            assert_true(rule.cfa_register < VF_REG_COUNT);
        for (unsigned i = 0; i < VF_REG_COUNT; i++) {
            assert_true(rule.where[i] != VF_WHERE_REGISTER || rule.value[i] < VF_REG_COUNT);
            if (rule.where[i] == VF_WHERE_AT || rule.where[i] == VF_WHERE_IS)
                vf_expression_run(&memory, (uint64_t)rule.value[i], registers, 1, &cfa);
        }
    }
    return found;
}

static void the_copy_is_as_good(void **state)
{
    (void)state;
    assert_true(look_up_all() > (code_end - code_start) / stride() / 2);
}

static void any_byte_wrong(void **state)
{
    (void)state;
    size_t used = size < 3000 ? size : 3000;
    for (size_t i = 0; i < used; i++) {
        unsigned char was = copy[i];
        for (unsigned k = 0; k < 3; k++) {
            copy[i] = (unsigned char[]){0x00, 0xff, (unsigned char)(was ^ 0x81)}[k];
            look_up_all();
        }
        copy[i] = was;
    }
}

static void many_bytes_wrong(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned turn = 0; turn < 300; turn++) {
        memcpy(copy, (const void *)header, size);
        for (unsigned k = 0; k < 40; k++)
            copy[(size_t)random() % size] = (unsigned char)random();
        look_up_all();
    }
    memcpy(copy, (const void *)header, size);
}

/* The library's addresses end earlier than its information. */
static void cut_anywhere(void **state)
{
    (void)state;
    enum { CUTS = 3000 };
    for (size_t left = 0; left<size; left += size / CUTS> 7 ? size / CUTS : 7) {
        object.end = (uint64_t)copy + left;
        look_up_all();
    }
    object.end = (uint64_t)copy + size;
}

static void run_expression(const unsigned char *bytes, int expected, uint64_t value)
{
    struct vf_memory memory;
    uint64_t registers[VF_REG_COUNT] = {[3] = 100, [7] = 5}, result = 0;
    vf_memory_init(&memory, (uint64_t)&memory);
    assert_int_equal(vf_expression_run(&memory, (uint64_t)bytes, registers, 40, &result), expected);
    if (expected == 0)
        assert_int_equal(result, value);
}

/* Each with its length in front; 40 is on the stack. */
static void expressions(void **state)
{
    (void)state;
    run_expression((unsigned char[]){3, 0x73, 2, 0x22}, 0, 142);          /* breg3 2, plus */
    run_expression((unsigned char[]){2, 0x09, 0xff}, 0, UINT64_MAX);      /* const1s -1 */
    run_expression((unsigned char[]){2, 0x31, 0x1c}, 0, 39);              /* lit1, minus */
    run_expression((unsigned char[]){3, 0x31, 0x16, 0x1c}, 0, 0 - 39ull); /* lit1, swap, minus */
    run_expression((unsigned char[]){2, 0x33, 0x24}, 0, 320);             /* lit3, shl */
    run_expression((unsigned char[]){5, 0x31, 0x28, 1, 0, 0x13}, 0, 40);  /* lit1, bra over drop */
    run_expression((unsigned char[]){2, 0x30, 0x1b}, VF_UNWIND_INVALID, 0);       /* by zero */
    run_expression((unsigned char[]){2, 0x13, 0x13}, VF_UNWIND_INVALID, 0);       /* empty */
    run_expression((unsigned char[]){3, 0x2f, 0xfd, 0xff}, VF_UNWIND_INVALID, 0); /* for ever */
    run_expression((unsigned char[]){3, 0x2f, 0xf0, 0xff}, VF_UNWIND_INVALID, 0); /* to before it */
    run_expression((unsigned char[]){2, 0x31, 0x06}, VF_UNWIND_INVALID, 0);       /* reads at 1 */
    run_expression((unsigned char[]){1, 0xff}, VF_UNWIND_INVALID, 0);
}

/* What PyPy's shared code looks like: call r11; …; add rsp, 8; …; and the trace's call of it. */
static void shared_code_of_traces(void **state)
{
    (void)state;
    static unsigned char shared[128] = {0x90, 0x90, 0x48, 0x83, 0xc4, 0x08, 0xc3};
    static unsigned char trace[] = {0x49, 0xbb, 1, 2, 3, 4, 5, 6, 7, 8, 0x41, 0xff, 0xd3, 0x90};
    uint64_t stack[4] = {1, (uint64_t)(trace + 13), 2, 3}, sp = (uint64_t)stack, caller = 0;
    struct vf_memory memory;
    vf_memory_init(&memory, sp);
    assert_true(vf_stub_find(&memory, (uint64_t)shared, &sp, &caller));
    assert_int_equal(caller, (uint64_t)(trace + 13));
    assert_int_equal(sp, (uint64_t)(stack + 2));
    sp = (uint64_t)stack;
    stack[1]--; /* no call in front of it */
    assert_false(vf_stub_find(&memory, (uint64_t)shared, &sp, &caller));
    stack[1] = 8; /* no address */
    assert_false(vf_stub_find(&memory, (uint64_t)shared, &sp, &caller));
    memset(shared, 0x90, sizeof shared);
    stack[1] = (uint64_t)(trace + 13);
    assert_false(vf_stub_find(&memory, (uint64_t)shared, &sp, &caller));
    assert_int_equal(sp, (uint64_t)stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_copy_is_as_good), cmocka_unit_test(any_byte_wrong),
        cmocka_unit_test(many_bytes_wrong),    cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(expressions),         cmocka_unit_test(shared_code_of_traces),
    };
    return cmocka_run_group_tests(tests, make_copy, NULL);
}

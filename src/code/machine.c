#include "code/machine.h"

#include <capstone/capstone.h>

static const struct {
    const char *name;
    cs_arch arch;
    unsigned mode; /* cs_mode, or several */
    unsigned step;
} machines[] = {
    {"x86_64", CS_ARCH_X86, CS_MODE_64, 1},
    {"amd64", CS_ARCH_X86, CS_MODE_64, 1},
    {"AMD64", CS_ARCH_X86, CS_MODE_64, 1},
    {"x86", CS_ARCH_X86, CS_MODE_32, 1},
    {"i386", CS_ARCH_X86, CS_MODE_32, 1},
    {"i586", CS_ARCH_X86, CS_MODE_32, 1},
    {"i686", CS_ARCH_X86, CS_MODE_32, 1},
    {"aarch64", CS_ARCH_ARM64, CS_MODE_ARM, 4},
    {"arm64", CS_ARCH_ARM64, CS_MODE_ARM, 4},
    {"armv6l", CS_ARCH_ARM, CS_MODE_ARM, 4},
    {"armv7l", CS_ARCH_ARM, CS_MODE_ARM, 4},
    {"armv8l", CS_ARCH_ARM, CS_MODE_ARM, 4},
    {"ppc64", CS_ARCH_PPC, (unsigned)CS_MODE_64 | (unsigned)CS_MODE_BIG_ENDIAN, 4},
    {"ppc64le", CS_ARCH_PPC, CS_MODE_64, 4},
    {"s390x", CS_ARCH_SYSZ, (unsigned)CS_MODE_BIG_ENDIAN, 2},
};

void vf_machine_open(struct vf_machine *machine, struct vf_str name)
{
    *machine = (struct vf_machine){.step = 1};
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        csh handle;
        if (!vf_str_eq(name, vf_str_from(machines[i].name)) ||
            cs_open(machines[i].arch, (cs_mode)machines[i].mode, &handle) != CS_ERR_OK)
            continue;
        machine->handle = handle;
        machine->slot = cs_malloc(handle);
        machine->step = machines[i].step;
        machine->known = machine->slot != NULL;
        return;
    }
}

void vf_machine_close(struct vf_machine *machine)
{
    csh handle = machine->handle;
    if (machine->slot)
        cs_free(machine->slot, 1);
    if (handle)
        cs_close(&handle);
    *machine = (struct vf_machine){0};
}

/* The operands, with addresses of the trace's own code counted from its start. */
static void add_operands(struct vf_buf *out, const char *text, uint64_t base, uint64_t size)
{
    struct vf_str rest = vf_str_from(text);
    while (rest.len) {
        struct vf_str digits = {rest.ptr, 0};
        uint64_t value;
        if (vf_str_starts(rest, VF_STR("0x"))) {
            digits = (struct vf_str){rest.ptr + 2, 0};
            while (digits.len < rest.len - 2 && strchr("0123456789abcdef", digits.ptr[digits.len]))
                digits.len++;
        }
        if (digits.len && vf_str_to_u64(digits, 16, &value) && value >= base &&
            value - base < size) {
            vf_buf_printf(out, "+0x%llx", (unsigned long long)(value - base));
            rest = (struct vf_str){rest.ptr + digits.len + 2, rest.len - digits.len - 2};
            continue;
        }
        size_t step = digits.len ? digits.len + 2 : 1;
        vf_buf_add(out, rest.ptr, step);
        rest = (struct vf_str){rest.ptr + step, rest.len - step};
    }
}

static size_t add_bytes(const struct vf_machine *machine, struct vf_str bytes, struct vf_buf *out)
{
    size_t count = bytes.len < machine->step ? bytes.len : machine->step;
    vf_buf_printf(out, "(bytes");
    for (size_t i = 0; i < count; i++)
        vf_buf_printf(out, " %02x", (unsigned char)bytes.ptr[i]);
    vf_buf_add(out, ")", 1);
    return count;
}

size_t vf_machine_next(const struct vf_machine *machine, struct vf_str bytes, uint64_t address,
                       uint64_t base, uint64_t size, struct vf_buf *out)
{
    const uint8_t *code = (const uint8_t *)bytes.ptr;
    size_t left = bytes.len;
    cs_insn *slot = machine->slot;
    if (!machine->known || !cs_disasm_iter(machine->handle, &code, &left, &address, slot) ||
        slot->size == 0 || slot->size > bytes.len)
        return add_bytes(machine, bytes, out);
    vf_buf_printf(out, "%s", slot->mnemonic);
    if (slot->op_str[0]) {
        vf_buf_add(out, " ", 1);
        add_operands(out, slot->op_str, base, size);
    }
    return slot->size;
}

#include "symbols/library.h"

#include "symbols/dwarf.h"
#include "symbols/elf.h"
#include "symbols/plt.h"

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct vf_library {
    enum vf_library_state state;
    char *path;
    struct vf_str build_id;
    const struct vf_debug_files *debug;
    Dwfl_Callbacks callbacks;
    char *debug_path;
    Dwfl *dwfl;
    Dwfl_Module *module;
    struct vf_dwarf dwarf;
    int fd;
    Elf *elf;       /* the file itself, where it is there */
    bool asked;     /* for debug files: once is enough */
    uint64_t first; /* the virtual address of relative address 0 */
    struct vf_bounds bounds;
    bool has_bounds;
    struct vf_symtab symtab;
    bool has_symtab;
    int machine; /* EM_* */
    bool is_64, is_big;
    struct vf_arena arena;
};

static const char DEBUG_PATH[] = ":.debug:/usr/lib/debug";

/* ---- opening --------------------------------------------------------------------------------- */

/* maps give addresses from where file offset 0 lies, so that is what the first segment counts
 * from. */
static uint64_t find_first(Elf *elf)
{
    size_t count;
    GElf_Phdr header;
    if (elf_getphdrnum(elf, &count) != 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
            continue;
        uint64_t align = header.p_align > 1 ? header.p_align : 1;
        return (header.p_vaddr - header.p_offset) / align * align;
    }
    return 0;
}

static void read_header(struct vf_library *library, Elf *elf)
{
    GElf_Ehdr header;
    if (!gelf_getehdr(elf, &header))
        return;
    library->machine = header.e_machine;
    library->is_64 = header.e_ident[EI_CLASS] == ELFCLASS64;
    library->is_big = header.e_ident[EI_DATA] == ELFDATA2MSB;
    library->first = find_first(elf);
}

static bool is_right_debug_file(struct vf_library *library, int fd)
{
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    bool good = elf && elf_kind(elf) == ELF_K_ELF &&
                vf_str_eq(vf_elf_id_of(elf, &library->arena), library->build_id);
    if (good && !library->elf)
        read_header(library, elf);
    elf_end(elf);
    return good;
}

/* Debug files of this machine first; only then is somebody else asked. */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                          const char *file, const char *link, GElf_Word crc, char **found)
{
    struct vf_library *library = *userdata;
    int fd = dwfl_standard_find_debuginfo(module, userdata, name, base, file, link, crc, found);
    if (fd >= 0 || !library->debug || !library->debug->fetch || library->asked)
        return fd;
    const unsigned char *id;
    GElf_Addr at;
    int bytes = dwfl_module_build_id(module, &id, &at);
    library->asked = true;
    fd = bytes > 0 ? library->debug->fetch(library->debug->context, id, (size_t)bytes) : -1;
    return fd >= 0 && !is_right_debug_file(library, fd) ? close(fd), -1 : fd;
}

static enum vf_library_state open_file(struct vf_library *library)
{
    /* The path may be what somebody's file says: a device is not even opened. */
    struct stat st;
    if (stat(library->path, &st) != 0 || !S_ISREG(st.st_mode))
        return VF_LIBRARY_MISSING;
    library->fd = open(library->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (library->fd < 0)
        return VF_LIBRARY_MISSING;
    library->elf = elf_begin(library->fd, ELF_C_READ_MMAP, NULL);
    if (!library->elf || elf_kind(library->elf) != ELF_K_ELF)
        return VF_LIBRARY_NO_ELF;
    struct vf_str id = vf_elf_id_of(library->elf, &library->arena);
    if (library->build_id.len && !vf_str_eq(library->build_id, id))
        return VF_LIBRARY_CHANGED;
    library->build_id = id;
    read_header(library, library->elf);
    return VF_LIBRARY_READY;
}

static void close_file(struct vf_library *library)
{
    elf_end(library->elf);
    library->elf = NULL;
    if (library->fd >= 0)
        close(library->fd);
    library->fd = -1;
}

static unsigned char hex_digit(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A debug file by build id, where the library itself is not there: its symbols have the same
 * addresses. */
static int open_by_id(struct vf_library *library)
{
    unsigned char bytes[64];
    struct vf_str id = library->build_id;
    const char *folder = library->debug ? library->debug->folder : NULL;
    const char *roots[] = {folder, "/usr/lib/debug"};
    if (id.len < 4 || id.len % 2 || id.len / 2 > sizeof bytes)
        return -1;
    for (size_t i = 0; i < id.len; i++)
        if (!strchr("0123456789abcdef", id.ptr[i]) || !id.ptr[i])
            return -1;
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        if (!roots[i])
            continue;
        snprintf(path, sizeof path, "%s/.build-id/%.2s/%.*s.debug", roots[i], id.ptr,
                 (int)id.len - 2, id.ptr + 2);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0)
            return fd;
    }
    if (!library->debug || !library->debug->fetch)
        return -1;
    for (size_t i = 0; i < id.len / 2; i++)
        bytes[i] = (unsigned char)(hex_digit(id.ptr[2 * i]) << 4 | hex_digit(id.ptr[2 * i + 1]));
    return library->debug->fetch(library->debug->context, bytes, id.len / 2);
}

/* Takes over the descriptor.  libdwfl is given the virtual addresses of the file as they are. */
static bool report(struct vf_library *library, int fd)
{
    size_t size =
        sizeof DEBUG_PATH +
        (library->debug && library->debug->folder ? strlen(library->debug->folder) + 1 : 0);
    library->debug_path = vf_alloc(size, 1);
    snprintf(library->debug_path, size, "%s%s%s", DEBUG_PATH,
             library->debug && library->debug->folder ? ":" : "",
             library->debug && library->debug->folder ? library->debug->folder : "");
    library->callbacks = (Dwfl_Callbacks){.find_elf = dwfl_build_id_find_elf,
                                          .find_debuginfo = find_debuginfo,
                                          .section_address = dwfl_offline_section_address,
                                          .debuginfo_path = &library->debug_path};
    library->dwfl = dwfl_begin(&library->callbacks);
    if (!library->dwfl) {
        close(fd);
        return false;
    }
    dwfl_report_begin(library->dwfl);
    library->module = dwfl_report_elf(library->dwfl, library->path, library->path, fd, 0, true);
    if (!library->module) { /* else it is libdwfl's */
        close(fd);
        return false;
    }
    library->dwarf.module = library->module;
    dwfl_report_end(library->dwfl, NULL, NULL);
    void **userdata = NULL;
    dwfl_module_info(library->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
    if (userdata)
        *userdata = library;
    return true;
}

struct vf_library *vf_library_open(const char *path, struct vf_str build_id,
                                   const struct vf_debug_files *debug)
{
    struct vf_library *library = vf_alloc_zeroed(1, sizeof *library);
    elf_version(EV_CURRENT);
    library->path = vf_strdup(vf_str_from(path));
    library->build_id = vf_arena_str(&library->arena, build_id);
    library->debug = debug;
    library->fd = -1;
    library->state = open_file(library);
    int fd = -1;
    if (library->state == VF_LIBRARY_READY) {
        fd = fcntl(library->fd, F_DUPFD_CLOEXEC, 0);
        if (elf_cntl(library->elf, ELF_C_FDDONE) == 0) { /* it is mapped: programs load hundreds */
            close(library->fd);
            library->fd = -1;
        }
    } else {
        close_file(library);
        fd = open_by_id(library);
        if (fd >= 0 && !is_right_debug_file(library, fd)) {
            close(fd);
            fd = -1;
        }
        if (fd >= 0)
            library->state = VF_LIBRARY_READY;
    }
    if (fd >= 0 && !report(library, fd))
        library->state = VF_LIBRARY_NO_ELF;
    return library;
}

void vf_library_close(struct vf_library *library)
{
    if (!library)
        return;
    if (library->dwfl)
        dwfl_end(library->dwfl);
    close_file(library);
    vf_bounds_release(&library->bounds);
    vf_symtab_release(&library->symtab);
    vf_dwarf_release(&library->dwarf);
    vf_arena_release(&library->arena);
    free(library->debug_path);
    free(library->path);
    free(library);
}

enum vf_library_state vf_library_state(const struct vf_library *library)
{
    return library->state;
}

bool vf_library_has_file(const struct vf_library *library)
{
    return library->elf != NULL;
}

struct vf_str vf_library_arch(const struct vf_library *library)
{
    switch (library->machine) {
    case EM_X86_64:
        return VF_STR("x86_64");
    case EM_386:
        return VF_STR("i386");
    case EM_AARCH64:
        return VF_STR("aarch64");
    case EM_ARM:
        return VF_STR("armv7l");
    case EM_PPC64:
        return library->is_big ? VF_STR("ppc64") : VF_STR("ppc64le");
    case EM_S390:
        return VF_STR("s390x");
    default:
        return VF_STR("");
    }
}

/* ---- functions ------------------------------------------------------------------------------- */

static const struct vf_bound *find_bound(struct vf_library *library, uint64_t at)
{
    if (!library->has_bounds && library->elf)
        vf_bounds_read(&library->bounds, library->elf);
    library->has_bounds = true;
    return vf_bounds_find(&library->bounds, at);
}

static void read_symbols(struct vf_library *library)
{
    if (library->has_symtab)
        return;
    library->has_symtab = true;
    vf_symtab_read(&library->symtab, library->module);
    if (library->elf)
        vf_plt_read(&library->symtab, library->elf, &library->arena);
    vf_symtab_sort(&library->symtab);
}

/* The symbol whose function holds the address, going by its size; one without a size only where it
 * begins a function that the unwinding tables know, or nothing else is known of the place. */
static bool find_symbol(struct vf_library *library, uint64_t at, const struct vf_bound *bound,
                        struct vf_symbol *out)
{
    read_symbols(library);
    const struct vf_symtab_row *row = vf_symtab_find(&library->symtab, at);
    /* A label lies before the address: the function that it is in may begin with another. */
    if (row && row->size == 0 && bound && bound->start != row->address)
        row = vf_symtab_find(&library->symtab, bound->start);
    if (!row || (row->size == 0 && bound && bound->start != row->address))
        return false;
    out->name = vf_str_from(row->name);
    out->start = row->address;
    out->size = row->size ? row->size : bound ? bound->end - row->address : 0;
    return true;
}

bool vf_library_function(struct vf_library *library, uint64_t address, struct vf_symbol *out)
{
    *out = (struct vf_symbol){0};
    if (!library->module || address > UINT64_MAX - library->first)
        return false;
    uint64_t at = address + library->first;
    const struct vf_bound *bound = find_bound(library, at);
    if (!find_symbol(library, at, bound, out)) {
        if (bound) {
            out->start = bound->start;
            out->size = bound->end - bound->start;
        } else if (!vf_dwarf_function(&library->dwarf, at, out)) {
            return false;
        }
    }
    out->is_signal = bound && bound->is_signal;
    vf_dwarf_declaration(&library->dwarf, at, out);
    if (out->file.len == 0 && !vf_dwarf_knows(&library->dwarf, at)) /* of an assembler */
        vf_dwarf_line(&library->dwarf, out->start, &out->file, &out->line);
    if (out->start < library->first)
        return false;
    out->start -= library->first;
    return true;
}

size_t vf_library_frames(struct vf_library *library, uint64_t address,
                         struct vf_symbol_frame frames[VF_INLINE_MAX])
{
    struct vf_symbol function;
    if (!vf_library_function(library, address, &function))
        return 0;
    frames[0] = (struct vf_symbol_frame){
        .name = function.name, .file = function.file, .first_line = function.line};
    return vf_dwarf_frames(&library->dwarf, address + library->first, frames);
}

uint64_t vf_library_next_line(struct vf_library *library, uint64_t address)
{
    if (!library->module || address > UINT64_MAX - library->first)
        return UINT64_MAX;
    uint64_t next = vf_dwarf_next_line(&library->dwarf, address + library->first);
    return next == UINT64_MAX || next < library->first ? UINT64_MAX : next - library->first;
}

struct vf_str vf_library_code(struct vf_library *library, uint64_t address, uint64_t size)
{
    const struct vf_str none = {NULL, 0};
    size_t count, file_bytes;
    GElf_Phdr header;
    const char *file = library->elf ? elf_rawfile(library->elf, &file_bytes) : NULL;
    if (!file || elf_getphdrnum(library->elf, &count) != 0 || address > UINT64_MAX - library->first)
        return none;
    uint64_t at = address + library->first;
    for (size_t i = 0; i < count; i++) {
        if (!gelf_getphdr(library->elf, (int)i, &header) || header.p_type != PT_LOAD ||
            !(header.p_flags & PF_X) || at < header.p_vaddr ||
            at - header.p_vaddr >= header.p_filesz)
            continue;
        uint64_t into = at - header.p_vaddr, left = header.p_filesz - into;
        if (header.p_offset > file_bytes || into > file_bytes - header.p_offset)
            return none;
        if (left > file_bytes - header.p_offset - into)
            left = file_bytes - header.p_offset - into;
        return (struct vf_str){file + header.p_offset + into, size < left ? size : left};
    }
    return none;
}

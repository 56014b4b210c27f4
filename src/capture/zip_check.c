#include "capture/zip_check.h"

#include "base/thread.h"

#include <isa-l/crc.h>

void vf_zip_check_add(struct vf_zip_check *check, struct vf_str name, struct vf_str bytes,
                      uint32_t crc)
{
    VF_APPEND(&check->members, ((struct vf_zip_checked){.name = name, .bytes = bytes, .crc = crc}));
}

static void *work(void *context)
{
    struct vf_zip_check *check = context;
    for (size_t i = 0; i < check->members.len; i++) {
        struct vf_zip_checked *member = &check->members.items[i];
        member->damaged = crc32_gzip_refl(0, (const unsigned char *)member->bytes.ptr,
                                          member->bytes.len) != member->crc;
    }
    return NULL;
}

void vf_zip_check_start(struct vf_zip_check *check)
{
    if (check->members.len == 0)
        return;
    check->running = vf_thread_start(&check->thread, work, check) == 0;
    if (!check->running)
        work(check);
}

void vf_zip_check_finish(struct vf_zip_check *check, struct vf_warnings *warnings)
{
    if (check->running)
        pthread_join(check->thread, NULL);
    check->running = false;
    for (size_t i = 0; i < check->members.len; i++)
        if (check->members.items[i].damaged)
            vf_warn(warnings, "member %.*s is damaged: its checksum is not that of the zip",
                    VF_STR_ARG(check->members.items[i].name));
    free(check->members.items);
    check->members.items = NULL;
    check->members.len = check->members.cap = 0;
}

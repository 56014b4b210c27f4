#include "capture/zip_file.h"

/* ---- the source ------------------------------------------------------------------------------ */

static zip_int64_t read_bytes(struct vf_zip_file *file, void *data, zip_uint64_t len)
{
    uint64_t left = file->len - file->at;
    uint64_t now = len < left ? len : left;
    file->last_at = file->at;
    memcpy(data, file->bytes + file->at, now);
    file->at += now;
    return (zip_int64_t)now;
}

static zip_int64_t say_size(const struct vf_zip_file *file, void *data, zip_uint64_t len)
{
    zip_stat_t stat;
    if (len < sizeof stat)
        return -1;
    zip_stat_init(&stat);
    stat.size = file->len;
    stat.valid = ZIP_STAT_SIZE;
    memcpy(data, &stat, sizeof stat);
    return sizeof stat;
}

static zip_int64_t answer(void *context, void *data, zip_uint64_t len, zip_source_cmd_t what)
{
    struct vf_zip_file *file = context;
    zip_int64_t to;
    switch ((int)what) {
    case ZIP_SOURCE_OPEN:
        file->at = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return read_bytes(file, data, len);
    case ZIP_SOURCE_SEEK:
        to = zip_source_seek_compute_offset(file->at, file->len, data, len, &file->error);
        if (to < 0)
            return -1;
        file->at = (uint64_t)to;
        return 0;
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)file->at;
    case ZIP_SOURCE_STAT:
        return say_size(file, data, len);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&file->error, data, len);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    default:
        zip_error_set(&file->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* ---- the zip --------------------------------------------------------------------------------- */

enum vf_status vf_zip_file_open(struct vf_zip_file *file, const struct vf_bytes *bytes,
                                struct vf_error *error)
{
    zip_error_t why;
    *file = (struct vf_zip_file){.bytes = bytes->ptr, .len = bytes->len};
    zip_error_init(&file->error);
    zip_error_init(&why);
    zip_source_t *source = zip_source_function_create(answer, file, &why);
    if (source)
        file->zip = zip_open_from_source(source, ZIP_RDONLY, &why);
    if (file->zip)
        return VF_OK;
    /* It begins like one, else nobody had called this. */
    enum vf_status status =
        zip_error_code_zip(&why) == ZIP_ER_NOZIP
            ? vf_fail(error, "the zip can't be read: it is cut or damaged, for the list of what is "
                             "in it, at its end, is not there")
            : vf_fail(error, "the zip can't be read: %s", zip_error_strerror(&why));
    zip_source_free(source);
    zip_error_fini(&why);
    zip_error_fini(&file->error);
    return status;
}

void vf_zip_file_close(struct vf_zip_file *file)
{
    if (file->zip) {
        zip_discard(file->zip);
        zip_error_fini(&file->error);
    }
    file->zip = NULL;
}

bool vf_zip_file_stored(struct vf_zip_file *file, zip_uint64_t index, struct vf_str *out,
                        uint32_t *crc)
{
    const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_CRC;
    zip_stat_t stat;
    unsigned char first;
    zip_stat_init(&stat);
    if (zip_stat_index(file->zip, index, 0, &stat) != 0 || (stat.valid & wanted) != wanted ||
        stat.comp_method != ZIP_CM_STORE || stat.encryption_method != ZIP_EM_NONE ||
        stat.size == 0 || stat.size != stat.comp_size)
        return false;
    zip_file_t *member = zip_fopen_index(file->zip, index, 0);
    if (!member)
        return false;
    bool read = zip_fread(member, &first, 1) == 1;
    uint64_t at = file->last_at;
    zip_fclose(member);
    if (!read || at >= file->len || stat.size > file->len - at || file->bytes[at] != first)
        return false;
    *out = (struct vf_str){(const char *)file->bytes + at, (size_t)stat.size};
    *crc = stat.crc;
    return true;
}

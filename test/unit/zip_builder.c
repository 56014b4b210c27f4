#include "zip_builder.h"

#include <zip.h>

bool zip_write_file(const char *path, const struct zip_part *parts, size_t count)
{
    int why;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &why);
    if (!zip)
        return false;
    for (size_t i = 0; i < count; i++) {
        zip_source_t *source = zip_source_buffer(zip, parts[i].bytes.ptr, parts[i].bytes.len, 0);
        zip_int64_t row = source ? zip_file_add(zip, parts[i].name, source, ZIP_FL_ENC_UTF_8) : -1;
        if (row < 0) {
            zip_discard(zip);
            return false;
        }
        zip_set_file_compression(zip, (zip_uint64_t)row,
                                 parts[i].stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0);
    }
    if (zip_close(zip) == 0)
        return true;
    zip_discard(zip);
    return false;
}

#include "slabs_builder.h"

#include <math.h>

static void put_u32(struct vf_buf *out, uint64_t value)
{
    unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                              (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    vf_buf_add(out, bytes, sizeof bytes);
}

static size_t align(size_t at, size_t to)
{
    return (at + to - 1) / to * to;
}

struct vf_buf slabs_build(const struct slabs_part *parts, size_t count)
{
    static const char zeros[8];
    struct vf_buf out = {0};
    vf_buf_add(&out, "\xDC\xDF\x4A\x53\x4C\x42\x01", 8);
    put_u32(&out, 1);
    put_u32(&out, count);
    put_u32(&out, count - 1);
    size_t at = slabs_type_at(count);
    for (size_t k = 0; k < count; k++) {
        at = align(at, vf_slabs_size(parts[k].type));
        put_u32(&out, parts[k].type);
        put_u32(&out, at);
        put_u32(&out, parts[k].len);
        at += parts[k].len;
    }
    for (size_t k = 0; k < count; k++) {
        vf_buf_add(&out, zeros, align(out.len, vf_slabs_size(parts[k].type)) - out.len);
        vf_buf_add(&out, parts[k].bytes, parts[k].len);
    }
    return out;
}

void slabs_set(struct vf_buf *file, size_t at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        file->ptr[at + i] = (char)(value >> 8 * i);
}

struct vf_buf slabs_story(void)
{
    static const int8_t i8[] = {0, 1, -1, INT8_MIN, INT8_MAX};
    static const uint8_t u8[] = {0, 1, UINT8_MAX};
    static const int16_t i16[] = {0, INT16_MIN, INT16_MAX};
    static const uint16_t u16[] = {0, UINT16_MAX};
    static const int32_t i32[] = {0, INT32_MIN, INT32_MAX};
    static const uint32_t u32[] = {0, UINT32_MAX};
    static const float f32[] = {0, 0.5f, -1.25f, NAN, INFINITY, -INFINITY};
    static const double f64[] = {0,       0.000001,         -1.5, 12345.678901, 0.1 + 0.2, 1e21,
                                 -1e-300, 9007199254740994, NAN,  INFINITY};
    static const int64_t i64[] = {0, INT64_MIN, INT64_MAX};
    static const uint64_t u64[] = {0, UINT64_MAX};
    static const double ends[] = {0, 2.5, 0, 0, 7};
    const struct slabs_part parts[] = {
        SLABS_ARRAY(I8, i8),
        SLABS_ARRAY(U8, u8),
        SLABS_ARRAY(I16, i16),
        SLABS_ARRAY(U16, u16),
        SLABS_ARRAY(I32, i32),
        SLABS_ARRAY(U32, u32),
        SLABS_ARRAY(F32, f32),
        SLABS_ARRAY(F64, f64),
        SLABS_ARRAY(I64, i64),
        SLABS_ARRAY(U64, u64),
        SLABS_JSON("[\"text\", {\"$s\":0}]"),
        SLABS_ARRAY(F64, ends),
        {VF_SLABS_U8, "", 0},
        SLABS_JSON("{\"libs\":[],\"i\":[{\"$s\":0},{\"$s\":2},{\"$s\":4},{\"$s\":8}],"
                   "\"u\":[{\"$s\":1},{\"$s\":3},{\"$s\":5},{\"$s\":9},{\"$s\":12}],"
                   "\"f\":[{\"$s\":6},{\"$s\":7}],\"text\":{\"$s\":10},"
                   "\"markers\":{\"endTime\":{\"$s\":11},\"phase\":[0,1,2,1,0]}}"),
    };
    return slabs_build(parts, sizeof parts / sizeof *parts);
}

const char slabs_story_json[] =
    "{\"libs\":[],\"i\":[[0,1,-1,-128,127],[0,-32768,32767],[0,-2147483648,2147483647],"
    "[0,-9223372036854775808,9223372036854775807]],"
    "\"u\":[[0,1,255],[0,65535],[0,4294967295],[0,18446744073709551615],[]],"
    "\"f\":[[0,0.5,-1.25,null,null,null],"
    "[0,0.000001,-1.5,12345.678901,0.30000000000000004,1e+21,-1e-300,9007199254740994,null,null]],"
    "\"text\":[\"text\", [0,1,-1,-128,127]],"
    "\"markers\":{\"endTime\":[null,2.5,null,0,7],\"phase\":[0,1,2,1,0]}}\n";

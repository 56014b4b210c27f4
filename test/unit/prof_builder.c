#include "prof_builder.h"

enum { MODE_MEMORY = 1, MODE_LINES = 2 };

void prof_u8(struct prof_builder *b, unsigned value)
{
    unsigned char byte = (unsigned char)value;
    vf_buf_add(&b->out, &byte, 1);
}

void prof_le(struct prof_builder *b, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        prof_u8(b, (unsigned)(value >> 8 * i & 0xff));
}

void prof_word(struct prof_builder *b, uint64_t value)
{
    prof_le(b, value, b->word_bytes);
}

void prof_addr(struct prof_builder *b, uint64_t value)
{
    prof_le(b, value, b->addr_bytes);
}

void prof_f64(struct prof_builder *b, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    prof_le(b, bits, 8);
}

void prof_text(struct prof_builder *b, const char *text)
{
    prof_word(b, strlen(text));
    vf_buf_str(&b->out, vf_str_from(text));
}

static void short_text(struct prof_builder *b, const char *text)
{
    prof_u8(b, (unsigned)strlen(text));
    vf_buf_str(&b->out, vf_str_from(text));
}

static void time_stamp(struct prof_builder *b, int64_t seconds, int64_t micros)
{
    prof_le(b, (uint64_t)seconds, 8);
    prof_le(b, (uint64_t)micros, 8);
    prof_le(b, 0, 8); /* the zone, never used */
}

void prof_static_header(struct prof_builder *b, uint64_t period_us)
{
    bool windows64 = b->word_bytes == 4 && b->addr_bytes == 8;
    prof_word(b, 0);
    prof_word(b, 3);
    prof_word(b, 0);
    prof_word(b, period_us);
    prof_word(b, windows64 ? 1 : 0);
}

void prof_header(struct prof_builder *b, const char *interpreter)
{
    prof_u8(b, 0x05);
    prof_u8(b, (unsigned)b->version >> 8); /* the one big-endian number */
    prof_u8(b, (unsigned)b->version & 0xff);
    if (b->version >= 4)
        prof_u8(b, b->mode);
    short_text(b, interpreter);
}

void prof_old_interpreter(struct prof_builder *b, const char *interpreter)
{
    prof_u8(b, 0x04);
    short_text(b, interpreter);
}

void prof_start_time(struct prof_builder *b, int64_t seconds, int64_t micros)
{
    prof_u8(b, 0x06);
    time_stamp(b, seconds, micros);
}

void prof_trailer(struct prof_builder *b, int64_t seconds, int64_t micros)
{
    prof_u8(b, 0x03);
    if (b->version >= 5)
        time_stamp(b, seconds, micros);
}

void prof_meta(struct prof_builder *b, const char *key, const char *value)
{
    prof_u8(b, 0x07);
    prof_text(b, key);
    prof_text(b, value);
}

void prof_name(struct prof_builder *b, unsigned marker, uint64_t id, const char *text)
{
    prof_u8(b, marker);
    prof_addr(b, id);
    prof_text(b, text);
}

void prof_stack(struct prof_builder *b, unsigned marker, const struct prof_sample *sample)
{
    bool lines = !b->kinds && b->version >= 4 && (b->mode & MODE_LINES);
    bool memory = b->version >= 4 ? (b->mode & MODE_MEMORY) != 0 : b->version == 3;
    prof_u8(b, marker);
    if (b->version == 7 && b->fork)
        prof_f64(b, (double)sample->time_ns / 1e9);
    else
        prof_word(b, 1);
    prof_word(b, sample->depth * (b->kinds || lines ? 2 : 1));
    for (size_t i = sample->depth; i > 0; i--) {
        const struct prof_frame *frame = &sample->frames[i - 1];
        if (b->kinds)
            prof_addr(b, frame->kind);
        else if (lines)
            prof_addr(b, frame->line);
        prof_addr(b, frame->value);
    }
    if (b->version >= 1)
        prof_addr(b, sample->thread);
    if (memory)
        prof_addr(b, sample->memory_kb);
    if (b->version == 7 && !b->fork)
        prof_le(b, (uint64_t)sample->time_ns, 8);
}

void prof_object_info(struct prof_builder *b, const struct prof_objects *objects)
{
    prof_u8(b, 0x0a);
    prof_f64(b, (double)objects->time_ns / 1e9);
    prof_word(b, objects->count);
    for (size_t i = 0; i < objects->count; i++)
        prof_addr(b, objects->entries[i]);
    for (size_t i = 0; objects->gc_stats && i < 3; i++)
        prof_addr(b, objects->gc_stats[i]);
}

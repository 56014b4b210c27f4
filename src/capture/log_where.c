#include "capture/line_pieces.h"
#include "capture/runtime_log.h"

/* `<code object NAME. file 'FILE'. line LINE> #OFFSET OPCODE` */
static bool parse_old_where(struct vf_str text, struct vf_log_where *where)
{
    struct vf_str rest, file;
    if (!vf_line_after(text, VF_STR("<code object "), &rest) ||
        !vf_line_find(rest, VF_STR(". file '"), &file))
        return false;
    where->function = (struct vf_str){rest.ptr, (size_t)(file.ptr - rest.ptr) - strlen(". file '")};
    if (!vf_line_find(file, VF_STR("'. line "), &rest) ||
        !vf_line_number(rest, 10, &where->first_line))
        return false;
    where->file = (struct vf_str){file.ptr, (size_t)(rest.ptr - file.ptr) - strlen("'. line ")};
    where->line = where->first_line;
    if (vf_line_find(rest, VF_STR("> #"), &rest))
        vf_line_number(rest, 10, &where->offset);
    return true;
}

bool vf_log_where_parse(struct vf_str text, struct vf_log_where *where)
{
    struct vf_str file = text, tail, more, lines;
    *where = (struct vf_log_where){0};
    if (parse_old_where(text, where))
        return true;
    *where = (struct vf_log_where){.function = vf_str_cut(&file, ';')};
    if (where->function.len == 0 || !vf_line_find(file, VF_STR("~#"), &tail))
        return false;
    while (vf_line_find(tail, VF_STR("~#"), &more))
        tail = more;
    vf_line_number(tail, 10, &where->offset);
    file.len = (size_t)(tail.ptr - file.ptr) - strlen("~#");
    size_t colon = file.len;
    while (colon > 0 && file.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    lines = (struct vf_str){file.ptr + colon, file.len - colon};
    where->file = (struct vf_str){file.ptr, colon - 1};
    struct vf_str first = vf_str_cut(&lines, '-');
    return vf_line_number(first, 10, &where->first_line) && vf_line_number(lines, 10, &where->line);
}

/* bytecode.txt: what a merge point's bytecode works on. */
#include "test.h"

#include "capture/bytecode.h"

static const char TEXT[] = "file\t/a/b.py\n"
                           "code\tf\t1\n"
                           "0\t2\tLOAD_FAST\tx\n"
                           "2\t2\tLOAD_CONST\t'a\\tb\\\\n\\n'\n"
                           "4\t3\tBINARY_ADD\t\n"
                           "code\tg\t5\n"
                           "0\t6\tLOAD_FAST\ty\n"
                           "code\tg\t9\n"
                           "0\t10\tLOAD_FAST\tz\n"
                           "2\t6\tSTORE_FAST\tone\n"
                           "code\tg\t5\n"
                           "2\t6\tSTORE_FAST\ttwo\n"
                           "file\t/a/tab\\t.py\n"
                           "0\t1\tNOP\tin no code\n"
                           "code\th\t1\n"
                           "x\t1\tNOP\t\n"
                           "0\t1\tNOP\tw";

static struct vf_str ask(const struct vf_bytecode *b, const char *file, const char *function,
                         uint32_t offset, uint32_t line, const char *opcode)
{
    struct vf_jit_point point = {.place = {.file = vf_str_from(file),
                                           .function = vf_str_from(function),
                                           .line = line,
                                           .offset = offset},
                                 .opcode = vf_str_from(opcode)};
    return vf_bytecode_argument(b, &point);
}

static void assert_text(struct vf_str found, const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("'%.*s', not '%s'", VF_STR_ARG(found), expected);
}

static void arguments_are_found(void **state)
{
    (void)state;
    struct vf_bytecode b;
    vf_bytecode_parse(&b, VF_STR(TEXT));
    assert_text(ask(&b, "/a/b.py", "f", 0, 2, "LOAD_FAST"), "x");
    assert_text(ask(&b, "/a/b.py", "f", 2, 2, "LOAD_CONST"), "'a\tb\\n\n'");
    assert_text(ask(&b, "/a/b.py", "f", 4, 3, "BINARY_ADD"), "");
    assert_text(ask(&b, "/a/b.py", "g", 0, 6, "LOAD_FAST"), "y");
    assert_text(ask(&b, "/a/b.py", "g", 0, 10, "LOAD_FAST"), "z");
    assert_text(ask(&b, "/a/tab\t.py", "h", 0, 1, "NOP"), "w");
    vf_bytecode_release(&b);
}

/* Another opcode, line or offset is another program's: nothing is better than something wrong. */
static void what_does_not_agree_is_not_told(void **state)
{
    (void)state;
    struct vf_bytecode b;
    vf_bytecode_parse(&b, VF_STR(TEXT));
    assert_text(ask(&b, "/a/b.py", "f", 0, 2, "LOAD_NAME"), "");
    assert_text(ask(&b, "/a/b.py", "f", 0, 3, "LOAD_FAST"), "");
    assert_text(ask(&b, "/a/b.py", "f", 2, 2, "LOAD_FAST"), "");
    assert_text(ask(&b, "/a/c.py", "f", 0, 2, "LOAD_FAST"), "");
    assert_text(ask(&b, "/a/b.py", "g", 2, 6, "STORE_FAST"), ""); /* two of them differ */
    vf_bytecode_release(&b);
}

static void damage_does_no_harm(void **state)
{
    (void)state;
    char copy[sizeof TEXT];
    for (size_t length = 0; length < sizeof TEXT; length++) {
        struct vf_bytecode b;
        vf_bytecode_parse(&b, (struct vf_str){TEXT, length});
        struct vf_str found = ask(&b, "/a/b.py", "f", 0, 2, "LOAD_FAST");
        assert_true(found.len == 0 || (found.len == 1 && found.ptr[0] == 'x'));
        vf_bytecode_release(&b);
    }
    for (size_t i = 0; i < sizeof TEXT - 1; i++) {
        struct vf_bytecode b;
        memcpy(copy, TEXT, sizeof TEXT);
        copy[i] = i % 2 ? '\0' : '\t';
        vf_bytecode_parse(&b, (struct vf_str){copy, sizeof TEXT - 1});
        vf_bytecode_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_found),
        cmocka_unit_test(what_does_not_agree_is_not_told),
        cmocka_unit_test(damage_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The question for a function's machine code: what reaches who answers it, and what is refused. */
#include "serve/api.h"
#include "test.h"

struct asked {
    bool has, called;
    char lib[64], code_id[64];
    uint64_t address;
};

static void copy(char *out, size_t size, struct vf_str text)
{
    assert_true(text.len < size);
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static bool assembly(const void *context, const struct vf_serve_function *function,
                     struct vf_buf *out)
{
    struct asked *asked = *(struct asked *const *)context;
    asked->called = true;
    copy(asked->lib, sizeof asked->lib, function->lib);
    copy(asked->code_id, sizeof asked->code_id, function->code_id);
    asked->address = function->address;
    if (asked->has)
        vf_buf_str(out, VF_STR("{\"instructions\":[]}"));
    return asked->has;
}

static void check(const char *body, struct asked *asked, const char *expected)
{
    const struct vf_api_handler *handler = vf_api_find(VF_STR("asm/v1"));
    struct vf_api_context context = {.assembly = assembly, .assembly_context = &asked};
    struct vf_buf out = {0};
    assert_non_null(handler);
    asked->called = false;
    vf_api_answer(handler, &context, vf_str_from(body), &out);
    if (!vf_str_eq(vf_buf_view(&out), vf_str_from(expected)))
        fail_msg("%.*s, not %s", VF_STR_ARG(vf_buf_view(&out)), expected);
    vf_buf_release(&out);
}

static void the_question_comes_as_it_was_asked(void **state)
{
    (void)state;
    struct asked asked = {.has = true};
    /* As the front-end asks. */
    check("{\"debugName\":\"PyPy JIT\",\"debugId\":\"ABC0\",\"name\":\"PyPy JIT\","
          "\"codeId\":\"abc\",\"startAddress\":\"0x7fFe5\",\"size\":\"0x10\","
          "\"continueUntilFunctionEnd\":false}",
          &asked, "{\"instructions\":[]}");
    assert_true(asked.called);
    assert_string_equal(asked.lib, "PyPy JIT");
    assert_string_equal(asked.code_id, "abc");
    assert_true(asked.address == 0x7ffe5);
    /* A library without a code id has null there, or nothing. */
    check("{\"debugName\":\"x\",\"codeId\":null,\"startAddress\":\"0xffffffffffffffff\"}", &asked,
          "{\"instructions\":[]}");
    assert_string_equal(asked.code_id, "");
    assert_true(asked.address == UINT64_MAX);
}

static void no_such_function_is_said(void **state)
{
    (void)state;
    struct asked asked = {.has = false};
    check("{\"debugName\":\"x\",\"startAddress\":\"0x10\"}", &asked,
          "{\"error\":\"This profile has no machine code of that function.\"}");
    assert_true(asked.called);
}

static void a_bad_question_is_not_passed_on(void **state)
{
    (void)state;
    static const char *const unnamed[] = {
        "{}",
        "{\"debugName\":\"x\"}",
        "{\"startAddress\":\"0x10\"}",
        "{\"debugName\":7,\"startAddress\":\"0x10\"}",
        "{\"debugName\":[\"x\"],\"startAddress\":\"0x10\"}",
        "{\"debugName\":\"x\",\"startAddress\":16}",
        "{\"debugName\":\"x\",\"startAddress\":null}",
    };
    static const char *const no_number[] = {"",     "0x",   "10",   "0x1g",
                                            "0x-1", " 0x1", "0x1 ", "0x10000000000000000"};
    struct asked asked = {.has = true};
    for (size_t i = 0; i < sizeof unnamed / sizeof *unnamed; i++) {
        check(unnamed[i], &asked,
              "{\"error\":\"The request names no \\\"debugName\\\" or no "
              "\\\"startAddress\\\".\"}");
        assert_false(asked.called);
    }
    for (size_t i = 0; i < sizeof no_number / sizeof *no_number; i++) {
        struct vf_buf body = {0};
        vf_buf_printf(&body, "{\"debugName\":\"x\",\"startAddress\":\"%s\"}", no_number[i]);
        vf_buf_add(&body, "", 1);
        check(body.ptr, &asked,
              "{\"error\":\"The request's \\\"startAddress\\\" is no hexadecimal number.\"}");
        assert_false(asked.called);
        vf_buf_release(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question_comes_as_it_was_asked),
        cmocka_unit_test(no_such_function_is_said),
        cmocka_unit_test(a_bad_question_is_not_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

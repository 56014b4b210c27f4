/* Which requests' heads are whole and plain. */
#include "serve/head.h"
#include "test.h"

#include "base/buf.h"

#define HOST "Host: localhost\r\n"

static enum vf_head check(const char *text)
{
    return vf_head_check(vf_str_from(text));
}

static void plain_heads_are_whole(void **state)
{
    static const char *const plain[] = {
        "GET / HTTP/1.1\r\n" HOST "\r\n",
        "GET / HTTP/1.0\r\n" HOST "\r\n",
        "GET /a?b=%00&c HTTP/1.1\r\n" HOST "X: \t\xff\r\nY:\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost:\r\n\r\n",
        "PROPFIND http://a/b HTTP/1.1\r\nHOST: x\r\n\r\n",
        "POST /a HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n\0 a body",
        "POST /a HTTP/1.1\r\nContent-Length:9223372036854775807\r\n" HOST "\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct vf_str head = vf_str_from(plain[i]);
        size_t end = (size_t)(strstr(plain[i], "\r\n\r\n") - plain[i]) + 4;
        for (head.len = 0; head.len < end; head.len++)
            if (vf_head_check(head) != VF_HEAD_PART)
                fail_msg("%zu bytes of %s", head.len, plain[i]);
        assert_int_equal(vf_head_check(head), VF_HEAD_WHOLE);
    }
    assert_int_equal(vf_head_check(VF_STR("GET / HTTP/1.1\r\n" HOST "\r\n\0\n\n\x16")),
                     VF_HEAD_WHOLE);
}

static void others_are_bad(void **state)
{
    static const char *const bad[] = {
        "\r\n",
        "\n",
        " GET / HTTP/1.1\r\n",
        "GET /\r\n",
        "GET\r\n",
        "GET / \r\n",
        "GET  HTTP/1.1\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET / x HTTP/1.1\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/0.9\r\n",
        "GET / HTTP/9.9\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.1\n",
        "GET /\xc3\xb6 HTTP/1.1\r\n",
        "GET /\x7f",
        "G@T / HTTP/1.1\r\n",
        "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST HOST,
        "GET / HTTP/1.1\r\n" HOST " folded\r\n",
        "GET / HTTP/1.1\r\n" HOST "\tfolded\r\n",
        "GET / HTTP/1.1\r\n" HOST "X : y\r\n",
        "GET / HTTP/1.1\r\n" HOST "X\r\n",
        "GET / HTTP/1.1\r\n" HOST ": y\r\n",
        "GET / HTTP/1.1\r\n" HOST "X: y\n",
        "GET / HTTP/1.1\r\n" HOST "X: \ry\r\n",
        "GET / HTTP/1.1\r\n" HOST "X: \x01",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\ncontent-length: 1\r\n",
        "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n",
        "GET / HTTP/1.1\r\n" HOST "transfer-encoding: identity\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check(bad[i]) != VF_HEAD_BAD)
            fail_msg("not bad: %s", bad[i]);
    assert_int_equal(vf_head_check(VF_STR("GET /\0 HTTP/1.1\r\n" HOST "\r\n")), VF_HEAD_BAD);
    assert_int_equal(vf_head_check(VF_STR("GET / HTTP/1.1\r\n" HOST "X\0: y\r\n")), VF_HEAD_BAD);
    assert_int_equal(vf_head_check((struct vf_str){NULL, 0}), VF_HEAD_PART);
}

/* A head with a path of `target` bytes, `fields` more fields, and one of `value` bytes. */
static enum vf_head check_sizes(size_t target, size_t fields, size_t value)
{
    struct vf_buf head = {0};
    vf_buf_str(&head, VF_STR("GET "));
    for (size_t i = 0; i < target; i++)
        vf_buf_add(&head, "/", 1);
    vf_buf_str(&head, VF_STR(" HTTP/1.1\r\n" HOST));
    for (size_t i = 0; i < fields; i++)
        vf_buf_str(&head, VF_STR("a:\r\n"));
    vf_buf_str(&head, VF_STR("X:"));
    for (size_t i = 0; i < value; i++)
        vf_buf_add(&head, "x", 1);
    vf_buf_str(&head, VF_STR("\r\n\r\n"));
    enum vf_head found = vf_head_check(vf_buf_view(&head));
    vf_buf_release(&head);
    return found;
}

static void sizes_have_limits(void **state)
{
    size_t rest = strlen("GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n");
    (void)state;
    assert_int_equal(check_sizes(VF_HEAD_TARGET_MAX, 0, 0), VF_HEAD_WHOLE);
    assert_int_equal(check_sizes(VF_HEAD_TARGET_MAX + 1, 0, 0), VF_HEAD_BAD);
    assert_int_equal(check_sizes(1, VF_HEAD_FIELDS_MAX - 2, 0), VF_HEAD_WHOLE);
    assert_int_equal(check_sizes(1, VF_HEAD_FIELDS_MAX - 1, 0), VF_HEAD_BAD);
    assert_int_equal(check_sizes(1, 0, VF_HEAD_BYTES_MAX - rest), VF_HEAD_WHOLE);
    assert_int_equal(check_sizes(1, 0, VF_HEAD_BYTES_MAX - rest + 1), VF_HEAD_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_heads_are_whole),
        cmocka_unit_test(others_are_bad),
        cmocka_unit_test(sizes_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

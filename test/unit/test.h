/* cmocka with the headers it asks for. */
#ifndef VF_TEST_H
#define VF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* cmocka's own for this is another one from version 2 on.  Numbers that are not negative. */
static inline void assert_between_at(uintmax_t value, uintmax_t least, uintmax_t most,
                                     const char *file, int line)
{
    if (value >= least && value <= most)
        return;
    print_error("%ju is not within %ju and %ju\n", value, least, most);
    _fail(file, line);
}
#define assert_between(value, least, most)                                                         \
    assert_between_at((uintmax_t)(value), (uintmax_t)(least), (uintmax_t)(most), __FILE__, __LINE__)

#endif

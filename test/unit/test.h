/* cmocka with the headers it asks for, and a name for each array of tests. */
#ifndef VF_TEST_H
#define VF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif

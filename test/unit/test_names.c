#include "symbols/names.h"

#include "test.h"

static struct vf_arena arena;

static void assert_name(const char *raw, const char *expected)
{
    struct vf_str got = vf_name_readable(vf_str_from(raw), &arena);
    struct vf_str text = vf_arena_str(&arena, got);
    assert_string_equal(text.ptr, expected);
}

static int release(void **state)
{
    (void)state;
    vf_arena_release(&arena);
    return 0;
}

static void compilers_names_are_demangled(void **state)
{
    (void)state;
    assert_name("_ZNSt6vectorIiE9push_backEOi", "std::vector<int>::push_back(int&&)");
    assert_name("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad");
    assert_name("_RNvCs1234_7mycrate3foo", "mycrate::foo");
    assert_name("_Znonsense", "_Znonsense");
    assert_name("_R", "_R");
}

static void what_compilers_and_linkers_add_is_dropped(void **state)
{
    (void)state;
    assert_name("memcpy@@GLIBC_2.14", "memcpy");
    assert_name("dlopen@GLIBC_2.2.5", "dlopen");
    assert_name("walk.part.0", "walk");
    assert_name("walk.constprop.12.isra.0", "walk");
    assert_name("walk.cold", "walk [cold]");
    assert_name("walk.part.0.cold", "walk [cold]");
    assert_name("_ZN1A1fEv.cold", "A::f() [cold]");
    assert_name("version.1.2", "version.1.2");
    assert_name("memcpy@plt", "memcpy@plt");
    assert_name("_ZN1A1fEv@plt", "A::f()@plt");
    assert_name("PyPyList_New@plt", "PyList_New@plt");
    assert_name(".part.0", ".part.0");
    assert_name("@", "@");
}

static void rpython_methods_have_their_class_again(void **state)
{
    (void)state;
    assert_name("pypy_g_W_ListObject_append", "W_ListObject.append");
    assert_name("pypy_g_W_DictMultiObject___init__", "W_DictMultiObject.__init__");
    assert_name("pypy_g_ObjSpace_call_function", "ObjSpace.call_function");
    assert_name("pypy_g__W_Private_get", "_W_Private.get");
    assert_name("pypy_g_IncrementalMiniMarkGC_collect_step", "IncrementalMiniMarkGC.collect_step");
    assert_name("pypy_g_dispatch_bytecode__AccessDirect_None", "dispatch_bytecode");
}

/* A wrong name is worse than a joined one. */
static void where_a_class_ends_is_not_guessed(void **state)
{
    (void)state;
    assert_name("pypy_g_ll_append__v", "ll_append__v");
    assert_name("pypy_g_BuiltinActivation_UwS_W_Root_fastfunc_2",
                "BuiltinActivation_UwS_W_Root_fastfunc_2");
    assert_name("pypy_g_GcLLDescr_framework_gc_malloc", "GcLLDescr_framework_gc_malloc");
    assert_name("pypy_g_PyOS_double_to_string", "PyOS_double_to_string");
    assert_name("pypy_g_PyList_Append", "PyList_Append");
    assert_name("pypy_g_UCD_lookup", "UCD_lookup");
    assert_name("pypy_g_W_ListObject", "W_ListObject");
    assert_name("pypy_g_W_ListObject_", "W_ListObject_");
    assert_name("pypy_g_", "");
    assert_name("pypy_execute_source", "pypy_execute_source");
}

static void pypys_api_has_cpythons_names(void **state)
{
    (void)state;
    assert_name("PyPyList_Append", "PyList_Append");
    assert_name("_PyPyObject_New", "_PyObject_New");
    assert_name("PyPy_Initialize", "Py_Initialize");
    assert_name("PyList_Append", "PyList_Append");
    assert_name("PyPy", "PyPy");
}

static void a_processors_variant_has_the_plain_name(void **state)
{
    static const char *const copies[] = {
        "__memmove_avx_unaligned_erms", "__memmove_avx512_no_vzeroupper",
        "__memmove_evex_unaligned", "__memmove_ssse3", "__memmove_erms"};
    (void)state;
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        assert_name(copies[i], "memmove");
    assert_name("__memcpy_chk_avx_unaligned", "memcpy_chk");
    assert_name("__strcasecmp_l_avx2", "strcasecmp_l");
    assert_name("__wcsnlen_sse4_1", "wcsnlen");
    assert_name("__sin_fma", "sin");
    assert_name("__GI_strlen", "strlen");
    assert_name("__libc_malloc", "malloc");
    assert_name("__libc_start_main", "__libc_start_main");
    assert_name("__sse2", "__sse2");
    assert_name("__memmove_avx_unaligned_erms_rtm", "memmove");
    /* Such words in the middle are none of a processor's. */
    assert_name("__intel_avx_rep_memcpy", "__intel_avx_rep_memcpy");
    assert_name("__asan_handle_no_return", "__asan_handle_no_return");
    assert_name("__pyx_f_3pkg_apply_fma", "__pyx_f_3pkg_apply_fma");
    assert_name("__select", "__select");
    assert_name("_int_malloc", "_int_malloc");
}

static void hostile_names_cost_little(void **state)
{
    char *long_name = vf_alloc_zeroed((1 << 20) + 1, 1);
    char bomb[3000] = "_Z1fI";
    (void)state;
    memset(long_name, 'N', 1 << 20);
    memcpy(long_name, "_RNv", 4);
    struct vf_str got = vf_name_readable((struct vf_str){long_name, 1 << 20}, &arena);
    assert_int_equal(got.len, 1 << 20); /* as it is */
    got = vf_name_readable((struct vf_str){long_name, 4000}, &arena);
    assert_true(got.len <= 4096);
    /* Each piece stands for twice the one before. */
    for (int i = 0; i < 60; i++)
        strcat(bomb, i ? "1AIS0_S0_E" : "1AIiiE");
    strcat(bomb, "Evv");
    assert_true(vf_name_readable(vf_str_from(bomb), &arena).len <= 4096);
    memcpy(long_name, "_ZN", 3);
    for (size_t i = 3; i < 4000; i++)
        long_name[i] = "S_I1P"[i % 5];
    assert_true(vf_name_readable((struct vf_str){long_name, 4000}, &arena).len <= 4096);
    free(long_name);
}

static void every_beginning_of_a_name_is_fine(void **state)
{
    static const char *const names[] = {
        ("_ZNSt8__detail12_Insert_baseIiSt4pairIKiSsESaIS3_ENS_10_Select1stESt8equal_toIiE"
         ".part.0.cold"),
        "_RINvNtC3std3mem8align_ofNtNtC3foo3bar3BazE",
        "_ZN4core3ptr85drop_in_place$LT$alloc..vec..Vec$LT$u8$GT$$GT$17h0123456789abcdefE",
        "pypy_g_W_ListObject_append__AccessDirect_None",
        "__memmove_avx_unaligned_erms@@GLIBC_2.14"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t n = 0; n <= strlen(names[i]); n++) {
            char *copy = vf_alloc(n ? n : 1, 1); /* so that a sanitizer sees what lies behind it */
            memcpy(copy, names[i], n);
            for (int byte = 0; n && byte < 256; byte++) {
                copy[n - 1] = (char)byte;
                assert_true(vf_name_readable((struct vf_str){copy, n}, &arena).len <= 4096);
            }
            free(copy);
        }
}

static void the_samplers_own_functions_are_known(void **state)
{
    static const char *const names[] = {"__restore_rt", "sigprof_handler", "_vmprof_sample_stack",
                                        "vmp_walk_and_record_stack", "vmprof_ignore_signals"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(vf_name_is_sampler(vf_str_from(names[i]), VF_STR("libpypy3.9-c.so")));
    assert_true(vf_name_is_sampler(VF_STR("get_stack_trace"), VF_STR("_vmprof.cpython-311.so")));
    assert_true(vf_name_is_sampler(VF_STR("__restore_rt"), VF_STR("libc.so.6")));
    /* Anybody may call a function so. */
    assert_false(vf_name_is_sampler(VF_STR("get_stack_trace"), VF_STR("hot.so")));
    assert_false(vf_name_is_sampler(VF_STR("vmp_read"), VF_STR("hot.so")));
    assert_false(vf_name_is_sampler(VF_STR("restore"), VF_STR("libpypy3.9-c.so")));
    assert_false(vf_name_is_sampler(VF_STR(""), VF_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compilers_names_are_demangled),
        cmocka_unit_test(what_compilers_and_linkers_add_is_dropped),
        cmocka_unit_test(rpython_methods_have_their_class_again),
        cmocka_unit_test(where_a_class_ends_is_not_guessed),
        cmocka_unit_test(pypys_api_has_cpythons_names),
        cmocka_unit_test(a_processors_variant_has_the_plain_name),
        cmocka_unit_test(hostile_names_cost_little),
        cmocka_unit_test(every_beginning_of_a_name_is_fine),
        cmocka_unit_test(the_samplers_own_functions_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

/* A C extension of CPython whose time goes to a function that is inlined. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef unsigned long word;

static volatile word last;

/* noipa, noinline for clang: these stay functions of their own, under their own names. */
__attribute__((noipa, noinline)) static word step(word seed) // # line: step
{
    return seed * 3 + last;
}

/* Another name for it, as C libraries have them: people know the one without underscores. */
word __step(word seed) __attribute__((alias("step"), visibility("hidden")));

static inline __attribute__((always_inline)) word inner(word seed, long rounds) // # line: inner
{
    for (long i = 0; i < rounds; i++) { // # line: loop
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17; // # line: loop-last
    }
    return seed;
}

__attribute__((noipa, noinline)) static word outer(word seed, long rounds) // # line: outer
{
    seed = inner(seed, rounds); // # line: call
    last = step(seed);
    return seed;
}

static PyObject *spin(PyObject *self, PyObject *args) // # line: spin
{
    long rounds;
    word seed = 88172645463325252UL;
    (void)self;
    if (!PyArg_ParseTuple(args, "l", &rounds))
        return NULL;
    for (int i = 0; i < 10; i++)
        seed = outer(seed, rounds);
    return PyLong_FromUnsignedLong(seed);
}

static PyMethodDef methods[] = {{"spin", spin, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "hot", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_hot(void)
{
    return PyModule_Create(&module);
}

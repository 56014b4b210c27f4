// A C++ extension of CPython whose time goes to a function of a template in a namespace.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace deep
{

template <class Number> __attribute__((noipa)) static Number work(Number seed, long rounds)
{
    for (long i = 0; i < rounds; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
    }
    return seed;
}

} // namespace deep

static PyObject *spin(PyObject *, PyObject *args)
{
    long rounds;
    unsigned long seed = 88172645463325252UL;
    if (!PyArg_ParseTuple(args, "l", &rounds))
        return NULL;
    for (int i = 0; i < 10; i++)
        seed = deep::work<unsigned long>(seed, rounds);
    return PyLong_FromUnsignedLong(seed);
}

static PyMethodDef methods[] = {{"spin", spin, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "deep", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_deep(void)
{
    return PyModule_Create(&module);
}

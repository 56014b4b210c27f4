/* The same as an extension module of CPython. */
#include <Python.h>
#include <unistd.h>

static PyObject *close_all(PyObject *self, PyObject *args)
{
    int first;
    int last;
    (void)self;
    if (!PyArg_ParseTuple(args, "ii", &first, &last)) {
        return NULL;
    }
    for (int fd = first; fd < last; fd++) {
        close(fd);
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"close_all", close_all, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "closing_module", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_closing_module(void)
{
    return PyModule_Create(&module);
}

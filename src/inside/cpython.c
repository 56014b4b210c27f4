/* What CPython calls.
 *
 * The library is loaded as an extension module that fails to be one: its entry point leaves one
 * builtin function in sys.__dict__, which the bootstrap takes away again, and raises ImportError.
 * CPython leaves such a library loaded.  All that happens in the program later happens in functions
 * like that one: tracing, profiling and coverage see Python functions alone, and there are none.
 *
 * Declared here is what the stable ABI promises for every CPython since 3.6, and taken weakly: in
 * PyPy none of it is there. */
#include "inside/inside.h"

#include <string.h>

typedef struct object PyObject;
typedef ptrdiff_t Py_ssize_t;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);
typedef struct {
    const char *ml_name;
    PyCFunction ml_meth;
    int ml_flags;
    const char *ml_doc;
} PyMethodDef;

enum { METH_VARARGS = 1, METH_KEYWORDS = 2, METH_NOARGS = 4, METH_O = 8 };

#define WEAK __attribute__((weak))
extern WEAK PyObject *PyCFunction_NewEx(PyMethodDef *, PyObject *, PyObject *);
extern WEAK int PySys_SetObject(const char *, PyObject *);
extern WEAK PyObject *PySys_GetObject(const char *); /* borrowed */
extern WEAK void PyErr_SetString(PyObject *, const char *);
extern WEAK void PyErr_Fetch(PyObject **, PyObject **, PyObject **);
extern WEAK void PyErr_Restore(PyObject *, PyObject *, PyObject *);
extern WEAK void PyErr_Clear(void);
extern WEAK PyObject *PyExc_ImportError, *PyExc_OSError;
extern WEAK int PyBytes_AsStringAndSize(PyObject *, char **, Py_ssize_t *);
extern WEAK PyObject *PyLong_FromLong(long);
extern WEAK PyObject *PyObject_Call(PyObject *, PyObject *, PyObject *);
extern WEAK PyObject *PyObject_CallObject(PyObject *, PyObject *);
extern WEAK PyObject *PyObject_GetAttrString(PyObject *, const char *);
extern WEAK PyObject *PyObject_GenericGetDict(PyObject *, void *);
extern WEAK PyObject *PyObject_Type(PyObject *);
extern WEAK int PyType_IsSubtype(PyObject *, PyObject *);
extern WEAK PyObject *PyDict_GetItemString(PyObject *, const char *); /* borrowed */
extern WEAK int PyDict_Next(PyObject *, Py_ssize_t *, PyObject **, PyObject **);
extern WEAK PyObject *PyUnicode_FromString(const char *);
extern WEAK PyObject *PyUnicode_AsEncodedString(PyObject *, const char *, const char *);
extern WEAK Py_ssize_t PyTuple_Size(PyObject *);
extern WEAK PyObject *PyTuple_GetItem(PyObject *, Py_ssize_t); /* borrowed */
extern WEAK PyObject *PyTuple_GetSlice(PyObject *, Py_ssize_t, Py_ssize_t);
extern WEAK PyObject *PyTuple_New(Py_ssize_t);
extern WEAK int PyTuple_SetItem(PyObject *, Py_ssize_t, PyObject *); /* steals */
extern WEAK long PyLong_AsLong(PyObject *);
extern WEAK char PyMethod_Type, PyFunction_Type, PyBytes_Type, PyUnicode_Type;
enum { TYPE_WORDS = 40 }; /* fewer than a type has */
extern WEAK uintptr_t PyCode_Type[TYPE_WORDS];
extern WEAK PyObject _Py_NoneStruct;
extern WEAK void Py_IncRef(PyObject *);
extern WEAK void Py_DecRef(PyObject *);

struct object {
    char opaque[16];
};

static bool is_of(PyObject *object, const void *type)
{
    PyObject *is = PyObject_Type(object);
    bool same = (const void *)is == type;
    Py_DecRef(is);
    return same;
}

/* ---- threads' names -------------------------------------------------------------------------- */

/* Text in UTF-8 with what can't be in it escaped; false when it is none. */
static bool text_of(PyObject *object, char *out, size_t size)
{
    char *bytes = NULL;
    Py_ssize_t len = 0;
    *out = 0;
    if (!object || !is_of(object, &PyUnicode_Type))
        return false;
    PyObject *encoded = PyUnicode_AsEncodedString(object, "utf-8", "backslashreplace");
    if (!encoded || PyBytes_AsStringAndSize(encoded, &bytes, &len) != 0 || (size_t)len >= size)
        bytes = NULL;
    if (bytes)
        memcpy(out, bytes, (size_t)len + 1);
    Py_DecRef(encoded);
    PyErr_Clear();
    return bytes != NULL;
}

/* A threading.Thread's name as it stands in its dictionary: no code of the program's is called. */
static bool thread_name(PyObject *thread, char *out, size_t size)
{
    PyObject *modules = PySys_GetObject("modules");
    PyObject *threading = modules ? PyDict_GetItemString(modules, "threading") : NULL;
    PyObject *base = threading ? PyObject_GetAttrString(threading, "Thread") : NULL;
    PyObject *type = PyObject_Type(thread), *fields = NULL;
    bool good = base && PyType_IsSubtype(type, base);
    if (good)
        fields = PyObject_GenericGetDict(thread, NULL);
    good = fields && text_of(PyDict_GetItemString(fields, "_name"), out, size);
    Py_DecRef(fields);
    Py_DecRef(type);
    Py_DecRef(base);
    PyErr_Clear();
    return good;
}

/* The threading.Thread that is begun with this function; borrowed, NULL: it is something else. */
static PyObject *thread_of(PyObject *function)
{
    char name[64];
    if (!is_of(function, &PyMethod_Type))
        return NULL;
    PyObject *self = PyObject_GetAttrString(function, "__self__");
    Py_DecRef(self); /* the method holds it */
    PyErr_Clear();
    return self && thread_name(self, name, sizeof name) ? self : NULL;
}

static void name_of(PyObject *function, char *out, size_t size)
{
    PyObject *thread = thread_of(function), *name = NULL;
    *out = 0;
    if (thread && thread_name(thread, out, size))
        return;
    if (is_of(function, &PyFunction_Type) || is_of(function, &PyMethod_Type))
        name = PyObject_GetAttrString(function, "__name__");
    text_of(name, out, size);
    Py_DecRef(name);
    PyErr_Clear();
}

static void tell_name(long tid, const char *name)
{
    char words[300];
    int len = snprintf(words, sizeof words, "name%c%ld%c%s", 0, tid, 0, name);
    inside_put(VF_RING_MESSAGE, words, (size_t)len, NULL, 0);
}

/* In the new thread, in place of Thread._bootstrap (`self`), which lets no exception out: the name
 * may have been changed. */
static PyObject *run_thread(PyObject *self, PyObject *words, PyObject *options)
{
    char before[200], after[200];
    name_of(self, before, sizeof before);
    PyObject *result = PyObject_Call(self, words, options), *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    name_of(self, after, sizeof after);
    if (strcmp(before, after) != 0)
        tell_name(inside_tid(), after);
    PyErr_Restore(kind, value, trace);
    return result;
}

static PyMethodDef run_thread_method = {"_bootstrap", (PyCFunction)(void (*)(void))run_thread,
                                        METH_VARARGS | METH_KEYWORDS, NULL};

/* ---- _thread.start_new_thread ---------------------------------------------------------------- */

/* The words with run_thread() in the first one's place; new. */
static PyObject *with_ours(PyObject *words, PyObject *function)
{
    PyObject *ours = PyCFunction_NewEx(&run_thread_method, function, NULL);
    Py_ssize_t count = PyTuple_Size(words);
    PyObject *made = ours ? PyTuple_New(count) : NULL;
    if (!made) {
        Py_DecRef(ours);
        PyErr_Clear();
        Py_IncRef(words);
        return words;
    }
    PyTuple_SetItem(made, 0, ours);
    for (Py_ssize_t i = 1; i < count; i++) {
        PyObject *word = PyTuple_GetItem(words, i);
        Py_IncRef(word);
        PyTuple_SetItem(made, i, word);
    }
    return made;
}

static PyObject *start_with(PyObject *original, PyObject *words, PyObject *options)
{
    PyObject *function = PyTuple_Size(words) > 0 ? PyTuple_GetItem(words, 0) : NULL;
    char name[200];
    if (!function || !inside.ring)
        return PyObject_Call(original, words, options);
    name_of(function, name, sizeof name);
    inside_name_next(name);
    if (!thread_of(function))
        return PyObject_Call(original, words, options);
    PyObject *ours = with_ours(words, function);
    PyObject *result = PyObject_Call(original, ours, options);
    Py_DecRef(ours);
    return result;
}

/* One function for each name, as `self` is to be the module. */
enum { STARTERS = 3 };
static PyObject *originals[STARTERS];

static PyObject *start_new_thread(PyObject *self, PyObject *words, PyObject *options)
{
    (void)self;
    return start_with(originals[0], words, options);
}

static PyObject *start_new(PyObject *self, PyObject *words, PyObject *options)
{
    (void)self;
    return start_with(originals[1], words, options);
}

static PyObject *start_joinable_thread(PyObject *self, PyObject *words, PyObject *options)
{
    (void)self;
    return start_with(originals[2], words, options);
}

static PyMethodDef starters[STARTERS] = {
    {"start_new_thread", (PyCFunction)(void (*)(void))start_new_thread,
     METH_VARARGS | METH_KEYWORDS, NULL},
    {"start_new", (PyCFunction)(void (*)(void))start_new, METH_VARARGS | METH_KEYWORDS, NULL},
    {"start_joinable_thread", (PyCFunction)(void (*)(void))start_joinable_thread,
     METH_VARARGS | METH_KEYWORDS, NULL},
};

/* A function in place of `original`, with its name and text. */
static PyObject *starter(PyObject *module, PyObject *original)
{
    static char docs[STARTERS][2000];
    char name[64];
    PyObject *is = PyObject_GetAttrString(original, "__name__");
    PyObject *text = PyObject_GetAttrString(original, "__doc__");
    PyObject *module_name = PyObject_GetAttrString(module, "__name__"), *made = NULL;
    text_of(is, name, sizeof name);
    for (size_t i = 0; i < STARTERS && !made; i++) {
        if (strcmp(name, starters[i].ml_name) != 0 || originals[i])
            continue;
        if (text_of(text, docs[i], sizeof docs[i]))
            starters[i].ml_doc = docs[i];
        Py_IncRef(original);
        originals[i] = original;
        made = PyCFunction_NewEx(&starters[i], module, module_name);
    }
    Py_DecRef(is);
    Py_DecRef(text);
    Py_DecRef(module_name);
    PyErr_Clear();
    if (!made) {
        Py_IncRef(original);
        made = original;
    }
    return made;
}

/* ---- code that is freed ---------------------------------------------------------------------- */

/* VMProf writes the name of each code object that is freed.  That costs where many are, and where
 * the name has no UTF-8 it leaves an exception behind, which ends the program.  So it is asked only
 * for code that was perhaps sampled, and its exceptions end here.  It needs a buffer for that, and
 * where it has none it waits half a minute each time: it has 20, of which each stack that could not
 * be read has cost one. */
typedef void (*dealloc)(PyObject *);
static dealloc dealloc_plain, dealloc_vmprof;

static void free_code(PyObject *code)
{
    enum { BUFFERS_LOST = 10 };
    PyObject *kind, *value, *trace;
    if (!inside.ring || !inside.sampling || inside.faults > BUFFERS_LOST ||
        !inside_may_have_seen((uint64_t)(uintptr_t)code)) {
        dealloc_plain(code);
        return;
    }
    PyErr_Fetch(&kind, &value, &trace);
    dealloc_vmprof(code);
    PyErr_Restore(kind, value, trace);
}

static uintptr_t type_before[TYPE_WORDS];

static void note_code_type(void)
{
    memcpy(type_before, PyCode_Type, sizeof type_before);
}

/* The word of the type that VMProf has changed is the one that frees code.  It stands behind the
 * counts of references, which change by themselves, and near the name and sizes, which do not. */
static void guard_code_type(void)
{
    enum { FIRST = 5, BEHIND = 12 };
    for (size_t i = FIRST; i < BEHIND; i++) {
        if (PyCode_Type[i] == type_before[i] || dealloc_plain)
            continue;
        dealloc_plain = (dealloc)type_before[i];
        dealloc_vmprof = (dealloc)PyCode_Type[i];
        PyCode_Type[i] = (uintptr_t)free_code;
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Threads that still run, under the names they have now. */
static void tell_living(void)
{
    PyObject *modules = PySys_GetObject("modules"), *id, *thread;
    PyObject *threading = modules ? PyDict_GetItemString(modules, "threading") : NULL;
    PyObject *active = threading ? PyObject_GetAttrString(threading, "_active") : NULL;
    Py_ssize_t at = 0;
    while (active && PyDict_Next(active, &at, &id, &thread)) {
        char name[200];
        PyObject *fields = PyObject_GenericGetDict(thread, NULL);
        PyObject *tid = fields ? PyDict_GetItemString(fields, "_native_id") : NULL;
        long number = tid ? PyLong_AsLong(tid) : -1;
        if (number > 0 && thread_name(thread, name, sizeof name))
            tell_name(number, name);
        Py_DecRef(fields);
        PyErr_Clear();
    }
    Py_DecRef(active);
    PyErr_Clear();
}

/* An exit function of the program's, the first that was registered and so the last that runs. */
static PyObject *at_exit(PyObject *disable, PyObject *nothing)
{
    PyObject *kind, *value, *trace, *result;
    (void)nothing;
    if (inside.ring && !inside.forked) {
        PyErr_Fetch(&kind, &value, &trace);
        tell_living();
        inside_sampling_stop();
        /* It would wait for ever for the end of a sample that it was left in; and what the program
         * has started again after stopping it is the program's. */
        inside.window = !inside.stopped;
        result = inside.half_done || inside.stopped ? NULL : PyObject_CallObject(disable, NULL);
        inside.window = false;
        Py_DecRef(result);
        PyErr_Clear();
        PyErr_Restore(kind, value, trace);
        inside_tell("ended", "");
    }
    Py_IncRef(&_Py_NoneStruct);
    return &_Py_NoneStruct;
}

static PyMethodDef at_exit_method = {"_exit", at_exit, METH_NOARGS, NULL};

/* ---- the bootstrap's function ---------------------------------------------------------------- */

/* call(b"words") does a command; call((module, function)) makes a starter; call(disable) an exit
 * function; other objects are kept for good. */
static PyObject *call(PyObject *self, PyObject *what)
{
    (void)self;
    if (is_of(what, &PyBytes_Type)) {
        char *words;
        Py_ssize_t bytes;
        if (PyBytes_AsStringAndSize(what, &words, &bytes) != 0)
            return NULL;
        if (strcmp(words, "!window") == 0 && words[8] == '1')
            note_code_type();
        long done = vmfox_call(words, (long)bytes);
        if (strcmp(words, "!window") == 0 && words[8] == '0')
            guard_code_type();
        return PyLong_FromLong(done);
    }
    if (is_of(what, PyCode_Type)) { /* the recorder looks at it */
        Py_IncRef(what);
        return PyLong_FromLong(0);
    }
    if (PyTuple_Size(what) == 2)
        return starter(PyTuple_GetItem(what, 0), PyTuple_GetItem(what, 1));
    PyErr_Clear();
    return PyCFunction_NewEx(&at_exit_method, what, NULL);
}

static PyMethodDef call_method = {"call", call, METH_O, NULL};

INSIDE_EXPORT PyObject *PyInit_vmfox_inside(void);
INSIDE_EXPORT PyObject *PyInit_vmfox_inside(void)
{
    PyObject *function = PyCFunction_NewEx(&call_method, NULL, NULL);
    if (function)
        PySys_SetObject("vmfox_inside", function);
    Py_DecRef(function);
    PyErr_SetString(PyExc_ImportError, "vmfox_inside is no module");
    return NULL;
}

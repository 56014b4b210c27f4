/* PyPy's runtime log on its way through the ring (VF_RING_PYPYLOG).
 *
 * An entry is a sequence of words, each one byte that says what it is and what belongs to it, with
 * numbers in the machine's order:
 *
 *     VF_LOG_WORD_TEXT    4 bytes of length, text as PyPy has printed it
 *     VF_LOG_WORD_OPEN    a section's name (one byte), 8 bytes of its stamp
 *     VF_LOG_WORD_CLOSE   the same
 *     VF_LOG_WORD_NUMBER  a line (one byte), 8 bytes of the number that stands at its end: an
 * integer, or for VF_LOG_LINE_TIME a double
 *
 * Each entry can be read by itself.  Most of a log are minor collections, which print the same
 * seven or eight lines with other numbers; they have words of their own because the program pays
 * for each byte of text: printed it is 230 of them, and in words 70 or 80.  What is not known here,
 * as another version of PyPy may print it, is text.
 *
 * vf_log_text() (record/log_text.h) makes the log's text of it. */
#ifndef VF_INSIDE_LOG_WORDS_H
#define VF_INSIDE_LOG_WORDS_H

enum vf_log_word {
    VF_LOG_WORD_TEXT,
    VF_LOG_WORD_OPEN,
    VF_LOG_WORD_CLOSE,
    VF_LOG_WORD_NUMBER,
};

enum { VF_LOG_WORD_TEXT_HEAD = 5, VF_LOG_WORD_BYTES = 10 };

#define VF_LOG_NAMES                                                                               \
    {                                                                                              \
        "gc-minor", "gc-minor-walkroots"                                                           \
    }
#define VF_LOG_LINES                                                                               \
    {                                                                                              \
        "minor collect, total memory used: ", "number of pinned objects: ",                        \
            "total size of surviving objects: ", "time taken: "                                    \
    }
enum { VF_LOG_NAME_MINOR, VF_LOG_NAME_WALKROOTS, VF_LOG_NAME_COUNT };
enum { VF_LOG_LINE_TIME = 3, VF_LOG_LINE_COUNT };

#endif

/* The line of progress on the terminal, and what becomes of a file in work when a signal ends the
 * program.
 *
 *     vmfox: reading app.prof  43 %  1.2 GB/s  2 s left
 *
 * It is there from the second second of the work on, on a terminal only; it is written over itself
 * and is gone in the end.  Messages (vf_say()) come above it. */
#ifndef VF_CMD_PROGRESS_H
#define VF_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* A signal that ends the program (INT, TERM, HUP, PIPE, QUIT, USR1, USR2) removes first what is
 * there of a file that is being written (vf_new_file_give_up()), until vf_work_end().  Signals that
 * are ignored stay so. */
void vf_work_guard(void);

/* Work begins that may take long: it is guarded, and unless `quiet` its progress is shown.  `name`
 * is the file at hand.  Does nothing more where work has begun. */
void vf_work_begin(const char *name, bool quiet);
/* It is over, and so is the line; nothing happens where none has begun. */
void vf_work_end(void);

/* The same for a piece of work that may come up at any time, also within other work, which then
 * shows it; without guard.  `before_ms` is what has been waited for the like of it already.  True:
 * vf_show_end() must follow. */
bool vf_show_begin(bool quiet, int64_t before_ms);
void vf_show_end(void);

/* Around what is printed on standard error: takes the line away and holds it back; lets it come
 * again. */
void vf_line_hide(void);
void vf_line_show(void);

/* For the program's sudden end: takes the line away and removes a file in work.  Also in signal
 * handlers. */
void vf_work_give_up(void);

#endif

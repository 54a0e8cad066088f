/*
 * The log of a process: one line an event, escaped, to stderr or syslog.
 *
 * Only programs log, at their edge; lib/, signature/ and formats/ return
 * errors.
 */

#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Start the log of program.  The name is borrowed for good.  Lines go to
 * stderr as "program: text", or to syslog (facility AUTHPRIV) if to_syslog.
 * Debug lines are dropped unless verbose.  Call it before the sandbox: it
 * reads the time zone and connects to syslog.
 */
void log_open(const char *program, bool to_syslog, bool verbose);

/*
 * Log one line.  The expanded format is cut to 1023 bytes, then escaped as by
 * log_escape.  errno stays as it was.
 */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * What may happen often and is said once a minute.  Starts as zeroes.
 */
struct log_often {
	unsigned int count; /* not yet logged */
	uint64_t said;      /* loop_now() of the last line, or 0 */
};
#define LOG_OFTEN 60000 /* ms */

/*
 * Count it.  If the last line is a minute old, log the line of this one with
 * put, which is log_error or log_notice.  The line ends with how many there were
 * since the last one.  A long line is cut before that.
 */
void log_often(struct log_often *o, void (*put)(const char *fmt, ...),
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Write n bytes at p to out, so that they cannot forge a line, a terminal
 * sequence or a quote.  Printable ASCII and well-formed printable UTF-8 stay.
 * A backslash is doubled.  Any other byte becomes \xNN.  Bidirectional
 * controls count as not printable.  out has size bytes and is NUL-terminated
 * unless size is 0.  Returns the length without the NUL.  Text that does not
 * fit is cut, but never inside an escape or a character.
 */
size_t log_escape(char *out, size_t size, const void *p, size_t n);

#endif

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

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG };

/*
 * Start logging as program (not copied): to stderr as "program: text", or to
 * syslog (facility AUTHPRIV) if to_syslog.  DEBUG lines are dropped unless
 * verbose.  Comes before the sandbox: it reads the time zone and connects.
 */
void log_open(const char *program, bool to_syslog, bool verbose);

/*
 * Log one line.  What the format expands to is escaped as by log_escape.
 */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Write n bytes at p to out (room for size bytes, always ended with a NUL) so
 * that no line, terminal sequence or quote can be forged: printable ASCII and
 * well-formed printable UTF-8 stay, a backslash is doubled, everything else
 * becomes \xNN.  Bidirectional controls count as not printable.  Returns the
 * length written; what does not fit is left out at a whole escape.
 */
size_t log_escape(char *out, size_t size, const void *p, size_t n);

#endif

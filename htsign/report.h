/*
 * What htsign has to say of a file: lines of a label and a text, or the members
 * of JSON objects.  Texts may come from the file, so they are escaped.
 */

#ifndef HTSIGN_REPORT_H
#define HTSIGN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

struct report {
	struct buf out;
	struct buf problems; /* each with a NUL behind it */
	char problem[256];   /* the first of all, or "" */
	bool json;
	int indent; /* of lines */
};

/* No time. */
#define REPORT_NO_TIME INT64_MIN

/* "2026-11-23T09:30:00Z" */
#define REPORT_TIME_SIZE 32

void report_clear(struct report *r);

/*
 * Append an item: a line that begins with label, or a JSON member of this name,
 * which is NULL in an array.  label is NULL for what is in JSON only, name is
 * "" for what is in lines only.  buf_failed(&r->out) reports a failure.
 *
 * Empty texts and REPORT_NO_TIME are left out, and of lines a false value.
 * report_open and report_close are for JSON alone, brackets of objects and
 * arrays.
 */
void report_text(struct report *r, const char *label, const char *name,
    const char *text);
void report_number(struct report *r, const char *label, const char *name,
    uint64_t value);
void report_bool(struct report *r, const char *label, const char *name,
    bool value);
void report_hex(struct report *r, const char *label, const char *name,
    const uint8_t *p, size_t n);
void report_time(struct report *r, const char *label, const char *name,
    int64_t seconds);
void report_open(struct report *r, const char *name, char bracket);
void report_close(struct report *r, char bracket);

/*
 * Write the time into out; "" for none.  Returns out.
 */
const char *report_time_text(int64_t seconds, char out[REPORT_TIME_SIZE]);

/*
 * Say what is wrong, once: in a line at once, in JSON with report_problems,
 * which appends the array "problems" if there are any, and forgets them.
 */
void report_problem(struct report *r, const char *text);
void report_error(struct report *r, const struct ht_error *e);
void report_problems(struct report *r);

#endif

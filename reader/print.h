/*
 * Rows and events as lines: for people, or as JSON.  All of it is escaped.
 */

#ifndef READER_PRINT_H
#define READER_PRINT_H

#include "lib/buf.h"
#include "store/journal/journal.h"

void print_row(struct buf *out, const struct journal_row *row, bool json);
void print_event(struct buf *out, const struct journal_event *event, bool json);

/*
 * One of a request's events, for people: what its row has not is in the second
 * line.
 */
void print_step(struct buf *out, const struct journal_event *event);

#endif

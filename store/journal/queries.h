/*
 * Private to store/: the rows of SIGNING_ROW and EVENT_ROW (statements.c) as their
 * structs, whose texts are valid until st is stepped or reset.
 */

#ifndef STORE_JOURNAL_QUERIES_H
#define STORE_JOURNAL_QUERIES_H

#include "store/journal/journal.h"
#include "store/store-private.h"

void queries_fill_row(struct journal_row *row, sqlite3_stmt *st);
void queries_fill_event(struct journal_event *event, sqlite3_stmt *st);

#endif

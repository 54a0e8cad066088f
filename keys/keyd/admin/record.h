/*
 * One thing and its fields: for people a line each, with --json an object on one
 * line.
 */

#ifndef KEYS_KEYD_ADMIN_RECORD_H
#define KEYS_KEYD_ADMIN_RECORD_H

#include "keys/keyd/admin/verbs.h"

struct record {
	struct verbs_command *command;
	bool as_json;
	struct buf json;
};

/*
 * Begin a record of what the command prints, and end it.  All fields come between
 * the two.  A failure shows in the command's out.
 */
void record_begin(struct record *r, struct verbs_command *c);
void record_end(struct record *r);

/*
 * Add a field.  name is a JSON name; for people its underscores are blanks.  A
 * text is escaped; NULL leaves the field out.
 */
void record_text(struct record *r, const char *name, const char *text);
void record_number(struct record *r, const char *name, uint64_t value);
void record_time(struct record *r, const char *name, int64_t seconds);

#endif

/*
 * How store/ records what happens: a change and its event are one transaction.
 * Private to store/.
 */

#ifndef STORE_JOURNAL_JOURNAL_NOTE_H
#define STORE_JOURNAL_JOURNAL_NOTE_H

#include "store/journal/journal.h"
#include "store/store-private.h"

/*
 * An event of any kind but asked, decided, signed, finished and kept.  What is
 * NULL or 0 is left out of its detail, but offset is HT_NO_OFFSET then.
 */
struct journal_note {
	const char *kind;
	uint64_t request;
	const struct store_actor *actor;
	const char *client;
	const char *profile;
	const char *token;
	const char *door;
	const char *peer;
	const char *reason;
	const char *code;
	const char *text;
	const char *principal;
	const char *fingerprint;
	const char *version;
	const char *name;
	uint64_t serial;
	uint64_t count;
	uint64_t seconds;
	uint64_t exit;
	uint64_t offset;
	uint64_t bytes;
	int64_t valid_after;
	int64_t valid_before;
	bool test;
};

/*
 * Record an event; *seq (may be NULL) is its number.  Opens the transaction.
 */
int journal_note(struct store *s, const struct journal_note *note, int64_t *seq,
    struct ht_error *e);

/*
 * Bring the table of requests up to date with event seq of that kind.
 */
int journal_project(struct store *s, const char *kind, int64_t seq,
    struct ht_error *e);

#endif

/*
 * How store/ records an event.  A change and its event are one transaction.
 * Private to store/.
 */

#ifndef STORE_JOURNAL_JOURNAL_NOTE_H
#define STORE_JOURNAL_JOURNAL_NOTE_H

#include "store/journal/journal.h"
#include "store/store-private.h"

/*
 * An event of any kind except asked, decided, signed, stamped, unstamped,
 * finished and kept.  The detail leaves out a field that is NULL or 0, but an offset only if it is
 * HT_NO_OFFSET.
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
	uint64_t bytes;       /* of "delivered", even if 0; of no other kind */
	int64_t valid_after;  /* seconds */
	int64_t valid_before; /* seconds */
	const char *certificate;
	uint64_t days;
	int64_t revoked; /* seconds */
	bool test;
	const struct journal_input *input; /* or NULL */
	const char *source;
	uint64_t uses;
};

/*
 * Record an event.  Opens a transaction if none is open.  *seq is its number;
 * seq may be NULL.  HT_ERR_INTERNAL if the state of its request does not allow
 * it.
 */
int journal_note(struct store *s, const struct journal_note *note, int64_t *seq,
    struct ht_error *e);

/*
 * Apply event seq, which is of that kind, to the table of requests.  Does
 * nothing for a kind that has no request.
 */
int journal_project(struct store *s, const char *kind, int64_t seq,
    struct ht_error *e);

#endif

/*
 * What the parts of htsign-keyd's own process share: its state, and the
 * connections to it.
 *
 * keyd has one thread and one loop.  The loop watches the connections of shells
 * (sign-link.c, admin-link.c), of sshd-sign and htsign-principals (door.c), of
 * htsign-fetch (fetch-link.c), of htsign-pump and its children (pump-link.c), of
 * htsign-reader (reader-link.c), and of the token workers (token.c).  Every change
 * goes through the store.  Nothing that depends on a change leaves keyd before
 * the change is committed (commit.h).
 */

#ifndef KEYS_KEYD_CORE_H
#define KEYS_KEYD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/keyd/holders.h"
#include "keys/keyd/request/commit.h"
#include "keys/keyd/setup.h"
#include "keys/keyd/token/tokens.h"
#include "keys/sshcert/ticket.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "lib/share.h"
#include "protocol/messages.h"
#include "store/store.h"

/*
 * The most open connections of each kind.  keyd closes a further one at once.
 * Each kind has its own number, so clients cannot lock out administrators.  The
 * shells of one client have a share of the first number.
 */
#define KEYD_SIGNING 1792 /* shells of clients */
#define KEYD_ADMINS 64
#define KEYD_PRINCIPALS 128
#define KEYD_SSHD 64
#define KEYD_FETCH 4
#define KEYD_PUMPS 4
#define KEYD_READERS 4
#define KEYD_REPORTS KEYD_SIGNING
#define KEYD_CONNECTIONS                                                       \
	(KEYD_SIGNING + KEYD_ADMINS + KEYD_PRINCIPALS + KEYD_SSHD +            \
	    KEYD_FETCH + KEYD_PUMPS + KEYD_READERS + KEYD_REPORTS)

/*
 * The most messages of one client in a round of the loop, so that a client with
 * many connections does not delay others.
 */
#define KEYD_TURN 16

/*
 * The most bytes that all open requests together may hold for content and for
 * what is made of it.  The requests of one client may hold half of what the
 * others leave.  Only content of more than PROTOCOL_CONTENT_MAX bytes counts.
 */
#define KEYD_CONTENT ((size_t)64 << 20)

/*
 * The room that is kept in the journal, in bytes: for administrators and for
 * what only counts, and for the end of each open request.
 */
#define KEYD_RESERVE ((uint64_t)1 << 20)
#define KEYD_ENDING ((uint64_t)64 << 10)

struct archive;
struct checks;
struct failures;
struct fetch;
struct pump;
struct quota;
struct rates;
struct reader;
struct request;
struct spools;

/*
 * keyd's end of one connection.  It is the first member of the structs of
 * sign-link.c, admin-link.c, door.c and fetch-link.c.
 */
struct keyd_connection {
	struct keyd *keyd;
	struct protocol_link link;
	struct loop_watch *watch;
	void (*receive)(struct keyd_connection *c, struct msg *m,
	    union protocol_body *body); /* one message */
	const char *client; /* whose turns it takes, "" before that is known;
	                       NULL for what is no client's */
	bool (*more)(struct keyd_connection *c); /* all is sent: queue more;
	                                            false if none; or NULL */
	void (*gone)(struct keyd_connection *c); /* free the struct around c */
	void (*revoked)(struct keyd_connection *c,
	    const struct protocol_revoked *what); /* or NULL */
	bool closing;                /* read no more; close once all is sent */
	struct loop_timer *deadline; /* for the next message; for the end */
	struct keyd_connection *next, **at;
};

struct keyd {
	struct loop *loop;
	struct store *store;
	struct commit_queue commits;
	struct setup *setup;
	struct tokens *tokens; /* as configured at the start */
	uint8_t ticket_key[TICKET_KEY_SIZE];
	struct spools *spools;
	struct archive *archive;
	struct holders holders; /* of tickets */
	struct keyd_connection *connections;
	size_t nconnections[PROTOCOL_LINK_KINDS];
	struct share links;       /* of KEYD_SIGNING, by client */
	int files;                /* the most descriptors that we may have */
	struct request *requests; /* the open ones */
	struct failures *failures;
	struct fetch *fetch;
	struct checks *checks;
	struct pump *pump;
	struct quota *quota;
	struct rates *rates;
	struct reader *reader;
	bool behind;      /* the journal has open requests that are not ours */
	bool clock_unset; /* the journal says so already */
	bool ending;      /* after SIGTERM: no new requests */
};

/*
 * Serve fd as a connection of this kind.  Takes over fd.  c is part of a struct
 * that the caller has allocated and zeroed, with receive and gone set.  After
 * success c->gone frees that struct.
 *
 * The connection is closed if its first message does not come within 15 s, or
 * if a shell then has nothing to ask: a client's for 15 s, an administrator's
 * for 5 min.  None of that applies to sshd-sign's listener, to htsign-pump and
 * its children, and to htsign-reader.
 *
 * Errors: HT_ERR_TEMPORARY if there are too many connections or open files;
 * HT_ERR_INTERNAL if there is no memory.  On error fd is closed and gone is not
 * called: the caller frees the struct.
 */
int keyd_connection_add(struct keyd *k, struct keyd_connection *c, int fd,
    enum protocol_kind kind, struct ht_error *e);

/*
 * keyd_say queues a message to c, which is sent after the next commit.  The
 * descriptors are duplicated.  On error it logs the error and calls keyd_close.
 *
 * keyd_close stops reading from c.  It closes c when all that is queued has
 * been sent, or after 10 s.
 */
void keyd_say(struct keyd_connection *c, enum protocol_type type, uint32_t tag,
    const void *body, const int *fds, size_t nfds);
void keyd_close(struct keyd_connection *c);

/*
 * Certificates were revoked, or a client was disabled: end what they have open,
 * at both doors.
 */
void keyd_revoked(struct keyd *k, const struct protocol_revoked *what);

/*
 * End a round: send what is queued; the caller has committed.  Close connections
 * that have ended.  Closing may record events.  Only keyd's loop calls this.
 */
void keyd_flush(struct keyd *k);

/*
 * Close, unsent, the connections of clients, and those of administrators that
 * have something queued: what they were to hear was undone.
 */
void keyd_cut(struct keyd *k);

/*
 * Check the result of a write to the store that must not fail.  If rc is
 * negative, logs *e and ends the process with status -rc: keyd cannot keep its
 * promises any more.  HT_ERR_UNAVAILABLE (no room) is left to the commit, which
 * undoes everything.  Otherwise does nothing.
 */
void keyd_must(struct keyd *k, int rc, const struct ht_error *e);

/*
 * Fill in *r with a refusal.  code is HT_ERR_*, word is for the journal, and
 * fmt makes the text for people.
 */
void keyd_refusal(struct protocol_refuse *r, int code, const char *word,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

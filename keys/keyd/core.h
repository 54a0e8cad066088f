/*
 * What the parts of htsign-keyd's own process share: its state, and the
 * connections to it.
 *
 * One thread, one loop.  Connections of shells (sign-link.c, admin-link.c), of
 * sshd-sign and htsign-principals (door.c), and the token workers (token.c)
 * are descriptors in it; every change goes through the store, and nothing
 * leaves on the strength of a change before commit.h has settled it.
 */

#ifndef KEYS_KEYD_CORE_H
#define KEYS_KEYD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/keyd/request/commit.h"
#include "keys/keyd/setup.h"
#include "keys/keyd/token/tokens.h"
#include "keys/sshcert/ticket.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "protocol/messages.h"
#include "store/store.h"

/*
 * Open connections; more are closed at once.  Each kind has a share that the
 * others cannot use up: clients do not lock out administrators.
 */
#define KEYD_SIGNING 1792 /* shells of clients */
#define KEYD_ADMINS 64
#define KEYD_PRINCIPALS 128
#define KEYD_SSHD 64
#define KEYD_CONNECTIONS                                                       \
	(KEYD_SIGNING + KEYD_ADMINS + KEYD_PRINCIPALS + KEYD_SSHD)

/*
 * Bytes of content, and of what is made of it, that requests may hold at once,
 * all together; those of one client may hold half of what the others leave.
 * Only large content counts, over PROTOCOL_CONTENT_MAX.
 */
#define KEYD_CONTENT ((size_t)64 << 20)

struct failures;
struct request;

/*
 * One end of a connection, whoever is at the other.  Embedded first in what
 * sign-link.c, admin-link.c and door.c keep for theirs.
 */
struct keyd_connection {
	struct keyd *keyd;
	struct protocol_link link;
	struct loop_watch *watch;
	void (*receive)(struct keyd_connection *c, struct msg *m,
	    union protocol_body *body);          /* one message */
	bool (*more)(struct keyd_connection *c); /* all is sent: was there more
	                                            to queue?  Or NULL */
	void (*gone)(struct keyd_connection *c); /* free what c is part of */
	bool closing; /* no more is read; close once all is sent */
	struct loop_timer *deadline; /* of its first message; of its end */
	struct keyd_connection *next, **at;
};

struct keyd {
	struct loop *loop;
	struct store *store;
	struct commit_queue commits;
	struct setup *setup;
	struct tokens *tokens; /* as configured when keyd started */
	uint8_t ticket_key[TICKET_KEY_SIZE];
	int spool; /* the folder of spools */
	struct keyd_connection *connections;
	size_t nconnections[PROTOCOL_LINK_KINDS];
	int files; /* the number of descriptors that we may have */
	struct request *requests; /* those that are open */
	struct failures *failures;
	bool clock_unset; /* said so in the journal already */
	bool ending;      /* SIGTERM: no new requests */
};

/*
 * Serve fd, which is taken over, as a connection of this kind; c is part of
 * what the caller allocated with receive and gone set.  It is closed if
 * nothing is said on it for a while (by sshd-sign's listener nothing need be).
 * HT_ERR_TEMPORARY with too many connections, HT_ERR_INTERNAL; fd is closed
 * then, gone not called.
 */
int keyd_connection_add(struct keyd *k, struct keyd_connection *c, int fd,
    enum protocol_kind kind, struct ht_error *e);

/*
 * Queue a message to c, which goes out after the commit.  What cannot be
 * queued closes c.  keyd_close closes c once all that is queued was sent, or
 * the peer had long enough to take it.
 */
void keyd_say(struct keyd_connection *c, enum protocol_type type, uint32_t tag,
    const void *body, const int *fds, size_t nfds);
void keyd_close(struct keyd_connection *c);

/*
 * Send what the commit has set free; connections that are done with are
 * closed, which may record events.  For keyd's loop alone.
 */
void keyd_flush(struct keyd *k);

/*
 * A write to the store that must not fail has failed: nothing more can be
 * promised.  Logs and ends the process.  Does nothing if rc is 0.
 */
void keyd_must(struct keyd *k, int rc, const struct ht_error *e);

/*
 * Fill in a refusal, ready to send.
 */
void keyd_refusal(struct protocol_refuse *r, int code, const char *word,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

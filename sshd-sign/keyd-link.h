/*
 * The listener's connection to htsign-keyd.  Each question has a number, and
 * answers come in any order.  The link reconnects by itself.
 */

#ifndef SSHD_SIGN_KEYD_LINK_H
#define SSHD_SIGN_KEYD_LINK_H

#include <stdbool.h>

#include "lib/loop.h"
#include "protocol/messages.h"

struct keyd_link;
struct keyd_link_ask;

/*
 * An answer.  type is PROTOCOL_ADMIT, PROTOCOL_START or PROTOCOL_REFUSE.  When
 * keyd is silent for a minute, is no longer expected, or has gone away twice
 * with the question, the link itself answers with PROTOCOL_REFUSE.
 */
struct keyd_link_answer {
	enum protocol_type type;
	bool admin;                    /* START */
	struct protocol_admit admit;   /* ADMIT */
	int fd;                        /* START: the bound connection, which
	                                  the callee owns; otherwise -1 */
	struct protocol_refuse refuse; /* REFUSE */
};

/* Called once for each question, but never within keyd_link_ask. */
typedef void keyd_link_answer_fn(void *cookie, struct keyd_link_answer *answer);

/* Called when keyd says that these connections must end. */
typedef void keyd_link_revoked_fn(void *cookie,
    const struct protocol_revoked *what);

/*
 * Open a link to the socket at path, which is copied.  NULL without memory.  If
 * keyd is away, the link tries again by itself.
 *
 * keyd_link_free drops open questions and does not call their callbacks.  k may
 * be NULL.
 */
struct keyd_link *keyd_link_new(struct loop *loop, const char *path,
    keyd_link_revoked_fn *revoked, void *cookie);
void keyd_link_free(struct keyd_link *k);

/*
 * Whether the link is connected now.
 */
bool keyd_link_present(const struct keyd_link *k);

/*
 * Whether the link was made, or lost, less than 10 seconds ago.  keyd is then
 * probably being started, and waiting for it is worthwhile.
 */
bool keyd_link_expected(const struct keyd_link *k);

/*
 * Send a LOGIN or SESSION question.  fn gets the answer.  While keyd is
 * expected, the question waits for it; if keyd goes away, it is put to the next
 * one, once.  relayed is copied.  The question is freed after its answer.  NULL
 * without memory, if keyd is away and not expected, or if 1024 answers are
 * outstanding.
 */
struct keyd_link_ask *keyd_link_ask(struct keyd_link *k,
    enum protocol_type type, const struct protocol_relayed *relayed,
    keyd_link_answer_fn *fn, void *cookie);

/*
 * Tell keyd that a client at the address peer has left and had no known key.
 * keyd counts such clients.  Does nothing if keyd is away.
 */
void keyd_link_stranger(struct keyd_link *k, const char *peer);

/*
 * Cancel a question: its callback is not called.  The answer still counts as
 * outstanding until it comes.  a may be NULL.
 */
void keyd_link_ask_cancel(struct keyd_link_ask *a);

#endif

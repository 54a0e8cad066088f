/*
 * The listener's connection to htsign-keyd: questions with a number each, and
 * their answers in whatever order.  It reconnects by itself.
 */

#ifndef SSHD_SIGN_KEYD_LINK_H
#define SSHD_SIGN_KEYD_LINK_H

#include <stdbool.h>

#include "lib/loop.h"
#include "protocol/messages.h"

struct keyd_link;
struct keyd_link_ask;

/*
 * An answer.  type is PROTOCOL_ADMIT, PROTOCOL_START (with the bound
 * connection in fd, the callee's from now on) or PROTOCOL_REFUSE, which is
 * also made up here when keyd is away or silent.
 */
struct keyd_link_answer {
	enum protocol_type type;
	bool admin;
	int fd;
	struct protocol_refuse refuse;
};

/* Called once for each question, never from within keyd_link_ask. */
typedef void keyd_link_answer_fn(void *cookie, struct keyd_link_answer *answer);

/*
 * Keep a connection to the socket at path (copied).  NULL if there is no
 * memory; if keyd is away it tries again by itself.  keyd_link_free drops open
 * questions; NULL is fine.
 */
struct keyd_link *keyd_link_new(struct loop *loop, const char *path);
void keyd_link_free(struct keyd_link *k);

/*
 * Whether keyd is there now.
 */
bool keyd_link_present(const struct keyd_link *k);

/*
 * Whether keyd is away, but for so short a time that it is likely to be
 * restarted: worth waiting for.
 */
bool keyd_link_expected(const struct keyd_link *k);

/*
 * Ask LOGIN or SESSION.  NULL if there is no memory, or keyd is away or owes
 * too many answers.
 */
struct keyd_link_ask *keyd_link_ask(struct keyd_link *k,
    enum protocol_type type, const struct protocol_relayed *relayed,
    keyd_link_answer_fn *fn, void *cookie);

/*
 * Say that who came from peer, and has left, had no key that keyd knows: to be
 * counted, if keyd is there.
 */
void keyd_link_stranger(struct keyd_link *k, const char *peer);

/*
 * The answer is not wanted any more; it still counts as owed.  NULL is fine.
 */
void keyd_link_ask_cancel(struct keyd_link_ask *a);

#endif

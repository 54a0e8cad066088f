/*
 * Who holds a ticket.  A ticket is in the arguments of a shell, where any
 * process can read it.  So the first shell that comes with it binds it to its
 * parent, the process of sshd that serves the connection.  Other sessions of
 * that connection have the same parent, and may use the ticket as long as the
 * parent lives.  Nobody else may.
 */

#ifndef KEYS_KEYD_HOLDERS_H
#define KEYS_KEYD_HOLDERS_H

#include <stdint.h>
#include <sys/types.h>

#include "keys/sshcert/ticket.h"
#include "lib/error.h"

struct holder;

/* Zeros are an empty list. */
struct holders {
	struct holder *first;
	uint64_t swept; /* seconds since 1970 */
};

/*
 * Check that the process shell may use a genuine ticket now, and bind the
 * ticket if it is not bound.  Errors: HT_ERR_DENIED if somebody else holds it,
 * or if it is not bound and stale; HT_ERR_INTERNAL if the parent cannot be seen
 * in /proc, or there is no memory.  On error *reason is one word for the
 * journal.
 */
int holders_admit(struct holders *h, const struct ticket *ticket, pid_t shell,
    uint64_t now, const char **reason, struct ht_error *e);

void holders_free(struct holders *h);

#endif

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "keys/keyd/holders.h"
#include "lib/proc.h"

struct holder {
	uint8_t nonce[TICKET_NONCE];
	uint64_t expires;
	struct proc_id parent;
	struct holder *next;
};

/*
 * Forget tickets that can be used no more: nobody holds them, and they are too
 * old to be bound again.
 */
static void
sweep(struct holders *h, uint64_t now)
{
	struct holder **at = &h->first;
	struct holder *holder;

	if (now - h->swept < TICKET_LIFETIME)
		return;
	h->swept = now;
	while ((holder = *at) != NULL) {
		if (now < holder->expires || proc_lives(&holder->parent)) {
			at = &holder->next;
			continue;
		}
		*at = holder->next;
		free(holder);
	}
}

static int
bind_ticket(struct holders *h, const struct ticket *ticket,
    const struct proc_id *parent, struct ht_error *e)
{
	struct holder *holder = calloc(1, sizeof(*holder));

	if (holder == NULL)
		return ht_error_memory(e);
	memcpy(holder->nonce, ticket->nonce, sizeof(holder->nonce));
	holder->expires = ticket->expires;
	holder->parent = *parent;
	holder->next = h->first;
	h->first = holder;
	return 0;
}

int
holders_admit(struct holders *h, const struct ticket *ticket, pid_t shell,
    uint64_t now, const char **reason, struct ht_error *e)
{
	const struct holder *holder;
	struct proc_id parent;
	int rc;

	*reason = SSHCERT_INTERNAL;
	rc = proc_parent(shell, &parent, e);
	if (rc < 0)
		return rc;
	for (holder = h->first; holder != NULL; holder = holder->next)
		if (memcmp(holder->nonce, ticket->nonce, TICKET_NONCE) == 0)
			break;
	if (holder != NULL &&
	    (holder->parent.pid != parent.pid ||
	        holder->parent.start != parent.start)) {
		*reason = TICKET_HELD;
		return ht_error_set(e, HT_ERR_DENIED,
		    "another connection of sshd holds the ticket");
	}
	if (holder != NULL)
		return 0;
	if (!ticket_fresh(ticket, now)) {
		*reason = TICKET_STALE;
		return ht_error_set(e, HT_ERR_DENIED,
		    "the ticket is older than %d s, or from the future",
		    TICKET_LIFETIME);
	}
	sweep(h, now);
	return bind_ticket(h, ticket, &parent, e);
}

void
holders_free(struct holders *h)
{
	struct holder *holder;

	while ((holder = h->first) != NULL) {
		h->first = holder->next;
		free(holder);
	}
}

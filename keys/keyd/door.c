#include "config.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keys/keyd/admin/admin-link.h"
#include "keys/keyd/door.h"
#include "keys/keyd/failures.h"
#include "keys/keyd/identity.h"
#include "keys/keyd/sign-link.h"
#include "lib/log.h"
#include "lib/proc.h"

/* Log and count a failed login. */
static void
count_failure(struct keyd *k, const char *door, const char *reason,
    const char *peer)
{
	struct ht_error e;

	log_notice("%s: a login from %s is refused: %s", door,
	    peer[0] != '\0' ? peer : "an address that sshd knows", reason);
	keyd_must(k, failures_count(k->failures, door, reason, peer, &e), &e);
}

static void
refuse(struct keyd_connection *c, uint32_t tag, const struct protocol_refuse *r)
{
	keyd_say(c, PROTOCOL_REFUSE, tag, r, NULL, 0);
}

/* --- sshd-sign --------------------------------------------------------- */

/*
 * The blob comes from a network process.  Find out who proved its key.  An
 * unknown key at a login is not counted here; STRANGER counts it.
 */
static int
prove_blob(struct keyd *k, const struct protocol_relayed *relayed, bool login,
    struct identity *who, struct protocol_refuse *r)
{
	struct protocol_session_blob blob;
	const char *reason = SSHCERT_MALFORMED;
	struct ht_error e;

	if (protocol_session_get(relayed->blob, &blob) == 0 &&
	    identity_prove(k, blob.key, blob.user, PROTOCOL_DOOR_SSHD_SIGN,
	        relayed->peer, who, &reason, &e) == 0) {
		who->port = (uint16_t)relayed->port;
		return 0;
	}
	if (!login || strcmp(reason, PROTOCOL_UNKNOWN_KEY) != 0)
		count_failure(k, PROTOCOL_DOOR_SSHD_SIGN, reason,
		    relayed->peer);
	return identity_unproved(reason, r);
}

/* Whether the one who proved the blob's key may log in. */
static int
admit(struct keyd *k, const struct protocol_relayed *relayed,
    struct protocol_admit *admitted, struct protocol_refuse *r)
{
	struct identity who;

	memset(admitted, 0, sizeof(*admitted));
	if (prove_blob(k, relayed, true, &who, r) < 0)
		return -(int)r->status;
	if (identity_stands(k, &who, r) == 0) {
		admitted->admin = who.role != NAMES_CLIENT;
		memcpy(admitted->name, who.name, sizeof(who.name));
		admitted->serial = who.serial;
		memcpy(admitted->key, who.fingerprint, sizeof(who.fingerprint));
		return 0;
	}
	count_failure(k, PROTOCOL_DOOR_SSHD_SIGN, r->code, relayed->peer);
	return -(int)r->status;
}

/* Make a connection for a shell.  keyd serves one end, *shell is the other. */
static int
bind_shell(struct keyd *k, const struct identity *who, int *shell,
    struct ht_error *e)
{
	int pair[2];
	int rc;

	rc = proc_socketpair(pair, e);
	if (rc < 0)
		return rc;
	if (who->role == NAMES_CLIENT)
		rc = sign_link_accept(k, pair[0], who, e);
	else
		rc = admin_link_accept(k, pair[0], who, e);
	if (rc < 0)
		(void)close(pair[1]);
	else
		*shell = pair[1];
	return rc;
}

static void
session(struct keyd_connection *c, uint32_t tag,
    const struct protocol_relayed *relayed)
{
	struct protocol_start start;
	struct protocol_refuse r;
	struct identity who;
	struct ht_error e;
	int shell, rc;

	if (prove_blob(c->keyd, relayed, false, &who, &r) < 0) {
		refuse(c, tag, &r);
		return;
	}
	if (identity_stands(c->keyd, &who, &r) < 0) {
		identity_refused(c->keyd, &who, &r);
		refuse(c, tag, &r);
		return;
	}
	rc = bind_shell(c->keyd, &who, &shell, &e);
	if (rc < 0) {
		keyd_refusal(&r, rc, "connections", "%s", e.text);
		r.retry = 5;
		identity_refused(c->keyd, &who, &r);
		refuse(c, tag, &r);
		return;
	}
	start.admin = who.role != NAMES_CLIENT;
	keyd_say(c, PROTOCOL_START, tag, &start, &shell, 1);
	(void)close(shell);
}

static void
receive_sshd(struct keyd_connection *c, struct msg *m,
    union protocol_body *body)
{
	struct protocol_admit admitted;
	struct protocol_refuse r;

	switch (m->type) {
	case PROTOCOL_LOGIN:
		if (admit(c->keyd, &body->relayed, &admitted, &r) < 0)
			refuse(c, m->tag, &r);
		else
			keyd_say(c, PROTOCOL_ADMIT, m->tag, &admitted, NULL, 0);
		break;
	case PROTOCOL_SESSION:
		session(c, m->tag, &body->relayed);
		break;
	case PROTOCOL_STRANGER:
		count_failure(c->keyd, PROTOCOL_DOOR_SSHD_SIGN,
		    PROTOCOL_UNKNOWN_KEY, body->stranger.peer);
		break;
	default: /* the link's rules let nothing else through */
		keyd_close(c);
		break;
	}
}

static void
revoked(struct keyd_connection *c, const struct protocol_revoked *what)
{
	if (c->link.kind == PROTOCOL_LINK_SSHD)
		keyd_say(c, PROTOCOL_REVOKED, 0, what, NULL, 0);
}

/* --- htsign-principals ------------------------------------------------- */

static int
make_ticket(struct keyd *k, const struct protocol_ask *ask,
    struct protocol_ticket_for *ticket, struct protocol_refuse *r)
{
	const char *reason = SSHCERT_MALFORMED;
	char text[TICKET_TEXT_SIZE];
	struct identity who;
	struct sshcert *cert;
	struct ht_error e;
	int rc;

	memset(ticket, 0, sizeof(*ticket));
	if (identity_prove(k, ask->certificate, ask->user,
	        PROTOCOL_DOOR_OPENSSH, NULL, &who, &reason, &e) < 0)
		return identity_unproved(reason, r);
	if (identity_stands(k, &who, r) < 0)
		return -(int)r->status;
	/* A plain key gets no ticket. */
	cert = sshcert_parse(ask->certificate, &reason, &e);
	if (cert == NULL)
		return identity_unproved(reason, r);
	rc = ticket_make(k->ticket_key, cert, (uint64_t)time(NULL), text, &e);
	if (rc < 0)
		rc = identity_unproved(SSHCERT_INTERNAL, r);
	else
		memcpy(ticket->ticket, text, strlen(text));
	names_principal_format(sshcert_principal(cert), ticket->principal);
	sshcert_free(cert);
	return rc;
}

static void
receive_principals(struct keyd_connection *c, struct msg *m,
    union protocol_body *body)
{
	struct protocol_ticket_for ticket;
	struct protocol_refuse r;

	if (make_ticket(c->keyd, &body->ask, &ticket, &r) == 0) {
		keyd_say(c, PROTOCOL_TICKET_FOR, m->tag, &ticket, NULL, 0);
	} else {
		count_failure(c->keyd, PROTOCOL_DOOR_OPENSSH, r.code, "");
		refuse(c, m->tag, &r);
	}
	keyd_close(c);
}

/* --- accepting --------------------------------------------------------- */

static void
gone(struct keyd_connection *c)
{
	free(c);
}

static int
accept_door(struct keyd *k, int fd, enum protocol_kind kind, uid_t uid,
    void (*receive)(struct keyd_connection *, struct msg *,
        union protocol_body *),
    struct ht_error *e)
{
	struct keyd_connection *c;
	struct ucred peer;
	socklen_t n = sizeof(peer);
	int rc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ||
	    peer.uid != uid) {
		(void)close(fd);
		return ht_error_set(e, HT_ERR_DENIED,
		    "this account may not use the socket");
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	c->receive = receive;
	c->revoked = revoked;
	c->gone = gone;
	rc = keyd_connection_add(k, c, fd, kind, e);
	if (rc < 0)
		free(c);
	return rc;
}

int
door_accept_sshd(struct keyd *k, int fd, struct ht_error *e)
{
	uid_t uid = k->setup->conf->single_user ? geteuid() : 0;

	return accept_door(k, fd, PROTOCOL_LINK_SSHD, uid, receive_sshd, e);
}

int
door_accept_principals(struct keyd *k, int fd, struct ht_error *e)
{
	uid_t uid = k->setup->conf->users[CONF_USER_AUTH].uid;

	return accept_door(k, fd, PROTOCOL_LINK_PRINCIPALS, uid,
	    receive_principals, e);
}

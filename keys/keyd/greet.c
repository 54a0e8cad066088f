#include "config.h"

#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keys/keyd/failures.h"
#include "keys/keyd/greet.h"
#include "lib/log.h"
#include "lib/utf8.h"

static int
check_version(const struct protocol_hello *hello, struct protocol_refuse *r)
{
	if (hello->version == PROTOCOL_VERSION)
		return 0;
	keyd_refusal(r, HT_ERR_INTERNAL, "version",
	    "htsign-shell and htsign-keyd are of different versions");
	return HT_ERR_INTERNAL;
}

static void
local_administrator(struct identity *who, uid_t uid)
{
	const char *name = uid == 0 ? "root" : "htsign-keyd";

	memset(who, 0, sizeof(*who));
	who->role = NAMES_ADMIN;
	memcpy(who->name, name, strlen(name));
	who->door = PROTOCOL_DOOR_LOCAL;
	who->until = UINT64_MAX;
}

static int
take_ticket(struct keyd *k, const struct protocol_hello *hello, pid_t shell,
    struct identity *who, struct protocol_refuse *r)
{
	uint64_t now = (uint64_t)time(NULL);
	const char *reason = NULL;
	struct sshcert *cert;
	struct ticket ticket;
	struct ht_error e;
	bool match;

	if (ticket_open(k->ticket_key, hello->ticket, &ticket, &reason, &e) < 0)
		goto denied;
	reason = SSHCERT_MALFORMED;
	cert = sshcert_parse(hello->certificate, &reason, &e);
	if (cert == NULL)
		goto denied;
	match = ticket_matches(&ticket, cert);
	sshcert_free(cert);
	if (!match) {
		reason = "ticket-foreign";
		(void)ht_error_set(&e, HT_ERR_DENIED,
		    "the ticket is for another certificate");
		goto denied;
	}
	if (identity_prove(k, hello->certificate, NULL, PROTOCOL_DOOR_OPENSSH,
	        hello->peer, who, &reason, &e) == 0 &&
	    holders_admit(&k->holders, &ticket, shell, now, &reason, &e) == 0) {
		who->port = (uint16_t)hello->port;
		return 0;
	}
denied:
	(void)identity_unproved(reason, r);
	log_notice("a shell's connection is refused: %s: %s", reason, e.text);
	keyd_must(k,
	    failures_count(k->failures, PROTOCOL_DOOR_OPENSSH, reason,
	        hello->peer, &e),
	    &e);
	return -(int)r->status;
}

static int
stands(struct keyd *k, const struct protocol_hello *hello, struct identity *who,
    struct protocol_refuse *r)
{
	memcpy(who->banner, hello->banner, sizeof(who->banner));
	if (identity_stands(k, who, r) == 0)
		return 0;
	identity_refused(k, who, r);
	return -(int)r->status;
}

static int
check_shell(struct keyd *k, int fd, bool admin,
    const struct protocol_hello *hello, struct identity *who,
    struct protocol_refuse *r)
{
	const struct conf_account *users = k->setup->conf->users;
	uid_t shells = users[admin ? CONF_USER_ADMIN : CONF_USER_SIGN].uid;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
	if (admin && hello->ticket[0] == '\0' &&
	    (peer.uid == 0 || peer.uid == geteuid())) {
		local_administrator(who, peer.uid);
		return 0;
	}
	if (peer.uid != shells) {
		keyd_refusal(r, HT_ERR_DENIED, "uid",
		    "this account may not use the socket");
		log_notice("uid %u is refused at the %s socket",
		    (unsigned int)peer.uid,
		    admin ? "administrators'" : "signing");
		return HT_ERR_DENIED;
	}
	if (take_ticket(k, hello, peer.pid, who, r) < 0)
		return -(int)r->status;
	if (admin == (who->role == NAMES_CLIENT)) {
		keyd_refusal(r, HT_ERR_DENIED, "role",
		    "%s does not belong at this socket",
		    names_role_text(who->role));
		memcpy(who->banner, hello->banner, sizeof(who->banner));
		identity_refused(k, who, r);
		return HT_ERR_DENIED;
	}
	return stands(k, hello, who, r);
}

int
greet_shell(struct keyd_connection *c, uint32_t tag,
    const struct protocol_hello *hello, bool bound, struct identity *who,
    struct protocol_welcome *welcome)
{
	struct keyd *k = c->keyd;
	struct protocol_refuse r;
	int rc = check_version(hello, &r);

	memset(welcome, 0, sizeof(*welcome));
	if (rc == 0 &&
	    (!utf8_plain(hello->peer) || !utf8_plain(hello->banner))) {
		keyd_refusal(&r, HT_ERR_DENIED, "hello",
		    "an address or a name that cannot be recorded");
		rc = HT_ERR_DENIED;
	}
	if (rc == 0 && bound)
		rc = stands(k, hello, who, &r);
	else if (rc == 0)
		rc = check_shell(k, msg_channel_fd(c->link.channel),
		    c->link.kind == PROTOCOL_LINK_ADMIN, hello, who, &r);
	if (rc < 0) {
		keyd_say(c, PROTOCOL_REFUSE, tag, &r, NULL, 0);
		keyd_close(c);
		return rc;
	}
	(void)snprintf(welcome->role, sizeof(welcome->role), "%s",
	    names_role_text(who->role));
	(void)snprintf(welcome->name, sizeof(welcome->name), "%s", who->name);
	if (k->setup->conf->single_user)
		memcpy(welcome->notice, "test", sizeof("test"));
	return 0;
}

/*
 * The front doors as keyd holds them: who may speak there, who is let in, and
 * what is on record of the others.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/door.h"
#include "lib/proc.h"
#include "protocol/keyd-client.h"
#include "store/authority/clients.h"
#include "tests/support/core_scratch.h"
#include "tests/support/no_memory.h"

#define ADMIN_CA "admin_ca = \"$/ca-p256.pub\"; "
#define ED25519 (&ssh_ca_users[0])
#define STRANGER ((uid_t)12345)

/* Our end of the door that is being tried. */
static struct keyd_client door;

typedef int accept_fn(struct keyd *k, int fd, struct ht_error *e);

static int
set_up(void **state)
{
	struct ht_error e;

	if (core_set_up(state) != 0)
		return 1;
	core_configure(ADMIN_CA, "");
	return conf_resolve(core.setup->conf, &e) < 0 ||
	    client_add(core.store, &core_actor, "ci", NULL, 3600, &e) < 0;
}

static int
tear_down(void **state)
{
	keyd_client_close(&door);
	return core_tear_down(state);
}

/* Knock: what accept returns; on success door is the other end. */
static int
try_open(accept_fn *accept, enum protocol_kind kind)
{
	struct ht_error e, why;
	int pair[2];
	int rc;

	assert_int_equal(proc_socketpair(pair, &e), 0);
	rc = accept(&core, pair[0], &why);
	assert_int_equal(keyd_client_bound(&door, pair[1], kind, &e), 0);
	if (rc < 0) {
		assert_int_equal(why.code, rc);
		assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	}
	return rc;
}

static void
open_sshd(void)
{
	assert_int_equal(try_open(door_accept_sshd, PROTOCOL_LINK_SSHD), 0);
}

/* The allocation of keyd that fails while it answers, or 0. */
static unsigned int failing;

static void
say(enum protocol_type type, const void *body)
{
	struct ht_error e;

	assert_int_equal(protocol_send(&door.link, type, 9, body, NULL, 0, &e),
	    0);
	no_memory_at(failing);
	core_turn();
}

/* The answer, which is there; *body points into *m. */
static void
expect_answer(enum protocol_type type, struct msg *m, union protocol_body *body)
{
	struct ht_error e;

	if (protocol_wait(&door.link, m, body, 0, &e) != 1)
		fail_msg("%s", e.text);
	if (m->type == PROTOCOL_REFUSE && type != PROTOCOL_REFUSE)
		fail_msg("%s", body->refuse.text);
	assert_int_equal(m->type, type);
	assert_int_equal(m->tag, 9);
}

/* Nothing more comes: no session after a refusal. */
static void
expect_nothing(void)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_not_equal(protocol_wait(&door.link, &m, &body, 0, &e), 1);
}

static void
expect_refusal(int code, const char *word, const char *text, uint32_t retry)
{
	union protocol_body body;
	struct msg m;

	expect_answer(PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -code);
	assert_string_equal(body.refuse.code, word);
	assert_string_equal(body.refuse.text, text);
	assert_int_equal(body.refuse.retry, retry);
	expect_nothing();
}

/* START has come with a shell's connection: close that. */
static void
close_shell(void)
{
	union protocol_body body;
	struct msg m;

	expect_answer(PROTOCOL_START, &m, &body);
	msg_close_fds(&m);
	core_turn();
}

/* What the listener says of who has proved key, and is called user. */
static void
relay(enum protocol_type type, const char *user, const struct buf *key)
{
	struct protocol_session_blob blob = { "", buf_cursor(key),
		{ NULL, 0 } };
	struct protocol_relayed relayed;
	struct buf bytes = BUF_INIT;

	memset(&relayed, 0, sizeof(relayed));
	(void)snprintf(blob.user, sizeof(blob.user), "%s", user);
	(void)snprintf(relayed.peer, sizeof(relayed.peer), "127.0.0.1");
	protocol_session_put(&bytes, &blob);
	relayed.blob = buf_cursor(&bytes);
	say(type, &relayed);
	buf_free(&bytes);
}

/* --- sshd-sign ----------------------------------------------------------- */

/* The connection that came with START is of that kind, and of that person. */
static void
expect_bound(int fd, enum protocol_kind kind, const char *role,
    const char *name)
{
	struct buf profiles = BUF_INIT;
	struct protocol_hello hello;
	union protocol_body body;
	struct keyd_client shell;
	struct ht_error e;
	struct msg m;

	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	assert_int_equal(keyd_client_bound(&shell, fd, kind, &e), 0);
	assert_int_equal(
	    protocol_send(&shell.link, PROTOCOL_HELLO, 1, &hello, NULL, 0, &e),
	    0);
	core_turn();
	assert_int_equal(protocol_wait(&shell.link, &m, &body, 0, &e), 1);
	assert_int_equal(m.type, PROTOCOL_WELCOME);
	assert_string_equal(body.welcome.role, role);
	assert_string_equal(body.welcome.name, name);
	keyd_client_close(&shell);
	core_turn();
	buf_free(&profiles);
}

static void
a_session_is_bound_to_who_has_proved_a_certificate(void **state)
{
	union protocol_body body;
	struct buf key = BUF_INIT;
	struct msg m;

	(void)state;
	open_sshd();
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	relay(PROTOCOL_SESSION, "sign", &key);
	expect_answer(PROTOCOL_START, &m, &body);
	assert_int_equal(body.start.admin, 0);
	expect_bound(m.fd[0], PROTOCOL_LINK_SIGN, "client", "ci");
	core_issue_role(CORE_ADMINS_CA, NAMES_AUDITOR, &key);
	relay(PROTOCOL_SESSION, "admin", &key);
	expect_answer(PROTOCOL_START, &m, &body);
	assert_int_equal(body.start.admin, 1);
	expect_bound(m.fd[0], PROTOCOL_LINK_ADMIN, "auditor", "ann");
	assert_int_equal(core_events("auth-failed", ""), 0);
	buf_free(&key);
}

static void
a_login_is_only_admitted(void **state)
{
	union protocol_body body;
	struct buf key = BUF_INIT;
	struct msg m;

	(void)state;
	open_sshd();
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	relay(PROTOCOL_LOGIN, "sign", &key);
	expect_answer(PROTOCOL_ADMIT, &m, &body);
	assert_int_equal(m.nfds, 0);
	assert_int_equal(body.admit.admin, 0);
	assert_string_equal(body.admit.name, "ci");
	assert_int_equal(body.admit.serial, core_request.serial);
	assert_int_equal(strncmp(body.admit.key, "SHA256:", 7), 0);
	assert_int_equal(strlen(body.admit.key), SSHKEY_FINGERPRINT_SIZE - 1);
	relay(PROTOCOL_LOGIN, "admin", &key);
	expect_refusal(HT_ERR_DENIED, "user-name", "not logged in: user-name",
	    0);
	assert_int_equal(core_events("auth-failed", "\"user-name\""), 1);
	core_issue_role(CORE_ADMINS_CA, NAMES_AUDITOR, &key);
	relay(PROTOCOL_LOGIN, "admin", &key);
	expect_answer(PROTOCOL_ADMIT, &m, &body);
	assert_int_equal(body.admit.admin, 1);
	assert_string_equal(body.admit.name, "ann");
	buf_free(&key);
}

static void
who_is_nobody_is_counted(void **state)
{
	struct protocol_relayed relayed;
	struct buf key = BUF_INIT;

	(void)state;
	open_sshd();
	memset(&relayed, 0, sizeof(relayed));
	(void)snprintf(relayed.peer, sizeof(relayed.peer), "192.0.2.7");
	relayed.blob = cursor_over("x", 1);
	say(PROTOCOL_SESSION, &relayed);
	expect_refusal(HT_ERR_DENIED, "malformed", "not logged in: malformed",
	    0);
	assert_int_equal(core_events("auth-failed", "\"malformed\""), 1);
	assert_int_equal(core_events("auth-failed", "192.0.2.0/24"), 1);
	assert_int_equal(core_events("auth-failed", "\"sshd-sign\""), 1);
	core_now += INT64_C(60) * 1000000;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	relay(PROTOCOL_SESSION, "sign", &key);
	expect_refusal(HT_ERR_DENIED, "expired", "not logged in: expired", 0);
	assert_int_equal(core_events("auth-failed", "\"expired\""), 1);
	assert_int_equal(core_events("auth-failed", "127.0.0.0/24"), 1);
	assert_int_equal(core_events("refused-login", ""), 0);
	buf_free(&key);
}

/* What ssh offers before a certificate is no failure, unless it is all. */
static void
a_stranger_is_counted_when_he_leaves(void **state)
{
	struct protocol_stranger stranger;
	struct cursor plain = sshkey_blob(ED25519->key);
	struct buf key = BUF_INIT;

	(void)state;
	open_sshd();
	buf_bytes(&key, plain.p, plain.left);
	relay(PROTOCOL_LOGIN, "sign", &key);
	expect_refusal(HT_ERR_DENIED, "unknown-key",
	    "not logged in: unknown-key", 0);
	assert_int_equal(core_events("auth-failed", ""), 0);
	memset(&stranger, 0, sizeof(stranger));
	(void)snprintf(stranger.peer, sizeof(stranger.peer), "192.0.2.7");
	say(PROTOCOL_STRANGER, &stranger);
	assert_int_equal(core_events("auth-failed", "\"unknown-key\""), 1);
	assert_int_equal(core_events("auth-failed", "192.0.2.0/24"), 1);
	relay(PROTOCOL_SESSION, "sign", &key);
	expect_refusal(HT_ERR_DENIED, "unknown-key",
	    "not logged in: unknown-key", 0);
	assert_int_equal(core_events("auth-failed", "127.0.0.0/24"), 1);
	buf_free(&key);
}

static void
who_does_not_stand_is_on_record(void **state)
{
	struct buf key = BUF_INIT;
	struct ht_error e;

	(void)state;
	open_sshd();
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
	relay(PROTOCOL_SESSION, "sign", &key);
	expect_refusal(HT_ERR_DENIED, "disabled", "client ci is disabled", 0);
	assert_int_equal(core_events("refused-login", "\"disabled\""), 1);
	assert_int_equal(core_events("auth-failed", ""), 0);
	buf_free(&key);
}

static int
free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	assert_int_equal(close(fd), 0);
	return fd;
}

/* Issue the certificate of number 1 to ci, as the store knows it. */
static uint64_t
issue_known(struct buf *key)
{
	struct user_certificate what = { .principal = "client:ci",
		.name = "ci",
		.fingerprint = "SHA256:x",
		.valid_after = SSH_CA_NOW - 60,
		.valid_before = SSH_CA_NOW + 60 };
	struct sshcert_request request = core_request;
	uint64_t serial;
	struct ht_error e;

	assert_int_equal(
	    user_certificate_issue(core.store, &core_actor, &what, &serial, &e),
	    0);
	request.serial = serial;
	core_issue(CORE_CLIENTS_CA, ED25519, request, key);
	return serial;
}

/* Who does not stand fails before the login, and cannot fill the journal. */
static void
who_does_not_stand_is_not_admitted(void **state)
{
	struct buf key = BUF_INIT;
	struct ht_error e;
	char text[64];
	uint64_t serial;
	int i;

	(void)state;
	open_sshd();
	serial = issue_known(&key);
	(void)snprintf(text, sizeof(text), "certificate ci/%ju is revoked",
	    (uintmax_t)serial);
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
	for (i = 0; i < 3; i++) {
		relay(PROTOCOL_LOGIN, "sign", &key);
		expect_refusal(HT_ERR_DENIED, "disabled",
		    "client ci is disabled", 0);
	}
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", false, &e), 0);
	assert_int_equal(
	    user_certificate_revoke(core.store, &core_actor, serial, NULL, &e),
	    0);
	for (i = 0; i < 3; i++) {
		relay(PROTOCOL_LOGIN, "sign", &key);
		expect_refusal(HT_ERR_DENIED, "revoked", text, 0);
	}
	assert_int_equal(core_events("auth-failed", "\"disabled\""), 1);
	assert_int_equal(core_events("auth-failed", "\"revoked\""), 1);
	assert_int_equal(core_events("auth-failed", "127.0.0.0/24"), 2);
	assert_int_equal(core_events("refused-login", ""), 0);
	buf_free(&key);
}

static void
a_session_too_many_is_on_record(void **state)
{
	struct buf key = BUF_INIT;
	int fd, next;
	size_t *n = &core.nconnections[PROTOCOL_LINK_SIGN];

	(void)state;
	open_sshd();
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	*n = KEYD_SIGNING;
	fd = free_descriptor();
	next = fcntl(fd + 1, F_GETFD); /* may be who started the test's */
	relay(PROTOCOL_SESSION, "sign", &key);
	expect_refusal(HT_ERR_TEMPORARY, "connections", "too many connections",
	    5);
	assert_int_equal(core_events("refused-login", "\"connections\""), 1);
	assert_int_equal(free_descriptor(), fd);
	assert_int_equal(fcntl(fd + 1, F_GETFD), next);
	*n = 0;
	buf_free(&key);
}

/* However many sessions one client asks for, another one gets his. */
static void
a_client_has_its_share_of_sessions(void **state)
{
	struct buf key = BUF_INIT;
	size_t n = 0;

	(void)state;
	open_sshd();
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	while (share_take(&core.links, "ci", 1))
		n++;
	assert_int_equal(n, KEYD_SIGNING / 2);
	relay(PROTOCOL_SESSION, "sign", &key);
	expect_refusal(HT_ERR_TEMPORARY, "connections",
	    "ci has 896 sessions open, which is its share: let some end first",
	    5);
	share_give(&core.links, "ci", n);
	assert_true(share_take(&core.links, "other", n));
	relay(PROTOCOL_SESSION, "sign", &key);
	close_shell();
	assert_int_equal(share_of(&core.links, "ci"), 0);
	share_give(&core.links, "other", n);
	buf_free(&key);
}

static void
sshd_sign_hears_of_the_revoked(void **state)
{
	const struct protocol_revoked what = { "ci", 3, "SHA256:x" };
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	(void)state;
	open_sshd();
	keyd_revoked(&core, &what);
	core_settle();
	assert_int_equal(protocol_wait(&door.link, &m, &body, 0, &e), 1);
	assert_int_equal(m.type, PROTOCOL_REVOKED);
	assert_string_equal(body.revoked.name, "ci");
	assert_int_equal(body.revoked.serial, 3);
	assert_string_equal(body.revoked.key, "SHA256:x");
}

/* Whether there is no descriptor left for a shell's connection. */
static bool no_descriptors;
int __real_proc_socketpair(int pair[2], struct ht_error *e);
int __wrap_proc_socketpair(int pair[2], struct ht_error *e);

int
__wrap_proc_socketpair(int pair[2], struct ht_error *e)
{
	if (!no_descriptors)
		return __real_proc_socketpair(pair, e);
	errno = EMFILE;
	return ht_error_errno(e, "socketpair");
}

static void
a_session_without_descriptors_is_on_record(void **state)
{
	union protocol_body body;
	struct buf key = BUF_INIT;
	struct msg m;

	(void)state;
	open_sshd();
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	no_descriptors = true;
	relay(PROTOCOL_SESSION, "sign", &key);
	no_descriptors = false;
	expect_answer(PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -HT_ERR_INTERNAL);
	assert_non_null(strstr(body.refuse.text, "Too many open files"));
	expect_nothing();
	assert_int_equal(core_events("refused-login", "\"connections\""), 1);
	buf_free(&key);
}

/* --- htsign-principals --------------------------------------------------- */

static void
ask(const char *user, const struct buf *key)
{
	struct protocol_ask ask;

	assert_int_equal(
	    try_open(door_accept_principals, PROTOCOL_LINK_PRINCIPALS), 0);
	memset(&ask, 0, sizeof(ask));
	(void)snprintf(ask.user, sizeof(ask.user), "%s", user);
	ask.certificate = buf_cursor(key);
	say(PROTOCOL_ASK, &ask);
}

/* One question is all: then the connection is closed. */
static void
expect_closed(void)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_equal(protocol_wait(&door.link, &m, &body, 0, &e),
	    HT_ERR_UNAVAILABLE);
	assert_null(core.connections);
	keyd_client_close(&door);
}

static void
expect_ticket(const struct buf *key, const char *principal)
{
	union protocol_body body;
	const char *reason;
	struct ticket ticket;
	struct sshcert *cert;
	struct ht_error e;
	struct msg m;

	expect_answer(PROTOCOL_TICKET_FOR, &m, &body);
	assert_string_equal(body.ticket_for.principal, principal);
	assert_int_equal(ticket_open(core.ticket_key, body.ticket_for.ticket,
	                     &ticket, &reason, &e),
	    0);
	assert_int_equal(ticket.expires, SSH_CA_NOW + TICKET_LIFETIME);
	cert = sshcert_parse(buf_cursor(key), &reason, &e);
	assert_true(ticket_matches(&ticket, cert));
	sshcert_free(cert);
	expect_closed();
}

static void
a_ticket_is_made_for_a_certificate(void **state)
{
	struct buf key = BUF_INIT;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	ask("sign", &key);
	expect_ticket(&key, "client:ci");
	core_issue_role(CORE_ADMINS_CA, NAMES_ADMIN, &key);
	ask("admin", &key);
	expect_ticket(&key, "role:admin");
	assert_int_equal(core_events("auth-failed", ""), 0);
	buf_free(&key);
}

static void
no_ticket_is_made_for_anything_else(void **state)
{
	struct buf key = BUF_INIT, line = BUF_INIT, text = BUF_INIT;
	struct cursor plain = sshkey_blob(ED25519->key);
	struct ht_error e;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	ask("admin", &key);
	expect_refusal(HT_ERR_DENIED, "user-name", "not logged in: user-name",
	    0);
	expect_closed();
	assert_int_equal(core_events("auth-failed", "\"user-name\""), 1);
	assert_int_equal(core_events("auth-failed", "\"openssh\""), 1);
	/* A configured key is an administrator's, but no certificate. */
	ssh_ca_line(ED25519->key, &line);
	buf_format(&text,
	    "admins = ( { name = \"ann\"; role = \"admin\"; key = \"%.*s\"; "
	    "} );",
	    (int)line.len, (char *)line.data);
	buf_u8(&text, 0);
	core_configure((const char *)text.data, "");
	assert_int_equal(conf_resolve(core.setup->conf, &e), 0);
	buf_reset(&key);
	buf_bytes(&key, plain.p, plain.left);
	ask("admin", &key);
	expect_refusal(HT_ERR_DENIED, "malformed", "not logged in: malformed",
	    0);
	expect_closed();
	assert_int_equal(core_events("auth-failed", "\"malformed\""), 1);
	buf_free(&key);
	buf_free(&line);
	buf_free(&text);
}

static void
no_ticket_is_made_for_who_does_not_stand(void **state)
{
	struct buf key = BUF_INIT;
	struct ht_error e;
	char text[64];
	uint64_t serial;
	int i;

	(void)state;
	serial = issue_known(&key);
	(void)snprintf(text, sizeof(text), "certificate ci/%ju is revoked",
	    (uintmax_t)serial);
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
	for (i = 0; i < 3; i++) {
		ask("sign", &key);
		expect_refusal(HT_ERR_DENIED, "disabled",
		    "client ci is disabled", 0);
		expect_closed();
	}
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", false, &e), 0);
	assert_int_equal(
	    user_certificate_revoke(core.store, &core_actor, serial, NULL, &e),
	    0);
	for (i = 0; i < 3; i++) {
		ask("sign", &key);
		expect_refusal(HT_ERR_DENIED, "revoked", text, 0);
		expect_closed();
	}
	assert_int_equal(core_events("auth-failed", "\"disabled\""), 1);
	assert_int_equal(core_events("auth-failed", "\"revoked\""), 1);
	assert_int_equal(core_events("auth-failed", "\"openssh\""), 2);
	assert_int_equal(core_events("refused-login", ""), 0);
	buf_free(&key);
}

/* --- who may speak ------------------------------------------------------- */

static void
each_door_is_for_its_own_uid(void **state)
{
	struct conf *conf = core.setup->conf;
	uid_t *uid = &conf->users[CONF_USER_AUTH].uid;

	(void)state;
	*uid = STRANGER;
	assert_int_equal(
	    try_open(door_accept_principals, PROTOCOL_LINK_PRINCIPALS),
	    HT_ERR_DENIED);
	keyd_client_close(&door);
	if (geteuid() != 0)
		return;
	/* Connections of who is not root. */
	assert_int_equal(seteuid(STRANGER), 0);
	assert_int_equal(
	    try_open(door_accept_principals, PROTOCOL_LINK_PRINCIPALS), 0);
	keyd_client_close(&door);
	assert_int_equal(try_open(door_accept_sshd, PROTOCOL_LINK_SSHD), 0);
	keyd_client_close(&door);
	conf->single_user = false;
	assert_int_equal(try_open(door_accept_sshd, PROTOCOL_LINK_SSHD),
	    HT_ERR_DENIED);
	keyd_client_close(&door);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(try_open(door_accept_sshd, PROTOCOL_LINK_SSHD), 0);
	conf->single_user = true;
}

static void
a_door_has_so_many_connections(void **state)
{
	size_t *n = &core.nconnections[PROTOCOL_LINK_SSHD];

	(void)state;
	*n = KEYD_SSHD;
	assert_int_equal(try_open(door_accept_sshd, PROTOCOL_LINK_SSHD),
	    HT_ERR_TEMPORARY);
	*n = 0;
}

static void
log_in(const struct buf *key)
{
	open_sshd();
	relay(PROTOCOL_LOGIN, "sign", key);
}

static void
ask_for_a_ticket(const struct buf *key)
{
	ask("sign", key);
}

/* Fail each allocation once.  What answer there is says yes, or "internal". */
static void
expect_internal(void (*try)(const struct buf *key), enum protocol_type yes)
{
	unsigned int refused = 0;
	union protocol_body body;
	struct buf key = BUF_INIT;
	struct ht_error e;
	struct msg m;

	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &key);
	failing = 0;
	do {
		failing++;
		try(&key);
		if (protocol_wait(&door.link, &m, &body, 0, &e) != 1) {
			m.type = 0;
		} else if (m.type == PROTOCOL_REFUSE) {
			assert_int_equal(body.refuse.status, -HT_ERR_INTERNAL);
			assert_string_equal(body.refuse.code, "internal");
			refused++;
		} else if (m.type == PROTOCOL_TICKET_FOR) {
			assert_string_not_equal(body.ticket_for.ticket, "");
		}
		keyd_client_close(&door);
		if (core.connections != NULL)
			core_turn();
	} while (no_memory_met());
	failing = 0;
	no_memory_at(0);
	assert_int_equal(m.type, yes);
	assert_true(refused >= 3);
	buf_free(&key);
}

static void
without_memory_nobody_is_denied(void **state)
{
	(void)state;
	expect_internal(log_in, PROTOCOL_ADMIT);
	expect_internal(ask_for_a_ticket, PROTOCOL_TICKET_FOR);
}

/* A timer is done without; that is all. */
static void
without_memory_a_door_stays_shut(void **state)
{
	unsigned int n, shut = 0;
	struct ht_error e, why;
	int pair[2];
	int rc;

	(void)state;
	for (n = 1;; n++) {
		assert_int_equal(proc_socketpair(pair, &e), 0);
		no_memory_at(n);
		rc = door_accept_sshd(&core, pair[0], &why);
		(void)close(pair[1]);
		if (!no_memory_met())
			break;
		if (rc < 0) {
			assert_int_equal(rc, HT_ERR_INTERNAL);
			assert_int_equal(fcntl(pair[0], F_GETFD), -1);
			assert_null(core.connections);
			shut++;
		} else {
			core_turn();
		}
	}
	no_memory_at(0);
	assert_int_equal(rc, 0);
	assert_true(shut >= 3);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_session_is_bound_to_who_has_proved_a_certificate),
		TEST(a_login_is_only_admitted),
		TEST(who_is_nobody_is_counted),
		TEST(a_stranger_is_counted_when_he_leaves),
		TEST(who_does_not_stand_is_on_record),
		TEST(who_does_not_stand_is_not_admitted),
		TEST(a_session_too_many_is_on_record),
		TEST(a_client_has_its_share_of_sessions),
		TEST(sshd_sign_hears_of_the_revoked),
		TEST(a_session_without_descriptors_is_on_record),
		TEST(a_ticket_is_made_for_a_certificate),
		TEST(no_ticket_is_made_for_anything_else),
		TEST(no_ticket_is_made_for_who_does_not_stand),
		TEST(each_door_is_for_its_own_uid),
		TEST(a_door_has_so_many_connections),
		TEST(without_memory_nobody_is_denied),
		TEST(without_memory_a_door_stays_shut),
	};

	return cmocka_run_group_tests(tests, core_enter, core_leave);
}

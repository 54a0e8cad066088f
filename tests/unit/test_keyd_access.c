/*
 * Who may still do something in htsign-keyd on a connection that has been open
 * for a while, who may not, and that both are on record.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base64.h"
#include "signature/init.h"
#include "tests/support/endpoint.h"
#include "tests/support/scratch.h"

static int
enter(void **state)
{
	struct ht_error e;

	if (scratch_enter(state) != 0 || authenticode_init(&e) < 0)
		return 1;
	endpoint_make();
	endpoint_start();
	assert_int_equal(endpoint_admin("client add ci", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("grant ci test", NULL, NULL), 0);
	return 0;
}

static int
leave(void **state)
{
	int status = endpoint_stop(SIGTERM);

	return scratch_leave(state) != 0 || status != 0;
}

static void
an_expired_certificate_begins_nothing_while_connected(void **state)
{
	struct buf blob = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_certificate("ci", "--ttl=3s", &blob);
	assert_int_equal(endpoint_ticket(&blob, ticket), 0);
	assert_int_equal(endpoint_greet(&a, &blob, ticket, &e), 0);
	endpoint_pause(3200);
	assert_int_equal(endpoint_begin(&a, "test", &e), HT_ERR_DENIED);
	assert_string_equal(a.refusal.code, "expired");
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"refused\""));
	buf_free(&blob);
}

static void
a_foreign_ticket_is_counted(void **state)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_certificate("ci", "", &one);
	endpoint_certificate("ci", "", &two);
	assert_int_equal(endpoint_ticket(&one, ticket), 0);
	assert_int_equal(endpoint_greet(&a, &two, ticket, &e), HT_ERR_DENIED);
	keyd_client_close(&a);
	assert_true(endpoint_prints("events --limit=1", "ticket-foreign"));
	assert_true(endpoint_prints("events --limit=1", "192.0.2.0/24"));
	buf_free(&one);
	buf_free(&two);
}

static void
what_an_auditor_may_not_is_on_record(void **state)
{
	static const char *const commands[][4] = { { "revoke", "ci" },
		{ "rebuild" }, { "fetch", "1", "pkcs7" } };
	struct protocol_done done;
	struct buf words = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;
	size_t i, j;

	(void)state;
	endpoint_connect_role(&a, "auditor");
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		for (j = 0; commands[i][j] != NULL; j++)
			buf_text(&words, commands[i][j]);
		assert_int_equal(keyd_client_command(&a, &words,
		                     cursor_over(NULL, 0), NULL, NULL, &done,
		                     &e),
		    0);
		assert_int_equal(done.status, 77);
		assert_true(
		    endpoint_prints("events --limit=1", "refused-command"));
		assert_true(endpoint_prints("events --limit=1", "auditor"));
		assert_true(
		    endpoint_prints("events --limit=1", commands[i][0]));
		buf_free(&words);
	}
	keyd_client_close(&a);
}

/* The configuration with ann's key in it. */
static void
configure_ann(const struct buf *old, const char *line)
{
	struct buf text = BUF_INIT;
	const char *at;

	at = strstr((const char *)old->data, " };\ntokens");
	assert_non_null(at);
	buf_bytes(&text, old->data, (size_t)(at - (const char *)old->data));
	buf_format(&text,
	    " admins = ( { name = \"ann\"; role = \"admin\"; key = \"%s\"; "
	    "} );%s",
	    line, at);
	scratch_write("htsign.conf", text.data, text.len);
	endpoint_signal(SIGHUP);
	buf_free(&text);
}

/* Log in as sshd-sign lets somebody in who has proved this key. */
static void
connect_through_sshd(struct keyd_client *a, struct cursor key)
{
	struct protocol_session_blob blob = { "admin", key, { NULL, 0 } };
	struct buf bytes = BUF_INIT, profiles = BUF_INIT;
	struct protocol_relayed session;
	struct protocol_welcome welcome;
	struct protocol_hello hello;
	union protocol_body body;
	struct keyd_client listener;
	struct ht_error e;
	struct msg m;

	protocol_session_put(&bytes, &blob);
	memset(&session, 0, sizeof(session));
	(void)snprintf(session.peer, sizeof(session.peer), "127.0.0.1");
	session.blob = buf_cursor(&bytes);
	assert_int_equal(keyd_client_connect(&listener, "run/sshd.sock",
	                     PROTOCOL_LINK_SSHD, &e),
	    0);
	assert_int_equal(protocol_send(&listener.link, PROTOCOL_SESSION, 1,
	                     &session, NULL, 0, &e),
	    0);
	assert_int_equal(protocol_wait(&listener.link, &m, &body, 5000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_START);
	assert_int_equal(body.start.admin, 1);
	assert_int_equal(keyd_client_bound(a, m.fd[0], PROTOCOL_LINK_ADMIN, &e),
	    0);
	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	assert_int_equal(keyd_client_greet(a, &hello, &welcome, &profiles, &e),
	    0);
	assert_string_equal(welcome.name, "ann");
	keyd_client_close(&listener);
	buf_free(&bytes);
	buf_free(&profiles);
}

static int
swallow(void *cookie, struct cursor bytes, struct ht_error *e)
{
	(void)cookie;
	(void)bytes;
	(void)e;
	return 0;
}

static void
an_administrator_who_was_taken_out_commands_nothing(void **state)
{
	struct buf old = BUF_INIT, line = BUF_INIT, key = BUF_INIT;
	struct buf words = BUF_INIT;
	struct protocol_done done;
	struct ht_error e;
	struct keyd_client a;
	const char *at;

	(void)state;
	assert_int_equal(RUN("ssh-keygen", "-q", "-t", "ed25519", "-N", "",
	                     "-C", "", "-f", "ann"),
	    0);
	scratch_read("ann.pub", &line);
	line.data[strcspn((const char *)line.data, "\n")] = '\0';
	at = strchr((const char *)line.data, ' ') + 1;
	assert_int_equal(base64_decode(cursor_over(at, strcspn(at, " ")),
	                     BASE64_STANDARD, &key),
	    0);
	scratch_read("htsign.conf", &old);
	buf_u8(&old, 0);
	configure_ann(&old, (const char *)line.data);
	connect_through_sshd(&a, buf_cursor(&key));
	buf_text(&words, "tokens");
	assert_int_equal(keyd_client_command(&a, &words, cursor_over(NULL, 0),
	                     swallow, NULL, &done, &e),
	    0);
	assert_int_equal(done.status, 0);
	scratch_write("htsign.conf", old.data, old.len - 1);
	endpoint_signal(SIGHUP);
	assert_int_equal(keyd_client_command(&a, &words, cursor_over(NULL, 0),
	                     swallow, NULL, &done, &e),
	    0);
	assert_int_equal(done.status, 77);
	keyd_client_close(&a);
	assert_true(endpoint_prints("events --limit=1", "refused-command"));
	buf_free(&old);
	buf_free(&line);
	buf_free(&key);
	buf_free(&words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_expired_certificate_begins_nothing_while_connected),
		cmocka_unit_test(a_foreign_ticket_is_counted),
		cmocka_unit_test(what_an_auditor_may_not_is_on_record),
		cmocka_unit_test(
		    an_administrator_who_was_taken_out_commands_nothing),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

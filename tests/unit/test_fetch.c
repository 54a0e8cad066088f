/*
 * htsign-fetch as it was built, in its sandbox, with this test in keyd's place
 * and `openssl ts` behind a port.
 */

#include "config.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/loop.h"
#include "protocol/messages.h"
#include "signature/init.h"
#include "tests/support/builddir.h"
#include "tests/support/run.h"
#include "tests/support/scratch.h"
#include "tests/support/tsa.h"

extern char **environ;

static const char data[] = "what has been signed";

static struct tsa tsa;
static char folder[PATH_MAX];
static pid_t server, fetch;
static int port, listening;
static struct protocol_link keyd;

/* --- what is there ----------------------------------------------------- */

static void
write_pem(const char *name, X509 *certificate, EVP_PKEY *key)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(certificate != NULL
	        ? PEM_write_X509(f, certificate)
	        : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL),
	    1);
	assert_int_equal(fclose(f), 0);
}

static void
make_authority(void)
{
	static const char conf[] =
	    "[tsa]\ndefault_tsa = this\n[this]\n"
	    "serial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n"
	    "certs = issuer.pem\nsigner_digest = sha256\n"
	    "default_policy = 1.2.3.4.1\ndigests = sha256, sha384, sha512\n"
	    "ess_cert_id_chain = no\ness_cert_id_alg = sha256\n";
	struct tsa_how how = { .not_before = time(NULL) - 86400,
		.not_after = time(NULL) + 86400 };

	tsa_make(&how, &tsa);
	scratch_write("root.pem", tsa.root.data, tsa.root.len);
	write_pem("tsa.pem", tsa.certificate, NULL);
	write_pem("issuer.pem", tsa.issuer, NULL);
	write_pem("tsa.key", NULL, tsa.key);
	scratch_write("tsa.conf", conf, sizeof(conf) - 1);
	scratch_write("serial", "01\n", 3);
	/* A root of another authority. */
	tsa_clear(&tsa);
	tsa_make(&how, &tsa);
	scratch_write("other.pem", tsa.root.data, tsa.root.len);
}

static pid_t
start(const char *const *argv, int out, const char *err)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	if (out >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, out, 1);
	(void)posix_spawn_file_actions_addopen(&actions, 2, err,
	    O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL,
	                     (char *const *)(uintptr_t)argv, environ),
	    0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void
start_server(void)
{
	const char *srcdir = getenv("srcdir");
	char script[PATH_MAX], text[16];
	FILE *f;
	int fd[2];

	assert_non_null(srcdir);
	(void)snprintf(script, sizeof(script), "%s/tests/support/tsa_server.py",
	    srcdir);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	server = start(
	    (const char *const[]){ "python3", script, "0", "tsa.conf", NULL },
	    fd[1], "server.log");
	(void)close(fd[1]);
	f = fdopen(fd[0], "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	(void)fclose(f);
	port = (int)strtol(text, NULL, 10);
}

/* --- what is configured ------------------------------------------------ */

/* A server of each name; one without a path has the name as its path. */
static const struct {
	const char *name;
	const char *path;
	const char *roots;
	unsigned int interval;
	const char *says; /* what is wrong with it */
} servers[] = {
	{ "good", "", "root", 0, NULL },
	{ "late", NULL, "root", 0, NULL },
	{ "paced", "", "root", 1, NULL },
	{ "busy-once", NULL, "root", 0, NULL },
	{ "hang", NULL, "root", 0, "timed out" },
	{ "slow", NULL, "root", 0, "timed out" },
	{ "503", NULL, "root", 0, "HTTP status 503" },
	{ "reset", NULL, "root", 0, "" },
	{ "garbage", NULL, "root", 0, "too long" },
	{ "headers", NULL, "root", 0, "too" },
	{ "empty", NULL, "root", 0, "" },
	{ "other", NULL, "root", 0, "another signature" },
	{ "replay", NULL, "root", 0, "nonce" },
	{ "nonce", NULL, "root", 0, "nonce" },
	{ "untrusted", "", "other", 0, "chain is not valid" },
	{ "hour", NULL, "root", 0, "differ by -36" },
	{ "status2", NULL, "root", 0, "status 2" },
	{ "status5", NULL, "root", 0, "status 5" },
	{ "redirect", NULL, "root", 0, "HTTP status 302" },
	{ "trailing", NULL, "root", 0, "left over" },
	{ "type", NULL, "root", 0, "content type is text/html" },
	{ "429", NULL, "root", 0, NULL },
	{ "missing", "", "missing", 0, "no server to ask" },
	/* The same faults under names that nobody knows yet. */
	{ "bad1", "503", "root", 0, NULL },
	{ "bad2", "reset", "root", 0, NULL },
	{ "bad3", "nonce", "root", 0, NULL },
	{ "bad4", "trailing", "root", 0, NULL },
	{ "bad5", "status2", "root", 0, NULL },
};
#define SERVERS (sizeof(servers) / sizeof(servers[0]))

static void
write_conf(const char *proxy)
{
	struct buf conf = BUF_INIT;
	size_t i;

	buf_format(&conf,
	    "state = \"%s/state\";\nrun = \"%s\";\nsingle_user = true;\n"
	    "ssh: { listen = [ \"127.0.0.1:2222\" ]; host_keys = [ \"%s/h\" "
	    "];\n"
	    "  user_ca = \"%s/u\"; admin_ca = \"%s/a.pub\"; };\n"
	    "tokens = ( { name = \"file\"; file = \"%s/key.pem\"; } );\n"
	    "certificates = ( { name = \"test\"; token = \"file\";\n"
	    "  chain = \"%s/chain.pem\"; } );\n"
	    "profiles = ( { name = \"test\"; certificates = [ \"test\" ]; } "
	    ");\n"
	    "%s\ntimestamp_servers = (\n",
	    folder, folder, folder, folder, folder, folder, folder, proxy);
	for (i = 0; i < SERVERS; i++)
		buf_format(&conf,
		    "{ name = \"%s\"; operator = \"test\"; interval = %u;\n"
		    "  url = \"http://127.0.0.1:%d/%s\";\n"
		    "  roots = \"%s/%s.pem\"; },\n",
		    servers[i].name, servers[i].interval, port,
		    servers[i].path != NULL ? servers[i].path : servers[i].name,
		    folder, servers[i].roots);
	buf_format(&conf,
	    "{ name = \"named\"; operator = \"test\";\n"
	    "  url = \"http://localhost:%d/\"; roots = \"%s/root.pem\"; },\n"
	    "{ name = \"unknown\"; operator = \"test\";\n"
	    "  url = \"http://no.such.host.invalid/\";\n"
	    "  roots = \"%s/root.pem\"; } );\n",
	    port, folder, folder);
	scratch_write("htsign.conf", conf.data, conf.len);
	buf_free(&conf);
}

/* --- keyd -------------------------------------------------------------- */

static void
meet(void)
{
	union protocol_body body;
	struct pollfd in = { listening, POLLIN, 0 };
	struct ht_error e;
	struct msg m;
	int fd;

	if (poll(&in, 1, 10000) != 1)
		fail_msg("nobody comes");
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(
	    protocol_open(&keyd, fd, PROTOCOL_LINK_FETCH, false, &e), 0);
	assert_int_equal(protocol_wait(&keyd, &m, &body, 5000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_FETCH_HELLO);
	assert_int_equal(body.fetch_hello.version, PROTOCOL_VERSION);
}

static void
start_fetch(void)
{
	fetch = start((const char *const[]){ HT_BUILDDIR "/fetch/htsign-fetch",
	                  "-v", "-c", "htsign.conf", NULL },
	    -1, "fetch.log");
	meet();
}

static void
end_fetch(void)
{
	int status;

	assert_int_equal(kill(fetch, SIGTERM), 0);
	assert_int_equal(waitpid(fetch, &status, 0), fetch);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("htsign-fetch ended with %d", status);
	protocol_close(&keyd);
}

static void
say(enum protocol_type type, uint32_t tag, const void *body)
{
	struct ht_error e;

	assert_int_equal(protocol_send(&keyd, type, tag, body, NULL, 0, &e), 0);
}

static uint32_t place; /* of the next that is asked */

/* names: with a space between them */
static void
ask(uint32_t tag, const char *names)
{
	struct protocol_stamp stamp = { .digest = "sha256",
		.not_before = (uint64_t)time(NULL) - 3600,
		.not_after = (uint64_t)time(NULL) + 3600,
		.milliseconds = 20000,
		.place = place };
	struct buf list = BUF_INIT;
	uint8_t imprint[32];
	size_t n;

	for (; *names != '\0'; names += n + strspn(names + n, " ")) {
		n = strcspn(names, " ");
		buf_string(&list, names, n);
	}
	(void)EVP_Digest(data, sizeof(data) - 1, imprint, NULL, EVP_sha256(),
	    NULL);
	stamp.imprint = cursor_over(imprint, sizeof(imprint));
	stamp.servers = buf_cursor(&list);
	say(PROTOCOL_STAMP, tag, &stamp);
	buf_free(&list);
}

/* The next answer. */
static void
hear(struct msg *m, union protocol_body *body)
{
	struct ht_error e;

	if (protocol_wait(&keyd, m, body, 15000, &e) != 1)
		fail_msg("no answer: %s", e.text);
}

static void
expect_stamp(uint32_t tag, union protocol_body *body)
{
	struct msg m;

	hear(&m, body);
	if (m.type == PROTOCOL_STAMP_FAILED)
		fail_msg("%s", body->stamp_failed.text);
	assert_int_equal(m.type, PROTOCOL_STAMPED);
	assert_int_equal(m.tag, tag);
}

static void
expect_failure(uint32_t tag, union protocol_body *body, const char *says)
{
	struct msg m;

	hear(&m, body);
	assert_int_equal(m.type, PROTOCOL_STAMP_FAILED);
	assert_int_equal(m.tag, tag);
	if (strstr(body->stamp_failed.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", body->stamp_failed.text,
		    says);
}

/* --- the tests --------------------------------------------------------- */

static void
a_token_that_verifies(void **state)
{
	union protocol_body body;

	(void)state;
	ask(7, "good");
	expect_stamp(7, &body);
	assert_string_equal(body.stamped.server, "good");
	assert_int_equal(body.stamped.tries, 1);
	assert_true(body.stamped.time + 60 > (uint64_t)time(NULL));
	assert_true(strlen(body.stamped.serial) > 0);
	scratch_write("token", body.stamped.token.p, body.stamped.token.left);
	scratch_write("data", data, sizeof(data) - 1);
	assert_int_equal(RUN("openssl", "ts", "-verify", "-token_in", "-in",
	                     "token", "-data", "data", "-CAfile", "root.pem",
	                     "-untrusted", "issuer.pem"),
	    0);
}

/* What the kernel holds it to. */
static void
it_is_in_its_sandbox(void **state)
{
	struct buf status = BUF_INIT;
	char path[64];

	(void)state;
#ifdef HT_NO_SANDBOX
	skip();
#endif
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)fetch);
	scratch_read(path, &status);
	buf_u8(&status, 0);
	assert_non_null(strstr((char *)status.data, "Seccomp:\t2\n"));
	assert_non_null(strstr((char *)status.data, "NoNewPrivs:\t1\n"));
	buf_free(&status);
}

/* Each alone, sixteen at a time: the slowest takes ten seconds. */
/* Also from within the sandbox. */
static void
the_service_manager_is_told(void **state)
{
	static const char *const said[] = { "READY=1", "WATCHDOG=1" };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd in = { fd, POLLIN, 0 };
	char text[32];
	size_t i;

	(void)state;
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/notify",
	    folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)setenv("NOTIFY_SOCKET", un.sun_path, 1);
	(void)setenv("WATCHDOG_USEC", "200000", 1);
	end_fetch();
	start_fetch();
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	for (i = 0; i < 2; i++) {
		assert_int_equal(poll(&in, 1, 10000), 1);
		memset(text, 0, sizeof(text));
		assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
		assert_string_equal(text, said[i]);
	}
	(void)close(fd);
	end_fetch();
	start_fetch();
}

static void
every_fault(void **state)
{
	bool asked[SERVERS] = { false };
	union protocol_body body;
	uint64_t before = loop_now();
	size_t i, next = 0, under_way = 0, left = 0;
	struct msg m;

	(void)state;
	for (i = 0; i < SERVERS; i++)
		left += servers[i].says != NULL;
	while (left > 0) {
		for (; next < SERVERS && under_way < PROTOCOL_STAMPS; next++) {
			if (servers[next].says == NULL)
				continue;
			ask((uint32_t)next, servers[next].name);
			asked[next] = true;
			under_way++;
		}
		hear(&m, &body);
		under_way--;
		left--;
		assert_true(m.tag < SERVERS && asked[m.tag]);
		asked[m.tag] = false;
		if (m.type != PROTOCOL_STAMP_FAILED)
			fail_msg("%s has stamped", servers[m.tag].name);
		if (strstr(body.stamp_failed.text, servers[m.tag].says) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"",
			    servers[m.tag].name, body.stamp_failed.text,
			    servers[m.tag].says);
	}
	assert_true(loop_now() - before < 13000);
	/* 429, and it says nothing of when: longer than we can wait. */
	ask(97, "429");
	expect_failure(97, &body, "or rest");
	assert_int_equal(body.stamp_failed.tries, 1);
	/* From now on they cost nobody anything. */
	before = loop_now();
	ask(99, "hang slow 503 nonce");
	expect_failure(99, &body, "have failed lately");
	assert_int_equal(body.stamp_failed.tries, 0);
	ask(98, "hang good slow");
	expect_stamp(98, &body);
	assert_int_equal(body.stamped.tries, 1);
	assert_true(loop_now() - before < 2000);
}

static void
one_good_among_five(void **state)
{
	uint64_t before = loop_now();
	union protocol_body body;
	uint32_t i, tries = 0;

	(void)state;
	for (i = 0; i < 12; i++) {
		ask(i, "bad1 bad2 good bad3 bad4 bad5");
		expect_stamp(i, &body);
		assert_string_equal(body.stamped.server, "good");
		tries += body.stamped.tries;
	}
	/* Each of the bad ones has been asked once at most. */
	assert_true(tries <= 12 + 5);
	/* So none of them cost the patience that a server has. */
	assert_true(loop_now() - before < 10000);
}

static void
a_busy_one_is_waited_for(void **state)
{
	uint64_t before = loop_now();
	union protocol_body body;

	(void)state;
	ask(1, "busy-once");
	expect_stamp(1, &body);
	assert_int_equal(body.stamped.tries, 2);
	assert_true(loop_now() - before >= 1000);
	assert_true(loop_now() - before < 3000);
}

static void
intervals_are_kept(void **state)
{
	uint64_t before = loop_now();
	union protocol_body body;
	uint32_t i;
	struct msg m;

	(void)state;
	for (i = 0; i < 3; i++)
		ask(i, "paced");
	for (i = 0; i < 3; i++) {
		hear(&m, &body);
		assert_int_equal(m.type, PROTOCOL_STAMPED);
	}
	assert_true(loop_now() - before >= 2000);
	assert_true(loop_now() - before < 4000);
}

/* Many of one client wait for it, and then one of another. */
static void
one_client_does_not_keep_a_rare_server(void **state)
{
	static const uint32_t order[] = { 1, 7, 2, 3, 4 };
	union protocol_body body;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		place = (uint32_t)i;
		ask((uint32_t)i + 1, "paced");
	}
	place = 0;
	ask(7, "paced");
	for (i = 0; i < 5; i++)
		expect_stamp(order[i], &body);
}

static void
sixteen_at_a_time(void **state)
{
	uint64_t before = loop_now();
	union protocol_body body;
	struct msg m;
	uint32_t i;

	(void)state;
	for (i = 0; i <= PROTOCOL_STAMPS; i++)
		ask(i, "late");
	expect_failure(PROTOCOL_STAMPS, &body, "too many");
	for (i = 0; i < PROTOCOL_STAMPS; i++) {
		hear(&m, &body);
		assert_int_equal(m.type, PROTOCOL_STAMPED);
	}
	assert_true(loop_now() - before < 4000);
}

static void
cancelled_is_not_answered(void **state)
{
	union protocol_body body;

	(void)state;
	ask(1, "late");
	say(PROTOCOL_STAMP_CANCEL, 1, NULL);
	ask(2, "late");
	expect_stamp(2, &body);
	/* Nobody is meant. */
	say(PROTOCOL_STAMP_CANCEL, 1, NULL);
}

static void
names_are_looked_up(void **state)
{
	union protocol_body body;

	(void)state;
	ask(1, "named");
	expect_stamp(1, &body);
	ask(2, "unknown");
	expect_failure(2, &body, "unknown: ");
}

static void
nonsense_is_refused(void **state)
{
	struct protocol_stamp stamp = { .digest = "md5", .milliseconds = 1000 };
	struct buf list = BUF_INIT;
	union protocol_body body;

	(void)state;
	buf_text(&list, "good");
	stamp.servers = buf_cursor(&list);
	stamp.imprint = cursor_over("0123456789abcdef", 16);
	say(PROTOCOL_STAMP, 1, &stamp);
	expect_failure(1, &body, "no digest");
	ask(2, "nobody");
	expect_failure(2, &body, "no server to ask");
	ask(3, "");
	expect_failure(3, &body, "no server to ask");
	buf_free(&list);
}

/* A certificate that is over by now cannot be stamped any more. */
static void
validity_of_the_signer(void **state)
{
	struct protocol_stamp stamp = { .digest = "sha256",
		.not_after = 1000,
		.milliseconds = 5000 };
	uint8_t imprint[32] = { 1 };
	struct buf list = BUF_INIT;
	union protocol_body body;

	(void)state;
	buf_text(&list, "late");
	stamp.servers = buf_cursor(&list);
	stamp.imprint = cursor_over(imprint, sizeof(imprint));
	say(PROTOCOL_STAMP, 1, &stamp);
	expect_failure(1, &body, "signer's validity");
	buf_free(&list);
}

static void
comes_back_to_keyd(void **state)
{
	union protocol_body body;

	(void)state;
	ask(1, "paced");
	ask(2, "paced");
	protocol_close(&keyd);
	meet();
	/* Nothing of before; it is as if it were new, but knows its servers. */
	ask(3, "good");
	expect_stamp(3, &body);
	ask(4, "hang");
	expect_failure(4, &body, "lately");
}

static void
what_keyd_must_not_say(void **state)
{
	struct ht_error e;
	struct buf nothing = BUF_INIT;

	(void)state;
	assert_int_equal(
	    msg_queue(keyd.channel, PROTOCOL_STAMPED, 1, &nothing, NULL, 0, &e),
	    0);
	assert_int_equal(msg_drain(keyd.channel, 1000, &e), 0);
	protocol_close(&keyd);
	meet();
}

static void
by_way_of_a_proxy(void **state)
{
	union protocol_body body;
	char proxy[64];

	(void)state;
	end_fetch();
	(void)snprintf(proxy, sizeof(proxy), "proxy = \"http://127.0.0.1:%d\";",
	    port);
	write_conf(proxy);
	start_fetch();
	/* Only the proxy could know such a host. */
	ask(1, "unknown");
	expect_stamp(1, &body);
}

/* --- all --------------------------------------------------------------- */

static int
set_up(void **state)
{
	struct ht_error e;

	if (scratch_enter(state) != 0 || authenticode_init(&e) < 0 ||
	    getcwd(folder, sizeof(folder)) == NULL)
		return -1;
	/* Nothing of this is looked at. */
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1);
	(void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	make_authority();
	start_server();
	write_conf("");
	listening = run_listen(PROTOCOL_SOCKET_FETCH);
	start_fetch();
	return 0;
}

static int
tear_down(void **state)
{
	/* set_up may have failed, and 0 would be this process and its group. */
	if (fetch > 0)
		end_fetch();
	if (server > 0) {
		(void)kill(server, SIGKILL);
		(void)waitpid(server, NULL, 0);
	}
	(void)close(listening);
	tsa_clear(&tsa);
	return scratch_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_that_verifies),
		cmocka_unit_test(it_is_in_its_sandbox),
		cmocka_unit_test(the_service_manager_is_told),
		cmocka_unit_test(every_fault),
		cmocka_unit_test(one_good_among_five),
		cmocka_unit_test(a_busy_one_is_waited_for),
		cmocka_unit_test(intervals_are_kept),
		cmocka_unit_test(one_client_does_not_keep_a_rare_server),
		cmocka_unit_test(sixteen_at_a_time),
		cmocka_unit_test(cancelled_is_not_answered),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(comes_back_to_keyd),
		cmocka_unit_test(what_keyd_must_not_say),
		cmocka_unit_test(validity_of_the_signer),
		cmocka_unit_test(by_way_of_a_proxy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/base64.h"
#include "lib/proc.h"
#include "tests/endpoint.h"
#include "tests/scratch.h"

static char folder[PATH_MAX];
static pid_t keyd;

static const char configuration[] =
    "state = \"%s/state\";\n"
    "run = \"%s/run\";\n"
    "single_user = true;\n"
    "ssh: { listen = [ \"127.0.0.1:2222\" ]; host_keys = [ \"%s/host\" ];\n"
    "  user_ca = \"%s/user_ca\"; admin_ca = \"%s/admin_ca.pub\"; };\n"
    "tokens = ( { name = \"file\"; file = \"%s/key.pem\"; } );\n"
    "certificates = ( { name = \"test\"; token = \"file\";\n"
    "  chain = \"%s/chain.pem\"; } );\n"
    "profiles = ( { name = \"test\"; certificates = [ \"test\" ];\n"
    "    text = \"for tests\"; max_queue = 3; max_size = 1000000; },\n"
    "  { name = \"other\"; certificates = [ \"test\" ]; },\n"
    "  { name = \"away\"; certificates = [ \"test\" ];\n"
    "    doors = [ \"sshd-sign\" ]; } );\n";

void
endpoint_make(void)
{
	char text[8192];
	int n;

	assert_non_null(getcwd(folder, sizeof(folder)));
	assert_int_equal(RUN("openssl", "req", "-x509", "-newkey", "ec",
			     "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
			     "-keyout", "key.pem", "-out", "chain.pem",
			     "-days", "2", "-subj", "/CN=Test signer", "-addext",
			     "extendedKeyUsage=codeSigning", "-addext",
			     "keyUsage=critical,digitalSignature"),
	    0);
	assert_int_equal(RUN("ssh-keygen", "-q", "-t", "ed25519", "-N", "",
			     "-C", "", "-f", "user_ca"),
	    0);
	assert_int_equal(RUN("ssh-keygen", "-q", "-t", "ed25519", "-N", "",
			     "-C", "", "-f", "admin_ca"),
	    0);
	n = snprintf(text, sizeof(text), configuration, folder, folder, folder,
	    folder, folder, folder, folder);
	assert_true(n > 0 && (size_t)n < sizeof(text));
	scratch_write("htsign.conf", text, (size_t)n);
}

static void
short_sleep(void)
{
	struct timespec t = { 0, 10000000 };

	(void)nanosleep(&t, NULL);
}

static int
try_admin(struct agent *a, struct ht_error *e)
{
	char path[PATH_MAX + 32];
	struct protocol_welcome welcome;
	struct protocol_hello hello;
	struct buf profiles = BUF_INIT;
	int rc;

	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	(void)snprintf(hello.door, sizeof(hello.door), "%s",
	    PROTOCOL_DOOR_LOCAL);
	(void)snprintf(path, sizeof(path), "%s/run/admin.sock", folder);
	rc = agent_connect(a, path, PROTOCOL_LINK_ADMIN, e);
	if (rc < 0)
		return rc;
	rc = agent_greet(a, &hello, &welcome, &profiles, e);
	buf_free(&profiles);
	if (rc < 0)
		agent_close(a);
	return rc;
}

/* Connect to keyd as an administrator, waiting until it takes connections. */
static void
connect_admin(struct agent *a)
{
	struct ht_error e;
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (try_admin(a, &e) == 0)
			return;
		short_sleep();
	}
	fail_msg("keyd does not start: %s", e.text);
}

void
endpoint_start(void)
{
	struct agent a;
	char conf[PATH_MAX + 32];
	int log;

	(void)snprintf(conf, sizeof(conf), "%s/htsign.conf", folder);
	keyd = fork();
	assert_true(keyd >= 0);
	if (keyd == 0) {
		log = creat("keyd.log", 0600);
		(void)dup2(log, 2);
		(void)execl(HT_BUILDDIR "/keys/htsign-keyd", "htsign-keyd",
		    "-c", conf, (char *)NULL);
		_exit(127);
	}
	connect_admin(&a);
	agent_close(&a);
}

int
endpoint_stop(int signal)
{
	int status;

	(void)kill(keyd, signal);
	assert_int_equal(waitpid(keyd, &status, 0), keyd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
endpoint_signal(int signal)
{
	int i;

	(void)kill(keyd, signal);
	for (i = 0; i < 20; i++)
		short_sleep();
}

static int
collect(void *cookie, struct cursor bytes, struct ht_error *e)
{
	(void)e;
	if (cookie != NULL)
		buf_bytes(cookie, bytes.p, bytes.left);
	return 0;
}

int
endpoint_admin(const char *command, const char *input, struct buf *out)
{
	struct buf words = BUF_INIT;
	struct protocol_done done;
	char word[256];
	struct ht_error e;
	struct agent a;
	int used;

	while (sscanf(command, "%255s%n", word, &used) == 1) {
		buf_text(&words, word);
		command += used;
	}
	connect_admin(&a);
	if (agent_command(&a, &words,
		cursor_over(input, input == NULL ? 0 : strlen(input)), collect,
		out, &done, &e) < 0)
		fail_msg("%s", e.text);
	agent_close(&a);
	buf_free(&words);
	return (int)done.status;
}

void
endpoint_certificate(const char *client, const char *options, struct buf *blob)
{
	struct buf key = BUF_INIT, line = BUF_INIT;
	char command[256];
	const char *space;

	(void)unlink("id");
	(void)unlink("id.pub");
	assert_int_equal(RUN("ssh-keygen", "-q", "-t", "ed25519", "-N", "",
			     "-C", "", "-f", "id"),
	    0);
	scratch_read("id.pub", &key);
	buf_u8(&key, 0);
	(void)snprintf(command, sizeof(command), "issue %s %s", client,
	    options);
	assert_int_equal(
	    endpoint_admin(command, (const char *)key.data, &line), 0);
	buf_u8(&line, 0);
	space = strchr((const char *)line.data, ' ');
	assert_non_null(space);
	assert_int_equal(base64_decode(cursor_over(space + 1,
					   strcspn(space + 1, " \n")),
			     BASE64_STANDARD, blob),
	    0);
	buf_free(&key);
	buf_free(&line);
}

int
endpoint_ticket(const struct buf *blob, char ticket[PROTOCOL_TICKET])
{
	union protocol_body body;
	struct protocol_ask ask;
	struct ht_error e;
	struct agent a;
	struct msg m;
	char path[PATH_MAX + 32];

	memset(&ask, 0, sizeof(ask));
	(void)snprintf(ask.user, sizeof(ask.user), "sign");
	ask.certificate = buf_cursor(blob);
	(void)snprintf(path, sizeof(path), "%s/run/principals.sock", folder);
	assert_int_equal(
	    agent_connect(&a, path, PROTOCOL_LINK_PRINCIPALS, &e), 0);
	assert_int_equal(
	    protocol_send(&a.link, PROTOCOL_ASK, 1, &ask, NULL, 0, &e), 0);
	assert_int_equal(protocol_wait(&a.link, &m, &body, 5000, &e), 1);
	if (m.type == PROTOCOL_TICKET_FOR)
		memcpy(ticket, body.ticket_for.ticket, PROTOCOL_TICKET);
	agent_close(&a);
	return m.type == PROTOCOL_TICKET_FOR ? 0 : -1;
}

int
endpoint_greet(struct agent *a, const struct buf *blob, const char *ticket,
    struct ht_error *e)
{
	struct protocol_welcome welcome;
	struct protocol_hello hello;
	struct buf profiles = BUF_INIT;
	char path[PATH_MAX + 32];
	int rc;

	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	(void)snprintf(hello.door, sizeof(hello.door), "%s",
	    PROTOCOL_DOOR_OPENSSH);
	(void)snprintf(hello.ticket, sizeof(hello.ticket), "%s", ticket);
	(void)snprintf(hello.peer, sizeof(hello.peer), "192.0.2.7");
	hello.certificate = buf_cursor(blob);
	(void)snprintf(path, sizeof(path), "%s/run/agent.sock", folder);
	assert_int_equal(agent_connect(a, path, PROTOCOL_LINK_SIGN, e), 0);
	rc = agent_greet(a, &hello, &welcome, &profiles, e);
	buf_free(&profiles);
	return rc;
}

void
endpoint_connect(struct agent *a)
{
	struct buf blob = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;

	endpoint_certificate("ci", "", &blob);
	assert_int_equal(endpoint_ticket(&blob, ticket), 0);
	assert_int_equal(endpoint_greet(a, &blob, ticket, &e), 0);
	buf_free(&blob);
}

bool
endpoint_last_row_holds(const char *text)
{
	struct buf out = BUF_INIT;
	bool holds;

	assert_int_equal(endpoint_admin("log --json --limit=1", NULL, &out),
	    0);
	buf_u8(&out, 0);
	holds = strstr((const char *)out.data, text) != NULL;
	if (!holds)
		print_message("%s", (const char *)out.data);
	buf_free(&out);
	return holds;
}

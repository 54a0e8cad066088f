#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base64.h"
#include "lib/proc.h"
#include "signature/spc.h"
#include "tests/support/builddir.h"
#include "tests/support/endpoint.h"
#include "tests/support/scratch.h"

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
    "    doors = [ \"sshd-sign\" ]; },\n"
    "  { name = \"keeper\"; certificates = [ \"test\" ];\n"
    "    existing = \"keep\"; max_size = 1000000; },\n"
    "  { name = \"cabinets\"; certificates = [ \"test\" ];\n"
    "    formats = [ \"cab\", \"cat\" ]; max_ctl = \"64K\"; } );\n";

void
endpoint_make(void)
{
	char text[8192];
	int n;

	assert_non_null(getcwd(folder, sizeof(folder)));
	assert_int_equal(RUN("openssl", "req", "-x509", "-newkey", "ec",
	                     "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
	                     "-keyout", "key.pem", "-out", "chain.pem", "-days",
	                     "2", "-subj", "/CN=Test signer", "-addext",
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

void
endpoint_pause(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

static int
try_admin(struct keyd_client *a, struct ht_error *e)
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
	rc = keyd_client_connect(a, path, PROTOCOL_LINK_ADMIN, e);
	if (rc < 0)
		return rc;
	rc = keyd_client_greet(a, &hello, &welcome, &profiles, e);
	buf_free(&profiles);
	if (rc < 0)
		keyd_client_close(a);
	return rc;
}

void
endpoint_connect_local(struct keyd_client *a)
{
	struct ht_error e;
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (try_admin(a, &e) == 0)
			return;
		endpoint_pause(10);
	}
	fail_msg("keyd does not start: %s", e.text);
}

/* The service manager's socket, by a name of its own. */
static int
open_manager(char name[64])
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n;

	assert_true(fd >= 0);
	n = snprintf(name, 64, "@htsign-test/manager/%d", (int)getpid());
	memcpy(un.sun_path + 1, name + 1, (size_t)n - 1);
	n += (int)offsetof(struct sockaddr_un, sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, (socklen_t)n), 0);
	return fd;
}

/* keyd says that it is ready, and is. */
static void
expect_ready(int manager)
{
	struct pollfd p = { manager, POLLIN, 0 };
	char text[16] = "";
	struct ht_error e;
	struct keyd_client a;

	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(recv(manager, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "READY=1");
	assert_int_equal(try_admin(&a, &e), 0);
	keyd_client_close(&a);
}

void
endpoint_start(void)
{
	char conf[PATH_MAX + 32], name[64];
	int log, manager;

	(void)snprintf(conf, sizeof(conf), "%s/htsign.conf", folder);
	manager = open_manager(name);
	keyd = fork();
	assert_true(keyd >= 0);
	if (keyd == 0) {
		log = creat("keyd.log", 0600);
		(void)dup2(log, 2);
		(void)setenv("NOTIFY_SOCKET", name, 1);
		(void)execl(HT_BUILDDIR "/keys/keyd/htsign-keyd", "htsign-keyd",
		    "-c", conf, (char *)NULL);
		_exit(127);
	}
	expect_ready(manager);
	(void)close(manager);
}

int
endpoint_stop(int signal)
{
	int status;

	/* A setup that failed starts none, and 0 would be ourselves. */
	assert_true(keyd > 0);
	(void)kill(keyd, signal);
	assert_int_equal(waitpid(keyd, &status, 0), keyd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
endpoint_signal(int signal)
{
	(void)kill(keyd, signal);
	endpoint_pause(200);
}

void
endpoint_reload(const struct buf *text)
{
	scratch_write("htsign.conf.new", text->data, text->len);
	assert_int_equal(rename("htsign.conf.new", "htsign.conf"), 0);
	endpoint_signal(SIGHUP);
}

/* The name of a process, and the letter of its state; see proc(5). */
static char
look_up(int pid, char name[32])
{
	char path[64], state = '?';
	FILE *f;

	name[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return state;
	if (fscanf(f, "%*d (%31[^)]) %c", name, &state) != 2)
		name[0] = '\0';
	(void)fclose(f);
	return state;
}

/* The process of that name that keyd's parent has started, or 0. */
static int
find_child(const char *name)
{
	char path[64], seen[32];
	int pid, found = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)keyd, (int)keyd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fscanf(f, "%d", &pid) == 1) {
		(void)look_up(pid, seen);
		if (strcmp(seen, name) == 0)
			found = pid;
	}
	(void)fclose(f);
	return found;
}

bool
endpoint_signal_worker(int signal)
{
	int pid = find_child("htsign-token");

	return pid > 0 && kill(pid, signal) == 0;
}

static void
copy(const char *from, const char *to)
{
	struct buf bytes = BUF_INIT;

	scratch_read(from, &bytes);
	scratch_write(to, bytes.data, bytes.len);
	buf_free(&bytes);
}

void
endpoint_copy_journal(const char *name)
{
	int pid = find_child("htsign-keyd");
	char wal[64], seen[32];

	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	while (look_up(pid, seen) != 'T')
		endpoint_pause(1);
	(void)snprintf(wal, sizeof(wal), "%s-wal", name);
	copy("state/journal.db", name);
	copy("state/journal.db-wal", wal);
	assert_int_equal(kill(pid, SIGCONT), 0);
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
	struct keyd_client a;
	int used;

	while (sscanf(command, "%255s%n", word, &used) == 1) {
		buf_text(&words, word);
		command += used;
	}
	endpoint_connect_local(&a);
	if (keyd_client_command(&a, &words,
	        cursor_over(input, input == NULL ? 0 : strlen(input)), collect,
	        out, &done, &e) < 0)
		fail_msg("%s", e.text);
	keyd_client_close(&a);
	buf_free(&words);
	return (int)done.status;
}

static void
new_key(void)
{
	(void)unlink("id");
	(void)unlink("id.pub");
	assert_int_equal(RUN("ssh-keygen", "-q", "-t", "ed25519", "-N", "",
	                     "-C", "", "-f", "id"),
	    0);
}

/* The blob in a line of a public key or certificate. */
static void
take_blob(struct buf *line, struct buf *blob)
{
	const char *space;

	buf_u8(line, 0);
	space = strchr((const char *)line->data, ' ');
	assert_non_null(space);
	assert_int_equal(
	    base64_decode(cursor_over(space + 1, strcspn(space + 1, " \n")),
	        BASE64_STANDARD, blob),
	    0);
}

void
endpoint_certificate(const char *client, const char *options, struct buf *blob)
{
	struct buf key = BUF_INIT, line = BUF_INIT;
	char command[256];

	new_key();
	scratch_read("id.pub", &key);
	buf_u8(&key, 0);
	(void)snprintf(command, sizeof(command), "issue %s %s", client,
	    options);
	assert_int_equal(endpoint_admin(command, (const char *)key.data, &line),
	    0);
	take_blob(&line, blob);
	buf_free(&key);
	buf_free(&line);
}

static int
ticket_for(const char *user, const struct buf *blob,
    char ticket[PROTOCOL_TICKET])
{
	union protocol_body body;
	struct protocol_ask ask;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;
	char path[PATH_MAX + 32];

	memset(&ask, 0, sizeof(ask));
	(void)snprintf(ask.user, sizeof(ask.user), "%s", user);
	ask.certificate = buf_cursor(blob);
	(void)snprintf(path, sizeof(path), "%s/run/principals.sock", folder);
	assert_int_equal(
	    keyd_client_connect(&a, path, PROTOCOL_LINK_PRINCIPALS, &e), 0);
	assert_int_equal(
	    protocol_send(&a.link, PROTOCOL_ASK, 1, &ask, NULL, 0, &e), 0);
	assert_int_equal(protocol_wait(&a.link, &m, &body, 5000, &e), 1);
	if (m.type == PROTOCOL_TICKET_FOR)
		memcpy(ticket, body.ticket_for.ticket, PROTOCOL_TICKET);
	keyd_client_close(&a);
	return m.type == PROTOCOL_TICKET_FOR ? 0 : -1;
}

int
endpoint_ticket(const struct buf *blob, char ticket[PROTOCOL_TICKET])
{
	return ticket_for("sign", blob, ticket);
}

static int
greet(struct keyd_client *a, enum protocol_kind kind, const struct buf *blob,
    const char *ticket, struct ht_error *e)
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
	(void)snprintf(path, sizeof(path), "%s/run/%s", folder,
	    kind == PROTOCOL_LINK_ADMIN ? PROTOCOL_SOCKET_ADMIN
	                                : PROTOCOL_SOCKET_SIGN);
	assert_int_equal(keyd_client_connect(a, path, kind, e), 0);
	rc = keyd_client_greet(a, &hello, &welcome, &profiles, e);
	buf_free(&profiles);
	return rc;
}

int
endpoint_greet(struct keyd_client *a, const struct buf *blob,
    const char *ticket, struct ht_error *e)
{
	return greet(a, PROTOCOL_LINK_SIGN, blob, ticket, e);
}

void
endpoint_connect(struct keyd_client *a)
{
	struct buf blob = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;

	endpoint_certificate("ci", "", &blob);
	assert_int_equal(endpoint_ticket(&blob, ticket), 0);
	assert_int_equal(endpoint_greet(a, &blob, ticket, &e), 0);
	buf_free(&blob);
}

void
endpoint_content(struct buf *der)
{
	struct spc_digest digest = { "sha256", { 1, 2, 3 }, 32 };
	struct ht_error e;

	assert_int_equal(spc_encode("pe", &digest, der, &e), 0);
}

int
endpoint_begin(struct keyd_client *a, const char *profile, struct ht_error *e)
{
	struct protocol_begin begin;
	struct protocol_go go;
	int spool, rc;

	memset(&begin, 0, sizeof(begin));
	begin.size = PROTOCOL_SIZE_UNKNOWN;
	(void)snprintf(begin.profile, sizeof(begin.profile), "%s", profile);
	(void)snprintf(begin.description, sizeof(begin.description), "My App");
	rc = keyd_client_begin(a, &begin, &go, &spool, e);
	if (rc == 0) {
		assert_true(spool >= 0);
		assert_int_equal(write(spool, "x", 1), 1);
		(void)close(spool);
	}
	return rc;
}

int
endpoint_sign(struct keyd_client *a, struct cursor der, struct buf *pkcs7,
    struct ht_error *e)
{
	static const uint8_t sha256[32];
	struct protocol_content content;
	struct protocol_signed said;

	memset(&content, 0, sizeof(content));
	content.kind = PROTOCOL_KIND_SPC;
	(void)snprintf(content.format, sizeof(content.format), "pe");
	content.size = 1024;
	content.sha256 = cursor_over(sha256, sizeof(sha256));
	return keyd_client_content(a, &content, der, pkcs7, &said, e);
}

void
endpoint_say(struct keyd_client *a, enum protocol_type type, const void *body)
{
	struct ht_error e;

	assert_int_equal(protocol_send(&a->link, type, 1, body, NULL, 0, &e),
	    0);
}

void
endpoint_await_end(struct keyd_client *a)
{
	struct ht_error e;
	struct msg m;
	int rc;

	while ((rc = msg_wait(a->link.channel, &m, 20000, &e)) == 1)
		msg_close_fds(&m);
	assert_int_equal(rc, HT_ERR_UNAVAILABLE);
	assert_null(strstr(e.text, "in time"));
	keyd_client_close(a);
}

void
endpoint_role_certificate(const char *role, struct buf *blob)
{
	struct buf line = BUF_INIT;
	char principal[64];

	new_key();
	(void)snprintf(principal, sizeof(principal), "role:%s", role);
	assert_int_equal(RUN("ssh-keygen", "-q", "-s", "admin_ca", "-I",
	                     "ann/7", "-z", "7", "-n", principal, "-V", "+1h",
	                     "id.pub"),
	    0);
	scratch_read("id-cert.pub", &line);
	take_blob(&line, blob);
	buf_free(&line);
}

void
endpoint_connect_role(struct keyd_client *a, const char *role)
{
	struct buf blob = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;

	endpoint_role_certificate(role, &blob);
	assert_int_equal(ticket_for("admin", &blob, ticket), 0);
	assert_int_equal(greet(a, PROTOCOL_LINK_ADMIN, &blob, ticket, &e), 0);
	buf_free(&blob);
}

bool
endpoint_prints(const char *command, const char *text)
{
	struct buf out = BUF_INIT;
	bool holds;

	assert_int_equal(endpoint_admin(command, NULL, &out), 0);
	buf_u8(&out, 0);
	holds = strstr((const char *)out.data, text) != NULL;
	if (!holds)
		print_message("%s", (const char *)out.data);
	buf_free(&out);
	return holds;
}

bool
endpoint_last_row_holds(const char *text)
{
	struct buf out = BUF_INIT;
	bool holds;

	assert_int_equal(endpoint_admin("log --json --limit=1", NULL, &out), 0);
	buf_u8(&out, 0);
	holds = strstr((const char *)out.data, text) != NULL;
	if (!holds)
		print_message("%s", (const char *)out.data);
	buf_free(&out);
	return holds;
}

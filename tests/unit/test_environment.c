/*
 * How htsign-shell learns who started it, and what the server says about the
 * session.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "htsign-shell/environment.h"
#include "htsign-shell/invocation.h"
#include "tests/support/no_memory.h"

#define SELF "/usr/libexec/htsign/htsign-shell"
#define ARGUMENTS 8

/* --- the command line ---------------------------------------------------- */

static int
invoke_as(const char *self, const char *const *arguments, struct invocation *v)
{
	char *argv[ARGUMENTS + 2] = { NULL };
	struct ht_error e;
	int argc = 1;

	/* The parser takes what main takes, and changes nothing. */
	argv[0] = (char *)(uintptr_t) "-any";
	for (; arguments[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
	return invocation_parse(argc, argv, self, v, &e);
}

static int
invoke(const char *const *arguments, struct invocation *v)
{
	return invoke_as(SELF, arguments, v);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
from_sshd_sign(void **state)
{
	struct invocation v;

	(void)state;
	assert_int_equal(invoke(ARGS("--session", "3", "--keyd", "4"), &v), 0);
	assert_string_equal(v.door, "sshd-sign");
	assert_int_equal(v.session, 3);
	assert_int_equal(v.keyd, 4);
	assert_false(v.admin);
	assert_int_equal(
	    invoke(ARGS("--session", "3", "--keyd", "4", "--admin"), &v), 0);
	assert_true(v.admin);
}

static void
from_openssh(void **state)
{
	struct invocation v;

	(void)state;
	assert_int_equal(invoke(ARGS("-c", SELF " --ticket abc"), &v), 0);
	assert_string_equal(v.door, "openssh");
	assert_string_equal(v.ticket, "abc");
	assert_string_equal(v.rundir, INVOCATION_RUNDIR);
	assert_null(v.command);
	invocation_free(&v);

	assert_int_equal(
	    invoke(ARGS("-c", SELF " --admin -r '/tmp/a b' --ticket abc"), &v),
	    0);
	assert_true(v.admin);
	assert_string_equal(v.rundir, "/tmp/a b");
	invocation_free(&v);

	assert_int_equal(invoke(ARGS("-r", "/x", "--ticket", "abc"), &v), 0);
	assert_string_equal(v.door, "openssh");
	assert_string_equal(v.rundir, "/x");
}

static void
from_the_machine(void **state)
{
	struct invocation v;

	(void)state;
	assert_int_equal(invoke(ARGS("--admin", "-c", "client add ci"), &v), 0);
	assert_string_equal(v.door, "local");
	assert_string_equal(v.command, "client add ci");
	assert_true(v.admin);
	assert_int_equal(invoke(ARGS("--admin", "-r", "/x"), &v), 0);
	assert_null(v.command);
}

#define ADMIN "/usr/sbin/htsign-admin"

/* htsign-admin is told what to do in words, unless there is a ticket. */
static void
as_htsign_admin(void **state)
{
	struct invocation v;

	(void)state;
	assert_int_equal(
	    invoke_as(ADMIN, ARGS("-r", "/x", "client", "add  ci"), &v), 0);
	assert_string_equal(v.door, "local");
	assert_string_equal(v.command, "client add  ci");
	assert_string_equal(v.rundir, "/x");
	invocation_free(&v);
	assert_int_equal(invoke_as(ADMIN, ARGS(NULL), &v), 0);
	assert_string_equal(v.door, "local");
	assert_true(v.admin);
	assert_null(v.command);
	invocation_free(&v);
	assert_int_equal(
	    invoke_as(ADMIN, ARGS("-c", ADMIN " -r /x --ticket abc"), &v), 0);
	assert_string_equal(v.door, "openssh");
	assert_string_equal(v.ticket, "abc");
	assert_true(v.admin);
	assert_null(v.command);
	invocation_free(&v);
	assert_int_equal(
	    invoke_as(ADMIN, ARGS("-r", "/x", "--ticket", "abc"), &v), 0);
	assert_string_equal(v.door, "openssh");
	invocation_free(&v);
	assert_int_equal(invoke_as(ADMIN, ARGS("-c", ADMIN " log"), &v),
	    HT_ERR_DENIED);
	assert_int_equal(invoke_as(ADMIN, ARGS("-c", SELF " --ticket a"), &v),
	    HT_ERR_DENIED);
	assert_int_equal(invoke_as(ADMIN, ARGS("--ticket", "a", "log"), &v),
	    HT_ERR_USAGE);
}

/* As a login shell it runs nothing but itself, and never without a ticket. */
static void
login_shell_refuses(void **state)
{
	static const char *const commands[] = {
		"",
		"id",
		SELF,
		SELF " --admin",
		SELF " -r /x",
		SELF " --ticket",
		SELF "x --ticket abc",
		"/tmp/htsign-shell --ticket abc",
		"htsign-shell --ticket abc",
		SELF " --ticket abc; id",
		SELF " --ticket abc && id",
		SELF " --ticket abc -c id",
		SELF " --ticket abc id",
		SELF " --ticket abc --session 3 --keyd 4",
		SELF " --session 3 --keyd 4",
		SELF " --ticket 'abc",
		"-c " SELF " --ticket abc",
	};
	struct invocation v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (invoke(ARGS("-c", commands[i]), &v) >= 0)
			fail_msg("%s was taken", commands[i]);
		assert_null(v.words.text);
	}
	assert_int_equal(invoke(ARGS("-c", "id"), &v), HT_ERR_DENIED);
	assert_int_equal(invoke(ARGS(NULL), &v), HT_ERR_DENIED);
}

static void
wrong_arguments(void **state)
{
	struct invocation v;

	(void)state;
	assert_int_equal(invoke(ARGS("--session", "3"), &v), HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--keyd", "4"), &v), HT_ERR_USAGE);
	assert_int_equal(
	    invoke(ARGS("--session", "3", "--keyd", "4", "--ticket", "x"), &v),
	    HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--session", "0", "--keyd", "4"), &v),
	    HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--session", "3x", "--keyd", "4"), &v),
	    HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--session", "", "--keyd", "4"), &v),
	    HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--nosuch", "x"), &v), HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--ticket"), &v), HT_ERR_USAGE);
	assert_int_equal(invoke(ARGS("--ticket", "x", "-c", "id"), &v),
	    HT_ERR_DENIED);
}

/* --- the session --------------------------------------------------------- */

/* An open pipe that holds the bytes of b, at its end. */
static int
pipe_of(const struct buf *b)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(fcntl(fd[1], F_SETPIPE_SZ, 1 << 17) > 0, 1);
	assert_int_equal(write(fd[1], b->data, b->len), (ssize_t)b->len);
	(void)close(fd[1]);
	return fd[0];
}

static int
read_blob(const char *const *pairs, struct environment *s)
{
	struct protocol_session_blob blob;
	struct buf environment = BUF_INIT;
	struct buf bytes = BUF_INIT;
	struct environment_source source = { -1, -1 };
	struct ht_error e;
	size_t i;
	int rc;

	memset(&blob, 0, sizeof(blob));
	for (i = 0; pairs[i] != NULL; i++)
		buf_text(&environment, pairs[i]);
	blob.environment = buf_cursor(&environment);
	protocol_session_put(&bytes, &blob);
	source.blob = pipe_of(&bytes);
	rc = environment_read(&source, s, &e);
	assert_int_equal(source.blob, -1);
	buf_free(&environment);
	buf_free(&bytes);
	return rc;
}

static void
blob_holds_the_environment(void **state)
{
	struct environment s;

	(void)state;
	/* What this process has around it does not count at that door. */
	assert_int_equal(setenv("HTSIGN_URL", "http://ours/", 1), 0);
	assert_int_equal(
	    read_blob(ARGS("PATH=/bin", "SSH_ORIGINAL_COMMAND=p a=b",
	                  "SSH_CONNECTION=::1 1 ::2 22",
	                  "HTSIGN_DESCRIPTION=", "HTSIGN_NAME=first",
	                  "HTSIGN_NAME=last", "HTSIGN_NAMES=x"),
	        &s),
	    0);
	assert_string_equal(s.command, "p a=b");
	assert_string_equal(s.description, "");
	assert_string_equal(s.name, "last");
	assert_string_equal(s.connection, "::1 1 ::2 22");
	assert_null(s.url);
	environment_free(&s);
	assert_int_equal(unsetenv("HTSIGN_URL"), 0);

	assert_int_equal(read_blob(ARGS(NULL), &s), 0);
	assert_null(s.command);
	environment_free(&s);
}

static void
malformed_blobs(void **state)
{
	static const uint8_t nul[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0,
		0, 0, 20, 'H', 'T', 'S', 'I', 'G', 'N', '_', 'N', 'A', 'M', 'E',
		'=', 'a', 0, 'b', 'c', 'd', 'e', 'f', 'g' };
	struct environment_source source = { -1, -1 };
	struct buf bytes = BUF_INIT;
	struct environment s;
	struct ht_error e;
	size_t n;

	(void)state;
	assert_int_equal(read_blob(ARGS("NOVALUE"), &s), HT_ERR_USAGE);
	environment_free(&s);
	/* A NUL in a value, and every truncation of that blob. */
	for (n = 0; n <= sizeof(nul); n++) {
		buf_bytes(&bytes, nul, n);
		source.blob = pipe_of(&bytes);
		assert_int_equal(environment_read(&source, &s, &e),
		    HT_ERR_USAGE);
		environment_free(&s);
		buf_reset(&bytes);
	}
	buf_zeros(&bytes, PROTOCOL_SESSION_MAX + 1);
	source.blob = pipe_of(&bytes);
	assert_int_equal(environment_read(&source, &s, &e), HT_ERR_USAGE);
	environment_free(&s);
	buf_free(&bytes);
}

static void
environment_of_sshd(void **state)
{
	static const char record[] =
	    "password x\n"
	    "publickey ssh-ed25519 AAAA\n"
	    "publickey ssh-ed25519-cert-v01@openssh.com Zm9vYg==\n"
	    "publickey ssh-rsa-cert-v01@openssh.com Zm9v\n";
	struct environment_source source = { -1, -1 };
	struct protocol_hello hello;
	struct buf file = BUF_INIT;
	struct environment s;
	struct ht_error e;

	(void)state;
	assert_int_equal(setenv("SSH_ORIGINAL_COMMAND", "p x", 1), 0);
	assert_int_equal(
	    setenv("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22", 1), 0);
	buf_bytes(&file, record, sizeof(record) - 1);
	source.user_auth = pipe_of(&file);
	assert_int_equal(environment_read(&source, &s, &e), 0);
	assert_string_equal(s.command, "p x");
	memset(&hello, 0, sizeof(hello));
	environment_hello(&s, &hello);
	assert_string_equal(hello.peer, "192.0.2.1");
	assert_string_equal(hello.local, "192.0.2.2");
	assert_true(cursor_is(hello.certificate, "foob"));
	environment_free(&s);
	buf_free(&file);
	assert_int_equal(unsetenv("SSH_ORIGINAL_COMMAND"), 0);
	assert_int_equal(unsetenv("SSH_CONNECTION"), 0);
}

static int
certificate_of(const char *record, struct buf *out)
{
	struct ht_error e;

	return environment_certificate(record, strlen(record), out, &e);
}

static void
records_of_logins(void **state)
{
	static const char *const none[] = { "", "\n\n", "publickey",
		"publickey ", "publickey ssh-ed25519 AAAA",
		"-cert-v01@openssh.com Zm9v",
		"publickey -cert-v01@openssh.com Zm9v",
		"publickeys x-cert-v01@openssh.com Zm9v",
		"publickey x-cert-v01@openssh.comx Zm9v" };
	struct buf out = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(certificate_of(none[i], &out), 0);
		assert_int_equal(out.len, 0);
	}
	assert_int_equal(
	    certificate_of("publickey x-cert-v01@openssh.com Zm9v", &out), 0);
	assert_true(cursor_is(buf_cursor(&out), "foo"));
	assert_int_equal(
	    certificate_of("publickey x-cert-v01@openssh.com Zm9", &out),
	    HT_ERR_USAGE);
	assert_int_equal(
	    certificate_of("publickey x-cert-v01@openssh.com Zm9v x\n", &out),
	    HT_ERR_USAGE);
	buf_free(&out);
}

/* Want of memory is not the client's fault. */
static void
without_memory_nothing_is_malformed(void **state)
{
	static const char record[] = "publickey x-cert-v01@openssh.com Zm9v";
	struct environment_source source = { -1, -1 };
	struct protocol_session_blob blob = { "", { NULL, 0 }, { NULL, 0 } };
	struct buf out = BUF_INIT, environment = BUF_INIT, bytes = BUF_INIT;
	struct environment s;
	struct ht_error e;
	unsigned int n;
	int rc;

	(void)state;
	no_memory_at(1);
	assert_int_equal(certificate_of(record, &out), HT_ERR_INTERNAL);
	no_memory_at(0);
	buf_free(&out);
	buf_text(&environment, "HTSIGN_NAME=x");
	blob.environment = buf_cursor(&environment);
	protocol_session_put(&bytes, &blob);
	for (n = 1;; n++) {
		source.blob = pipe_of(&bytes);
		no_memory_at(n);
		rc = environment_read(&source, &s, &e);
		environment_free(&s);
		if (!no_memory_met())
			break;
		assert_int_equal(rc, HT_ERR_INTERNAL);
	}
	no_memory_at(0);
	assert_int_equal(rc, 0);
	assert_true(n > 2);
	buf_free(&environment);
	buf_free(&bytes);
}

static void
odd_addresses(void **state)
{
	static const char *const odd[] = {
		"",
		" ",
		"   ",
		"01234567890123456789012345678901234567890123456789012345678901"
		"23"
		" 1 x",
	};
	struct protocol_hello hello;
	struct environment s;
	size_t i;

	(void)state;
	memset(&s, 0, sizeof(s));
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		memset(&hello, 0, sizeof(hello));
		s.connection = (char *)(uintptr_t)odd[i];
		environment_hello(&s, &hello);
		assert_string_equal(hello.peer, "");
	}
	assert_string_equal(hello.local, "x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_sshd_sign),
		cmocka_unit_test(from_openssh),
		cmocka_unit_test(from_the_machine),
		cmocka_unit_test(as_htsign_admin),
		cmocka_unit_test(login_shell_refuses),
		cmocka_unit_test(wrong_arguments),
		cmocka_unit_test(blob_holds_the_environment),
		cmocka_unit_test(malformed_blobs),
		cmocka_unit_test(environment_of_sshd),
		cmocka_unit_test(records_of_logins),
		cmocka_unit_test(without_memory_nothing_is_malformed),
		cmocka_unit_test(odd_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

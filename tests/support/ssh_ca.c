#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keys/sshcert/sshkey-format.h"
#include "lib/base64.h"
#include "tests/support/scratch.h"
#include "tests/support/ssh_ca.h"

struct ssh_ca_user ssh_ca_users[SSH_CA_USERS] = {
	{ "ed25519", "ed25519", "256", NULL },
	{ "p256", "ecdsa", "256", NULL },
	{ "p384", "ecdsa", "384", NULL },
	{ "p521", "ecdsa", "521", NULL },
	{ "rsa", "rsa", "2048", NULL },
	{ "sk", NULL, NULL, NULL },
};

struct ssh_ca ssh_cas[SSH_CA_COUNT] = {
	{ "ca-ed25519", "ed25519", "256", NULL, NULL },
	{ "ca-p256", "ecdsa", "256", NULL, NULL },
	{ "ca-p384", "ecdsa", "384", NULL, NULL },
	{ "ca-p521", "ecdsa", "521", NULL, NULL },
	{ "ca-rsa", "rsa", "3072", NULL, NULL },
};

void
ssh_ca_line(const struct sshkey *key, struct buf *line)
{
	struct cursor blob = sshkey_blob(key), name, all = blob;

	assert_int_equal(cursor_string(&blob, &name), 0);
	buf_format(line, "%.*s ", (int)name.left, name.p);
	base64_encode(all.p, all.left, BASE64_STANDARD, line);
	assert_int_equal(buf_failed(line), 0);
}

struct sshcert *
ssh_ca_parse_line(struct cursor line, const char **reason, struct ht_error *e)
{
	struct buf blob = BUF_INIT;
	struct sshcert *cert;

	assert_int_equal(sshkey_line_blob(line, &blob, e), 0);
	cert = sshcert_parse(buf_cursor(&blob), reason, e);
	buf_free(&blob);
	return cert;
}

static struct sshkey *
load_public(const char *file)
{
	struct buf line = BUF_INIT;
	struct sshkey *key;
	struct ht_error e;
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.pub", file);
	scratch_read(name, &line);
	key = sshkey_parse_line(buf_cursor(&line), &e);
	buf_free(&line);
	return key;
}

static struct sshkey *
make_sk(void)
{
	struct buf blob = BUF_INIT, line = BUF_INIT;
	struct sshkey *key;
	struct ht_error e;

	buf_text(&blob, "sk-ssh-ed25519@openssh.com");
	buf_string(&blob, "0123456789abcdef0123456789abcdef", 32);
	buf_text(&blob, "ssh:");
	key = sshkey_parse(buf_cursor(&blob), &e);
	assert_non_null(key);
	ssh_ca_line(key, &line);
	buf_u8(&line, '\n');
	scratch_write("sk.pub", line.data, line.len);
	buf_free(&blob);
	buf_free(&line);
	return key;
}

static struct sshkey *
make_key(const char *file, const char *type, const char *bits)
{
	if (type == NULL)
		return make_sk();
	if (RUN("ssh-keygen", "-q", "-t", type, "-b", bits, "-N", "", "-C", "",
	        "-f", file) != 0)
		return NULL;
	return load_public(file);
}

static int
enter(void **state, bool rsa, size_t count)
{
	struct buf file = BUF_INIT;
	struct ht_error e;
	size_t i;

	if (scratch_enter(state) != 0)
		return 1;
	for (i = 0; i < SSH_CA_USERS; i++) {
		struct ssh_ca_user *user = &ssh_ca_users[i];

		if (!rsa && user->type != NULL &&
		    strcmp(user->type, "rsa") == 0)
			continue;
		user->key = make_key(user->file, user->type, user->bits);
		if (user->key == NULL)
			return 1;
	}
	for (i = 0; i < count; i++) {
		struct ssh_ca *ca = &ssh_cas[i];

		ca->key = make_key(ca->file, ca->type, ca->bits);
		if (ca->key == NULL)
			return 1;
		if (i >= SSH_CA_SIGNING)
			continue;
		scratch_read(ca->file, &file);
		ca->private = sshkey_private_load(buf_cursor(&file), &e);
		buf_reset(&file);
		if (ca->private == NULL)
			return 1;
	}
	buf_free(&file);
	return 0;
}

int
ssh_ca_enter(void **state)
{
	return enter(state, true, SSH_CA_COUNT);
}

int
ssh_ca_enter_signing(void **state)
{
	return enter(state, true, SSH_CA_SIGNING);
}

int
ssh_ca_enter_fast(void **state)
{
	return enter(state, false, SSH_CA_SIGNING);
}

int
ssh_ca_leave(void **state)
{
	size_t i;

	for (i = 0; i < SSH_CA_USERS; i++)
		sshkey_free(ssh_ca_users[i].key);
	for (i = 0; i < SSH_CA_COUNT; i++) {
		sshkey_free(ssh_cas[i].key);
		sshkey_private_free(ssh_cas[i].private);
	}
	return scratch_leave(state);
}

int
ssh_ca_check(const struct sshcert *cert, const struct ssh_ca *ca, uint64_t now,
    const char *peer, const char **reason)
{
	struct sshcert_authority authority = { ca->key, false };
	struct ht_error e;

	return sshcert_check(cert, &authority, 1, now, peer, reason, &e);
}

void
ssh_ca_expect_good(const struct sshcert *cert, const struct ssh_ca *ca,
    const char *peer)
{
	const char *reason;

	if (ssh_ca_check(cert, ca, SSH_CA_NOW, peer, &reason) != 0)
		fail_msg("refused: %s", reason);
	assert_null(reason);
}

void
ssh_ca_expect_refused(const struct sshcert *cert, const struct ssh_ca *ca,
    uint64_t now, const char *peer, const char *word)
{
	const char *reason;

	assert_int_equal(ssh_ca_check(cert, ca, now, peer, &reason),
	    HT_ERR_DENIED);
	assert_string_equal(reason, word);
}

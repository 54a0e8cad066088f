#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "keys/sshcert/sshkey.h"
#include "lib/base64.h"
#include "lib/error.h"
#include "tests/support/mutate.h"
#include "tests/support/scratch.h"

static const struct {
	const char *file;
	const char *type; /* for ssh-keygen -t */
	const char *bits; /* for -b */
	enum sshkey_type is;
	const char *name;
} made[] = {
	{ "ed25519", "ed25519", "256", SSHKEY_ED25519, "ssh-ed25519" },
	{ "p256", "ecdsa", "256", SSHKEY_ECDSA_P256, "ecdsa-sha2-nistp256" },
	{ "p384", "ecdsa", "384", SSHKEY_ECDSA_P384, "ecdsa-sha2-nistp384" },
	{ "p521", "ecdsa", "521", SSHKEY_ECDSA_P521, "ecdsa-sha2-nistp521" },
	{ "rsa", "rsa", "2048", SSHKEY_RSA, "ssh-rsa" },
};
#define MADE (sizeof(made) / sizeof(made[0]))

static int
make_keys(void **state)
{
	size_t i;

	if (scratch_enter(state) != 0)
		return 1;
	for (i = 0; i < MADE; i++) {
		if (RUN("ssh-keygen", "-q", "-t", made[i].type, "-b",
		        made[i].bits, "-N", "", "-C", "a comment", "-f",
		        made[i].file) != 0)
			return 1;
	}
	return RUN("ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "",
	    "-f", "short");
}

static void
read_public(const char *file, struct buf *line)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.pub", file);
	scratch_read(name, line);
}

static struct sshkey *
load_public(const char *file)
{
	struct buf line = BUF_INIT;
	struct ht_error e;
	struct sshkey *key;

	read_public(file, &line);
	key = sshkey_parse_line(buf_cursor(&line), &e);
	if (key == NULL)
		fail_msg("%s: %s", file, e.text);
	buf_free(&line);
	return key;
}

static struct sshkey_private *
load_private(const char *file, struct ht_error *e)
{
	struct buf bytes = BUF_INIT;
	struct sshkey_private *key;

	scratch_read(file, &bytes);
	key = sshkey_private_load(buf_cursor(&bytes), e);
	buf_free(&bytes);
	return key;
}

static void
public_keys_read_and_written(void **state)
{
	struct buf line = BUF_INIT, again = BUF_INIT;
	struct sshkey *key;
	size_t i;

	(void)state;
	for (i = 0; i < MADE; i++) {
		key = load_public(made[i].file);
		assert_false(sshkey_is_sk(key));
		read_public(made[i].file, &line);
		buf_format(&again, "%s ", made[i].name);
		base64_encode(sshkey_blob(key).p, sshkey_blob(key).left,
		    BASE64_STANDARD, &again);
		buf_format(&again, " a comment\n");
		assert_int_equal(line.len, again.len);
		assert_memory_equal(line.data, again.data, line.len);
		buf_reset(&line);
		buf_reset(&again);
		sshkey_free(key);
	}
	buf_free(&line);
	buf_free(&again);
}

static void
fingerprints_are_those_of_ssh_keygen(void **state)
{
	char fingerprint[SSHKEY_FINGERPRINT_SIZE], name[64];
	struct ht_error e;
	struct sshkey *key;
	size_t i;

	(void)state;
	for (i = 0; i < MADE; i++) {
		key = load_public(made[i].file);
		(void)snprintf(name, sizeof(name), "%s.pub", made[i].file);
		assert_int_equal(RUN("ssh-keygen", "-l", "-f", name), 0);
		assert_int_equal(sshkey_fingerprint(key, fingerprint, &e), 0);
		assert_true(scratch_output_holds(fingerprint));
		sshkey_free(key);
	}
}

static void
keys_differ(void **state)
{
	struct sshkey *a, *b, *c;

	(void)state;
	a = load_public("ed25519");
	b = load_public("ed25519");
	c = load_public("p256");
	assert_true(sshkey_equal(a, b));
	assert_false(sshkey_equal(a, c));
	sshkey_free(a);
	sshkey_free(b);
	sshkey_free(c);
	sshkey_free(NULL);
}

static void
refuse_line(const char *text, size_t n)
{
	struct ht_error e;
	struct sshkey *key;

	key = sshkey_parse_line(cursor_over(text, n), &e);
	if (key != NULL)
		fail_msg("took \"%.*s\"", (int)n, text);
	assert_int_equal(e.code, HT_ERR_DATA);
}

static void
lines_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"ssh-ed25519",
		"ssh-ed25519 ",
		"ssh-ed25519 AAAA",
		"ssh-ed25519 !!!!",
		"ssh-dss AAAAB3NzaC1kc3M=",
	};
	struct buf line = BUF_INIT, other = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		refuse_line(lines[i], strlen(lines[i]));
	read_public("short", &line); /* RSA 1024 */
	refuse_line((const char *)line.data, line.len);
	buf_reset(&line);

	read_public("ed25519", &line);
	buf_bytes(&other, "ssh-rsa", 7);
	buf_bytes(&other, line.data + 11, line.len - 11);
	refuse_line((const char *)other.data, other.len);
	buf_reset(&other);
	buf_format(&other, "restrict ");
	buf_bytes(&other, line.data, line.len);
	refuse_line((const char *)other.data, other.len);
	buf_bytes(&line, line.data, line.len); /* two lines */
	refuse_line((const char *)line.data, line.len);
	buf_free(&line);
	buf_free(&other);
}

static void
line_ends_and_long_lines(void **state)
{
	struct buf line = BUF_INIT;
	struct sshkey *key;
	struct ht_error e;

	(void)state;
	read_public("ed25519", &line);
	line.len--;
	buf_format(&line, "\r\n");
	key = sshkey_parse_line(buf_cursor(&line), &e);
	assert_non_null(key);
	sshkey_free(key);
	line.len -= 2;
	while (line.len <= SSHKEY_LINE_MAX)
		buf_u8(&line, 'x');
	refuse_line((const char *)line.data, line.len);
	while (line.len <= SSHKEY_FILE_MAX)
		buf_u8(&line, 'x');
	assert_null(sshkey_private_load(buf_cursor(&line), &e));
	assert_int_equal(e.code, HT_ERR_DATA);
	buf_free(&line);
}

static void
blobs_cut_or_longer_refused(void **state)
{
	struct ht_error e;
	struct sshkey *key;
	struct buf longer = BUF_INIT;
	struct cursor blob;
	size_t i, n;

	(void)state;
	for (i = 0; i < MADE; i++) {
		key = load_public(made[i].file);
		blob = sshkey_blob(key);
		for (n = 0; n < blob.left; n++) {
			assert_null(sshkey_parse(cursor_over(blob.p, n), &e));
			assert_int_equal(e.code, HT_ERR_DATA);
		}
		buf_bytes(&longer, blob.p, blob.left);
		buf_u8(&longer, 0);
		assert_null(sshkey_parse(buf_cursor(&longer), &e));
		buf_reset(&longer);
		sshkey_free(key);
	}
	buf_free(&longer);
}

/* A changed blob is refused, or is another key in its one encoding. */
static void
flipped_bits_make_other_keys(void **state)
{
	struct sshkey *key, *changed;
	struct buf copy = BUF_INIT;
	struct cursor blob;
	struct ht_error e;
	size_t i, bit;

	(void)state;
	for (i = 0; i < MADE; i++) {
		key = load_public(made[i].file);
		blob = sshkey_blob(key);
		buf_bytes(&copy, blob.p, blob.left);
		for (bit = 0; bit < blob.left * 8; bit++) {
			copy.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			changed = sshkey_parse(buf_cursor(&copy), &e);
			if (changed != NULL) {
				assert_false(sshkey_equal(key, changed));
				assert_memory_equal(sshkey_blob(changed).p,
				    copy.data, copy.len);
			}
			sshkey_free(changed);
			copy.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		buf_reset(&copy);
		sshkey_free(key);
	}
	buf_free(&copy);
}

static void
refuse_blob(struct buf *blob)
{
	struct ht_error e;

	assert_int_equal(buf_failed(blob), 0);
	assert_null(sshkey_parse(buf_cursor(blob), &e));
	assert_int_equal(e.code, HT_ERR_DATA);
	buf_reset(blob);
}

static void
points_must_be_on_their_curve(void **state)
{
	struct buf blob = BUF_INIT;
	uint8_t point[65] = { 4, [32] = 1, [64] = 1 };

	(void)state;
	buf_text(&blob, "ecdsa-sha2-nistp256");
	buf_text(&blob, "nistp256");
	buf_string(&blob, point, sizeof(point));
	refuse_blob(&blob);
	buf_text(&blob, "ecdsa-sha2-nistp256");
	buf_text(&blob, "nistp256");
	buf_string(&blob, "", 1); /* the point at infinity */
	refuse_blob(&blob);
	buf_text(&blob, "ecdsa-sha2-nistp256");
	buf_text(&blob, "nistp384");
	buf_string(&blob, point, sizeof(point));
	refuse_blob(&blob);
	buf_free(&blob);
}

static void
put_rsa(struct buf *blob, const char *e, size_t e_len, uint8_t first,
    size_t bytes, uint8_t last)
{
	buf_text(blob, "ssh-rsa");
	buf_string(blob, e, e_len);
	buf_u32be(blob, (uint32_t)bytes + 1);
	buf_u8(blob, 0);
	buf_u8(blob, first);
	buf_zeros(blob, bytes - 2);
	buf_u8(blob, last);
}

static void
rsa_numbers_must_make_sense(void **state)
{
	struct buf blob = BUF_INIT;
	struct ht_error e;
	struct sshkey *key;

	(void)state;
	put_rsa(&blob, "\x03", 1, 0x80, 256, 1);
	key = sshkey_parse(buf_cursor(&blob), &e);
	assert_non_null(key);
	sshkey_free(key);
	buf_reset(&blob);
	put_rsa(&blob, "\x03", 1, 0x80, 255, 1); /* 2040 bits */
	refuse_blob(&blob);
	put_rsa(&blob, "\x03", 1, 0x80, 1025, 1); /* 8200 bits */
	refuse_blob(&blob);
	put_rsa(&blob, "\x03", 1, 0x7f, 256, 1); /* a zero too many */
	refuse_blob(&blob);
	put_rsa(&blob, "\x03", 1, 0x80, 256, 2); /* even */
	refuse_blob(&blob);
	put_rsa(&blob, "\x01", 1, 0x80, 256, 1);
	refuse_blob(&blob);
	put_rsa(&blob, "\x02", 1, 0x80, 256, 1);
	refuse_blob(&blob);
	put_rsa(&blob, "", 0, 0x80, 256, 1);
	refuse_blob(&blob);
	put_rsa(&blob, "\x83", 1, 0x80, 256, 1); /* negative */
	refuse_blob(&blob);
	put_rsa(&blob, "\x01\0\0\0\0\0\0\0\x01", 9, 0x80, 256, 1);
	refuse_blob(&blob);
	buf_free(&blob);
}

/* There is no authenticator to ask here: put one's key together. */
static void
security_keys(void **state)
{
	struct buf blob = BUF_INIT, line = BUF_INIT;
	struct sshkey *inner, *key;
	struct cursor c, name;
	struct ht_error e;

	(void)state;
	inner = load_public("ed25519");
	c = sshkey_blob(inner);
	assert_int_equal(cursor_string(&c, &name), 0);
	buf_text(&blob, "sk-ssh-ed25519@openssh.com");
	buf_bytes(&blob, c.p, c.left);
	assert_null(sshkey_parse(buf_cursor(&blob), &e));
	buf_text(&blob, "ssh:");
	key = sshkey_parse(buf_cursor(&blob), &e);
	assert_non_null(key);
	assert_true(sshkey_is_sk(key));
	assert_int_equal(sshkey_verify(key, cursor_over("words", 5),
	                     cursor_over("\0\0\0\x01s\0\0\0\0", 9), &e),
	    HT_ERR_DENIED);
	buf_format(&line, "sk-ssh-ed25519@openssh.com ");
	base64_encode(blob.data, blob.len, BASE64_STANDARD, &line);
	scratch_write("sk.pub", line.data, line.len);
	assert_int_equal(RUN("ssh-keygen", "-l", "-f", "sk.pub"), 0);
	assert_true(scratch_output_holds("(ED25519-SK)"));
	sshkey_free(key);
	sshkey_free(inner);

	inner = load_public("p256");
	c = sshkey_blob(inner);
	assert_int_equal(cursor_string(&c, &name), 0);
	buf_reset(&blob);
	buf_text(&blob, "sk-ecdsa-sha2-nistp256@openssh.com");
	buf_bytes(&blob, c.p, c.left);
	buf_text(&blob, "ssh:");
	key = sshkey_parse(buf_cursor(&blob), &e);
	assert_non_null(key);
	sshkey_free(key);
	sshkey_free(inner);
	buf_free(&blob);
	buf_free(&line);
}

/* Sign with the private key of file, verify with the public one. */
static void
expect_pair(const char *file, const struct sshkey *public)
{
	struct buf signature = BUF_INIT;
	struct sshkey_private *key;
	struct cursor data = cursor_over("words", 5);
	struct ht_error e;

	key = load_private(file, &e);
	if (key == NULL)
		fail_msg("%s: %s", file, e.text);
	assert_true(sshkey_equal(sshkey_private_public(key), public));
	assert_int_equal(sshkey_private_sign(key, data, &signature, &e), 0);
	assert_int_equal(
	    sshkey_verify(public, data, buf_cursor(&signature), &e), 0);
	data.left--;
	assert_int_equal(
	    sshkey_verify(public, data, buf_cursor(&signature), &e),
	    HT_ERR_DENIED);
	buf_free(&signature);
	sshkey_private_free(key);
}

static void
private_keys_in_each_form(void **state)
{
	struct sshkey *public;
	size_t i;

	(void)state;
	for (i = 0; made[i].is != SSHKEY_RSA; i++) {
		public = load_public(made[i].file);
		expect_pair(made[i].file, public);
		if (made[i].is != SSHKEY_ED25519) {
			assert_int_equal(RUN("cp", made[i].file, "copy"), 0);
			assert_int_equal(RUN("ssh-keygen", "-q", "-p", "-N", "",
			                     "-m", "PKCS8", "-f", "copy"),
			    0);
			expect_pair("copy", public);
			assert_int_equal(RUN("ssh-keygen", "-q", "-p", "-N", "",
			                     "-m", "PEM", "-f", "copy"),
			    0);
			expect_pair("copy", public);
		}
		sshkey_free(public);
	}
	sshkey_private_free(NULL);
}

static void
private_ed25519_from_openssl(void **state)
{
	struct cursor blob, name;
	struct sshkey_private *key;
	struct ht_error e;

	(void)state;
	assert_int_equal(
	    RUN("openssl", "genpkey", "-algorithm", "ed25519", "-out", "pem"),
	    0);
	key = load_private("pem", &e);
	assert_non_null(key);
	blob = sshkey_blob(sshkey_private_public(key));
	assert_int_equal(cursor_string(&blob, &name), 0);
	assert_true(cursor_is(name, "ssh-ed25519"));
	sshkey_private_free(key);
}

static void
refuse_private(const char *file)
{
	struct ht_error e;

	if (load_private(file, &e) != NULL)
		fail_msg("took %s", file);
	assert_int_equal(e.code, HT_ERR_DATA);
}

static void
private_keys_refused(void **state)
{
	(void)state;
	refuse_private("rsa");
	refuse_private("ed25519.pub");
	assert_int_equal(RUN("cp", "ed25519", "copy"), 0);
	assert_int_equal(
	    RUN("ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", "copy"),
	    0);
	refuse_private("copy");
	assert_int_equal(RUN("cp", "p256", "copy"), 0);
	assert_int_equal(RUN("ssh-keygen", "-q", "-p", "-N", "a passphrase",
	                     "-m", "PKCS8", "-f", "copy"),
	    0);
	refuse_private("copy");
	assert_int_equal(
	    RUN("openssl", "genpkey", "-algorithm", "rsa", "-out", "pem"), 0);
	refuse_private("pem");
	assert_int_equal(
	    RUN("openssl", "genpkey", "-algorithm", "x25519", "-out", "pem"),
	    0);
	refuse_private("pem");
	assert_int_equal(RUN("openssl", "ecparam", "-name", "secp256k1",
	                     "-genkey", "-noout", "-out", "pem"),
	    0);
	refuse_private("pem");
	scratch_write("empty", "", 0);
	refuse_private("empty");
}

static void
private_key_files_cut(void **state)
{
	struct buf file = BUF_INIT;
	struct ht_error e;
	size_t i, n;

	(void)state;
	for (i = 0; made[i].is != SSHKEY_RSA; i++) {
		scratch_read(made[i].file, &file);
		for (n = 0; n < file.len - 1; n++)
			assert_null(
			    sshkey_private_load(cursor_over(file.data, n), &e));
		buf_reset(&file);
	}
	buf_free(&file);
}

/*
 * A damaged file is refused, unless the damage is in the comment: then it
 * holds the same key.
 */
static void
private_key_files_damaged(void **state)
{
	struct buf file = BUF_INIT;
	struct sshkey_private *key;
	struct sshkey *public;
	struct ht_error e;
	size_t i, bit;

	(void)state;
	for (i = 0; i < 2; i++) {
		public = load_public(made[i].file);
		scratch_read(made[i].file, &file);
		for (bit = 0; bit < file.len * 8; bit += 3 * mutate_step()) {
			file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			key = sshkey_private_load(buf_cursor(&file), &e);
			if (key != NULL)
				assert_true(sshkey_equal(public,
				    sshkey_private_public(key)));
			sshkey_private_free(key);
			file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		buf_reset(&file);
		sshkey_free(public);
	}
	buf_free(&file);
}

/* Halves of two keys in one file: it must not be signed with. */
static void
private_key_with_foreign_public_half(void **state)
{
	struct buf body = BUF_INIT, secret = BUF_INIT, file = BUF_INIT;
	struct sshkey *a;
	struct cursor mine, name;
	struct ht_error e;
	uint8_t pad;

	(void)state;
	a = load_public("ed25519");
	mine = sshkey_blob(a);
	assert_int_equal(cursor_string(&mine, &name), 0);
	buf_u32be(&secret, 7);
	buf_u32be(&secret, 7);
	buf_text(&secret, "ssh-ed25519");
	buf_bytes(&secret, mine.p, mine.left);
	buf_u32be(&secret, 64);
	buf_zeros(&secret, 32);
	buf_bytes(&secret, mine.p + 4, 32);
	buf_text(&secret, "");
	for (pad = 1; secret.len % 8 != 0; pad++)
		buf_u8(&secret, pad);
	buf_bytes(&body, "openssh-key-v1", 15);
	buf_text(&body, "none");
	buf_text(&body, "none");
	buf_text(&body, "");
	buf_u32be(&body, 1);
	buf_string(&body, sshkey_blob(a).p, sshkey_blob(a).left);
	buf_string(&body, secret.data, secret.len);
	buf_format(&file, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	base64_encode(body.data, body.len, BASE64_STANDARD, &file);
	buf_format(&file, "\n-----END OPENSSH PRIVATE KEY-----\n");
	assert_null(sshkey_private_load(buf_cursor(&file), &e));
	assert_string_equal(e.text,
	    "the private key does not fit its public key");
	buf_free(&file);
	buf_free(&body);
	buf_free(&secret);
	sshkey_free(a);
}

static void
signatures_of_other_algorithms(void **state)
{
	struct buf signature = BUF_INIT, changed = BUF_INIT;
	struct sshkey_private *key;
	struct sshkey *other;
	struct cursor data = cursor_over("words", 5), c, name, raw;
	struct ht_error e;

	(void)state;
	key = load_private("p256", &e);
	other = load_public("p384");
	assert_non_null(key);
	assert_int_equal(sshkey_private_sign(key, data, &signature, &e), 0);
	assert_int_equal(sshkey_verify(other, data, buf_cursor(&signature), &e),
	    HT_ERR_DENIED);
	c = buf_cursor(&signature);
	assert_int_equal(cursor_string(&c, &name), 0);
	assert_int_equal(cursor_string(&c, &raw), 0);
	buf_text(&changed, "ssh-ed25519");
	buf_string(&changed, raw.p, raw.left);
	assert_int_equal(sshkey_verify(sshkey_private_public(key), data,
	                     buf_cursor(&changed), &e),
	    HT_ERR_DENIED);
	buf_u8(&signature, 0);
	assert_int_equal(sshkey_verify(sshkey_private_public(key), data,
	                     buf_cursor(&signature), &e),
	    HT_ERR_DENIED);
	buf_free(&signature);
	buf_free(&changed);
	sshkey_free(other);
	sshkey_private_free(key);
}

/* A new key is one that ssh-keygen reads, and another one each time. */
static void
new_keys_are_those_of_ssh_keygen(void **state)
{
	struct sshkey_private *key, *again, *last = NULL;
	struct buf file = BUF_INIT, line = BUF_INIT;
	struct ht_error e;
	char comment[9] = "";
	size_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		comment[i] = 'x'; /* the padding has each length */
		key = sshkey_private_new(&e);
		assert_non_null(key);
		assert_int_equal(sshkey_private_save(key, comment, &file, &e),
		    0);
		scratch_write("new", file.data, file.len);
		assert_int_equal(chmod("new", 0600), 0);
		again = load_private("new", &e);
		assert_non_null(again);
		assert_true(sshkey_equal(sshkey_private_public(key),
		    sshkey_private_public(again)));
		assert_int_equal(RUN("ssh-keygen", "-y", "-f", "new"), 0);
		buf_format(&line, "ssh-ed25519 ");
		base64_encode(sshkey_blob(sshkey_private_public(key)).p,
		    sshkey_blob(sshkey_private_public(key)).left,
		    BASE64_STANDARD, &line);
		buf_format(&line, " %s\n", comment);
		buf_u8(&line, 0);
		assert_true(scratch_output_holds((const char *)line.data));
		assert_true(last == NULL ||
		    !sshkey_equal(sshkey_private_public(last),
		        sshkey_private_public(key)));
		sshkey_private_free(again);
		sshkey_private_free(last);
		last = key;
		buf_reset(&file);
		buf_reset(&line);
	}
	sshkey_private_free(last);
	buf_free(&file);
	buf_free(&line);
}

static void
fingerprints_are_read(void **state)
{
	static const char zeros[] =
	    "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	static const char *const bad[] = { "", "SHA256:", zeros + 1,
		"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
		"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA AA",
		"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"MD5:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00" };
	const uint8_t none[SSHKEY_HASH] = { 0 };
	uint8_t hash[SSHKEY_HASH];
	size_t i;

	(void)state;
	memset(hash, 1, sizeof(hash));
	assert_int_equal(sshkey_fingerprint_read(zeros, hash), 0);
	assert_memory_equal(hash, none, sizeof(hash));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sshkey_fingerprint_read(bad[i], hash) != HT_ERR_DATA)
			fail_msg("%s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_keys_read_and_written),
		cmocka_unit_test(fingerprints_are_those_of_ssh_keygen),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(lines_refused),
		cmocka_unit_test(line_ends_and_long_lines),
		cmocka_unit_test(blobs_cut_or_longer_refused),
		cmocka_unit_test(flipped_bits_make_other_keys),
		cmocka_unit_test(points_must_be_on_their_curve),
		cmocka_unit_test(rsa_numbers_must_make_sense),
		cmocka_unit_test(security_keys),
		cmocka_unit_test(private_keys_in_each_form),
		cmocka_unit_test(private_ed25519_from_openssl),
		cmocka_unit_test(private_keys_refused),
		cmocka_unit_test(private_key_files_cut),
		cmocka_unit_test(private_key_files_damaged),
		cmocka_unit_test(private_key_with_foreign_public_half),
		cmocka_unit_test(signatures_of_other_algorithms),
		cmocka_unit_test(new_keys_are_those_of_ssh_keygen),
		cmocka_unit_test(fingerprints_are_read),
	};

	return cmocka_run_group_tests(tests, make_keys, scratch_leave);
}

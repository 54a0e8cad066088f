/*
 * Certificates that we issue; and those, and such as were put together by hand,
 * with a mistake in their bytes.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "keys/sshcert/sshkey-format.h"
#include "lib/error.h"
#include "tests/support/mutate.h"
#include "tests/support/no_memory.h"
#include "tests/support/scratch.h"
#include "tests/support/ssh_ca.h"

static struct sshcert_request
request_for(size_t user)
{
	struct sshcert_request request = {
		.key = ssh_ca_users[user].key,
		.principal = { NAMES_CLIENT, "ci" },
		.serial = UINT64_MAX,
		.valid_after = SSH_CA_AFTER,
		.valid_before = SSH_CA_BEFORE,
	};

	return request;
}

static void
expect_listing(size_t user, size_t ca)
{
	static const char *const words[] = {
		"user certificate",
		"Key ID: \"ci/18446744073709551615\"",
		"Serial: 18446744073709551615",
		"client:ci\n",
		"source-address 10.0.0.0/8\n",
		"Extensions: (none)",
	};
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	struct ht_error e;
	size_t i;

	assert_int_equal(RUN("ssh-keygen", "-L", "-f", "issued"), 0);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_true(scratch_output_holds(words[i]));
	assert_int_equal(
	    sshkey_fingerprint(ssh_ca_users[user].key, fingerprint, &e), 0);
	assert_true(scratch_output_holds(fingerprint));
	assert_int_equal(sshkey_fingerprint(ssh_cas[ca].key, fingerprint, &e),
	    0);
	assert_true(scratch_output_holds(fingerprint));
}

static void
ssh_keygen_takes_what_is_issued(void **state)
{
	struct sshcert_request request;
	struct buf line = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	size_t i, j;

	(void)state;
	for (i = 0; i < SSH_CA_SIGNING; i++) {
		for (j = 0; j < SSH_CA_USERS; j++) {
			request = request_for(j);
			request.source_address = "10.0.0.0/8";
			if (sshcert_issue(ssh_cas[i].private, &request, &line,
			        &e) != 0)
				fail_msg("%s", e.text);
			assert_non_null(memmem(line.data, line.len,
			    " ci/18446744073709551615", 24));
			scratch_write("issued", line.data, line.len);
			expect_listing(j, i);
			cert =
			    ssh_ca_parse_line(buf_cursor(&line), &reason, &e);
			assert_non_null(cert);
			ssh_ca_expect_good(cert, &ssh_cas[i], "10.0.0.1");
			sshcert_free(cert);
			buf_reset(&line);
		}
	}
	buf_free(&line);
}

/* What ssh-keygen says of an extension that it does not know, in each version. */
static bool
is_listed(const char *name, const char *hex)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s UNKNOWN OPTION: %s", name, hex);
	return scratch_output_holds(text);
}

static void
limits_are_issued(void **state)
{
	struct sshcert_request request = request_for(0);
	struct buf line = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;

	(void)state;
	request.source_address = "10.0.0.0/8";
	request.profile = "sign";
	request.uses = 12;
	assert_int_equal(sshcert_issue(ssh_cas[0].private, &request, &line, &e),
	    0);
	scratch_write("issued", line.data, line.len);
	assert_int_equal(RUN("ssh-keygen", "-L", "-f", "issued"), 0);
	assert_true(scratch_output_holds("source-address 10.0.0.0/8\n"));
	assert_true(is_listed("profile@htsign", "000000047369676e"));
	assert_true(is_listed("uses@htsign", "000000023132"));
	cert = ssh_ca_parse_line(buf_cursor(&line), &reason, &e);
	assert_non_null(cert);
	ssh_ca_expect_good(cert, &ssh_cas[0], "10.0.0.1");
	assert_string_equal(sshcert_profile(cert), "sign");
	assert_int_equal(sshcert_uses(cert), 12);
	sshcert_free(cert);
	buf_free(&line);
}

static void
refuse_to_issue(const struct sshcert_request *request, const char *text)
{
	struct buf line = BUF_INIT;
	struct ht_error e;

	assert_int_equal(sshcert_issue(ssh_cas[0].private, request, &line, &e),
	    HT_ERR_USAGE);
	assert_string_equal(e.text, text);
	assert_int_equal(line.len, 0);
	buf_free(&line);
}

static void
nonsense_is_not_issued(void **state)
{
	static const char no_list[] = "the source-address list is not valid";
	struct sshcert_request request;

	(void)state;
	request = request_for(0);
	request.valid_after = request.valid_before;
	refuse_to_issue(&request,
	    "the certificate's validity is missing or empty");
	request = request_for(0);
	request.source_address = "10.0.0.1/8";
	refuse_to_issue(&request, no_list);
	request.source_address = "";
	refuse_to_issue(&request, no_list);
	request = request_for(0);
	request.profile = "";
	refuse_to_issue(&request,
	    "the extension \"profile@htsign\" is not known or not valid here");
	request = request_for(0);
	request.uses = 1;
	request.serial = 0;
	refuse_to_issue(&request,
	    "the extension \"uses@htsign\" is not known or not valid here");
	request = request_for(0);
	request.person = "somebody";
	request.serial = 7;
	refuse_to_issue(&request,
	    "the key id \"somebody/7\" is not of client \"ci\"");
	request = request_for(0);
	request.principal.role = NAMES_ADMIN;
	request.principal.client[0] = '\0';
	refuse_to_issue(&request, "the key id of a certificate needs a name");
}

/* An issued certificate as a blob; of which CA and user. */
static void
issue_blob(size_t ca, size_t user, struct buf *blob)
{
	struct sshcert_request request = request_for(user);
	struct buf line = BUF_INIT;
	struct ht_error e;

	request.source_address = "10.0.0.0/8";
	request.profile = "sign";
	request.uses = 12;
	assert_int_equal(
	    sshcert_issue(ssh_cas[ca].private, &request, &line, &e), 0);
	assert_int_equal(sshkey_line_blob(buf_cursor(&line), blob, &e), 0);
	buf_free(&line);
}

/* Mutations of a certificate that ca has signed. */
static unsigned long
refuse_mutations(const struct buf *blob, const struct ssh_ca *ca,
    uint64_t *seed, unsigned long count)
{
	struct buf copy = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	unsigned long i, parsed = 0;
	const char *reason;
	size_t n;

	for (i = 0; i < count; i++) {
		buf_reset(&copy);
		buf_bytes(&copy, blob->data, blob->len);
		n = mutate(seed, copy.data, copy.len);
		if (n == blob->len && memcmp(copy.data, blob->data, n) == 0)
			continue;
		cert = sshcert_parse(cursor_over(copy.data, n), &reason, &e);
		if (cert != NULL &&
		    ssh_ca_check(cert, ca, SSH_CA_NOW, "10.0.0.1", &reason) ==
		        0)
			fail_msg("mutation %lu of %s", i, ca->file);
		parsed += cert != NULL;
		sshcert_free(cert);
	}
	buf_free(&copy);
	return parsed;
}

/*
 * A mutated certificate is none, or of nobody: those that we issue with limits
 * for each kind of key, and those of ssh-keygen.  10,000, or five times
 * HTSIGN_MUTATIONS.
 */
static void
mutated_ones_are_refused(void **state)
{
	unsigned long each = mutate_count() * 5 / (SSH_CA_SIGNING * 12) + 1;
	struct buf blob = BUF_INIT, line = BUF_INIT;
	unsigned long parsed = 0;
	uint64_t seed = 15;
	struct ht_error e;
	char name[64];
	size_t ca, user;

	(void)state;
	for (ca = 0; ca < SSH_CA_SIGNING; ca++)
		for (user = 0; user < SSH_CA_USERS; user++) {
			issue_blob(ca, user, &blob);
			parsed +=
			    refuse_mutations(&blob, &ssh_cas[ca], &seed, each);
			buf_reset(&blob);
			(void)snprintf(name, sizeof(name), "%s.pub",
			    ssh_ca_users[user].file);
			assert_int_equal(RUN("ssh-keygen", "-q", "-s",
			                     ssh_cas[ca].file, "-I", "ci/7",
			                     "-z", "7", "-n", "client:ci", "-V",
			                     SSH_CA_VALIDITY, name),
			    0);
			(void)snprintf(name, sizeof(name), "%s-cert.pub",
			    ssh_ca_users[user].file);
			scratch_read(name, &line);
			assert_int_equal(
			    sshkey_line_blob(buf_cursor(&line), &blob, &e), 0);
			parsed +=
			    refuse_mutations(&blob, &ssh_cas[ca], &seed, each);
			buf_reset(&blob);
			buf_reset(&line);
		}
	print_message("%lu mutations, of which %lu were read\n",
	    each * SSH_CA_SIGNING * SSH_CA_USERS * 2, parsed);
	buf_free(&blob);
	buf_free(&line);
}

static void
every_truncation_refused(void **state)
{
	struct buf blob = BUF_INIT;
	struct ht_error e;
	const char *reason;
	size_t i, n;

	(void)state;
	for (i = 0; i < SSH_CA_USERS; i++) {
		issue_blob(0, i, &blob);
		for (n = 0; n < blob.len; n += mutate_step()) {
			assert_null(sshcert_parse(cursor_over(blob.data, n),
			    &reason, &e));
			assert_int_equal(e.code, HT_ERR_DATA);
			assert_string_equal(reason, SSHCERT_MALFORMED);
		}
		buf_u8(&blob, 0);
		assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
		assert_string_equal(reason, SSHCERT_MALFORMED);
		buf_reset(&blob);
	}
	buf_free(&blob);
}

static void
a_truncation_is_named_by_what_is_cut(void **state)
{
	static const char *const texts[] = {
		"no certificate, or too long",
		"not an SSH certificate of a supported type",
		"the certificate's nonce is missing or too long",
		"not a valid ssh-ed25519 key",
		"the certificate is cut off",
		"no key id",
		"no list of principals",
		"the certificate's validity is missing or empty",
		"no critical options",
		"no extensions",
		"the certificate is damaged before its CA key",
		"the certificate is damaged in its signature",
	};
	struct buf blob = BUF_INIT;
	struct ht_error e;
	const char *reason;
	size_t i = 0, n;

	(void)state;
	issue_blob(0, 0, &blob);
	for (n = 0; n < blob.len; n++) {
		assert_null(
		    sshcert_parse(cursor_over(blob.data, n), &reason, &e));
		if (strcmp(e.text, texts[i]) != 0)
			assert_string_equal(e.text, texts[++i]);
	}
	assert_int_equal(i, sizeof(texts) / sizeof(texts[0]) - 1);
	buf_free(&blob);
}

static void
every_flipped_bit_refused(void **state)
{
	struct buf blob = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	size_t i, bit;

	(void)state;
	for (i = 0; i < SSH_CA_SIGNING; i++) {
		issue_blob(i, i, &blob);
		/* P-384 and P-521 verify slowly: a sample of those. */
		for (bit = 0; bit < blob.len * 8;
		     bit += (i < 2 ? 1 : 7) * mutate_step()) {
			blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
			if (cert != NULL &&
			    ssh_ca_check(cert, &ssh_cas[i], SSH_CA_NOW,
			        "10.0.0.1", &reason) == 0)
				fail_msg("CA %zu, bit %zu", i, bit);
			sshcert_free(cert);
			blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		buf_reset(&blob);
	}
	buf_free(&blob);
}

static void
too_long_refused(void **state)
{
	struct buf blob = BUF_INIT;
	struct ht_error e;
	const char *reason;

	(void)state;
	buf_text(&blob, "ssh-ed25519-cert-v01@openssh.com");
	buf_zeros(&blob, SSHCERT_MAX);
	blob.len = SSHCERT_MAX;
	assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
	assert_string_equal(e.text,
	    "the certificate's nonce is missing or too long");
	blob.len++;
	assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
	assert_string_equal(reason, SSHCERT_MALFORMED);
	assert_string_equal(e.text, "no certificate, or too long");
	assert_null(sshcert_parse(cursor_over(NULL, 0), &reason, &e));
	assert_string_equal(reason, SSHCERT_MALFORMED);
	assert_string_equal(e.text, "no certificate, or too long");
	buf_free(&blob);
}

/* A certificate put together by hand, to be wrong where ssh-keygen is not. */
struct parts {
	const char *nonce;
	const char *principals;
	size_t principals_len;
	const char *options;
	size_t options_len;
	const char *extensions;
	size_t extensions_len;
	const char *reserved;
	const char *key_id;
	size_t key_id_len;
	const char *reason;
};

#define BYTES(literal) literal, sizeof(literal) - 1
#define CI                                                                     \
	BYTES("\0\0\0\x09"                                                     \
	      "client:ci")
#define NOTHING "", 0
#define FLAG(letter) "\0\0\0\x01" letter "\0\0\0\0"
#define ID BYTES("ci/7")
#define N16 "nnnnnnnnnnnnnnnn"
#define N128 N16 N16 N16 N16 N16 N16 N16 N16

static const struct parts by_hand[] = {
	{ "n", CI, NOTHING, NOTHING, "", ID, NULL },
	{ "n", CI, NOTHING, BYTES(FLAG("a") FLAG("b")), "", ID, NULL },
	{ N128, CI, NOTHING, NOTHING, "", ID, NULL },
	{ N128 "n", CI, NOTHING, NOTHING, "", ID, SSHCERT_MALFORMED },
	{ "", CI, NOTHING, NOTHING, "", ID, SSHCERT_MALFORMED },
	{ "n", CI, NOTHING, NOTHING, "r", ID, SSHCERT_MALFORMED },
	{ "n", CI, NOTHING, BYTES(FLAG("b") FLAG("a")), "", ID,
	    SSHCERT_MALFORMED },
	{ "n", CI, NOTHING, BYTES(FLAG("a") FLAG("a")), "", ID,
	    SSHCERT_MALFORMED },
	{ "n", CI, NOTHING, BYTES(FLAG("\0")), "", ID, SSHCERT_MALFORMED },
	{ "n", CI, NOTHING,
	    BYTES("\0\0\0\0"
	          "\0\0\0\0"),
	    "", ID, SSHCERT_MALFORMED },
	/* a value that is no string, and one with a byte behind it */
	{ "n", CI, NOTHING,
	    BYTES("\0\0\0\x01"
	          "a"
	          "\0\0\0\x01"
	          "v"),
	    "", ID, SSHCERT_MALFORMED },
	{ "n", CI, NOTHING,
	    BYTES("\0\0\0\x01"
	          "a"
	          "\0\0\0\x06"
	          "\0\0\0\x01"
	          "vw"),
	    "", ID, SSHCERT_MALFORMED },
	{ "n", CI,
	    BYTES("\0\0\0\x0e"
	          "source-address"
	          "\0\0\0\0"),
	    NOTHING, "", ID, SSHCERT_OPTION },
	{ "n", CI,
	    BYTES("\0\0\0\x0e"
	          "source-address"
	          "\0\0\0\x0d"
	          "\0\0\0\x09"
	          "1.2.3.4\0z"),
	    NOTHING, "", ID, SSHCERT_OPTION },
	{ "n", CI,
	    BYTES("\0\0\0\x0e"
	          "source-address"
	          "\0\0\0\x0b"
	          "\0\0\0\x07"
	          "1.2.3.4"),
	    NOTHING, "", ID, NULL },
	{ "n", CI, BYTES("\0"), NOTHING, "", ID, SSHCERT_MALFORMED },
	{ "n", CI,
	    BYTES("\0\0\0\x0e"
	          "source-address"
	          "\0\0\0\x0b"
	          "\0\0\0\x07"
	          "1.2.3.4"
	          "\0"),
	    NOTHING, "", ID, SSHCERT_MALFORMED },
	{ "n", CI, NOTHING, BYTES("\0"), "", ID, SSHCERT_MALFORMED },
	{ "n",
	    BYTES("\0\0\0\x0b"
	          "client:ci\0z"),
	    NOTHING, NOTHING, "", ID, SSHCERT_PRINCIPAL },
	{ "n",
	    BYTES("\0\0\0\x09"
	          "client:ci"
	          "z"),
	    NOTHING, NOTHING, "", ID, SSHCERT_PRINCIPAL },
	{ "n", NOTHING, NOTHING, NOTHING, "", ID, SSHCERT_PRINCIPAL },
	{ "n", BYTES("\0\0\0\0"), NOTHING, NOTHING, "", ID, SSHCERT_PRINCIPAL },
	{ "n", CI, NOTHING, NOTHING, "", BYTES("ci/7\0"), SSHCERT_KEY_ID },
	{ "n", CI, NOTHING, NOTHING, "", NOTHING, SSHCERT_KEY_ID },
};

static void
put_parts(const struct parts *parts, struct buf *blob)
{
	const struct sshkey *user = ssh_ca_users[0].key;
	struct buf signature = BUF_INIT;
	struct ht_error e;

	buf_text(blob, user->format->cert_name);
	buf_text(blob, parts->nonce);
	buf_bytes(blob, user->blob + user->body, user->blob_len - user->body);
	buf_u64be(blob, 7);
	buf_u32be(blob, 1);
	buf_string(blob, parts->key_id, parts->key_id_len);
	buf_string(blob, parts->principals, parts->principals_len);
	buf_u64be(blob, SSH_CA_AFTER);
	buf_u64be(blob, SSH_CA_BEFORE);
	buf_string(blob, parts->options, parts->options_len);
	buf_string(blob, parts->extensions, parts->extensions_len);
	buf_text(blob, parts->reserved);
	buf_string(blob, ssh_cas[0].key->blob, ssh_cas[0].key->blob_len);
	assert_int_equal(sshkey_private_sign(ssh_cas[0].private,
	                     buf_cursor(blob), &signature, &e),
	    0);
	buf_string(blob, signature.data, signature.len);
	assert_int_equal(buf_failed(blob), 0);
	buf_free(&signature);
}

static void
certificates_by_hand(void **state)
{
	struct buf blob = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(by_hand) / sizeof(by_hand[0]); i++) {
		put_parts(&by_hand[i], &blob);
		cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
		if ((cert == NULL) != (by_hand[i].reason != NULL))
			fail_msg("case %zu: %s", i, e.text);
		if (cert == NULL)
			assert_string_equal(reason, by_hand[i].reason);
		else
			ssh_ca_expect_good(cert, &ssh_cas[0], "1.2.3.4");
		sshcert_free(cert);
		buf_reset(&blob);
	}
	buf_free(&blob);
}

static void
what_is_not_known_is_named(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} cases[] = {
		{ "verify-required",
		    "the critical option \"verify-required\" is not known" },
		{ N16 N16 N16 N16 "o",
		    "the critical option \"" N16 N16 N16 N16
		    "\" is not known" },
	};
	struct parts parts = by_hand[0];
	struct buf option = BUF_INIT, blob = BUF_INIT;
	struct ht_error e;
	const char *reason;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_text(&option, cases[i].name);
		buf_u32be(&option, sizeof(uint32_t) + strlen("1.2.3.4"));
		buf_text(&option, "1.2.3.4");
		parts.options = (const char *)option.data;
		parts.options_len = option.len;
		put_parts(&parts, &blob);
		assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
		assert_string_equal(reason, SSHCERT_OPTION);
		assert_string_equal(e.text, cases[i].text);
		buf_free(&option);
		buf_free(&blob);
	}
}

/* 1023 bytes of them are taken, and no more. */
static void
as_many_addresses_as_there_is_room_for(void **state)
{
	struct parts parts = by_hand[0];
	struct buf list = BUF_INIT, value = BUF_INIT, option = BUF_INIT;
	struct buf blob = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	size_t i, longer;

	(void)state;
	for (longer = 0; longer < 2; longer++) {
		buf_format(&list, "%s", longer ? "11.2.3.4" : "1.2.3.4");
		for (i = 1; i < 128; i++)
			buf_format(&list, ",1.2.3.4");
		buf_string(&value, list.data, list.len);
		buf_text(&option, "source-address");
		buf_string(&option, value.data, value.len);
		parts.options = (const char *)option.data;
		parts.options_len = option.len;
		put_parts(&parts, &blob);
		cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
		if (longer == 0)
			ssh_ca_expect_good(cert, &ssh_cas[0], "1.2.3.4");
		else
			assert_string_equal(reason, SSHCERT_OPTION);
		sshcert_free(cert);
		buf_free(&list);
		buf_free(&value);
		buf_free(&option);
		buf_free(&blob);
	}
}

static void
without_memory_nothing_is_issued(void **state)
{
	struct sshcert_request request = request_for(0);
	struct buf line = BUF_INIT;
	struct ht_error e;
	unsigned int n;
	int rc;

	(void)state;
	request.source_address = "10.0.0.0/8";
	for (n = 1;; n++) {
		no_memory_at(n);
		rc = sshcert_issue(ssh_cas[0].private, &request, &line, &e);
		if (!no_memory_met())
			break;
		assert_int_equal(rc, HT_ERR_INTERNAL);
		buf_free(&line);
	}
	no_memory_at(0);
	assert_int_equal(rc, 0);
	assert_true(n > 8);
	buf_free(&line);
}

static void
without_memory_nothing_is_read(void **state)
{
	struct buf blob = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	unsigned int n;

	(void)state;
	issue_blob(0, 0, &blob);
	for (n = 1;; n++) {
		no_memory_at(n);
		cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
		if (!no_memory_met())
			break;
		assert_null(cert);
		assert_int_equal(e.code, HT_ERR_INTERNAL);
		assert_string_equal(reason, SSHCERT_INTERNAL);
	}
	no_memory_at(0);
	assert_non_null(cert);
	assert_true(n > 2);
	sshcert_free(cert);
	buf_free(&blob);
}

static void
without_memory_no_line_is_read(void **state)
{
	struct sshcert_request request = request_for(0);
	struct buf line = BUF_INIT, blob = BUF_INIT;
	struct ht_error e;
	unsigned int n;
	int rc;

	(void)state;
	assert_int_equal(sshcert_issue(ssh_cas[0].private, &request, &line, &e),
	    0);
	for (n = 1;; n++) {
		buf_reset(&blob);
		no_memory_at(n);
		rc = sshkey_line_blob(buf_cursor(&line), &blob, &e);
		if (!no_memory_met())
			break;
		assert_int_equal(rc, HT_ERR_INTERNAL);
	}
	no_memory_at(0);
	assert_int_equal(rc, 0);
	buf_free(&blob);
	buf_free(&line);
}

/* No random bytes, because libcrypto has no entropy. */
static bool no_entropy;
int __real_RAND_bytes(unsigned char *bytes, int n);
int __wrap_RAND_bytes(unsigned char *bytes, int n);

int
__wrap_RAND_bytes(unsigned char *bytes, int n)
{
	return no_entropy ? 0 : __real_RAND_bytes(bytes, n);
}

static void
without_a_nonce_nothing_is_issued(void **state)
{
	struct sshcert_request request = request_for(0);
	struct buf line = BUF_INIT;
	struct ht_error e;

	(void)state;
	no_entropy = true;
	assert_int_equal(sshcert_issue(ssh_cas[0].private, &request, &line, &e),
	    HT_ERR_INTERNAL);
	no_entropy = false;
	assert_int_equal(line.len, 0);
	buf_free(&line);
}

/* No digest: libcrypto has no memory for it. */
static bool no_digest;
int __real_EVP_Digest(const void *p, size_t n, unsigned char *digest,
    unsigned int *length, const EVP_MD *algorithm, ENGINE *engine);
int __wrap_EVP_Digest(const void *p, size_t n, unsigned char *digest,
    unsigned int *length, const EVP_MD *algorithm, ENGINE *engine);

int
__wrap_EVP_Digest(const void *p, size_t n, unsigned char *digest,
    unsigned int *length, const EVP_MD *algorithm, ENGINE *engine)
{
	return no_digest
	    ? 0
	    : __real_EVP_Digest(p, n, digest, length, algorithm, engine);
}

static void
without_a_digest_nothing_is_read(void **state)
{
	struct buf blob = BUF_INIT;
	struct ht_error e;
	const char *reason;

	(void)state;
	issue_blob(0, 0, &blob);
	no_digest = true;
	assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
	no_digest = false;
	assert_int_equal(e.code, HT_ERR_INTERNAL);
	assert_string_equal(reason, SSHCERT_INTERNAL);
	buf_free(&blob);
}

/* OpenSSL's want of memory, where a signature is verified. */
static bool no_context;
EVP_MD_CTX *__real_EVP_MD_CTX_new(void);
EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void);

EVP_MD_CTX *
__wrap_EVP_MD_CTX_new(void)
{
	return no_context ? NULL : __real_EVP_MD_CTX_new();
}

static void
expect_unchecked(const struct sshcert *cert, const struct ssh_ca *ca)
{
	struct sshcert_authority authority = { ca->key, false };
	struct ht_error e;
	const char *reason;

	assert_int_equal(
	    sshcert_check(cert, &authority, 1, SSH_CA_NOW, NULL, &reason, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(e.code, HT_ERR_INTERNAL);
	assert_string_equal(reason, SSHCERT_INTERNAL);
}

static void
without_memory_nothing_is_checked(void **state)
{
	struct buf blob = BUF_INIT;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;

	(void)state;
	issue_blob(0, 0, &blob);
	cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
	no_context = true;
	expect_unchecked(cert, &ssh_cas[0]);
	no_context = false;
	no_memory_at(1); /* for the fingerprint of a foreign CA */
	expect_unchecked(cert, &ssh_cas[1]);
	no_memory_at(0);
	sshcert_free(cert);
	buf_free(&blob);
}

static void
without_memory_no_private_key_is_read(void **state)
{
	struct sshkey_private *key;
	struct buf file = BUF_INIT;
	struct ht_error e;
	unsigned int n;

	(void)state;
	scratch_read(ssh_cas[0].file, &file);
	for (n = 1;; n++) {
		no_memory_at(n);
		key = sshkey_private_load(buf_cursor(&file), &e);
		if (!no_memory_met())
			break;
		assert_null(key);
		assert_int_equal(e.code, HT_ERR_INTERNAL);
	}
	no_memory_at(0);
	assert_non_null(key);
	assert_true(n > 5);
	sshkey_private_free(key);
	no_context = true;
	assert_null(sshkey_private_load(buf_cursor(&file), &e));
	assert_int_equal(e.code, HT_ERR_INTERNAL);
	no_context = false;
	buf_free(&file);
}

/* Not a test of speed: a figure to look at. */
static void
time_of_a_check(void **state)
{
	struct timespec start, end;
	struct sshcert *cert;
	struct buf blob = BUF_INIT;
	struct ht_error e;
	const char *reason;
	double elapsed;
	size_t i, ca;

	(void)state;
	for (ca = 0; ca < 2; ca++) {
		issue_blob(ca, ca, &blob);
		assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &start), 0);
		for (i = 0; i < 100; i++) {
			cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
			ssh_ca_expect_good(cert, &ssh_cas[ca], "10.0.0.1");
			sshcert_free(cert);
		}
		assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
		elapsed = (double)(end.tv_sec - start.tv_sec) * 1e6 +
		    (double)(end.tv_nsec - start.tv_nsec) / 1e3;
		print_message("%s: %.0f us to parse and check\n",
		    ssh_cas[ca].file, elapsed / 100);
		buf_reset(&blob);
	}
	buf_free(&blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ssh_keygen_takes_what_is_issued),
		cmocka_unit_test(limits_are_issued),
		cmocka_unit_test(nonsense_is_not_issued),
		cmocka_unit_test(every_truncation_refused),
		cmocka_unit_test(a_truncation_is_named_by_what_is_cut),
		cmocka_unit_test(every_flipped_bit_refused),
		cmocka_unit_test(mutated_ones_are_refused),
		cmocka_unit_test(too_long_refused),
		cmocka_unit_test(certificates_by_hand),
		cmocka_unit_test(what_is_not_known_is_named),
		cmocka_unit_test(as_many_addresses_as_there_is_room_for),
		cmocka_unit_test(without_memory_nothing_is_issued),
		cmocka_unit_test(without_a_nonce_nothing_is_issued),
		cmocka_unit_test(without_memory_nothing_is_read),
		cmocka_unit_test(without_a_digest_nothing_is_read),
		cmocka_unit_test(without_memory_no_line_is_read),
		cmocka_unit_test(without_memory_nothing_is_checked),
		cmocka_unit_test(without_memory_no_private_key_is_read),
		cmocka_unit_test(time_of_a_check),
	};

	return cmocka_run_group_tests(tests, ssh_ca_enter_signing,
	    ssh_ca_leave);
}

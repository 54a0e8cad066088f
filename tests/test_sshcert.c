#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "keys/sshcert.h"
#include "keys/sshkey-format.h"
#include "lib/base64.h"
#include "lib/error.h"
#include "tests/mutate.h"
#include "tests/scratch.h"

/* 2026-01-01 and 2027-01-01, and a moment between them. */
#define AFTER UINT64_C(1767225600)
#define BEFORE UINT64_C(1798761600)
#define NOW UINT64_C(1780000000)
#define VALIDITY "20260101000000Z:20270101000000Z"

static const char *const users[][3] = {
	{ "ed25519", "ed25519", "256" },
	{ "p256", "ecdsa", "256" },
	{ "p384", "ecdsa", "384" },
	{ "p521", "ecdsa", "521" },
	{ "rsa", "rsa", "2048" },
	{ "sk", NULL, NULL },
};
#define USERS (sizeof(users) / sizeof(users[0]))

/* The last one cannot sign for us. */
static const char *const cas[][3] = {
	{ "ca-ed25519", "ed25519", "256" },
	{ "ca-p256", "ecdsa", "256" },
	{ "ca-p384", "ecdsa", "384" },
	{ "ca-p521", "ecdsa", "521" },
	{ "ca-rsa", "rsa", "3072" },
};
#define CAS (sizeof(cas) / sizeof(cas[0]))
#define SIGNING_CAS (CAS - 1)

static struct sshkey *user_keys[USERS];
static struct sshkey *ca_keys[CAS];
static struct sshkey_private *ca_private[SIGNING_CAS];

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

/* A key of an authenticator that nobody has. */
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
	assert_int_equal(sshkey_line(key, NULL, &line, &e), 0);
	buf_u8(&line, '\n');
	scratch_write("sk.pub", line.data, line.len);
	buf_free(&blob);
	buf_free(&line);
	return key;
}

static struct sshkey *
make_key(const char *const what[3])
{
	if (what[1] == NULL)
		return make_sk();
	if (RUN("ssh-keygen", "-q", "-t", what[1], "-b", what[2], "-N", "",
	        "-C", "", "-f", what[0]) != 0)
		return NULL;
	return load_public(what[0]);
}

static int
make_keys(void **state)
{
	struct buf file = BUF_INIT;
	struct ht_error e;
	size_t i;

	if (scratch_enter(state) != 0)
		return 1;
	for (i = 0; i < USERS; i++) {
		user_keys[i] = make_key(users[i]);
		if (user_keys[i] == NULL)
			return 1;
	}
	for (i = 0; i < CAS; i++) {
		ca_keys[i] = make_key(cas[i]);
		if (ca_keys[i] == NULL)
			return 1;
	}
	for (i = 0; i < SIGNING_CAS; i++) {
		scratch_read(cas[i][0], &file);
		ca_private[i] = sshkey_private_load(buf_cursor(&file), &e);
		buf_reset(&file);
		if (ca_private[i] == NULL)
			return 1;
	}
	buf_free(&file);
	return 0;
}

static int
drop_keys(void **state)
{
	size_t i;

	for (i = 0; i < USERS; i++)
		sshkey_free(user_keys[i]);
	for (i = 0; i < CAS; i++)
		sshkey_free(ca_keys[i]);
	for (i = 0; i < SIGNING_CAS; i++)
		sshkey_private_free(ca_private[i]);
	return scratch_leave(state);
}

/* The certificate that ssh-keygen -s left beside the public key of user. */
static struct sshcert *
parse_file(const char *user, const char **reason, struct ht_error *e)
{
	struct buf line = BUF_INIT;
	struct sshcert *cert;
	char name[64];

	(void)snprintf(name, sizeof(name), "%s-cert.pub", user);
	scratch_read(name, &line);
	cert = sshcert_parse_line(buf_cursor(&line), reason, e);
	buf_free(&line);
	assert_true((cert == NULL) == (*reason != NULL));
	return cert;
}

static int
check(const struct sshcert *cert, const struct sshkey *ca, uint64_t now,
    const char *peer, const char **reason)
{
	struct sshcert_authority authority = { ca, false };
	struct ht_error e;

	return sshcert_check(cert, &authority, 1, now, peer, reason, &e);
}

static void
expect_good(
    const struct sshcert *cert, const struct sshkey *ca, const char *peer)
{
	const char *reason;

	if (check(cert, ca, NOW, peer, &reason) != 0)
		fail_msg("refused: %s", reason);
	assert_null(reason);
}

static void
expect_refused(const struct sshcert *cert, const struct sshkey *ca,
    uint64_t now, const char *peer, const char *word)
{
	const char *reason;

	assert_int_equal(check(cert, ca, now, peer, &reason), HT_ERR_DENIED);
	assert_string_equal(reason, word);
}

static void
takes_what_ssh_keygen_signs(void **state)
{
	const struct sshkey *other;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	char name[64];
	size_t i, j;

	(void)state;
	for (i = 0; i < CAS; i++) {
		other = ca_keys[(i + 1) % CAS];
		for (j = 0; j < USERS; j++) {
			(void)snprintf(
			    name, sizeof(name), "%s.pub", users[j][0]);
			assert_int_equal(
			    RUN("ssh-keygen", "-q", "-s", cas[i][0], "-I",
			        "ci/7", "-z", "7", "-n", "client:ci", "-V",
			        VALIDITY, name),
			    0);
			cert = parse_file(users[j][0], &reason, &e);
			if (cert == NULL)
				fail_msg("%s: %s", reason, e.text);
			assert_string_equal(sshcert_key_id(cert), "ci/7");
			assert_string_equal(sshcert_person(cert), "ci");
			assert_int_equal(sshcert_serial(cert), 7);
			assert_int_equal(sshcert_valid_after(cert), AFTER);
			assert_int_equal(sshcert_valid_before(cert), BEFORE);
			assert_int_equal(
			    sshcert_principal(cert)->role, NAMES_CLIENT);
			assert_string_equal(
			    sshcert_principal(cert)->client, "ci");
			assert_true(
			    sshkey_equal(sshcert_key(cert), user_keys[j]));
			assert_true(
			    sshkey_is_blob(ca_keys[i], sshcert_ca(cert)));
			assert_int_equal(
			    sshcert_is_sk(cert), sshkey_is_sk(user_keys[j]));
			expect_good(cert, ca_keys[i], NULL);
			expect_refused(
			    cert, other, NOW, NULL, SSHCERT_FOREIGN_CA);
			sshcert_free(cert);
		}
	}
	sshcert_free(NULL);
}

static void
validity_has_edges(void **state)
{
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;

	(void)state;
	assert_int_equal(
	    RUN("ssh-keygen", "-q", "-s", "ca-ed25519", "-I", "ci/7", "-z", "7",
	        "-n", "client:ci", "-V", VALIDITY, "ed25519.pub"),
	    0);
	cert = parse_file("ed25519", &reason, &e);
	assert_non_null(cert);
	expect_refused(cert, ca_keys[0], AFTER - 1, NULL, SSHCERT_NOT_YET);
	assert_int_equal(check(cert, ca_keys[0], AFTER, NULL, &reason), 0);
	assert_int_equal(check(cert, ca_keys[0], BEFORE - 1, NULL, &reason), 0);
	expect_refused(cert, ca_keys[0], BEFORE, NULL, SSHCERT_EXPIRED);
	expect_refused(cert, ca_keys[0], UINT64_MAX, NULL, SSHCERT_EXPIRED);
	sshcert_free(cert);
}

static void
rsa_ca_signs_without_sha1(void **state)
{
	static const struct {
		const char *algorithm;
		const char *reason;
	} ways[] = {
		{ "rsa-sha2-256", NULL },
		{ "rsa-sha2-512", NULL },
		{ "ssh-rsa", SSHCERT_SIGNATURE },
	};
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		assert_int_equal(
		    RUN("ssh-keygen", "-q", "-s", "ca-rsa", "-t",
		        ways[i].algorithm, "-I", "ci/7", "-z", "7", "-n",
		        "client:ci", "-V", VALIDITY, "ed25519.pub"),
		    0);
		cert = parse_file("ed25519", &reason, &e);
		assert_non_null(cert);
		if (ways[i].reason == NULL)
			expect_good(cert, ca_keys[SIGNING_CAS], NULL);
		else
			expect_refused(cert, ca_keys[SIGNING_CAS], NOW, NULL,
			    ways[i].reason);
		sshcert_free(cert);
	}
}

/* Sign with the first CA, with these three options; then parse. */
static struct sshcert *
sign_with(const char *principals, const char *id, const char *option,
    const char **reason)
{
	struct sshcert *cert;
	struct ht_error e;

	if (option[0] != '\0')
		assert_int_equal(RUN("ssh-keygen", "-q", "-s", "ca-ed25519",
		                     "-I", id, "-z", "7", "-V", VALIDITY, "-n",
		                     principals, "-O", option, "ed25519.pub"),
		    0);
	else
		assert_int_equal(
		    RUN("ssh-keygen", "-q", "-s", "ca-ed25519", "-I", id, "-z",
		        "7", "-V", VALIDITY, "-n", principals, "ed25519.pub"),
		    0);
	cert = parse_file("ed25519", reason, &e);
	if (cert == NULL) {
		assert_int_equal(e.code, HT_ERR_DATA);
		assert_true(e.text[0] != '\0');
	}
	return cert;
}

static void
claims_decide(void **state)
{
	static const struct {
		const char *principals;
		const char *id;
		const char *option;
		const char *reason; /* or NULL */
	} cases[] = {
		{ "client:ci", "ci/7", "", NULL },
		{ "client:ci", "ci/7", "clear", NULL },
		{ "client:ci", "ci/7", "no-pty", NULL },
		{ "client:ci", "ci/7", "extension:note@example.com=x", NULL },
		{ "role:admin", "ann/7", "", NULL },
		{ "role:approver", "ann/7", "", NULL },
		{ "role:auditor", "ann/7", "", NULL },
		{ "client:ci", "ci/7", "source-address=10.0.0.0/8", NULL },
		{ "client:ci", "ci/7", "force-command=true", SSHCERT_OPTION },
		{ "client:ci", "ci/7", "verify-required", SSHCERT_OPTION },
		{ "client:ci", "ci/7", "critical:new@example.com=1",
		    SSHCERT_OPTION },
		{ "client:ci,client:cd", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:ci,role:admin", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:ci,client:ci", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "root", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:CI", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:-ci", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:c i", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "client:cd", "ci/7", "", SSHCERT_PRINCIPAL },
		{ "role:root", "ann/7", "", SSHCERT_PRINCIPAL },
		{ "role:client", "ann/7", "", SSHCERT_PRINCIPAL },
		{ "role:", "ann/7", "", SSHCERT_PRINCIPAL },
		{ "client:ci", "ci", "", SSHCERT_KEY_ID },
		{ "client:ci", "ci/8", "", SSHCERT_KEY_ID },
		{ "client:ci", "ci/07", "", SSHCERT_KEY_ID },
		{ "client:ci", "ci/7/7", "", SSHCERT_KEY_ID },
		{ "client:ci", "/7", "", SSHCERT_KEY_ID },
		{ "client:ci", "CI/7", "", SSHCERT_KEY_ID },
		{ "client:ci", "ci/7\n", "", SSHCERT_KEY_ID },
	};
	struct sshcert *cert;
	const char *reason;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cert = sign_with(
		    cases[i].principals, cases[i].id, cases[i].option, &reason);
		if (cases[i].reason == NULL && cert == NULL)
			fail_msg("case %zu refused: %s", i, reason);
		if (cases[i].reason != NULL) {
			assert_null(cert);
			assert_string_equal(reason, cases[i].reason);
		}
		sshcert_free(cert);
	}
}

static void
long_names_fit(void **state)
{
	char name[NAMES_SIZE], principal[NAMES_PRINCIPAL_SIZE + 2];
	char id[SSHCERT_KEY_ID_SIZE + 2];
	struct sshcert *cert;
	const char *reason;

	(void)state;
	memset(name, 'n', NAMES_MAX);
	name[NAMES_MAX] = '\0';
	(void)snprintf(principal, sizeof(principal), "client:%s", name);
	(void)snprintf(id, sizeof(id), "%s/7", name);
	cert = sign_with(principal, id, "", &reason);
	assert_non_null(cert);
	assert_string_equal(sshcert_principal(cert)->client, name);
	sshcert_free(cert);
	(void)snprintf(id, sizeof(id), "%sn/7", name);
	assert_null(sign_with(principal, id, "", &reason));
	assert_string_equal(reason, SSHCERT_KEY_ID);
	(void)snprintf(principal, sizeof(principal), "client:%sn", name);
	assert_null(sign_with(principal, "ci/7", "", &reason));
	assert_string_equal(reason, SSHCERT_PRINCIPAL);
}

static void
no_principals_and_hosts(void **state)
{
	struct ht_error e;
	const char *reason;

	(void)state;
	assert_int_equal(RUN("ssh-keygen", "-q", "-s", "ca-ed25519", "-I",
	                     "ci/7", "-z", "7", "ed25519.pub"),
	    0);
	assert_null(parse_file("ed25519", &reason, &e));
	assert_string_equal(reason, SSHCERT_PRINCIPAL);
	assert_int_equal(
	    RUN("ssh-keygen", "-q", "-h", "-s", "ca-ed25519", "-I", "ci/7",
	        "-z", "7", "-n", "client:ci", "ed25519.pub"),
	    0);
	assert_null(parse_file("ed25519", &reason, &e));
	assert_string_equal(reason, SSHCERT_NOT_USER);
}

static void
each_ca_has_its_roles(void **state)
{
	const struct sshcert_authority authorities[] = {
		{ ca_keys[1], true },
		{ ca_keys[0], false },
	};
	const struct sshcert_authority admin = { ca_keys[0], true };
	struct sshcert *client, *role;
	struct ht_error e;
	const char *reason;

	(void)state;
	client = sign_with("client:ci", "ci/7", "", &reason);
	assert_non_null(client);
	assert_int_equal(
	    sshcert_check(client, authorities, 2, NOW, NULL, &reason, &e), 0);
	assert_int_equal(
	    sshcert_check(client, authorities, 1, NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	assert_int_equal(
	    sshcert_check(client, &admin, 1, NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	assert_string_equal(reason, SSHCERT_FOREIGN_CA);
	assert_int_equal(sshcert_check(client, NULL, 0, NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	role = sign_with("role:admin", "ann/7", "", &reason);
	assert_non_null(role);
	assert_string_equal(sshcert_person(role), "ann");
	assert_int_equal(sshcert_principal(role)->role, NAMES_ADMIN);
	assert_int_equal(
	    sshcert_check(role, authorities, 2, NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	assert_string_equal(reason, SSHCERT_FOREIGN_CA);
	assert_int_equal(
	    sshcert_check(role, &admin, 1, NOW, NULL, &reason, &e), 0);
	sshcert_free(client);
	sshcert_free(role);
}

static void
source_addresses_checked(void **state)
{
	struct sshcert *cert;
	const char *reason;

	(void)state;
	cert = sign_with("client:ci", "ci/7",
	    "source-address=10.0.0.0/8,192.0.2.7,2001:db8::/32", &reason);
	assert_non_null(cert);
	expect_good(cert, ca_keys[0], "10.255.1.2");
	expect_good(cert, ca_keys[0], "::ffff:10.1.2.3");
	expect_good(cert, ca_keys[0], "192.0.2.7");
	expect_good(cert, ca_keys[0], "2001:db8::1");
	expect_good(cert, ca_keys[0], sshcert_any_peer);
	expect_refused(cert, ca_keys[0], NOW, "any address", SSHCERT_ADDRESS);
	expect_refused(cert, ca_keys[0], NOW, "192.0.2.8", SSHCERT_ADDRESS);
	expect_refused(cert, ca_keys[0], NOW, "2001:db9::1", SSHCERT_ADDRESS);
	expect_refused(cert, ca_keys[0], NOW, "UNKNOWN", SSHCERT_ADDRESS);
	expect_refused(cert, ca_keys[0], NOW, "", SSHCERT_ADDRESS);
	expect_refused(cert, ca_keys[0], NOW, NULL, SSHCERT_ADDRESS);
	sshcert_free(cert);
}

static void
address_lists(void **state)
{
	static const struct {
		const char *list;
		const char *peer;
		bool in;
	} cases[] = {
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "1.2.3.4", false },
		{ "::/0", "::ffff:1.2.3.4", false },
		{ "::/0", "2001:db8::1", true },
		{ "::ffff:1.2.3.0/120", "1.2.3.4", true },
		{ "::ffff:1.2.3.4", "1.2.3.4", true },
		{ "1.2.3.4/31", "1.2.3.5", true },
		{ "1.2.3.4/31", "1.2.3.6", false },
		{ "1.2.3.4/32", "1.2.3.5", false },
		{ "fe80::/10", "fe80::1%eth0", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "1.2.3.4", "1.2.3.4/0", false },
		{ "1.2.3.4", "1.2.3.4,1.2.3.4", false },
		{ "1.2.3.4", "01.2.3.4", false },
	};
	static const char *const bad[] = { "", ",", "1.2.3.4,", ",1.2.3.4",
		"1.2.3.4,,1.2.3.5", "1.2.3", "1.2.3.4/33", "1.2.3.4/",
		"1.2.3.0/024", "1.2.3.4/24", "1.2.3.4/-1", "1.2.3.4 ",
		"!1.2.3.4", "*", "host.example.com", "::1/129", "::1/64",
		"::1%lo", "1.2.3.4/1/2", "1.2.3.4/4294967296",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/128" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(sshcert_addresses_valid(cases[i].list));
		if (sshcert_address_in(cases[i].list, cases[i].peer) !=
		    cases[i].in)
			fail_msg("%s in %s", cases[i].peer, cases[i].list);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (sshcert_addresses_valid(bad[i]))
			fail_msg("took %s", bad[i]);
		assert_false(sshcert_address_in(bad[i], "1.2.3.4"));
	}
}

static struct sshcert_request
request_for(size_t user)
{
	struct sshcert_request request = {
		.key = user_keys[user],
		.principal = { NAMES_CLIENT, "ci" },
		.serial = UINT64_MAX,
		.valid_after = AFTER,
		.valid_before = BEFORE,
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
	    sshkey_fingerprint(user_keys[user], fingerprint, &e), 0);
	assert_true(scratch_output_holds(fingerprint));
	assert_int_equal(sshkey_fingerprint(ca_keys[ca], fingerprint, &e), 0);
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
	for (i = 0; i < SIGNING_CAS; i++) {
		for (j = 0; j < USERS; j++) {
			request = request_for(j);
			request.source_address = "10.0.0.0/8";
			if (sshcert_issue(ca_private[i], &request, &line, &e) !=
			    0)
				fail_msg("%s", e.text);
			scratch_write("issued", line.data, line.len);
			expect_listing(j, i);
			cert =
			    sshcert_parse_line(buf_cursor(&line), &reason, &e);
			assert_non_null(cert);
			expect_good(cert, ca_keys[i], "10.0.0.1");
			sshcert_free(cert);
			buf_reset(&line);
		}
	}
	buf_free(&line);
}

static void
refuse_to_issue(const struct sshcert_request *request)
{
	struct buf line = BUF_INIT;
	struct ht_error e;

	assert_int_equal(
	    sshcert_issue(ca_private[0], request, &line, &e), HT_ERR_USAGE);
	assert_int_equal(line.len, 0);
	buf_free(&line);
}

static void
nonsense_is_not_issued(void **state)
{
	struct sshcert_request request;

	(void)state;
	request = request_for(0);
	request.valid_after = request.valid_before;
	refuse_to_issue(&request);
	request = request_for(0);
	request.source_address = "10.0.0.1/8";
	refuse_to_issue(&request);
	request = request_for(0);
	request.source_address = "";
	refuse_to_issue(&request);
	request = request_for(0);
	request.person = "somebody";
	refuse_to_issue(&request);
	request = request_for(0);
	request.principal.role = NAMES_ADMIN;
	request.principal.client[0] = '\0';
	refuse_to_issue(&request); /* whose? */
}

/* An issued certificate as a blob; of which CA and user. */
static void
issue_blob(size_t ca, size_t user, struct buf *blob)
{
	struct sshcert_request request = request_for(user);
	struct buf line = BUF_INIT;
	struct ht_error e;

	request.source_address = "10.0.0.0/8";
	assert_int_equal(sshcert_issue(ca_private[ca], &request, &line, &e), 0);
	assert_int_equal(sshkey_line_blob(buf_cursor(&line), blob, &e), 0);
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
	for (i = 0; i < USERS; i++) {
		issue_blob(0, i, &blob);
		for (n = 0; n < blob.len; n += mutate_step()) {
			assert_null(sshcert_parse(
			    cursor_over(blob.data, n), &reason, &e));
			assert_int_equal(e.code, HT_ERR_DATA);
			assert_non_null(reason);
		}
		buf_u8(&blob, 0);
		assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
		assert_string_equal(reason, SSHCERT_MALFORMED);
		buf_reset(&blob);
	}
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
	for (i = 0; i < SIGNING_CAS; i++) {
		issue_blob(i, i, &blob);
		/* P-384 and P-521 verify slowly: a sample of those. */
		for (bit = 0; bit < blob.len * 8;
		     bit += (i < 2 ? 1 : 7) * mutate_step()) {
			blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cert = sshcert_parse(buf_cursor(&blob), &reason, &e);
			if (cert != NULL &&
			    check(cert, ca_keys[i], NOW, "10.0.0.1", &reason) ==
			        0)
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
	assert_null(sshcert_parse(buf_cursor(&blob), &reason, &e));
	assert_string_equal(reason, SSHCERT_MALFORMED);
	assert_null(sshcert_parse(cursor_over(NULL, 0), &reason, &e));
	assert_string_equal(reason, SSHCERT_MALFORMED);
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

static const struct parts by_hand[] = {
	{ "n", CI, NOTHING, NOTHING, "", ID, NULL },
	{ "n", CI, NOTHING, BYTES(FLAG("a") FLAG("b")), "", ID, NULL },
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
	const struct sshkey *user = user_keys[0];
	struct buf signature = BUF_INIT;
	struct ht_error e;

	buf_text(blob, user->format->cert_name);
	buf_text(blob, parts->nonce);
	buf_bytes(blob, user->blob + user->body, user->blob_len - user->body);
	buf_u64be(blob, 7);
	buf_u32be(blob, 1);
	buf_string(blob, parts->key_id, parts->key_id_len);
	buf_string(blob, parts->principals, parts->principals_len);
	buf_u64be(blob, AFTER);
	buf_u64be(blob, BEFORE);
	buf_string(blob, parts->options, parts->options_len);
	buf_string(blob, parts->extensions, parts->extensions_len);
	buf_text(blob, parts->reserved);
	buf_string(blob, ca_keys[0]->blob, ca_keys[0]->blob_len);
	assert_int_equal(sshkey_private_sign(
	                     ca_private[0], buf_cursor(blob), &signature, &e),
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
			expect_good(cert, ca_keys[0], "1.2.3.4");
		sshcert_free(cert);
		buf_reset(&blob);
	}
	buf_free(&blob);
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
			expect_good(cert, ca_keys[ca], "10.0.0.1");
			sshcert_free(cert);
		}
		assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
		elapsed = (double)(end.tv_sec - start.tv_sec) * 1e6 +
		    (double)(end.tv_nsec - start.tv_nsec) / 1e3;
		print_message("%s: %.0f us to parse and check\n", cas[ca][0],
		    elapsed / 100);
		buf_reset(&blob);
	}
	buf_free(&blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_ssh_keygen_signs),
		cmocka_unit_test(validity_has_edges),
		cmocka_unit_test(rsa_ca_signs_without_sha1),
		cmocka_unit_test(claims_decide),
		cmocka_unit_test(long_names_fit),
		cmocka_unit_test(no_principals_and_hosts),
		cmocka_unit_test(each_ca_has_its_roles),
		cmocka_unit_test(source_addresses_checked),
		cmocka_unit_test(address_lists),
		cmocka_unit_test(ssh_keygen_takes_what_is_issued),
		cmocka_unit_test(nonsense_is_not_issued),
		cmocka_unit_test(every_truncation_refused),
		cmocka_unit_test(every_flipped_bit_refused),
		cmocka_unit_test(too_long_refused),
		cmocka_unit_test(certificates_by_hand),
		cmocka_unit_test(time_of_a_check),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}

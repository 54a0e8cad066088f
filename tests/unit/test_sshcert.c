/*
 * Certificates that ssh-keygen signed: what they claim, and who is let in by
 * them.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "keys/sshcert/sshkey-format.h"
#include "lib/error.h"
#include "tests/support/scratch.h"
#include "tests/support/ssh_ca.h"

/* The certificate that ssh-keygen -s left beside the public key of user. */
static struct sshcert *
parse_file(const char *user, const char **reason, struct ht_error *e)
{
	struct buf line = BUF_INIT;
	struct sshcert *cert;
	char name[64];

	(void)snprintf(name, sizeof(name), "%s-cert.pub", user);
	scratch_read(name, &line);
	cert = ssh_ca_parse_line(buf_cursor(&line), reason, e);
	buf_free(&line);
	assert_true((cert == NULL) == (*reason != NULL));
	return cert;
}

static void
takes_what_ssh_keygen_signs(void **state)
{
	const struct ssh_ca *other;
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;
	char name[64];
	size_t i, j;

	(void)state;
	for (i = 0; i < SSH_CA_COUNT; i++) {
		other = &ssh_cas[(i + 1) % SSH_CA_COUNT];
		for (j = 0; j < SSH_CA_USERS; j++) {
			(void)snprintf(name, sizeof(name), "%s.pub",
			    ssh_ca_users[j].file);
			assert_int_equal(RUN("ssh-keygen", "-q", "-s",
			                     ssh_cas[i].file, "-I", "ci/7",
			                     "-z", "7", "-n", "client:ci", "-V",
			                     SSH_CA_VALIDITY, name),
			    0);
			cert = parse_file(ssh_ca_users[j].file, &reason, &e);
			if (cert == NULL)
				fail_msg("%s: %s", reason, e.text);
			assert_string_equal(sshcert_person(cert), "ci");
			assert_int_equal(sshcert_serial(cert), 7);
			assert_int_equal(sshcert_valid_before(cert),
			    SSH_CA_BEFORE);
			assert_int_equal(sshcert_principal(cert)->role,
			    NAMES_CLIENT);
			assert_string_equal(sshcert_principal(cert)->client,
			    "ci");
			assert_true(
			    sshkey_is_blob(ssh_cas[i].key, sshcert_ca(cert)));
			assert_int_equal(sshcert_is_sk(cert),
			    sshkey_is_sk(ssh_ca_users[j].key));
			ssh_ca_expect_good(cert, &ssh_cas[i], NULL);
			ssh_ca_expect_refused(cert, other, SSH_CA_NOW, NULL,
			    SSHCERT_FOREIGN_CA);
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
	assert_int_equal(RUN("ssh-keygen", "-q", "-s", "ca-ed25519", "-I",
	                     "ci/7", "-z", "7", "-n", "client:ci", "-V",
	                     SSH_CA_VALIDITY, "ed25519.pub"),
	    0);
	cert = parse_file("ed25519", &reason, &e);
	assert_non_null(cert);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_AFTER - 1, NULL,
	    SSHCERT_NOT_YET);
	assert_int_equal(
	    ssh_ca_check(cert, &ssh_cas[0], SSH_CA_AFTER, NULL, &reason), 0);
	assert_int_equal(
	    ssh_ca_check(cert, &ssh_cas[0], SSH_CA_BEFORE - 1, NULL, &reason),
	    0);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_BEFORE, NULL,
	    SSHCERT_EXPIRED);
	ssh_ca_expect_refused(cert, &ssh_cas[0], UINT64_MAX, NULL,
	    SSHCERT_EXPIRED);
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
		assert_int_equal(RUN("ssh-keygen", "-q", "-s", "ca-rsa", "-t",
		                     ways[i].algorithm, "-I", "ci/7", "-z", "7",
		                     "-n", "client:ci", "-V", SSH_CA_VALIDITY,
		                     "ed25519.pub"),
		    0);
		cert = parse_file("ed25519", &reason, &e);
		assert_non_null(cert);
		if (ways[i].reason == NULL)
			ssh_ca_expect_good(cert, &ssh_cas[SSH_CA_SIGNING],
			    NULL);
		else
			ssh_ca_expect_refused(cert, &ssh_cas[SSH_CA_SIGNING],
			    SSH_CA_NOW, NULL, ways[i].reason);
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
		                     "-I", id, "-z", "7", "-V", SSH_CA_VALIDITY,
		                     "-n", principals, "-O", option,
		                     "ed25519.pub"),
		    0);
	else
		assert_int_equal(RUN("ssh-keygen", "-q", "-s", "ca-ed25519",
		                     "-I", id, "-z", "7", "-V", SSH_CA_VALIDITY,
		                     "-n", principals, "ed25519.pub"),
		    0);
	cert = parse_file("ed25519", reason, &e);
	if (cert == NULL) {
		assert_int_equal(e.code, HT_ERR_DATA);
		assert_true(e.text[0] != '\0');
	}
	return cert;
}

#define SIXTEEN "1234567890123456"
#define SIXTY_FOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN

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
		{ "client:ci", "ci/7", "extension:profile@htsign=sign", NULL },
		{ "client:ci", "ci/7", "extension:uses@htsign=1", NULL },
		{ "client:ci", "ci/7", "extension:uses@htsign=4294967295",
		    NULL },
		{ "client:ci", "ci/7", "extension:uses@htsign.example=x",
		    NULL },
		{ "client:ci", "ci/7", "extension:profile@htsign=Sign",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:profile@htsign=a,b",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:profile@htsign=" SIXTY_FOUR,
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:profile@htsign",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=0",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=03",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=+3",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=-1",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=3x",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=4294967296",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=4294967297",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:uses@htsign=" SIXTY_FOUR,
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:new@htsign=1",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "extension:@htsign=1",
		    SSHCERT_EXTENSION },
		{ "role:admin", "ann/7", "extension:uses@htsign=1",
		    SSHCERT_EXTENSION },
		{ "role:admin", "ann/7", "extension:profile@htsign=sign",
		    SSHCERT_EXTENSION },
		{ "client:ci", "ci/7", "critical:uses@htsign=1",
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
		cert = sign_with(cases[i].principals, cases[i].id,
		    cases[i].option, &reason);
		if (cases[i].reason == NULL && cert == NULL)
			fail_msg("case %zu refused: %s", i, reason);
		if (cases[i].reason != NULL) {
			assert_null(cert);
			assert_string_equal(reason, cases[i].reason);
		}
		sshcert_free(cert);
	}
}

/* Serial 0 is many certificates', so it cannot count. */
static void
what_is_limited_is_said(void **state)
{
	struct sshcert *cert;
	struct ht_error e;
	const char *reason;

	(void)state;
	cert = sign_with("client:ci", "ci/7", "", &reason);
	assert_string_equal(sshcert_profile(cert), "");
	assert_int_equal(sshcert_uses(cert), 0);
	assert_true(sshkey_equal(sshcert_key(cert), ssh_ca_users[0].key));
	sshcert_free(cert);
	cert = sign_with("client:ci", "ci/7",
	    "extension:uses@htsign=4294967295", &reason);
	assert_int_equal(sshcert_uses(cert), UINT32_MAX);
	sshcert_free(cert);
	cert = sign_with("client:ci", "ci/7", "extension:profile@htsign=a-b",
	    &reason);
	assert_string_equal(sshcert_profile(cert), "a-b");
	assert_int_equal(sshcert_uses(cert), 0);
	sshcert_free(cert);
	assert_int_equal(RUN("ssh-keygen", "-q", "-s", "ca-ed25519", "-I",
	                     "ci/0", "-n", "client:ci", "-V", SSH_CA_VALIDITY,
	                     "-O", "extension:uses@htsign=1", "ed25519.pub"),
	    0);
	assert_null(parse_file("ed25519", &reason, &e));
	assert_string_equal(reason, SSHCERT_EXTENSION);
	assert_string_equal(e.text,
	    "the extension \"uses@htsign\" is not known or not valid here");
}

static void
long_names_fit(void **state)
{
	char name[NAMES_SIZE], principal[NAMES_PRINCIPAL_SIZE + 2];
	char id[SSHCERT_KEY_ID_SIZE + 2], endless[4096];
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
	memset(endless, 'n', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_null(sign_with(principal, endless, "", &reason));
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
	assert_int_equal(RUN("ssh-keygen", "-q", "-h", "-s", "ca-ed25519", "-I",
	                     "ci/7", "-z", "7", "-n", "client:ci",
	                     "ed25519.pub"),
	    0);
	assert_null(parse_file("ed25519", &reason, &e));
	assert_string_equal(reason, SSHCERT_NOT_USER);
	assert_string_equal(e.text, "not the certificate of a user");
}

static void
each_ca_has_its_roles(void **state)
{
	const struct sshcert_authority authorities[] = {
		{ ssh_cas[1].key, true },
		{ ssh_cas[0].key, false },
	};
	const struct sshcert_authority admin = { ssh_cas[0].key, true };
	struct sshcert *client, *role;
	struct ht_error e;
	const char *reason;

	(void)state;
	client = sign_with("client:ci", "ci/7", "", &reason);
	assert_non_null(client);
	assert_int_equal(sshcert_check(client, authorities, 2, SSH_CA_NOW, NULL,
	                     &reason, &e),
	    0);
	assert_int_equal(sshcert_check(client, authorities, 1, SSH_CA_NOW, NULL,
	                     &reason, &e),
	    HT_ERR_DENIED);
	assert_int_equal(
	    sshcert_check(client, &admin, 1, SSH_CA_NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	assert_string_equal(reason, SSHCERT_FOREIGN_CA);
	assert_int_equal(
	    sshcert_check(client, NULL, 0, SSH_CA_NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	role = sign_with("role:admin", "ann/7", "", &reason);
	assert_non_null(role);
	assert_string_equal(sshcert_person(role), "ann");
	assert_int_equal(sshcert_principal(role)->role, NAMES_ADMIN);
	assert_int_equal(
	    sshcert_check(role, authorities, 2, SSH_CA_NOW, NULL, &reason, &e),
	    HT_ERR_DENIED);
	assert_string_equal(reason, SSHCERT_FOREIGN_CA);
	assert_int_equal(
	    sshcert_check(role, &admin, 1, SSH_CA_NOW, NULL, &reason, &e), 0);
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
	ssh_ca_expect_good(cert, &ssh_cas[0], "10.255.1.2");
	ssh_ca_expect_good(cert, &ssh_cas[0], "::ffff:10.1.2.3");
	ssh_ca_expect_good(cert, &ssh_cas[0], "192.0.2.7");
	ssh_ca_expect_good(cert, &ssh_cas[0], "2001:db8::1");
	ssh_ca_expect_good(cert, &ssh_cas[0], sshcert_any_peer);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_NOW, "any address",
	    SSHCERT_ADDRESS);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_NOW, "192.0.2.8",
	    SSHCERT_ADDRESS);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_NOW, "2001:db9::1",
	    SSHCERT_ADDRESS);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_NOW, "UNKNOWN",
	    SSHCERT_ADDRESS);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_NOW, "",
	    SSHCERT_ADDRESS);
	ssh_ca_expect_refused(cert, &ssh_cas[0], SSH_CA_NOW, NULL,
	    SSHCERT_ADDRESS);
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
		{ "2001:db8::1", "2001:db8::1", true },
		{ "2001:db8::1/128", "2001:db8::2", false },
		{ "1111:2222:3333:4444:5555:6666:255.255.255.255/128",
		    "1111:2222:3333:4444:5555:6666:255.255.255.255", true },
		{ "::ffff:1.2.3.0/120", "1.2.3.4", true },
		{ "::ffff:1.2.3.4", "1.2.3.4", true },
		{ "::ffff:1.2.3.4", "1.2.3.5", false },
		{ "::ffff:1.2.3.4/127", "1.2.3.5", true },
		{ "::ffff:1.2.3.4/127", "1.2.3.6", false },
		{ "1.2.3.4/31", "1.2.3.5", true },
		{ "1.2.3.4/31", "1.2.3.6", false },
		{ "1.2.3.4/32", "1.2.3.5", false },
		{ "fe80::/10", "fe80::1%eth0", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "1.2.3.4", "1.2.3.4/0", false },
		{ "1.2.3.4", "1.2.3.4/32", false },
		{ "1.2.3.4", "1.2.3.4,1.2.3.4", false },
		{ "1.2.3.4", "01.2.3.4", false },
	};
	static const char *const bad[] = { "", ",", "1.2.3.4,", ",1.2.3.4",
		"1.2.3.4,,1.2.3.5", "1.2.3", "1.2.3.4/33", "0.0.0.0/",
		"1.2.3.0/024", "1.2.3.4/24", "1.2.3.4/-1", "1.2.3.4 ",
		"!1.2.3.4", "*", "host.example.com", "::1/129", "::1/64",
		"::ffff:0.0.0.0/95", "::1%lo", "1.2.3.4/1/2",
		"0.0.0.0/4294967296", "10.0.0.0/08", "10.0.0.0/:",
		"x1111:2222:3333:4444:5555:6666:255.255.255.255/128",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/128" };
	char ones[128];
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
	/* However long, it is no address. */
	memset(ones, 0, sizeof(ones));
	for (i = 0; i < sizeof(ones) - 1; i++) {
		ones[i] = '1';
		assert_false(sshcert_addresses_valid(ones));
		assert_false(sshcert_address_in("0.0.0.0/0", ones));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_ssh_keygen_signs),
		cmocka_unit_test(validity_has_edges),
		cmocka_unit_test(rsa_ca_signs_without_sha1),
		cmocka_unit_test(claims_decide),
		cmocka_unit_test(what_is_limited_is_said),
		cmocka_unit_test(long_names_fit),
		cmocka_unit_test(no_principals_and_hosts),
		cmocka_unit_test(each_ca_has_its_roles),
		cmocka_unit_test(source_addresses_checked),
		cmocka_unit_test(address_lists),
	};

	return cmocka_run_group_tests(tests, ssh_ca_enter, ssh_ca_leave);
}

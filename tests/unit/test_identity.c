/*
 * Who is let in as whom, and who is not.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "keys/keyd/identity.h"
#include "keys/sshcert/sshkey-format.h"
#include "tests/support/core_scratch.h"
#include "tests/support/no_memory.h"
#include "tests/support/scratch.h"

#define SECOND ((int64_t)1000000)
#define NOW ((int64_t)SSH_CA_NOW)
#define SSHD PROTOCOL_DOOR_SSHD_SIGN
#define OPENSSH PROTOCOL_DOOR_OPENSSH

#define ADMIN_CA "admin_ca = \"$/ca-p256.pub\"; "

/* Users of ssh_ca.h. */
#define ED25519 (&ssh_ca_users[0])
#define P256 (&ssh_ca_users[1])
#define SK (&ssh_ca_users[SSH_CA_USERS - 1])

/* One that ssh-keygen signs with the clients' CA, for it says what ours never
   do. */
static void
sign_claims(const char *const *claims, struct buf *blob)
{
	const char *argv[16] = { "ssh-keygen", "-q", "-s",
		CORE_CLIENTS_CA->file, "-z", "7", "-V", SSH_CA_VALIDITY };
	struct buf line = BUF_INIT;
	struct ht_error e;
	size_t n = 8;

	while (*claims != NULL)
		argv[n++] = *claims++;
	argv[n] = "ed25519.pub";
	assert_int_equal(scratch_run(argv), 0);
	scratch_read("ed25519-cert.pub", &line);
	buf_reset(blob);
	assert_int_equal(sshkey_line_blob(buf_cursor(&line), blob, &e), 0);
	buf_free(&line);
}

static void
take_key(const struct ssh_ca_user *user, struct buf *blob)
{
	struct cursor bytes = sshkey_blob(user->key);

	buf_reset(blob);
	buf_bytes(blob, bytes.p, bytes.left);
}

/* Configure administrators with keys: of ann, and of bob. */
static void
configure_keys(const char *ssh, const char *ann, const char *role,
    const struct ssh_ca_user *user)
{
	struct buf text = BUF_INIT, one = BUF_INIT, two = BUF_INIT;

	ssh_ca_line(user->key, &one);
	ssh_ca_line(P256->key, &two);
	buf_u8(&one, 0);
	buf_u8(&two, 0);
	buf_format(&text,
	    "%s admins = ( { name = \"bob\"; role = \"auditor\"; "
	    "key = \"%s\"; }, "
	    "{ name = \"%s\"; role = \"%s\"; key = \"%s\"; } );",
	    ssh, (char *)two.data, ann, role, (char *)one.data);
	buf_u8(&text, 0);
	core_configure((const char *)text.data, "");
	buf_free(&text);
	buf_free(&one);
	buf_free(&two);
}

static int
set_up(void **state)
{
	if (core_set_up(state) != 0)
		return 1;
	core_configure(ADMIN_CA, "");
	return 0;
}

/* --- proving ------------------------------------------------------------- */

static void
expect_proved(const struct buf *key, const char *user, const char *door,
    const char *peer, struct identity *who)
{
	const char *reason = "";
	struct ht_error e;

	memset(who, 0x55, sizeof(*who));
	if (identity_prove(&core, buf_cursor(key), user, door, peer, who,
	        &reason, &e) != 0)
		fail_msg("%s: %s", reason, e.text);
	assert_string_equal(who->door, door);
	assert_string_equal(who->peer, peer == NULL ? "" : peer);
	assert_string_equal(who->banner, "");
}

static void
expect_denied(const struct buf *key, const char *user, const char *door,
    const char *peer, const char *word, const char *text)
{
	const char *reason = "";
	struct identity who;
	struct ht_error e;

	assert_int_equal(identity_prove(&core, buf_cursor(key), user, door,
	                     peer, &who, &reason, &e),
	    HT_ERR_DENIED);
	assert_int_equal(e.code, HT_ERR_DENIED);
	assert_string_equal(reason, word);
	if (strstr(e.text, text) == NULL)
		fail_msg("%s, not: %s", e.text, text);
}

static void
a_client_comes_in_at_both_doors(void **state)
{
	static const uint8_t zeros[SSHCERT_SHA256];
	struct buf blob = BUF_INIT;
	struct identity who;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &blob);
	expect_proved(&blob, "sign", SSHD, "192.0.2.7", &who);
	assert_int_equal(who.role, NAMES_CLIENT);
	assert_string_equal(who.name, "ci");
	assert_int_equal(who.serial, 7);
	assert_int_equal(who.until, SSH_CA_NOW + 60);
	assert_string_equal(who.key, "");
	assert_memory_not_equal(who.certificate, zeros, sizeof(zeros));
	expect_proved(&blob, "sign", OPENSSH, NULL, &who);
	expect_proved(&blob, NULL, OPENSSH, "192.0.2.7", &who);
	buf_free(&blob);
}

static void
an_administrator_has_the_role_of_the_certificate(void **state)
{
	static const enum names_role roles[] = { NAMES_ADMIN, NAMES_APPROVER,
		NAMES_AUDITOR };
	struct buf blob = BUF_INIT;
	struct identity who;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		core_issue_role(CORE_ADMINS_CA, roles[i], &blob);
		expect_proved(&blob, "admin", SSHD, "127.0.0.1", &who);
		assert_int_equal(who.role, roles[i]);
		assert_string_equal(who.name, "ann");
		expect_proved(&blob, NULL, OPENSSH, "192.0.2.7", &who);
		assert_int_equal(who.role, roles[i]);
	}
	buf_free(&blob);
}

static void
the_longest_name_and_address_fit(void **state)
{
	char name[NAMES_SIZE], peer[PROTOCOL_ADDRESS + 8];
	struct sshcert_request request = core_request;
	const char *reason;
	struct buf blob = BUF_INIT;
	struct identity who;
	struct ht_error e;

	(void)state;
	memset(name, 'n', NAMES_MAX);
	name[NAMES_MAX] = '\0';
	memcpy(request.principal.client, name, sizeof(name));
	core_issue(CORE_CLIENTS_CA, ED25519, request, &blob);
	expect_proved(&blob, "sign", SSHD, "192.0.2.7", &who);
	assert_string_equal(who.name, name);
	/* What is no address stays inside its field. */
	memset(peer, '1', sizeof(peer));
	peer[sizeof(peer) - 1] = '\0';
	assert_int_equal(identity_prove(&core, buf_cursor(&blob), "sign", SSHD,
	                     peer, &who, &reason, &e),
	    0);
	assert_int_equal(strlen(who.peer), PROTOCOL_ADDRESS - 1);
	buf_free(&blob);
}

static void
what_says_too_little_or_too_much_is_denied(void **state)
{
	static const struct {
		const char *claims[8];
		const char *reason;
	} cases[] = {
		{ { "-I", "ci/7", "-n", "client:ci,client:cd", NULL },
		    SSHCERT_PRINCIPAL },
		{ { "-I", "ci/7", "-n", "client:ci,role:admin", NULL },
		    SSHCERT_PRINCIPAL },
		{ { "-I", "ci/7", "-n", "client:cd", NULL },
		    SSHCERT_PRINCIPAL },
		{ { "-I", "ci/7", "-n", "role:root", NULL },
		    SSHCERT_PRINCIPAL },
		{ { "-I", "ci/7", NULL }, SSHCERT_PRINCIPAL },
		{ { "-I", "ci/8", "-n", "client:ci", NULL }, SSHCERT_KEY_ID },
		{ { "-I", "ci/7", "-n", "client:ci", "-h", NULL },
		    SSHCERT_NOT_USER },
		{ { "-I", "ci/7", "-n", "client:ci", "-O", "force-command=true",
		      NULL },
		    SSHCERT_OPTION },
	};
	struct buf blob = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sign_claims(cases[i].claims, &blob);
		expect_denied(&blob, "sign", SSHD, "192.0.2.7", cases[i].reason,
		    "not one of our certificates");
	}
	buf_free(&blob);
}

static void
what_is_no_key_is_denied(void **state)
{
	struct buf blob = BUF_INIT;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &blob);
	blob.len--;
	expect_denied(&blob, "sign", SSHD, "192.0.2.7", SSHCERT_MALFORMED,
	    "neither a certificate nor a key");
	blob.len = 0;
	expect_denied(&blob, "sign", SSHD, "192.0.2.7", SSHCERT_MALFORMED,
	    "neither a certificate nor a key");
	buf_free(&blob);
}

static void
each_ca_vouches_for_its_own_kind(void **state)
{
	struct buf blob = BUF_INIT;
	struct identity who;

	(void)state;
	core_issue_role(CORE_CLIENTS_CA, NAMES_ADMIN, &blob);
	expect_denied(&blob, "admin", SSHD, "::1", SSHCERT_FOREIGN_CA,
	    "must not sign for administrators");
	core_issue(CORE_ADMINS_CA, ED25519, core_request, &blob);
	expect_denied(&blob, "sign", SSHD, "::1", SSHCERT_FOREIGN_CA,
	    "must not sign for clients");
	core_issue(&ssh_cas[2], ED25519, core_request, &blob);
	expect_denied(&blob, "sign", SSHD, "::1", SSHCERT_FOREIGN_CA,
	    "must not sign for clients");
	core_issue_role(CORE_ADMINS_CA, NAMES_ADMIN, &blob);
	expect_proved(&blob, "admin", SSHD, "::1", &who);
	core_configure("", "");
	expect_denied(&blob, "admin", SSHD, "::1", SSHCERT_FOREIGN_CA,
	    "must not sign for administrators");
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &blob);
	expect_proved(&blob, "sign", SSHD, "::1", &who);
	buf_free(&blob);
}

static void
the_signature_has_to_be_right(void **state)
{
	struct buf blob = BUF_INIT;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &blob);
	blob.data[blob.len - 1] ^= 1;
	expect_denied(&blob, "sign", SSHD, "192.0.2.7", SSHCERT_SIGNATURE, "");
	buf_free(&blob);
}

static void
a_certificate_is_good_from_its_first_second_to_before_its_last(void **state)
{
	struct buf blob = BUF_INIT;
	struct identity who;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &blob);
	core_now = (NOW - 60) * SECOND - 1;
	expect_denied(&blob, "sign", SSHD, "::1", SSHCERT_NOT_YET,
	    "the certificate becomes valid in 1 s");
	core_now = (NOW - 60) * SECOND;
	expect_proved(&blob, "sign", SSHD, "::1", &who);
	core_now = (NOW + 60) * SECOND - 1;
	expect_proved(&blob, "sign", SSHD, "::1", &who);
	core_now = (NOW + 60) * SECOND;
	expect_denied(&blob, "sign", SSHD, "::1", SSHCERT_EXPIRED,
	    "the certificate expired 0 s ago");
	buf_free(&blob);
}

static void
a_source_address_is_asked_for_where_it_is_known(void **state)
{
	struct sshcert_request request = core_request;
	struct buf blob = BUF_INIT;
	struct identity who;

	(void)state;
	request.source_address = "192.0.2.0/24";
	core_issue(CORE_CLIENTS_CA, ED25519, request, &blob);
	expect_proved(&blob, "sign", SSHD, "192.0.2.7", &who);
	expect_proved(&blob, "sign", OPENSSH, NULL, &who);
	expect_denied(&blob, "sign", SSHD, "192.0.3.7", SSHCERT_ADDRESS,
	    "the certificate is not for use from 192.0.3.7");
	expect_denied(&blob, "sign", OPENSSH, "192.0.3.7", SSHCERT_ADDRESS,
	    "the certificate is not for use from 192.0.3.7");
	expect_denied(&blob, "sign", SSHD, "", SSHCERT_ADDRESS, "");
	buf_free(&blob);
}

static void
sshd_sign_takes_security_keys_only_if_told_so(void **state)
{
	static const char text[] =
	    "sshd-sign cannot see whether a security key was touched";
	struct buf blob = BUF_INIT;
	struct identity who;

	(void)state;
	core_issue(CORE_CLIENTS_CA, SK, core_request, &blob);
	expect_denied(&blob, "sign", SSHD, "192.0.2.7", "sk-key", text);
	expect_proved(&blob, "sign", OPENSSH, "192.0.2.7", &who);
	core_configure("allow_sk = true;", "");
	expect_proved(&blob, "sign", SSHD, "192.0.2.7", &who);
	/* An administrator's key in the configuration is no better. */
	configure_keys("", "ann", "admin", SK);
	take_key(SK, &blob);
	expect_denied(&blob, "admin", SSHD, "::1", "sk-key", text);
	configure_keys("allow_sk = true;", "ann", "admin", SK);
	expect_proved(&blob, "admin", SSHD, "::1", &who);
	buf_free(&blob);
}

/* --- plain keys ---------------------------------------------------------- */

static void
a_configured_key_is_an_administrators(void **state)
{
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	struct buf blob = BUF_INIT;
	struct identity who;
	struct ht_error e;

	(void)state;
	configure_keys("", "ann", "approver", ED25519);
	take_key(ED25519, &blob);
	expect_proved(&blob, "admin", SSHD, "127.0.0.1", &who);
	assert_int_equal(who.role, NAMES_APPROVER);
	assert_string_equal(who.name, "ann");
	assert_int_equal(who.serial, 0);
	assert_int_equal(who.until, UINT64_MAX);
	assert_int_equal(sshkey_fingerprint(ED25519->key, fingerprint, &e), 0);
	assert_string_equal(who.key, fingerprint);
	take_key(P256, &blob);
	expect_proved(&blob, "admin", SSHD, "127.0.0.1", &who);
	assert_int_equal(who.role, NAMES_AUDITOR);
	assert_string_equal(who.name, "bob");
	buf_free(&blob);
}

static void
any_other_key_is_nobodys(void **state)
{
	struct buf blob = BUF_INIT;

	(void)state;
	take_key(ED25519, &blob);
	expect_denied(&blob, "admin", SSHD, "127.0.0.1", "unknown-key",
	    "a key without a certificate");
	configure_keys("", "ann", "admin", &ssh_ca_users[2]);
	expect_denied(&blob, "admin", SSHD, "127.0.0.1", "unknown-key",
	    "a key without a certificate");
	buf_free(&blob);
}

static void
the_longest_administrators_name_fits(void **state)
{
	char name[NAMES_SIZE];
	struct buf blob = BUF_INIT;
	struct identity who;

	(void)state;
	memset(name, 'n', NAMES_MAX);
	name[NAMES_MAX] = '\0';
	configure_keys("", name, "admin", ED25519);
	take_key(ED25519, &blob);
	expect_proved(&blob, "admin", SSHD, "127.0.0.1", &who);
	assert_string_equal(who.name, name);
	buf_free(&blob);
}

static void
expect_not_current(const struct identity *ann)
{
	struct protocol_refuse r;

	memset(&r, 0, sizeof(r));
	assert_int_equal(identity_current(&core, ann, &r), HT_ERR_DENIED);
	assert_int_equal(r.status, -HT_ERR_DENIED);
	assert_string_equal(r.code, "unknown-key");
	assert_string_equal(r.text, "ann is no administrator any more");
}

static void
a_key_is_current_while_it_is_configured_so(void **state)
{
	struct buf blob = BUF_INIT;
	struct protocol_refuse r;
	struct identity ann;
	size_t i;
	static const struct {
		const char *name;
		const char *role;
		int user;
	} others[] = { { "ann", "auditor", 0 }, { "anna", "admin", 0 },
		{ "an", "admin", 0 }, { "ann", "admin", 2 } };

	(void)state;
	configure_keys("", "ann", "admin", ED25519);
	take_key(ED25519, &blob);
	expect_proved(&blob, "admin", SSHD, "::1", &ann);
	assert_int_equal(identity_current(&core, &ann, &r), 0);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		configure_keys("", others[i].name, others[i].role,
		    &ssh_ca_users[others[i].user]);
		expect_not_current(&ann);
	}
	core_configure("", "");
	expect_not_current(&ann);
	buf_free(&blob);
}

/* --- the manner ---------------------------------------------------------- */

static void
the_login_name_goes_with_the_role(void **state)
{
	static const char text[] = "the login name does not fit the role";
	static const char *const wrong[] = { "", "root", "sig", "signs",
		"admin" };
	struct buf client = BUF_INIT, admin = BUF_INIT;
	struct identity who;
	size_t i;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &client);
	for (i = 0; i < 5; i++)
		expect_denied(&client, wrong[i], SSHD, "::1", "user-name",
		    text);
	core_issue_role(CORE_ADMINS_CA, NAMES_AUDITOR, &admin);
	expect_denied(&admin, "sign", SSHD, "::1", "user-name", text);
	expect_denied(&admin, "sign", OPENSSH, "::1", "user-name", text);
	expect_proved(&admin, "admin", OPENSSH, "::1", &who);
	buf_free(&client);
	buf_free(&admin);
}

static void
administrators_come_over_loopback_at_sshd_sign(void **state)
{
	static const char *const near[] = { "127.0.0.1", "127.255.255.254",
		"127.0.0.0", "::1", "::ffff:127.0.0.1", "::ffff:127.8.9.10" };
	static const char *const far[] = { "126.255.255.255", "128.0.0.0",
		"192.0.2.127", "::2", "::", "::ffff:126.0.0.127",
		"::ffff:128.0.0.1", "2001:db8::1", "::127.0.0.1", "localhost",
		"" };
	struct buf admin = BUF_INIT, client = BUF_INIT;
	struct identity who;
	size_t i;

	(void)state;
	core_issue_role(CORE_ADMINS_CA, NAMES_ADMIN, &admin);
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &client);
	for (i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		expect_proved(&admin, "admin", SSHD, near[i], &who);
	for (i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		expect_denied(&admin, "admin", SSHD, far[i], "admin-address",
		    "administrators must come from loopback (see ssh.admin)");
		expect_proved(&admin, "admin", OPENSSH, far[i], &who);
		expect_proved(&client, "sign", SSHD, far[i], &who);
	}
	expect_denied(&admin, "admin", SSHD, NULL, "admin-address", "");
	core_configure(ADMIN_CA "admin = true;", "");
	for (i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		expect_proved(&admin, "admin", SSHD, far[i], &who);
	buf_free(&admin);
	buf_free(&client);
}

/* Want of memory is nobody's fault. */
static void
prove_without_memory(const struct buf *key, const char *user)
{
	const char *reason = "";
	struct identity who;
	struct ht_error e;
	unsigned int n;
	int rc;

	for (n = 1;; n++) {
		no_memory_at(n);
		rc = identity_prove(&core, buf_cursor(key), user, SSHD, "::1",
		    &who, &reason, &e);
		if (!no_memory_met())
			break;
		assert_int_equal(rc, HT_ERR_INTERNAL);
		assert_string_equal(reason, SSHCERT_INTERNAL);
	}
	no_memory_at(0);
	assert_int_equal(rc, 0);
	assert_true(n > 3);
}

static void
without_memory_nobody_is_denied(void **state)
{
	struct buf blob = BUF_INIT;

	(void)state;
	core_issue(CORE_CLIENTS_CA, ED25519, core_request, &blob);
	prove_without_memory(&blob, "sign");
	configure_keys("", "ann", "admin", ED25519);
	take_key(ED25519, &blob);
	prove_without_memory(&blob, "admin");
	buf_free(&blob);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, core_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_client_comes_in_at_both_doors),
		TEST(an_administrator_has_the_role_of_the_certificate),
		TEST(the_longest_name_and_address_fit),
		TEST(what_says_too_little_or_too_much_is_denied),
		TEST(what_is_no_key_is_denied),
		TEST(each_ca_vouches_for_its_own_kind),
		TEST(the_signature_has_to_be_right),
		TEST(
		    a_certificate_is_good_from_its_first_second_to_before_its_last),
		TEST(a_source_address_is_asked_for_where_it_is_known),
		TEST(sshd_sign_takes_security_keys_only_if_told_so),
		TEST(a_configured_key_is_an_administrators),
		TEST(any_other_key_is_nobodys),
		TEST(the_longest_administrators_name_fits),
		TEST(the_login_name_goes_with_the_role),
		TEST(administrators_come_over_loopback_at_sshd_sign),
		TEST(without_memory_nobody_is_denied),
		TEST(a_key_is_current_while_it_is_configured_so),
	};

	return cmocka_run_group_tests(tests, core_enter, core_leave);
}

/*
 * Revocation lists, as ssh-keygen reads them.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keys/sshcert/krl.h"
#include "tests/support/scratch.h"
#include "tests/support/ssh_ca.h"

#define CERTIFICATES 2000
#define CA (&ssh_cas[0])
#define ED25519 0

/* A serial as we give them out, or from the edges of what there is. */
static uint64_t
serial_of(size_t i)
{
	static const uint64_t edges[] = { 1, 2, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX };

	if (i < sizeof(edges) / sizeof(edges[0]))
		return edges[i];
	return (UINT64_C(1780000000) + i / 3) << 20 | (i * 7919) % (1 << 20);
}

/* Every other one, but not in step with how they are numbered. */
static bool
is_revoked(size_t i)
{
	return (i / 2 + i) % 2 == 0;
}

static void
write_certificate(const char *name, size_t user, const struct ssh_ca *ca,
    uint64_t serial)
{
	struct sshcert_request request = { .key = ssh_ca_users[user].key,
		.principal = { NAMES_CLIENT, "ci" },
		.serial = serial,
		.valid_after = SSH_CA_AFTER,
		.valid_before = SSH_CA_BEFORE };
	struct buf line = BUF_INIT;
	struct ht_error e;

	assert_int_equal(sshcert_issue(ca->private, &request, &line, &e), 0);
	buf_u8(&line, '\n');
	scratch_write(name, line.data, line.len);
	buf_free(&line);
}

static void
write_krl(const struct krl *krl)
{
	struct buf out = BUF_INIT;

	krl_put(krl, CA->key, SSH_CA_NOW, &out);
	assert_int_equal(buf_failed(&out), 0);
	scratch_write("krl", out.data, out.len);
	buf_free(&out);
}

static void
ssh_keygen_agrees_on_serials(void **state)
{
	static char names[CERTIFICATES][8];
	static const char *argv[CERTIFICATES + 5] = { "ssh-keygen", "-Q", "-f",
		"krl" };
	struct krl krl = KRL_INIT;
	char text[64];
	size_t i, revoked = 0;

	(void)state;
	for (i = CERTIFICATES; i-- > 0;) {
		(void)snprintf(names[i], sizeof(names[i]), "c%zu", i);
		write_certificate(names[i], ED25519, CA, serial_of(i));
		argv[4 + i] = names[i];
		if (is_revoked(i)) {
			krl_add_serial(&krl, serial_of(i));
			revoked++;
		}
	}
	krl_add_serial(&krl, 0); /* would make ssh-keygen refuse the list */
	write_krl(&krl);
	krl_free(&krl);
	assert_int_equal(revoked, 1000);
	assert_int_equal(scratch_run(argv), 1);
	for (i = 0; i < CERTIFICATES; i++) {
		(void)snprintf(text, sizeof(text), "\n%.7s (ci/%ju): %s\n",
		    names[i], (uintmax_t)serial_of(i),
		    is_revoked(i) ? "REVOKED" : "ok");
		/* The first line has no line end before it. */
		if (!scratch_output_holds(text + (i == 0)))
			fail_msg("%s", text);
	}
}

/* Of another CA the same serial is another certificate. */
static void
others_are_not_revoked(void **state)
{
	struct krl krl = KRL_INIT;

	(void)state;
	write_krl(&krl);
	write_certificate("ours", ED25519, CA, 7);
	write_certificate("theirs", ED25519, &ssh_cas[1], 7);
	assert_int_equal(RUN("ssh-keygen", "-Q", "-f", "krl", "ours"), 0);
	krl_add_serial(&krl, 7);
	write_krl(&krl);
	krl_free(&krl);
	assert_int_equal(RUN("ssh-keygen", "-Q", "-f", "krl", "ours"), 1);
	assert_int_equal(RUN("ssh-keygen", "-Q", "-f", "krl", "theirs"), 0);
}

/* A key takes all its certificates with it, whoever signed them. */
static void
keys_are_revoked_with_their_certificates(void **state)
{
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	uint8_t hash[SSHKEY_HASH];
	struct krl krl = KRL_INIT;
	struct ht_error e;
	char name[64];
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_int_equal(
		    sshkey_fingerprint(ssh_ca_users[i].key, fingerprint, &e),
		    0);
		assert_int_equal(sshkey_fingerprint_read(fingerprint, hash), 0);
		krl_add_key(&krl, hash);
	}
	write_krl(&krl);
	krl_free(&krl);
	for (i = 0; i < 3; i++) {
		write_certificate("one", i, CA, 7);
		write_certificate("two", i, &ssh_cas[1], 8);
		assert_int_equal(RUN("ssh-keygen", "-Q", "-f", "krl", "one"),
		    i < 2);
		assert_int_equal(RUN("ssh-keygen", "-Q", "-f", "krl", "two"),
		    i < 2);
		(void)snprintf(name, sizeof(name), "%s.pub",
		    ssh_ca_users[i].file);
		assert_int_equal(RUN("ssh-keygen", "-Q", "-f", "krl", name),
		    i < 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ssh_keygen_agrees_on_serials),
		cmocka_unit_test(others_are_not_revoked),
		cmocka_unit_test(keys_are_revoked_with_their_certificates),
	};

	return cmocka_run_group_tests(tests, ssh_ca_enter_fast, ssh_ca_leave);
}

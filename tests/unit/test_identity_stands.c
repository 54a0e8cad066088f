/*
 * Who still stands, and is still current, after he was let in.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "keys/keyd/identity.h"
#include "store/authority/clients.h"
#include "store/store-private.h"
#include "tests/support/core_scratch.h"

#define SECOND ((int64_t)1000000)
#define NOW ((int64_t)SSH_CA_NOW)

static const struct identity ci = { .role = NAMES_CLIENT,
	.name = "ci",
	.serial = 7,
	.until = UINT64_MAX,
	.door = PROTOCOL_DOOR_OPENSSH,
	.peer = "192.0.2.7" };

typedef int check_fn(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r);

static void
expect_not(check_fn *check, const struct identity *who, int code,
    const char *word, const char *text)
{
	struct protocol_refuse r;

	memset(&r, 0, sizeof(r));
	assert_int_equal(check(&core, who, &r), code);
	assert_int_equal(r.status, -code);
	assert_string_equal(r.code, word);
	assert_string_equal(r.text, text);
}

static void
expect_yes(check_fn *check, const struct identity *who)
{
	struct protocol_refuse r;

	if (check(&core, who, &r) != 0)
		fail_msg("%s", r.text);
}

static void
a_client_stands_while_it_is_there_and_enabled(void **state)
{
	struct ht_error e;

	(void)state;
	expect_not(identity_stands, &ci, HT_ERR_DENIED, "no-client",
	    "there is no client ci");
	assert_int_equal(
	    client_add(core.store, &core_actor, "ci", NULL, 3600, &e), 0);
	expect_yes(identity_stands, &ci);
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
	expect_not(identity_stands, &ci, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
}

static void
a_client_stands_until_its_certificate_is_revoked(void **state)
{
	struct user_certificate what = { .principal = "client:ci",
		.name = "ci",
		.fingerprint = "SHA256:x",
		.valid_after = NOW,
		.valid_before = NOW + 60 };
	struct identity one = ci, two = ci;
	struct ht_error e;
	char text[64];

	(void)state;
	assert_int_equal(
	    client_add(core.store, &core_actor, "ci", NULL, 3600, &e), 0);
	assert_int_equal(user_certificate_issue(core.store, &core_actor, &what,
	                     &one.serial, &e),
	    0);
	assert_int_equal(user_certificate_issue(core.store, &core_actor, &what,
	                     &two.serial, &e),
	    0);
	expect_yes(identity_stands, &one);
	assert_int_equal(user_certificate_revoke(core.store, &core_actor,
	                     one.serial, NULL, &e),
	    0);
	(void)snprintf(text, sizeof(text), "certificate ci/%ju is revoked",
	    (uintmax_t)one.serial);
	expect_not(identity_stands, &one, HT_ERR_DENIED, "revoked", text);
	expect_yes(identity_stands, &two);
	expect_yes(identity_stands, &ci);
	/* Another endpoint with our CA issued this one. */
	two.serial = 4711;
	expect_yes(identity_stands, &two);
	assert_int_equal(
	    user_certificate_revoke(core.store, &core_actor, 4711, NULL, &e),
	    0);
	expect_not(identity_stands, &two, HT_ERR_DENIED, "revoked",
	    "certificate ci/4711 is revoked");
	assert_int_equal(core_events("certificate-revoked", "4711"), 1);
}

/* Whoever has the key, whatever certificate he has for it. */
static void
nobody_stands_by_a_revoked_key(void **state)
{
	static const char key[] =
	    "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	struct identity who = ci;
	struct ht_error e;
	char text[128];

	(void)state;
	assert_int_equal(
	    client_add(core.store, &core_actor, "ci", NULL, 3600, &e), 0);
	(void)snprintf(who.fingerprint, sizeof(who.fingerprint), "%s", key);
	expect_yes(identity_stands, &who);
	assert_int_equal(user_key_revoke(core.store, &core_actor, key, &e), 0);
	(void)snprintf(text, sizeof(text), "key %s is revoked", key);
	for (who.role = NAMES_CLIENT; who.role <= NAMES_AUDITOR; who.role++)
		expect_not(identity_stands, &who, HT_ERR_DENIED, "revoked",
		    text);
	expect_yes(identity_stands, &ci);
	who.role = NAMES_ADMIN;
	who.fingerprint[0] = '\0'; /* at the console there is no key */
	expect_yes(identity_stands, &who);
}

static void
administrators_are_not_in_the_store(void **state)
{
	struct identity who = ci;

	(void)state;
	for (who.role = NAMES_ADMIN; who.role <= NAMES_AUDITOR; who.role++)
		expect_yes(identity_stands, &who);
}

/*
 * A store that cannot be read does not let anybody in, whichever of its steps
 * fails, and nobody is told that he is not there.
 */
static unsigned int broken; /* the step that fails, or 0 */
int __real_store_step(struct store *s, sqlite3_stmt *st, struct ht_error *e);
int __wrap_store_step(struct store *s, sqlite3_stmt *st, struct ht_error *e);

int
__wrap_store_step(struct store *s, sqlite3_stmt *st, struct ht_error *e)
{
	if (broken > 0 && --broken == 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "disk I/O error");
	return __real_store_step(s, st, e);
}

static void
a_store_that_fails_lets_nobody_in(void **state)
{
	struct identity who = ci;
	struct ht_error e;
	unsigned int n;

	(void)state;
	assert_int_equal(
	    client_add(core.store, &core_actor, "ci", NULL, 3600, &e), 0);
	(void)snprintf(who.fingerprint, sizeof(who.fingerprint), "SHA256:x");
	for (n = 1; n <= 4; n++) {
		broken = n;
		expect_not(identity_stands, &who, HT_ERR_INTERNAL, "journal",
		    "disk I/O error");
	}
	broken = n;
	expect_yes(identity_stands, &who);
	broken = 1;
	who.role = NAMES_ADMIN;
	expect_not(identity_stands, &who, HT_ERR_INTERNAL, "journal",
	    "disk I/O error");
	broken = 0;
}

static void
a_certificate_is_current_until_it_expires(void **state)
{
	struct identity who = ci;

	(void)state;
	who.until = SSH_CA_NOW + 1;
	expect_yes(identity_current, &who);
	core_now = (NOW + 1) * SECOND - 1;
	expect_yes(identity_current, &who);
	core_now = (NOW + 1) * SECOND;
	expect_not(identity_current, &who, HT_ERR_DENIED, "expired",
	    "certificate ci/7 has expired");
	expect_yes(identity_current, &ci);
}

static void
who_was_refused_is_on_record(void **state)
{
	struct protocol_refuse r;

	(void)state;
	keyd_refusal(&r, HT_ERR_DENIED, "disabled", "client ci is disabled");
	identity_refused(&core, &ci, &r);
	assert_int_equal(core_events("refused-login", ""), 1);
	assert_int_equal(core_events("refused-login", "\"ci\""), 1);
	assert_int_equal(core_events("refused-login", "\"openssh\""), 1);
	assert_int_equal(core_events("refused-login", "\"192.0.2.7\""), 1);
	assert_int_equal(core_events("refused-login", "\"serial\":7"), 1);
	assert_int_equal(core_events("refused-login", "\"exit\":77"), 1);
	assert_int_equal(core_events("refused-login", "\"disabled\""), 1);
	assert_int_equal(
	    core_events("refused-login", "\"client ci is disabled\""), 1);
}

static void
an_actor_is_local_or_of_a_role(void **state)
{
	struct identity who = ci;
	struct store_actor actor;

	(void)state;
	who.role = NAMES_AUDITOR;
	actor = identity_actor(&who);
	assert_string_equal(actor.name, "ci");
	assert_string_equal(actor.role, "auditor");
	assert_string_equal(actor.peer, "192.0.2.7");
	who.door = PROTOCOL_DOOR_LOCAL;
	actor = identity_actor(&who);
	assert_string_equal(actor.role, "local");
}

static int
set_up(void **state)
{
	if (core_set_up(state) != 0)
		return 1;
	core_configure("", "");
	return 0;
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, core_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_client_stands_while_it_is_there_and_enabled),
		TEST(a_client_stands_until_its_certificate_is_revoked),
		TEST(nobody_stands_by_a_revoked_key),
		TEST(administrators_are_not_in_the_store),
		TEST(a_store_that_fails_lets_nobody_in),
		TEST(a_certificate_is_current_until_it_expires),
		TEST(who_was_refused_is_on_record),
		TEST(an_actor_is_local_or_of_a_role),
	};

	return cmocka_run_group_tests(tests, core_enter, core_leave);
}

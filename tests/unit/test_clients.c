#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "protocol/names.h"
#include "store/authority/clients.h"
#include "store/authority/freezes.h"
#include "store/journal/journal.h"
#include "tests/support/scratch.h"
#include "tests/support/store_scratch.h"

static const struct store_actor ann = { "ann", "admin", "127.0.0.1" };

static void
refused(int ret, const struct ht_error *e, const char *expected)
{
	assert_int_equal(ret, HT_ERR_USAGE);
	assert_string_equal(e->text, expected);
	/* It spoils nothing. */
	assert_int_equal(store_commit(store, NULL), 0);
}

static int
append_event(void *cookie, const struct journal_event *event)
{
	buf_format(cookie, "%s %s %s\n", event->kind, event->actor,
	    event->detail);
	return 0;
}

/* The events so far are exactly these lines. */
static void
expect_events(const char *expected)
{
	struct buf b = BUF_INIT;

	assert_int_equal(journal_events(store, 0, append_event, &b, NULL), 0);
	buf_u8(&b, 0);
	assert_int_equal(buf_failed(&b), 0);
	assert_string_equal((const char *)b.data, expected);
	buf_free(&b);
}

/* Whether the newest event of this kind has the text in its detail. */
static bool
has_event(const char *kind, const char *text)
{
	struct buf b = BUF_INIT;
	char *line, *end;
	bool found = false;

	assert_int_equal(journal_events(store, 0, append_event, &b, NULL), 0);
	buf_u8(&b, 0);
	for (line = (char *)b.data; (end = strchr(line, '\n')) != NULL;
	     line = end + 1) {
		*end = '\0';
		if (strncmp(line, kind, strlen(kind)) == 0)
			found = strstr(line, text) != NULL;
	}
	buf_free(&b);
	return found;
}

/* --- clients --------------------------------------------------------- */

static void
test_client(void **state)
{
	struct client c;
	struct ht_error e;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", "prod", 3600, &e), 0);
	assert_int_equal(client_find(store, "ci", &c, &e), 0);
	assert_string_equal(c.name, "ci");
	assert_string_equal(c.default_profile, "prod");
	assert_int_equal(c.max_ttl, 3600);
	assert_false(c.disabled);
	assert_true(c.created > 0 && c.created <= journal_now());
	assert_string_equal(c.grants, "");
	assert_non_null(strstr(c.json,
	    "{\"client\":\"ci\",\"default_profile\":"
	    "\"prod\",\"max_ttl\":3600,"
	    "\"disabled\":false,"));
	assert_non_null(strstr(c.json, ",\"grants\":[]}"));
	assert_int_equal(client_change(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(client_set_disabled(store, &ann, "ci", true, &e), 0);
	assert_int_equal(client_find(store, "ci", &c, &e), 0);
	assert_null(c.default_profile);
	assert_int_equal(c.max_ttl, 60);
	assert_true(c.disabled);
	assert_non_null(strstr(c.json, "\"disabled\":true"));
	assert_int_equal(client_set_disabled(store, &ann, "ci", false, &e), 0);
#define BY_ANN "\"role\":\"admin\",\"from\":\"127.0.0.1\",\"client\":\"ci\""
	expect_events(
	    "client-added ann {" BY_ANN
	    ",\"profile\":\"prod\",\"seconds\":3600}\n"
	    "client-changed ann {" BY_ANN ",\"text\":"
	    "\"before: default profile prod, certificates for 3600 s, "
	    "grants: -\",\"seconds\":60}\n"
	    "client-disabled ann {" BY_ANN "}\n"
	    "client-enabled ann {" BY_ANN "}\n");
}

static void
test_client_mistakes(void **state)
{
	struct client c;
	struct ht_error e;

	(void)state;
	assert_int_equal(client_add(store, NULL, "ci", NULL, 60, &e), 0);
	refused(client_add(store, NULL, "ci", NULL, 60, &e), &e,
	    "client ci exists already");
	refused(client_add(store, NULL, "CI", NULL, 60, &e), &e,
	    "\"CI\" is no name for a client: use 1 to 63 of a-z 0-9 . _ -");
	refused(client_add(store, NULL, "ci2", "A", 60, &e), &e,
	    "\"A\" is no name for a profile: use 1 to 63 of a-z 0-9 . _ -");
	refused(client_add(store, NULL, "ci2", NULL, 0, &e), &e,
	    "certificates live for 1 second to 3653 days at most");
	refused(
	    client_add(store, NULL, "ci2", NULL, CLIENT_MAX_TTL_LIMIT + 1, &e),
	    &e, "certificates live for 1 second to 3653 days at most");
	refused(client_change(store, NULL, "no", NULL, 60, &e), &e,
	    "there is no client no");
	refused(client_set_disabled(store, NULL, "no", true, &e), &e,
	    "there is no client no");
	refused(client_find(store, "no", &c, &e), &e, "there is no client no");
	refused(client_find(store, NULL, &c, &e), &e,
	    "\"\" is no name for a client: use 1 to 63 of a-z 0-9 . _ -");
	expect_events("client-added  {\"client\":\"ci\",\"seconds\":60}\n");
}

static void
test_grants(void **state)
{
	struct client c;
	struct ht_error e;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(client_granted(store, "ci", "prod", &e), 0);
	assert_int_equal(client_grant(store, &ann, "ci", "prod", &e), 0);
	assert_int_equal(client_grant(store, &ann, "ci", "beta", &e), 0);
	assert_int_equal(client_granted(store, "ci", "prod", &e), 1);
	assert_int_equal(client_granted(store, "c", "prod", &e), 0);
	assert_int_equal(client_granted(store, "ci", "pro", &e), 0);
	assert_int_equal(client_find(store, "ci", &c, &e), 0);
	assert_string_equal(c.grants, "beta prod");
	assert_non_null(strstr(c.json, "\"grants\":[\"beta\",\"prod\"]"));
	refused(client_grant(store, &ann, "ci", "prod", &e), &e,
	    "client ci already has the profile prod");
	refused(client_grant(store, &ann, "no", "prod", &e), &e,
	    "there is no client no");
	refused(client_grant(store, &ann, "ci", "", &e), &e,
	    "\"\" is no name for a profile: use 1 to 63 of a-z 0-9 . _ -");
	assert_int_equal(client_set_disabled(store, &ann, "ci", true, &e), 0);
	assert_int_equal(client_granted(store, "ci", "prod", &e), 0);
	assert_int_equal(client_set_disabled(store, &ann, "ci", false, &e), 0);
	assert_int_equal(client_revoke_grant(store, &ann, "ci", "prod", &e), 0);
	assert_int_equal(client_granted(store, "ci", "prod", &e), 0);
	refused(client_revoke_grant(store, &ann, "ci", "prod", &e), &e,
	    "client ci does not have the profile prod");
}

static int
append_client(void *cookie, const struct client *c)
{
	buf_format(cookie, "%s ", c->name);
	return 0;
}

static int
stop_client(void *cookie, const struct client *c)
{
	(void)c;
	++*(int *)cookie;
	return HT_ERR_UNAVAILABLE;
}

static void
test_rename_remove(void **state)
{
	struct client c;
	struct ht_error e;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", "prod", 60, &e), 0);
	assert_int_equal(client_add(store, &ann, "taken", NULL, 60, &e), 0);
	assert_int_equal(client_grant(store, &ann, "ci", "prod", &e), 0);
	refused(client_rename(store, &ann, "ci", "taken", &e), &e,
	    "client taken exists already");
	refused(client_rename(store, &ann, "no", "new", &e), &e,
	    "there is no client no");
	refused(client_rename(store, &ann, "ci", "New", &e), &e,
	    "\"New\" is no name for a client: use 1 to 63 of a-z 0-9 . _ -");
	assert_int_equal(client_rename(store, &ann, "ci", "new", &e), 0);
	refused(client_find(store, "ci", &c, &e), &e, "there is no client ci");
	assert_int_equal(client_find(store, "new", &c, &e), 0);
	assert_string_equal(c.grants, "prod");
	assert_string_equal(c.default_profile, "prod");
	assert_int_equal(c.max_ttl, 60);

	/* Who comes under the old name has nothing of it. */
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(client_granted(store, "ci", "prod", &e), 0);

	refused(client_remove(store, &ann, "no", &e), &e,
	    "there is no client no");
	assert_int_equal(client_remove(store, &ann, "new", &e), 0);
	assert_int_equal(client_granted(store, "new", "prod", &e), 0);
	assert_int_equal(client_add(store, &ann, "new", NULL, 60, &e), 0);
	assert_int_equal(client_granted(store, "new", "prod", &e), 0);
	assert_int_equal(store_commit(store, &e), 0);
}

static int
append_freeze(void *cookie, const struct freeze *freeze)
{
	buf_format(cookie, "%s %s %s %s\n", freeze->kind, freeze->name,
	    freeze->by, freeze->text);
	return 0;
}

static void
test_freezes(void **state)
{
	struct buf b = BUF_INIT;
	struct freeze f;
	struct ht_error e;

	(void)state;
	assert_int_equal(freeze_find(store, FREEZE_ALL, "", &f, &e), 0);
	assert_int_equal(
	    freeze_add(store, &ann, FREEZE_PROFILE, "prod", "a leak", &e), 0);
	refused(freeze_add(store, &ann, FREEZE_PROFILE, "prod", NULL, &e), &e,
	    "profile prod is frozen already");
	assert_int_equal(freeze_find(store, FREEZE_PROFILE, "prod", &f, &e), 1);
	assert_string_equal(f.text, "a leak");
	assert_string_equal(f.by, "ann");
	assert_non_null(strstr(f.json,
	    "{\"kind\":\"profile\",\"name\":\"prod\",\"text\":\"a leak\","
	    "\"by\":\"ann\",\"at\":\"20"));
	/* Nothing else of that name is. */
	assert_int_equal(freeze_find(store, FREEZE_CLIENT, "prod", &f, &e), 0);
	assert_int_equal(freeze_find(store, FREEZE_PROFILE, "pro", &f, &e), 0);
	assert_int_equal(freeze_add(store, &ann, FREEZE_ALL, NULL, NULL, &e),
	    0);
	assert_int_equal(freeze_each(store, append_freeze, &b, &e), 0);
	buf_u8(&b, 0);
	assert_string_equal((const char *)b.data,
	    "all  ann \nprofile prod ann a leak\n");
	buf_free(&b);
	assert_int_equal(freeze_remove(store, &ann, FREEZE_ALL, NULL, &e), 0);
	refused(freeze_remove(store, &ann, FREEZE_ALL, NULL, &e), &e,
	    "all is not frozen");
	assert_int_equal(freeze_find(store, FREEZE_ALL, "", &f, &e), 0);
	assert_int_equal(freeze_find(store, FREEZE_PROFILE, "prod", &f, &e), 1);
#define ADMIN "\"role\":\"admin\",\"from\":\"127.0.0.1\""
	expect_events("frozen ann {" ADMIN ",\"profile\":\"prod\","
	              "\"reason\":\"profile\",\"text\":\"a leak\"}\n"
	              "frozen ann {" ADMIN ",\"reason\":\"all\"}\n"
	              "thawed ann {" ADMIN ",\"reason\":\"all\"}\n");
}

static void
test_client_each(void **state)
{
	struct buf b = BUF_INIT;
	struct ht_error e;
	int calls = 0;

	(void)state;
	assert_int_equal(client_add(store, &ann, "zoo", NULL, 60, &e), 0);
	assert_int_equal(client_add(store, &ann, "ant", NULL, 60, &e), 0);
	assert_int_equal(client_each(store, append_client, &b, &e), 0);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.data, "ant zoo ", 8);
	buf_free(&b);
	assert_int_equal(client_each(store, stop_client, &calls, &e),
	    HT_ERR_UNAVAILABLE);
	assert_int_equal(calls, 1);
}

/* --- user certificates ----------------------------------------------- */

static struct user_certificate
certificate_of(const char *name)
{
	struct user_certificate c = {
		.principal = "client:ci",
		.name = name,
		.fingerprint = "SHA256:abc",
		.valid_after = journal_now() / 1000000,
		.issued_by = "ann",
	};

	c.valid_before = c.valid_after + 60;
	return c;
}

static void
test_certificates(void **state)
{
	struct user_certificate what = certificate_of("ci"), c;
	struct ht_error e;
	uint64_t first, second;
	char text[128];

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(user_certificate_issue(store, &ann, &what, &first, &e),
	    0);
	assert_int_equal(
	    user_certificate_issue(store, &ann, &what, &second, &e), 0);
	assert_true(first > 0 && second > first);
	assert_int_equal(user_certificate_find(store, second, &c, &e), 0);
	assert_int_equal(c.serial, second);
	assert_string_equal(c.principal, "client:ci");
	assert_string_equal(c.name, "ci");
	(void)snprintf(text, sizeof(text), "ci/%ju", (uintmax_t)second);
	assert_string_equal(c.key_id, text);
	assert_string_equal(c.fingerprint, "SHA256:abc");
	assert_int_equal(c.valid_after, what.valid_after);
	assert_int_equal(c.valid_before, what.valid_before);
	assert_string_equal(c.issued_by, "ann");
	assert_true(c.issued > 0);
	assert_int_equal(c.revoked, 0);
	(void)snprintf(text, sizeof(text),
	    "{\"serial\":%ju,\"principal\":\"client:ci\",\"name\":\"ci\","
	    "\"key_id\":\"ci/%ju\",",
	    (uintmax_t)second, (uintmax_t)second);
	assert_non_null(strstr(c.json, text));
	assert_int_equal(user_certificate_revoke(store, &ann, second, NULL, &e),
	    0);
	assert_int_equal(user_certificate_find(store, second, &c, &e), 0);
	assert_true(c.revoked > 0);
	assert_int_equal(user_certificate_find(store, first, &c, &e), 0);
	assert_int_equal(c.revoked, 0);
	(void)snprintf(text, sizeof(text), "certificate %ju is revoked already",
	    (uintmax_t)second);
	refused(user_certificate_revoke(store, &ann, second, NULL, &e), &e,
	    text);
	refused(user_certificate_find(store, 3, &c, &e), &e,
	    "certificate 3 was never issued");
	refused(user_certificate_find(store, UINT64_MAX, &c, &e), &e,
	    "certificate 18446744073709551615 was never issued");
}

/* Another endpoint with our CA issued them; this one never will. */
static void
test_revoked_elsewhere(void **state)
{
	static const uint64_t serials[] = { 0, 2, 3, 5, 4711, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT64_MAX };
	struct user_certificate what = certificate_of("ci");
	struct ht_error e;
	uint64_t serial;
	bool here;
	size_t i;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	for (i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		serial = serials[i];
		assert_int_equal(user_certificate_revoked(store, serial, &e),
		    0);
		assert_int_equal(
		    user_certificate_revoke(store, &ann, serial, &here, &e), 0);
		assert_false(here);
		assert_int_equal(user_certificate_revoked(store, serial, &e),
		    1);
		assert_int_equal(
		    user_certificate_revoke(store, &ann, serial, &here, &e),
		    HT_ERR_USAGE);
	}
	assert_int_equal(user_certificate_revoked(store, 4712, &e), 0);
	assert_int_equal(
	    user_certificate_issue(store, &ann, &what, &serial, &e), 0);
	assert_int_equal(user_certificate_revoked(store, serial, &e), 0);
	assert_int_equal(
	    user_certificate_revoke(store, &ann, serial, &here, &e), 0);
	assert_true(here);
	assert_int_equal(user_certificate_revoked(store, serial, &e), 1);
}

/* What arc4random_uniform says, or -1 for the real one. */
static int64_t drawn = -1;
/* Seconds that the clock is ahead. */
static int64_t ahead;
uint32_t __real_arc4random_uniform(uint32_t bound);
uint32_t __wrap_arc4random_uniform(uint32_t bound);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

uint32_t
__wrap_arc4random_uniform(uint32_t bound)
{
	assert_int_equal(bound, 1 << 20);
	return drawn < 0 ? __real_arc4random_uniform(bound) : (uint32_t)drawn;
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = __real_clock_gettime(clock, now);

	now->tv_sec += ahead;
	return ret;
}

static uint64_t
issue_at(int64_t seconds, int64_t random)
{
	struct user_certificate what = certificate_of("ci");
	struct ht_error e;
	uint64_t serial;

	ahead = seconds - certificate_of("ci").valid_after;
	drawn = random;
	assert_int_equal(
	    user_certificate_issue(store, &ann, &what, &serial, &e), 0);
	ahead = 0;
	drawn = -1;
	return serial;
}

/*
 * Seconds and random bits, above the last one, and none of another endpoint's.
 */
static void
test_serial_parts(void **state)
{
	const int64_t t = 2000000000;
	const uint64_t first = ((uint64_t)t << 20) + 9;
	struct ht_error e;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(issue_at(t, 9), first);
	assert_int_equal(issue_at(t, 10), first + 1);
	assert_int_equal(issue_at(t, 9), first + (1 << 20));
	assert_int_equal(issue_at(t - 100, 9), first + (2 << 20));
	assert_int_equal(issue_at(t + 2, 10), first + (2 << 20) + 1);
	assert_int_equal(
	    user_certificate_revoke(store, &ann, first + (5 << 20), NULL, &e),
	    0);
	assert_int_equal(issue_at(t + 5, 9), first + (6 << 20));
	assert_true(issue_at(t + 6, (1 << 20) - 1) < (uint64_t)1 << 53);
}

/* A store from a backup does not assign what was assigned after that. */
static void
test_serials_after_restore(void **state)
{
	struct user_certificate what = certificate_of("ci");
	struct ht_error e;
	uint64_t kept, lost, serial;

	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(user_certificate_issue(store, &ann, &what, &kept, &e),
	    0);
	assert_int_equal(store_commit(store, &e), 0);
	store_close(store);
	assert_int_equal(RUN("cp", STORE_PATH, "backup"), 0);
	assert_int_equal(RUN("cp", STORE_PATH "-wal", "backup-wal"), 0);
	assert_int_equal(store_set_up(state), 0);
	assert_int_equal(user_certificate_issue(store, &ann, &what, &lost, &e),
	    0);
	assert_int_equal(store_commit(store, &e), 0);
	store_close(store);
	assert_int_equal(RUN("mv", "backup", STORE_PATH), 0);
	assert_int_equal(RUN("mv", "backup-wal", STORE_PATH "-wal"), 0);
	assert_int_equal(store_set_up(state), 0);
	/* Its clock is that of the lost one, but not its random bits. */
	serial =
	    issue_at((int64_t)(lost >> 20), (int64_t)(lost + 7) % (1 << 20));
	assert_true(serial > kept && serial != lost);
	serial =
	    issue_at((int64_t)(lost >> 20) + 60, (int64_t)lost % (1 << 20));
	assert_true(serial > lost);
}

/* A serial that was given out once is not given out again. */
static void
test_serials(void **state)
{
	struct user_certificate what = certificate_of("ci");
	struct ht_error e;
	uint64_t serial, last = 0;
	int i;

	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	for (i = 0; i < 5; i++) {
		assert_int_equal(
		    user_certificate_issue(store, &ann, &what, &serial, &e), 0);
		assert_true(serial > last);
		last = serial;
		assert_int_equal(store_commit(store, &e), 0);
		store_close(store);
		assert_int_equal(store_set_up(state), 0);
	}
}

static void
test_certificate_mistakes(void **state)
{
	struct user_certificate what = certificate_of("ci");
	struct ht_error e;
	uint64_t serial;

	(void)state;
#define ISSUE user_certificate_issue(store, &ann, &what, &serial, &e)
	refused(ISSUE, &e, "there is no client ci");
	assert_int_equal(serial, 0);
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	what.valid_before++;
	refused(ISSUE, &e,
	    "a certificate of client ci is valid for 60 seconds at most "
	    "(`client change ci --ttl=TIME` allows more)");
	what.valid_before = what.valid_after;
	refused(ISSUE, &e, "a certificate must begin before it ends");
	what.valid_before = INT64_MAX;
	refused(ISSUE, &e, "a certificate must begin before it ends");
	what = certificate_of("other");
	refused(ISSUE, &e, "\"other\" is no name for a holder of client:ci");
	what.principal = "ci";
	refused(ISSUE, &e, "\"ci\" is no principal");
	what = certificate_of("ci");
	assert_int_equal(client_set_disabled(store, &ann, "ci", true, &e), 0);
	refused(ISSUE, &e, "client ci is disabled");
	/* Administrators are no clients. */
	what = certificate_of("bob");
	what.principal = "role:auditor";
	assert_int_equal(ISSUE, 0);
	assert_true(serial > 0);
}

/* --- limits, keys, and how often -------------------------------------- */

#define KEY "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
test_limits(void **state)
{
	struct user_certificate what = certificate_of("ci"), c;
	struct ht_error e;
	uint64_t serial;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(ISSUE, 0);
	assert_int_equal(user_certificate_find(store, serial, &c, &e), 0);
	assert_null(c.source);
	assert_null(c.profile);
	assert_int_equal(c.uses, 0);
	assert_null(strstr(c.json, "uses"));
	what.source = "10.0.0.0/8";
	what.profile = "prod";
	what.uses = UINT32_MAX;
	assert_int_equal(ISSUE, 0);
	assert_int_equal(user_certificate_find(store, serial, &c, &e), 0);
	assert_string_equal(c.source, "10.0.0.0/8");
	assert_string_equal(c.profile, "prod");
	assert_int_equal(c.uses, UINT32_MAX);
	assert_int_equal(c.used, 0);
	assert_non_null(strstr(c.json,
	    ",\"source\":\"10.0.0.0/8\",\"profile\":\"prod\","
	    "\"uses\":4294967295,\"issued_by\":\"ann\","));
	assert_true(has_event("certificate-issued",
	    "\"source\":\"10.0.0.0/8\",\"uses\":4294967295"));
	assert_int_equal(user_certificate_revoke(store, &ann, serial, NULL, &e),
	    0);
	assert_true(
	    has_event("certificate-revoked", "\"fingerprint\":\"SHA256:abc\""));
	assert_true(has_event("certificate-revoked", "\"valid_before\":"));
}

static void
test_revoked_keys(void **state)
{
	struct user_certificate what = certificate_of("ci"), c;
	struct ht_error e;
	uint64_t serial, last;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(ISSUE, 0);
	what.fingerprint = KEY;
	last = serial;
	assert_int_equal(ISSUE, 0);
	assert_int_equal(user_key_revoked(store, KEY, &e), 0);
	assert_int_equal(user_key_revoke(store, &ann, KEY, &e), 0);
	assert_int_equal(user_key_revoked(store, KEY, &e), 1);
	assert_int_equal(user_key_revoked(store, "SHA256:abc", &e), 0);
	assert_true(has_event("key-revoked",
	    "{\"role\":\"admin\",\"from\":\"127.0.0.1\","
	    "\"fingerprint\":\"" KEY "\"}"));
	refused(user_key_revoke(store, &ann, KEY, &e), &e,
	    "key " KEY " is revoked already");
	assert_int_equal(user_certificate_find(store, serial, &c, &e), 0);
	assert_true(c.revoked > 0);
	assert_non_null(strstr(c.json, "\"revoked\":\"20"));
	assert_int_equal(user_certificate_find(store, last, &c, &e), 0);
	assert_int_equal(c.revoked, 0);
	refused(ISSUE, &e, "key " KEY " is revoked");
}

struct seen {
	unsigned int serials, keys;
	uint64_t sum;
};

static int
see(void *cookie, uint64_t serial, const char *fingerprint)
{
	struct seen *seen = cookie;

	if (fingerprint != NULL) {
		assert_string_equal(fingerprint, KEY);
		seen->keys++;
	} else {
		assert_int_equal(seen->keys, 0);
		seen->serials++;
		seen->sum += serial;
	}
	return 0;
}

static void
test_revocations(void **state)
{
	struct user_certificate what = certificate_of("ci");
	struct seen seen = { 0 };
	struct ht_error e;
	uint64_t serial;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(user_revocation_each(store, see, &seen, &e), 0);
	assert_int_equal(seen.serials + seen.keys, 0);
	assert_int_equal(ISSUE, 0);
	assert_int_equal(ISSUE, 0);
	assert_int_equal(user_certificate_revoke(store, &ann, serial, NULL, &e),
	    0);
	assert_int_equal(
	    user_certificate_revoke(store, &ann, UINT64_MAX, NULL, &e), 0);
	assert_int_equal(user_certificate_revoke(store, &ann, 7, NULL, &e), 0);
	assert_int_equal(user_key_revoke(store, &ann, KEY, &e), 0);
	assert_int_equal(user_revocation_each(store, see, &seen, &e), 0);
	assert_int_equal(seen.serials, 3);
	assert_int_equal(seen.keys, 1);
	assert_int_equal(seen.sum, serial + 6); /* modulo 2^64 */
}

static uint64_t
decide(uint64_t serial, unsigned int attempts)
{
	static const uint8_t hash[JOURNAL_SHA256];
	const struct journal_request ask = { .client = "ci", .serial = serial };
	struct journal_decision decision = {
		.input = { .format = "pe", .sha256 = hash },
		.algorithm = "sha256",
		.digest = hash,
		.digest_len = sizeof(hash),
		.certificate = "c",
		.token = "t",
	};
	struct ht_error e;
	uint64_t number;

	assert_int_equal(journal_asked(store, &ask, &number, &e), 0);
	while (decision.attempt < attempts) {
		decision.attempt++;
		assert_int_equal(journal_decided(store, number, &decision, &e),
		    0);
	}
	return number;
}

static void
expect_used(uint64_t serial, uint64_t expected)
{
	struct ht_error e;
	uint64_t used;

	assert_int_equal(user_certificate_used(store, serial, &used, &e), 0);
	assert_int_equal(used, expected);
}

/* A request counts once, when it is decided, and with what it stands on. */
static void
test_uses(void **state)
{
	struct user_certificate what = certificate_of("ci"), c;
	struct ht_error e;
	uint64_t serial, events;

	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(ISSUE, 0);
	decide(serial, 0);
	expect_used(serial, 0);
	decide(serial, 1);
	decide(serial, 3);
	decide(UINT64_MAX, 1);
	decide(0, 1);
	expect_used(serial, 2);
	expect_used(UINT64_MAX, 1);
	expect_used(0, 0);
	assert_int_equal(user_certificate_find(store, serial, &c, &e), 0);
	assert_int_equal(c.used, 2);
	assert_non_null(strstr(c.json, "\"used\":2,"));
	assert_int_equal(store_commit(store, &e), 0);
	decide(serial, 1);
	store_close(store); /* the third one was not committed */
	assert_int_equal(store_set_up(state), 0);
	expect_used(serial, 2);
	assert_int_equal(journal_rebuild(store, &ann, &events, &e), 0);
	expect_used(serial, 2);
	expect_used(UINT64_MAX, 1);
	decide(serial, 1);
	expect_used(serial, 3);
}

static void
test_certificate_of_request(void **state)
{
	struct ht_error e;
	uint64_t serial;

	(void)state;
	assert_int_equal(
	    user_certificate_of_request(store, decide(7, 0), &serial, &e), 0);
	assert_int_equal(serial, 7);
	assert_int_equal(user_certificate_of_request(store,
	                     decide(UINT64_MAX, 1), &serial, &e),
	    0);
	assert_true(serial == UINT64_MAX);
	refused(user_certificate_of_request(store, decide(0, 0), &serial, &e),
	    &e,
	    "request 3 had no user certificate with a serial: revoke its key");
	refused(user_certificate_of_request(store, 4, &serial, &e), &e,
	    "there is no request 4");
}

static int
count_certificate(void *cookie, const struct user_certificate *c)
{
	(void)c;
	++*(int *)cookie;
	return 0;
}

static void
test_revoke_name(void **state)
{
	struct user_certificate what = certificate_of("ci");
	struct ht_error e;
	uint64_t serial, count;
	int n = 0;

	(void)state;
	assert_int_equal(client_add(store, &ann, "ci", NULL, 60, &e), 0);
	assert_int_equal(ISSUE, 0);
	assert_int_equal(ISSUE, 0);
	assert_int_equal(user_certificate_revoke(store, &ann, serial, NULL, &e),
	    0);
	what.valid_after -= 1000;
	what.valid_before -= 1000;
	assert_int_equal(ISSUE, 0);
	what = certificate_of("bob");
	what.principal = "role:admin";
	assert_int_equal(ISSUE, 0);
	assert_int_equal(
	    user_certificate_revoke_name(store, &ann, "ci", &count, &e), 0);
	assert_int_equal(count, 1);
	assert_int_equal(
	    user_certificate_revoke_name(store, &ann, "ci", &count, &e), 0);
	assert_int_equal(count, 0);
	refused(user_certificate_revoke_name(store, &ann, "c i", NULL, &e), &e,
	    "\"c i\" is no name");
	assert_int_equal(
	    user_certificate_each(store, "ci", count_certificate, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(
	    user_certificate_each(store, NULL, count_certificate, &n, &e), 0);
	assert_int_equal(n, 7);
}

/* --- names ----------------------------------------------------------- */

static void
test_names(void **state)
{
	static const char *const good[] = { "a", "0", "a.b_c-d", "0." };
	static const char *const bad[] = { "", ".a", "-a", "_a", "A", "a b",
		"a/b", "a\n", "\xc3\xa4", "a:" };
	char name[NAMES_SIZE + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(names_valid(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(names_valid(bad[i]));
	assert_false(names_valid(NULL));
	memset(name, 'a', sizeof(name));
	name[NAMES_SIZE] = '\0';
	assert_false(names_valid(name));
	name[NAMES_MAX] = '\0';
	assert_true(names_valid(name));
}

static void
test_principals(void **state)
{
	static const char *const good[] = { "client:ci", "role:admin",
		"role:approver", "role:auditor" };
	static const char *const bad[] = { "", "ci", "client:", "client:A",
		"client", "role:", "role:client", "role:root", "role:admin ",
		"Role:admin", "client:ci,role:admin" };
	struct names_principal p;
	char text[NAMES_PRINCIPAL_SIZE];
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(names_principal_parse(good[i], &p, &e), 0);
		names_principal_format(&p, text);
		assert_string_equal(text, good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(names_principal_parse(bad[i], &p, &e),
		    HT_ERR_DENIED);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_client),
		CASE(test_client_mistakes),
		CASE(test_grants),
		CASE(test_rename_remove),
		CASE(test_freezes),
		CASE(test_client_each),
		CASE(test_certificates),
		CASE(test_revoked_elsewhere),
		CASE(test_serials),
		CASE(test_serial_parts),
		CASE(test_limits),
		CASE(test_revoked_keys),
		CASE(test_revocations),
		CASE(test_uses),
		CASE(test_certificate_of_request),
		CASE(test_serials_after_restore),
		CASE(test_certificate_mistakes),
		CASE(test_revoke_name),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_principals),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}

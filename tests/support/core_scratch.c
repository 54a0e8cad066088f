#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keys/keyd/failures.h"
#include "keys/keyd/fetch-link.h"
#include "keys/keyd/archive.h"
#include "keys/keyd/pump-link.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/rates.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/spools.h"
#include "keys/sshcert/sshkey-format.h"
#include "signature/init.h"
#include "store/journal/journal.h"
#include "tests/support/core_scratch.h"
#include "tests/support/store_scratch.h"

static const char configuration[] =
    "state = \"$/state\"; run = \"$/run\"; single_user = true;\n"
    "ssh: { listen = [ \"127.0.0.1:2222\" ]; host_keys = [ \"$/host\" ];\n"
    "  user_ca = \"$/ca-ed25519\"; ";

struct keyd core;
int64_t core_now;
static time_t core_waited; /* for timers no other seconds pass */
const struct sshcert_request core_request = {
	.principal = { NAMES_CLIENT, "ci" },
	.serial = 7,
	.valid_after = SSH_CA_NOW - 60,
	.valid_before = SSH_CA_NOW + 60,
};
const struct store_actor core_actor = { "ann", "admin", "::1" };

/* The clock, by the names that the linker gives to what takes its place. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
time_t __wrap_time(time_t *now);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	now->tv_sec = 1 + core_waited;
	now->tv_nsec = 0;
	if (clock == CLOCK_REALTIME) {
		now->tv_sec = core_now / 1000000;
		now->tv_nsec = core_now % 1000000 * 1000;
	}
	return 0;
}

time_t
__wrap_time(time_t *now)
{
	assert_null(now);
	return core_now / 1000000;
}

int
core_enter(void **state)
{
	struct ht_error e;

	if (authenticode_init(&e) < 0)
		return 1;
	return ssh_ca_enter_fast(state);
}

int
core_leave(void **state)
{
	return ssh_ca_leave(state);
}

int
core_set_up(void **state)
{
	core_now = (int64_t)SSH_CA_NOW * 1000000;
	memset(&core, 0, sizeof(core));
	core.loop = loop_new();
	if (core.loop == NULL || store_set_up(state) != 0)
		return 1;
	core.store = store;
	core.failures = failures_new(core.loop, store);
	core.quota = quota_new();
	core.rates = rates_new();
	core.fetch = fetch_new(&core);
	core.pump = pump_new(&core);
	core.files = 1024;
	commit_init(&core.commits);
	share_init(&core.links, KEYD_SIGNING);
	return core.failures == NULL || core.quota == NULL ||
	    core.rates == NULL || core.fetch == NULL;
}

/* A test that has failed may have left a connection open: then it stays. */
int
core_tear_down(void **state)
{
	unsigned int turns;

	for (turns = 0; turns < 16 && core.connections != NULL; turns++)
		core_wait(0);
	archive_free(core.archive);
	spools_free(core.spools);
	failures_free(core.failures);
	quota_free(core.quota);
	rates_free(core.rates);
	fetch_free(core.fetch);
	pump_free(core.pump);
	setup_free(core.setup);
	tokens_free(core.tokens);
	loop_free(core.loop);
	return store_tear_down(state);
}

/* As keyd does it, but for what tokens wait for. */
void
core_settle(void)
{
	struct ht_error e;
	int rc;

	do {
		while (store_dirty(core.store) || core.commits.first != NULL) {
			rc = store_commit(core.store, &e);
			if (rc == HT_ERR_UNAVAILABLE) {
				request_undo(&core, &e);
				continue;
			}
			assert_int_equal(rc, 0);
			commit_run(&core.commits);
		}
		keyd_flush(&core);
	} while (store_dirty(core.store));
}

void
core_turn(void)
{
	struct ht_error e;

	assert_int_equal(loop_once(core.loop, &e), 0);
	core_settle();
}

static void
do_nothing(void *cookie)
{
	(void)cookie;
}

/* With a timer that is due, the loop does not wait for anything else. */
void
core_wait(unsigned int seconds)
{
	core_waited += seconds;
	assert_non_null(loop_timer_add(core.loop, 0, do_nothing, NULL));
	core_turn();
}

/* The configuration's text, with the folder in the place of each $. */
static void
put_text(struct buf *out, const char *text)
{
	char folder[PATH_MAX];
	size_t n;

	assert_non_null(getcwd(folder, sizeof(folder)));
	for (; *text != '\0'; text += n + (text[n] == '$')) {
		n = strcspn(text, "$");
		buf_bytes(out, text, n);
		if (text[n] == '$')
			buf_format(out, "%s", folder);
	}
}

void
core_configure(const char *ssh, const char *rest)
{
	struct buf text = BUF_INIT;
	struct conf *conf;
	struct ht_error e;

	setup_free(core.setup);
	tokens_free(core.tokens);
	put_text(&text, configuration);
	put_text(&text, ssh);
	put_text(&text, " };\n");
	put_text(&text, rest);
	conf = conf_parse("htsign.conf", (const char *)text.data, text.len, &e);
	if (conf == NULL)
		fail_msg("%s", e.text);
	core.tokens = tokens_new(core.loop, conf, &e);
	if (core.tokens == NULL)
		fail_msg("%s", e.text);
	core.setup = setup_new(conf, core.tokens, &e);
	if (core.setup == NULL)
		fail_msg("%s", e.text);
	buf_free(&text);
}

void
core_issue(const struct ssh_ca *ca, const struct ssh_ca_user *user,
    struct sshcert_request request, struct buf *blob)
{
	struct buf line = BUF_INIT;
	struct ht_error e;

	request.key = user->key;
	if (sshcert_issue(ca->private, &request, &line, &e) < 0)
		fail_msg("%s", e.text);
	buf_reset(blob);
	assert_int_equal(sshkey_line_blob(buf_cursor(&line), blob, &e), 0);
	buf_free(&line);
}

void
core_issue_role(const struct ssh_ca *ca, enum names_role role, struct buf *blob)
{
	struct sshcert_request request = core_request;

	memset(&request.principal, 0, sizeof(request.principal));
	request.principal.role = role;
	request.person = "ann";
	core_issue(ca, &ssh_ca_users[0], request, blob);
}

struct count {
	const char *kind;
	const char *text;
	unsigned int n;
};

static int
count_event(void *cookie, const struct journal_event *event)
{
	struct count *count = cookie;

	if (strcmp(event->kind, count->kind) == 0 &&
	    strstr(event->json, count->text) != NULL)
		count->n++;
	return 0;
}

unsigned int
core_events(const char *kind, const char *text)
{
	struct count count = { kind, text, 0 };
	struct ht_error e;

	assert_int_equal(journal_events(core.store, 0, count_event, &count, &e),
	    0);
	return count.n;
}

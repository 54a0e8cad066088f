/*
 * htsign-shell and the timestamp of a signature: it looks at that by itself.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <time.h>

#include "signature/pkcs7.h"
#include "tests/support/shell.h"
#include "tests/support/tsa.h"

static struct tsa ours, other;

static int
start(void **state)
{
	int64_t now = (int64_t)time(NULL);
	const struct tsa_how how = { .not_before = now - 100000,
		.not_after = now + 100000 };

	if (shell_start_p256(state) != 0)
		return 1;
	tsa_make(&how, &ours);
	tsa_make(&how, &other);
	return 0;
}

static int
stop(void **state)
{
	tsa_clear(&ours);
	tsa_clear(&other);
	return shell_stop(state);
}

static void
sign(struct peer *k, const char *command, struct run *run)
{
	struct buf pe = BUF_INIT;

	shell_sample(&pe);
	shell_run(run, k, command, &pe);
	buf_free(&pe);
}

static void
a_good_timestamp(void **state)
{
	static const int64_t late[] = { 0, -290, 290 };
	struct timestamp timestamp;
	struct run run = RUN_INIT;
	struct pkcs7 *p7;
	struct ht_error e;
	struct peer k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		k = peer_good(&shell_signer);
		k.roots = &ours;
		k.stamps = &ours;
		k.stamp_late = late[i];
		sign(&k, i == 0 ? "production" : "production --pkcs7", &run);
		assert_string_equal((char *)run.err.data, "");
		assert_int_equal(run.status, 0);
		if (i > 0) {
			assert_int_equal(
			    pkcs7_parse(run.out.data, run.out.len, &p7, &e), 0);
			assert_int_equal(pkcs7_verify_timestamps(p7,
			                     ours.root.data, ours.root.len,
			                     &timestamp, &e),
			    0);
			assert_non_null(timestamp.authority);
			timestamp_clear(&timestamp);
			pkcs7_free(p7);
		}
		run_free(&run);
	}
}

static void
bad_timestamps(void **state)
{
	static const struct {
		const struct tsa *stamps;
		bool another;
		int64_t late;
		const char *text;
	} cases[] = {
		{ NULL, false, 0, "it has no timestamp" },
		{ &other, false, 0, "the certificate chain is not valid" },
		{ &ours, true, 0, "it is for another signature" },
		{ &ours, false, 3600, "it is not of now" },
		{ &ours, false, -3600, "it is not of now" },
	};
	static const char *const commands[] = { "production",
		"production --pkcs7" };
	struct run run = RUN_INIT;
	struct peer k;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (j = 0; j < 2; j++) {
			k = peer_good(&shell_signer);
			k.roots = &ours;
			k.stamps = cases[i].stamps;
			k.stamps_another = cases[i].another;
			k.stamp_late = cases[i].late;
			sign(&k, commands[j], &run);
			run_failed(&run, 70, cases[i].text);
			shell_told(&k, 70, "output");
			run_free(&run);
		}
	}
}

static void
without_one_the_client_is_told_why(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;

	(void)state;
	k.note = "no timestamp: all are away";
	sign(&k, "production", &run);
	assert_string_equal((char *)run.err.data,
	    "htsign: request 17: warning: no timestamp: all are away\n");
	assert_int_equal(run.status, 0);
	assert_true(run.out.len > 4000);
	run_free(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_timestamp),
		cmocka_unit_test(bad_timestamps),
		cmocka_unit_test(without_one_the_client_is_told_why),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

/*
 * The tap makes the SHA-256 that libcrypto makes of the bytes in one piece,
 * however they come, alone and with the thread that helps.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "htsign-shell/tap.h"
#include "tests/support/mutate.h"

#define SIZE ((size_t)5 << 20)

static uint8_t *bytes;

static int
make_bytes(void **state)
{
	uint32_t x = 1;
	size_t i;

	(void)state;
	bytes = malloc(SIZE);
	assert_non_null(bytes);
	for (i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	return 0;
}

static int
free_bytes(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

/* n bytes, in pieces whose buffer is another's right after the call. */
static void
compare(size_t n, size_t piece)
{
	uint8_t wanted[TAP_SHA256], got[TAP_SHA256];
	struct tap t = { NULL, 0, false };
	uint8_t *buffer = malloc(piece);
	struct ht_error e;
	size_t at, k;

	assert_non_null(buffer);
	assert_int_equal(EVP_Digest(bytes, n, wanted, NULL, EVP_sha256(), NULL),
	    1);
	assert_int_equal(tap_start(&t, &e), 0);
	for (at = 0; at < n; at += k) {
		k = n - at < piece ? n - at : piece;
		memcpy(buffer, bytes + at, k);
		tap_bytes(&t, buffer, k);
		memset(buffer, 0xee, k);
	}
	assert_int_equal(tap_end(&t, got, &e), 0);
	tap_free(&t);
	free(buffer);
	assert_memory_equal(got, wanted, sizeof(got));
}

static void
compare_all(void)
{
	static const size_t sizes[] = { 0, 1, 100000, (1 << 20) - 1, 1 << 20,
		(1 << 20) + 1, SIZE - 7, SIZE };
	static const size_t pieces[] = { 4093, 65536, 262144, 262145, 900000 };
	static const size_t n = sizeof(pieces) / sizeof(pieces[0]);
	size_t step = mutate_step();
	size_t i, j;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (j = i % step % n; j < n; j += step)
			compare(sizes[i], pieces[j]);
}

static void
test_alone(void **state)
{
	(void)state;
	compare_all();
}

static void
test_with_help(void **state)
{
	(void)state;
	tap_prepare();
	compare_all();
}

/* As when a request fails in the middle of its upload. */
static void
test_given_up(void **state)
{
	struct tap t = { NULL, 0, false };
	struct ht_error e;

	(void)state;
	assert_int_equal(tap_start(&t, &e), 0);
	tap_bytes(&t, bytes, SIZE);
	tap_free(&t);
	tap_free(&t);
	compare(SIZE, 65536);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_with_help),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, make_bytes, free_bytes);
}

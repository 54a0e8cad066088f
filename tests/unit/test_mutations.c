/*
 * Damaged files of every format: each truncation of the small samples, and
 * thousands of mutations of them.  Nothing may break, hang, or take much
 * memory; what is not a good file any more is HT_ERR_DATA.
 *
 * How many: tests/support/mutate.h.
 */

#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fuzz/format.h"
#include "tests/support/cab_image.h"
#include "tests/support/mutate.h"
#include "tests/support/pe_image.h"
#include "tests/support/samples.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#define MEMORY_MAX ((size_t)64 << 20)

/* --- time ---------------------------------------------------------------- */

/* What is being tried, for the handlers. */
static char trying[64];

static void
say_what(int number)
{
	size_t n = strlen(trying);

	(void)number;
	(void)!write(STDERR_FILENO, trying, n);
}

static void
too_slow(int number)
{
	static const char text[] = "more than a second of processor time\n";

	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

/*
 * A second of processor time from now on, or for ever.
 */
static void
set_limit(time_t seconds)
{
	struct itimerval limit = { .it_value.tv_sec = seconds };

	assert_int_equal(setitimer(ITIMER_PROF, &limit, NULL), 0);
}

/* --- memory -------------------------------------------------------------- */

/*
 * Under AddressSanitizer, what has been allocated at once, the most of it: its
 * own shadow and quarantine would be in the process's size.
 */
#ifdef SANITIZED
#include <sanitizer/allocator_interface.h>

static size_t allocated;
static size_t most;

static void
count_malloc(const volatile void *p, size_t n)
{
	(void)p;
	allocated += n;
	if (allocated > most)
		most = allocated;
}

static void
count_free(const volatile void *p)
{
	size_t n = __sanitizer_get_allocated_size((const void *)(uintptr_t)p);

	/* Some is from before the counting. */
	allocated -= n < allocated ? n : allocated;
}

static size_t
memory_used(void)
{
	return most;
}

static void
count_memory(void)
{
	assert_int_not_equal(
	    __sanitizer_install_malloc_and_free_hooks(count_malloc, count_free),
	    0);
}
#else
static size_t
memory_used(void)
{
	const char *preloaded = getenv("LD_PRELOAD");
	struct rusage usage;

	/* Of valgrind's process most is valgrind's. */
	if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL)
		return 0;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (size_t)usage.ru_maxrss << 10;
}

static void
count_memory(void)
{
}
#endif

static void
check_memory(void)
{
	if (memory_used() > MEMORY_MAX)
		fail_msg("%zu bytes of memory", memory_used());
}

/* --- truncations ---------------------------------------------------------- */

/*
 * A text that is cut is a text, but its signature is gone or of another.
 */
static void
cut(const struct sample *sample, const struct buf *bytes, bool is_signed)
{
	size_t needed = is_signed ? bytes->len : bytes->len - sample->optional;
	struct ht_error e;
	size_t n;
	int rc;

	if (strcmp(sample->kind, "script") == 0)
		needed = 0;
	for (n = 0; n < bytes->len; n++) {
		(void)snprintf(trying, sizeof(trying),
		    "%s, cut at %zu: ", sample->name, n);
		set_limit(1);
		rc = sample_digest(sample, bytes->data, n, &e);
		if (rc != HT_ERR_DATA && (rc != 0 || n < needed))
			fail_msg("%s cut at %zu: %d", sample->name, n, rc);
		rc = sample_verify(sample, &signing_p256, bytes->data, n, &e);
		if (rc != HT_ERR_DATA)
			fail_msg("%s verifies, cut at %zu", sample->name, n);
	}
	set_limit(0);
}

static void
test_truncations(void **state)
{
	const char *kind = *state;
	size_t i;

	for (i = 0; i < samples_count; i++) {
		struct buf bytes = BUF_INIT;

		if (strcmp(samples[i].kind, kind) != 0)
			continue;
		sample_make(&samples[i], &bytes);
		cut(&samples[i], &bytes, false);
		buf_reset(&bytes);
		sample_sign(&samples[i], &signing_p256, &bytes);
		cut(&samples[i], &bytes, true);
		buf_free(&bytes);
	}
	check_memory();
}

/* --- mutations ------------------------------------------------------------ */

/*
 * So many mutations of one file.
 */
static void
mutate_file(const struct sample *sample, const struct buf *bytes,
    unsigned long count, uint64_t *seed)
{
	uint8_t *mutated = malloc(bytes->len);
	unsigned long i;
	size_t n;

	assert_non_null(mutated);
	for (i = 0; i < count; i++) {
		memcpy(mutated, bytes->data, bytes->len);
		n = mutate(seed, mutated, bytes->len);
		(void)snprintf(trying, sizeof(trying),
		    "%s, mutation %lu: ", sample->name, i);
		set_limit(1);
		fuzz_format(mutated, n, sample->name);
	}
	set_limit(0);
	free(mutated);
}

static void
test_mutations(void **state)
{
	const char *kind = *state;
	unsigned long files = 0;
	uint64_t seed = 4711;
	size_t i;

	for (i = 0; i < samples_count; i++)
		files += 2 * (strcmp(samples[i].kind, kind) == 0);
	for (i = 0; i < samples_count; i++) {
		unsigned long count = mutate_count() / files + 1;
		struct buf bytes = BUF_INIT;

		if (strcmp(samples[i].kind, kind) != 0)
			continue;
		sample_make(&samples[i], &bytes);
		mutate_file(&samples[i], &bytes, count, &seed);
		buf_reset(&bytes);
		sample_sign(&samples[i], &signing_p256, &bytes);
		mutate_file(&samples[i], &bytes, count, &seed);
		buf_free(&bytes);
	}
	check_memory();
}

/* --- streams -------------------------------------------------------------- */

/*
 * Mutate n bytes at an offset of a file that is too large to be remembered.
 */
static void
mutate_far(const char *name, const struct buf *bytes, size_t at, size_t n)
{
	struct buf mutated = BUF_INIT;
	unsigned long i;
	uint64_t seed = 4711;

	assert_true(bytes->len > INPUT_HEAD && at + n <= bytes->len);
	for (i = 0; i < mutate_count() / 10 + 1; i++) {
		buf_reset(&mutated);
		buf_bytes(&mutated, bytes->data, bytes->len);
		assert_int_equal(buf_failed(&mutated), 0);
		(void)mutate(&seed, mutated.data + at, n);
		(void)snprintf(trying, sizeof(trying), "%s, far %lu: ", name,
		    i);
		set_limit(1);
		fuzz_format(mutated.data, mutated.len, name);
	}
	set_limit(0);
	buf_free(&mutated);
}

/* What a stream has forgotten, nobody asks for. */
static void
test_streams(void **state)
{
	static const struct pe_image far = { .machine = PE_IMAGE_X64,
		.lfanew = 70000 };
	static const struct cab_image large = { .size = 70000,
		.folders = 2,
		.cabinet_area = 59000 };
	struct buf bytes = BUF_INIT;

	(void)state;
	pe_image_build(&far, &bytes);
	mutate_far("far.exe", &bytes, 0, 64);
	mutate_far("far.exe", &bytes, far.lfanew, 400);
	buf_reset(&bytes);
	cab_image_build(&large, &bytes);
	mutate_far("large.cab", &bytes, 0, 40);
	mutate_far("large.cab", &bytes, 40 + large.cabinet_area, 60);
	buf_free(&bytes);
}

static int
start(void **state)
{
	(void)signal(SIGPROF, too_slow);
	(void)signal(SIGABRT, say_what);
	count_memory();
	return signing_start(state);
}

int
main(void)
{
	static char kinds[][8] = { "pe", "cab", "msi", "cat", "appx",
		"script" };
	const struct CMUnitTest tests[] = {
		{ "truncations of PE", test_truncations, NULL, NULL, kinds[0] },
		{ "of CAB", test_truncations, NULL, NULL, kinds[1] },
		{ "of MSI", test_truncations, NULL, NULL, kinds[2] },
		{ "of catalogs", test_truncations, NULL, NULL, kinds[3] },
		{ "of APPX", test_truncations, NULL, NULL, kinds[4] },
		{ "of scripts", test_truncations, NULL, NULL, kinds[5] },
		{ "mutations of PE", test_mutations, NULL, NULL, kinds[0] },
		{ "of CAB", test_mutations, NULL, NULL, kinds[1] },
		{ "of MSI", test_mutations, NULL, NULL, kinds[2] },
		{ "of catalogs", test_mutations, NULL, NULL, kinds[3] },
		{ "of APPX", test_mutations, NULL, NULL, kinds[4] },
		{ "of scripts", test_mutations, NULL, NULL, kinds[5] },
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, start, signing_stop);
}

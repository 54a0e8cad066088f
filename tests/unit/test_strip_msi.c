/*
 * An MSI that was signed and is stripped: the original, byte for byte, and so
 * one way in which it is laid out, whatever was in it.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/cfb_image.h"
#include "tests/support/mutate.h"
#include "tests/support/strip.h"

#define MEMBERS_MAX 20

/*
 * n streams of so many bytes, and one more of another size.  Names of 17
 * letters are as long as the signature's, so that it is among them in the tree.
 */
static void
build_msi(unsigned int version, size_t n, size_t size, size_t last,
    struct buf *out)
{
	static char names[MEMBERS_MAX][32];
	struct cfb_image_entry entries[MEMBERS_MAX];
	size_t i;

	assert_true(n < MEMBERS_MAX);
	for (i = 0; i <= n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "stream%s%c",
		    i % 2 == 0 ? "" : "-and-more-", (char)('a' + i));
		entries[i] = (struct cfb_image_entry){ names[i], CFB_IMAGE_ROOT,
			i < n ? size : last };
	}
	cfb_image_build(version, entries, n + 1, out);
}

/*
 * The numbers of entries fill the directory's sectors or not, the sizes the
 * mini stream's and the FAT's, so that a signature makes each of them grow.
 */
static void
test_msi(void **state)
{
	static const size_t each[] = { 0, 60, 64, 4000, 4096, 5000 };
	static const size_t last[] = { 0, 1, 3000, 4096, 55000, 60000, 65536 };
	struct buf msi = BUF_INIT;
	size_t i;
	size_t j;
	size_t n;

	(void)state;
	for (n = 1; n < 9; n++) {
		for (i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
			for (j = (n + i) % mutate_step();
			     j < sizeof(last) / sizeof(last[0]);
			     j += mutate_step()) {
				buf_reset(&msi);
				build_msi(n % 2 == 0 ? 3 : 4, n, each[i],
				    last[j], &msi);
				strip_assert_restored(&msi, NULL);
			}
		}
	}
	buf_free(&msi);
}

/*
 * Sign it in so many ways, one after the other, each with a signature of
 * another size.  Each result is as if there had been no other before, and comes
 * off without a trace.
 */
static void
sign_in_turn(const struct format_options *how, size_t n, size_t first,
    const struct buf *original)
{
	struct buf stripped = BUF_INIT;
	struct buf before = BUF_INIT;
	struct buf after = BUF_INIT;
	struct buf direct = BUF_INIT;
	struct buf p7 = BUF_INIT;
	size_t i;

	buf_bytes(&before, original->data, original->len);
	for (i = 0; i < n; i++) {
		buf_reset(&p7);
		buf_reset(&after);
		buf_reset(&direct);
		buf_reset(&stripped);
		strip_signature(strip_sizes[(first + i * i) % STRIP_SIZES],
		    &p7);
		strip_sign_as(&how[i], &before, NULL, &p7, &after);
		strip_sign_as(&how[i], original, NULL, &p7, &direct);
		strip_assert_same(&direct, &after);
		strip_off(&after, NULL, "sha256", &stripped);
		strip_assert_same(original, &stripped);
		buf_reset(&before);
		buf_bytes(&before, after.data, after.len);
	}
	buf_free(&stripped);
	buf_free(&before);
	buf_free(&after);
	buf_free(&direct);
	buf_free(&p7);
}

/*
 * MsiDigitalSignatureEx comes and goes with the signatures that replace each
 * other.
 */
static void
test_msi_ex(void **state)
{
	static const struct format_options how[] = {
		{ .algorithm = "sha256", .msi_ex = true },
		{ .algorithm = "sha256" },
		{ .algorithm = "sha512", .msi_ex = true },
		{ .algorithm = "sha384", .msi_ex = true },
		{ .algorithm = "sha256" },
	};
	static const size_t each[] = { 0, 60, 4000, 4096 };
	struct buf msi = BUF_INIT;
	size_t i;
	size_t j;
	size_t n;

	(void)state;
	for (n = 110; n < 130; n += mutate_step()) {
		buf_reset(&msi);
		build_msi(3, 1, 4096, n * 512, &msi);
		sign_in_turn(how, sizeof(how) / sizeof(how[0]), n, &msi);
	}
	for (n = 109 * 128 - 130; n < 109 * 128; n += 24 * mutate_step()) {
		buf_reset(&msi);
		build_msi(3, 1, 4096, n * 512, &msi);
		sign_in_turn(how, sizeof(how) / sizeof(how[0]), n, &msi);
	}
	for (n = 1; n < 9; n++) {
		for (i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
			for (j = 0; j < STRIP_SIZES; j += mutate_step()) {
				buf_reset(&msi);
				build_msi(n % 2 == 0 ? 3 : 4, n, each[i], 55000,
				    &msi);
				sign_in_turn(how, sizeof(how) / sizeof(how[0]),
				    j, &msi);
			}
		}
	}
	buf_free(&msi);
}

/* A FAT of every length near the one that it outgrows. */
static void
test_msi_fat(void **state)
{
	struct buf msi = BUF_INIT;
	size_t size;

	(void)state;
	for (size = 110; size < 130; size++) {
		buf_reset(&msi);
		build_msi(3, 1, 4096, size * 512, &msi);
		strip_assert_restored(&msi, NULL);
	}
	buf_free(&msi);
}

/* The same where the FAT outgrows the header's list of its sectors. */
static void
test_msi_difat(void **state)
{
	struct buf msi = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t size;

	(void)state;
	for (size = 109 * 128 - 130; size < 109 * 128;
	     size += 4 * mutate_step()) {
		buf_reset(&msi);
		buf_reset(&stripped);
		build_msi(3, 1, 4096, size * 512, &msi);
		strip_round_trip(&msi, NULL, "sha256", 70000, &stripped);
		strip_assert_same(&msi, &stripped);
	}
	buf_free(&msi);
	buf_free(&stripped);
}

/*
 * Signatures that others put where they like: the tree's root, a node with one
 * side or two, a leaf; and with metadata.
 */
static void
test_msi_theirs(void **state)
{
	static const char *const places[] = { "\5DigitalSignature",
		"\5MsiDigitalSignatureEx" };
	struct cfb_image_entry entries[MEMBERS_MAX];
	char names[MEMBERS_MAX][32];
	struct buf msi = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t i;
	size_t n;
	size_t with_ex;

	(void)state;
	for (n = 1; n < MEMBERS_MAX - 2; n += mutate_step()) {
		for (i = 0; i < n; i++) {
			(void)snprintf(names[i], sizeof(names[i]),
			    "%cigitalSignature%c", i % 2 == 0 ? '\1' : 'Z',
			    (char)('a' + i));
			entries[i] = (struct cfb_image_entry){ names[i],
				CFB_IMAGE_ROOT, 100 * i };
		}
		for (with_ex = 0; with_ex < 2; with_ex++) {
			for (i = 0; i <= with_ex; i++)
				entries[n + i] =
				    (struct cfb_image_entry){ places[i],
					    CFB_IMAGE_ROOT, 2000 };
			buf_reset(&msi);
			buf_reset(&stripped);
			cfb_image_build(3, entries, n + 1 + with_ex, &msi);
			strip_off(&msi, NULL, "sha256", &stripped);
			strip_assert_restored(&stripped, NULL);
		}
	}
	buf_free(&msi);
	buf_free(&stripped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_msi_ex),
		cmocka_unit_test(test_msi_fat),
		cmocka_unit_test(test_msi_difat),
		cmocka_unit_test(test_msi_theirs),
	};

	return cmocka_run_group_tests(tests, strip_start, NULL);
}

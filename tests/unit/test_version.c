/*
 * What programs and packages say of themselves: two samples, one made by
 * windres and one by wixl, and what becomes of them when they are damaged.
 */

#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "formats/msi/msi-version.h"
#include "formats/pe/pe-header.h"
#include "formats/pe/pe-version.h"
#include "lib/utf8.h"
#include "tests/support/mutate.h"

/* A sample, and a copy of it that a test changes. */
static uint8_t pe[8192], msi[16384], copy[16384];
static size_t pe_size, msi_size;

static size_t
load(const char *name, uint8_t *p, size_t size)
{
	const char *srcdir = getenv("srcdir");
	char path[1024];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
	    srcdir != NULL ? srcdir : ".", name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, p, size);
	assert_true(n > 0 && (size_t)n < size);
	(void)close(fd);
	return (size_t)n;
}

static int
set_up(void **state)
{
	(void)state;
	pe_size = load("pe/version", pe, sizeof(pe));
	msi_size = load("msi/version", msi, sizeof(msi));
	return 0;
}

static void
check_texts(const struct format_version *v)
{
	assert_true(utf8_plain(v->product));
	assert_true(utf8_plain(v->company));
	assert_true(utf8_plain(v->version));
}

static struct format_version
read_pe(const uint8_t *p, size_t n)
{
	struct format_version v = { "", "", "" };
	struct ht_error e;
	struct input *in = input_memory(p, n, &e);
	uint32_t lfanew;
	int rc;

	assert_non_null(in);
	rc = pe_header_lfanew(in, &lfanew, &e);
	if (rc == 0)
		rc = pe_version_read(in, lfanew, &v, &e);
	assert_true(rc == 0 || rc == HT_ERR_DATA);
	check_texts(&v);
	input_free(in);
	return v;
}

static struct format_version
read_msi(const uint8_t *p, size_t n)
{
	struct format_version v = { "", "", "" };
	struct ht_error e;
	struct input *in = input_memory(p, n, &e);
	struct cfb cfb;

	assert_non_null(in);
	if (cfb_open(&cfb, in, NULL, &e) == 0)
		assert_int_equal(msi_version_read(&cfb, &v, &e), 0);
	cfb_close(&cfb);
	check_texts(&v);
	input_free(in);
	return v;
}

static void
test_program(void **state)
{
	struct format_version v = read_pe(pe, pe_size);

	(void)state;
	assert_string_equal(v.product, "Sample App");
	assert_string_equal(v.company, "Us \xc3\xa9");
	assert_string_equal(v.version, "1.2.3.4");
}

static void
test_package(void **state)
{
	struct format_version v = read_msi(msi, msi_size);

	(void)state;
	assert_string_equal(v.product, "Sample App");
	assert_string_equal(v.company, "Us");
	assert_string_equal(v.version, "1.2.3");
}

/* --- damage -------------------------------------------------------------- */

/* Where the n bytes at what are in the sample. */
static size_t
find(const void *what, size_t n)
{
	const uint8_t *at = memmem(pe, pe_size, what, n);

	assert_non_null(at);
	return (size_t)(at - pe);
}

static struct format_version
with(size_t at, const void *bytes, size_t n)
{
	memcpy(copy, pe, pe_size);
	memcpy(copy + at, bytes, n);
	return read_pe(copy, pe_size);
}

static void
expect_nothing(struct format_version v)
{
	assert_string_equal(v.product, "");
	assert_string_equal(v.company, "");
	assert_string_equal(v.version, "");
}

/* The first table has one entry, of type 16, which points to the second. */
static const uint8_t first_table[] = { 0, 0, 1, 0, 16, 0, 0, 0, 0x18, 0, 0,
	0x80 };

static void
test_tables(void **state)
{
	size_t at = find(first_table, sizeof(first_table));

	(void)state;
	/* Another type; a table that is its own; one beyond; a leaf too soon. */
	expect_nothing(with(at + 4, "\x11", 1));
	expect_nothing(with(at + 8, "\0\0\0\x80", 4));
	expect_nothing(with(at + 8, "\xff\xff\xff\xff", 4));
	expect_nothing(with(at + 8, "\x18\0\0\0", 4));
	/* More entries than there are bytes: the first one is still found. */
	assert_string_equal(with(at, "\0\0\xff\xff", 4).product, "Sample App");
	expect_nothing(with(at, "\xff\xff\xff\xff\x11", 5));
}

/* The key of the whole resource; its lengths are 6 bytes before. */
static void
test_blocks(void **state)
{
	static const char info[] =
	    "V\0S\0_\0V\0E\0R\0S\0I\0O\0N\0_\0I\0N\0F\0O";
	static const char product[] = "P\0r\0o\0d\0u\0c\0t\0N\0a\0m\0e\0\0\0";
	size_t whole = find(info, sizeof(info) - 1) - 6;
	size_t name = find(product, sizeof(product) - 1) - 6;
	struct format_version v;

	(void)state;
	expect_nothing(with(whole, "\0\0", 2));
	expect_nothing(with(whole, "\5\0", 2));
	expect_nothing(with(whole, "\xff\xff", 2));
	expect_nothing(with(whole + 6, "W", 1));
	/* Of a block that has no end, those before it are known. */
	v = with(name, "\0\0", 2);
	assert_string_equal(v.product, "");
	assert_string_equal(v.version, "1.2.3.4");
	v = with(name, "\xff\xff", 2);
	assert_string_equal(v.product, "");
	/* More characters than there are. */
	v = with(name + 2, "\xff\x7f", 2);
	assert_string_equal(v.product, "Sample App");
	/* Not the signature of VS_FIXEDFILEINFO. */
	v = with(find("\xbd\x04\xef\xfe", 4), "\xbe", 1);
	assert_string_equal(v.version, "");
	assert_string_equal(v.product, "Sample App");
}

static void
test_texts(void **state)
{
	static const char text[] = "S\0a\0m\0p\0l\0e\0 \0A\0p\0p";
	size_t at = find(text, sizeof(text) - 1);

	(void)state;
	/* A control character; half a pair; a whole one; an end. */
	assert_string_equal(with(at, "\x1b\0", 2).product, "");
	assert_string_equal(with(at, "\x00\xd8", 2).product, "");
	assert_string_equal(with(at, "\x00\xdc", 2).product, "");
	assert_string_equal(with(at, "\x3d\xd8\x00\xde", 4).product,
	    "\xf0\x9f\x98\x80mple App");
	assert_string_equal(with(at + 4, "\0\0", 2).product, "Sa");
}

static void
test_every_end(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < pe_size; n += mutate_step())
		(void)read_pe(pe, n);
}

static void
test_mutations(void **state)
{
	uint64_t seed = 14;
	unsigned long left;
	size_t n;

	(void)state;
	for (left = mutate_count(); left > 0; left--) {
		memcpy(copy, pe, pe_size);
		n = mutate(&seed, copy, pe_size);
		(void)read_pe(copy, n);
		memcpy(copy, msi, msi_size);
		n = mutate(&seed, copy, msi_size);
		(void)read_msi(copy, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_package),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_every_end),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

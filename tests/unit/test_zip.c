#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formats/appx/zip.h"
#include "tests/support/mutate.h"
#include "tests/support/package.h"

#define BETWEEN "ZIP: a gap or an overlap between entries (APPNOTE 4.3.6)"
#define LOCAL                                                                  \
	"ZIP: a local header that differs from the directory (APPNOTE 4.3.7)"
#define LAST                                                                   \
	"ZIP: the file does not end with an end record: it is cut, or there "  \
	"is something behind it (APPNOTE 4.3.16)"
#define UNPACK "ZIP: file0.bin does not unpack to what its header says"

static const struct package plain = { .method = "sha256",
	.publisher = "CN=Test Signer",
	.files = 2,
	.size = 300 };

static int
count(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	uint64_t *sum = cookie;

	(void)p;
	(void)e;
	*sum += n;
	return 0;
}

/*
 * Walk over all entries and unpack them.
 */
static int
walk(const struct buf *bytes, unsigned int *entries, struct ht_error *e)
{
	struct input *in = input_memory(bytes->data, bytes->len, e);
	struct zip zip;
	struct zip_entry entry;
	uint64_t sum;
	bool more = true;
	int rc;

	assert_non_null(in);
	*entries = 0;
	rc = zip_open(&zip, in, e);
	while (rc == 0) {
		rc = zip_next(&zip, &entry, &more, e);
		if (rc < 0 || !more)
			break;
		(*entries)++;
		sum = 0;
		rc = zip_extract(&zip, &entry, UINT64_MAX, count, &sum, e);
		if (rc == 0)
			assert_true(sum == entry.size);
	}
	zip_close(&zip);
	input_free(in);
	return rc;
}

static void
good(const struct package *package, unsigned int expected)
{
	struct buf bytes = BUF_INIT;
	unsigned int entries;
	struct ht_error e;

	package_make(package, &bytes);
	assert_int_equal(walk(&bytes, &entries, &e), 0);
	assert_int_equal(entries, expected);
	buf_free(&bytes);
}

static void
test_good(void **state)
{
	static const unsigned int forms[] = { 0, 12, 16, 20, 24 };
	struct package package = plain;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		package.descriptor = forms[i];
		package.zip64 = false;
		package.deflated = false;
		good(&package, 6);
		package.deflated = true;
		good(&package, 6);
		package.zip64 = true;
		good(&package, 6);
	}
	package.files = 200;
	package.size = 70000;
	good(&package, 204);
}

/*
 * More directory than is in memory at once: some record is not all in one part
 * of it.
 */
static void
test_long_directory(void **state)
{
	struct package package = plain;

	(void)state;
	package.files = (unsigned int)(2 * INPUT_CHUNK / 46);
	package.size = 1;
	good(&package, package.files + 4);
	package.zip64 = true;
	good(&package, package.files + 4);
}

static void
refuse(const struct package *package, enum package_fault fault,
    const char *text)
{
	struct package changed = *package;
	struct buf bytes = BUF_INIT;
	unsigned int entries;
	struct ht_error e;

	changed.fault = fault;
	package_make(&changed, &bytes);
	assert_int_equal(walk(&bytes, &entries, &e), HT_ERR_DATA);
	assert_string_equal(e.text, text);
	buf_free(&bytes);
}

static void
test_refusals(void **state)
{
	struct package described = plain;
	struct package deflated = plain;

	(void)state;
	described.descriptor = 16;
	deflated.deflated = true;
	refuse(&plain, PACKAGE_BEFORE, BETWEEN);
	refuse(&plain, PACKAGE_GAP, BETWEEN);
	refuse(&plain, PACKAGE_SWAPPED, BETWEEN);
	refuse(&plain, PACKAGE_BEHIND, LAST);
	refuse(&plain, PACKAGE_COMMENT, LAST);
	refuse(&plain, PACKAGE_ENCRYPTED,
	    "ZIP: an encrypted entry (APPNOTE 4.4.4)");
	refuse(&plain, PACKAGE_METHOD,
	    "ZIP: an entry that is neither stored nor deflated (APPNOTE "
	    "4.4.5)");
	refuse(&plain, PACKAGE_LOCAL_NAME, LOCAL);
	refuse(&plain, PACKAGE_LOCAL_SIZE, LOCAL);
	refuse(&plain, PACKAGE_LOCAL_CRC, LOCAL);
	refuse(&described, PACKAGE_DESCRIPTOR,
	    "ZIP: a data descriptor that differs from the directory (APPNOTE "
	    "4.3.9)");
	refuse(&plain, PACKAGE_CRC, UNPACK);
	refuse(&deflated, PACKAGE_CRC, UNPACK);
	refuse(&plain, PACKAGE_COUNT,
	    "ZIP: the number of entries is not what the end record says "
	    "(APPNOTE 4.4.22)");
	refuse(&plain, PACKAGE_TWO_NAMES,
	    "ZIP: two entries of the same name: twice.txt");
	refuse(&plain, PACKAGE_TWO_CASES,
	    "ZIP: two entries of the same name: Twice.TXT");
	refuse(&plain, PACKAGE_TWO_ESCAPES,
	    "ZIP: two entries of the same name: t%77ice.txt");
}

/* Parts are named in ASCII, and the case of nothing else is ignored. */
static void
test_names_of_other_letters(void **state)
{
	struct package package = plain;

	(void)state;
	package.fault = PACKAGE_TWO_LETTERS;
	good(&package, 8);
}

static void
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/*
 * Set 16 bits at offset, or that far from the end if it is negative.
 */
static void
poke(const struct package *package, long offset, uint16_t v, const char *text)
{
	struct buf bytes = BUF_INIT;
	unsigned int entries;
	struct ht_error e;

	package_make(package, &bytes);
	put_u16(offset < 0 ? bytes.data + bytes.len + offset
	                   : bytes.data + offset,
	    v);
	assert_int_equal(walk(&bytes, &entries, &e), HT_ERR_DATA);
	assert_string_equal(e.text, text);
	buf_free(&bytes);
}

static void
test_end_records(void **state)
{
	static const char disks[] = "ZIP: on several disks (APPNOTE 4.3.16)";
	static const char apart[] =
	    "ZIP: the central directory does not end where the end record "
	    "begins (APPNOTE 4.3.6)";
	static const char misfit[] =
	    "ZIP: the ZIP64 end records do not fit the file (APPNOTE 4.3.14)";
	struct package zip64 = plain;

	(void)state;
	zip64.zip64 = true;
	poke(&plain, -18, 1, disks);
	poke(&plain, -16, 0xffff, disks);
	poke(&plain, -14, 77, disks);
	poke(&plain, -10, 1, apart);
	poke(&plain, -6, 1, apart);
	poke(&zip64, -22 - 20 + 4, 1, misfit);       /* locator: disk */
	poke(&zip64, -22 - 20 + 8, 1, misfit);       /* its offset */
	poke(&zip64, -22 - 20 + 16, 2, misfit);      /* its disks */
	poke(&zip64, -22 - 20 - 56, 0, misfit);      /* signature */
	poke(&zip64, -22 - 20 - 56 + 4, 45, misfit); /* length */
	poke(&zip64, -22 - 20 - 56 + 16, 1, misfit); /* disk */
	poke(&zip64, -22 - 20 - 56 + 24, 1, misfit); /* entries here */
	poke(&zip64, -22 - 20 - 56 + 40, 1, apart);  /* size */
	poke(&zip64, -10, 0, misfit);                /* two sizes */
	poke(&zip64, -6, 1, misfit);                 /* two offsets */
}

static void
test_local_headers(void **state)
{
	(void)state;
	poke(&plain, 0, 0,
	    "ZIP: no local header at the offset in the directory (APPNOTE "
	    "4.3.7)");
	poke(&plain, 6, 0x800, LOCAL); /* flags */
	poke(&plain, 8, 8, LOCAL);     /* method */
	poke(&plain, 26, 3, LOCAL);    /* name's length */
	poke(&plain, 28, 4, "ZIP: a damaged ZIP64 field (APPNOTE 4.5.3)");
	poke(&plain, 20, 0xffff, LOCAL);
}

/* Each field of a descriptor, whichever form that has. */
static void
test_descriptors(void **state)
{
	static const struct {
		unsigned int length;
		size_t fields; /* where they begin */
	} forms[] = { { 12, 0 }, { 16, 4 }, { 20, 0 }, { 24, 4 } };
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	unsigned int entries;
	struct ht_error e;
	uint8_t *descriptor;
	uint8_t *next;
	size_t i;
	size_t j;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		package.descriptor = forms[i].length;
		buf_reset(&bytes);
		package_make(&package, &bytes);
		next = memmem(bytes.data + 4, bytes.len - 4, "PK\3\4", 4);
		assert_non_null(next);
		descriptor = next - forms[i].length;
		for (j = forms[i].fields; j < forms[i].length; j++) {
			descriptor[j] ^= 1;
			assert_int_equal(walk(&bytes, &entries, &e),
			    HT_ERR_DATA);
			assert_string_equal(e.text,
			    "ZIP: a data descriptor that differs from the "
			    "directory (APPNOTE 4.3.9)");
			descriptor[j] ^= 1;
		}
		assert_int_equal(walk(&bytes, &entries, &e), 0);
	}
	buf_free(&bytes);
}

/*
 * Beyond 4 GiB the offset stands in a ZIP64 field; a package of that size is
 * not made for the sake of it.
 */
static void
test_far_offsets(void **state)
{
	static const uint64_t offsets[] = { 0, 0xfffffffeU, 0xffffffffU,
		0x100000000U, 0x123456789aU };
	struct zip_entry entry = { .name = cursor_over("name", 4),
		.crc = 7,
		.size = 77,
		.attributes = 3 };
	struct zip_entry read;
	struct buf bytes = BUF_INIT;
	struct cursor c;
	struct ht_error e;
	uint64_t at;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		entry.offset = offsets[i];
		buf_reset(&bytes);
		zip_put_central(&entry, &bytes);
		c = buf_cursor(&bytes);
		assert_int_equal(zip_central(&c, &read, &e), 0);
		assert_int_equal(c.left, 0);
		assert_true(read.offset == entry.offset);
		assert_true(read.size == 77 && read.packed == 77);
		assert_int_equal(read.offset_size, i < 2 ? 4 : 8);
		c = cursor_over(bytes.data + read.offset_at, read.offset_size);
		if (read.offset_size == 8) {
			assert_int_equal(cursor_u64le(&c, &at), 0);
			assert_true(at == entry.offset);
		}
	}
	buf_free(&bytes);
}

static void
test_truncations(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	unsigned int entries;
	struct ht_error e;
	size_t whole;

	(void)state;
	package.zip64 = true;
	package.deflated = true;
	package.descriptor = 24;
	package_make(&package, &bytes);
	for (whole = bytes.len; bytes.len > 0;) {
		bytes.len--;
		assert_int_equal(walk(&bytes, &entries, &e), HT_ERR_DATA);
	}
	bytes.len = whole;
	buf_free(&bytes);
}

/* Each entry of what can be walked over is unpacked, too. */
static void
test_mutations(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct buf mutated = BUF_INIT;
	unsigned int entries;
	uint64_t seed = 4711;
	struct ht_error e;
	int rc;
	int i;

	(void)state;
	package.deflated = true;
	package_make(&package, &bytes);
	for (i = 0; i < 2000; i++) {
		buf_reset(&mutated);
		buf_bytes(&mutated, bytes.data, bytes.len);
		mutated.len = mutate(&seed, mutated.data, mutated.len);
		rc = walk(&mutated, &entries, &e);
		assert_true(rc == 0 || rc == HT_ERR_DATA);
	}
	buf_free(&mutated);
	buf_free(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_long_directory),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names_of_other_letters),
		cmocka_unit_test(test_end_records),
		cmocka_unit_test(test_local_headers),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_far_offsets),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

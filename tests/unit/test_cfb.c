#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formats/msi/cfb-edit.h"
#include "formats/msi/cfb.h"
#include "tests/support/cfb_image.h"
#include "tests/support/mutate.h"
#include "tests/support/signable.h"

/*
 * In version 3: BIG is in sectors 0 to 9, ALSO in 10 to 17, the mini stream in
 * 18, its FAT in 19, the directory in 20 and 21, the FAT in 22.  TINY has the
 * mini sectors 0 and 1, SMALL 2 to 5, INNER 6.
 */
static const struct cfb_image_entry entries[] = {
	{ "big", CFB_IMAGE_ROOT, 5000 },
	{ "also", CFB_IMAGE_ROOT, 4096 },
	{ "tiny", CFB_IMAGE_ROOT, 100 },
	{ "small", CFB_IMAGE_ROOT, 200 },
	{ "storage", CFB_IMAGE_ROOT, CFB_IMAGE_STORAGE },
	{ "inner", 4, 10 },
	{ "empty", 4, 0 },
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

/* Entries in the directory: the root is first, and one is unused. */
enum { ROOT, BIG, ALSO, TINY, SMALL, STORAGE, INNER, EMPTY };

/* Where things are in the file. */
#define SECTOR(n) (((size_t)(n) + 1) * 512)
#define FAT(n) (SECTOR(22) + 4 * (size_t)(n))
#define MINI_FAT(n) (SECTOR(19) + 4 * (size_t)(n))
#define MINI(n) (SECTOR(18) + 64 * (size_t)(n))
#define ENTRY(n) (SECTOR(20) + 128 * (size_t)(n))
#define END 0xfffffffe
#define FREE 0xffffffff

static void
put(struct buf *image, size_t at, size_t width, uint32_t v)
{
	assert_true(at + width <= image->len);
	for (; width > 0; width--, v >>= 8)
		image->data[at++] = (uint8_t)v;
}

static int
open_image(const struct buf *image, struct ht_error *e)
{
	struct input *in = input_memory(image->data, image->len, e);
	struct cfb cfb;
	int rc;

	rc = cfb_open(&cfb, in, NULL, e);
	cfb_close(&cfb);
	input_free(in);
	return rc;
}

static void
good(const struct buf *image)
{
	struct ht_error e;

	if (open_image(image, &e) < 0)
		fail_msg("%s at 0x%llx", e.text, (unsigned long long)e.offset);
}

static void
bad(const struct buf *image, uint64_t at, const char *why)
{
	struct ht_error e;

	ht_error_clear(&e);
	if (open_image(image, &e) != HT_ERR_DATA)
		fail_msg("taken, which should be: %s", why);
	if (strstr(e.text, why) == NULL || e.offset != at)
		fail_msg("\"%s\" at 0x%llx is not \"%s\" at 0x%llx", e.text,
		    (unsigned long long)e.offset, why, (unsigned long long)at);
}

/* --- reading ------------------------------------------------------------- */

struct expected {
	size_t place;
	size_t at;
};

static int
compare_bytes(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	struct expected *x = cookie;

	(void)e;
	for (; n > 0; n--, p++, x->at++)
		assert_int_equal(*p, cfb_image_byte(x->place, x->at));
	return 0;
}

static void
check_contents(const struct buf *image, const struct cfb_image_entry *expected,
    size_t n)
{
	struct ht_error e;
	struct input *in = input_memory(image->data, image->len, &e);
	struct cfb cfb;
	size_t i;

	if (cfb_open(&cfb, in, NULL, &e) < 0)
		fail_msg("%s at 0x%llx", e.text, (unsigned long long)e.offset);
	for (i = 0; i < n; i++) {
		struct expected x = { i, 0 };

		if (expected[i].size == CFB_IMAGE_STORAGE)
			continue;
		assert_int_equal(cfb_read_stream(&cfb, &cfb.entries[i + 1],
		                     compare_bytes, &x, &e),
		    0);
		assert_int_equal(x.at, expected[i].size);
	}
	cfb_close(&cfb);
	input_free(in);
}

static void
test_both_versions(void **state)
{
	unsigned int version;

	(void)state;
	for (version = 3; version <= 4; version++) {
		struct buf image = BUF_INIT;

		cfb_image_build(version, entries, ENTRIES, &image);
		check_contents(&image, entries, ENTRIES);
		buf_free(&image);
	}
}

static void
test_sizes_around_sectors(void **state)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 511, 512, 513, 4095,
		4096, 4097, 300000 };
	unsigned int version;
	size_t i;

	(void)state;
	for (version = 3; version <= 4; version++) {
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct cfb_image_entry one = { "one", CFB_IMAGE_ROOT,
				sizes[i] };
			struct buf image = BUF_INIT;

			cfb_image_build(version, &one, 1, &image);
			check_contents(&image, &one, 1);
			buf_free(&image);
		}
	}
}

/* --- damage -------------------------------------------------------------- */

static const struct {
	size_t at;
	size_t width;
	uint32_t v;
	uint64_t where;
	const char *why;
} spoils[] = {
	{ 0, 1, 0xd1, 0, "not a compound file" },
	{ 0x1a, 2, 5, 0x1a, "neither version 3" },
	{ 0x1e, 2, 12, 0x1a, "neither version 3" },
	{ 0x1c, 2, 0xfeff, 0x1c, "byte order" },
	{ 0x20, 2, 7, 0x1c, "byte order, mini sector shift" },
	{ 0x25, 1, 1, 0x1c, "reserved bytes" },
	{ 0x28, 4, 2, 0x28, "the directory has 2 sectors where" },
	{ 0x2c, 4, 0, 0x4c, "the header lists more FAT sectors" },
	{ 0x2c, 4, 2, 0x4c, "FAT: sector 0xffffffff is not in the file" },
	{ 0x2c, 4, 24, 0x2c, "more FAT sectors than sectors in all" },
	{ 0x30, 4, 99, 0, "the directory: sector 0x63 is not in" },
	{ 0x30, 4, END, 0x28, "the directory has 0 sectors" },
	{ 0x30, 4, 22, 0, "the directory: sector 0x16 is used twice" },
	{ 0x38, 4, 8192, 0x38, "mini stream cutoff of 8192" },
	{ 0x3c, 4, END, 0x40, "the mini FAT has 0 sectors where" },
	{ 0x40, 4, 0, 0, "the mini FAT is longer than 0 sectors" },
	{ 0x40, 4, 2, 0x40, "the mini FAT has 1 sectors where" },
	{ 0x44, 4, 99, 0x44, "DIFAT: sector 0x63 is not in the file" },
	{ 0x44, 4, 22, SECTOR(22), "the DIFAT lists more FAT sectors" },
	{ 0x48, 4, 1, 0x48, "the DIFAT has 0 sectors where" },
	{ 0x4c, 4, 23, 0x4c, "FAT: sector 0x17 is not in the file" },
	{ 0x50, 4, 22, 0x50, "the header lists more FAT sectors" },

	{ FAT(22), 4, END, SECTOR(22), "is not marked in the FAT" },
	{ FAT(23), 4, END, SECTOR(22), "behind the last is not free" },
	{ FAT(9), 4, FREE, ENTRY(BIG), "goes on behind its end" },
	{ FAT(9), 4, 0, ENTRY(BIG), "goes on behind its end" },
	{ FAT(8), 4, END, ENTRY(BIG), "sector 0xfffffffe is not in the file" },
	{ FAT(4), 4, 4, ENTRY(BIG), "stream: sector 0x4 is used twice" },
	{ FAT(4), 4, 13, ENTRY(ALSO), "stream: sector 0xd is used twice" },
	{ FAT(4), 4, 22, ENTRY(BIG), "stream: sector 0x16 is used twice" },
	{ FAT(4), 4, 23, ENTRY(BIG), "stream: sector 0x17 is not in" },
	{ FAT(21), 4, 20, SECTOR(21), "the directory: sector 0x14 is used" },
	{ FAT(20), 4, END, ENTRY(TINY), "refers to a missing one" },
	{ FAT(19), 4, 19, SECTOR(19), "the mini FAT is longer than 1" },
	{ FAT(18), 4, 18, SECTOR(18), "the mini stream: sector 0x12 is used" },

	{ MINI_FAT(0), 4, 0, ENTRY(TINY), "stream: sector 0x0 is used twice" },
	{ MINI_FAT(0), 4, 5, ENTRY(SMALL), "stream: sector 0x5 is used" },
	{ MINI_FAT(0), 4, 7, ENTRY(TINY), "stream: sector 0x7 is not in" },
	{ MINI_FAT(1), 4, 2, ENTRY(TINY), "goes on behind its end" },
	{ MINI_FAT(7), 4, 1, SECTOR(19), "behind the last is not free" },

	{ ENTRY(ROOT) + 0x42, 1, 1, ENTRY(ROOT), "entry of type 1" },
	{ ENTRY(ROOT) + 0x44, 4, BIG, ENTRY(ROOT), "the root has siblings" },
	{ ENTRY(ROOT) + 0x48, 4, BIG, ENTRY(ROOT), "the root has siblings" },
	{ ENTRY(ROOT) + 0x78, 4, 64, SECTOR(19), "is not free" },
	{ ENTRY(ROOT) + 0x78, 4, 449, ENTRY(ROOT), "stream of 449 bytes" },
	{ ENTRY(ROOT) + 0x78, 4, 576, ENTRY(ROOT), "chain is not as long" },
	{ ENTRY(ROOT) + 0x4c, 4, 8, ENTRY(ROOT), "a missing one" },
	{ ENTRY(ROOT) + 0x4c, 4, FREE, ENTRY(BIG), "is in no storage" },
	{ ENTRY(BIG) + 0x42, 1, 5, ENTRY(BIG), "entry of type 5" },
	{ ENTRY(BIG) + 0x42, 1, 0, ENTRY(BIG), "data in unused" },
	{ ENTRY(BIG) + 0x40, 2, 0, ENTRY(BIG), "without a proper name" },
	{ ENTRY(BIG) + 0x40, 2, 7, ENTRY(BIG), "without a proper name" },
	{ ENTRY(BIG) + 0x40, 2, 66, ENTRY(BIG), "without a proper name" },
	{ ENTRY(BIG) + 0x40, 2, 6, ENTRY(BIG), "without a proper name" },
	{ ENTRY(BIG) + 2, 2, 0, ENTRY(BIG), "without a proper name" },
	{ ENTRY(BIG) + 0x44, 4, BIG, ENTRY(BIG), "refer to the same one" },
	{ ENTRY(BIG) + 0x4c, 4, EMPTY, ENTRY(BIG),
	    "a stream has child entries" },
	{ ENTRY(BIG) + 0x78, 4, 0x80000000, ENTRY(BIG), "of 2147483648" },
	{ ENTRY(BIG) + 0x78, 4, 4608, ENTRY(BIG), "goes on behind its end" },
	{ ENTRY(BIG) + 0x78, 4, 0, SECTOR(0), "not free is in no stream" },
	{ ENTRY(TINY) + 0x78, 4, 0, MINI(0), "not free is in no stream" },
	{ ENTRY(ALSO), 2, 'z', ENTRY(TINY), "is not in its place" },
	{ ENTRY(STORAGE) + 0x4c, 4, BIG, ENTRY(STORAGE), "the same one" },
};

static void
test_damage(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct buf image = BUF_INIT;

		cfb_image_build(3, entries, ENTRIES, &image);
		put(&image, spoils[i].at, spoils[i].width, spoils[i].v);
		bad(&image, spoils[i].where, spoils[i].why);
		buf_free(&image);
	}
}

/* What a version 4 has besides. */
static void
test_damage_of_version_4(void **state)
{
	struct buf image = BUF_INIT;

	(void)state;
	cfb_image_build(4, entries, ENTRIES, &image);
	put(&image, 0x28, 4, 0);
	bad(&image, 0x28, "the directory has 1 sectors where the header says");
	put(&image, 0x28, 4, 1);
	good(&image);
	put(&image, 4095, 1, 1);
	bad(&image, 512, "data behind the header");
	buf_free(&image);
}

/* A file without one stream, whose sectors are free: ALSO's, TINY's. */
static void
forget(struct buf *image)
{
	size_t i;

	cfb_image_build(3, entries, ENTRIES, image);
	for (i = 10; i < 18; i++)
		put(image, FAT(i), 4, FREE);
	put(image, ENTRY(ALSO) + 0x74, 4, END);
	put(image, ENTRY(ALSO) + 0x78, 4, 0);
	put(image, MINI_FAT(0), 4, FREE);
	put(image, MINI_FAT(1), 4, FREE);
	put(image, ENTRY(TINY) + 0x74, 4, END);
	put(image, ENTRY(TINY) + 0x78, 4, 0);
}

static void
test_data_in_free_sectors(void **state)
{
	struct buf image = BUF_INIT;

	(void)state;
	forget(&image);
	bad(&image, SECTOR(10), "data in free sectors");
	memset(image.data + SECTOR(10), 0, (size_t)8 * 512);
	bad(&image, MINI(0), "data in free sectors");
	memset(image.data + MINI(0), 0, 128);
	good(&image);
	image.data[SECTOR(18) - 1] = 1;
	bad(&image, SECTOR(18) - 1, "data in free sectors");
	buf_free(&image);
}

/* As Windows leaves the entry of a stream that it has deleted. */
static void
test_data_in_unused_entries(void **state)
{
	struct buf image = BUF_INIT;

	(void)state;
	cfb_image_build(3, entries, ENTRIES - 1, &image);
	good(&image);
	put(&image, ENTRY(EMPTY) + 0x74, 4, END);
	put(&image, ENTRY(EMPTY) + 0x78, 4, 0x263d);
	bad(&image, ENTRY(EMPTY),
	    "6 bytes of data in unused directory entries, which no signature "
	    "covers");
	buf_free(&image);
}

static void
test_data_behind_the_end(void **state)
{
	struct buf image = BUF_INIT;

	(void)state;
	cfb_image_build(3, entries, ENTRIES, &image);
	buf_u8(&image, 0);
	bad(&image, image.len, "the file ends inside a sector");
	buf_zeros(&image, 511);
	bad(&image, SECTOR(23), "bytes behind the last allocated sector");
	put(&image, FAT(23), 4, END);
	bad(&image, SECTOR(23), "not free is in no stream");
	buf_zeros(&image, (size_t)128 * 512);
	bad(&image, SECTOR(128), "the FAT does not cover the whole file");
	buf_free(&image);
}

static void
test_every_truncation(void **state)
{
	struct buf image = BUF_INIT;
	unsigned int version;
	struct ht_error e;

	(void)state;
	for (version = 3; version <= 4; version++) {
		cfb_image_build(version, entries, ENTRIES, &image);
		while (image.len > 0) {
			image.len--;
			assert_int_equal(open_image(&image, &e), HT_ERR_DATA);
		}
		buf_free(&image);
	}
}

/* Reads and refuses, or reads; nothing else. */
static void
test_flips(void **state)
{
	unsigned int version;
	size_t bit;

	(void)state;
	for (version = 3; version <= 4; version++) {
		struct buf image = BUF_INIT;
		struct ht_error e;

		cfb_image_build(version, entries, ENTRIES, &image);
		for (bit = 0; bit < image.len * 8; bit += 3 * mutate_step()) {
			int rc;

			image.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			rc = open_image(&image, &e);
			assert_true(rc == 0 || rc == HT_ERR_DATA);
			image.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		buf_free(&image);
	}
}

/* --- many, and deep ------------------------------------------------------ */

/* A tree that is a list, as libgsf makes them, and storages in storages. */
static void
test_lists_and_depths(void **state)
{
	enum { COUNT = 3000 };
	static struct cfb_image_entry many[COUNT];
	struct buf image = BUF_INIT;
	int i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		many[i] =
		    (struct cfb_image_entry){ "s", i - 1, CFB_IMAGE_STORAGE };
	cfb_image_build(3, many, COUNT, &image);
	good(&image);
	buf_free(&image);
}

/* --- changing ------------------------------------------------------------ */

static const uint8_t name[] = "n\0e\0w\0\0";

static void
change(const struct buf *image, const void *p, size_t n, struct buf *out)
{
	struct ht_error e;
	struct input *in = input_memory(image->data, image->len, &e);
	struct output *plan = output_new(in, &e);
	struct format_remains remains = { 0 };
	struct cfb_edit *edit;
	struct cfb cfb;

	assert_int_equal(cfb_open(&cfb, in, &remains, &e), 0);
	assert_int_equal(cfb_edit_new(&cfb, &edit, &e), 0);
	assert_int_equal(cfb_edit_remove(edit, name, sizeof(name), &e), 0);
	assert_int_equal(cfb_edit_put(edit, name, sizeof(name), p, n, &e), 0);
	assert_int_equal(cfb_edit_plan(edit, plan, &e), 0);
	cfb_edit_free(edit);
	signable_read(plan, out);
	output_free(plan);
	cfb_close(&cfb);
	input_free(in);
}

static int
append(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	(void)e;
	buf_bytes(cookie, p, n);
	return 0;
}

/* The new stream is there, and so is all the rest. */
static void
check_change(const struct buf *image, const struct cfb_image_entry *expected,
    size_t count, const uint8_t *p, size_t n)
{
	struct ht_error e;
	struct input *in = input_memory(image->data, image->len, &e);
	const struct cfb_entry *entry;
	struct buf found = BUF_INIT;
	struct cfb cfb;

	if (cfb_open(&cfb, in, NULL, &e) < 0)
		fail_msg("%zu bytes: %s at 0x%llx", n, e.text,
		    (unsigned long long)e.offset);
	entry = cfb_find(&cfb, name, sizeof(name));
	assert_non_null(entry);
	assert_int_equal(cfb_read_stream(&cfb, entry, append, &found, &e), 0);
	assert_int_equal(found.len, n);
	if (n > 0)
		assert_memory_equal(found.data, p, n);
	buf_free(&found);
	cfb_close(&cfb);
	input_free(in);
	check_contents(image, expected, count);
}

/* One unused entry is taken, and the others are cleared. */
static void
test_unused_entries_are_cleared(void **state)
{
	enum { COUNT = SMALL };
	struct buf image = BUF_INIT;
	struct buf out = BUF_INIT;
	size_t i;

	(void)state;
	cfb_image_build(3, entries, COUNT, &image);
	for (i = COUNT + 1; i <= EMPTY; i++)
		memset(image.data + ENTRY(i), 0xa5, 66);
	bad(&image, ENTRY(COUNT + 1), "198 bytes of data in unused");
	change(&image, "", 0, &out);
	check_change(&out, entries, COUNT, NULL, 0);
	for (i = COUNT + 2; i <= EMPTY; i++)
		assert_memory_equal(out.data + ENTRY(i), (uint8_t[66]){ 0 },
		    66);
	buf_free(&image);
	buf_free(&out);
}

/*
 * From each size to each other, where the tables have room and where not: as if
 * the other had never been there.
 */
static void
test_replace(void **state)
{
	static const size_t sizes[] = { 0, 10, 64, 3000, 4095, 4096, 5000,
		70000 };
	enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };
	static uint8_t bytes[70000];
	unsigned int version;
	size_t i;
	size_t j;

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	for (version = 3; version <= 4; version++) {
		struct buf image = BUF_INIT;

		cfb_image_build(version, entries, ENTRIES, &image);
		for (i = 0; i < SIZES; i++) {
			struct buf once = BUF_INIT;

			change(&image, bytes, sizes[i], &once);
			check_change(&once, entries, ENTRIES, bytes, sizes[i]);
			for (j = 0; j < SIZES; j++) {
				struct buf twice = BUF_INIT;
				struct buf direct = BUF_INIT;

				change(&once, bytes, sizes[j], &twice);
				check_change(&twice, entries, ENTRIES, bytes,
				    sizes[j]);
				change(&image, bytes, sizes[j], &direct);
				assert_int_equal(twice.len, direct.len);
				assert_memory_equal(twice.data, direct.data,
				    direct.len);
				buf_free(&twice);
				buf_free(&direct);
			}
			buf_free(&once);
		}
		buf_free(&image);
	}
}

/*
 * Files of all lengths around where one more sector of FAT is needed, and of
 * all numbers of entries that a sector of directory may have.
 */
static void
test_tables_grow(void **state)
{
	static uint8_t bytes[5000];
	size_t i;

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	for (i = 90; i < 140; i++) {
		struct cfb_image_entry sized[] = {
			{ "one", CFB_IMAGE_ROOT, i * 512 },
			{ "b", CFB_IMAGE_ROOT, i },
			{ "zzz", CFB_IMAGE_ROOT, 65 },
			{ "aaa", CFB_IMAGE_ROOT, 0 },
			{ "cc", CFB_IMAGE_ROOT, 1 },
		};
		struct buf image = BUF_INIT;
		struct buf out = BUF_INIT;

		cfb_image_build(3, sized, 1 + i % 5, &image);
		change(&image, bytes, i % 2 == 0 ? 5000 : 3000, &out);
		check_change(&out, sized, 1 + i % 5, bytes,
		    i % 2 == 0 ? 5000 : 3000);
		buf_free(&image);
		buf_free(&out);
	}
}

/*
 * The header knows 109 sectors of FAT, for 109 * 128 sectors; one more takes a
 * DIFAT, and 127 more another.
 */
static void
test_difat(void **state)
{
	static const size_t fats[] = { 109, 109 + 127 };
	static uint8_t bytes[5000];
	size_t i;
	size_t j;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 20; j += 3) {
			struct cfb_image_entry one = { "one", CFB_IMAGE_ROOT,
				(fats[i] * 128 - fats[i] - 3 - j) * 512 };
			struct buf image = BUF_INIT;
			struct buf out = BUF_INIT;

			cfb_image_build(3, &one, 1, &image);
			change(&image, bytes, sizeof(bytes), &out);
			check_change(&out, &one, 1, bytes, sizeof(bytes));
			buf_free(&image);
			buf_free(&out);
		}
	}
}

/*
 * Exchange the last sector of FAT with the sector of DIFAT that it needs.
 */
static void
exchange_fat_and_difat(struct buf *image)
{
	struct ht_error e;
	struct input *in = input_memory(image->data, image->len, &e);
	uint8_t sector[512];
	struct cfb cfb;
	uint32_t number;
	size_t fat;
	size_t difat;

	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	assert_int_equal(cfb.fat_sectors.n, 110);
	assert_int_equal(cfb.difat_sectors.n, 1);
	number = cfb.fat_sectors.v[109];
	assert_int_equal(number, 109 * 128);
	assert_int_equal(cfb.difat_sectors.v[0], number + 1);
	fat = (size_t)cfb_sector_at(&cfb, number);
	difat = fat + sizeof(sector);
	cfb_close(&cfb);
	input_free(in);

	memcpy(sector, image->data + fat, sizeof(sector));
	memcpy(image->data + fat, image->data + difat, sizeof(sector));
	memcpy(image->data + difat, sector, sizeof(sector));
	put(image, 0x44, 4, number);
	put(image, fat, 4, number + 1);
	put(image, difat, 4, CFB_DIFSECT);
	put(image, difat + 4, 4, CFB_FATSECT);
}

/* As others may have placed them: they are not where they were, then. */
static void
test_fat_elsewhere(void **state)
{
	static uint8_t bytes[5000];
	struct cfb_image_entry one = { "one", CFB_IMAGE_ROOT,
		(109 * 128 - 109 - 3) * 512 };
	struct buf image = BUF_INIT;
	struct buf once = BUF_INIT;
	struct buf again = BUF_INIT;
	struct buf twice = BUF_INIT;

	(void)state;
	cfb_image_build(3, &one, 1, &image);
	change(&image, bytes, sizeof(bytes), &once);
	buf_bytes(&again, once.data, once.len);
	exchange_fat_and_difat(&again);
	check_change(&again, &one, 1, bytes, sizeof(bytes));
	change(&again, bytes, sizeof(bytes), &twice);
	assert_int_equal(twice.len, once.len);
	assert_memory_equal(twice.data, once.data, once.len);
	buf_free(&image);
	buf_free(&once);
	buf_free(&again);
	buf_free(&twice);
}

static void
test_damage_of_difat(void **state)
{
	struct cfb_image_entry one = { "one", CFB_IMAGE_ROOT, 240 * 128 * 512 };
	struct buf image = BUF_INIT;
	struct ht_error e;
	struct input *in;
	struct cfb cfb;
	uint64_t first;
	uint64_t second;

	(void)state;
	cfb_image_build(3, &one, 1, &image);
	in = input_memory(image.data, image.len, &e);
	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	assert_int_equal(cfb.difat_sectors.n, 2);
	first = cfb_sector_at(&cfb, cfb.difat_sectors.v[0]);
	second = cfb_sector_at(&cfb, cfb.difat_sectors.v[1]);

	put(&image, (size_t)second + 508, 4, cfb.difat_sectors.v[0]);
	bad(&image, 0x44, "is used twice");
	put(&image, (size_t)second + 508, 4, END);
	put(&image, (size_t)second + 504, 4, 1);
	bad(&image, second, "lists more FAT sectors than the header counts");
	put(&image, (size_t)second + 504, 4, FREE);
	good(&image);
	put(&image, (size_t)first + 508, 4, END);
	bad(&image, 0x48, "the DIFAT has 1 sectors where");
	put(&image, 0x48, 4, 1);
	bad(&image, 0x2c, "the FAT has 236 sectors where");
	cfb_close(&cfb);
	input_free(in);
	buf_free(&image);
}

/* A storage of the new stream's name, in another case. */
static void
test_name_of_a_storage(void **state)
{
	static const struct cfb_image_entry taken = { "NEW", CFB_IMAGE_ROOT,
		CFB_IMAGE_STORAGE };
	struct buf image = BUF_INIT;
	struct cfb_edit *edit;
	struct ht_error e;
	struct input *in;
	struct cfb cfb;

	(void)state;
	cfb_image_build(3, &taken, 1, &image);
	in = input_memory(image.data, image.len, &e);
	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	assert_int_equal(cfb_edit_new(&cfb, &edit, &e), 0);
	assert_int_equal(cfb_edit_remove(edit, name, sizeof(name), &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "a storage has the name"));
	cfb_edit_free(edit);
	cfb_close(&cfb);
	input_free(in);
	buf_free(&image);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_versions),
		cmocka_unit_test(test_sizes_around_sectors),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_damage_of_version_4),
		cmocka_unit_test(test_data_in_free_sectors),
		cmocka_unit_test(test_data_in_unused_entries),
		cmocka_unit_test(test_data_behind_the_end),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_lists_and_depths),
		cmocka_unit_test(test_unused_entries_are_cleared),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_tables_grow),
		cmocka_unit_test(test_difat),
		cmocka_unit_test(test_fat_elsewhere),
		cmocka_unit_test(test_damage_of_difat),
		cmocka_unit_test(test_name_of_a_storage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

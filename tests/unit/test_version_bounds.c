/*
 * What programs and packages say of themselves: images with each shape that a
 * resource directory and a pool of strings can have, and with each bound.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/msi/msi-version.h"
#include "formats/pe/pe-header.h"
#include "formats/pe/pe-version.h"
#include "lib/utf8.h"
#include "tests/support/cfb_image.h"
#include "tests/support/pe_image.h"

static struct format_version found;

static void
expect(const char *product, const char *company, const char *version)
{
	assert_string_equal(found.product, product);
	assert_string_equal(found.company, company);
	assert_string_equal(found.version, version);
	assert_true(utf8_plain(found.product));
}

static void
put_u16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, v & 0xffff);
	put_u16(p + 2, v >> 16);
}

/* --- programs ------------------------------------------------------------ */

/* The section of the image, which is all resources here. */
#define ADDRESS 4096U
#define SECTION (256U << 10)
#define SUBTABLE (1U << 31)

/* Where things are from the section's start, in most images. */
#define NAMES_AT 0x100U
#define LANGUAGES_AT 0x200U
#define LEAF_AT 0x300U
#define RESOURCE_AT 0x400U

static struct buf image;
static uint8_t *section;
static size_t directory; /* of the resources, from the image's start */

static void
table(uint32_t at, uint16_t named, uint16_t numbered)
{
	memset(section + at, 0, 16);
	put_u16(section + at + 12, named);
	put_u16(section + at + 14, numbered);
}

static void
entry(uint32_t at, uint32_t i, uint32_t id, uint32_t to)
{
	put_u32(section + at + 16 + 8 * i, id);
	put_u32(section + at + 20 + 8 * i, to);
}

/* Put a block without its length there; returns its end, aligned. */
static uint32_t
block(uint32_t at, const char *key, const void *value, uint16_t value_length,
    size_t value_size, uint16_t is_text)
{
	uint32_t to = at + 6;

	put_u16(section + at + 2, value_length);
	put_u16(section + at + 4, is_text);
	for (; *key != '\0'; key++, to += 2)
		put_u16(section + to, (uint8_t)*key);
	put_u16(section + to, 0);
	to = (to + 2 + 3) & ~3U;
	if (value_size > 0)
		memcpy(section + to, value, value_size);
	return (to + (uint32_t)value_size + 3) & ~3U;
}

static void
end_block(uint32_t at, uint32_t end)
{
	put_u16(section + at, end - at);
}

static uint32_t
text(uint32_t at, const char *key, const char *value)
{
	uint8_t units[2 * (FORMAT_VERSION_TEXT + 1)];
	size_t n = strlen(value) + 1, i;
	uint32_t end;

	for (i = 0; i < n; i++)
		put_u16(units + 2 * i, (uint8_t)value[i]);
	end = block(at, key, units, (uint16_t)n, 2 * n, 1);
	end_block(at, end);
	return end;
}

/* A version resource; returns its size. */
static uint32_t
resource(uint32_t at, const char *product)
{
	uint8_t fixed[52] = { 0xbd, 0x04, 0xef, 0xfe, 0, 0, 1, 0, 2, 0, 1, 0, 4,
		0, 3, 0 };
	uint32_t strings, language, end, variables;

	variables = block(at, "VS_VERSION_INFO", fixed, sizeof(fixed),
	    sizeof(fixed), 0);
	/* What is no text comes first, as some compilers have it. */
	strings = block(variables, "VarFileInfo", NULL, 0, 0, 1);
	end_block(variables, strings);
	language = block(strings, "StringFileInfo", NULL, 0, 0, 1);
	end = block(language, "040904b0", NULL, 0, 0, 1);
	end = text(end, "CompanyName", "Us");
	end = text(end, "ProductName", product);
	end_block(language, end);
	end_block(strings, end);
	end_block(at, end);
	return end - at;
}

static void
leaf(uint32_t at, uint32_t address, uint32_t size)
{
	put_u32(section + at, address);
	put_u32(section + at + 4, size);
	put_u32(section + at + 8, 0);
	put_u32(section + at + 12, 0);
}

static void
build(enum pe_image_machine machine)
{
	const struct pe_image how = { .machine = machine, .code = SECTION };

	buf_free(&image);
	pe_image_build(&how, &image);
	assert_int_equal(buf_failed(&image), 0);
	section = image.data + image.len - SECTION;
	memset(section, 0, SECTION);
	directory = 64 + (machine == PE_IMAGE_X86 ? 120 : 136) + 2 * 8;
	put_u32(image.data + directory, ADDRESS);
	put_u32(image.data + directory + 4, SECTION);
	table(0, 0, 1);
	entry(0, 0, 16, NAMES_AT | SUBTABLE);
	table(NAMES_AT, 0, 1);
	entry(NAMES_AT, 0, 1, LANGUAGES_AT | SUBTABLE);
	table(LANGUAGES_AT, 0, 1);
	entry(LANGUAGES_AT, 0, 0x409, LEAF_AT);
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, resource(RESOURCE_AT, "App"));
}

static int
build_x64(void **state)
{
	(void)state;
	build(PE_IMAGE_X64);
	return 0;
}

static void
read_cut(size_t n)
{
	struct ht_error e;
	struct input *in = input_memory(image.data, n, &e);
	struct pe_header header;
	uint32_t at;

	memset(&found, 0, sizeof(found));
	assert_non_null(in);
	assert_int_equal(pe_header_lfanew(in, &at, &e), 0);
	/* As where it is called: never on headers that are not whole. */
	if (pe_header_read(in, at, &header, &e) == 0)
		assert_int_equal(pe_version_read(in, at, &found, &e), 0);
	input_free(in);
}

static void
says(const char *product)
{
	read_cut(image.len);
	expect(product, product[0] != '\0' ? "Us" : "",
	    product[0] != '\0' ? "1.2.3.4" : "");
}

static void
both_kinds_of_headers(void **state)
{
	(void)state;
	says("App");
	build(PE_IMAGE_X86);
	says("App");
	/* No directory of resources. */
	put_u32(image.data + directory, 0);
	says("");
}

static void
entries_with_names_come_first(void **state)
{
	(void)state;
	table(0, 2, 2);
	entry(0, 0, 0xf0 | SUBTABLE, NAMES_AT);
	entry(0, 1, 16 | SUBTABLE, NAMES_AT);
	entry(0, 2, 3, 0);
	entry(0, 3, 16, NAMES_AT | SUBTABLE);
	says("App");
	table(NAMES_AT, 1, 0);
	entry(NAMES_AT, 0, 0xf0 | SUBTABLE, LANGUAGES_AT | SUBTABLE);
	says("App");
	table(LANGUAGES_AT, 0, 0);
	says("");
}

/* The type is the last of so many. */
static void
types(uint32_t at, uint32_t n)
{
	uint32_t i;

	table(at, (uint16_t)(n / 2), (uint16_t)(n - n / 2));
	for (i = 0; i + 1 < n; i++)
		entry(at, i, 0xffff, at | SUBTABLE);
	entry(at, i, 16, NAMES_AT | SUBTABLE);
}

static void
most_entries(void **state)
{
	const uint32_t at = 0x4000;

	(void)state;
	/* All is told from the first table. */
	put_u32(image.data + directory, ADDRESS + at);
	memmove(section + at + NAMES_AT + 0x9000, section + NAMES_AT, 0x900);
	entry(at + 0x9000 + NAMES_AT, 0, 1, (0x9000 + LANGUAGES_AT) | SUBTABLE);
	entry(at + 0x9000 + LANGUAGES_AT, 0, 1, 0x9000 + LEAF_AT);
	types(at, 4096);
	entry(at, 4095, 16, (0x9000 + NAMES_AT) | SUBTABLE);
	says("App");
	types(at, 4097);
	entry(at, 4096, 16, (0x9000 + NAMES_AT) | SUBTABLE);
	says("");
	put_u32(section + at + 12, UINT32_MAX);
	says("");
}

static void
loops_and_levels(void **state)
{
	(void)state;
	/* A table that is its own, at each level. */
	entry(0, 0, 16, SUBTABLE);
	says("");
	build_x64(NULL);
	entry(NAMES_AT, 0, 1, NAMES_AT | SUBTABLE);
	says("");
	build_x64(NULL);
	entry(LANGUAGES_AT, 0, 1, LANGUAGES_AT | SUBTABLE);
	says("");
	/* Leaves too soon. */
	build_x64(NULL);
	entry(0, 0, 16, LEAF_AT);
	says("");
	build_x64(NULL);
	entry(NAMES_AT, 0, 1, LEAF_AT);
	says("");
	/* One table for all levels has three types, so this is one, too. */
	build_x64(NULL);
	table(0, 0, 2);
	entry(0, 0, 16, SUBTABLE);
	says("");
}

static void
places_that_are_not_there(void **state)
{
	static const uint32_t beyond[] = { SECTION - 15, SECTION - 1, SECTION,
		SECTION + 1, 0x7fffffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		build_x64(NULL);
		entry(0, 0, 16, beyond[i] | SUBTABLE);
		says("");
		build_x64(NULL);
		entry(LANGUAGES_AT, 0, 1, beyond[i]);
		says("");
		build_x64(NULL);
		leaf(LEAF_AT, ADDRESS + beyond[i], 64);
		says("");
		leaf(LEAF_AT, UINT32_MAX - 4, beyond[i]);
		says("");
		leaf(LEAF_AT, ADDRESS - 1, 64);
		says("");
	}
	/* A directory in no section, and one that is too short for its tables. */
	build_x64(NULL);
	put_u32(image.data + directory, UINT32_MAX);
	says("");
	put_u32(image.data + directory, ADDRESS);
	put_u32(image.data + directory + 4, NAMES_AT - 1);
	says("");
}

static void
longest_resource(void **state)
{
	(void)state;
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, 64 << 10);
	says("App");
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, (64 << 10) + 1);
	says("");
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, 0);
	says("");
	/* It ends in the middle of a block: as much as that is known. */
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, 92);
	says("");
}

static void
longest_text(void **state)
{
	char product[FORMAT_VERSION_TEXT + 1];

	(void)state;
	memset(product, 'x', sizeof(product));
	product[FORMAT_VERSION_TEXT - 1] = '\0';
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, resource(RESOURCE_AT, product));
	says(product);
	product[FORMAT_VERSION_TEXT - 1] = 'x';
	product[FORMAT_VERSION_TEXT] = '\0';
	memset(section + RESOURCE_AT, 0, 4096);
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, resource(RESOURCE_AT, product));
	read_cut(image.len);
	expect("", "Us", "1.2.3.4");
}

/* As many blocks as fit, each of which has only its lengths and a key. */
static void
smallest_blocks(void **state)
{
	uint32_t at, end, start = RESOURCE_AT;

	(void)state;
	at = block(start, "VS_VERSION_INFO", NULL, 0, 0, 0);
	for (end = at; end + 8 <= start + 0xfff8; end += 8)
		put_u16(section + end, 8);
	end_block(start, end);
	leaf(LEAF_AT, ADDRESS + RESOURCE_AT, end - start);
	says("");
	/* Those of no length end it. */
	put_u16(section + at, 0);
	says("");
}

static void
every_end_of_a_program(void **state)
{
	size_t n, headers = image.len - SECTION;

	(void)state;
	for (n = 64; n < headers + 0x900; n++) {
		read_cut(n);
		assert_true(found.product[0] == '\0' ||
		    strcmp(found.product, "App") == 0);
	}
	expect("App", "Us", "1.2.3.4");
}

/* --- packages ------------------------------------------------------------- */

/*
 * The streams have other names of the same length and order first, since images
 * have ASCII names only.
 */
static const uint16_t wide[3][8] = {
	{ 0x4840, 0x4559, 0x44f2, 0x4568, 0x4737 },
	{ 0x4840, 0x3f3f, 0x4577, 0x446c, 0x3b6a, 0x45e4, 0x4824 },
	{ 0x4840, 0x3f3f, 0x4577, 0x446c, 0x3e6a, 0x44b2, 0x482f },
};
static const char *const narrow[3] = { "TABLE", "STREAM1", "STREAM2" };
enum { PROPERTY, DATA, POOL };

static uint8_t *streams[3];
static size_t sizes[3];
static size_t pooled;    /* bytes of the pool so far */
static size_t data_used; /* and of the data */

static uint8_t *
find_name(size_t i)
{
	uint8_t name[16] = { 0 };
	size_t n = strlen(narrow[i]), j;

	for (j = 0; j < n; j++)
		name[2 * j] = (uint8_t)narrow[i][j];
	return memmem(image.data, image.len, name, 2 * n + 2);
}

static void
package(size_t property, size_t data, size_t pool, uint32_t page)
{
	struct cfb_image_entry entries[3];
	uint8_t *entry_at;
	size_t i, j;

	sizes[PROPERTY] = property;
	sizes[DATA] = data;
	sizes[POOL] = pool;
	for (i = 0; i < 3; i++)
		entries[i] = (struct cfb_image_entry){ narrow[i],
			CFB_IMAGE_ROOT, sizes[i] };
	buf_free(&image);
	image.limit = (size_t)64 << 20;
	cfb_image_build(3, entries, 3, &image);
	assert_int_equal(buf_failed(&image), 0);
	for (i = 0; i < 3; i++) {
		entry_at = find_name(i);
		assert_non_null(entry_at);
		for (j = 0; wide[i][j] != 0; j++)
			put_u16(entry_at + 2 * j, wide[i][j]);
		/* Long streams, whose sectors follow each other. */
		assert_true(sizes[i] >= CFB_CUTOFF);
		streams[i] = image.data +
		    512 *
		        (1 + (size_t)entry_at[116] + 256 * entry_at[117] +
		            65536 * (size_t)entry_at[118]);
		memset(streams[i], 0, sizes[i]);
	}
	put_u32(streams[POOL], page);
	pooled = 4;
	data_used = 0;
}

/* Add a string of n bytes, of which those at p are the first. */
static void
add(const char *p, size_t n)
{
	if (n > 0xffff) {
		put_u16(streams[POOL] + pooled + 2, (uint32_t)n >> 16);
		pooled += 4;
	}
	put_u16(streams[POOL] + pooled, n & 0xffff);
	put_u16(streams[POOL] + pooled + 2, n > 0 ? 2 : 0);
	pooled += 4;
	/* The pool may say more than there is. */
	if (data_used + n <= sizes[DATA])
		memcpy(streams[DATA] + data_used, p, strlen(p));
	data_used += n;
}

static void
add_text(const char *p)
{
	add(p, strlen(p));
}

/* The names are strings first and on, the values follow them. */
static void
add_properties(const char *product)
{
	add_text("ProductName");
	add_text("Manufacturer");
	add_text("ProductVersion");
	add_text(product);
	add_text("Us");
	add_text("1.2");
}

static void
set_rows(uint32_t first, size_t width)
{
	size_t rows = sizes[PROPERTY] / (2 * width);
	uint8_t *p = streams[PROPERTY];
	uint32_t i;

	for (i = 0; i < 3; i++) {
		put_u16(p + (rows - 3 + i) * width, first + i);
		put_u16(p + (2 * rows - 3 + i) * width, first + 3 + i);
	}
}

static void
read_package(void)
{
	struct ht_error e;
	struct input *in = input_memory(image.data, image.len, &e);
	struct cfb cfb;

	memset(&found, 0, sizeof(found));
	assert_non_null(in);
	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	assert_int_equal(msi_version_read(&cfb, &found, &e), 0);
	cfb_close(&cfb);
	input_free(in);
}

static void
numbers_of_both_widths(void **state)
{
	(void)state;
	package(4096, 4096, 4096, 1252);
	add_properties("App");
	set_rows(1, 2);
	read_package();
	expect("App", "Us", "1.2");
	package(4098, 4096, 4096, 1252U | SUBTABLE);
	add_properties("App");
	set_rows(1, 3);
	read_package();
	expect("App", "Us", "1.2");
	/* Nothing has the number 0. */
	memset(streams[PROPERTY], 0, sizes[PROPERTY]);
	read_package();
	expect("", "", "");
}

static void
code_pages(void **state)
{
	static const struct {
		uint32_t page;
		const char *product, *found;
	} cases[] = {
		{ 65001, "\xc3\xa9", "\xc3\xa9" },
		{ 1252, "\xe9", "" },
		{ 1252, "\xc3\xa9", "" },
		{ 65001, "\xe9", "" },
		{ 65001, "\x1b[31m", "" },
		{ 1252, "a\nb", "" },
		{ 0, "App", "App" },
		{ 65001U + (1U << 16), "\xc3\xa9", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		package(4096, 4096, 4096, cases[i].page);
		add_properties(cases[i].product);
		set_rows(1, 2);
		read_package();
		expect(cases[i].found, "Us", "1.2");
	}
}

/*
 * Strings longer than 64 KiB have two entries, and one number.  Some have more
 * than one reference: once the number of these was taken for their length.
 */
static void
long_strings(void **state)
{
	static const size_t lengths[] = { 0xffff, 0x10000, 0x10001, 140000,
		0x20000 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		package(4096, 400000, 4096, 1252);
		add("", lengths[i]);
		add_text("");
		add("", lengths[i]);
		add_properties("App");
		set_rows(4, 2);
		read_package();
		expect("App", "Us", "1.2");
	}
}

static void
longest_property(void **state)
{
	char product[FORMAT_VERSION_TEXT + 1];

	(void)state;
	memset(product, 'x', sizeof(product));
	product[FORMAT_VERSION_TEXT - 1] = '\0';
	package(4096, 4096, 4096, 1252);
	add_properties(product);
	set_rows(1, 2);
	read_package();
	expect(product, "Us", "1.2");
	product[FORMAT_VERSION_TEXT - 1] = 'x';
	product[FORMAT_VERSION_TEXT] = '\0';
	package(4096, 4096, 4096, 1252);
	add_properties(product);
	set_rows(1, 2);
	read_package();
	expect("", "Us", "1.2");
}

static void
longest_streams(void **state)
{
	static const size_t most[3] = { 1 << 20, 16 << 20, 4 << 20 };
	size_t size[3], i, j, more;

	(void)state;
	for (i = 0; i < 3; i++)
		for (more = 0; more < 2; more++) {
			for (j = 0; j < 3; j++)
				size[j] = j == i ? most[j] + more : 4096;
			package(size[PROPERTY], size[DATA], size[POOL], 1252);
			add_properties("App");
			set_rows(1, 2);
			read_package();
			expect(more ? "" : "App", more ? "" : "Us",
			    more ? "" : "1.2");
		}
}

/* Each stream under a name that is nearly its own. */
static void
streams_that_are_missing(void **state)
{
	uint8_t *at, name[16];
	size_t i, j;

	(void)state;
	for (i = 0; i < 3; i++) {
		package(4096, 4096, 4096, 1252);
		add_properties("App");
		set_rows(1, 2);
		memset(name, 0, sizeof(name));
		for (j = 0; wide[i][j] != 0; j++)
			put_u16(name + 2 * j, wide[i][j]);
		at = memmem(image.data, image.len, name, 2 * j + 2);
		assert_non_null(at);
		at[2 * (j - 1)]++;
		read_package();
		expect("", "", "");
	}
}

/* A pool that says more than there is, and one that ends in a long string. */
static void
lengths_that_lie(void **state)
{
	(void)state;
	package(4096, 4096, 4096, 1252);
	add("", 0xffff);
	add_properties("App");
	set_rows(2, 2);
	read_package();
	expect("", "", "");
	package(4096, 4096, 4096, 1252);
	add_properties("App");
	set_rows(1, 2);
	put_u16(streams[POOL] + sizes[POOL] - 2, 0xffff);
	read_package();
	expect("App", "Us", "1.2");
	/* 4 GiB less one, and strings of one byte to the pool's end. */
	package(4096, 4096, 4096, 1252);
	memset(streams[POOL] + 6, 0xff, 6);
	read_package();
	expect("", "", "");
	package(4096, 4096, 4096, 1252);
	memset(streams[POOL] + 4, 1, sizes[POOL] - 4);
	read_package();
	expect("", "", "");
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&image);
	return 0;
}

#define PROGRAM(function) cmocka_unit_test_setup(function, build_x64)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM(both_kinds_of_headers),
		PROGRAM(entries_with_names_come_first),
		PROGRAM(most_entries),
		PROGRAM(loops_and_levels),
		PROGRAM(places_that_are_not_there),
		PROGRAM(longest_resource),
		PROGRAM(longest_text),
		PROGRAM(smallest_blocks),
		PROGRAM(every_end_of_a_program),
		cmocka_unit_test(numbers_of_both_widths),
		cmocka_unit_test(code_pages),
		cmocka_unit_test(long_strings),
		cmocka_unit_test(longest_property),
		cmocka_unit_test(longest_streams),
		cmocka_unit_test(streams_that_are_missing),
		cmocka_unit_test(lengths_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}

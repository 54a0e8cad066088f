#include "config.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "signature/spc-pages.h"
#include "tests/support/mutate.h"
#include "tests/support/pe_image.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"
#include "tests/support/upload.h"

#define PAGE 4096
#define ENTRY 36

static const struct format_options paged = { .algorithm = "sha256",
	.page_hashes = true };

/* --- images of several sections ------------------------------------------ */

/* A section behind .text; several, until one has neither offset nor size. */
struct extra {
	uint32_t offset; /* from the end of .text */
	uint32_t size;
};

#define EXTRAS 3 /* that many section headers fit in behind the first */

struct sample {
	struct pe_image image;
	uint32_t alignment; /* SectionAlignment, if it is not 4096 */
	struct extra extra[EXTRAS];
	uint32_t tail; /* bytes behind the end of .text */
};

static const struct sample samples[] = {
	{ { PE_IMAGE_X64, false, 0, 0, 0, 0 }, 0, { { 0, 0 } }, 0 },
	{ { PE_IMAGE_X86, false, 0, 0, 4096, 0 }, 0, { { 0, 0 } }, 7 },
	{ { PE_IMAGE_ARM64, true, 0, 0, 9000, 0 }, 0, { { 0, 0 } }, 0 },
	/* other alignments of memory have no other pages */
	{ { PE_IMAGE_X64, true, 0, 0, 9000, 0 }, 512, { { 0, 0 } }, 0 },
	{ { PE_IMAGE_ARM64, false, 0, 0, 90000, 0 }, 65536, { { 0, 0 } }, 0 },
	/* gaps behind the headers and between sections, a payload */
	{ { PE_IMAGE_X86, false, 128, 512, 5000, 0 }, 0,
	    { { 0, 100 }, { 512, 8192 } }, 20000 },
	/* the table's order is not the file's, and one section is empty */
	{ { PE_IMAGE_X64, false, 0, 4096, 4608, 0 }, 0,
	    { { 10240, 4097 }, { 9999, 0 }, { 512, 4095 } }, 15000 },
	{ { PE_IMAGE_X64, false, 0, 0, 0, 0 }, 0,
	    { { 600000, 1 }, { 0, 599999 } }, 600001 },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static uint8_t *
header_of(const struct buf *pe)
{
	return pe->data + u32(pe->data + 0x3c);
}

static uint8_t *
section_of(const struct buf *pe, size_t i)
{
	uint8_t *header = header_of(pe);

	return header + 24 + (header[20] | header[21] << 8) + 40 * i;
}

static void
build(const struct sample *sample, struct buf *pe)
{
	size_t i;
	size_t end;

	pe_image_build(&sample->image, pe);
	end = pe->len;
	pe_image_payload(0, buf_room(pe, sample->tail), sample->tail);
	assert_int_equal(buf_failed(pe), 0);
	if (sample->alignment != 0)
		put_u32(header_of(pe) + 56, sample->alignment);
	for (i = 0; i < EXTRAS; i++) {
		const struct extra *extra = &sample->extra[i];

		if (extra->offset == 0 && extra->size == 0)
			break;
		put_u32(section_of(pe, 1 + i) + 16, extra->size);
		put_u32(section_of(pe, 1 + i) + 20,
		    (uint32_t)end + extra->offset);
		header_of(pe)[6]++;
	}
}

/* --- the list, the slow way ---------------------------------------------- */

static void
slow_page(uint32_t offset, const uint8_t *p, size_t n, size_t page,
    struct buf *out)
{
	uint8_t whole[PAGE] = { 0 };

	assert_true(n <= page);
	memcpy(whole, p, n);
	buf_u32le(out, offset);
	assert_int_equal(EVP_Digest(whole, page, buf_room(out, 32), NULL,
	                     EVP_sha256(), NULL),
	    1);
}

static void
slow_list(const struct buf *pe, struct buf *out)
{
	const uint8_t *header = header_of(pe);
	size_t checksum = (size_t)(header - pe->data) + 88;
	size_t security =
	    (size_t)(header - pe->data) + (header[25] == 1 ? 152 : 168);
	size_t size = u32(header + 84);
	struct buf first = BUF_INIT;
	uint32_t offset;
	uint32_t left;
	uint32_t end = 0;
	size_t i;

	buf_bytes(&first, pe->data, checksum);
	buf_bytes(&first, pe->data + checksum + 4, security - checksum - 4);
	buf_bytes(&first, pe->data + security + 8, size - security - 8);
	slow_page(0, first.data, first.len, PAGE - 12, out);
	buf_free(&first);
	for (i = 0; i < header[6]; i++) {
		left = u32(section_of(pe, i) + 16);
		offset = u32(section_of(pe, i) + 20);
		if (left == 0)
			continue;
		end = offset + left;
		for (; left > PAGE; left -= PAGE, offset += PAGE)
			slow_page(offset, pe->data + offset, PAGE, PAGE, out);
		slow_page(offset, pe->data + offset, left, PAGE, out);
	}
	buf_u32le(out, end);
	buf_zeros(out, 32);
	assert_int_equal(buf_failed(out), 0);
}

/* --- helpers ------------------------------------------------------------- */

static void
check_list(const struct format_file *file, const struct buf *pe)
{
	struct buf expected = BUF_INIT;
	struct spc_digest found;
	struct cursor list;
	struct ht_error e;

	slow_list(pe, &expected);
	assert_true(spc_pages_is(file->content.data, file->content.len));
	assert_int_equal(spc_pages_parse(file->content.data, file->content.len,
	                     &found, &list, &e),
	    0);
	assert_memory_equal(found.value, file->digest.value, 32);
	assert_int_equal(list.left, expected.len);
	assert_memory_equal(list.p, expected.data, expected.len);
	buf_free(&expected);
}

/* The signed file, and its PKCS#7. */
static void
sign(struct format_file *file, struct buf *out, struct buf *p7)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct ht_error e;

	assert_int_equal(
	    signing_sign(&signing_p256, "pe", &file->content, &options, p7, &e),
	    0);
	signable_attach(file, p7->data, p7->len, out);
}

/* --- tests --------------------------------------------------------------- */

static void
test_lists(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		struct buf pe = BUF_INIT;
		struct buf out = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct format_file *file;
		struct format_file *again;
		struct input *in;
		struct pkcs7 *parsed;
		struct ht_error e;

		build(&samples[i], &pe);
		in = input_memory(pe.data, pe.len, &e);
		if (signable_digest(in, NULL, &paged, &file, &e) < 0)
			fail_msg("sample %zu: %s", i, e.text);
		check_list(file, &pe);
		sign(file, &out, &p7);
		if (signable_verify(&format_pe, &out, &e) < 0)
			fail_msg("sample %zu: %s", i, e.text);
		/* The signature itself says how to digest its file. */
		assert_int_equal(pkcs7_parse(p7.data, p7.len, &parsed, &e), 0);
		assert_int_equal(
		    format_digest_for(&format_pe, in, parsed, &again, &e), 0);
		assert_true(again->options.page_hashes);
		assert_int_equal(again->content.len, file->content.len);
		assert_memory_equal(again->content.data, file->content.data,
		    file->content.len);
		format_file_free(again);
		pkcs7_free(parsed);
		format_file_free(file);
		input_free(in);
		/* Signed again, it has the same pages. */
		in = input_memory(out.data, out.len, &e);
		file = signable_open(in, NULL, &paged);
		check_list(file, &pe);
		format_file_free(file);
		input_free(in);
		buf_free(&pe);
		buf_free(&out);
		buf_free(&p7);
	}
}

static void
test_stream_without_spool(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		struct buf pe = BUF_INIT;
		struct format_file *file;
		struct upload upload;

		build(&samples[i], &pe);
		upload_start(&upload, &pe, 1 + 1111 * i);
		file = signable_open(upload.in, NULL, &paged);
		check_list(file, &pe);
		format_file_free(file);
		upload_finish(&upload);
		buf_free(&pe);
	}
}

/*
 * Sign a list in which n bytes at `at` were changed, or of which the last but
 * one entry was taken out, and see what a verifier says.
 */
static void
bad_list(size_t at, bool shorter, const char *why)
{
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct spc_digest found;
	struct format_file *file;
	struct cursor list;
	struct input *in;
	struct ht_error e;
	struct buf forged = BUF_INIT;
	uint8_t *to;
	size_t n;

	build(&samples[6], &pe);
	in = input_memory(pe.data, pe.len, &e);
	file = signable_open(in, NULL, &paged);
	assert_int_equal(spc_pages_parse(file->content.data, file->content.len,
	                     &found, &list, &e),
	    0);
	n = list.left - (shorter ? ENTRY : 0);
	assert_int_equal(spc_pages_start(n, &forged, &to, &e), 0);
	memcpy(to, list.p, n - ENTRY);
	memcpy(to + n - ENTRY, list.p + list.left - ENTRY, ENTRY);
	if (!shorter)
		to[at] ^= 1;
	assert_int_equal(spc_pages_finish(&found, &forged, &e), 0);
	buf_free(&file->content);
	file->content = forged;
	sign(file, &out, &p7);
	assert_int_equal(signable_verify(&format_pe, &out, &e), HT_ERR_DATA);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	format_file_free(file);
	input_free(in);
	buf_free(&pe);
	buf_free(&out);
	buf_free(&p7);
}

static void
test_wrong_lists_do_not_verify(void **state)
{
	struct buf pe = BUF_INIT;
	struct buf list = BUF_INIT;
	size_t entry;

	(void)state;
	build(&samples[6], &pe);
	slow_list(&pe, &list);
	for (entry = 0; entry < list.len / ENTRY - 1; entry++) {
		bad_list(entry * ENTRY + 4, false, "hash of the page here");
		bad_list(entry * ENTRY + 35, false, "hash of the page here");
		if (entry > 0)
			bad_list(entry * ENTRY, false, "hash of the page here");
	}
	bad_list(entry * ENTRY + 2, false, "hash of the page here");
	bad_list(0, true, "page hashes, and the file");
	buf_free(&pe);
	buf_free(&list);
}

static void
test_changed_pages_do_not_verify(void **state)
{
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;
	size_t text;

	(void)state;
	build(&samples[2], &pe);
	text = u32(section_of(&pe, 0) + 20);
	in = input_memory(pe.data, pe.len, &e);
	file = signable_open(in, NULL, &paged);
	sign(file, &out, &p7);
	format_file_free(file);
	input_free(in);
	assert_int_equal(signable_verify(&format_pe, &out, &e), 0);
	out.data[text + 5000] ^= 1;
	assert_int_equal(signable_verify(&format_pe, &out, &e), HT_ERR_DATA);
	assert_int_equal(e.offset, text + 4096);
	out.data[text + 5000] ^= 1;
	out.data[2] ^= 1;
	assert_int_equal(signable_verify(&format_pe, &out, &e), HT_ERR_DATA);
	assert_int_equal(e.offset, 0);
	buf_free(&pe);
	buf_free(&out);
	buf_free(&p7);
}

static void
refused(const struct buf *pe, const struct format_options *options, int code,
    const char *why)
{
	struct format_file *file;
	struct ht_error e;
	struct input *in = input_memory(pe->data, pe->len, &e);
	int rc = signable_digest(in, NULL, options, &file, &e);

	if (rc != code || strstr(e.text, why) == NULL)
		fail_msg("%d, \"%s\" is not %d, \"%s\"", rc, e.text, code, why);
	assert_null(file);
	input_free(in);
}

static void
test_refusals(void **state)
{
	static const struct format_options sha384 = { .algorithm = "sha384",
		.page_hashes = true };
	static const struct format_options extended = { .algorithm = "sha256",
		.msi_ex = true };
	static const struct sample within = { { PE_IMAGE_X64, false, 0, 0, 0,
		                                  0 },
		0, { { 512, 512 }, { 1023, 1 } }, 2000 };
	struct buf pe = BUF_INIT;
	size_t size;

	(void)state;
	build(&samples[0], &pe);
	refused(&pe, &sha384, HT_ERR_REFUSED,
	    "page hashes need the digest sha256");
	refused(&pe, &extended, HT_ERR_REFUSED, "is for MSI files");
	size = u32(header_of(&pe) + 84);
	put_u32(header_of(&pe) + 84, PAGE + 1);
	refused(&pe, &paged, HT_ERR_REFUSED, "do not fit into a page");
	put_u32(header_of(&pe) + 84,
	    (uint32_t)(section_of(&pe, 1) - pe.data) - 1);
	refused(&pe, &paged, HT_ERR_DATA, "longer than they say");
	put_u32(header_of(&pe) + 84, (uint32_t)size + 1);
	refused(&pe, &paged, HT_ERR_DATA, "overlaps the headers");
	put_u32(header_of(&pe) + 84, (uint32_t)size);
	put_u32(section_of(&pe, 0) + 16, UINT32_C(1) << 30);
	refused(&pe, &paged, HT_ERR_REFUSED, "at most 1 GiB");
	buf_reset(&pe);
	build(&within, &pe);
	refused(&pe, &paged, HT_ERR_DATA, "another section");
	buf_free(&pe);
}

static void
test_not_a_pe(void **state)
{
	static const char script[] = "Write-Host 1\r\n";
	struct format_file *file;
	struct ht_error e;
	struct input *in = input_memory(script, sizeof(script) - 1, &e);

	(void)state;
	assert_int_equal(format_digest(&format_ps1, in, &paged, &file, &e),
	    HT_ERR_REFUSED);
	assert_non_null(strstr(e.text, "page hashes are for PE files"));
	assert_null(file);
	input_free(in);
}

/* A byte more than 1 GiB, most of it a hole. */
static void
test_over_1_gib(void **state)
{
	struct buf pe = BUF_INIT;
	struct format_file *file;
	struct ht_error e;
	struct input *in;
	FILE *large;

	(void)state;
	/* So much takes valgrind a minute. */
	if (mutate_few())
		skip();
	build(&samples[0], &pe);
	in = signable_hole(&pe, (UINT64_C(1) << 30) + 1, &large);
	assert_int_equal(signable_digest(in, NULL, &paged, &file, &e),
	    HT_ERR_REFUSED);
	assert_non_null(strstr(e.text, "at most 1 GiB"));
	assert_null(file);
	input_free(in);
	(void)fclose(large);
	buf_free(&pe);
}

static void
test_every_truncation(void **state)
{
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;
	size_t n;

	(void)state;
	build(&samples[0], &pe);
	in = input_memory(pe.data, pe.len, &e);
	file = signable_open(in, NULL, &paged);
	sign(file, &out, &p7);
	format_file_free(file);
	input_free(in);
	for (n = 0; n < out.len; n++) {
		in = input_memory(out.data, n, &e);
		assert_int_equal(signable_digest(in, NULL, &paged, &file, &e),
		    HT_ERR_DATA);
		assert_null(file);
		input_free(in);
	}
	buf_free(&pe);
	buf_free(&out);
	buf_free(&p7);
}

static void
test_mutations(void **state)
{
	uint64_t seed = 27;
	unsigned long i;

	(void)state;
	for (i = 0; i < mutate_count(); i++) {
		struct buf pe = BUF_INIT;
		struct format_file *file;
		struct input *in;
		struct ht_error e;
		size_t n;
		int rc;

		build(&samples[i % 7], &pe);
		/* Half of them in the section table. */
		if (i % 2 == 0)
			(void)mutate(&seed, section_of(&pe, 0), 120);
		n = mutate(&seed, pe.data + 64, pe.len - 64) + 64;
		in = input_memory(pe.data, n, &e);
		rc = signable_digest(in, NULL, &paged, &file, &e);
		assert_true(
		    rc == 0 || rc == HT_ERR_DATA || rc == HT_ERR_REFUSED);
		assert_true((rc == 0) == (file != NULL));
		format_file_free(file);
		input_free(in);
		buf_free(&pe);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_stream_without_spool),
		cmocka_unit_test(test_wrong_lists_do_not_verify),
		cmocka_unit_test(test_changed_pages_do_not_verify),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_a_pe),
		cmocka_unit_test(test_over_1_gib),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}

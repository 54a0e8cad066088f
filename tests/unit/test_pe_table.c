/*
 * The certificate table of a PE: its entries, and what is wrong with them.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "formats/several.h"
#include "formats/pe/pe-table.h"
#include "tests/support/signable.h"
#include "tests/support/signed.h"

static const uint8_t one[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };
static const uint8_t two[] = { 0x30, 0x81, 0x02, 0x05, 0x00 };

static int
read_table(const struct buf *table, struct buf *ders, unsigned int *count,
    struct ht_error *e)
{
	buf_free(ders);
	buf_bytes(ders, table->data, table->len);
	ht_error_clear(e);
	if (pe_table_unpack(ders, 1000, NULL, e) < 0)
		return e->code;
	*count = several_count(ders->data, ders->len);
	return 0;
}

static void
test_several_entries(void **state)
{
	struct buf table = BUF_INIT;
	struct buf ders = BUF_INIT;
	unsigned int count;
	struct ht_error e;
	bool whole;

	(void)state;
	signed_put_entry(&table, one, sizeof(one));
	assert_int_equal(table.len, 16);
	signed_put_entry(&table, two, sizeof(two));
	signed_put_entry(&table, one, sizeof(one));
	assert_int_equal(read_table(&table, &ders, &count, &e), 0);
	assert_int_equal(count, 3);
	assert_int_equal(ders.len, 15);
	assert_memory_equal(ders.data, one, 5);
	assert_memory_equal(ders.data + 5, two, 5);
	assert_memory_equal(ders.data + 10, one, 5);
	for (table.len--; table.len > 0; table.len--) {
		whole = table.len % 16 == 0;
		assert_int_equal(read_table(&table, &ders, &count, &e),
		    whole ? 0 : HT_ERR_DATA);
		if (!whole)
			assert_int_equal(e.offset, 1000 + table.len / 16 * 16);
	}
	assert_int_equal(read_table(&table, &ders, &count, &e), HT_ERR_DATA);
	buf_free(&table);
	buf_free(&ders);
}

/* To see that 7,000 were all our own took seconds. */
static void
test_too_many_entries(void **state)
{
	struct buf table = BUF_INIT;
	struct buf ders = BUF_INIT;
	unsigned int count;
	struct ht_error e;

	(void)state;
	while (table.len < FORMAT_BESIDE_MAX * 16)
		signed_put_entry(&table, one, sizeof(one));
	assert_int_equal(read_table(&table, &ders, &count, &e), 0);
	assert_int_equal(count, FORMAT_BESIDE_MAX);
	signed_put_entry(&table, one, sizeof(one));
	assert_int_equal(read_table(&table, &ders, &count, &e), HT_ERR_DATA);
	assert_int_equal(e.offset, 1000 + FORMAT_BESIDE_MAX * 16);
	assert_non_null(strstr(e.text, "more than 16 WIN_CERTIFICATEs"));
	buf_free(&table);
	buf_free(&ders);
}

/* One byte of a good table of 16 bytes changed. */
static void
bad_table(size_t at, uint8_t value, const char *why)
{
	struct buf table = BUF_INIT;
	struct buf ders = BUF_INIT;
	unsigned int count;
	struct ht_error e;

	signed_put_entry(&table, one, sizeof(one));
	table.data[at] = value;
	assert_int_equal(read_table(&table, &ders, &count, &e),
	    why == NULL ? 0 : HT_ERR_DATA);
	if (why != NULL && strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	buf_free(&table);
	buf_free(&ders);
}

static void
test_bad_entries(void **state)
{
	struct buf table = BUF_INIT;
	struct buf ders = BUF_INIT;
	unsigned int count;
	struct ht_error e;
	size_t i;

	(void)state;
	bad_table(0, 17, "does not fit");
	bad_table(0, 7, "does not fit");
	bad_table(0, 8, "CVE-2013-3900");
	bad_table(0, 12, "CVE-2013-3900");
	bad_table(0, 13, NULL); /* padding that dwLength does not count */
	bad_table(3, 0x80, "does not fit");
	bad_table(4, 1, "revision");
	bad_table(5, 1, "revision");
	bad_table(6, 1, "revision");
	bad_table(8, 0x31, "CVE-2013-3900");
	bad_table(9, 2, "CVE-2013-3900");
	bad_table(9, 6, NULL);
	bad_table(9, 7, "CVE-2013-3900");
	bad_table(9, 0x80, "CVE-2013-3900");
	for (i = 13; i < 16; i++)
		bad_table(i, 1, "CVE-2013-3900");
	/* 7 zeros may be behind it, 8 may not, wherever they are counted. */
	for (i = 0; i < 2; i++) {
		buf_reset(&table);
		buf_reset(&ders);
		buf_u32le(&table, 16 + (uint32_t)i);
		buf_u32le(&table, 0x00020200);
		buf_bytes(&table, "\x30\0", 2);
		buf_zeros(&table, i == 0 ? 6 : 14);
		assert_int_equal(read_table(&table, &ders, &count, &e),
		    i == 0 ? 0 : HT_ERR_DATA);
	}
	buf_free(&table);
	buf_free(&ders);
}

static void
test_a_program_with_several(void **state)
{
	struct format_verified verified;
	struct format_file *file;
	struct buf plain = BUF_INIT;
	struct buf table = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct buf ignored = BUF_INIT;
	struct ht_error e;
	struct input *in;

	(void)state;
	signed_make_pe(&plain);
	signed_sign(&signed_samples[0], &signed_ours, &plain, &p7, &ignored);
	signed_put_entry(&table, p7.data, p7.len);
	signed_put_entry(&table, one, sizeof(one));
	signed_put_pe(&table, &out);
	in = input_memory(out.data, out.len, &e);
	file = signable_open(in, NULL, NULL);
	assert_int_equal(file->signature.len, p7.len + sizeof(one));
	assert_memory_equal(file->signature.data, p7.data, p7.len);
	assert_int_equal(format_verify(&format_pe, in, NULL, &verified, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "signature 2: PKCS#7"));
	format_file_free(file);
	input_free(in);

	/* Nothing of a damaged table is handed out, nor signed over. */
	out.data[out.len - 1] = 1;
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(signable_digest(in, NULL, NULL, &file, &e),
	    HT_ERR_DATA);
	assert_null(file);
	assert_non_null(strstr(e.text, "CVE-2013-3900"));
	input_free(in);
	buf_free(&plain);
	buf_free(&table);
	buf_free(&out);
	buf_free(&p7);
	buf_free(&ignored);
}

/* No more is held than a signature can be long. */
static void
test_a_table_that_is_too_long(void **state)
{
	struct buf table = BUF_INIT;
	struct buf out = BUF_INIT;
	struct format_file *file;
	struct ht_error e;
	struct input *in;
	uint8_t *entry;

	(void)state;
	buf_zeros(&table, 16);
	signed_put_pe(&table, &out);
	buf_zeros(&out, PKCS7_PAGED_MAX);
	entry = out.data + (out.data[0x3c] | out.data[0x3d] << 8) + 168;
	entry[6] = (uint8_t)(PKCS7_PAGED_MAX >> 16);
	entry[7] = (uint8_t)(PKCS7_PAGED_MAX >> 24);
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(signable_digest(in, NULL, NULL, &file, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "more than 20971520 bytes"));
	input_free(in);
	buf_free(&table);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several_entries),
		cmocka_unit_test(test_too_many_entries),
		cmocka_unit_test(test_bad_entries),
		cmocka_unit_test(test_a_program_with_several),
		cmocka_unit_test(test_a_table_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, signed_start, signed_stop);
}

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signature/ctl.h"
#include "signature/init.h"
#include "tests/support/catalog.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"

static struct signing rsa;
static struct signing p256;

static int
digest(const struct buf *bytes, const char *algorithm, struct input **in,
    struct format_file **file, struct ht_error *e)
{
	const struct format_options options = { .algorithm = algorithm };
	int rc;

	*in = input_memory(bytes->data, bytes->len, e);
	rc = signable_digest(*in, NULL, &options, file, e);
	if (rc == 0)
		assert_ptr_equal((*file)->format, &format_cat);
	return rc;
}

static void
sign(const struct buf *bytes, struct signing *with, const char *algorithm,
    struct buf *out)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME,
		.algorithm = algorithm };
	struct format_file *file;
	struct output *plan;
	struct input *in;
	struct buf p7 = BUF_INIT;
	struct ht_error e;

	assert_int_equal(digest(bytes, algorithm, &in, &file, &e), 0);
	assert_int_equal(
	    signing_sign(with, "cat", &file->content, &options, &p7, &e), 0);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e), 0);
	/* The signed catalog is the PKCS#7, and nothing else. */
	assert_int_equal(output_size(plan), p7.len);
	buf_bytes(out, p7.data, p7.len);
	buf_free(&p7);
	output_free(plan);
	format_file_free(file);
	input_free(in);
}

static int
verify(const struct buf *bytes, const void *content, size_t n,
    struct ht_error *e)
{
	struct format_wanted wanted = { .content = cursor_over(content, n) };
	struct format_verified found;
	struct input *in = input_memory(bytes->data, bytes->len, e);
	int rc;

	assert_non_null(in);
	rc = format_verify(&format_cat, in, &wanted, &found, e);
	format_verified_clear(&found);
	input_free(in);
	return rc;
}

static void
sign_and_verify(struct signing *with, const char *algorithm,
    unsigned int members)
{
	struct buf bytes = BUF_INIT;
	struct buf list = BUF_INIT;
	struct buf once = BUF_INIT;
	struct buf again = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	catalog_make(members, CATALOG_GOOD, &bytes);
	catalog_list(members, CATALOG_GOOD, &list);
	sign(&bytes, with, algorithm, &once);
	assert_int_equal(verify(&once, list.data, list.len, &e), 0);
	assert_int_equal(digest(&once, algorithm, &in, &file, &e), 0);
	assert_true(file->was_signed);
	assert_int_equal(file->size, once.len);
	/* Kept to the byte. */
	assert_int_equal(file->content.len, list.len);
	assert_memory_equal(file->content.data, list.data, list.len);
	assert_string_equal(file->digest.algorithm, algorithm);
	format_file_free(file);
	input_free(in);
	sign(&once, with, algorithm, &again);
	assert_int_equal(verify(&again, list.data, list.len, &e), 0);
	if (with == &rsa) {
		assert_int_equal(again.len, once.len);
		assert_memory_equal(again.data, once.data, once.len);
	}
	buf_free(&again);
	buf_free(&once);
	buf_free(&list);
	buf_free(&bytes);
}

static void
test_signs(void **state)
{
	(void)state;
	sign_and_verify(&rsa, "sha256", 1);
	sign_and_verify(&rsa, "sha384", 3);
	sign_and_verify(&rsa, "sha512", 0);
	sign_and_verify(&p256, "sha256", 200);
}

static void
test_is_not_signed(void **state)
{
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	(void)state;
	catalog_make(2, CATALOG_GOOD, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	assert_false(file->was_signed);
	format_file_free(file);
	input_free(in);
	assert_int_equal(verify(&bytes, NULL, 0, &e), HT_ERR_DATA);
	assert_string_equal(e.text, "the file is not signed");
	buf_free(&bytes);
}

static void
refuse(unsigned int members, enum catalog_fault fault, const char *text)
{
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	catalog_make(members, fault, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), HT_ERR_DATA);
	assert_null(file);
	assert_string_equal(e.text, text);
	input_free(in);
	buf_free(&bytes);
}

static void
test_refusals(void **state)
{
	(void)state;
	refuse(1, CATALOG_OTHER_TYPE,
	    "PKCS#7: the content is not a CTL: no catalog");
	refuse(1, CATALOG_OTHER_USAGE,
	    "CTL: its SubjectUsage is not a catalog's");
	refuse(1, CATALOG_TWO_USAGES,
	    "CTL: its SubjectUsage is not a catalog's");
	refuse(1, CATALOG_OTHER_ALGORITHM,
	    "CTL: its SubjectAlgorithm is not a catalog's");
	refuse(1, CATALOG_LONG_LENGTH,
	    "CTL: not DER, or with bytes left over (X.690)");
	refuse(8000, CATALOG_GOOD, "CTL: over 983040 bytes");
}

static void
test_left_over(void **state)
{
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	(void)state;
	catalog_make(1, CATALOG_LEFT_OVER, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), HT_ERR_DATA);
	assert_memory_equal(e.text, "CTL: its structure is damaged", 29);
	input_free(in);
	buf_reset(&bytes);
	catalog_make(1, CATALOG_GOOD, &bytes);
	buf_u8(&bytes, 0);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), HT_ERR_DATA);
	assert_string_equal(e.text,
	    "PKCS#7: bytes left over behind the ContentInfo");
	input_free(in);
	buf_free(&bytes);
}

/* keyd takes a CTL for no other format, and nothing else for a catalog. */
static void
test_other_formats(void **state)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct spc_digest zeros = { 0 };
	struct buf list = BUF_INIT;
	struct buf spc = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct ht_error e;

	(void)state;
	catalog_list(1, CATALOG_GOOD, &list);
	assert_int_equal(signing_sign(&rsa, "pe", &list, &options, &p7, &e),
	    HT_ERR_DATA);
	zeros.algorithm = spc_algorithm("sha256", &zeros.length);
	assert_int_equal(spc_encode("pe", &zeros, &spc, &e), 0);
	assert_int_equal(signing_sign(&rsa, "cat", &spc, &options, &p7, &e),
	    HT_ERR_DATA);
	buf_free(&p7);
	buf_free(&spc);
	buf_free(&list);
}

static int
setup(void **state)
{
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0 || signing_make("RSA", &rsa, &e) < 0 ||
	    signing_make("P-256", &p256, &e) < 0)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	signing_clear(&rsa);
	signing_clear(&p256);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_is_not_signed),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_other_formats),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

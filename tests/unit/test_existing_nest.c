/*
 * A signature that goes into the one that is there already.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "htsign-shell/existing.h"
#include "htsign-shell/postflight.h"
#include "signature/pkcs7-nest.h"
#include "tests/support/cfb_image.h"
#include "tests/support/signable.h"
#include "tests/support/signed.h"

/* Sign by ours what other has signed, up to twice: the outer one stays. */
static void
test_the_new_one_goes_into_the_old_one(void **state)
{
	size_t i;
	int again;

	(void)state;
	for (i = 0; i < SIGNED_SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf old = BUF_INIT;
		struct buf bytes = BUF_INIT;

		if (strcmp(signed_samples[i].format, "cat") == 0 ||
		    strcmp(signed_samples[i].format, "appx") == 0)
			continue;
		signed_samples[i].make(&plain);
		signed_sign(&signed_samples[i], &signed_other, &plain, &old,
		    &bytes);
		for (again = 0; again < 2; again++) {
			const struct cms_options options = { .signing_time =
				                                 CMS_NO_TIME };
			struct buf p7 = BUF_INIT;
			struct buf made = BUF_INIT;
			struct buf outer = BUF_INIT;
			struct cursor over;
			uint8_t sha256[TAP_SHA256];
			struct format_file *file;
			struct output *plan;
			struct ht_error e;
			struct input *in;

			in = input_memory(bytes.data, bytes.len, &e);
			file = signable_open(in, signed_samples[i].file_name,
			    NULL);
			assert_int_equal(signing_sign(&signed_ours,
			                     signed_samples[i].spc,
			                     &file->content, &options, &p7, &e),
			    0);
			buf_bytes(&made, p7.data, p7.len);
			buf_bytes(&outer, file->signature.data,
			    file->signature.len);
			over = buf_cursor(&file->content);
			if (existing_nest(file, &p7, &over, &e) < 0)
				fail_msg("%s: %s", signed_samples[i].format,
				    e.text);
			assert_true(postflight_is_nested(buf_cursor(&outer),
			    buf_cursor(&made), buf_cursor(&p7)));
			assert_int_equal(file->signature.len, 0);
			assert_true(
			    over.p > p7.data && over.p < p7.data + p7.len);
			assert_int_equal(
			    format_plan(file, p7.data, p7.len, &plan, &e), 0);
			if (postflight_file(file->format, plan, &p7, over,
			        sha256, &e) < 0)
				fail_msg("%s: %s", signed_samples[i].format,
				    e.text);
			output_free(plan);
			format_file_free(file);
			input_free(in);

			/* The next round starts from the outcome. */
			in = input_memory(plain.data, plain.len, &e);
			file = signable_open(in, signed_samples[i].file_name,
			    NULL);
			assert_int_equal(
			    format_plan(file, p7.data, p7.len, &plan, &e), 0);
			format_file_free(file);
			buf_reset(&bytes);
			signable_read(plan, &bytes);
			output_free(plan);
			input_free(in);
			buf_free(&p7);
			buf_free(&made);
			buf_free(&outer);
		}
		buf_free(&plain);
		buf_free(&old);
		buf_free(&bytes);
	}
}

/* Any other change of the outer one is seen. */
static void
test_nothing_else_may_change(void **state)
{
	struct buf plain = BUF_INIT;
	struct buf outer = BUF_INIT;
	struct buf inner = BUF_INIT;
	struct buf file = BUF_INIT;
	struct buf merged = BUF_INIT;
	struct ht_error e;
	size_t i;

	(void)state;
	signed_make_pe(&plain);
	signed_sign(&signed_samples[0], &signed_other, &plain, &outer, &file);
	buf_reset(&file);
	signed_sign(&signed_samples[0], &signed_ours, &plain, &inner, &file);
	assert_int_equal(pkcs7_nest(outer.data, outer.len, inner.data,
	                     inner.len, &merged, &e),
	    0);
	assert_true(postflight_is_nested(buf_cursor(&outer), buf_cursor(&inner),
	    buf_cursor(&merged)));
	assert_false(postflight_is_nested(buf_cursor(&outer),
	    buf_cursor(&outer), buf_cursor(&merged)));
	assert_false(postflight_is_nested(buf_cursor(&outer),
	    buf_cursor(&inner), buf_cursor(&outer)));
	assert_false(postflight_is_nested(buf_cursor(&outer),
	    buf_cursor(&inner), buf_cursor(&inner)));
	for (i = 0; i < merged.len; i++) {
		merged.data[i] ^= 1;
		if (postflight_is_nested(buf_cursor(&outer), buf_cursor(&inner),
		        buf_cursor(&merged)))
			fail_msg("byte %zu of %zu", i, merged.len);
		merged.data[i] ^= 1;
	}
	for (i = 0; i < merged.len; i++)
		assert_false(postflight_is_nested(buf_cursor(&outer),
		    buf_cursor(&inner), cursor_over(merged.data, i)));
	buf_free(&plain);
	buf_free(&outer);
	buf_free(&inner);
	buf_free(&file);
	buf_free(&merged);
}

/* A signature over other content goes nowhere. */
static void
test_only_our_content_is_nested(void **state)
{
	struct buf plain = BUF_INIT;
	struct buf old = BUF_INIT;
	struct buf bytes = BUF_INIT;
	struct buf ignored = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct cursor over;
	struct ht_error e;
	struct input *in;

	(void)state;
	signed_make_pe(&plain);
	signed_sign(&signed_samples[0], &signed_other, &plain, &old, &bytes);
	buf_reset(&plain);
	signed_make_large_pe(&plain);
	signed_sign(&signed_samples[0], &signed_ours, &plain, &p7, &ignored);
	in = input_memory(bytes.data, bytes.len, &e);
	file = signable_open(in, NULL, NULL);
	over = buf_cursor(&file->content);
	assert_int_equal(existing_nest(file, &p7, &over, &e), HT_ERR_INTERNAL);
	assert_non_null(strstr(e.text, "does not cover the content"));
	assert_ptr_equal(over.p, file->content.data);
	format_file_free(file);
	input_free(in);
	buf_free(&plain);
	buf_free(&old);
	buf_free(&bytes);
	buf_free(&ignored);
	buf_free(&p7);
}

/*
 * MsiDigitalSignatureEx is one stream for both, so both need its algorithm.
 */
static void
test_a_second_digest_binds_the_algorithm(void **state)
{
	static const struct cfb_image_entry entry = { "beta", CFB_IMAGE_ROOT,
		5000 };
	struct buf plain = BUF_INIT;
	static const struct format_options extended = { .algorithm = "sha256",
		.msi_ex = true };
	static const struct format_options *const first[] = { NULL, &extended };
	static const struct format_options same = { .algorithm = "sha256",
		.as_signed = true };
	static const struct format_options other_one = { .algorithm = "sha384",
		.as_signed = true };
	enum existing_action action;
	size_t i;

	(void)state;
	cfb_image_build(3, &entry, 1, &plain);
	for (i = 0; i < 2; i++) {
		struct buf p7 = BUF_INIT;
		struct buf bytes = BUF_INIT;
		struct buf own = BUF_INIT;
		struct format_file *file;
		struct protocol_go go;
		struct ht_error e;
		struct input *in;

		signed_sign_as(first[i], &signed_samples[3], &signed_other,
		    &plain, &p7, &bytes);
		in = input_memory(bytes.data, bytes.len, &e);
		assert_int_equal(
		    signable_digest(in, NULL, &other_one, &file, &e), 0);
		signed_go("nest", &own, &go);
		assert_int_equal(existing_decide(&go, file, &action, &e),
		    i == 0 ? 0 : HT_ERR_DATA);
		if (i == 1)
			assert_non_null(strstr(e.text, "no sha384 one"));
		format_file_free(file);
		assert_int_equal(signable_digest(in, NULL, &same, &file, &e),
		    0);
		assert_int_equal(existing_decide(&go, file, &action, &e), 0);
		format_file_free(file);
		input_free(in);
		buf_free(&p7);
		buf_free(&bytes);
		buf_free(&own);
	}
	buf_free(&plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_new_one_goes_into_the_old_one),
		cmocka_unit_test(test_nothing_else_may_change),
		cmocka_unit_test(test_only_our_content_is_nested),
		cmocka_unit_test(test_a_second_digest_binds_the_algorithm),
	};

	return cmocka_run_group_tests(tests, signed_start, signed_stop);
}

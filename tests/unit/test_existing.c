/*
 * Signatures that are there already: every format hands them out in its pass
 * over the file, and the words of htsign.conf say what becomes of them.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "htsign-shell/existing.h"
#include "htsign-shell/postflight.h"
#include "signature/pkcs7-nest.h"
#include "tests/support/signable.h"
#include "tests/support/signed.h"
#include "tests/support/upload.h"

/* --- what is handed out --------------------------------------------------- */

static void
check_captured(struct input *in, const struct signed_sample *sample,
    const struct buf *p7)
{
	struct format_file *file = signable_open(in, sample->file_name, NULL);

	assert_int_equal(file->was_signed, p7->len > 0);
	assert_int_equal(file->signature.len, p7->len);
	if (p7->len > 0)
		assert_memory_equal(file->signature.data, p7->data, p7->len);
	format_file_free(file);
}

static void
test_every_format_hands_out_its_signature(void **state)
{
	static const struct buf nothing;
	size_t i;

	(void)state;
	for (i = 0; i < SIGNED_SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf out = BUF_INIT;
		struct buf hooked = BUF_INIT;
		const struct format *format;
		struct ht_error e;
		struct input *in;

		signed_samples[i].make(&plain);
		in = input_memory(plain.data, plain.len, &e);
		check_captured(in, &signed_samples[i], &nothing);
		input_free(in);
		signed_sign(&signed_samples[i], &signed_ours, &plain, &p7,
		    &out);
		in = input_memory(out.data, out.len, &e);
		check_captured(in, &signed_samples[i], &p7);
		assert_int_equal(
		    format_detect(in, signed_samples[i].file_name, &format, &e),
		    0);
		assert_string_equal(format->name, signed_samples[i].format);
		assert_int_equal(format->signature(in, &hooked, NULL, &e), 0);
		assert_int_equal(hooked.len, p7.len);
		assert_memory_equal(hooked.data, p7.data, p7.len);
		input_free(in);
		buf_free(&plain);
		buf_free(&p7);
		buf_free(&out);
		buf_free(&hooked);
	}
}

static void
test_a_stream_needs_no_spool_for_that(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SIGNED_SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf out = BUF_INIT;
		struct upload upload;

		if (!signed_samples[i].streams)
			continue;
		signed_samples[i].make(&plain);
		signed_sign(&signed_samples[i], &signed_ours, &plain, &p7,
		    &out);
		upload_start(&upload, &out, UPLOAD_PIECE);
		check_captured(upload.in, &signed_samples[i], &p7);
		upload_finish(&upload);
		buf_free(&plain);
		buf_free(&p7);
		buf_free(&out);
	}
}

/* --- the words ------------------------------------------------------------ */

enum who {
	NOBODY,
	OURS,
	OTHER,
	BOTH,
	OURS_TWICE,
	GARBAGE,
	TWISTED,       /* our certificate, not our signature */
	OTHER_IN_OURS, /* nested */
	OURS_IN_OURS,
	FULL_OF_OURS,
	WHO
};

/* Add the PKCS#7 by who to a table, with one by inner in it so many times. */
static void
put_nested(struct signing *who, struct signing *inner, unsigned int times,
    struct buf *table)
{
	struct buf plain = BUF_INIT;
	struct buf file = BUF_INIT;
	struct buf outer = BUF_INIT;
	struct buf nested = BUF_INIT;
	struct buf merged = BUF_INIT;
	struct ht_error e;

	signed_make_pe(&plain);
	signed_sign(&signed_samples[0], who, &plain, &outer, &file);
	buf_reset(&file);
	signed_sign(&signed_samples[0], inner, &plain, &nested, &file);
	for (; times > 0; times--) {
		assert_int_equal(pkcs7_nest(outer.data, outer.len, nested.data,
		                     nested.len, &merged, &e),
		    0);
		buf_free(&outer);
		outer = merged;
		merged = (struct buf)BUF_INIT;
	}
	signed_put_entry(table, outer.data, outer.len);
	buf_free(&plain);
	buf_free(&file);
	buf_free(&outer);
	buf_free(&nested);
}

static const uint8_t garbage[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };

/* A PE that these have signed. */
static void
signed_by(enum who who, struct buf *out)
{
	struct buf plain = BUF_INIT;
	struct buf table = BUF_INIT;
	struct buf file = BUF_INIT;
	struct buf p7 = BUF_INIT;

	signed_make_pe(&plain);
	if (who == NOBODY) {
		*out = plain;
		return;
	}
	if (who >= OTHER_IN_OURS) {
		put_nested(&signed_ours,
		    who == OTHER_IN_OURS ? &signed_other : &signed_ours,
		    who == FULL_OF_OURS ? PKCS7_NESTED_MAX : 1, &table);
		signed_put_pe(&table, out);
		buf_free(&plain);
		buf_free(&table);
		return;
	}
	if (who == GARBAGE) {
		signed_put_entry(&table, garbage, sizeof(garbage));
	} else if (who == OTHER || who == BOTH) {
		signed_sign(&signed_samples[0], &signed_other, &plain, &p7,
		    &file);
		signed_put_entry(&table, p7.data, p7.len);
	}
	if (who != GARBAGE && who != OTHER) {
		buf_free(&p7);
		buf_free(&file);
		signed_sign(&signed_samples[0], &signed_ours, &plain, &p7,
		    &file);
		if (who == TWISTED)
			p7.data[p7.len - 1] ^= 1;
		signed_put_entry(&table, p7.data, p7.len);
		if (who == OURS_TWICE)
			signed_put_entry(&table, p7.data, p7.len);
	}
	signed_put_pe(&table, out);
	buf_free(&plain);
	buf_free(&table);
	buf_free(&file);
	buf_free(&p7);
}

static void
test_what_each_word_does(void **state)
{
	static const struct {
		const char *word;
		int rc[WHO];
		enum existing_action action;
	} cases[] = {
		{ "refuse", { 0, -66, -66, -66, -66, -66, -66, -66, -66, -66 },
		    EXISTING_SIGN },
		{ "own", { 0, 0, -66, -66, 0, -66, -66, -66, 0, 0 },
		    EXISTING_SIGN },
		{ "replace", { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, EXISTING_SIGN },
		{ "nest", { 0, 0, 0, -66, -66, -65, -65, 0, 0, -66 },
		    EXISTING_NEST },
		{ "keep", { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, EXISTING_KEEP },
		{ "", { 0, -70, -70, -70, -70, -70, -70, -70, -70, -70 },
		    EXISTING_SIGN },
		{ "ke", { 0, -70, -70, -70, -70, -70, -70, -70, -70, -70 },
		    EXISTING_SIGN },
	};
	enum existing_action action;
	struct format_file *file;
	struct protocol_go go;
	struct ht_error e;
	struct input *in;
	enum who who;
	size_t i;
	int rc;

	(void)state;
	for (who = NOBODY; who < WHO; who++) {
		struct buf bytes = BUF_INIT;

		signed_by(who, &bytes);
		in = input_memory(bytes.data, bytes.len, &e);
		file = signable_open(in, NULL, NULL);
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct buf own = BUF_INIT;

			signed_go(cases[i].word, &own, &go);
			rc = existing_decide(&go, file, &action, &e);
			if (rc != cases[i].rc[who])
				fail_msg("%s, case %d: %d", cases[i].word,
				    (int)who, rc);
			if (rc == 0)
				assert_int_equal(action,
				    who == NOBODY ? EXISTING_SIGN
				                  : cases[i].action);
			buf_free(&own);
		}
		format_file_free(file);
		input_free(in);
		buf_free(&bytes);
	}
}

static void
refused_with(const char *word, enum who who, bool knows_us, const char *why)
{
	struct buf bytes = BUF_INIT;
	struct buf own = BUF_INIT;
	enum existing_action action;
	struct format_file *file;
	struct protocol_go go;
	struct ht_error e;
	struct input *in;

	signed_by(who, &bytes);
	in = input_memory(bytes.data, bytes.len, &e);
	file = signable_open(in, NULL, NULL);
	signed_go(word, &own, &go);
	if (!knows_us)
		go.own.left = 0;
	assert_true(existing_decide(&go, file, &action, &e) < 0);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	format_file_free(file);
	input_free(in);
	buf_free(&bytes);
	buf_free(&own);
}

static void
test_a_refusal_says_why(void **state)
{
	(void)state;
	refused_with("refuse", OURS, true, "profile release");
	refused_with("own", OTHER, true, "somebody else: CN=");
	refused_with("own", OURS, false, "somebody else: CN=");
	refused_with("own", OTHER_IN_OURS, true, "somebody else: CN=");
	refused_with("own", TWISTED, true, "a signature in it does not verify");
	refused_with("own", BOTH, true, "2 signatures side by side");
	refused_with("nest", OURS_TWICE, true, "2 signatures side by side");
	refused_with("nest", TWISTED, true, "does not verify");
	refused_with("nest", FULL_OF_OURS, true,
	    "can hold no more than 16 nested signatures");
}

/* A file that was changed under its signature is not vouched for once more. */
static void
test_nothing_is_nested_in_a_stale_signature(void **state)
{
	struct buf bytes = BUF_INIT;
	struct buf own = BUF_INIT;
	enum existing_action action;
	struct format_file *file;
	struct protocol_go go;
	struct ht_error e;
	struct input *in;

	(void)state;
	signed_by(OTHER, &bytes);
	bytes.data[1000] ^= 1;
	in = input_memory(bytes.data, bytes.len, &e);
	file = signable_open(in, NULL, NULL);
	signed_go("nest", &own, &go);
	assert_true(existing_nests(&go));
	assert_int_equal(existing_decide(&go, file, &action, &e), HT_ERR_DATA);
	assert_non_null(strstr(e.text, "its digest differs"));
	format_file_free(file);
	input_free(in);
	buf_free(&bytes);
	buf_free(&own);
}

static void
test_catalogs_and_packages_nest_nothing(void **state)
{
	enum existing_action action;
	struct protocol_go go;
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < SIGNED_SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf out = BUF_INIT;
		struct buf own = BUF_INIT;
		struct format_file *file;
		struct input *in;
		bool knows = strcmp(signed_samples[i].format, "cat") != 0 &&
		    strcmp(signed_samples[i].format, "appx") != 0;

		signed_samples[i].make(&plain);
		signed_sign(&signed_samples[i], &signed_other, &plain, &p7,
		    &out);
		in = input_memory(out.data, out.len, &e);
		file = signable_open(in, signed_samples[i].file_name, NULL);
		signed_go("nest", &own, &go);
		assert_int_equal(existing_decide(&go, file, &action, &e),
		    knows ? 0 : HT_ERR_REFUSED);
		format_file_free(file);
		input_free(in);
		buf_free(&plain);
		buf_free(&p7);
		buf_free(&out);
		buf_free(&own);
	}
}

/* --- to keep it ----------------------------------------------------------- */

static void
keep(const struct buf *bytes, uint8_t reply, const struct buf *expected)
{
	static const uint8_t sha256[TAP_SHA256] = { 1, 2, 3 };
	uint8_t output_sha256[TAP_SHA256], right[TAP_SHA256];
	struct protocol_kept kept;
	struct format_file *file;
	struct output *out;
	struct ht_error e;
	struct input *in;
	const uint8_t *p;
	char signer[64];
	size_t got;

	in = input_memory(bytes->data, bytes->len, &e);
	file = signable_open(in, NULL, NULL);
	assert_int_equal(
	    existing_keep(file, reply, sha256, &out, &kept, output_sha256, &e),
	    0);
	assert_int_equal(output_size(out), expected->len);
	assert_int_equal(output_read(out, 0, expected->len, &p, &got, &e), 0);
	assert_memory_equal(p, expected->data, expected->len);
	assert_string_equal(kept.format, "pe");
	assert_int_equal(kept.size, bytes->len);
	assert_ptr_equal(kept.sha256.p, sha256);
	assert_int_equal(kept.output_size, expected->len);
	assert_ptr_equal(kept.output_sha256.p, output_sha256);
	assert_int_equal(tap_once(expected->data, expected->len, right, &e), 0);
	assert_memory_equal(output_sha256,
	    reply == PROTOCOL_REPLY_PKCS7 ? right : sha256, TAP_SHA256);
	existing_signer(file, signer, sizeof(signer));
	assert_non_null(strstr(signer, "CN="));
	output_free(out);
	format_file_free(file);
	input_free(in);
}

static void
test_what_is_kept_is_what_came(void **state)
{
	struct buf plain = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	signed_make_pe(&plain);
	signed_sign(&signed_samples[0], &signed_other, &plain, &p7, &out);
	keep(&out, PROTOCOL_REPLY_FULL, &out);
	keep(&out, PROTOCOL_REPLY_PKCS7, &p7);
	buf_free(&plain);
	buf_free(&p7);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_format_hands_out_its_signature),
		cmocka_unit_test(test_a_stream_needs_no_spool_for_that),
		cmocka_unit_test(test_what_each_word_does),
		cmocka_unit_test(test_a_refusal_says_why),
		cmocka_unit_test(test_nothing_is_nested_in_a_stale_signature),
		cmocka_unit_test(test_catalogs_and_packages_nest_nothing),
		cmocka_unit_test(test_what_is_kept_is_what_came),
	};

	return cmocka_run_group_tests(tests, signed_start, signed_stop);
}

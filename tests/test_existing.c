/*
 * Signatures that are there already: every format hands them out in its pass
 * over the file, and the words of htsign.conf say what becomes of them.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "authenticode/init.h"
#include "authenticode/pkcs7-nest.h"
#include "authenticode/padding.h"
#include "authenticode/pe-table.h"
#include "htsign-shell/existing.h"
#include "htsign-shell/postflight.h"
#include "tests/cab_image.h"
#include "tests/catalog.h"
#include "tests/cfb_image.h"
#include "tests/package.h"
#include "tests/pe_image.h"
#include "tests/signing.h"
#include "tests/upload.h"

static struct signing ours;
static struct signing other;

/* --- samples of all formats ---------------------------------------------- */

static void
make_pe(struct buf *out)
{
	static const struct pe_image image = { PE_IMAGE_X64, false, 0, 0, 0,
		0 };

	pe_image_build(&image, out);
}

/* Larger than what an input remembers of its start. */
static void
make_large_pe(struct buf *out)
{
	static const struct pe_image image = { PE_IMAGE_X64, false, 0, 0,
		1 << 20, 5 };
	uint8_t *payload;

	pe_image_build(&image, out);
	payload = buf_room(out, 5);
	pe_image_payload(0, payload, 5);
}

static void
make_cab(struct buf *out)
{
	static const struct cab_image image = { .size = 300000 };

	cab_image_build(&image, out);
}

static void
make_msi(struct buf *out)
{
	static const struct cfb_image_entry entries[] = {
		{ "beta", CFB_IMAGE_ROOT, 5000 },
		{ "a", CFB_IMAGE_ROOT, 100 },
	};

	cfb_image_build(3, entries, 2, out);
}

static void
make_appx(struct buf *out)
{
	static const struct package package = { .method = "sha256",
		.publisher = "CN=Test Signer",
		.files = 1,
		.size = 100 };

	package_make(&package, out);
}

static void
make_cat(struct buf *out)
{
	catalog_make(3, CATALOG_GOOD, out);
}

static void
make_script(struct buf *out)
{
	static const char text[] = "<job>\r\nx\r\n</job>\r\n";

	buf_bytes(out, text, strlen(text));
}

static const struct sample {
	const char *format;
	const char *spc;
	const char *file_name;
	void (*make)(struct buf *out);
	bool streams;
} samples[] = {
	{ "pe", "pe", NULL, make_pe, true },
	{ "pe", "pe", NULL, make_large_pe, true },
	{ "cab", "cab", NULL, make_cab, true },
	{ "msi", "msi", NULL, make_msi, false },
	{ "appx", "appx", NULL, make_appx, false },
	{ "cat", "cat", NULL, make_cat, true },
	{ "js", "js", "a.js", make_script, true },
	{ "mof", "mof", "a.mof", make_script, true },
	{ "ps1", "ps1", "a.psm1", make_script, true },
	{ "ps1xml", "ps1xml", "a.cdxml", make_script, true },
	{ "vbs", "vbs", "a.vbs", make_script, true },
	{ "wsf", "wsf", "a.wsf", make_script, true },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static const struct format_options plain_sha256 = { .algorithm = "sha256" };

static int
digest(struct input *in, const char *file_name,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e)
{
	const struct format *format;
	int rc;

	*file = NULL;
	rc = format_detect(in, file_name, &format, e);
	if (rc == 0)
		rc = format_digest(format, in, options, file, e);
	return rc;
}

static struct format_file *
digest_of(struct input *in, const char *file_name)
{
	struct format_file *file;
	struct ht_error e;

	if (digest(in, file_name, &plain_sha256, &file, &e) < 0)
		fail_msg("%s", e.text);
	return file;
}

static void
read_plan(const struct output *plan, struct buf *out)
{
	struct ht_error e;
	struct input *in = input_plan(plan, &e);
	size_t n = (size_t)output_size(plan);

	assert_int_equal(input_copy(in, 0, buf_room(out, n), n, &e), 0);
	input_free(in);
}

/* The file with a signature by key; p7 gets that. */
static void
sign_as(const struct format_options *how, const struct sample *sample,
    struct signing *key, const struct buf *plain, struct buf *p7,
    struct buf *out)
{
	const struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct format_file *file;
	struct output *plan;
	struct ht_error e;
	struct input *in = input_memory(plain->data, plain->len, &e);

	if (digest(in, sample->file_name, how, &file, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(file->format->name, sample->format);
	if (signing_sign(key, sample->spc, &file->content, &options, p7, &e) <
	    0)
		fail_msg("%s", e.text);
	assert_int_equal(format_plan(file, p7->data, p7->len, &plan, &e), 0);
	read_plan(plan, out);
	output_free(plan);
	format_file_free(file);
	input_free(in);
}

static void
sign(const struct sample *sample, struct signing *key, const struct buf *plain,
    struct buf *p7, struct buf *out)
{
	sign_as(&plain_sha256, sample, key, plain, p7, out);
}

/* --- what is handed out --------------------------------------------------- */

static void
check_captured(struct input *in, const struct sample *sample,
    const struct buf *p7)
{
	struct format_file *file = digest_of(in, sample->file_name);

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
	for (i = 0; i < SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf out = BUF_INIT;
		struct buf hooked = BUF_INIT;
		struct ht_error e;
		struct input *in;

		samples[i].make(&plain);
		in = input_memory(plain.data, plain.len, &e);
		check_captured(in, &samples[i], &nothing);
		input_free(in);
		sign(&samples[i], &ours, &plain, &p7, &out);
		in = input_memory(out.data, out.len, &e);
		check_captured(in, &samples[i], &p7);
		assert_int_equal(
		    format_find(samples[i].format)->signature(in, &hooked, &e),
		    0);
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
	for (i = 0; i < SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf out = BUF_INIT;
		struct upload upload;

		if (!samples[i].streams)
			continue;
		samples[i].make(&plain);
		sign(&samples[i], &ours, &plain, &p7, &out);
		upload_start(&upload, &out, UPLOAD_PIECE);
		check_captured(upload.in, &samples[i], &p7);
		upload_finish(&upload);
		buf_free(&plain);
		buf_free(&p7);
		buf_free(&out);
	}
}

/* --- the certificate table ------------------------------------------------ */

static const uint8_t one[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };
static const uint8_t two[] = { 0x30, 0x81, 0x02, 0x05, 0x00 };

static int
read_table(const struct buf *table, struct buf *ders, unsigned int *count,
    struct ht_error *e)
{
	buf_free(ders);
	buf_bytes(ders, table->data, table->len);
	ht_error_clear(e);
	return pe_table_unpack(ders, 1000, count, e);
}

static void
put_entry(struct buf *table, const void *p7, size_t n)
{
	pe_table_header(table, n);
	buf_bytes(table, p7, n);
	buf_zeros(table, padding_of(n));
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
	put_entry(&table, one, sizeof(one));
	assert_int_equal(table.len, 16);
	put_entry(&table, two, sizeof(two));
	put_entry(&table, one, sizeof(one));
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
	while (table.len < PE_WIN_CERTS_MAX * 16)
		put_entry(&table, one, sizeof(one));
	assert_int_equal(read_table(&table, &ders, &count, &e), 0);
	assert_int_equal(count, PE_WIN_CERTS_MAX);
	put_entry(&table, one, sizeof(one));
	assert_int_equal(read_table(&table, &ders, &count, &e), HT_ERR_DATA);
	assert_int_equal(e.offset, 1000 + PE_WIN_CERTS_MAX * 16);
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

	put_entry(&table, one, sizeof(one));
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

/* The bytes of a PE whose certificate table is table. */
static void
put_pe(const struct buf *table, struct buf *out)
{
	uint8_t *entry;
	size_t at;

	make_pe(out);
	at = (size_t)(out->data[0x3c] | out->data[0x3d] << 8);
	entry = out->data + at + 168;
	assert_int_equal(out->len % 8, 0);
	entry[0] = (uint8_t)out->len;
	entry[1] = (uint8_t)(out->len >> 8);
	entry[4] = (uint8_t)table->len;
	entry[5] = (uint8_t)(table->len >> 8);
	buf_bytes(out, table->data, table->len);
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
	make_pe(&plain);
	sign(&samples[0], &ours, &plain, &p7, &ignored);
	put_entry(&table, p7.data, p7.len);
	put_entry(&table, one, sizeof(one));
	put_pe(&table, &out);
	in = input_memory(out.data, out.len, &e);
	file = digest_of(in, NULL);
	assert_int_equal(file->signature.len, p7.len + sizeof(one));
	assert_memory_equal(file->signature.data, p7.data, p7.len);
	assert_int_equal(format_verify(&format_pe, in, NULL, 0, &verified, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "2 WIN_CERTIFICATEs"));
	format_file_free(file);
	input_free(in);

	/* Nothing of a damaged table is handed out, nor signed over. */
	out.data[out.len - 1] = 1;
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(digest(in, NULL, &plain_sha256, &file, &e),
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
	put_pe(&table, &out);
	buf_zeros(&out, PKCS7_PAGED_MAX);
	entry = out.data + (out.data[0x3c] | out.data[0x3d] << 8) + 168;
	entry[6] = (uint8_t)(PKCS7_PAGED_MAX >> 16);
	entry[7] = (uint8_t)(PKCS7_PAGED_MAX >> 24);
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(digest(in, NULL, &plain_sha256, &file, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "more than 20971520 bytes"));
	input_free(in);
	buf_free(&table);
	buf_free(&out);
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

	make_pe(&plain);
	sign(&samples[0], who, &plain, &outer, &file);
	buf_reset(&file);
	sign(&samples[0], inner, &plain, &nested, &file);
	for (; times > 0; times--) {
		assert_int_equal(pkcs7_nest(outer.data, outer.len, nested.data,
		                     nested.len, &merged, &e),
		    0);
		buf_free(&outer);
		outer = merged;
		merged = (struct buf)BUF_INIT;
	}
	put_entry(table, outer.data, outer.len);
	buf_free(&plain);
	buf_free(&file);
	buf_free(&outer);
	buf_free(&nested);
}

/* A PE that these have signed. */
static void
signed_by(enum who who, struct buf *out)
{
	struct buf plain = BUF_INIT;
	struct buf table = BUF_INIT;
	struct buf file = BUF_INIT;
	struct buf p7 = BUF_INIT;

	make_pe(&plain);
	if (who == NOBODY) {
		*out = plain;
		return;
	}
	if (who >= OTHER_IN_OURS) {
		put_nested(&ours, who == OTHER_IN_OURS ? &other : &ours,
		    who == FULL_OF_OURS ? PKCS7_NESTED_MAX : 1, &table);
		put_pe(&table, out);
		buf_free(&plain);
		buf_free(&table);
		return;
	}
	if (who == GARBAGE) {
		put_entry(&table, one, sizeof(one));
	} else if (who == OTHER || who == BOTH) {
		sign(&samples[0], &other, &plain, &p7, &file);
		put_entry(&table, p7.data, p7.len);
	}
	if (who != GARBAGE && who != OTHER) {
		buf_free(&p7);
		buf_free(&file);
		sign(&samples[0], &ours, &plain, &p7, &file);
		if (who == TWISTED)
			p7.data[p7.len - 1] ^= 1;
		put_entry(&table, p7.data, p7.len);
		if (who == OURS_TWICE)
			put_entry(&table, p7.data, p7.len);
	}
	put_pe(&table, out);
	buf_free(&plain);
	buf_free(&table);
	buf_free(&file);
	buf_free(&p7);
}

static void
go_with(const char *word, struct buf *own, struct protocol_go *go)
{
	struct ht_error e;
	struct chain *chain;

	memset(go, 0, sizeof(*go));
	(void)snprintf(go->existing, sizeof(go->existing), "%s", word);
	(void)snprintf(go->profile, sizeof(go->profile), "release");
	assert_int_equal(
	    chain_load(ours.pem.data, ours.pem.len - 1, &chain, &e), 0);
	buf_zeros(own, PROTOCOL_FINGERPRINT);
	chain_fingerprint(chain, buf_room(own, PROTOCOL_FINGERPRINT));
	go->own = buf_cursor(own);
	chain_free(chain);
}

static void
test_what_each_word_does(void **state)
{
	static const struct {
		const char *word;
		int rc[WHO];
		enum existing_action action;
	} cases[] = {
		{ "refuse", { 0, -66, -66, -65, -65, -66, -66, -66, -66, -66 },
		    EXISTING_SIGN },
		{ "own", { 0, 0, -66, -65, 0, -66, -66, -66, 0, 0 },
		    EXISTING_SIGN },
		{ "replace", { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, EXISTING_SIGN },
		{ "nest", { 0, 0, 0, -65, -65, -65, -65, 0, 0, -66 },
		    EXISTING_NEST },
		{ "keep", { 0, 0, 0, -65, -65, 0, 0, 0, 0, 0 }, EXISTING_KEEP },
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
		file = digest_of(in, NULL);
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct buf own = BUF_INIT;

			go_with(cases[i].word, &own, &go);
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
	file = digest_of(in, NULL);
	go_with(word, &own, &go);
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
	refused_with("own", TWISTED, true, "none of us as far as");
	refused_with("own", BOTH, true, "2 signatures side by side");
	refused_with("keep", BOTH, true, "2 signatures side by side");
	refused_with("nest", OURS_TWICE, true, "2 signatures side by side");
	refused_with("nest", TWISTED, true, "does not verify");
	refused_with("nest", FULL_OF_OURS, true,
	    "16 signatures are nested in that");
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
	file = digest_of(in, NULL);
	go_with("nest", &own, &go);
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
	for (i = 0; i < SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf out = BUF_INIT;
		struct buf own = BUF_INIT;
		struct format_file *file;
		struct input *in;
		bool knows = strcmp(samples[i].format, "cat") != 0 &&
		    strcmp(samples[i].format, "appx") != 0;

		samples[i].make(&plain);
		sign(&samples[i], &other, &plain, &p7, &out);
		in = input_memory(out.data, out.len, &e);
		file = digest_of(in, samples[i].file_name);
		go_with("nest", &own, &go);
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

/* --- to nest in it -------------------------------------------------------- */

/* Sign by ours what other has signed, up to twice: the outer one stays. */
static void
test_the_new_one_goes_into_the_old_one(void **state)
{
	size_t i;
	int again;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		struct buf plain = BUF_INIT;
		struct buf old = BUF_INIT;
		struct buf bytes = BUF_INIT;

		if (strcmp(samples[i].format, "cat") == 0 ||
		    strcmp(samples[i].format, "appx") == 0)
			continue;
		samples[i].make(&plain);
		sign(&samples[i], &other, &plain, &old, &bytes);
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
			file = digest_of(in, samples[i].file_name);
			assert_int_equal(signing_sign(&ours, samples[i].spc,
			                     &file->content, &options, &p7, &e),
			    0);
			buf_bytes(&made, p7.data, p7.len);
			buf_bytes(&outer, file->signature.data,
			    file->signature.len);
			over = buf_cursor(&file->content);
			if (existing_nest(file, &p7, &over, &e) < 0)
				fail_msg("%s: %s", samples[i].format, e.text);
			assert_true(postflight_is_nested(buf_cursor(&outer),
			    buf_cursor(&made), buf_cursor(&p7)));
			assert_int_equal(file->signature.len, 0);
			assert_true(
			    over.p > p7.data && over.p < p7.data + p7.len);
			assert_int_equal(
			    format_plan(file, p7.data, p7.len, &plan, &e), 0);
			if (postflight_file(file->format, plan, over, sha256,
			        &e) < 0)
				fail_msg("%s: %s", samples[i].format, e.text);
			output_free(plan);
			format_file_free(file);
			input_free(in);

			/* The next round starts from the outcome. */
			in = input_memory(plain.data, plain.len, &e);
			file = digest_of(in, samples[i].file_name);
			assert_int_equal(
			    format_plan(file, p7.data, p7.len, &plan, &e), 0);
			format_file_free(file);
			buf_reset(&bytes);
			read_plan(plan, &bytes);
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
	make_pe(&plain);
	sign(&samples[0], &other, &plain, &outer, &file);
	buf_reset(&file);
	sign(&samples[0], &ours, &plain, &inner, &file);
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
	make_pe(&plain);
	sign(&samples[0], &other, &plain, &old, &bytes);
	buf_reset(&plain);
	make_large_pe(&plain);
	sign(&samples[0], &ours, &plain, &p7, &ignored);
	in = input_memory(bytes.data, bytes.len, &e);
	file = digest_of(in, NULL);
	over = buf_cursor(&file->content);
	assert_int_equal(existing_nest(file, &p7, &over, &e), HT_ERR_INTERNAL);
	assert_non_null(strstr(e.text, "other content"));
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
	static const struct format_options *const first[] = { &plain_sha256,
		&extended };
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

		sign_as(first[i], &samples[3], &other, &plain, &p7, &bytes);
		in = input_memory(bytes.data, bytes.len, &e);
		assert_int_equal(digest(in, NULL, &other_one, &file, &e), 0);
		go_with("nest", &own, &go);
		assert_int_equal(existing_decide(&go, file, &action, &e),
		    i == 0 ? 0 : HT_ERR_DATA);
		if (i == 1)
			assert_non_null(strstr(e.text, "no sha384 signature"));
		format_file_free(file);
		assert_int_equal(digest(in, NULL, &same, &file, &e), 0);
		assert_int_equal(existing_decide(&go, file, &action, &e), 0);
		format_file_free(file);
		input_free(in);
		buf_free(&p7);
		buf_free(&bytes);
		buf_free(&own);
	}
	buf_free(&plain);
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
	file = digest_of(in, NULL);
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
	make_pe(&plain);
	sign(&samples[0], &other, &plain, &p7, &out);
	keep(&out, PROTOCOL_REPLY_FULL, &out);
	keep(&out, PROTOCOL_REPLY_PKCS7, &p7);
	buf_free(&plain);
	buf_free(&p7);
	buf_free(&out);
}

static int
start(void **state)
{
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0 || signing_make("P-256", &ours, &e) < 0)
		return -1;
	return signing_make("P-256", &other, &e);
}

static int
stop(void **state)
{
	(void)state;
	signing_clear(&ours);
	signing_clear(&other);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_format_hands_out_its_signature),
		cmocka_unit_test(test_a_stream_needs_no_spool_for_that),
		cmocka_unit_test(test_several_entries),
		cmocka_unit_test(test_too_many_entries),
		cmocka_unit_test(test_bad_entries),
		cmocka_unit_test(test_a_program_with_several),
		cmocka_unit_test(test_a_table_that_is_too_long),
		cmocka_unit_test(test_what_each_word_does),
		cmocka_unit_test(test_a_refusal_says_why),
		cmocka_unit_test(test_nothing_is_nested_in_a_stale_signature),
		cmocka_unit_test(test_catalogs_and_packages_nest_nothing),
		cmocka_unit_test(test_the_new_one_goes_into_the_old_one),
		cmocka_unit_test(test_nothing_else_may_change),
		cmocka_unit_test(test_only_our_content_is_nested),
		cmocka_unit_test(test_a_second_digest_binds_the_algorithm),
		cmocka_unit_test(test_what_is_kept_is_what_came),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

/*
 * htsign-shell and what it is there for: files, signed or as they came, and
 * words.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "formats/format.h"
#include "signature/spc-pages.h"
#include "tests/support/cfb_image.h"
#include "tests/support/shell.h"

static void
sha256(const struct buf *b, uint8_t out[32])
{
	assert_int_equal(
	    EVP_Digest(b->data, b->len, out, NULL, EVP_sha256(), NULL), 1);
}

static void
full_reply(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct format_verified v;
	struct buf pe = BUF_INIT;
	struct input *in;
	uint8_t hash[32];
	struct ht_error e;

	(void)state;
	shell_sample(&pe);
	shell_run(&run, &k, "production 'My  App' --name=app.exe", &pe);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.hello.door, "openssh");
	assert_string_equal(k.hello.ticket, "the-ticket");
	assert_string_equal(k.hello.peer, "192.0.2.1");
	assert_string_equal(k.hello.local, "192.0.2.2");
	assert_string_equal(k.begin.profile, "production");
	assert_string_equal(k.begin.description, "My  App");
	assert_string_equal(k.begin.name, "app.exe");
	assert_string_equal(k.begin.url, "http://from.environment/");
	assert_int_equal(k.fail.status, 0);
	assert_true(k.content.size == pe.len);
	sha256(&pe, hash);
	assert_memory_equal(k.input_sha256, hash, 32);
	assert_int_equal(k.spooled, pe.len);
	assert_true(k.output.size == run.out.len);
	sha256(&run.out, hash);
	assert_memory_equal(k.output_sha256, hash, 32);
	assert_true(k.delivered == run.out.len);

	in = input_memory(run.out.data, run.out.len, &e);
	assert_non_null(in);
	assert_int_equal(format_verify(&format_pe, in, NULL, &v, &e), 0);
	format_verified_clear(&v);
	input_free(in);
	buf_free(&pe);
	run_free(&run);
}

static void
signature_alone(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct pkcs7 *p7;
	uint8_t hash[32];
	struct ht_error e;

	(void)state;
	shell_sample(&pe);
	shell_run(&run, &k, "default --pkcs7", &pe);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.begin.profile, "");
	assert_int_equal(k.begin.reply, PROTOCOL_REPLY_PKCS7);
	/* Nothing needs the file again. */
	assert_int_equal(k.spooled, 0);
	assert_int_equal(pkcs7_parse(run.out.data, run.out.len, &p7, &e), 0);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	pkcs7_free(p7);
	sha256(&run.out, hash);
	assert_memory_equal(k.output_sha256, hash, 32);
	assert_true(k.delivered == run.out.len);
	buf_free(&pe);
	run_free(&run);
}

static void
page_hashes(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct format_verified v;
	struct buf pe = BUF_INIT;
	struct cursor content;
	struct input *in;
	struct ht_error e;

	(void)state;
	shell_sample(&pe);
	shell_run(&run, &k, "production --page-hashes", &pe);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.begin.options, "page-hashes");
	in = input_memory(run.out.data, run.out.len, &e);
	assert_int_equal(format_verify(&format_pe, in, NULL, &v, &e), 0);
	content = pkcs7_content(v.all[0].p7);
	assert_true(spc_pages_is(content.p, content.left));
	format_verified_clear(&v);
	input_free(in);
	run_free(&run);

	/* Nothing needs the file again. */
	k = peer_good(&shell_signer);
	shell_run(&run, &k, "production --page-hashes --pkcs7", &pe);
	assert_int_equal(run.status, 0);
	assert_int_equal(k.spooled, 0);
	run_free(&run);
	buf_free(&pe);
}

/* What is asked for is for files of another format. */
static void
options_for_other_files(void **state)
{
	static const struct cfb_image_entry entries[] = {
		{ "a", CFB_IMAGE_ROOT, 70 },
	};
	struct run run = RUN_INIT;
	struct buf file = BUF_INIT;
	struct peer k;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		k = peer_good(&shell_signer);
		k.formats = "msi,pe";
		buf_reset(&file);
		if (i == 0)
			cfb_image_build(3, entries, 1, &file);
		else
			shell_sample(&file);
		shell_run(&run, &k,
		    i == 0 ? "production --page-hashes" : "production --msi-ex",
		    &file);
		assert_int_equal(run.status, 66);
		assert_int_equal(run.out.len, 0);
		assert_non_null(strstr((char *)run.err.data,
		    i == 0 ? "page hashes are for PE files"
		           : "MsiDigitalSignatureEx is for MSI files"));
		assert_string_equal(k.fail.code, "format");
		assert_int_equal(k.content.length, 0);
		run_free(&run);
	}
	buf_free(&file);
}

/* A package is read out of order: it goes to the spool in any case. */
static void
signature_of_a_package_alone(void **state)
{
	static const struct cfb_image_entry entries[] = {
		{ "a", CFB_IMAGE_ROOT, 700000 },
		{ "b", CFB_IMAGE_ROOT, 70 },
	};
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf msi = BUF_INIT;

	(void)state;
	k.formats = "msi,pe";
	cfb_image_build(3, entries, 2, &msi);
	shell_run(&run, &k, "default --pkcs7", &msi);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.content.format, "msi");
	assert_int_equal(k.spooled, msi.len);
	buf_free(&msi);
	run_free(&run);
}

static void
size_and_hash_that_fit(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct buf line = BUF_INIT;
	uint8_t hash[32];
	size_t i;

	(void)state;
	shell_sample(&pe);
	sha256(&pe, hash);
	buf_format(&line, "production --size=%zu --sha256=", pe.len);
	for (i = 0; i < sizeof(hash); i++)
		buf_format(&line, "%02x", hash[i]);
	buf_u8(&line, '\0');
	shell_run(&run, &k, (char *)line.data, &pe);
	assert_int_equal(run.status, 0);
	assert_true(k.begin.size == pe.len);
	assert_int_equal(k.begin.sha256.left, 32);
	buf_free(&line);
	buf_free(&pe);
	run_free(&run);
}

/* The sample, signed by key. */
static void
signed_sample(struct signing *key, struct buf *out)
{
	struct peer k = peer_good(key);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;

	shell_sample(&pe);
	shell_run(&run, &k, "production", &pe);
	assert_int_equal(run.status, 0);
	buf_bytes(out, run.out.data, run.out.len);
	buf_free(&pe);
	run_free(&run);
}

static void
files_that_are_signed_already(void **state)
{
	static const struct {
		const char *existing;
		bool ours;
		int status;
		const char *err;
	} cases[] = {
		{ "replace", false, 0, "" },
		{ "own", true, 0, "" },
		{ "own", false, 66,
		    "htsign: request 17: the file is signed already, by "
		    "somebody else: CN=" },
		{ "refuse", true, 66,
		    "htsign: request 17: the file is signed already, and "
		    "profile production " },
		{ "nest", false, 0, "" },
		{ "unheard of", true, 70, "htsign: request 17: " },
	};
	struct buf mine = BUF_INIT, theirs = BUF_INIT;
	struct signing other;
	struct run run = RUN_INIT;
	struct ht_error e;
	struct peer k;
	size_t i;

	(void)state;
	assert_int_equal(signing_make("P-256", &other, &e), 0);
	signed_sample(&shell_signer, &mine);
	signed_sample(&other, &theirs);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k = peer_good(&shell_signer);
		k.existing = cases[i].existing;
		shell_run(&run, &k, "production",
		    cases[i].ours ? &mine : &theirs);
		assert_int_equal(run.status, cases[i].status);
		assert_int_equal(strncmp((char *)run.err.data, cases[i].err,
		                     strlen(cases[i].err)),
		    0);
		if (cases[i].status == 0) {
			assert_int_equal(k.content.existing, 1);
			assert_string_equal((char *)run.err.data, "");
		} else {
			/* Not a byte of it has gone to a token. */
			assert_int_equal(k.content.length, 0);
			assert_int_equal(run.out.len, 0);
			assert_string_equal(k.fail.code,
			    cases[i].status == 66 ? "existing" : "internal");
		}
		run_free(&run);
	}
	buf_free(&mine);
	buf_free(&theirs);
	signing_clear(&other);
}

static void
a_file_that_goes_back_as_it_came(void **state)
{
	struct buf theirs = BUF_INIT;
	struct run run = RUN_INIT;
	struct peer k = peer_good(&shell_signer);
	struct pkcs7 *p7;
	uint8_t hash[32];
	struct ht_error e;

	(void)state;
	signed_sample(&shell_signer, &theirs);
	k.existing = "keep";
	shell_run(&run, &k, "production", &theirs);
	assert_int_equal(run.status, 0);
	assert_int_equal(
	    strncmp((char *)run.err.data,
	        "htsign: request 17: nothing was signed: the file goes back "
	        "with the signature that it has, by CN=",
	        97),
	    0);
	assert_int_equal(run.out.len, theirs.len);
	assert_memory_equal(run.out.data, theirs.data, theirs.len);
	assert_int_equal(k.content.length, 0);
	assert_string_equal(k.kept.format, "pe");
	assert_true(k.kept.size == theirs.len);
	assert_true(k.kept.output_size == theirs.len);
	assert_true(k.delivered == theirs.len);
	sha256(&theirs, hash);
	assert_memory_equal(k.input_sha256, hash, 32);
	assert_memory_equal(k.output_sha256, hash, 32);
	run_free(&run);

	k = peer_good(&shell_signer);
	k.existing = "keep";
	shell_run(&run, &k, "production --pkcs7", &theirs);
	assert_int_equal(run.status, 0);
	assert_int_equal(pkcs7_parse(run.out.data, run.out.len, &p7, &e), 0);
	pkcs7_free(p7);
	assert_int_equal(k.spooled, 0);
	assert_true(k.kept.size == theirs.len);
	assert_true(k.kept.output_size == run.out.len);
	assert_true(k.delivered == run.out.len);
	assert_memory_equal(k.input_sha256, hash, 32);
	sha256(&run.out, hash);
	assert_memory_equal(k.output_sha256, hash, 32);
	run_free(&run);
	buf_free(&theirs);
}

static void
help_and_profiles(void **state)
{
	const struct buf nothing = BUF_INIT;
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;

	(void)state;
	shell_run(&run, &k, "help", &nothing);
	assert_int_equal(run.status, 0);
	assert_string_equal((char *)run.err.data, "");
	buf_u8(&run.out, '\0');
	assert_non_null(strstr((char *)run.out.data, "--sha256=HEX"));
	run_free(&run);

	shell_run(&run, &k, "profiles", &nothing);
	assert_int_equal(run.status, 0);
	assert_true(cursor_is(buf_cursor(&run.out),
	    "production  For \\x1b release (default)\ntest-signing\n"));
	run_free(&run);
}

static void
a_wait_is_told_once(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;

	(void)state;
	shell_sample(&pe);
	k.waits = "two are before you";
	shell_run(&run, &k, "production", &pe);
	assert_int_equal(run.status, 0);
	assert_string_equal((char *)run.err.data,
	    "htsign: request 17: waiting: two are before you\n");
	buf_free(&pe);
	run_free(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_reply),
		cmocka_unit_test(signature_alone),
		cmocka_unit_test(page_hashes),
		cmocka_unit_test(options_for_other_files),
		cmocka_unit_test(signature_of_a_package_alone),
		cmocka_unit_test(size_and_hash_that_fit),
		cmocka_unit_test(files_that_are_signed_already),
		cmocka_unit_test(a_file_that_goes_back_as_it_came),
		cmocka_unit_test(help_and_profiles),
		cmocka_unit_test(a_wait_is_told_once),
	};

	return cmocka_run_group_tests(tests, shell_start, shell_stop);
}

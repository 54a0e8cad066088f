#include "config.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/sandbox.h"
#include "signature/cms-asn1.h"
#include "signature/init.h"
#include "signature/pkcs7.h"
#include "tests/support/mutate.h"
#include "tests/support/signing.h"

static struct signing rsa;
static struct signing p256;
static struct signing p384;

static const struct cms_options plain = { .signing_time = CMS_NO_TIME };

static void
sign_and_verify(struct signing *with, const char *algorithm)
{
	struct buf content = BUF_INIT;
	struct buf der = BUF_INIT;
	struct cursor found;
	struct pkcs7 *p7;
	struct ht_error e;

	signing_content(algorithm, &content);
	assert_int_equal(signing_sign(with, "pe", &content, &plain, &der, &e),
	    0);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
	found = pkcs7_content(p7);
	assert_int_equal(found.left, content.len);
	assert_memory_equal(found.p, content.data, content.len);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	assert_int_equal(pkcs7_verify_chain_at(p7, with->root.data,
	                     with->root.len - 1, time(NULL), &e),
	    0);
	assert_string_equal(pkcs7_subject(p7), "CN=Test Signer");
	assert_string_equal(pkcs7_description(p7), "");
	assert_string_equal(pkcs7_url(p7), "");
	assert_int_equal(
	    pkcs7_postflight(der.data, der.len, content.data, content.len, &e),
	    0);
	content.data[content.len - 1] ^= 1;
	assert_int_equal(
	    pkcs7_postflight(der.data, der.len, content.data, content.len, &e),
	    HT_ERR_DATA);
	pkcs7_free(p7);
	buf_free(&der);
	buf_free(&content);
}

static void
test_all_keys_and_digests(void **state)
{
	static const char *const algorithms[] = { "sha256", "sha384",
		"sha512" };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		sign_and_verify(&rsa, algorithms[i]);
		sign_and_verify(&p256, algorithms[i]);
		sign_and_verify(&p384, algorithms[i]);
	}
}

static void
check_texts(const char *description, const char *url)
{
	struct cms_options options = plain;
	struct buf der = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;

	options.description = description;
	options.url = url;
	signing_pkcs7(&p256, "sha256", &options, &der);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	assert_string_equal(pkcs7_description(p7),
	    description == NULL ? "" : description);
	assert_string_equal(pkcs7_url(p7), url == NULL ? "" : url);
	pkcs7_free(p7);
	buf_free(&der);
}

static void
test_texts(void **state)
{
	(void)state;
	check_texts("Noita Crash Dumper", NULL);
	check_texts(NULL, "https://example.org/?a=b");
	check_texts("", "https://example.org/");
	check_texts("Pr\xc3\xbc"
	            "fer \xf0\x9f\x98\x80",
	    "https://example.org/");
}

static void
refused(const char *description, const char *url, int64_t when, const char *why)
{
	struct cms_options options = { description, url, false, when, NULL };
	struct buf content = BUF_INIT;
	struct cms_signer *signer;
	struct ht_error e;

	signing_content("sha256", &content);
	assert_int_equal(cms_signer_new(p256.chain, "pe", content.data,
	                     content.len, &options, &signer, &e),
	    HT_ERR_USAGE);
	assert_null(signer);
	assert_non_null(strstr(e.text, why));
	buf_free(&content);
}

static void
test_options_refused(void **state)
{
	char text[CMS_TEXT_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refused(text, NULL, CMS_NO_TIME, "longer");
	refused(NULL, text, CMS_NO_TIME, "longer");
	refused("\xff", NULL, CMS_NO_TIME, "UTF-8");
	refused("a\nb", NULL, CMS_NO_TIME, "control");
	refused("a\xc2\x9b"
	        "b",
	    NULL, CMS_NO_TIME, "control");
	refused(NULL, "http://\xc3\xbc", CMS_NO_TIME, "escaped");
	refused(NULL, "http://a b", CMS_NO_TIME, "escaped");
	refused(NULL, NULL, -700000000, "1950");
	refused(NULL, NULL, 253402300800, "9999");
}

static void
test_signing_time(void **state)
{
	/* UTCTime 231114221320Z, GeneralizedTime 20500101000000Z. */
	static const struct {
		int64_t when;
		const char *der;
		size_t n;
	} times[] = {
		{ 1700000000,
		    "\x17\x0d"
		    "231114221320Z",
		    15 },
		{ 2524608000,
		    "\x18\x0f"
		    "20500101000000Z",
		    17 },
	};
	struct cms_options options = plain;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct buf der = BUF_INIT;

		options.signing_time = times[i].when;
		signing_pkcs7(&p256, "sha256", &options, &der);
		assert_non_null(
		    memmem(der.data, der.len, times[i].der, times[i].n));
		buf_free(&der);
	}
}

static void
test_steps_in_order(void **state)
{
	struct buf content = BUF_INIT;
	struct buf other = BUF_INIT;
	struct buf raw = BUF_INIT;
	struct buf first = BUF_INIT;
	struct buf second = BUF_INIT;
	struct cms_signer *signer;
	struct ht_error e;

	(void)state;
	signing_content("sha384", &content);
	assert_int_equal(cms_signer_new(rsa.chain, "pe", content.data,
	                     content.len, &plain, &signer, &e),
	    0);
	assert_string_equal(cms_signer_file(signer)->algorithm, "sha384");
	assert_int_equal(cms_signer_file(signer)->value[47], 0x5a);
	assert_int_equal(cms_signer_digest(signer)->length, 48);
	assert_int_equal(cms_signer_finish(signer, &first, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(first.len, 0);
	assert_int_equal(signing_raw(&rsa, cms_signer_digest(signer), &raw, &e),
	    0);
	/* A signature by another key, a cut one, one with a bit flipped. */
	assert_int_equal(
	    signing_raw(&p384, cms_signer_digest(signer), &other, &e), 0);
	assert_int_equal(
	    cms_signer_signature(signer, other.data, other.len, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(e.code, HT_ERR_INTERNAL);
	assert_int_equal(
	    cms_signer_signature(signer, raw.data, raw.len - 1, &e),
	    HT_ERR_INTERNAL);
	raw.data[100] ^= 4;
	assert_int_equal(cms_signer_signature(signer, raw.data, raw.len, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(cms_signer_finish(signer, &first, &e),
	    HT_ERR_INTERNAL);
	raw.data[100] ^= 4;
	assert_int_equal(cms_signer_signature(signer, raw.data, raw.len, &e),
	    0);
	assert_int_equal(cms_signer_finish(signer, &first, &e), 0);
	assert_int_equal(cms_signer_finish(signer, &second, &e), 0);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	cms_signer_free(signer);

	content.data[0] ^= 1;
	assert_int_equal(cms_signer_new(rsa.chain, "pe", content.data,
	                     content.len, &plain, &signer, &e),
	    HT_ERR_DATA);
	assert_null(signer);
	buf_free(&content);
	buf_free(&other);
	buf_free(&raw);
	buf_free(&first);
	buf_free(&second);
}

/*
 * Whether anything takes these bytes for a good signature below the root.
 */
static bool
accepted(struct signing *with, const uint8_t *der, size_t n)
{
	struct pkcs7 *p7;
	struct ht_error e;
	bool good;
	int rc;

	rc = pkcs7_parse(der, n, &p7, &e);
	if (rc < 0) {
		assert_int_equal(rc, HT_ERR_DATA);
		assert_null(p7);
		return false;
	}
	good = pkcs7_verify(p7, &e) == 0 &&
	    pkcs7_verify_chain_at(p7, with->root.data, with->root.len - 1,
	        time(NULL), &e) == 0;
	pkcs7_free(p7);
	return good;
}

static void
test_truncations_and_bit_flips(void **state)
{
	struct cms_options options = plain;
	struct buf der = BUF_INIT;
	uint8_t *cut;
	size_t n;
	size_t bit;

	(void)state;
	options.description = "My App";
	signing_pkcs7(&p256, "sha256", &options, &der);
	assert_true(accepted(&p256, der.data, der.len));
	for (n = 0; n < der.len; n += mutate_step()) {
		cut = malloc(n + 1);
		assert_non_null(cut);
		memcpy(cut, der.data, n);
		assert_false(accepted(&p256, cut, n));
		free(cut);
	}
	for (bit = 0; bit < 8 * der.len; bit += 3 * mutate_step()) {
		/* The case of letters in names, and whether a SET is said to
		 * be constructed, make no difference to libcrypto. */
		if (bit % 8 == 5)
			continue;
		der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (accepted(&p256, der.data, der.len))
			fail_msg("accepted with bit %zu of byte %zu flipped",
			    bit % 8, bit / 8);
		der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_u8(&der, 0);
	assert_false(accepted(&p256, der.data, der.len));
	buf_free(&der);
}

/*
 * Put a certificate in PEM among those that the PKCS#7 holds, n times.
 */
static void
add_certificates(struct buf *der, const struct buf *pem, int n)
{
	const unsigned char *p = der->data;
	CONTENT_INFO *info = d2i_CONTENT_INFO(NULL, &p, (long)der->len);
	SIGNED_DATA *data = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(SIGNED_DATA), info->content);
	unsigned char *out = NULL;
	int length;

	while (n-- > 0) {
		BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len - 1);

		assert_true(sk_X509_push(data->certificates,
		                PEM_read_bio_X509(bio, NULL, NULL, NULL)) > 0);
		BIO_free(bio);
	}
	assert_non_null(ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SIGNED_DATA),
	    data, &info->content));
	length = i2d_CONTENT_INFO(info, &out);
	buf_reset(der);
	buf_bytes(der, out, (size_t)length);
	OPENSSL_free(out);
	SIGNED_DATA_free(data);
	CONTENT_INFO_free(info);
}

/* A root is embedded for nothing, but is no reason to refuse. */
static void
test_embedded_roots(void **state)
{
	struct buf der = BUF_INIT;

	(void)state;
	signing_pkcs7(&p256, "sha256", NULL, &der);
	add_certificates(&der, &p256.root, 1);
	assert_true(accepted(&p256, der.data, der.len));
	add_certificates(&der, &p256.root, 1);
	assert_true(accepted(&p256, der.data, der.len));
	buf_free(&der);
}

/* Nobody signs for real what only shows up to its first NUL. */
static void
test_nul_hides_nothing(void **state)
{
	struct cms_options options = plain;
	struct buf der = BUF_INIT;
	struct ht_error e;
	struct pkcs7 *p7;
	uint8_t *at;

	(void)state;
	options.description = "My App";
	options.url = "https://example.org/";
	signing_pkcs7(&p256, "sha256", &options, &der);
	at = memmem(der.data, der.len, "My App", 6);
	assert_non_null(at);
	at[2] = '\0';
	at = memmem(der.data, der.len, "https:", 6);
	at[5] = '\0';
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
	assert_string_equal(pkcs7_description(p7),
	    "My\xef\xbf\xbd"
	    "App");
	assert_string_equal(pkcs7_url(p7), "https\xef\xbf\xbd//example.org/");
	pkcs7_free(p7);
	buf_free(&der);
}

static void
test_other_root(void **state)
{
	struct buf der = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&p256, "sha256", NULL, &der);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
	assert_int_equal(pkcs7_verify_chain_at(p7, rsa.root.data,
	                     rsa.root.len - 1, time(NULL), &e),
	    HT_ERR_DATA);
	assert_int_equal(
	    pkcs7_verify_chain_at(p7, "nothing", 7, time(NULL), &e),
	    HT_ERR_USAGE);
	assert_int_equal(e.code, HT_ERR_USAGE);
	pkcs7_free(p7);
	buf_free(&der);
}

static void
test_chain_queries(void **state)
{
	struct chain *again;
	struct buf spki = BUF_INIT;
	struct buf other = BUF_INIT;
	struct ht_error e;
	uint8_t fingerprint[32];
	int64_t from;
	int64_t to;

	(void)state;
	assert_int_equal(chain_key(rsa.chain), CHAIN_RSA);
	assert_int_equal(chain_key(p256.chain), CHAIN_P256);
	assert_int_equal(chain_key(p384.chain), CHAIN_P384);
	assert_null(chain_weak(rsa.chain));
	assert_null(chain_weak(p256.chain));
	assert_string_equal(chain_subject(rsa.chain), "CN=Test Signer");
	chain_validity(rsa.chain, &from, &to);
	assert_true(to - from >= 86400 + 3500 && to - from <= 86400 + 3600);
	assert_true(from < (int64_t)time(NULL) && to > (int64_t)time(NULL));
	chain_fingerprint(rsa.chain, fingerprint);
	assert_int_equal(chain_spki(rsa.chain, &spki, &e), 0);
	assert_int_equal(spki.data[0], 0x30);
	/* Text around the blocks is ignored. */
	buf_reset(&other);
	buf_format(&other, "subject=me\n%s\nissuer=ca\n", (char *)rsa.pem.data);
	assert_int_equal(chain_load(other.data, other.len, &again, &e), 0);
	chain_free(again);
	buf_free(&spki);
	buf_free(&other);
}

static void
chain_refused(const char *why, const char *first, const char *second,
    const char *third)
{
	struct chain *chain;
	struct buf pem = BUF_INIT;
	struct ht_error e;

	buf_format(&pem, "%s%s%s", first, second, third);
	assert_int_equal(chain_load(pem.data, pem.len, &chain, &e),
	    HT_ERR_DATA);
	assert_null(chain);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	buf_free(&pem);
}

static void
test_chain_refused(void **state)
{
	static const char end[] = "-----END CERTIFICATE-----\n";
	char *leaf = strdup((char *)p256.pem.data);
	char *intermediate;
	char *rest;

	(void)state;
	assert_non_null(leaf);
	rest = strstr(leaf, end) + strlen(end);
	intermediate = strdup(rest);
	assert_non_null(intermediate);
	*rest = '\0';
	chain_refused("no certificate", "", "hello", "");
	chain_refused("the issuer of certificate 1 is not there", leaf, "", "");
	chain_refused("not for code signing", intermediate, "", "");
	chain_refused("not for code signing", intermediate, leaf, "");
	chain_refused("there twice", leaf, intermediate, intermediate);
	chain_refused("not the issuer of certificate 1", leaf,
	    (char *)rsa.root.data, "");
	chain_refused("not the issuer of certificate 2", leaf, intermediate,
	    (char *)rsa.root.data);
	chain_refused("not a certificate: EC PRIVATE KEY", leaf,
	    "-----BEGIN EC PRIVATE KEY-----\nAAAA\n"
	    "-----END EC PRIVATE KEY-----\n",
	    "");
	chain_refused("damaged", leaf,
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	    "");
	leaf[strlen(leaf) / 2] = '!';
	chain_refused("damaged", leaf, "", "");
	free(leaf);
	free(intermediate);
}

static void
test_chain_weak(void **state)
{
	const struct signing_how how = { "P-256", 0, 1, "codeSigning", true,
		NULL };
	struct signing small, sha1;
	struct ht_error e;

	(void)state;
	assert_int_equal(signing_make("RSA-2048", &small, &e), 0);
	assert_string_equal(chain_weak(small.chain),
	    "RSA key of 2048 bits, not 3072 or 4096");
	signing_clear(&small);
	assert_int_equal(signing_make_how(&how, &sha1, &e), 0);
	assert_string_equal(chain_weak(sha1.chain),
	    "certificate 1 is signed with SHA-1");
	signing_clear(&sha1);
	assert_null(chain_weak(p256.chain));
}

/* A root in the configured chain is not embedded (SmartScreen or not). */
static void
test_root_is_not_embedded(void **state)
{
	struct signing with_root = p256;
	struct buf pem = BUF_INIT;
	struct buf shorter = BUF_INIT;
	struct buf longer = BUF_INIT;
	struct ht_error e;

	(void)state;
	buf_format(&pem, "%s%s", (char *)p256.pem.data, (char *)p256.root.data);
	assert_int_equal(chain_load(pem.data, pem.len, &with_root.chain, &e),
	    0);
	signing_pkcs7(&p256, "sha256", NULL, &shorter);
	signing_pkcs7(&with_root, "sha256", NULL, &longer);
	/* The DER of an ECDSA signature varies by a few bytes. */
	assert_true(longer.len < shorter.len + 8);
	chain_free(with_root.chain);
	buf_free(&pem);
	buf_free(&shorter);
	buf_free(&longer);
}

/*
 * Under the shell's own allow-list every step still works: nothing is looked
 * up late.
 */
static void
test_works_in_the_sandbox(void **state)
{
	const char *preload = getenv("LD_PRELOAD");
	struct ht_error e;
	int landlock;
	int status;
	pid_t child;

	(void)state;
	/* valgrind makes calls of its own in this process. */
	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		skip();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (sandbox_enter(SANDBOX_SHELL, NULL, 0, &landlock, &e) < 0)
			_exit(2);
		test_all_keys_and_digests(NULL);
		check_texts("Pr\xc3\xbc"
		            "fer",
		    "https://example.org/");
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int
start(void **state)
{
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0 || signing_make("RSA", &rsa, &e) < 0 ||
	    signing_make("P-256", &p256, &e) < 0 ||
	    signing_make("P-384", &p384, &e) < 0)
		return -1;
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	signing_clear(&rsa);
	signing_clear(&p256);
	signing_clear(&p384);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First, while libcrypto has looked up nothing else. */
		cmocka_unit_test(test_works_in_the_sandbox),
		cmocka_unit_test(test_all_keys_and_digests),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_options_refused),
		cmocka_unit_test(test_signing_time),
		cmocka_unit_test(test_steps_in_order),
		cmocka_unit_test(test_truncations_and_bit_flips),
		cmocka_unit_test(test_embedded_roots),
		cmocka_unit_test(test_nul_hides_nothing),
		cmocka_unit_test(test_other_root),
		cmocka_unit_test(test_chain_queries),
		cmocka_unit_test(test_chain_refused),
		cmocka_unit_test(test_chain_weak),
		cmocka_unit_test(test_root_is_not_embedded),
	};

	return cmocka_run_group_tests(tests, start, finish);
}

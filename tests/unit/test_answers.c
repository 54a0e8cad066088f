/*
 * Known answers, where there is nobody to compare with: digests that a program
 * of few lines, written from the formats' rules alone, computed for the
 * samples; structures of which signers disagree; layouts that are ours.
 */

#include "config.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/samples.h"
#include "tests/support/signable.h"

/* Twice the bytes, and a NUL. */
struct hex {
	char text[2 * SPC_DIGEST_MAX + 1];
};

static struct hex
hex_of(const uint8_t *p, size_t n)
{
	struct hex hex = { "" };
	size_t i;

	for (i = 0; i < n; i++)
		(void)snprintf(hex.text + 2 * i, 3, "%02x", p[i]);
	return hex;
}

static const struct sample *
find(const char *name)
{
	size_t i;

	for (i = 0; i < samples_count; i++) {
		if (strcmp(samples[i].name, name) == 0)
			return &samples[i];
	}
	fail_msg("no sample %s", name);
	return NULL;
}

/* --- digests -------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *digest;
} digests[] = {
	{ "program.exe",
	    "59d9e67b9f3cb2035fb8afb1319af414d44d2f06d7ea7b34eb41f57189b8067"
	    "4" },
	{ "driver.efi",
	    "e4757ca7fed5a3084b86ba665c744c0e7ad539ab17b2095f02b06702a9c84f4"
	    "f" },
	{ "installer.exe",
	    "e9940c89527afdd55bb050a39f2de74f3917258be14451e37b375f67fb18bae"
	    "a" },
	{ "gap.dll",
	    "fd5f673238784ffa4eb8c2d13cfda48315885bf8022a9ab7d1a0dbab0391869"
	    "1" },
	{ "cabinet.cab",
	    "aebc2a4059e52668223e625ab2cd60ae913eca1575ea654c4a99baf866aebb4"
	    "3" },
	{ "in-set.cab",
	    "b9aac1c4503e2a38d6c8b204638e02c64ded2d1a0bf58cc0b93c71731077d9d"
	    "a" },
	{ "area-in-use.cab",
	    "31ab456de9fc2431b68bd6ad8eb6535289f52e224d2e51b3a7dba9f92773592"
	    "3" },
	{ "areas.cab",
	    "c66dfc7843eb78c18157211db0a2dfa4d28b5559839468c19f7195c3514978f"
	    "b" },
	{ "version-3.msi",
	    "926dd331f303b1a300297d0784bc76897f8e4fae1967918012a9d37d6471beb"
	    "3" },
	{ "version-3-extended.msi",
	    "50a1951844aba73461ddb5f927eeda462f22a9e367f9dfd1b43e9f4948078cf"
	    "6" },
	{ "version-4.msi",
	    "926dd331f303b1a300297d0784bc76897f8e4fae1967918012a9d37d6471beb"
	    "3" },
	{ "version-4-extended.msi",
	    "50a1951844aba73461ddb5f927eeda462f22a9e367f9dfd1b43e9f4948078cf"
	    "6" },
	{ "one.cat",
	    "e73facf5c59458e96113cca39a54f803ae5a81c9c1fa9a35c09946c169c7262"
	    "1" },
	{ "three.cat",
	    "c07650aca73267c379debb1a11cd2ad11dfac713ca099ee9bef8df68174ad08"
	    "6" },
	{ "package.msix",
	    "4150505841585043ea1db2268029c443114bd3e852ecf5093738625937c3d6b5"
	    "23c7bf566dc82f46415843440f5976221e1e74f9288637f625f323ed762df3de"
	    "400eea575b3dbf647c86bc714158435499bb7f06afd774c8313a5005ce547a1a"
	    "e46646894a8668e7087005b8f61644aa4158424db4bef54e442514f3f5f7e090"
	    "0c9edbd94e2d11cedfb38df975f5859b817fd980" },
	{ "overridden.appx",
	    "41505058415850436966e48d9666dc3344743d2985e429b4cc5c210814f2caa5"
	    "1d876bdff7be2fb341584344ace4d154af4cf870b394691fceb188e907c3c423"
	    "465853e2f9c5445992eaec6a4158435499bb7f06afd774c8313a5005ce547a1a"
	    "e46646894a8668e7087005b8f61644aa4158424dab574deff94f3522fe205da9"
	    "0b383b3ddb0683809d833f113bc7b25d10af1f6e" },
	{ "a.ps1",
	    "54291a8306bb17b7a6d2a5ae4dfbf9c0c3c8ae0209ae2e0a27369befa138f0d"
	    "c" },
	{ "wide.ps1",
	    "0d212c2dfbc0008f7e7fae9b5bd707107572f5db381d1db43aaf9a834314008"
	    "d" },
	{ "a.ps1xml",
	    "1e429a0fa1dc7afb79ac49ba74ea571d9b7f8dfcb800e8881ca421cef08b278"
	    "6" },
	{ "a.mof",
	    "f370a0f1738a5b9acc315ecbb633319bede06323d8d91a3e1833e6feb95453f"
	    "1" },
	{ "a.js",
	    "9fefab223ee2ffca1575a002b2f16553645b2a7068f9643509f31baf43c520a"
	    "4" },
	{ "wide.vbs",
	    "e73a8bb4b7b61086f207a913f15e50d79d8db973dcf907cb9d26bca36132b64"
	    "3" },
	{ "a.wsf",
	    "43c47a323cf2b52318f3cf97bb98f9fa622ac5ae633b307b1743f4112dca7c2"
	    "2" },
};

static void
test_digests(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		const struct sample *sample = find(digests[i].name);
		struct buf bytes = BUF_INIT;
		struct format_file *file;
		struct input *in;
		struct ht_error e;

		sample_make(sample, &bytes);
		in = input_memory(bytes.data, bytes.len, &e);
		assert_int_equal(sample_open(sample, in, &file, &e), 0);
		assert_string_equal(
		    hex_of(file->digest.value, file->digest.length).text,
		    digests[i].digest);
		format_file_free(file);
		input_free(in);
		buf_free(&bytes);
	}
}

/* --- layouts -------------------------------------------------------------- */

/*
 * Where the signature goes in a compound file: of a length for the mini stream,
 * and of one for sectors of its own.
 */
static const struct {
	const char *name;
	size_t p7;
	const char *sha256;
} layouts[] = {
	{ "version-3.msi", 1000,
	    "991fd83063f7c0f6fe698eb254ccbd3ddf4005982b2b19d0c1a0fd04bab0cf0"
	    "4" },
	{ "version-3.msi", 5000,
	    "521fda7abbcbafc02792d92f4371f29ed206e788ceff3c18591d74959df123b"
	    "a" },
	{ "version-3-extended.msi", 1000,
	    "0ba5462a0b116074a633433fd3ea7b13ac7aed1fa3bdfdebbdc84d75c1d533f"
	    "c" },
	{ "version-3-extended.msi", 5000,
	    "c44f1e3bf3c2a0bc3763eecd0b9e15e02a28b24c5549c87e41e9041d25f8fa0"
	    "e" },
	{ "version-4.msi", 1000,
	    "7b257687272874ee80e2b666db15523ec22c2ea2a3e431073802f312ee9c8ab"
	    "1" },
	{ "version-4.msi", 5000,
	    "8b2f07c85fc0870c2afa78650e7f84f7825a0f9707e6de4e052849b2a05bf43"
	    "9" },
	{ "version-4-extended.msi", 1000,
	    "1ea210ab001a98f585917dc3bdabafd41ebfe3697db8cbd4a31cddc4bf69f96"
	    "9" },
	{ "version-4-extended.msi", 5000,
	    "4571723fb57b4f9af6beb423ad70d409881605e0798821156cd341c96569246"
	    "d" },
};

static struct hex
sha256_of_plan(const struct output *plan)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct buf bytes = BUF_INIT;
	unsigned int length;

	signable_read(plan, &bytes);
	assert_int_equal(EVP_Digest(bytes.data, bytes.len, digest, &length,
	                     EVP_sha256(), NULL),
	    1);
	buf_free(&bytes);
	return hex_of(digest, length);
}

static void
test_layouts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		const struct sample *sample = find(layouts[i].name);
		uint8_t *p7 = malloc(layouts[i].p7);
		struct buf bytes = BUF_INIT;
		struct format_file *file;
		struct output *plan;
		struct input *in;
		struct ht_error e;

		assert_non_null(p7);
		memset(p7, 0x55, layouts[i].p7);
		sample_make(sample, &bytes);
		in = input_memory(bytes.data, bytes.len, &e);
		assert_int_equal(sample_open(sample, in, &file, &e), 0);
		assert_int_equal(
		    format_plan(file, p7, layouts[i].p7, &plan, &e), 0);
		assert_string_equal(sha256_of_plan(plan).text,
		    layouts[i].sha256);
		output_free(plan);
		format_file_free(file);
		input_free(in);
		buf_free(&bytes);
		free(p7);
	}
}

/* --- structures ----------------------------------------------------------- */

static void
make_pkcs7(const char *description, struct buf *p7)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME,
		.description = description };
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	sample_make(&samples[0], &bytes);
	in = input_memory(bytes.data, bytes.len, &e);
	assert_int_equal(sample_open(&samples[0], in, &file, &e), 0);
	assert_int_equal(
	    signing_sign(&signing_p256, "pe", &file->content, &options, p7, &e),
	    0);
	format_file_free(file);
	input_free(in);
	buf_free(&bytes);
}

static bool
holds(const struct buf *p7, const void *p, size_t n)
{
	return memmem(p7->data, p7->len, p, n) != NULL;
}

/*
 * SignerInfo of an EC key: id-ecPublicKey, as Windows has it (signtool), then
 * the signature, a SEQUENCE in an OCTET STRING, which ends the file.
 */
static void
test_ec_signer_info(void **state)
{
	static const uint8_t algorithm[] = { 0x30, 0x0b, 0x06, 0x07, 0x2a, 0x86,
		0x48, 0xce, 0x3d, 0x02, 0x01, 0x05, 0x00, 0x04 };
	struct buf p7 = BUF_INIT;
	const uint8_t *at;
	size_t left;

	(void)state;
	make_pkcs7(NULL, &p7);
	at = memmem(p7.data, p7.len, algorithm, sizeof(algorithm));
	assert_non_null(at);
	at += sizeof(algorithm);
	left = p7.len - (size_t)(at - p7.data);
	assert_int_equal(*at, left - 1);
	assert_int_equal(at[1], 0x30);
	assert_int_equal(at[2], left - 3);
	buf_free(&p7);
}

/* SpcSpOpusInfo: programName [0] BMPString for what is not ASCII. */
static void
test_description(void **state)
{
	static const uint8_t ascii[] = { 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
		0x01, 0x82, 0x37, 0x02, 0x01, 0x0c, 0x31, 0x0a, 0x30, 0x08,
		0xa0, 0x06, 0x81, 0x04, 'G', 'r', '.', '1' };
	static const uint8_t bmp[] = { 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01,
		0x82, 0x37, 0x02, 0x01, 0x0c, 0x31, 0x0e, 0x30, 0x0c, 0xa0,
		0x0a, 0x80, 0x08, 0x00, 'G', 0x00, 0xfc, 0xd8, 0x3d, 0xde,
		0x00 };
	struct buf p7 = BUF_INIT;

	(void)state;
	make_pkcs7("Gr.1", &p7);
	assert_true(holds(&p7, ascii, sizeof(ascii)));
	buf_reset(&p7);
	make_pkcs7("G\xc3\xbc\xf0\x9f\x98\x80", &p7);
	assert_true(holds(&p7, bmp, sizeof(bmp)));
	buf_free(&p7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_ec_signer_info),
		cmocka_unit_test(test_description),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}

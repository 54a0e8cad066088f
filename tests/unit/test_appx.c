#include "config.h"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#define ZLIB_CONST
#include <zlib.h>

#include "formats/appx/appx-parts.h"
#include "signature/init.h"
#include "signature/publisher.h"
#include "tests/support/mutate.h"
#include "tests/support/no_memory.h"
#include "tests/support/package.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"

static struct signing rsa;
static struct signing p256;

static const struct package plain = { .method = "sha256",
	.publisher = "CN=Test Signer",
	.files = 2,
	.size = 300 };

static int
digest(const struct buf *bytes, const char *algorithm, struct input **in,
    struct format_file **file, struct ht_error *e)
{
	const struct format_options options = { .algorithm = algorithm };
	int rc;

	*in = input_memory(bytes->data, bytes->len, e);
	rc = signable_digest(*in, NULL, &options, file, e);
	if (rc == 0)
		assert_ptr_equal((*file)->format, &format_appx);
	return rc;
}

static void
sign(const struct buf *bytes, struct signing *with, const char *algorithm,
    struct buf *out)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct format_file *file;
	struct input *in;
	struct buf p7 = BUF_INIT;
	struct ht_error e;

	assert_int_equal(digest(bytes, algorithm, &in, &file, &e), 0);
	assert_int_equal(
	    signing_sign(with, file->spc, &file->content, &options, &p7, &e),
	    0);
	signable_attach(file, p7.data, p7.len, out);
	buf_free(&p7);
	format_file_free(file);
	input_free(in);
}

static void
sign_and_verify(const struct package *package, struct signing *with)
{
	struct buf bytes = BUF_INIT;
	struct buf once = BUF_INIT;
	struct buf again = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	package_make(package, &bytes);
	assert_int_equal(digest(&bytes, package->method, &in, &file, &e), 0);
	assert_false(file->was_signed);
	assert_int_equal(file->size, bytes.len);
	assert_string_equal(file->spc, package->bundle ? "appxbundle" : "appx");
	assert_true(cursor_is(buf_cursor(&file->publisher), "CN=Test Signer"));
	format_file_free(file);
	input_free(in);
	sign(&bytes, with, package->method, &once);
	assert_int_equal(signable_verify(&format_appx, &once, &e), 0);
	assert_int_equal(digest(&once, package->method, &in, &file, &e), 0);
	assert_true(file->was_signed);
	format_file_free(file);
	input_free(in);
	sign(&once, with, package->method, &again);
	assert_int_equal(signable_verify(&format_appx, &again, &e), 0);
	if (with == &rsa) {
		assert_int_equal(again.len, once.len);
		assert_memory_equal(again.data, once.data, once.len);
	}
	buf_free(&again);
	buf_free(&once);
	buf_free(&bytes);
}

static void
test_signs(void **state)
{
	static const unsigned int forms[] = { 0, 12, 16, 20, 24 };
	static const char *const methods[] = { "sha256", "sha384", "sha512" };
	struct package package = plain;
	unsigned int i;

	(void)state;
	for (i = 0; i < 64; i++) {
		package.bundle = (i & 1) != 0;
		package.zip64 = (i & 2) != 0;
		package.deflated = (i & 4) != 0;
		package.types_first = (i & 8) != 0;
		package.code_integrity = (i & 16) != 0;
		package.overridden = (i & 32) != 0;
		package.descriptor = forms[i % 5];
		package.method = methods[i % 3];
		/* Signing must not move the packages of a bundle. */
		if (package.bundle && package.types_first)
			package.overridden = true;
		sign_and_verify(&package, i % 2 == 0 ? &rsa : &p256);
	}
}

static void
refuse_one(const struct package *base, enum package_fault fault,
    const char *text)
{
	struct package package = *base;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	package.fault = fault;
	package_make(&package, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), HT_ERR_DATA);
	assert_null(file);
	assert_string_equal(e.text, text);
	input_free(in);
	buf_free(&bytes);
}

static void
refuse(enum package_fault fault, const char *text)
{
	refuse_one(&plain, fault, text);
}

/* What Windows does not install is not signed. */
static void
test_block_maps(void **state)
{
	struct package deflated = plain;
	struct package bundle = plain;

	(void)state;
	refuse(PACKAGE_MAP_HASH,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: block 1 has "
	    "another digest");
	refuse(PACKAGE_MAP_SIZE,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: it has another "
	    "size");
	refuse(PACKAGE_MAP_HEADER,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: its header has "
	    "another size");
	refuse(PACKAGE_MAP_PACKED,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: it is packed "
	    "to another size");
	refuse(PACKAGE_MAP_FEW,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: it has more "
	    "blocks");
	refuse(PACKAGE_MAP_MANY, "APPX: AppxBlockMap.xml has a block too many");
	refuse(PACKAGE_MAP_NO_NUMBER,
	    "APPX: a Size in AppxBlockMap.xml is no number");
	refuse(PACKAGE_MAP_NOT_HERE,
	    "APPX: AppxBlockMap.xml has gone.txt, which is not in the package");
	refuse(PACKAGE_MAP_NOT_THERE,
	    "APPX: extra.txt is in the package, but not in AppxBlockMap.xml");
	refuse(PACKAGE_MAP_TWICE,
	    "APPX: AppxBlockMap.xml must not have AppxManifest.xml, or has it "
	    "twice");
	refuse(PACKAGE_MAP_TYPES,
	    "APPX: AppxBlockMap.xml must not have [Content_Types].xml, or has "
	    "it twice");
	deflated.deflated = true;
	deflated.size = 3 * 65536;
	refuse_one(&deflated, PACKAGE_MAP_PACKED,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: its blocks are "
	    "packed to other sizes");
	refuse_one(&deflated, PACKAGE_MAP_FEW,
	    "APPX: file0.bin is not what AppxBlockMap.xml says: it has more "
	    "blocks");
	bundle.bundle = true;
	refuse_one(&bundle, PACKAGE_BUNDLE_MAP,
	    "APPX: part0.msix is not what AppxBlockMap.xml says: only the "
	    "manifest of a bundle is in it");
	refuse_one(&bundle, PACKAGE_BUNDLE_OFFSET,
	    "APPX: part0.msix is not stored where "
	    "AppxMetadata/AppxBundleManifest.xml says, in a bundle that is "
	    "signed");
	refuse_one(&bundle, PACKAGE_BUNDLE_NOT_HERE,
	    "APPX: AppxMetadata/AppxBundleManifest.xml has other-part0.msix, "
	    "which is not in the bundle");
	bundle.files = 1;
	refuse_one(&bundle, PACKAGE_BUNDLE_UNLISTED,
	    "APPX: part0.msix is in the bundle, but not in its manifest or "
	    "block map");
	bundle.types_first = true;
	refuse_one(&bundle, PACKAGE_GOOD,
	    "APPX: part0.msix is not stored where "
	    "AppxMetadata/AppxBundleManifest.xml says, in a bundle that is "
	    "signed");
}

/* Blocks of more than one piece, and a map of more than one window. */
static void
test_many_blocks(void **state)
{
	struct package package = plain;

	(void)state;
	package.size = 5 * 65536 + 1;
	package.files = mutate_few() ? 2 : 40;
	sign_and_verify(&package, &p256);
	package.deflated = true;
	sign_and_verify(&package, &p256);
	package.size = 1;
	package.files = 3000;
	sign_and_verify(&package, &p256);
}

static void
test_refusals(void **state)
{
	(void)state;
	refuse(PACKAGE_PART_CASE,
	    "APPX: a part's name is AppxManifest.xml in another case");
	refuse(PACKAGE_NO_TYPES,
	    "a ZIP file, but no APPX package: it has no [Content_Types].xml");
	refuse(PACKAGE_NO_BLOCK_MAP,
	    "a ZIP file, but no APPX package: it has no AppxBlockMap.xml");
	refuse(PACKAGE_NO_MANIFEST,
	    "a ZIP file, but no APPX package: it has no manifest");
	refuse(PACKAGE_TWO_MANIFESTS,
	    "APPX: manifests of both a package and a bundle");
	refuse(PACKAGE_P7X_FIRST,
	    "APPX: AppxSignature.p7x is not the last entry");
	refuse(PACKAGE_DOCTYPE, "AppxManifest.xml has a document type");
	refuse(PACKAGE_NO_PUBLISHER,
	    "APPX: AppxManifest.xml names no publisher, or one of more than "
	    "2048 bytes");
	refuse(PACKAGE_TWO_IDENTITIES,
	    "APPX: AppxManifest.xml has two identities");
	refuse(PACKAGE_BAD_METHOD,
	    "APPX: the HashMethod of AppxBlockMap.xml is not SHA-256, SHA-384 "
	    "or SHA-512");
	refuse(PACKAGE_UTF16, "[Content_Types].xml is not UTF-8");
	refuse(PACKAGE_EMPTY_TYPES,
	    "APPX: [Content_Types].xml has no content types");
}

/* Whatever is wrong with the ZIP file is wrong here, too. */
static void
test_all_faults(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;
	int fault;

	(void)state;
	package.descriptor = 16;
	for (fault = PACKAGE_GOOD + 1; fault < PACKAGE_FAULTS; fault++) {
		/* These do not show with a descriptor, or before verifying. */
		if (fault == PACKAGE_LOCAL_SIZE || fault == PACKAGE_LOCAL_CRC ||
		    fault == PACKAGE_P7X_OTHER || fault >= PACKAGE_BUNDLE_MAP)
			continue;
		package.fault = (enum package_fault)fault;
		package_make(&package, &bytes);
		assert_int_equal(digest(&bytes, "sha256", &in, &file, &e),
		    HT_ERR_DATA);
		format_file_free(file);
		input_free(in);
		buf_reset(&bytes);
	}
	buf_free(&bytes);
}

/*
 * Write n little-endian at offset from each occurrence of a name: the first is
 * in the local header, the second in the directory.
 */
static void
claim_size(struct buf *bytes, const char *name, uint32_t n)
{
	static const long from_name[] = { 22 - 30, 24 - 46 };
	uint8_t *at = bytes->data;
	size_t i;
	size_t j;

	for (i = 0; i < 2; i++) {
		at = memmem(at, bytes->len - (size_t)(at - bytes->data), name,
		    strlen(name));
		assert_non_null(at);
		for (j = 0; j < 4; j++)
			(at + from_name[i])[j] = (uint8_t)(n >> 8 * j);
		at++;
	}
}

/* 8 MB of deflated blanks took 24 s to digest. */
static void
test_bombs(void **state)
{
	static const char *const names[] = { "AppxBlockMap.xml",
		"AppxMetadata/CodeIntegrity.cat" };
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	char text[128];
	struct ht_error e;
	size_t i;

	(void)state;
	package.deflated = true;
	package.code_integrity = true;
	for (i = 0; i < 2; i++) {
		package_make(&package, &bytes);
		claim_size(&bytes, names[i], (128U << 20) + 1);
		assert_int_equal(digest(&bytes, "sha256", &in, &file, &e),
		    HT_ERR_REFUSED);
		(void)snprintf(text, sizeof(text),
		    "APPX: %s has more than 134217728 bytes", names[i]);
		assert_string_equal(e.text, text);
		input_free(in);
		buf_reset(&bytes);
	}
	buf_free(&bytes);
}

/* One entry more would be too many for end records that are not ZIP64's. */
static void
test_no_room(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	(void)state;
	/* So much takes valgrind a minute. */
	if (mutate_few())
		skip();
	package.files = UINT16_MAX - 5;
	package.size = 1;
	package_make(&package, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "APPX: with its signature the package would need ZIP64");
	input_free(in);

	package.files--;
	buf_reset(&bytes);
	package_make(&package, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	format_file_free(file);
	input_free(in);
	buf_free(&bytes);
}

static void
test_other_signature(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct ht_error e;

	(void)state;
	package_make(&package, &bytes);
	assert_int_equal(signable_verify(&format_appx, &bytes, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "the file is not signed");
	buf_reset(&bytes);
	package.fault = PACKAGE_P7X_OTHER;
	package_make(&package, &bytes);
	assert_int_equal(signable_verify(&format_appx, &bytes, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text,
	    "APPX: AppxSignature.p7x does not begin with PKCX");
	buf_free(&bytes);
}

/*
 * A package with a signature beside what it is of, and nothing else: its
 * content types do not say that it has one.
 */
static void
add_unnamed(const struct buf *bytes, const struct buf *p7, struct buf *out)
{
	struct zip_entry entry = { .name = cursor_over(APPX_SIGNATURE,
		                       strlen(APPX_SIGNATURE)) };
	struct input *in = input_memory(bytes->data, bytes->len, NULL);
	struct appx_parts parts;
	const struct zip *zip = &parts.zip;
	uint64_t offset;

	assert_non_null(in);
	assert_int_equal(appx_parts_open(&parts, in, NULL), 0);
	entry.offset = zip->offset;
	entry.size = APPX_MAGIC_SIZE + p7->len;
	entry.crc =
	    (uint32_t)crc32(0, (const uint8_t *)APPX_MAGIC, APPX_MAGIC_SIZE);
	entry.crc = (uint32_t)crc32(entry.crc, p7->data, (uInt)p7->len);
	buf_bytes(out, bytes->data, (size_t)zip->offset);
	zip_put_local(&entry, out);
	buf_bytes(out, APPX_MAGIC, APPX_MAGIC_SIZE);
	buf_bytes(out, p7->data, p7->len);
	offset = out->len;
	buf_bytes(out, bytes->data + zip->offset,
	    (size_t)(zip->directory_end - zip->offset));
	zip_put_central(&entry, out);
	assert_int_equal(zip_put_end(zip, zip->entries + 1, offset,
	                     out->len - offset, out, NULL),
	    0);
	appx_parts_close(&parts);
	input_free(in);
}

/* The digest is that of the signed package, and what Windows has is another. */
static void
test_unnamed_signature(void **state)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct buf bytes = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct buf made = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	(void)state;
	package_make(&plain, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	assert_int_equal(
	    signing_sign(&rsa, file->spc, &file->content, &options, &p7, &e),
	    0);
	format_file_free(file);
	input_free(in);
	add_unnamed(&bytes, &p7, &made);
	assert_int_equal(signable_verify(&format_appx, &made, &e), HT_ERR_DATA);
	assert_string_equal(e.text,
	    "APPX: [Content_Types].xml does not name AppxSignature.p7x");
	buf_reset(&bytes);
	/* Signed anew, it does. */
	sign(&made, &rsa, "sha256", &bytes);
	assert_int_equal(signable_verify(&format_appx, &bytes, &e), 0);
	buf_free(&made);
	buf_free(&p7);
	buf_free(&bytes);
}

static void
test_other_digest(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	(void)state;
	package.method = "sha384";
	package_make(&package, &bytes);
	assert_int_equal(digest(&bytes, "sha512", &in, &file, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "the package's block map has sha384 digests: it can only be "
	    "signed with sha384, not with sha512");
	input_free(in);
	/* A stronger one is followed. */
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	assert_string_equal(file->digest.algorithm, "sha384");
	assert_string_equal(file->options.algorithm, "sha384");
	format_file_free(file);
	input_free(in);
	buf_free(&bytes);
}

/*
 * A bundle's signature is none of a package, though both are of one SPC type.
 */
static void
test_other_kind(void **state)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct buf bytes = BUF_INIT;
	struct buf content = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct format_verified found;
	struct output *plan;
	struct input *in;
	struct input *again;
	struct ht_error e;

	(void)state;
	package_make(&plain, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	assert_int_equal(spc_encode("appxbundle", &file->digest, &content, &e),
	    0);
	assert_int_equal(
	    signing_sign(&p256, "appx", &content, &options, &p7, &e),
	    HT_ERR_DATA);
	assert_int_equal(
	    signing_sign(&p256, "appxbundle", &content, &options, &p7, &e), 0);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e), 0);
	again = output_as_input(plan, &e);
	assert_int_equal(format_verify(&format_appx, again, NULL, &found, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "SpcSipInfo: not the GUID of format appx");
	input_free(again);
	output_free(plan);
	format_file_free(file);
	input_free(in);
	buf_free(&p7);
	buf_free(&content);
	buf_free(&bytes);
}

/* keyd takes no digest that is not put together as a package's is. */
static void
test_tagged_digest(void **state)
{
	struct spc_digest value = { 0 };
	struct buf bytes = BUF_INIT;
	struct buf der = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;
	size_t i;

	(void)state;
	package_make(&plain, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	value = file->digest;
	assert_int_equal(value.length, 4 + 4 * (4 + 32));
	assert_int_equal(spc_encode("appx", &value, &der, &e), 0);
	for (i = 0; i < value.length; i++) {
		bool tag = i < 4 || (i - 4) % 36 < 4;

		value.value[i] ^= 1;
		assert_int_equal(spc_encode("appx", &value, &der, &e),
		    tag ? HT_ERR_INTERNAL : 0);
		value.value[i] ^= 1;
	}
	value.length--;
	assert_int_equal(spc_encode("appx", &value, &der, &e), HT_ERR_INTERNAL);
	value.length += 37;
	assert_int_equal(spc_encode("appx", &value, &der, &e), HT_ERR_INTERNAL);
	assert_int_equal(spc_encode("pe", &file->digest, &der, &e),
	    HT_ERR_INTERNAL);
	format_file_free(file);
	input_free(in);
	buf_free(&der);
	buf_free(&bytes);
}

/* --- publishers -------------------------------------------------------- */

/*
 * The chain of one certificate whose subject is C=FI, this O, CN=Test Signer.
 */
static struct chain *
chain_of_three_names(const char *organization)
{
	BIO *in = BIO_new_mem_buf(p256.pem.data, (int)p256.pem.len);
	BIO *out = BIO_new(BIO_s_mem());
	X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(certificate);
	struct chain *chain;
	struct ht_error e;
	char *pem;
	long n;

	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "C", MBSTRING_UTF8,
	                     (const unsigned char *)"FI", -1, 0, 0),
	    1);
	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
	                     (const unsigned char *)organization, -1, 1, 0),
	    1);
	assert_int_equal(X509_set_issuer_name(certificate, subject), 1);
	assert_true(X509_sign(certificate, p256.key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(out, certificate), 1);
	n = BIO_get_mem_data(out, &pem);
	assert_int_equal(chain_load(pem, (size_t)n, &chain, &e), 0);
	X509_free(certificate);
	BIO_free(in);
	BIO_free(out);
	return chain;
}

/* All attributes, the last one first, and nothing but them. */
static void
test_publishers_of_several_parts(void **state)
{
	static const struct {
		const char *publisher;
		int rc;
	} cases[] = {
		{ "CN=Test Signer, O=Test, C=FI", 0 },
		{ "CN=Test Signer,O=Test,C=FI", 0 },
		{ "CN=\"Test Signer\" , O=\"Test\", C=FI", 0 },
		{ "C=FI, O=Test, CN=Test Signer", HT_ERR_REFUSED },
		{ "CN=Test Signer", HT_ERR_REFUSED },
		{ "CN=Test Signer, O=Test", HT_ERR_REFUSED },
		{ "O=Test, C=FI", HT_ERR_REFUSED },
		{ "C=FI", HT_ERR_REFUSED },
		{ "CN=Test Signer, O=Test, C=FI, C=FI", HT_ERR_REFUSED },
		{ "OU=Test, CN=Test Signer, O=Test, C=FI", HT_ERR_REFUSED },
		{ "CN=Test Signer, O=Test, C=F", HT_ERR_REFUSED },
		{ "CN=Test Signer, O=Tes, C=FI", HT_ERR_REFUSED },
		{ "CN=Test Signer, O=Tests, C=FI", HT_ERR_REFUSED },
		{ "CN=Test Signer, OU=Test, C=FI", HT_ERR_REFUSED },
	};
	struct chain *chain = chain_of_three_names("Test");
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (publisher_check(chain, cases[i].publisher, &e) !=
		    cases[i].rc)
			fail_msg("%s", cases[i].publisher);
	}
	chain_free(chain);
}

/* What is said can be pasted into the manifest, and is right there. */
static void
test_publishers_to_paste(void **state)
{
	static const char start[] = "the manifest's Publisher is not the "
	                            "certificate's subject.  It must be: ";
	static const struct {
		const char *organization;
		const char *publisher;
		const char *subject;
	} cases[] = {
		{ "Test", "CN=Test Signer, O=Test, C=FI",
		    "CN=Test Signer,O=Test,C=FI" },
		{ "Foo, Inc.", "CN=Test Signer, O=\"Foo, Inc.\", C=FI",
		    "CN=Test Signer,O=\"Foo, Inc.\",C=FI" },
		{ "A \"B\" C", "CN=Test Signer, O=\"A \"\"B\"\" C\", C=FI",
		    NULL },
		{ "#1+2=3;", "CN=Test Signer, O=\"#1+2=3;\", C=FI", NULL },
		{ "\xc3\x84 & <B>",
		    "CN=Test Signer, O=\"\xc3\x84 & <B>\", C=FI", NULL },
	};
	struct chain *chain;
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		chain = chain_of_three_names(cases[i].organization);
		assert_int_equal(publisher_check(chain, "CN=Another", &e),
		    HT_ERR_REFUSED);
		assert_memory_equal(e.text, start, sizeof(start) - 1);
		assert_string_equal(e.text + sizeof(start) - 1,
		    cases[i].publisher);
		assert_int_equal(publisher_check(chain, cases[i].publisher, &e),
		    0);
		if (cases[i].subject != NULL)
			assert_string_equal(chain_subject(chain),
			    cases[i].subject);
		chain_free(chain);
	}
}

static void
publisher(const char *text, int code)
{
	struct ht_error e;

	assert_int_equal(publisher_check(p256.chain, text, &e), code);
}

static void
test_publishers(void **state)
{
	(void)state;
	publisher("CN=Test Signer", 0);
	publisher("cn=Test Signer", 0);
	publisher("CN=\"Test Signer\"", 0);
	publisher("OID.2.5.4.3=Test Signer", 0);
	publisher("CN=Test signer", HT_ERR_REFUSED);
	publisher("CN=Test  Signer", HT_ERR_REFUSED);
	publisher("CN=Test Signer, O=Test", HT_ERR_REFUSED);
	publisher("O=Test Signer", HT_ERR_REFUSED);
	publisher("CN=\"Test \"\"Signer\"", HT_ERR_REFUSED);
	publisher("", HT_ERR_DATA);
	publisher("Test Signer", HT_ERR_DATA);
	publisher("CN=", HT_ERR_DATA);
	publisher("CN=Test Signer,", HT_ERR_DATA);
	publisher("CN=Test Signer + O=X", HT_ERR_DATA);
	publisher("CN=\"Test Signer", HT_ERR_DATA);
	publisher("CN=\"Test\" Signer", HT_ERR_DATA);
	publisher("XX=Test Signer", HT_ERR_DATA);
	publisher("OID.2.999999999999999999999.x=Test", HT_ERR_DATA);
}

static void
test_publishers_without_memory(void **state)
{
	unsigned int n;

	(void)state;
	for (n = 1; n <= 2; n++) {
		no_memory_at(n);
		publisher("CN=Test Signer", HT_ERR_INTERNAL);
	}
	no_memory_at(0);
}

/*
 * What the manifest has in entities is text to compare.
 */
static void
test_manifest(void **state)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	(void)state;
	package.publisher =
	    "CN=&quot;A &amp; B, &#73;nc&#x2e;&quot;, O='&lt;&#xfc;&#x1f600;'";
	package_make(&package, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), 0);
	assert_true(cursor_is(buf_cursor(&file->publisher),
	    "CN=\"A & B, Inc.\", O='<\xc3\xbc\xf0\x9f\x98\x80'"));
	format_file_free(file);
	input_free(in);
	buf_free(&bytes);
}

static void
bad_publisher(const char *publisher, const char *why)
{
	struct package package = plain;
	struct buf bytes = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;

	package.publisher = publisher;
	package_make(&package, &bytes);
	assert_int_equal(digest(&bytes, "sha256", &in, &file, &e), HT_ERR_DATA);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	input_free(in);
	buf_free(&bytes);
}

/* The text stands in double quotes, so it can be more than one attribute. */
static void
test_bad_manifests(void **state)
{
	static const char not_xml[] = "AppxManifest.xml is not well-formed";
	static const char none[] = "names no publisher, or one of more than";
	char publisher[FORMAT_PUBLISHER_MAX + 2];

	(void)state;
	bad_publisher("CN=&other;", not_xml);
	bad_publisher("CN=&#x;", not_xml);
	bad_publisher("CN=A\" Bad=1 C=\"", not_xml);
	bad_publisher("CN=A\" Bad C=\"", not_xml);
	bad_publisher("CN=A\" =\"", not_xml);
	bad_publisher("", none);
	memset(publisher, 'x', sizeof(publisher));
	publisher[FORMAT_PUBLISHER_MAX + 1] = '\0';
	bad_publisher(publisher, none);
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
		cmocka_unit_test(test_block_maps),
		cmocka_unit_test(test_many_blocks),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_all_faults),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_other_signature),
		cmocka_unit_test(test_unnamed_signature),
		cmocka_unit_test(test_other_digest),
		cmocka_unit_test(test_other_kind),
		cmocka_unit_test(test_tagged_digest),
		cmocka_unit_test(test_publishers),
		cmocka_unit_test(test_publishers_without_memory),
		cmocka_unit_test(test_publishers_of_several_parts),
		cmocka_unit_test(test_publishers_to_paste),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_bad_manifests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

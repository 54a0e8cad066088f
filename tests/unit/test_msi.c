#include "config.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formats/msi/cfb.h"
#include "tests/support/cfb_image.h"
#include "tests/support/mutate.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"

#define SIGNATURE "\5DigitalSignature"
#define SIGNATURE_EX "\5MsiDigitalSignatureEx"

/* In a storage, the signature's name is one like others. */
static const struct cfb_image_entry entries[] = {
	{ "beta", CFB_IMAGE_ROOT, 5000 }, { "a", CFB_IMAGE_ROOT, 100 },
	{ "storage", CFB_IMAGE_ROOT, CFB_IMAGE_STORAGE }, { SIGNATURE, 2, 200 },
	{ "deeper", 2, CFB_IMAGE_STORAGE }, { "below", 4, 4096 },
	{ "empty", CFB_IMAGE_ROOT, 0 }, { "last", CFB_IMAGE_ROOT, 65 },
	{ SIGNATURE_EX, CFB_IMAGE_ROOT, 32 }, /* what is in it is wrong */
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))
#define WITHOUT_EX (ENTRIES - 1)

enum { VERSION_3 = 3, VERSION_4 = 4 };

static const struct format_options sha256 = { .algorithm = "sha256" };
static const struct format_options sha512 = { .algorithm = "sha512" };
static const struct format_options ex_sha256 = { .algorithm = "sha256",
	.msi_ex = true };
static const struct format_options ex_sha512 = { .algorithm = "sha512",
	.msi_ex = true };

/*
 * Sign the file, verify what that makes, and append it to out.
 */
static void
sign(const struct buf *image, const struct format_options *how,
    struct spc_digest *digest, bool *was_signed, struct buf *out)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct format_verified verified;
	struct format_file *file;
	struct output *plan;
	struct input *again;
	struct buf p7 = BUF_INIT;
	struct ht_error e;
	struct input *in = input_memory(image->data, image->len, &e);

	options.description = "My Package";
	if (signable_digest(in, NULL, how, &file, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(file->size, image->len);
	*digest = file->digest;
	*was_signed = file->was_signed;
	assert_int_equal(signing_sign(&signing_p256, "msi", &file->content,
	                     &options, &p7, &e),
	    0);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e), 0);
	again = output_as_input(plan, &e);
	if (format_verify(file->format, again,
	        &(struct format_wanted){
	            .content = buf_cursor(&file->content) },
	        &verified, &e) < 0)
		fail_msg("%s at 0x%llx", e.text, (unsigned long long)e.offset);
	assert_int_equal(verified.size, output_size(plan));
	assert_string_equal(pkcs7_description(verified.all[0].p7),
	    "My Package");
	format_verified_clear(&verified);
	signable_read(plan, out);
	input_free(again);
	output_free(plan);
	buf_free(&p7);
	format_file_free(file);
	input_free(in);
}

/* --- digests ------------------------------------------------------------- */

static void
check_digest(const struct spc_digest *found, const EVP_MD *md, const void *p,
    size_t n)
{
	uint8_t expected[EVP_MAX_MD_SIZE];

	assert_int_equal(EVP_Digest(p, n, expected, NULL, md, NULL), 1);
	assert_int_equal(found->length, EVP_MD_get_size(md));
	assert_memory_equal(found->value, expected, found->length);
}

static void
test_sign_and_sign_again(void **state)
{
	unsigned int version;

	(void)state;
	for (version = VERSION_3; version <= VERSION_4; version++) {
		struct buf image = BUF_INIT;
		struct buf covered = BUF_INIT;
		struct buf once = BUF_INIT;
		struct buf twice = BUF_INIT;
		struct spc_digest digest;
		bool was_signed;

		cfb_image_build(version, entries, WITHOUT_EX, &image);
		cfb_image_covered(entries, WITHOUT_EX, &covered);
		sign(&image, &sha256, &digest, &was_signed, &once);
		assert_false(was_signed);
		check_digest(&digest, EVP_sha256(), covered.data, covered.len);
		sign(&once, &sha256, &digest, &was_signed, &twice);
		assert_true(was_signed);
		check_digest(&digest, EVP_sha256(), covered.data, covered.len);
		assert_int_equal(once.len, twice.len);
		buf_reset(&twice);
		sign(&once, &sha512, &digest, &was_signed, &twice);
		check_digest(&digest, EVP_sha512(), covered.data, covered.len);
		buf_free(&image);
		buf_free(&covered);
		buf_free(&once);
		buf_free(&twice);
	}
}

/* The order is that of the names' bytes, not that of the tree. */
static void
test_order(void **state)
{
	static const char *const names[] = { "B", "a", "AB", "b2", "Ba", "ab",
		"Z", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	enum { NAMES = sizeof(names) / sizeof(names[0]) };
	struct cfb_image_entry many[NAMES];
	struct buf image = BUF_INIT;
	struct buf covered = BUF_INIT;
	struct buf out = BUF_INIT;
	struct spc_digest digest;
	bool was_signed;
	size_t i;

	(void)state;
	/* "AB" and "ab" are the same name to Windows. */
	for (i = 0; i < NAMES; i++)
		many[i] = (struct cfb_image_entry){ i == 5 ? "xx" : names[i],
			CFB_IMAGE_ROOT, 10 + i };
	cfb_image_build(VERSION_3, many, NAMES, &image);
	cfb_image_covered(many, NAMES, &covered);
	sign(&image, &sha256, &digest, &was_signed, &out);
	check_digest(&digest, EVP_sha256(), covered.data, covered.len);
	buf_free(&image);
	buf_free(&covered);
	buf_free(&out);
}

/* An entry as MsiDigitalSignatureEx covers it; all else of it is zero. */
static void
put_metadata(size_t place, struct buf *out)
{
	bool storage = entries[place].size == CFB_IMAGE_STORAGE;
	const char *p;

	for (p = entries[place].name; *p != '\0'; p++)
		buf_u16le(out, (uint8_t)*p);
	if (storage) {
		buf_u8(out, (uint8_t)(place + 1));
		buf_zeros(out, 15);
	} else {
		buf_u32le(out, (uint32_t)entries[place].size);
	}
	buf_zeros(out, 20);
}

/*
 * What a signature with MsiDigitalSignatureEx is over, and the hash in that.
 */
static void
put_covered(struct buf *out)
{
	/* By name, depth first: a, beta, empty, last, storage and its own. */
	static const size_t order[] = { 1, 0, 6, 7, 2, 3, 4, 5 };
	static const uint8_t root[] = { 0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0,
		0, 0, 0, 0, 0, 0, 0x46, 0, 0, 0, 0 };
	struct buf metadata = BUF_INIT;
	size_t i;

	buf_bytes(&metadata, root, sizeof(root));
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		put_metadata(order[i], &metadata);
	assert_int_equal(EVP_Digest(metadata.data, metadata.len,
	                     buf_room(out, 32), NULL, EVP_sha256(), NULL),
	    1);
	cfb_image_covered(entries, ENTRIES, out);
	buf_free(&metadata);
}

static bool
has_ex(const struct buf *image)
{
	static const char name[] = SIGNATURE_EX;
	struct buf wide = BUF_INIT;
	const struct cfb_entry *found;
	struct ht_error e;
	struct input *in = input_memory(image->data, image->len, &e);
	struct cfb cfb;
	size_t i;

	for (i = 0; i < sizeof(name); i++)
		buf_u16le(&wide, (uint8_t)name[i]);
	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	found = cfb_find(&cfb, wide.data, wide.len);
	cfb_close(&cfb);
	input_free(in);
	buf_free(&wide);
	return found != NULL;
}

/*
 * Sign with and without MsiDigitalSignatureEx, in turn, what has none or a
 * wrong one.
 */
static void
with_and_without(unsigned int version, size_t count)
{
	struct buf image = BUF_INIT;
	struct buf plain = BUF_INIT;
	struct buf covered = BUF_INIT;
	struct buf once = BUF_INIT;
	struct buf again = BUF_INIT;
	struct spc_digest digest;
	bool was_signed;

	put_covered(&covered);
	cfb_image_covered(entries, count, &plain);
	cfb_image_build(version, entries, count, &image);
	sign(&image, &ex_sha256, &digest, &was_signed, &once);
	assert_false(was_signed);
	assert_true(has_ex(&once));
	check_digest(&digest, EVP_sha256(), covered.data, covered.len);
	sign(&once, &ex_sha256, &digest, &was_signed, &again);
	assert_true(was_signed);
	assert_int_equal(once.len, again.len);
	check_digest(&digest, EVP_sha256(), covered.data, covered.len);
	/* A longer digest takes the place of the shorter one. */
	buf_reset(&again);
	sign(&once, &ex_sha512, &digest, &was_signed, &again);
	assert_true(has_ex(&again));
	buf_reset(&again);
	sign(&once, &sha256, &digest, &was_signed, &again);
	assert_true(was_signed);
	assert_false(has_ex(&again));
	check_digest(&digest, EVP_sha256(), plain.data, plain.len);
	buf_reset(&once);
	sign(&again, &ex_sha256, &digest, &was_signed, &once);
	assert_true(has_ex(&once));
	buf_reset(&again);
	sign(&image, &sha256, &digest, &was_signed, &again);
	assert_false(was_signed);
	assert_false(has_ex(&again));
	check_digest(&digest, EVP_sha256(), plain.data, plain.len);
	buf_free(&image);
	buf_free(&plain);
	buf_free(&covered);
	buf_free(&once);
	buf_free(&again);
}

static void
test_extended(void **state)
{
	unsigned int version;

	(void)state;
	for (version = VERSION_3; version <= VERSION_4; version++) {
		with_and_without(version, ENTRIES);
		with_and_without(version, WITHOUT_EX);
	}
}

/* A signature that stays settles it; where there is none, what is asked for. */
static void
test_as_signed(void **state)
{
	const struct format_options *const how[] = { &sha256, &ex_sha256 };
	struct buf image = BUF_INIT;
	size_t i;

	(void)state;
	cfb_image_build(VERSION_3, entries, WITHOUT_EX, &image);
	for (i = 0; i < 2; i++) {
		struct format_options as = *how[i];
		struct format_options other = *how[1 - i];
		struct buf bytes = BUF_INIT;
		struct format_file *file;
		struct spc_digest digest;
		struct ht_error e;
		struct input *in;
		bool was_signed;

		as.as_signed = true;
		other.as_signed = true;
		sign(&image, &as, &digest, &was_signed, &bytes);
		assert_int_equal(has_ex(&bytes), as.msi_ex);
		in = input_memory(bytes.data, bytes.len, &e);
		file = signable_open(in, NULL, &other);
		assert_int_equal(file->options.msi_ex, as.msi_ex);
		assert_memory_equal(file->digest.value, digest.value, 32);
		format_file_free(file);
		input_free(in);
		buf_free(&bytes);
	}
	buf_free(&image);
}

/* A PKCS#7 by itself says which of the two it is only by its digest. */
static void
test_digest_for(void **state)
{
	const struct format_options *const how[] = { &sha256, &ex_sha512 };
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct buf image = BUF_INIT;
	struct format_file *file;
	struct ht_error e;
	struct input *in;
	size_t i;

	(void)state;
	cfb_image_build(VERSION_4, entries, ENTRIES, &image);
	in = input_memory(image.data, image.len, &e);
	for (i = 0; i < 2; i++) {
		struct buf der = BUF_INIT;
		struct pkcs7 *p7;

		file = signable_open(in, NULL, how[i]);
		assert_int_equal(signing_sign(&signing_p256, "msi",
		                     &file->content, &options, &der, &e),
		    0);
		format_file_free(file);
		assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
		assert_int_equal(
		    format_digest_for(&format_msi, in, p7, &file, &e), 0);
		assert_int_equal(file->options.msi_ex, how[i]->msi_ex);
		assert_string_equal(file->options.algorithm, how[i]->algorithm);
		format_file_free(file);
		pkcs7_free(p7);
		buf_free(&der);
	}
	input_free(in);
	buf_free(&image);
}

/* --- verifying ----------------------------------------------------------- */

/* --- what is refused ----------------------------------------------------- */

static void
test_not_a_package(void **state)
{
	struct buf image = BUF_INIT;
	struct ht_error e;
	struct input *in;
	struct cfb cfb;
	size_t clsid;

	(void)state;
	cfb_image_build(VERSION_3, entries, ENTRIES, &image);
	in = input_memory(image.data, image.len, &e);
	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	clsid = (size_t)cfb_entry_at(&cfb, &cfb.directory, 0) + 0x50;
	cfb_close(&cfb);
	input_free(in);
	image.data[clsid] = 0x06; /* a document of Word's */
	signable_refused(&image, clsid, "not Windows Installer's");
	image.data[clsid] = 0x86; /* a patch */
	in = input_memory(image.data, image.len, &e);
	assert_false(
	    signable_verifies(&format_msi, &image, &signing_p256.root, &e));
	assert_non_null(strstr(e.text, "the file is not signed"));
	input_free(in);
	buf_free(&image);
}

/* A stream at the end of the file that makes it a ZIP file, too. */
static void
test_end_of_a_zip_file(void **state)
{
	static const uint8_t record[22] = { 'P', 'K', 5, 6 };
	struct buf image = BUF_INIT;
	struct buf out = BUF_INIT;
	struct spc_digest digest;
	bool was_signed;
	size_t slack;

	(void)state;
	cfb_image_build(VERSION_3, entries, ENTRIES, &image);
	/* Behind "beta", the first stream, whose last sector has room. */
	slack = 512 + 5000 + 8;
	memcpy(image.data + slack, record, sizeof(record));
	sign(&image, &sha256, &digest, &was_signed, &out);
	image.data[slack + 20] = (uint8_t)(image.len - slack - 22);
	image.data[slack + 21] = (uint8_t)((image.len - slack - 22) >> 8);
	signable_refused(&image, slack, "CVE-2020-1464");
	buf_free(&image);
	buf_free(&out);
}

static void
test_other_things_of_that_name(void **state)
{
	static const struct cfb_image_entry storage = { SIGNATURE,
		CFB_IMAGE_ROOT, CFB_IMAGE_STORAGE };
	static const struct cfb_image_entry other = { "\5digitalsignature",
		CFB_IMAGE_ROOT, 100 };
	static const struct cfb_image_entry other_ex = {
		"\5MSIDigitalSignatureEx", CFB_IMAGE_ROOT, 32
	};
	const struct cfb_image_entry *all[] = { &storage, &other, &other_ex };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct buf image = BUF_INIT;
		struct format_file *file;
		struct ht_error e;
		struct input *in;

		cfb_image_build(VERSION_3, all[i], 1, &image);
		in = input_memory(image.data, image.len, &e);
		assert_int_equal(signable_digest(in, NULL, &sha256, &file, &e),
		    HT_ERR_DATA);
		assert_non_null(strstr(e.text, "named like a signature"));
		input_free(in);
		buf_free(&image);
	}
}

/* MsiDigitalSignatureEx must hold what it should; the digest takes it so. */
static void
test_stale_metadata(void **state)
{
	struct buf image = BUF_INIT;
	struct buf out = BUF_INIT;
	struct spc_digest digest;
	bool was_signed;
	struct ht_error e;
	struct input *in;
	struct cfb cfb;
	const struct cfb_entry *extended;

	(void)state;
	cfb_image_build(VERSION_3, entries, ENTRIES, &image);
	sign(&image, &ex_sha256, &digest, &was_signed, &out);
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(cfb_open(&cfb, in, NULL, &e), 0);
	extended = &cfb.entries[ENTRIES];
	assert_int_equal(extended->size, 32);
	out.data[cfb_mini_at(&cfb, &cfb.mini_stream, extended->start)] ^= 1;
	assert_false(
	    signable_verifies(&format_msi, &out, &signing_p256.root, &e));
	assert_non_null(strstr(e.text, "MsiDigitalSignatureEx covers"));
	cfb_close(&cfb);
	input_free(in);
	buf_free(&image);
	buf_free(&out);
}

static void
test_long_signature(void **state)
{
	struct cfb_image_entry signature = { SIGNATURE, CFB_IMAGE_ROOT,
		PKCS7_MAX + 1 };
	struct buf image = BUF_INIT;
	struct format_file *file;
	struct output *plan;
	struct ht_error e;
	struct input *in;
	uint8_t *p7 = calloc(PKCS7_MAX + 1, 1);

	(void)state;
	cfb_image_build(VERSION_3, &signature, 1, &image);
	assert_false(
	    signable_verifies(&format_msi, &image, &signing_p256.root, &e));
	assert_non_null(strstr(e.text, "a signature of more than"));
	in = input_memory(image.data, image.len, &e);
	assert_int_equal(signable_digest(in, NULL, &sha256, &file, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "a signature of more than"));
	input_free(in);

	signature.name = SIGNATURE_EX;
	signature.size = CFB_CUTOFF + 1;
	buf_reset(&image);
	cfb_image_build(VERSION_3, &signature, 1, &image);
	in = input_memory(image.data, image.len, &e);
	assert_int_equal(signable_digest(in, NULL, &sha256, &file, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "a signature of more than 4096 bytes"));
	input_free(in);

	signature.name = SIGNATURE;
	signature.size = 100;
	buf_reset(&image);
	cfb_image_build(VERSION_3, &signature, 1, &image);
	in = input_memory(image.data, image.len, &e);
	file = signable_open(in, NULL, &sha256);
	assert_int_equal(format_plan(file, p7, PKCS7_MAX + 1, &plan, &e),
	    HT_ERR_DATA);
	assert_null(plan);
	assert_int_equal(format_plan(file, p7, PKCS7_MAX, &plan, &e), 0);
	output_free(plan);
	format_file_free(file);
	input_free(in);
	free(p7);
	buf_free(&image);
}

/* --- nearly 2 GiB -------------------------------------------------------- */

#define SECTOR ((size_t)4096)
#define NUMBERS (SECTOR / 4) /* in a sector of FAT */
#define FREE UINT32_MAX
#define END (UINT32_MAX - 1)
#define FAT (UINT32_MAX - 2)
#define DIFAT (UINT32_MAX - 3)

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static void
put_u32(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/*
 * The front of a package of size bytes.  What is behind it is the end of the
 * one stream: between them is a sector of DIFAT, and the FAT but for its first
 * sector.
 */
static void
build_large(uint64_t size, struct buf *image)
{
	static const struct cfb_image_entry entry = { "Data", CFB_IMAGE_ROOT,
		SECTOR };
	size_t all = (size_t)(size / SECTOR) - 1;
	size_t fats = (all + NUMBERS - 1) / NUMBERS;
	size_t difat;
	size_t data;
	uint8_t *fat;
	uint8_t *stream;
	size_t i;

	cfb_image_build(VERSION_4, &entry, 1, image);
	difat = image->len / SECTOR - 1;
	data = difat + fats;
	put_u32(image->data + 0x2c, fats);
	put_u32(image->data + 0x44, difat);
	put_u32(image->data + 0x48, 1);
	for (i = 1; i < CFB_HEADER_DIFAT; i++)
		put_u32(image->data + 0x4c + 4 * i, difat + i);
	fat = image->data + SECTOR * (get_u32(image->data + 0x4c) + 1);
	put_u32(fat, data);
	put_u32(fat + 4 * difat, DIFAT);
	for (i = difat + 1; i < data; i++)
		put_u32(fat + 4 * i, FAT);
	for (; i < NUMBERS; i++)
		put_u32(fat + 4 * i, i + 1);
	stream = memmem(image->data, image->len, "D\0a\0t\0a", 8);
	assert_non_null(stream);
	put_u32(stream + 0x78, SECTOR * (1 + all - data));
	for (i = 0; i < NUMBERS - 1; i++)
		buf_u32le(image,
		    i + CFB_HEADER_DIFAT < fats
		        ? (uint32_t)(difat + CFB_HEADER_DIFAT + i)
		        : FREE);
	buf_u32le(image, END);
	for (i = NUMBERS; i < fats * NUMBERS; i++)
		buf_u32le(image,
		    i + 1 < all        ? (uint32_t)i + 1
		        : i + 1 == all ? END
		                       : FREE);
}

/* The token does not sign what would be too large with that. */
static void
test_nearly_2_gib(void **state)
{
	const uint64_t most =
	    (CFB_SIZE_MAX - FORMAT_SIGNATURE_ROOM) / SECTOR * SECTOR;
	struct format_options verified = { .algorithm = "sha256",
		.no_plan = true };
	struct buf image = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct output *plan;
	struct ht_error e;
	struct input *in;
	FILE *large;

	(void)state;
	/* So much takes valgrind minutes. */
	if (mutate_few())
		skip();
	build_large(most, &image);
	in = signable_hole(&image, most, &large);
	file = signable_open(in, NULL, &sha256);
	buf_zeros(&p7, FORMAT_SIGNATURE_ROOM + SECTOR);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "with its signature the file would be larger than 2 GiB");
	format_file_free(file);
	input_free(in);
	(void)fclose(large);

	buf_reset(&image);
	build_large(most + SECTOR, &image);
	in = signable_hole(&image, most + SECTOR, &large);
	assert_int_equal(signable_digest(in, NULL, &sha256, &file, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "with a signature the file would be larger than 2 GiB");
	file = signable_open(in, NULL, &verified);
	format_file_free(file);
	input_free(in);
	(void)fclose(large);
	buf_free(&image);
	buf_free(&p7);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign_and_sign_again),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_as_signed),
		cmocka_unit_test(test_digest_for),
		cmocka_unit_test(test_not_a_package),
		cmocka_unit_test(test_end_of_a_zip_file),
		cmocka_unit_test(test_other_things_of_that_name),
		cmocka_unit_test(test_stale_metadata),
		cmocka_unit_test(test_long_signature),
		cmocka_unit_test(test_nearly_2_gib),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}

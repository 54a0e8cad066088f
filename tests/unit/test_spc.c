#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signature/der.h"
#include "signature/init.h"
#include "signature/spc-pages.h"
#include "signature/spc.h"
#include "signature/utf16.h"

/*
 * SpcIndirectDataContent of a PE with SHA-256, written out: what osslsigncode
 * 2.9 makes, but for the digest's last 32 bytes.
 */
static const uint8_t pe_sha256[] = {
	0x30, 0x69,                                 /* SpcIndirectData */
	0x30, 0x34,                                 /* data */
	0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01,   /* SpcPeImageData */
	0x82, 0x37, 0x02, 0x01, 0x0f,               /* 311.2.1.15 */
	0x30, 0x26, 0x03, 0x02, 0x07, 0x80,         /* flags */
	0xa0, 0x20, 0xa2, 0x1e, 0x80, 0x1c,         /* file, unicode */
	0x00, '<', 0x00, '<', 0x00, '<', 0x00, 'O', /* <<<Obsolete>>> */
	0x00, 'b', 0x00, 's', 0x00, 'o', 0x00, 'l', /* in UTF-16BE */
	0x00, 'e', 0x00, 't', 0x00, 'e', 0x00, '>', /* */
	0x00, '>', 0x00, '>',                       /* */
	0x30, 0x31,                                 /* messageDigest */
	0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,   /* SHA-256 */
	0x01, 0x65, 0x03, 0x04, 0x02, 0x01,         /* */
	0x05, 0x00,                                 /* NULL */
	0x04, 0x20,                                 /* digest */
	0, 1, 2, 3, 4, 5, 6, 7,                     /* */
	8, 9, 10, 11, 12, 13, 14, 15,               /* */
	16, 17, 18, 19, 20, 21, 22, 23,             /* */
	24, 25, 26, 27, 28, 29, 30, 31,             /* */
};
#define DIGEST_AT (sizeof(pe_sha256) - 32)

static struct spc_digest
numbers(const char *algorithm)
{
	struct spc_digest digest;
	size_t i;

	digest.algorithm = spc_algorithm(algorithm, &digest.length);
	for (i = 0; i < digest.length; i++)
		digest.value[i] = (uint8_t)i;
	return digest;
}

static void
test_algorithms(void **state)
{
	size_t length;

	(void)state;
	assert_string_equal(spc_algorithm("SHA256", &length), "sha256");
	assert_int_equal(length, 32);
	assert_string_equal(spc_algorithm("sha384", &length), "sha384");
	assert_int_equal(length, 48);
	assert_string_equal(spc_algorithm("sha512", NULL), "sha512");
	assert_null(spc_algorithm("sha1", NULL));
	assert_null(spc_algorithm("", NULL));
}

static void
test_encode_is_byte_exact(void **state)
{
	struct spc_digest digest = numbers("sha256");
	struct buf der = BUF_INIT;
	struct ht_error e;

	(void)state;
	assert_int_equal(spc_encode("pe", &digest, &der, &e), 0);
	assert_int_equal(der.len, sizeof(pe_sha256));
	assert_memory_equal(der.data, pe_sha256, sizeof(pe_sha256));
	assert_int_equal(spc_encode("elf", &digest, &der, &e), HT_ERR_INTERNAL);
	digest.length = 31;
	assert_int_equal(spc_encode("pe", &digest, &der, &e), HT_ERR_INTERNAL);
	buf_free(&der);
}

static void
test_parse_round_trip(void **state)
{
	static const char *const names[] = { "sha256", "sha384", "sha512" };
	struct spc_digest digest;
	struct spc_digest found;
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct buf der = BUF_INIT;

		digest = numbers(names[i]);
		assert_int_equal(spc_encode("pe", &digest, &der, &e), 0);
		assert_int_equal(spc_parse("pe", der.data, der.len, &found, &e),
		    0);
		assert_string_equal(found.algorithm, names[i]);
		assert_int_equal(found.length, digest.length);
		assert_memory_equal(found.value, digest.value, digest.length);
		assert_int_equal(
		    spc_parse("msi", der.data, der.len, &found, &e),
		    HT_ERR_DATA);
		assert_int_equal(found.length, 0);
		buf_free(&der);
	}
}

static void
test_parse_refuses_every_truncation(void **state)
{
	struct spc_digest found;
	struct ht_error e;
	uint8_t longer[sizeof(pe_sha256) + 1];
	uint8_t *cut;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(pe_sha256); n++) {
		cut = malloc(n + 1);
		assert_non_null(cut);
		memcpy(cut, pe_sha256, n);
		assert_int_equal(spc_parse("pe", cut, n, &found, &e),
		    HT_ERR_DATA);
		free(cut);
	}
	memcpy(longer, pe_sha256, sizeof(pe_sha256));
	longer[sizeof(pe_sha256)] = 0;
	assert_int_equal(spc_parse("pe", longer, sizeof(longer), &found, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "left over"));
	assert_int_equal(e.offset, sizeof(pe_sha256));
}

/* Only the bits of the digest itself may differ. */
static void
test_parse_refuses_every_bit_flip(void **state)
{
	struct spc_digest found;
	struct ht_error e;
	uint8_t flipped[sizeof(pe_sha256)];
	size_t bit;

	(void)state;
	for (bit = 0; bit < 8 * sizeof(pe_sha256); bit++) {
		memcpy(flipped, pe_sha256, sizeof(flipped));
		flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    spc_parse("pe", flipped, sizeof(flipped), &found, &e),
		    bit / 8 < DIGEST_AT ? HT_ERR_DATA : 0);
	}
}

/* Between SpcIndirectData's header and messageDigest, for each format. */
#define GUID_POWERSHELL                                                        \
	"\x1f\xcc\x3b\x60\x59\x4b\x08\x4e\xb7\x24\xd2\xc6\x29\x7e\xf3\x51"
#define SIP_HEAD "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x1e"
#define SIP_TAIL "\2\1\0\2\1\0\2\1\0\2\1\0\2\1\0"
#define POWERSHELL                                                             \
	"\x30\x34" SIP_HEAD                                                    \
	"\x30\x26\x02\x03\x01\x00\x00\x04\x10" GUID_POWERSHELL SIP_TAIL
#define WSH(guid)                                                              \
	"\x30\x32" SIP_HEAD "\x30\x24\x02\x01\x01\x04\x10" guid SIP_TAIL

static const struct {
	const char *format;
	const char *data;
	size_t length;
} known[] = {
	{ "cab",
	    "\x30\x2c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x19\xa2\x1e"
	    "\x80\x1c\0<\0<\0<\0O\0b\0s\0o\0l\0e\0t\0e\0>\0>\0>",
	    46 },
	{ "ps1", POWERSHELL, 54 },
	{ "ps1xml", POWERSHELL, 54 },
	{ "mof", POWERSHELL, 54 },
	{ "js",
	    WSH("\x10\xe0\xc9\x06\xce\x38\xd4\x11"
	        "\xa2\xa3\x00\x10\x4b\xd3\x50\x90"),
	    52 },
	{ "vbs",
	    WSH("\x4e\xf0\x29\x16\x99\x27\xb5\x4d"
	        "\x8f\xe5\xac\xe1\x0f\x17\xeb\xab"),
	    52 },
	{ "wsf",
	    WSH("\x70\x05\x61\x1a\xce\x38\xd4\x11"
	        "\xa2\xa3\x00\x10\x4b\xd3\x50\x90"),
	    52 },
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static void
test_data_of_each_format(void **state)
{
	struct spc_digest digest = numbers("sha256");
	size_t i;

	(void)state;
	for (i = 0; i < KNOWN; i++) {
		struct buf der = BUF_INIT;
		struct spc_digest found;
		struct ht_error e;

		assert_int_equal(spc_encode(known[i].format, &digest, &der, &e),
		    0);
		assert_int_equal(der.len, 2 + known[i].length + 51);
		assert_memory_equal(der.data + 2, known[i].data,
		    known[i].length);
		assert_int_equal(
		    spc_parse(known[i].format, der.data, der.len, &found, &e),
		    0);
		assert_memory_equal(found.value, digest.value, 32);
		buf_free(&der);
	}
}

/* One GUID, one format: a signature of a script is none of another kind. */
static void
test_formats_are_told_apart(void **state)
{
	struct spc_digest digest = numbers("sha256");
	struct buf der = BUF_INIT;
	struct spc_digest found;
	struct ht_error e;
	size_t i;

	(void)state;
	assert_int_equal(spc_encode("vbs", &digest, &der, &e), 0);
	for (i = 0; i < KNOWN; i++) {
		if (strcmp(known[i].format, "vbs") == 0)
			continue;
		assert_int_equal(
		    spc_parse(known[i].format, der.data, der.len, &found, &e),
		    HT_ERR_DATA);
		assert_int_equal(
		    spc_read(known[i].format, der.data, der.len, &found, &e),
		    HT_ERR_DATA);
	}
	assert_string_equal(e.text, "SpcSipInfo: not the GUID of format wsf");
	/* Another version is somebody's, but not ours. */
	der.data[20] = 2;
	assert_int_equal(spc_read("vbs", der.data, der.len, &found, &e), 0);
	assert_int_equal(spc_parse("vbs", der.data, der.len, &found, &e),
	    HT_ERR_DATA);
	buf_free(&der);
}

static void
bad(const uint8_t *der, size_t n, const char *why)
{
	struct spc_digest found;
	struct ht_error e;

	assert_int_equal(spc_parse("pe", der, n, &found, &e), HT_ERR_DATA);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void
test_parse_says_what_is_wrong(void **state)
{
	uint8_t der[SPC_MAX + 1] = { 0 };
	struct spc_digest found;
	struct ht_error e;

	(void)state;
	memcpy(der, pe_sha256, sizeof(pe_sha256));
	der[15] = 0x1e; /* SpcSipInfo */
	bad(der, sizeof(pe_sha256), "SPC type");
	der[15] = 0x0f;
	der[21] = 0x00; /* flags */
	bad(der, sizeof(pe_sha256), "not as format pe has it");
	/* Other signers' data are read all the same. */
	assert_int_equal(spc_read("pe", der, sizeof(pe_sha256), &found, &e), 0);
	assert_int_equal(found.length, 32);
	der[21] = 0x80;
	der[DIGEST_AT - 5] = 0x02; /* SHA-384 over 32 bytes */
	bad(der, sizeof(pe_sha256), "32 bytes is not a sha384");
	der[DIGEST_AT - 5] = 0x04; /* SHA-224 */
	bad(der, sizeof(pe_sha256), "digest: sha224, not accepted");
	bad(der, sizeof(der), "over 16384 bytes");
	bad(NULL, 0, "its structure is damaged");
}

/*
 * pesign's type for a PE.  It stands for no other format, and for no other
 * data; and nobody signs it here.
 */
static void
test_pesign(void **state)
{
	uint8_t der[sizeof(pe_sha256)];
	struct spc_digest found;
	struct ht_error e;

	(void)state;
	memcpy(der, pe_sha256, sizeof(der));
	der[15] = 0x15;
	assert_int_equal(spc_read("pe", der, sizeof(der), &found, &e), 0);
	assert_int_equal(found.length, 32);
	bad(der, sizeof(der), "not as format pe has it");
	assert_int_equal(spc_read("cab", der, sizeof(der), &found, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "2.1.21 is not that of format cab"));
	der[18] = DER_OCTETS; /* in place of the flags */
	assert_int_equal(spc_read("pe", der, sizeof(der), &found, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "2.1.21 is not that of format pe"));
}

static void
utf16(const char *text, size_t n, const char *expected, size_t size)
{
	struct buf out = BUF_INIT;
	struct buf back = BUF_INIT;
	struct ht_error e;

	assert_int_equal(utf16_from_utf8(text, n, &out, &e), 0);
	assert_int_equal(out.len, size);
	assert_memory_equal(out.data, expected, size);
	utf16_to_utf8(out.data, out.len, &back);
	assert_int_equal(back.len, n);
	assert_memory_equal(back.data, text, n);
	buf_free(&out);
	buf_free(&back);
}

static void
test_utf16(void **state)
{
	static const char lone[] = "\xd8\x00\x00\x41\xdc\x00\x42";
	struct buf out = BUF_INIT;
	struct ht_error e;

	(void)state;
	utf16("A", 1, "\0A", 2);
	utf16("\xc3\xbc", 2, "\0\xfc", 2);
	utf16("\xe2\x82\xac", 3, "\x20\xac", 2);
	utf16("\xf0\x9f\x98\x80", 4, "\xd8\x3d\xde\x00", 4);
	utf16("\xf4\x8f\xbf\xbf", 4, "\xdb\xff\xdf\xff", 4);
	assert_int_equal(utf16_from_utf8("ab\xc0\x80", 4, &out, &e),
	    HT_ERR_DATA);
	assert_int_equal(e.offset, 2);
	assert_int_equal(utf16_from_utf8("\xed\xa0\x80", 3, &out, &e),
	    HT_ERR_DATA);
	buf_reset(&out);
	utf16_to_utf8((const uint8_t *)lone, 7, &out);
	assert_int_equal(out.len, 10);
	assert_memory_equal(out.data,
	    "\xef\xbf\xbd"
	    "A"
	    "\xef\xbf\xbd"
	    "\xef\xbf\xbd",
	    10);
	buf_free(&out);
}

/* --- page hashes --------------------------------------------------------- */

/*
 * SpcIndirectDataContent with page hashes, written out: what osslsigncode 2.9
 * makes, but for the digests and that the list would be longer.
 */
static const uint8_t pages_sha256[] = {
	0x30, 0x81, 0xbc,                         /* SpcIndirectData */
	0x30, 0x81, 0x86,                         /* data */
	0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, /* SpcPeImageData */
	0x82, 0x37, 0x02, 0x01, 0x0f,             /* 311.2.1.15 */
	0x30, 0x78, 0x03, 0x02, 0x07, 0x80,       /* flags */
	0xa0, 0x72, 0xa1, 0x70,                   /* file, moniker */
	0x04, 0x10, 0xa6, 0xb5, 0x86, 0xd5, 0xb4, 0xa1, 0x24, 0x66, /* class */
	0xae, 0x05, 0xa2, 0x17, 0xda, 0x8e, 0x60, 0xd6,             /* id */
	0x04, 0x5c, 0x31, 0x5a, 0x30, 0x58,       /* serializedData */
	0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, /* SpcPageHashes-v2 */
	0x82, 0x37, 0x02, 0x03, 0x02,             /* 311.2.3.2 */
	0x31, 0x4a, 0x04, 0x48,                   /* the list */
};

static void
put_list(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = i < 4 || i >= n - 32 ? 0 : (uint8_t)i;
}

static void
pages(size_t n, struct buf *der)
{
	struct spc_digest digest = numbers("sha256");
	struct ht_error e;
	uint8_t *list;

	assert_int_equal(spc_pages_start(n, der, &list, &e), 0);
	assert_int_equal(spc_pages_finish(&digest, der, &e), 0);
	put_list(list, n);
}

static void
test_pages_are_byte_exact(void **state)
{
	struct spc_digest digest = numbers("sha384");
	struct spc_digest found;
	struct buf der = BUF_INIT;
	struct ht_error e;
	uint8_t list[72];
	uint8_t *at;
	size_t n;

	(void)state;
	pages(sizeof(list), &der);
	put_list(list, sizeof(list));
	assert_int_equal(der.len, sizeof(pages_sha256) + 72 + 51);
	assert_memory_equal(der.data, pages_sha256, sizeof(pages_sha256));
	assert_memory_equal(der.data + sizeof(pages_sha256), list, 72);
	assert_memory_equal(der.data + der.len - 51, pe_sha256 + DIGEST_AT - 19,
	    51);
	assert_int_equal(spc_parse("pe", der.data, der.len, &found, &e), 0);
	assert_string_equal(found.algorithm, "sha256");
	assert_int_equal(found.length, 32);
	assert_int_equal(found.value[31], 31);
	assert_int_equal(spc_parse("cab", der.data, der.len, &found, &e),
	    HT_ERR_DATA);
	buf_free(&der);
	for (n = 0; n < 72; n++)
		assert_int_equal(spc_pages_start(n, &der, &at, &e),
		    HT_ERR_INTERNAL);
	assert_int_equal(spc_pages_start(72, &der, &at, &e), 0);
	assert_int_equal(spc_pages_finish(&digest, &der, &e), HT_ERR_INTERNAL);
	buf_free(&der);
}

/* The largest list is what SPC_PAGES_MAX says; one entry more is none. */
static void
test_most_pages(void **state)
{
	static const size_t most = (size_t)SPC_PAGES * SPC_PAGES_ENTRY;
	struct spc_digest found;
	struct buf der = BUF_INIT;
	struct ht_error e;
	uint8_t *at;

	(void)state;
	pages(most, &der);
	assert_int_equal(der.len, SPC_PAGES_MAX);
	assert_int_equal(spc_parse("pe", der.data, der.len, &found, &e), 0);
	buf_free(&der);
	assert_int_equal(spc_pages_start(most + SPC_PAGES_ENTRY, &der, &at, &e),
	    HT_ERR_INTERNAL);
	buf_free(&der);
}

static void
test_pages_refuse_every_truncation(void **state)
{
	struct spc_digest found;
	struct buf der = BUF_INIT;
	struct ht_error e;
	uint8_t *cut;
	size_t n;

	(void)state;
	pages(360, &der);
	for (n = 0; n < der.len; n++) {
		cut = malloc(n + 1);
		assert_non_null(cut);
		memcpy(cut, der.data, n);
		assert_int_equal(spc_parse("pe", cut, n, &found, &e),
		    HT_ERR_DATA);
		assert_int_equal(spc_read("pe", cut, n, &found, &e),
		    HT_ERR_DATA);
		free(cut);
	}
	buf_u8(&der, 0);
	assert_int_equal(spc_parse("pe", der.data, der.len, &found, &e),
	    HT_ERR_DATA);
	buf_free(&der);
}

/*
 * A bit flipped anywhere but in the digests and the offsets behind the first.
 */
static void
test_pages_refuse_every_bit_flip(void **state)
{
	struct spc_digest found;
	struct buf der = BUF_INIT;
	struct ht_error e;
	size_t list;
	size_t bit;
	size_t at;
	bool free_to_change;

	(void)state;
	pages(360, &der);
	list = der.len - 51 - 360;
	for (bit = 0; bit < 8 * der.len; bit++) {
		at = bit / 8;
		free_to_change = at >= der.len - 32 ||
		    (at >= list + 4 && at < list + 360 - 32);
		der.data[at] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(spc_parse("pe", der.data, der.len, &found, &e),
		    free_to_change ? 0 : HT_ERR_DATA);
		der.data[at] ^= (uint8_t)(1 << bit % 8);
	}
	buf_free(&der);
}

/* Page hashes that are SHA-1's, and flags that others set. */
static void
test_pages_of_others(void **state)
{
	struct spc_digest found;
	struct buf der = BUF_INIT;
	struct ht_error e;

	(void)state;
	pages(72, &der);
	der.data[22] = 0; /* flags */
	assert_int_equal(spc_parse("pe", der.data, der.len, &found, &e),
	    HT_ERR_DATA);
	assert_int_equal(spc_read("pe", der.data, der.len, &found, &e), 0);
	der.data[sizeof(pages_sha256) - 5] = 1; /* 311.2.3.1 */
	assert_int_equal(spc_read("pe", der.data, der.len, &found, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "not SHA-256's"));
	buf_free(&der);
}

static void
test_der_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535,
		65536, 1 << 24 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf header = BUF_INIT;

		der_put_header(&header, DER_OCTETS, lengths[i]);
		assert_int_equal(header.len + lengths[i], der_size(lengths[i]));
		buf_free(&header);
	}
}

static int
start(void **state)
{
	struct ht_error e;

	(void)state;
	return authenticode_init(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_pesign),
		cmocka_unit_test(test_encode_is_byte_exact),
		cmocka_unit_test(test_parse_round_trip),
		cmocka_unit_test(test_parse_refuses_every_truncation),
		cmocka_unit_test(test_parse_refuses_every_bit_flip),
		cmocka_unit_test(test_data_of_each_format),
		cmocka_unit_test(test_formats_are_told_apart),
		cmocka_unit_test(test_parse_says_what_is_wrong),
		cmocka_unit_test(test_utf16),
		cmocka_unit_test(test_pages_are_byte_exact),
		cmocka_unit_test(test_most_pages),
		cmocka_unit_test(test_pages_refuse_every_truncation),
		cmocka_unit_test(test_pages_refuse_every_bit_flip),
		cmocka_unit_test(test_pages_of_others),
		cmocka_unit_test(test_der_lengths),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

#include "config.h"

#include <openssl/objects.h>

#include <string.h>

#include "signature/der.h"
#include "signature/spc-asn1.h"
#include "signature/spc-pages.h"

/*
 * The elements around the list, from the outside in.  Each entry has a tag, and
 * the bytes in that element before the next one.
 */
static const uint8_t pe_image_data[] = { DER_OBJECT, 10, 0x2b, 0x06, 0x01, 0x04,
	0x01, 0x82, 0x37, 0x02, 0x01, 0x0f }; /* OID_SPC_PE_IMAGE_DATA */
static const uint8_t flags[] = { DER_BITS, 2, 7, 0x80 }; /* includeResources */
static const uint8_t class_id[] = { DER_OCTETS, 16, 0xa6, 0xb5, 0x86, 0xd5,
	0xb4, 0xa1, 0x24, 0x66, 0xae, 0x05, 0xa2, 0x17, 0xda, 0x8e, 0x60,
	0xd6 };
static const uint8_t page_hashes[] = { DER_OBJECT, 10, 0x2b, 0x06, 0x01, 0x04,
	0x01, 0x82, 0x37, 0x02, 0x03,
	0x02 }; /* 1.3.6.1.4.1.311.2.3.2, SpcPageHashes-v2 */

static const struct level {
	uint8_t tag;
	const uint8_t *before;
	size_t n;
} levels[] = {
	{ DER_SEQUENCE, NULL, 0 }, /* SpcIndirectDataContent */
	{ DER_SEQUENCE, pe_image_data, sizeof(pe_image_data) },
	{ DER_SEQUENCE, flags, sizeof(flags) },         /* SpcPeImageData */
	{ DER_CONTEXT(0), NULL, 0 },                    /* its file */
	{ DER_CONTEXT(1), class_id, sizeof(class_id) }, /* SpcLink.moniker */
	{ DER_OCTETS, NULL, 0 },                        /* serializedData */
	{ DER_SET, NULL, 0 },
	{ DER_SEQUENCE, page_hashes, sizeof(page_hashes) },
	{ DER_SET, NULL, 0 }, { DER_OCTETS, NULL, 0 }, /* the list */
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))
#define LEVEL_FLAGS 2
#define LEVEL_MONIKER 4

#define SHA256_LENGTH 32
#define ENTRY SPC_PAGES_ENTRY

/* DigestInfo with SHA-256 and NULL parameters. */
#define DIGEST_INFO_SIZE 51

static bool
is_length(size_t n)
{
	return n % ENTRY == 0 && n >= 2 * ENTRY && n <= SPC_PAGES * ENTRY;
}

/*
 * Append all that comes before a list of n bytes.
 */
static void
put_before(size_t n, struct buf *out)
{
	size_t contents[LEVELS];
	size_t i = LEVELS - 1;

	contents[i] = n;
	while (i-- > 0)
		contents[i] = levels[i].n + der_size(contents[i + 1]);
	contents[0] += DIGEST_INFO_SIZE;
	for (i = 0; i < LEVELS; i++) {
		der_put_header(out, levels[i].tag, contents[i]);
		buf_bytes(out, levels[i].before, levels[i].n);
	}
}

int
spc_pages_start(size_t n, struct buf *der, uint8_t **list, struct ht_error *e)
{
	*list = NULL;
	if (!is_length(n))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%zu bytes are no list of page hashes", n);
	buf_reserve(der, n + SPC_PAGES_AROUND);
	put_before(n, der);
	*list = buf_room(der, n);
	if (buf_failed(der) < 0)
		return ht_error_memory(e);
	return 0;
}

/* --- the digest of the file ---------------------------------------------- */

int
spc_pages_finish(const struct spc_digest *digest, struct buf *der,
    struct ht_error *e)
{
	SPC_DIGEST_INFO *info = SPC_DIGEST_INFO_new();
	unsigned char *out;
	int rc = HT_ERR_INTERNAL;

	if (info == NULL ||
	    strcmp(digest->algorithm, SPC_PAGES_ALGORITHM) != 0 ||
	    digest->length != SHA256_LENGTH ||
	    X509_ALGOR_set0(info->algorithm, OBJ_nid2obj(NID_sha256),
	        V_ASN1_NULL, NULL) != 1 ||
	    ASN1_OCTET_STRING_set(info->digest, digest->value, SHA256_LENGTH) !=
	        1 ||
	    i2d_SPC_DIGEST_INFO(info, NULL) != DIGEST_INFO_SIZE)
		goto out;
	out = buf_room(der, DIGEST_INFO_SIZE);
	if (out != NULL && i2d_SPC_DIGEST_INFO(info, &out) > 0)
		rc = 0;
out:
	if (rc < 0)
		(void)spc_crypto_error(e, rc, "cannot encode SpcIndirectData");
	SPC_DIGEST_INFO_free(info);
	return rc;
}

static int
read_digest(struct cursor der, struct spc_digest *digest, struct ht_error *e)
{
	const unsigned char *p = der.p;
	SPC_DIGEST_INFO *info = d2i_SPC_DIGEST_INFO(NULL, &p, (long)der.left);
	const char *name = NULL;
	int rc = 0;

	if (info != NULL && p == der.p + der.left)
		name = spc_algorithm_of(info->algorithm);
	if (name == NULL || strcmp(name, SPC_PAGES_ALGORITHM) != 0 ||
	    ASN1_STRING_length(info->digest) != SHA256_LENGTH) {
		rc = spc_crypto_error(e, HT_ERR_DATA,
		    "SpcIndirectData: page hashes without a SHA-256 of the "
		    "file");
	} else {
		digest->algorithm = name;
		digest->length = SHA256_LENGTH;
		memcpy(digest->value, ASN1_STRING_get0_data(info->digest),
		    SHA256_LENGTH);
	}
	SPC_DIGEST_INFO_free(info);
	return rc;
}

/* --- reading ------------------------------------------------------------- */

/*
 * Enter the element of this level, and move *c past the bytes before the next
 * one.  The flags may be any: other signers set others.  *after is what follows
 * the element.
 */
static int
enter(struct cursor *c, size_t level, struct cursor *after)
{
	const struct level *l = &levels[level];
	struct der element;
	struct cursor before;

	*after = *c;
	if (der_expect(after, l->tag, &element, NULL) < 0)
		return HT_ERR_DATA;
	*c = element.value;
	if (level == LEVEL_FLAGS)
		return der_expect(c, DER_BITS, &element, NULL);
	if (cursor_bytes(c, l->n, &before) < 0 ||
	    (l->n > 0 && memcmp(before.p, l->before, l->n) != 0))
		return HT_ERR_DATA;
	return 0;
}

bool
spc_pages_is(const void *der, size_t n)
{
	struct cursor c = cursor_over(der, n);
	struct cursor after;
	size_t i;

	for (i = 0; i < LEVEL_MONIKER; i++) {
		if (enter(&c, i, &after) < 0)
			return false;
	}
	return der_is_next(&c, levels[LEVEL_MONIKER].tag);
}

static int
check_list(struct cursor list, struct ht_error *e)
{
	static const uint8_t zeros[ENTRY];
	const uint8_t *last;

	if (!is_length(list.left))
		return ht_error_set(e, HT_ERR_DATA,
		    "page hashes: a list of %zu bytes", list.left);
	last = list.p + list.left - SHA256_LENGTH;
	if (memcmp(list.p, zeros, 4) != 0 ||
	    memcmp(last, zeros, SHA256_LENGTH) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "page hashes: the list does not begin with offset 0, or "
		    "not end with zeros");
	return 0;
}

int
spc_pages_read(const void *der, size_t n, struct spc_digest *digest,
    struct cursor *list, struct ht_error *e)
{
	struct cursor c = cursor_over(der, n);
	struct cursor info = cursor_over(NULL, 0);
	struct cursor after;
	size_t i;
	int rc;

	memset(digest, 0, sizeof(*digest));
	*list = cursor_over(NULL, 0);
	for (i = 0; i < LEVELS; i++) {
		/* DigestInfo follows the second, nothing follows the others. */
		if (enter(&c, i, &after) < 0 ||
		    (i != 1 && cursor_end(&after) < 0))
			return ht_error_at(e, HT_ERR_DATA,
			    (uint64_t)(c.p - (const uint8_t *)der),
			    "SpcIndirectData: page hashes that are not "
			    "SHA-256's");
		if (i == 1)
			info = after;
	}
	rc = check_list(c, e);
	if (rc == 0)
		rc = read_digest(info, digest, e);
	if (rc == 0)
		*list = c;
	return rc;
}

int
spc_pages_parse(const void *der, size_t n, struct spc_digest *digest,
    struct cursor *list, struct ht_error *e)
{
	struct spc_digest found;
	struct buf again = BUF_INIT;
	struct cursor c = cursor_over(der, n);
	struct cursor before;
	struct cursor hashes;
	int rc;

	memset(digest, 0, sizeof(*digest));
	*list = cursor_over(NULL, 0);
	rc = spc_pages_read(der, n, &found, &hashes, e);
	if (rc < 0)
		return rc;
	put_before(hashes.left, &again);
	(void)cursor_bytes(&c, (size_t)(hashes.p - c.p), &before);
	(void)cursor_skip(&c, hashes.left);
	if (buf_failed(&again) < 0)
		rc = HT_ERR_INTERNAL;
	else if (again.len != before.left ||
	    memcmp(again.data, before.p, before.left) != 0)
		rc = HT_ERR_DATA;
	buf_reset(&again);
	if (rc == 0)
		rc = spc_pages_finish(&found, &again, e);
	if (rc == 0 &&
	    (again.len != c.left || memcmp(again.data, c.p, c.left) != 0))
		rc = HT_ERR_DATA;
	buf_free(&again);
	if (rc < 0)
		return ht_error_set(e, rc,
		    "SpcIndirectData: not as format pe has it with page "
		    "hashes");
	*digest = found;
	*list = hashes;
	return 0;
}

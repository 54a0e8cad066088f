/*
 * APPX and MSIX packages, and their bundles: ZIP files with a signature as
 * their last entry.
 *
 * The digest is over the package without that entry, but with the content type
 * for it.  It has these parts: AXPC all local records; AXCD the central
 * directory and the end records; AXCT the content types; AXBM the block map;
 * AXCI the catalog for code integrity, if there is one.  The last three are
 * digested unpacked.  The signed digest is the digests of all parts, each after
 * its tag.  A package that does not match its block map gets no digest.
 */

#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "formats/appx/appx-block-map.h"
#include "formats/appx/appx-layout.h"
#include "formats/appx/appx-parts.h"
#include "formats/format.h"
#include "formats/forward.h"
#include "signature/spc-asn1.h"

#define BUNDLE "appxbundle"

/* The bytes of the block map that are kept, to read its HashMethod. */
#define HEAD_MAX ((size_t)64 << 10)

/*
 * The most that is unpacked to be digested.  A few deflated bytes could
 * otherwise keep us busy for hours.  A package of 100 GiB has a block map of
 * this size.
 */
#define PART_MAX ((uint64_t)128 << 20)

/* What the digest leaves for the plan. */
struct appx {
	struct appx_parts parts;
	struct appx_layout layout; /* without the signature, but with its
	                              type */
};

static int
appx_detect(struct input *in, const char *file_name, bool *is,
    struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	(void)file_name;
	*is = false;
	rc = input_read(in, 0, 4, &p, &got, e);
	if (rc == 0)
		*is = got == 4 && memcmp(p, "PK\3\4", 4) == 0;
	return rc;
}

/* --- digests ----------------------------------------------------------- */

static int
update(EVP_MD_CTX *md, const void *p, size_t n, struct ht_error *e)
{
	if (n > 0 && EVP_DigestUpdate(md, p, n) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	return 0;
}

static int
start(EVP_MD_CTX *md, const struct format_file *file, struct ht_error *e)
{
	if (EVP_DigestInit_ex(md, spc_md(file->digest.algorithm), NULL) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	return 0;
}

/* Append the tag and the digest to the others. */
static int
finish(EVP_MD_CTX *md, const char *tag, struct spc_digest *digest,
    struct ht_error *e)
{
	uint8_t value[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (EVP_DigestFinal_ex(md, value, &n) != 1 ||
	    digest->length + 4 + n > sizeof(digest->value))
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	memcpy(digest->value + digest->length, tag, 4);
	memcpy(digest->value + digest->length + 4, value, n);
	digest->length += 4 + n;
	return 0;
}

static int
digest_range(struct input *in, EVP_MD_CTX *md, uint64_t offset, uint64_t end,
    struct ht_error *e)
{
	int rc = forward_digest(in, md, &offset, end, e);

	if (rc == 0 && offset < end)
		rc = ht_error_at(e, HT_ERR_DATA, offset,
		    "the file ends before its records do");
	return rc;
}

static int
digest_records(struct format_file *file, EVP_MD_CTX *md, struct ht_error *e)
{
	const struct appx *appx = file->state;
	const struct zip_entry *types = &appx->parts.part[APPX_TYPES];
	const struct buf *record = &appx->layout.types;
	uint64_t end = appx->parts.records_end;
	int rc;

	if ((rc = start(md, file, e)) < 0)
		return rc;
	if (record->len == 0)
		rc = digest_range(file->in, md, 0, end, e);
	else if ((rc = digest_range(file->in, md, 0, types->offset, e)) == 0 &&
	    (rc = update(md, record->data, record->len, e)) == 0)
		rc = digest_range(file->in, md, types->end, end, e);
	return rc < 0 ? rc : finish(md, "AXPC", &file->digest, e);
}

static int
digest_record(void *cookie, struct cursor record, uint64_t at,
    struct ht_error *e)
{
	(void)at;
	return update(cookie, record.p, record.left, e);
}

static int
digest_directory(struct format_file *file, EVP_MD_CTX *md, struct ht_error *e)
{
	struct appx *appx = file->state;
	const struct appx_layout *layout = &appx->layout;
	struct buf end = BUF_INIT;
	int rc;

	if ((rc = start(md, file, e)) < 0 ||
	    (rc = appx_layout_each(layout, &appx->parts, digest_record, md,
	         e)) < 0 ||
	    (rc = zip_put_end(&appx->parts.zip, layout->entries, layout->offset,
	         layout->size, &end, e)) < 0)
		goto out;
	if (buf_failed(&end) < 0)
		rc = ht_error_memory(e);
	else if ((rc = update(md, end.data, end.len, e)) == 0)
		rc = finish(md, "AXCD", &file->digest, e);
out:
	buf_free(&end);
	return rc;
}

static int
take(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	return update(cookie, p, n, e);
}

/*
 * Windows takes the algorithm from the block map, so the signature must have it
 * as well.  One that is stronger than what was asked for is as good.
 */
static int
follow_method(struct format_file *file, struct ht_error *e)
{
	const struct appx *appx = file->state;
	struct zip_reader *reader;
	struct buf head = BUF_INIT;
	const char *method = NULL;
	size_t asked;
	size_t length;
	size_t got = 0;
	uint8_t *p;
	int rc;

	rc = zip_reader_new(&appx->parts.zip, &appx->parts.part[APPX_BLOCK_MAP],
	    &reader, e);
	if (rc < 0)
		return rc;
	p = buf_room(&head, HEAD_MAX);
	rc = p == NULL
	    ? ht_error_memory(e)
	    : zip_reader_read(reader, ZIP_TO_END, p, HEAD_MAX, &got, e);
	if (rc == 0)
		rc = appx_hash_method(p, got, &method, e);
	if (rc < 0)
		goto out;
	(void)spc_algorithm(method, &length);
	(void)spc_algorithm(file->digest.algorithm, &asked);
	if (length < asked)
		rc = ht_error_set(e, HT_ERR_REFUSED,
		    "the package's block map has %s digests: it can only be "
		    "signed with %s, not with %s",
		    method, method, file->digest.algorithm);
	file->digest.algorithm = method;
	file->options.algorithm = method;
out:
	zip_reader_free(reader);
	buf_free(&head);
	return rc;
}

static int
digest_part(struct format_file *file, EVP_MD_CTX *md, enum appx_part which,
    const char *tag, struct ht_error *e)
{
	const struct appx *appx = file->state;
	const struct zip_entry *part = &appx->parts.part[which];
	int rc;

	if (!appx->parts.has[which])
		return 0;
	if (part->size > PART_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, part->offset,
		    "APPX: %.*s has more than %llu bytes", ZIP_NAME(part->name),
		    (unsigned long long)PART_MAX);
	rc = start(md, file, e);
	if (rc == 0)
		rc = zip_extract(&appx->parts.zip, part, PART_MAX, take, md, e);
	return rc < 0 ? rc : finish(md, tag, &file->digest, e);
}

static int
digest_types(struct format_file *file, EVP_MD_CTX *md, struct ht_error *e)
{
	const struct appx *appx = file->state;
	const struct buf *record = &appx->layout.types;
	size_t skip = record->len - (size_t)appx->layout.new_types.size;
	int rc;

	if (record->len == 0)
		return digest_part(file, md, APPX_TYPES, "AXCT", e);
	if ((rc = start(md, file, e)) < 0 ||
	    (rc = update(md, record->data + skip, record->len - skip, e)) < 0)
		return rc;
	return finish(md, "AXCT", &file->digest, e);
}

static int
digest_all(struct format_file *file, struct ht_error *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int rc;

	if (md == NULL)
		return ht_error_memory(e);
	memcpy(file->digest.value, "APPX", 4);
	file->digest.length = 4;
	if ((rc = digest_records(file, md, e)) < 0 ||
	    (rc = digest_directory(file, md, e)) < 0 ||
	    (rc = digest_types(file, md, e)) < 0 ||
	    (rc = digest_part(file, md, APPX_BLOCK_MAP, "AXBM", e)) < 0)
		goto out;
	rc = digest_part(file, md, APPX_CODE_INTEGRITY, "AXCI", e);
out:
	EVP_MD_CTX_free(md);
	return rc;
}

/* --- the hooks ---------------------------------------------------------- */

static int
appx_digest(struct format_file *file, struct ht_error *e)
{
	struct appx *appx = calloc(1, sizeof(*appx));
	int rc;

	if (appx == NULL)
		return ht_error_memory(e);
	file->state = appx;
	if ((rc = appx_parts_open(&appx->parts, file->in, e)) < 0 ||
	    (rc = appx_publisher(&appx->parts, &file->publisher, e)) < 0 ||
	    (rc = appx_layout_make(&appx->parts, true, &appx->layout, e)) < 0 ||
	    (rc = follow_method(file, e)) < 0 ||
	    (rc = digest_all(file, e)) < 0 ||
	    (rc = appx_block_map_check(&appx->parts, &appx->layout,
	         file->digest.algorithm, e)) < 0)
		return rc;
	if (appx->parts.is_bundle)
		file->spc = BUNDLE;
	file->was_signed = appx->parts.has[APPX_P7X];
	file->size = appx->parts.zip.size;
	if (file->was_signed &&
	    (rc = appx_p7x_read(&appx->parts, &file->signature, e)) < 0)
		return rc;
	return spc_encode(file->spc, &file->digest, &file->content, e);
}

/*
 * Check that the signature's content type is in the file.  If not, the digest
 * was of a package that had it.
 */
static int
appx_check(const struct format_file *file, struct ht_error *e)
{
	const struct appx *appx = file->state;

	if (appx->layout.types.len > 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: [Content_Types].xml does not name %s",
		    APPX_SIGNATURE);
	return 0;
}

static void
appx_clear(struct format_file *file)
{
	struct appx *appx = file->state;

	if (appx == NULL)
		return;
	appx_parts_close(&appx->parts);
	appx_layout_clear(&appx->layout);
	free(appx);
	file->state = NULL;
}

/* --- the package with a signature, and without --------------------------- */

/*
 * Append records, signature, directory, the signature's entry there, and the
 * end.
 */
static int
append_signed(struct output *plan, struct appx *appx, const struct buf *p7x,
    const struct buf *tail, struct ht_error *e)
{
	const struct appx_layout *layout = &appx->layout;
	int rc;

	if ((rc = appx_layout_records(layout, &appx->parts, plan, e)) < 0 ||
	    (rc = output_literal(plan, p7x->data, p7x->len, e)) < 0 ||
	    (rc = appx_layout_directory(layout, &appx->parts, plan, e)) < 0)
		return rc;
	return output_literal(plan, tail->data, tail->len, e);
}

static int
plan_signed(struct appx *appx, const void *p7, size_t n, struct output *plan,
    struct ht_error *e)
{
	const struct appx_layout *layout = &appx->layout;
	struct zip_entry entry = appx->parts.part[APPX_TYPES];
	struct buf p7x = BUF_INIT;
	struct buf tail = BUF_INIT;
	int rc;

	entry.name = cursor_over(APPX_SIGNATURE, strlen(APPX_SIGNATURE));
	entry.flags = 0;
	entry.offset = layout->offset;
	entry.size = APPX_MAGIC_SIZE + n;
	entry.crc =
	    (uint32_t)crc32(0, (const uint8_t *)APPX_MAGIC, APPX_MAGIC_SIZE);
	entry.crc = (uint32_t)crc32(entry.crc, p7, (uInt)n);
	zip_put_local(&entry, &p7x);
	buf_bytes(&p7x, APPX_MAGIC, APPX_MAGIC_SIZE);
	buf_bytes(&p7x, p7, n);
	zip_put_central(&entry, &tail);
	rc = zip_put_end(&appx->parts.zip, layout->entries + 1,
	    layout->offset + p7x.len, layout->size + tail.len, &tail, e);
	if (rc == 0 && (buf_failed(&p7x) < 0 || buf_failed(&tail) < 0))
		rc = ht_error_memory(e);
	if (rc == 0)
		rc = append_signed(plan, appx, &p7x, &tail, e);
	buf_free(&p7x);
	buf_free(&tail);
	return rc;
}

/*
 * Plan records, directory, and the end.
 */
static int
plan_unsigned(struct appx *appx, struct output *plan, struct ht_error *e)
{
	struct appx_layout layout;
	struct buf tail = BUF_INIT;
	int rc;

	if ((rc = appx_layout_make(&appx->parts, false, &layout, e)) < 0 ||
	    (rc = zip_put_end(&appx->parts.zip, layout.entries, layout.offset,
	         layout.size, &tail, e)) < 0)
		goto out;
	if (buf_failed(&tail) < 0) {
		rc = ht_error_memory(e);
		goto out;
	}
	if ((rc = appx_layout_records(&layout, &appx->parts, plan, e)) < 0 ||
	    (rc = appx_layout_directory(&layout, &appx->parts, plan, e)) < 0)
		goto out;
	rc = output_literal(plan, tail.data, tail.len, e);
out:
	appx_layout_clear(&layout);
	buf_free(&tail);
	return rc;
}

static int
appx_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	if (p7 == NULL)
		return plan_unsigned(file->state, plan, e);
	if (n > PKCS7_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_MAX);
	return plan_signed(file->state, p7, n, plan, e);
}

static int
appx_signature(struct input *in, struct buf *p7, struct format_remains *remains,
    struct ht_error *e)
{
	struct appx_parts parts;
	int rc;

	(void)remains;
	rc = appx_parts_open(&parts, in, e);
	if (rc == 0 && parts.has[APPX_P7X])
		rc = appx_p7x_read(&parts, p7, e);
	appx_parts_close(&parts);
	return rc;
}

const struct format format_appx = {
	.name = "appx",
	.title = "APPX",
	.seeks = true,
	.detect = appx_detect,
	.digest = appx_digest,
	.check = appx_check,
	.plan = appx_plan,
	.signature = appx_signature,
	.clear = appx_clear,
};

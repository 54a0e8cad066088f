/*
 * Cabinets.
 *
 * Microsoft Cabinet File Format ("MS-CAB").  No specification says what a
 * signature covers.  The digest is over the file as it will be when signed: a
 * header with a place for the signature, then everything up to cbCabinet.  It
 * leaves out four things in the header: reserved1, the sizes of the reserved
 * areas, and the offset and length of the signature.
 *
 * The PKCS#7 has no wrapping and ends the file.  All of this reads forward.
 */

#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "formats/cab/cab-header.h"
#include "formats/format.h"
#include "formats/forward.h"
#include "formats/padding.h"
#include "formats/remains.h"
#include "signature/der.h"
#include "signature/spc-asn1.h"

static int
cab_detect(struct input *in, const char *file_name, bool *is,
    struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	(void)file_name;
	rc = input_read(in, 0, 4, &p, &got, e);
	*is = rc == 0 && got == 4 && memcmp(p, "MSCF", 4) == 0;
	return rc;
}

/*
 * The digest covers the length of the first structure in abReserve, but not
 * that of the second.
 */
static int
digest_front(const struct cab_header *h, EVP_MD_CTX *md)
{
	const uint8_t *p = h->front.data;

	return EVP_DigestUpdate(md, p, CAB_AFTER_MAGIC) == 1 &&
	        EVP_DigestUpdate(md, p + CAB_COUNTED,
	            CAB_RESERVE - CAB_COUNTED) == 1 &&
	        EVP_DigestUpdate(md, p + CAB_FIRST_LENGTH, 2) == 1 &&
	        EVP_DigestUpdate(md, p + CAB_FIRST, h->entry - CAB_FIRST) ==
	            1 &&
	        EVP_DigestUpdate(md, p + h->names, h->front.len - h->names) == 1
	    ? 0
	    : -1;
}

/*
 * Take the PKCS#7 at the start of padded, and append its DER to p7.
 */
static int
put_signature(const struct cab_header *h, const struct buf *padded,
    struct buf *p7, struct format_remains *remains, struct ht_error *e)
{
	struct cursor c = buf_cursor(padded);
	struct cursor der;
	struct der value;
	int rc;

	if (padding_strip(c, &der) < 0) {
		der = cursor_over(NULL, 0);
		if (der_expect(&c, DER_SEQUENCE, &value, NULL) == 0)
			der = value.whole;
		rc = remains_of_signature(remains, padded->len - der.left, e,
		    h->cabinet,
		    "the signature is not one PKCS#7 and its padding");
		if (rc < 0)
			return rc;
	}
	buf_bytes(p7, der.p, der.left);
	if (buf_failed(p7) < 0)
		return ht_error_memory(e);
	return 0;
}

/*
 * Read what follows the cabinet: nothing, or a signature up to the end.  offset
 * is where the cabinet has ended, unless the file ended before.
 */
static int
read_end(struct input *in, const struct cab_header *h, uint64_t offset,
    struct buf *p7, uint64_t *size, struct format_remains *remains,
    struct ht_error *e)
{
	uint64_t end = h->cabinet + h->signature_size;
	struct buf padded = BUF_INIT;
	int rc;

	rc = forward_keep(in, offset, end, REMAINS_BEHIND_MAX, PKCS7_MAX,
	    &padded, size, e);
	if (rc < 0)
		goto out;
	if (*size < h->cabinet)
		rc = ht_error_at(e, HT_ERR_DATA, *size,
		    "cbCabinet is %llu: the file ends before it (MS-CAB 2.1)",
		    (unsigned long long)h->cabinet);
	else if (*size > end && h->signature_size == 0)
		rc = ht_error_at(e, HT_ERR_DATA, h->cabinet,
		    "data behind the end of the cabinet, cbCabinet (MS-CAB "
		    "2.1)");
	else if (*size > end)
		rc = remains_behind(remains, *size - end, end, e);
	if (rc == 0 && *size < end)
		rc = remains_of_signature(remains, padded.len, e, h->cabinet,
		    "%zu of the %llu bytes of a signature that is cut off",
		    padded.len, (unsigned long long)h->signature_size);
	else if (rc == 0 && h->signature_size > 0)
		rc = put_signature(h, &padded, p7, remains, e);
out:
	buf_free(&padded);
	return rc;
}

static int
digest_file(struct format_file *file, EVP_MD_CTX *md, struct cab_header *h,
    struct ht_error *e)
{
	struct format_remains *remains =
	    file->options.remains ? &file->remains : NULL;
	uint64_t offset;
	int rc;

	rc = cab_header_read(file->in, h, e);
	if (rc < 0)
		return rc;
	if (digest_front(h, md) < 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	offset = h->length;
	if ((rc = forward_digest(file->in, md, &offset, h->cabinet, e)) < 0 ||
	    (rc = read_end(file->in, h, offset, &file->signature, &file->size,
	         remains, e)) < 0)
		return rc;
	file->was_signed = h->signature_size != 0;
	if (EVP_DigestFinal_ex(md, file->digest.value, NULL) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	return 0;
}

static int
cab_digest(struct format_file *file, struct ht_error *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct cab_header *h = calloc(1, sizeof(*h));
	int rc;

	file->state = h;
	if (md == NULL || h == NULL ||
	    EVP_DigestInit_ex(md, spc_md(file->digest.algorithm), NULL) != 1) {
		rc = spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
		goto out;
	}
	rc = digest_file(file, md, h, e);
	if (rc < 0)
		goto out;
	rc = spc_encode(file->format->name, &file->digest, &file->content, e);
out:
	EVP_MD_CTX_free(md);
	return rc;
}

static void
cab_clear(struct format_file *file)
{
	if (file->state != NULL)
		cab_header_clear(file->state);
	free(file->state);
	file->state = NULL;
}

static int
append_all(struct output *plan, const struct cab_header *h,
    const struct buf *entry, const struct buf *tail, struct ht_error *e)
{
	const struct buf *front = &h->front;
	size_t after = h->entry + entry->len;
	int rc;

	if ((rc = output_literal(plan, front->data, h->entry, e)) < 0 ||
	    (rc = output_literal(plan, entry->data, entry->len, e)) < 0 ||
	    (rc = output_literal(plan, front->data + after, front->len - after,
	         e)) < 0 ||
	    (rc = output_range(plan, h->length, h->cabinet - h->length, e)) < 0)
		return rc;
	return output_literal(plan, tail->data, tail->len, e);
}

static int
append_unsigned(struct output *plan, const struct cab_header *h,
    struct ht_error *e)
{
	const struct buf *front = &h->unsigned_front;
	int rc;

	rc = output_literal(plan, front->data, front->len, e);
	if (rc < 0)
		return rc;
	return output_range(plan, h->length, h->cabinet - h->length, e);
}

static int
cab_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	const struct cab_header *h = file->state;
	uint64_t cabinet = h->cabinet - h->length + h->front.len;
	struct buf entry = BUF_INIT;
	struct buf tail = BUF_INIT;
	int rc;

	if (p7 == NULL)
		return append_unsigned(plan, h, e);
	if (n > PKCS7_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_MAX);
	buf_bytes(&tail, p7, n);
	buf_zeros(&tail, padding_of(n));
	if (cabinet + tail.len > UINT32_MAX) {
		rc = ht_error_set(e, HT_ERR_REFUSED,
		    "with its signature the file would be larger than 4 GiB");
		goto out;
	}
	buf_u32le(&entry, (uint32_t)cabinet);
	buf_u32le(&entry, (uint32_t)tail.len);
	if (buf_failed(&tail) < 0 || buf_failed(&entry) < 0) {
		rc = ht_error_memory(e);
		goto out;
	}
	rc = append_all(plan, h, &entry, &tail, e);
out:
	buf_free(&entry);
	buf_free(&tail);
	return rc;
}

static int
cab_signature(struct input *in, struct buf *p7, struct format_remains *remains,
    struct ht_error *e)
{
	struct cab_header h;
	uint64_t size;
	int rc;

	rc = cab_header_read(in, &h, e);
	if (rc == 0)
		rc = read_end(in, &h, h.cabinet, p7, &size, remains, e);
	cab_header_clear(&h);
	return rc;
}

const struct format format_cab = {
	.name = "cab",
	.title = "CAB",
	.nests = true,
	.size_max = UINT32_MAX,
	.detect = cab_detect,
	.digest = cab_digest,
	.plan = cab_plan,
	.signature = cab_signature,
	.clear = cab_clear,
};

#include "config.h"

#include "formats/forward.h"
#include "signature/spc-asn1.h"

int
forward_next(struct input *in, uint64_t *offset, uint64_t end,
    const uint8_t **p, size_t *n, struct ht_error *e)
{
	size_t want = INPUT_CHUNK - (size_t)(*offset % INPUT_CHUNK);
	int rc;

	*n = 0;
	if (*offset >= end)
		return 0;
	if (want > end - *offset)
		want = (size_t)(end - *offset);
	rc = input_read(in, *offset, want, p, n, e);
	if (rc == 0)
		*offset += *n;
	return rc;
}

int
forward_digest(struct input *in, EVP_MD_CTX *md, uint64_t *offset, uint64_t end,
    struct ht_error *e)
{
	const uint8_t *p;
	size_t n;
	int rc;

	while ((rc = forward_next(in, offset, end, &p, &n, e)) == 0 && n > 0) {
		if (EVP_DigestUpdate(md, p, n) != 1)
			return spc_crypto_error(e, HT_ERR_INTERNAL,
			    "cannot digest");
	}
	return rc;
}

int
forward_all(struct input *in, size_t max, struct buf *out, bool *fits,
    struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	*fits = true;
	do {
		rc = input_read(in, out->len, INPUT_CHUNK, &p, &got, e);
		if (rc < 0)
			return rc;
		if (got > max - out->len) {
			*fits = false;
			return 0;
		}
		buf_bytes(out, p, got);
		if (buf_failed(out) < 0)
			return ht_error_memory(e);
	} while (got > 0);
	return 0;
}

int
forward_keep(struct input *in, uint64_t offset, uint64_t expected,
    uint64_t slack, size_t max, struct buf *kept, uint64_t *size,
    struct ht_error *e)
{
	const uint8_t *p;
	uint64_t left;
	size_t got;
	size_t n;
	int rc;

	/* It may be long, and growing would hold it twice. */
	if (expected - offset <= max)
		buf_reserve(kept, (size_t)(expected - offset));
	do {
		rc = input_read(in, offset, INPUT_CHUNK, &p, &got, e);
		if (rc < 0)
			return rc;
		left = offset < expected ? expected - offset : 0;
		n = left < got ? (size_t)left : got;
		if (n > max - kept->len)
			return ht_error_at(e, HT_ERR_DATA, offset,
			    "a signature of more than %zu bytes", max);
		buf_bytes(kept, p, n);
		offset += got;
	} while (got > 0 && offset <= expected + slack);
	*size = offset;
	if (buf_failed(kept) < 0)
		return ht_error_memory(e);
	return 0;
}

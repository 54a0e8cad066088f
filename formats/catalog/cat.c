/*
 * Catalogs: a PKCS#7 SignedData, signed or not, whose content is a certificate
 * trust list.  Signing makes a new SignedData over the same CTL, which stays
 * unchanged to the byte.
 */

#include "config.h"

#include <string.h>

#include "formats/format.h"
#include "formats/forward.h"
#include "signature/content.h"
#include "signature/ctl.h"

/* A SEQUENCE's tag, the longest length in use, the type. */
#define HEAD (2 + 4 + 11)

/* pkcs7-signedData (RFC 2315 14), as encoded in a ContentInfo. */
static const uint8_t signed_data[11] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
	0xf7, 0x0d, 0x01, 0x07, 0x02 };

static int
cat_detect(struct input *in, const char *file_name, bool *is,
    struct ht_error *e)
{
	struct cursor head;
	const uint8_t *p;
	size_t got;
	uint8_t tag = 0;
	uint8_t length = 0;
	int rc;

	(void)file_name;
	*is = false;
	rc = input_read(in, 0, HEAD, &p, &got, e);
	if (rc < 0)
		return rc;
	head = cursor_over(p, got);
	if (cursor_u8(&head, &tag) < 0 || cursor_u8(&head, &length) < 0 ||
	    tag != 0x30)
		return 0;
	if ((length & 0x80) != 0 && cursor_skip(&head, length & 0x7f) < 0)
		return 0;
	*is = head.left >= sizeof(signed_data) &&
	    memcmp(head.p, signed_data, sizeof(signed_data)) == 0;
	return 0;
}

/*
 * Read the whole file, which is never large.
 */
static int
read_all(struct input *in, struct buf *out, struct ht_error *e)
{
	bool fits;
	int rc;

	rc = forward_all(in, PKCS7_MAX, out, &fits, e);
	if (rc == 0 && !fits)
		rc = ht_error_at(e, HT_ERR_DATA, PKCS7_MAX,
		    "PKCS#7: over %zu bytes", PKCS7_MAX);
	return rc;
}

static int
cat_digest(struct format_file *file, struct ht_error *e)
{
	struct buf der = BUF_INIT;
	int rc;

	rc = read_all(file->in, &der, e);
	if (rc == 0)
		rc = pkcs7_open_ctl(der.data, der.len, &file->content,
		    &file->was_signed, e);
	if (rc == 0)
		rc = content_parse(CONTENT_CAT, file->content.data,
		    file->content.len, file->digest.algorithm, &file->digest,
		    e);
	file->size = der.len;
	if (rc == 0 && file->was_signed) {
		file->signature = der;
		return 0;
	}
	buf_free(&der);
	return rc;
}

static int
cat_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	struct buf bare = BUF_INIT;
	int rc;

	if (p7 != NULL)
		return output_literal(plan, p7, n, e);
	rc = ctl_wrap(file->content.data, file->content.len, &bare, e);
	if (rc == 0)
		rc = output_literal(plan, bare.data, bare.len, e);
	buf_free(&bare);
	return rc;
}

static int
cat_signature(struct input *in, struct buf *p7, struct format_remains *remains,
    struct ht_error *e)
{
	struct buf content = BUF_INIT;
	bool is_signed = false;
	int rc;

	(void)remains;
	rc = read_all(in, p7, e);
	if (rc == 0)
		rc = pkcs7_open_ctl(p7->data, p7->len, &content, &is_signed, e);
	if (!is_signed)
		buf_free(p7);
	buf_free(&content);
	return rc;
}

static void
cat_clear(struct format_file *file)
{
	(void)file;
}

const struct format format_cat = {
	.name = CONTENT_CAT,
	.title = "catalog",
	.detect = cat_detect,
	.digest = cat_digest,
	.plan = cat_plan,
	.signature = cat_signature,
	.clear = cat_clear,
};

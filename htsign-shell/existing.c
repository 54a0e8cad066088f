#include "config.h"

#include <stdio.h>
#include <string.h>

#include "htsign-shell/existing.h"
#include "htsign-shell/postflight.h"
#include "signature/der.h"
#include "signature/pkcs7-info.h"
#include "signature/pkcs7-nest.h"

/* --- the old signatures -------------------------------------------------- */

/*
 * The number of PKCS#7s in file->signature, of which only the outer tags are
 * read.  0 if it holds anything else.
 */
static unsigned int
count_signatures(const struct format_file *file)
{
	struct cursor c = buf_cursor(&file->signature);
	struct der value;
	unsigned int n = 0;

	while (c.left > 0) {
		if (der_expect(&c, DER_SEQUENCE, &value, NULL) < 0)
			return 0;
		n++;
	}
	return n;
}

static int
several(unsigned int n, struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_DATA,
	    "the file has %u signatures side by side, which cannot all be "
	    "replaced (PE, Attribute Certificate Table)",
	    n);
}

/* There must be exactly one signature.  It is not verified. */
static int
check_single(const struct format_file *file, struct ht_error *e)
{
	unsigned int n = count_signatures(file);

	if (n == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the file's signature is not a PKCS#7");
	return n > 1 ? several(n, e) : 0;
}

/* --- the values of `existing` --------------------------------------------- */

static int
refuse(const struct protocol_go *go, const struct format_file *file,
    struct ht_error *e)
{
	unsigned int n = count_signatures(file);

	if (n > 1)
		return several(n, e);
	return ht_error_set(e, HT_ERR_REFUSED,
	    "the file is signed already, and profile %s does not take signed "
	    "files",
	    go->profile);
}

static int
replace(const struct protocol_go *go, const struct format_file *file,
    struct ht_error *e)
{
	(void)go;
	(void)file;
	(void)e;
	return 0;
}

static bool
is_ours(const struct protocol_go *go, const uint8_t *fingerprint)
{
	struct cursor own = go->own;
	struct cursor one;

	while (cursor_bytes(&own, PROTOCOL_FINGERPRINT, &one) == 0) {
		if (memcmp(one.p, fingerprint, one.left) == 0)
			return true;
	}
	return false;
}

static int check_signer(const struct protocol_go *go, struct cursor der,
    bool is_nested, struct ht_error *e);

/* Nested signatures are replaced too, so they must be ours as well. */
static int
check_nested(const struct protocol_go *go, const struct pkcs7 *p7,
    bool is_nested, struct ht_error *e)
{
	const struct pkcs7_unsigned *attribute;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < pkcs7_unsigned_count(p7); i++) {
		attribute = pkcs7_unsigned(p7, i);
		if (attribute->kind != PKCS7_NESTED)
			continue;
		if (is_nested)
			return ht_error_set(e, HT_ERR_REFUSED,
			    "the file is signed already, with signatures "
			    "nested in nested ones");
		rc = check_signer(go, attribute->value, true, e);
	}
	return rc;
}

/*
 * Verify the signature first: the certificate alone proves nothing, since it
 * can be copied from any file that it signed.
 */
static int
check_signer(const struct protocol_go *go, struct cursor der, bool is_nested,
    struct ht_error *e)
{
	struct pkcs7_certificate signer;
	struct pkcs7 *p7;
	struct ht_error why;
	int rc;

	memset(&signer, 0, sizeof(signer));
	rc = pkcs7_parse(der.p, der.left, &p7, &why);
	if (rc == 0)
		rc = pkcs7_verify(p7, &why);
	if (rc == HT_ERR_DATA) {
		rc = ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, and a signature in it does "
		    "not verify: %s",
		    why.text);
		goto out;
	}
	if (rc < 0 || (rc = pkcs7_certificate(p7, 0, &signer, &why)) < 0) {
		*e = why;
		goto out;
	}
	if (!is_ours(go, signer.sha256))
		rc = ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, by somebody else: %s",
		    pkcs7_subject(p7));
	else
		rc = check_nested(go, p7, is_nested, e);
out:
	pkcs7_certificate_clear(&signer);
	pkcs7_free(p7);
	return rc;
}

static int
check_own(const struct protocol_go *go, const struct format_file *file,
    struct ht_error *e)
{
	struct cursor c = buf_cursor(&file->signature);
	unsigned int n = count_signatures(file);
	struct der value;
	int rc = 0;

	if (n == 0)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, but not with a PKCS#7");
	while (rc == 0 && der_next(&c, &value, NULL) == 0)
		rc = check_signer(go, value.whole, false, e);
	return rc == HT_ERR_REFUSED && n > 1 ? several(n, e) : rc;
}

/*
 * The old signature must be good, and must stay good in the signed file: some
 * formats store another digest beside it, in the algorithm of the new one.
 * There must also be room for a nested signature, before the token signs in
 * vain.
 */
static int
check_outer(const struct format_file *file, struct ht_error *e)
{
	const struct buf *outer = &file->signature;
	struct format_verified found;
	struct output *plan = NULL;
	struct input *in = NULL;
	int rc;

	rc = format_verify(file->format, file->in, NULL, 0, &found, e);
	if (rc == 0 && found.nested_count == PKCS7_NESTED_MAX)
		rc = ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, and can hold no more than %d "
		    "nested signatures",
		    PKCS7_NESTED_MAX);
	if (rc < 0 ||
	    strcmp(found.digest.algorithm, file->digest.algorithm) == 0)
		goto out;
	rc = format_plan(file, outer->data, outer->len, &plan, e);
	if (rc < 0)
		goto out;
	format_verified_clear(&found);
	in = output_as_input(plan, e);
	rc = in == NULL ? HT_ERR_INTERNAL
	                : format_verify(file->format, in, NULL, 0, &found, e);
out:
	format_verified_clear(&found);
	input_free(in);
	output_free(plan);
	return rc;
}

static int
check_nest(const struct protocol_go *go, const struct format_file *file,
    struct ht_error *e)
{
	struct ht_error why;
	int rc;

	(void)go;
	if (!file->format->nests)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, and Windows knows no nested "
		    "signatures in %s files",
		    file->format->title);
	rc = check_single(file, e);
	if (rc < 0)
		return rc;
	rc = check_outer(file, &why);
	if (rc == HT_ERR_DATA)
		return ht_error_set(e, rc,
		    "the old signature does not verify, so no %s one can be "
		    "nested in it: %s",
		    file->digest.algorithm, why.text);
	if (rc < 0)
		*e = why;
	return rc;
}

static int
check_keep(const struct protocol_go *go, const struct format_file *file,
    struct ht_error *e)
{
	(void)go;
	return check_single(file, e);
}

static const struct {
	const char *word;
	enum existing_action action;
	int (*check)(const struct protocol_go *go,
	    const struct format_file *file, struct ht_error *e);
} words[] = {
	{ "refuse", EXISTING_SIGN, refuse },
	{ "own", EXISTING_SIGN, check_own },
	{ "replace", EXISTING_SIGN, replace },
	{ "nest", EXISTING_NEST, check_nest },
	{ "keep", EXISTING_KEEP, check_keep },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

bool
existing_nests(const struct protocol_go *go)
{
	return strcmp(go->existing, "nest") == 0;
}

int
existing_decide(const struct protocol_go *go, const struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	size_t i;

	*action = EXISTING_SIGN;
	if (!file->was_signed)
		return 0;
	for (i = 0; i < WORDS; i++) {
		if (strcmp(words[i].word, go->existing) == 0) {
			*action = words[i].action;
			return words[i].check(go, file, e);
		}
	}
	return ht_error_set(e, HT_ERR_INTERNAL,
	    "htsign-keyd has a word for existing signatures that is unknown");
}

/* --- nesting -------------------------------------------------------------- */

/*
 * Check the merged signature.  *over becomes its content.
 */
static int
check_merged(const struct buf *outer, const struct buf *inner,
    const struct buf *merged, struct cursor *over, struct ht_error *e)
{
	struct pkcs7 *p7;
	struct cursor found;
	int rc;

	if (!postflight_is_nested(buf_cursor(outer), buf_cursor(inner),
	        buf_cursor(merged)))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the result does not verify: more has changed than one "
		    "nested signature");
	rc = pkcs7_parse(outer->data, outer->len, &p7, e);
	if (rc < 0)
		return rc;
	found = postflight_find(merged, pkcs7_content(p7));
	if (found.p == pkcs7_content(p7).p)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "the result does not verify: the content has changed");
	else
		*over = found;
	pkcs7_free(p7);
	return rc;
}

int
existing_nest(struct format_file *file, struct buf *pkcs7, struct cursor *over,
    struct ht_error *e)
{
	const struct buf *outer = &file->signature;
	struct buf merged = BUF_INIT;
	uint8_t ignored[TAP_SHA256];
	int rc;

	if ((rc = postflight_pkcs7(pkcs7, *over, ignored, e)) < 0 ||
	    (rc = pkcs7_nest(outer->data, outer->len, pkcs7->data, pkcs7->len,
	         &merged, e)) < 0 ||
	    (rc = check_merged(outer, pkcs7, &merged, over, e)) < 0)
		goto out;
	buf_free(&file->signature);
	buf_free(pkcs7);
	*pkcs7 = merged;
	merged = (struct buf)BUF_INIT;
out:
	buf_free(&merged);
	return rc;
}

/* --- keeping -------------------------------------------------------------- */

int
existing_keep(const struct format_file *file, uint8_t reply,
    const uint8_t input_sha256[TAP_SHA256], struct output **out,
    struct protocol_kept *kept, uint8_t output_sha256[TAP_SHA256],
    struct ht_error *e)
{
	const struct buf *signature = &file->signature;
	int rc;

	*out = output_new(file->in, e);
	if (*out == NULL)
		return HT_ERR_INTERNAL;
	if (reply == PROTOCOL_REPLY_PKCS7) {
		rc = output_borrowed(*out, signature->data, signature->len, e);
		if (rc == 0)
			rc = tap_once(signature->data, signature->len,
			    output_sha256, e);
	} else {
		rc = output_range(*out, 0, file->size, e);
		memcpy(output_sha256, input_sha256, TAP_SHA256);
	}
	memset(kept, 0, sizeof(*kept));
	(void)snprintf(kept->format, sizeof(kept->format), "%s", file->spc);
	kept->size = file->size;
	kept->sha256 = cursor_over(input_sha256, TAP_SHA256);
	kept->output_size = output_size(*out);
	kept->output_sha256 = cursor_over(output_sha256, TAP_SHA256);
	return rc;
}

void
existing_signer(const struct format_file *file, char *out, size_t size)
{
	struct ht_error ignored;
	struct pkcs7 *p7;

	if (pkcs7_parse(file->signature.data, file->signature.len, &p7,
	        &ignored) < 0)
		(void)snprintf(out, size, "an unknown signer");
	else
		(void)snprintf(out, size, "%s", pkcs7_subject(p7));
	pkcs7_free(p7);
}

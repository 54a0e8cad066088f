#include "config.h"

#include <stdio.h>
#include <string.h>

#include "formats/several.h"
#include "htsign-shell/existing.h"
#include "htsign-shell/postflight.h"
#include "signature/pkcs7-info.h"
#include "signature/pkcs7-nest.h"

/* --- the old signatures -------------------------------------------------- */

static unsigned int
count_signatures(const struct format_file *file)
{
	return several_count(file->signature.data, file->signature.len);
}

static int
several(unsigned int n, const char *what, struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_REFUSED,
	    "the file is signed already, with %u signatures side by side, %s",
	    n, what);
}

/*
 * Refuse remains, and say who takes them out.
 */
static int
check_remains(const struct format_file *file, struct ht_error *e)
{
	if (!file->remains.of_signature)
		return 0;
	return ht_error_set(e, HT_ERR_REFUSED,
	    "the file has remains of an old signature, which htsign strip or "
	    "a profile with existing = \"replace\" takes out: %s",
	    file->remains.what);
}

/* --- the values of `existing` --------------------------------------------- */

static int
refuse(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	int rc = check_remains(file, e);

	(void)action;
	if (rc < 0)
		return rc;
	return ht_error_set(e, HT_ERR_REFUSED,
	    "the file is signed already, and profile %s does not take signed "
	    "files",
	    go->profile);
}

static int
replace(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	(void)go;
	(void)file;
	(void)action;
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

/*
 * All signatures must be ours.  Side by side, those of others stay.
 */
static int
check_own(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	unsigned int n = count_signatures(file);
	struct buf others = BUF_INIT;
	struct cursor one;
	unsigned int i;
	int rc = check_remains(file, e);

	if (rc == 0 && n == 0)
		rc = ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, but not with a PKCS#7");
	for (i = 0; rc == 0 && i < n; i++) {
		one = several_nth(file->signature.data, file->signature.len, i);
		rc = check_signer(go, one, false, e);
		if (rc == HT_ERR_REFUSED && file->beside) {
			buf_bytes(&others, one.p, one.left);
			rc = buf_failed(&others) < 0 ? ht_error_memory(e) : 0;
		} else if (rc == HT_ERR_REFUSED && n > 1) {
			rc = several(n, "which are not all ours to replace", e);
		}
	}
	if (rc == 0 && others.len > 0) {
		*action = EXISTING_NEST;
		buf_free(&file->signature);
		file->signature = others;
		return 0;
	}
	buf_free(&others);
	return rc;
}

static int
full(unsigned int most, const char *kind, struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_REFUSED,
	    "the file is signed already, and can hold no more than %u %s "
	    "signatures",
	    most, kind);
}

/*
 * The old signature must be good, and must stay good in the signed file: some
 * formats store another digest beside it, in the algorithm of the new one.
 * There must also be room for one more, before the token signs in vain.
 */
static int
check_outer(const struct format_file *file, struct ht_error *e)
{
	static const struct format_wanted wanted = { .remains = true };
	const struct buf *outer = &file->signature;
	struct format_verified found;
	struct output *plan = NULL;
	struct input *in = NULL;
	int rc;

	rc = format_verify(file->format, file->in, &wanted, &found, e);
	if (rc == 0 && found.count == FORMAT_SIGNATURES_MAX)
		rc = full(PKCS7_NESTED_MAX, "nested", e);
	if (rc < 0 ||
	    strcmp(found.all[0].digest.algorithm, file->digest.algorithm) == 0)
		goto out;
	rc = format_plan(file, outer->data, outer->len, &plan, e);
	if (rc < 0)
		goto out;
	format_verified_clear(&found);
	in = output_as_input(plan, e);
	rc = in == NULL ? HT_ERR_INTERNAL
	                : format_verify(file->format, in, NULL, &found, e);
out:
	format_verified_clear(&found);
	input_free(in);
	output_free(plan);
	return rc;
}

static int
check_nest(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	unsigned int n = count_signatures(file);
	struct ht_error why;
	int rc = check_remains(file, e);

	(void)go;
	*action = EXISTING_NEST;
	if (rc < 0)
		return rc;
	if (!file->format->nests)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the file is signed already, and Windows knows no nested "
		    "signatures in %s files",
		    file->format->title);
	if (n > 1 && !file->beside)
		return several(n, "and one more can be nested only in one", e);
	rc = check_outer(file, &why);
	if (rc == HT_ERR_DATA)
		return ht_error_set(e, rc,
		    "the old signature does not verify, so no %s one can be "
		    "%s it: %s",
		    file->digest.algorithm,
		    file->beside ? "put beside" : "nested in", why.text);
	if (rc < 0)
		*e = why;
	return rc;
}

/* The signatures are not verified, but there must be some. */
static int
check_keep(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	int rc;

	(void)go;
	*action = EXISTING_KEEP;
	if (count_signatures(file) > 0)
		return 0;
	rc = check_remains(file, e);
	return rc < 0 ? rc
	              : ht_error_set(e, HT_ERR_DATA,
	                    "the file's signature is not a PKCS#7");
}

static const struct {
	const char *word;
	int (*check)(const struct protocol_go *go, struct format_file *file,
	    enum existing_action *action, struct ht_error *e);
} words[] = {
	{ "refuse", refuse },
	{ "own", check_own },
	{ "replace", replace },
	{ "nest", check_nest },
	{ "keep", check_keep },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

bool
existing_nests(const struct protocol_go *go)
{
	return strcmp(go->existing, "nest") == 0;
}

bool
existing_keeps(const struct protocol_go *go)
{
	return strcmp(go->existing, "keep") == 0;
}

int
existing_decide(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e)
{
	size_t i;

	*action = EXISTING_SIGN;
	if (!file->was_signed)
		return 0;
	for (i = 0; i < WORDS; i++) {
		if (strcmp(words[i].word, go->existing) == 0)
			return words[i].check(go, file, action, e);
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

/*
 * Put the new signature behind the old ones.  They stand side by side.
 */
static int
put_beside(const struct buf *old, const struct buf *pkcs7, struct buf *merged,
    struct cursor *over, struct ht_error *e)
{
	struct buf last;

	if (several_count(old->data, old->len) >= FORMAT_BESIDE_MAX)
		return full(FORMAT_BESIDE_MAX, "side by side", e);
	buf_reserve(merged, old->len + pkcs7->len);
	buf_bytes(merged, old->data, old->len);
	buf_bytes(merged, pkcs7->data, pkcs7->len);
	if (buf_failed(merged) < 0)
		return ht_error_memory(e);
	last = *merged;
	last.data += old->len;
	last.len -= old->len;
	*over = postflight_find(&last, *over);
	return 0;
}

static int
nest_in(const struct buf *outer, const struct buf *pkcs7, struct buf *merged,
    struct cursor *over, struct ht_error *e)
{
	int rc;

	rc = pkcs7_nest(outer->data, outer->len, pkcs7->data, pkcs7->len,
	    merged, e);
	return rc < 0 ? rc : check_merged(outer, pkcs7, merged, over, e);
}

int
existing_nest(struct format_file *file, struct buf *pkcs7, struct cursor *over,
    struct ht_error *e)
{
	const struct buf *old = &file->signature;
	struct buf merged = BUF_INIT;
	uint8_t ignored[TAP_SHA256];
	int rc;

	rc = postflight_pkcs7(pkcs7, *over, ignored, e);
	if (rc == 0)
		rc = file->beside ? put_beside(old, pkcs7, &merged, over, e)
		                  : nest_in(old, pkcs7, &merged, over, e);
	if (rc < 0)
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
	const struct buf *all = &file->signature;
	struct cursor first = several_nth(all->data, all->len, 0);
	unsigned int more = count_signatures(file) - 1;
	struct ht_error ignored;
	char others[24] = "";
	struct pkcs7 *p7;

	if (more > 0)
		(void)snprintf(others, sizeof(others), " and %u more", more);
	if (pkcs7_parse(first.p, first.left, &p7, &ignored) < 0)
		(void)snprintf(out, size, "an unknown signer%s", others);
	else
		(void)snprintf(out, size, "%s%s", pkcs7_subject(p7), others);
	pkcs7_free(p7);
}

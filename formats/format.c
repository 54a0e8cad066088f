#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "formats/several.h"
#include "formats/text-damage.h"
#include "signature/content.h"
#include "signature/spc-pages.h"

/*
 * In the order of detection.  Formats told by their first bytes come before
 * those told by a file name.
 */
static const struct format *const formats[] = {
	&format_pe,
	&format_cab,
	&format_appx,
	&format_cat,
	&format_msi,
	&format_js,
	&format_mof,
	&format_ps1,
	&format_ps1xml,
	&format_vbs,
	&format_wsf,
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

int
format_find(struct input *in, const char *file_name,
    const struct format **format, struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	size_t i;
	bool is;
	int rc;

	*format = NULL;
	rc = input_read(in, 0, 1, &p, &got, e);
	if (rc < 0 || got == 0)
		return rc;
	for (i = 0; i < FORMATS; i++) {
		rc = formats[i]->detect(in, file_name, &is, e);
		if (rc < 0)
			return text_damage_explain(in, true, rc, e);
		if (is) {
			*format = formats[i];
			return 0;
		}
	}
	return 0;
}

int
format_detect(struct input *in, const char *file_name,
    const struct format **format, struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	if ((rc = format_find(in, file_name, format, e)) < 0 ||
	    *format != NULL || (rc = input_read(in, 0, 1, &p, &got, e)) < 0)
		return rc;
	if (got == 0)
		return ht_error_at(e, HT_ERR_DATA, 0, "the input is empty");
	rc = ht_error_at(e, HT_ERR_DATA, 0, "not a signable file: %s",
	    file_name != NULL
	        ? "neither its first bytes nor its name are of a known format"
	        : "its first bytes are of no known format, and a script needs "
	          "its name: --name=a.ps1");
	return text_damage_explain(in, false, rc, e);
}

/*
 * Refuse options that this format cannot have.
 */
static int
check_options(const struct format *format, const struct format_options *options,
    struct ht_error *e)
{
	if (options->algorithm == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the digest algorithm is not sha256, sha384 or sha512");
	if (options->page_hashes && format != &format_pe)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "page hashes are for PE files; this is of format %s",
		    format->title);
	if (options->page_hashes &&
	    strcmp(options->algorithm, SPC_PAGES_ALGORITHM) != 0)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "page hashes need the digest sha256, not %s",
		    options->algorithm);
	if (options->msi_ex && format != &format_msi)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "MsiDigitalSignatureEx is for MSI files; this is of "
		    "format %s",
		    format->title);
	return 0;
}

/*
 * Check that the file has room for a signature, before a token makes one in
 * vain.  A signed file may have that room where the old signature is;
 * format_plan checks that.  It also checks signatures larger than
 * FORMAT_SIGNATURE_ROOM.
 */
static int
check_room(const struct format_file *file, struct ht_error *e)
{
	uint64_t max = file->format->size_max;

	if (max == 0 || file->was_signed || file->options.no_plan ||
	    file->size <= max - FORMAT_SIGNATURE_ROOM)
		return 0;
	return ht_error_at(e, HT_ERR_REFUSED, max - FORMAT_SIGNATURE_ROOM,
	    "with a signature the file would be larger than %llu GiB",
	    (unsigned long long)(max >> 30) + 1);
}

/*
 * format_digest, with page_hashes as in struct format_file.
 */
static int
digest_file(const struct format *format, struct input *in,
    const struct format_options *options, struct cursor page_hashes,
    struct format_file **file, struct ht_error *e)
{
	struct format_file *f;
	int rc;

	*file = NULL;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return ht_error_memory(e);
	f->format = format;
	f->in = in;
	f->spc = format->name;
	f->page_hashes = page_hashes;
	f->digest.algorithm =
	    spc_algorithm(options->algorithm, &f->digest.length);
	f->options = *options;
	f->options.algorithm = f->digest.algorithm;
	rc = check_options(format, &f->options, e);
	if (rc == 0)
		rc = text_damage_explain(in, true, format->digest(f, e), e);
	if (rc == 0)
		rc = check_room(f, e);
	if (rc < 0)
		goto out;
	*file = f;
	f = NULL;
out:
	format_file_free(f);
	return rc;
}

int
format_digest(const struct format *format, struct input *in,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e)
{
	return digest_file(format, in, options, cursor_over(NULL, 0), file, e);
}

void
format_file_free(struct format_file *file)
{
	if (file == NULL)
		return;
	file->format->clear(file);
	buf_free(&file->signature);
	buf_free(&file->content);
	buf_free(&file->publisher);
	free(file);
}

int
format_plan(const struct format_file *file, const void *p7, size_t n,
    struct output **plan, struct ht_error *e)
{
	struct output *made;
	int rc;

	*plan = NULL;
	if (file->options.no_plan)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the file was digested for no plan");
	if (p7 == NULL && !file->was_signed)
		return ht_error_set(e, HT_ERR_DATA, "the file is not signed");
	if (file->format != &format_pe && several_count(p7, n) > 1)
		return ht_error_set(e, HT_ERR_DATA,
		    "only PE files can have several signatures side by side");
	made = output_new(file->in, e);
	if (made == NULL)
		return HT_ERR_INTERNAL;
	rc = file->format->plan(file, p7, n, made, e);
	if (rc < 0)
		goto out;
	*plan = made;
	made = NULL;
out:
	output_free(made);
	return rc;
}

/* --- what is in a signature ---------------------------------------------- */

/*
 * The options that the signature was made with, except for msi_ex, which only
 * the file tells.
 */
static struct format_options
options_of(const struct pkcs7 *p7)
{
	struct cursor content = pkcs7_content(p7);

	return (struct format_options){
		.algorithm = pkcs7_algorithm(p7),
		.page_hashes = spc_pages_is(content.p, content.left),
	};
}

static bool
same_digest(const struct spc_digest *a, const struct spc_digest *b)
{
	return strcmp(a->algorithm, b->algorithm) == 0 &&
	    a->length == b->length &&
	    memcmp(a->value, b->value, a->length) == 0;
}

/*
 * Set *is to whether p7 is a signature of the digested file.
 */
static int
is_of(const struct pkcs7 *p7, const struct format_file *file, bool *is,
    struct ht_error *e)
{
	struct spc_digest digest;
	int rc = content_read(file->spc, p7, &digest, e);

	*is = rc == 0 && same_digest(&digest, &file->digest);
	return rc;
}

int
format_digest_for(const struct format *format, struct input *in,
    const struct pkcs7 *p7, struct format_file **file, struct ht_error *e)
{
	struct format_options options = options_of(p7);
	bool is = false;
	int rc;

	options.remains = true;
	rc = format_digest(format, in, &options, file, e);
	if (rc == 0)
		rc = is_of(p7, *file, &is, e);
	if (rc == 0 && !is && format == &format_msi) {
		/*
		 * Only the digest tells that MsiDigitalSignatureEx was there.
		 */
		options.msi_ex = true;
		format_file_free(*file);
		rc = format_digest(format, in, &options, file, e);
		if (rc == 0)
			rc = is_of(p7, *file, &is, e);
	}
	if (rc == 0 && !is)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the file is not what was signed: its digest differs");
	if (rc < 0) {
		format_file_free(*file);
		*file = NULL;
	}
	return rc;
}

/* --- verifying ------------------------------------------------------------ */

int
format_version(const struct format_file *file, struct format_version *out,
    struct ht_error *e)
{
	memset(out, 0, sizeof(*out));
	if (file->format->version == NULL || input_descriptor(file->in) < 0)
		return 0;
	return file->format->version(file, out, e);
}

int
format_signature(const struct format *format, struct input *in, struct buf *p7,
    struct format_remains *remains, struct ht_error *e)
{
	return format->signature(in, p7, remains, e);
}

int
format_failed(const struct format_verified *out, unsigned int i, int rc,
    const struct ht_error *why, struct ht_error *e)
{
	unsigned int outer = i < out->beside ? i : out->all[i].outer;
	char number[24] = "";
	unsigned int nested = 0;

	if (rc == 0)
		return 0;
	for (; i >= out->beside && out->all[i].outer == outer; i--)
		nested++;
	if (out->beside > 1)
		(void)snprintf(number, sizeof(number),
		    "signature %u: ", outer + 1);
	if (nested > 0)
		return ht_error_set(e, rc, "%snested signature %u: %s", number,
		    nested, why->text);
	return ht_error_at(e, rc, why->offset, "%s%s", number, why->text);
}

static int
too_many(struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_DATA,
	    "the file has more than %d signatures", FORMAT_SIGNATURES_MAX);
}

/*
 * Read the signatures that the file carries side by side, or only the wanted
 * one, and verify each by itself.
 */
static int
read_signatures(const struct format *format, struct input *in,
    const struct format_wanted *wanted, struct format_verified *out,
    struct ht_error *e)
{
	bool only = wanted->content.left > 0;
	struct buf der = BUF_INIT;
	struct ht_error why;
	struct cursor one;
	unsigned int n;
	unsigned int i;
	int rc;

	rc = format->signature(in, &der, wanted->remains ? &out->remains : NULL,
	    e);
	if (rc < 0)
		goto out;
	n = several_count(der.data, der.len);
	if (der.len == 0)
		rc = ht_error_set(e, HT_ERR_DATA, "the file is not signed");
	else if (n > FORMAT_SIGNATURES_MAX)
		rc = too_many(e);
	out->beside = n > 0 && !only ? n : 1;
	for (i = 0; rc == 0 && i < out->beside; i++) {
		one = n > 0
		    ? several_nth(der.data, der.len, only ? wanted->index : i)
		    : buf_cursor(&der);
		rc = pkcs7_parse(one.p, one.left, &out->all[i].p7, &why);
		if (rc == 0)
			rc = pkcs7_verify(out->all[i].p7, &why);
		rc = format_failed(out, i, rc, &why, e);
	}
	out->count = out->beside;
out:
	buf_free(&der);
	return rc;
}

static int
compare_content(const struct format_verified *out, struct cursor content,
    struct ht_error *e)
{
	struct cursor found = pkcs7_content(out->all[0].p7);

	if (content.left > 0 &&
	    (found.left != content.left ||
	        memcmp(found.p, content.p, content.left) != 0))
		return ht_error_set(e, HT_ERR_DATA,
		    "the signature does not cover the content that was sent");
	return 0;
}

static int
read_pages(const struct pkcs7 *p7, struct cursor *pages, struct ht_error *e)
{
	struct cursor content = pkcs7_content(p7);
	struct spc_digest digest;

	return spc_pages_read(content.p, content.left, &digest, pages, e);
}

/*
 * Digest the file with p7's options, and compare the digest with p7's.  *spc is
 * content_parse's name for the content.
 */
static int
verify_file(const struct format *format, struct input *in,
    const struct pkcs7 *p7, bool remains, struct spc_digest *digest,
    const char **spc, struct ht_error *e)
{
	struct format_options options = options_of(p7);
	struct cursor pages = cursor_over(NULL, 0);
	struct format_file *file = NULL;
	bool is;
	int rc;

	options.as_signed = true;
	options.no_plan = true;
	options.remains = remains;
	if (options.page_hashes && (rc = read_pages(p7, &pages, e)) < 0)
		return rc;
	if ((rc = digest_file(format, in, &options, pages, &file, e)) < 0 ||
	    (rc = is_of(p7, file, &is, e)) < 0)
		goto out;
	*digest = file->digest;
	*spc = file->spc;
	if (!is)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the file is not what was signed: its digest differs");
	else if (format->check != NULL)
		rc = format->check(file, e);
out:
	format_file_free(file);
	return rc;
}

static bool
same_content(const struct pkcs7 *a, const struct pkcs7 *b)
{
	struct cursor one = pkcs7_content(a);
	struct cursor other = pkcs7_content(b);

	return strcmp(pkcs7_algorithm(a), pkcs7_algorithm(b)) == 0 &&
	    one.left == other.left && memcmp(one.p, other.p, one.left) == 0;
}

/*
 * A digest of the signatures before this one, already compared with the file,
 * that settles this one as well.  It has the same algorithm, and this one has
 * no page hashes or the same content.  NULL if there is none.
 */
static const struct spc_digest *
find_compared(const struct format_verified *out, unsigned int index)
{
	const struct pkcs7 *p7 = out->all[index].p7;
	struct format_options options = options_of(p7);
	const struct format_signature *other;

	for (other = out->all; other < out->all + index; other++) {
		if (same_content(p7, other->p7) ||
		    (!options.page_hashes &&
		        strcmp(options.algorithm, other->digest.algorithm) ==
		            0))
			return &other->digest;
	}
	return NULL;
}

/*
 * Compare a signature after the first with the file.
 */
static int
verify_another(const struct format *format, struct input *in, const char *spc,
    bool remains, struct format_verified *out, unsigned int index,
    struct ht_error *e)
{
	const struct spc_digest *compared = find_compared(out, index);
	struct format_signature *one = &out->all[index];
	int rc;

	if (compared == NULL)
		return verify_file(format, in, one->p7, remains, &one->digest,
		    &spc, e);
	rc = content_read(spc, one->p7, &one->digest, e);
	if (rc == 0 && !same_digest(compared, &one->digest))
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the file is not what was signed: its digest differs");
	return rc;
}

/*
 * Verify signature i of those nested in the outer one.
 */
static int
verify_nested(const struct format *format, struct input *in, const char *spc,
    bool remains, struct format_verified *out, unsigned int outer, size_t i,
    struct ht_error *e)
{
	struct format_signature *nested = &out->all[out->count];
	struct ht_error why;
	int rc;

	if (out->count == FORMAT_SIGNATURES_MAX)
		return too_many(e);
	ht_error_clear(&why);
	nested->outer = outer;
	rc = pkcs7_nested(out->all[outer].p7, i, &nested->p7, &why);
	if (rc == 0)
		rc = pkcs7_verify(nested->p7, &why);
	if (rc == 0)
		rc = verify_another(format, in, spc, remains, out, out->count,
		    &why);
	/* A failed one counts as well, so that it is freed. */
	out->count++;
	return format_failed(out, out->count - 1, rc, &why, e);
}

int
format_verify(const struct format *format, struct input *in,
    const struct format_wanted *wanted, struct format_verified *out,
    struct ht_error *e)
{
	static const struct format_wanted all;
	struct format_signature *first = &out->all[0];
	struct ht_error why;
	unsigned int outer;
	const char *spc;
	size_t i;
	int rc;

	if (wanted == NULL)
		wanted = &all;
	memset(out, 0, sizeof(*out));
	if ((rc = read_signatures(format, in, wanted, out, e)) == 0 &&
	    (rc = compare_content(out, wanted->content, e)) == 0 &&
	    (rc = format_failed(out, 0,
	         verify_file(format, in, first->p7, wanted->remains,
	             &first->digest, &spc, &why),
	         &why, e)) == 0)
		rc = input_drain(in, &out->size, e);
	for (outer = 1; rc == 0 && outer < out->beside; outer++)
		rc = format_failed(out, outer,
		    verify_another(format, in, spc, wanted->remains, out, outer,
		        &why),
		    &why, e);
	for (outer = 0; rc == 0 && outer < out->beside; outer++) {
		for (i = 0; rc == 0 &&
		     i < pkcs7_count(out->all[outer].p7, PKCS7_NESTED);
		     i++)
			rc = verify_nested(format, in, spc, wanted->remains,
			    out, outer, i, e);
	}
	if (rc < 0)
		format_verified_clear(out);
	return rc;
}

void
format_verified_clear(struct format_verified *out)
{
	size_t i;

	for (i = 0; i < FORMAT_SIGNATURES_MAX; i++)
		pkcs7_free(out->all[i].p7);
	memset(out, 0, sizeof(*out));
}

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
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
			return rc;
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
	return ht_error_at(e, HT_ERR_DATA, 0,
	    "not a signable file: neither its first bytes nor its name are of "
	    "a known format");
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
		rc = format->digest(f, e);
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
format_signature(const struct format *format, struct input *in, struct buf *p7,
    struct ht_error *e)
{
	return format->signature(in, p7, e);
}

/*
 * Read the signature that the file carries, and verify it by itself.
 */
static int
read_signature(const struct format *format, struct input *in,
    struct format_verified *out, struct ht_error *e)
{
	struct buf der = BUF_INIT;
	int rc;

	rc = format->signature(in, &der, e);
	if (rc == 0 && der.len == 0)
		rc = ht_error_set(e, HT_ERR_DATA, "the file is not signed");
	if (rc == 0)
		rc = pkcs7_parse(der.data, der.len, &out->p7, e);
	if (rc == 0)
		rc = pkcs7_verify(out->p7, e);
	buf_free(&der);
	return rc;
}

static int
compare_content(const struct format_verified *out, const void *content,
    size_t n, struct ht_error *e)
{
	struct cursor found = pkcs7_content(out->p7);

	if (content != NULL &&
	    (found.left != n || memcmp(found.p, content, n) != 0))
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
    const struct pkcs7 *p7, struct spc_digest *digest, const char **spc,
    struct ht_error *e)
{
	struct format_options options = options_of(p7);
	struct cursor pages = cursor_over(NULL, 0);
	struct format_file *file = NULL;
	bool is;
	int rc;

	options.as_signed = true;
	options.no_plan = true;
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
 * A digest, already compared with the file, that settles p7 as well.  It has
 * the same algorithm, and p7 has no page hashes or the same content.  NULL if
 * there is none.
 */
static const struct spc_digest *
find_compared(const struct format_verified *out, const struct pkcs7 *p7)
{
	const struct format_signature *nested;
	struct format_options options = options_of(p7);
	size_t i;

	if (same_content(p7, out->p7) ||
	    (!options.page_hashes &&
	        strcmp(options.algorithm, out->digest.algorithm) == 0))
		return &out->digest;
	for (i = 0; i < out->nested_count; i++) {
		nested = &out->nested[i];
		if (same_content(p7, nested->p7) ||
		    (!options.page_hashes &&
		        strcmp(options.algorithm, nested->digest.algorithm) ==
		            0))
			return &nested->digest;
	}
	return NULL;
}

static int
verify_nested(const struct format *format, struct input *in, const char *spc,
    struct format_verified *out, struct ht_error *e)
{
	struct format_signature *nested = &out->nested[out->nested_count];
	const struct spc_digest *compared;
	struct ht_error why;
	int rc;

	ht_error_clear(&why);
	if ((rc = pkcs7_nested(out->p7, out->nested_count, &nested->p7, &why)) <
	        0 ||
	    (rc = pkcs7_verify(nested->p7, &why)) < 0)
		goto out;
	compared = find_compared(out, nested->p7);
	if (compared == NULL) {
		rc = verify_file(format, in, nested->p7, &nested->digest, &spc,
		    &why);
	} else {
		rc = content_read(spc, nested->p7, &nested->digest, &why);
		if (rc == 0 && !same_digest(compared, &nested->digest))
			rc = ht_error_set(&why, HT_ERR_DATA,
			    "the file is not what was signed: its digest "
			    "differs");
	}
out:
	/* A failed one counts as well, so that it is freed. */
	out->nested_count++;
	if (rc < 0)
		return ht_error_set(e, rc, "nested signature %zu: %s",
		    out->nested_count, why.text);
	return 0;
}

int
format_verify(const struct format *format, struct input *in,
    const void *content, size_t n, struct format_verified *out,
    struct ht_error *e)
{
	const char *spc;
	int rc;

	memset(out, 0, sizeof(*out));
	if ((rc = read_signature(format, in, out, e)) == 0 &&
	    (rc = compare_content(out, content, n, e)) == 0 &&
	    (rc = verify_file(format, in, out->p7, &out->digest, &spc, e)) == 0)
		rc = input_drain(in, &out->size, e);
	while (
	    rc == 0 && out->nested_count < pkcs7_count(out->p7, PKCS7_NESTED))
		rc = verify_nested(format, in, spc, out, e);
	if (rc < 0)
		format_verified_clear(out);
	return rc;
}

void
format_verified_clear(struct format_verified *out)
{
	size_t i;

	for (i = 0; i < out->nested_count; i++)
		pkcs7_free(out->nested[i].p7);
	pkcs7_free(out->p7);
	memset(out, 0, sizeof(*out));
}

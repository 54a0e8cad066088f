/*
 * htsign attach: put a signature that was made with --pkcs7 into its file.
 */

#include "config.h"

#include "formats/format.h"
#include "formats/several.h"
#include "htsign/file.h"
#include "htsign/htsign.h"
#include "htsign/result.h"
#include "htsign/subject.h"

/*
 * Put into all what the file is to have: the signatures at der or, with an
 * index, the file's own with the one at der in that place or behind them.
 */
static int
gather(const struct format_file *file, struct cursor der, unsigned int index,
    struct buf *all, struct ht_error *e)
{
	const struct buf *old = &file->signature;
	unsigned int n = several_count(old->data, old->len);
	struct cursor one;
	unsigned int i;

	if (index > n + 1)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the file has %u signatures: --index is at most %u", n,
		    n + 1);
	if (index == 0)
		buf_bytes(all, der.p, der.left);
	for (i = 1; index > 0 && (i <= n || i <= index); i++) {
		one =
		    i == index ? der : several_nth(old->data, old->len, i - 1);
		buf_bytes(all, one.p, one.left);
	}
	return buf_failed(all) < 0 ? ht_error_memory(e) : 0;
}

/*
 * Read the planned file, and verify what was put in: the one signature, or all.
 */
static int
check(const struct format *format, const struct output *plan,
    struct cursor content, unsigned int index, bool one, struct ht_error *e)
{
	struct format_wanted wanted = { .content = content,
		.index = index > 0 ? index - 1 : 0 };
	struct format_verified verified = { 0 };
	struct input *again = output_as_input(plan, e);
	int rc;

	if (again == NULL)
		return HT_ERR_INTERNAL;
	rc = format_verify(format, again, one ? &wanted : NULL, &verified, e);
	format_verified_clear(&verified);
	input_free(again);
	return rc;
}

/*
 * Digest the file with the signature's options, put the signature in, and
 * verify the result before any of it is written.
 */
static int
attach(const struct htsign_arguments *a, const struct subject *subject,
    const struct buf *der, struct ht_error *e)
{
	unsigned int n = several_count(der->data, der->len);
	struct cursor first =
	    n > 1 ? several_nth(der->data, der->len, 0) : buf_cursor(der);
	struct format_file *file = NULL;
	struct output *plan = NULL;
	struct buf all = BUF_INIT;
	struct pkcs7 *p7 = NULL;
	unsigned int index;
	int rc;

	rc = subject_index(a->index, &index, e);
	if (rc == 0 && index > 0 && n > 1)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "--index is for one signature, and these are %u", n);
	if (rc < 0 || (rc = pkcs7_parse(first.p, first.left, &p7, e)) < 0 ||
	    (rc = format_digest_for(subject->format, subject->in, p7, &file,
	         e)) < 0 ||
	    (rc = gather(file, buf_cursor(der), index, &all, e)) < 0 ||
	    (rc = format_plan(file, all.data, all.len, &plan, e)) < 0 ||
	    (rc = check(subject->format, plan, pkcs7_content(p7), index, n <= 1,
	         e)) < 0)
		goto out;
	rc = result_write(a, subject, plan, e);
	if (rc == 0)
		subject_say("taken out", &file->remains);
out:
	output_free(plan);
	buf_free(&all);
	format_file_free(file);
	pkcs7_free(p7);
	return rc;
}

int
attach_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct subject subject;
	struct buf der = BUF_INIT;
	int rc;

	rc = subject_open(a->operand[0], &subject, e);
	if (rc == 0)
		rc = file_read(a->operand[1], PKCS7_PAGED_MAX, &der, e);
	if (rc == 0)
		rc = attach(a, &subject, &der, e);
	subject_close(&subject);
	buf_free(&der);
	return rc;
}

/*
 * htsign attach: put a signature that was made with --pkcs7 into its file.
 */

#include "config.h"

#include "formats/format.h"
#include "htsign/file.h"
#include "htsign/htsign.h"
#include "htsign/result.h"
#include "htsign/subject.h"

/*
 * Digest the file with the signature's options, put the signature in, and
 * verify the result before any of it is written.
 */
static int
attach(const struct htsign_arguments *a, const struct subject *subject,
    const struct buf *der, struct ht_error *e)
{
	struct format_verified verified = { 0 };
	struct format_file *file = NULL;
	struct output *plan = NULL;
	struct input *again = NULL;
	struct pkcs7 *p7 = NULL;
	struct cursor content;
	int rc;

	rc = pkcs7_parse(der->data, der->len, &p7, e);
	if (rc < 0)
		goto out;
	content = pkcs7_content(p7);
	if ((rc = format_digest_for(subject->format, subject->in, p7, &file,
	         e)) < 0 ||
	    (rc = format_plan(file, der->data, der->len, &plan, e)) < 0)
		goto out;
	again = output_as_input(plan, e);
	if (again == NULL) {
		rc = HT_ERR_INTERNAL;
		goto out;
	}
	rc = format_verify(subject->format, again, content.p, content.left,
	    &verified, e);
	if (rc == 0)
		rc = result_write(a, subject, plan, e);
out:
	format_verified_clear(&verified);
	input_free(again);
	output_free(plan);
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

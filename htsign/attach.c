/*
 * htsign attach: put a signature that was made with --pkcs7 into its file.
 */

#include "config.h"

#include <string.h>
#include <unistd.h>

#include "authenticode/format.h"
#include "htsign/file.h"
#include "htsign/htsign.h"

static int
write_output(const struct htsign_arguments *a, int like,
    const struct output *plan, struct ht_error *e)
{
	uint64_t written;

	if (a->output != NULL && strcmp(a->output, "-") != 0)
		return file_replace(a->output, like, plan, e);
	if (isatty(STDOUT_FILENO))
		return ht_error_set(e, HT_ERR_USAGE,
		    "the signed file does not go to a terminal: use -o OUT");
	return output_write(plan, STDOUT_FILENO, 0, &written, e);
}

/*
 * Digest the file as the signature does it, put that in, and verify the result
 * before any of it is written.
 */
static int
attach(const struct htsign_arguments *a, int fd, struct input *in,
    const struct buf *der, struct ht_error *e)
{
	const struct format *format;
	struct format_verified verified = { 0 };
	struct format_file *file = NULL;
	struct output *plan = NULL;
	struct input *again = NULL;
	struct pkcs7 *p7 = NULL;
	struct cursor content;
	int rc;

	if ((rc = format_detect(in, a->operand[0], &format, e)) < 0 ||
	    (rc = pkcs7_parse(der->data, der->len, &p7, e)) < 0)
		goto out;
	content = pkcs7_content(p7);
	if ((rc = format_digest_for(format, in, p7, &file, e)) < 0 ||
	    (rc = format_plan(file, der->data, der->len, &plan, e)) < 0)
		goto out;
	again = input_plan(plan, e);
	if (again == NULL) {
		rc = HT_ERR_INTERNAL;
		goto out;
	}
	rc =
	    format_verify(format, again, content.p, content.left, &verified, e);
	if (rc == 0)
		rc = write_output(a, fd, plan, e);
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
	struct buf der = BUF_INIT;
	struct input *in = NULL;
	int rc;
	int fd;

	fd = file_open(a->operand[0], e);
	if (fd < 0)
		return fd;
	rc = file_read(a->operand[1], PKCS7_MAX, &der, e);
	if (rc < 0)
		goto out;
	in = input_file(fd, e);
	rc = in == NULL ? HT_ERR_INTERNAL : attach(a, fd, in, &der, e);
out:
	input_free(in);
	buf_free(&der);
	(void)close(fd);
	return rc;
}

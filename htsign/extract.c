/*
 * htsign extract: the signature alone, in the form that attach takes.
 */

#include "config.h"

#include <string.h>

#include "formats/format.h"
#include "formats/several.h"
#include "htsign/htsign.h"
#include "htsign/result.h"
#include "htsign/subject.h"

/*
 * Reduce the signatures in p7 to the one with this number, if there is one.
 */
static int
choose(const char *argument, struct buf *p7, struct ht_error *e)
{
	unsigned int n = several_count(p7->data, p7->len);
	struct cursor one;
	unsigned int index;
	int rc = subject_index(argument, &index, e);

	if (rc < 0 || index == 0)
		return rc;
	if (index > n)
		return ht_error_set(e, HT_ERR_USAGE,
		    "there is no signature %u: the file has %u", index, n);
	one = several_nth(p7->data, p7->len, index - 1);
	memmove(p7->data, one.p, one.left);
	p7->len = one.left;
	return 0;
}

int
extract_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct format_remains remains = { 0 };
	struct subject subject;
	struct buf p7 = BUF_INIT;
	int rc;

	rc = subject_open(a->operand[0], &subject, e);
	if (rc == 0)
		rc = format_signature(subject.format, subject.in, &p7, &remains,
		    e);
	if (rc == 0 && p7.len == 0)
		rc = ht_error_set(e, HT_ERR_DATA, "the file is not signed");
	if (rc == 0)
		rc = choose(a->index, &p7, e);
	if (rc == 0)
		rc = result_write_bytes(a, &subject, p7.data, p7.len, e);
	if (rc == 0)
		subject_say("not extracted", &remains);
	subject_close(&subject);
	buf_free(&p7);
	return rc;
}

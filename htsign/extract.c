/*
 * htsign extract: the signature alone, in the form that attach takes.
 */

#include "config.h"

#include "formats/format.h"
#include "htsign/htsign.h"
#include "htsign/result.h"
#include "htsign/subject.h"

int
extract_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct subject subject;
	struct buf p7 = BUF_INIT;
	int rc;

	rc = subject_open(a->operand[0], &subject, e);
	if (rc == 0)
		rc = format_signature(subject.format, subject.in, &p7, e);
	if (rc == 0 && p7.len == 0)
		rc = ht_error_set(e, HT_ERR_DATA, "the file is not signed");
	if (rc == 0)
		rc = result_write_bytes(a, &subject, p7.data, p7.len, e);
	subject_close(&subject);
	buf_free(&p7);
	return rc;
}

/*
 * htsign digest: the digest of a file that a signature covers.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "htsign/htsign.h"
#include "htsign/subject.h"
#include "lib/log.h"

static int
print_digest(const struct spc_digest *digest, const char *path,
    struct ht_error *e)
{
	char name[4 * 4096];
	size_t i;

	(void)log_escape(name, sizeof(name), path, strlen(path));
	for (i = 0; i < digest->length; i++)
		(void)printf("%02x", digest->value[i]);
	(void)printf("  %s\n", name);
	if (fflush(stdout) != 0)
		return ht_error_errno(e, "cannot write the digest");
	return 0;
}

int
digest_run(const struct htsign_arguments *a, struct ht_error *e)
{
	const struct format_options options = { .algorithm = a->digest,
		.msi_ex = a->msi_ex };
	struct subject subject;
	struct format_file *file = NULL;
	int rc;

	if ((rc = subject_open(a->operand[0], &subject, e)) == 0 &&
	    (rc = subject_digest(&subject, &options, &file, e)) == 0)
		rc = print_digest(&file->digest, a->operand[0], e);
	format_file_free(file);
	subject_close(&subject);
	return rc;
}

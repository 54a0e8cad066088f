/*
 * htsign strip: take the signature out of a file.
 */

#include "config.h"

#include "formats/format.h"
#include "htsign/htsign.h"
#include "htsign/result.h"
#include "htsign/subject.h"

/*
 * Read the planned output as if it were a file.  It must have the same format,
 * and no signature.
 */
static int
check(const struct format_file *file, const struct output *plan,
    struct ht_error *e)
{
	struct format_options options = file->options;
	struct format_file *stripped = NULL;
	struct input *again = output_as_input(plan, e);
	int rc;

	if (again == NULL)
		return HT_ERR_INTERNAL;
	/* It needs no room for another signature. */
	options.no_plan = true;
	options.remains = false;
	rc = format_digest(file->format, again, &options, &stripped, e);
	if (rc < 0 || stripped->was_signed)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "without its signature the file would be damaged");
	format_file_free(stripped);
	input_free(again);
	return rc;
}

int
strip_run(const struct htsign_arguments *a, struct ht_error *e)
{
	const struct format_options options = { .algorithm = NULL };
	struct subject subject;
	struct format_file *file = NULL;
	struct output *plan = NULL;
	int rc;

	if ((rc = subject_open(a->operand[0], &subject, e)) == 0 &&
	    (rc = subject_digest(&subject, &options, &file, e)) == 0 &&
	    (rc = format_plan(file, NULL, 0, &plan, e)) == 0 &&
	    (rc = check(file, plan, e)) == 0)
		rc = result_write(a, &subject, plan, e);
	if (rc == 0)
		subject_say("taken out", &file->remains);
	output_free(plan);
	format_file_free(file);
	subject_close(&subject);
	return rc;
}

/*
 * htsign verify: digest, signature and chain of a signed file.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "authenticode/format.h"
#include "htsign/file.h"
#include "htsign/htsign.h"
#include "lib/log.h"

/* Bundles of a system's roots are about 250 KB. */
#define CA_MAX ((size_t)4 << 20)

/*
 * A line of the summary, unless there is nothing to say.  The text comes out
 * of the file, so it is escaped.
 */
static void
print_line(const char *label, const char *text)
{
	char escaped[4096];

	if (*text == '\0')
		return;
	(void)log_escape(escaped, sizeof(escaped), text, strlen(text));
	(void)printf("%-13s%s\n", label, escaped);
}

static int
print_summary(const struct format *format, const struct format_verified *v,
    struct ht_error *e)
{
	char digest[2 * SPC_DIGEST_MAX + 1] = "";
	size_t i;

	for (i = 0; i < v->digest.length; i++)
		(void)snprintf(digest + 2 * i, 3, "%02x", v->digest.value[i]);
	print_line("type:", format->title);
	(void)printf("%s:%*s%s\n", v->digest.algorithm,
	    (int)(12 - strlen(v->digest.algorithm)), "", digest);
	print_line("signer:", pkcs7_subject(v->p7));
	print_line("description:", pkcs7_description(v->p7));
	print_line("URL:", pkcs7_url(v->p7));
	if (fflush(stdout) != 0)
		return ht_error_errno(e, "cannot write the summary");
	return 0;
}

static int
verify(const char *path, struct input *in, const struct buf *ca,
    struct ht_error *e)
{
	const struct format *format;
	struct format_verified verified = { 0 };
	int rc;

	if ((rc = format_detect(in, path, &format, e)) < 0 ||
	    (rc = format_verify(format, in, NULL, 0, &verified, e)) < 0 ||
	    (rc = pkcs7_verify_chain(verified.p7, ca->data, ca->len, e)) < 0)
		goto out;
	rc = print_summary(format, &verified, e);
out:
	format_verified_clear(&verified);
	return rc;
}

int
verify_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct buf ca = BUF_INIT;
	struct input *in = NULL;
	int rc;
	int fd;

	if (a->ca == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "verify needs --ca PEM: the roots to trust");
	fd = file_open(a->operand[0], e);
	if (fd < 0)
		return fd;
	rc = file_read(a->ca, CA_MAX, &ca, e);
	if (rc < 0)
		goto out;
	in = input_file(fd, e);
	rc = in == NULL ? HT_ERR_INTERNAL : verify(a->operand[0], in, &ca, e);
out:
	input_free(in);
	buf_free(&ca);
	(void)close(fd);
	return rc;
}

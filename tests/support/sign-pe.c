/*
 * Sign a file with a private key in a PEM file, over the libraries that shell
 * and keyd share between them: what tests compare with other signers.
 */

#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/format.h"
#include "signature/init.h"
#include "signature/pkcs7-nest.h"
#include "tests/support/signing.h"

static const struct option options[] = {
	{ "key", required_argument, NULL, 'k' },
	{ "chain", required_argument, NULL, 'c' },
	{ "digest", required_argument, NULL, 'h' },
	{ "name", required_argument, NULL, 'f' },
	{ "description", required_argument, NULL, 'n' },
	{ "url", required_argument, NULL, 'i' },
	{ "time", required_argument, NULL, 't' },
	{ "commercial", no_argument, NULL, 'j' },
	{ "pkcs7", no_argument, NULL, 'p' },
	{ "page-hashes", no_argument, NULL, 'g' },
	{ "msi-ex", no_argument, NULL, 'x' },
	{ "nest", optional_argument, NULL, 'e' },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	const char *key;
	const char *chain;
	struct format_options how;
	const char *name; /* of the file, for what its bytes do not tell */
	bool pkcs7;
	bool nest;         /* in the signature that the file has */
	const char *inner; /* a PKCS#7 to nest, or NULL: make one */
	struct cms_options cms;
};

static _Noreturn void
usage(void)
{
	(void)fputs("usage: sign-pe --key=PEM --chain=PEM [--digest=NAME] "
	            "[--description=TEXT]\n"
	            "               [--url=URL] [--time=SECONDS] "
	            "[--commercial] [--name=FILE] [--pkcs7]\n"
	            "               [--page-hashes] [--msi-ex] "
	            "[--nest[=PKCS7]] < IN > OUT\n",
	    stderr);
	exit(64);
}

static void
parse(int argc, char **argv, struct arguments *a)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'k':
			a->key = optarg;
			break;
		case 'c':
			a->chain = optarg;
			break;
		case 'h':
			a->how.algorithm = optarg;
			break;
		case 'f':
			a->name = optarg;
			break;
		case 'n':
			a->cms.description = optarg;
			break;
		case 'i':
			a->cms.url = optarg;
			break;
		case 't':
			a->cms.signing_time = strtoimax(optarg, NULL, 10);
			break;
		case 'j':
			a->cms.commercial = true;
			break;
		case 'p':
			a->pkcs7 = true;
			break;
		case 'g':
			a->how.page_hashes = true;
			break;
		case 'x':
			a->how.msi_ex = true;
			break;
		case 'e':
			a->nest = true;
			a->inner = optarg;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || a->key == NULL || a->chain == NULL)
		usage();
}

/*
 * What it signs is looked at, but for a nested signature: there the outer one
 * is somebody else's.
 */
static int
write_signed(const struct format_file *file, const struct buf *p7, bool nested,
    struct ht_error *e)
{
	struct format_wanted wanted = { .content = buf_cursor(&file->content) };
	struct format_verified checked;
	struct output *plan;
	struct input *again = NULL;
	uint64_t written;
	int rc;

	rc = format_plan(file, p7->data, p7->len, &plan, e);
	if (rc < 0)
		return rc;
	again = output_as_input(plan, e);
	if (again == NULL) {
		rc = HT_ERR_INTERNAL;
		goto out;
	}
	rc = format_verify(file->format, again, nested ? NULL : &wanted,
	    &checked, e);
	if (rc < 0)
		goto out;
	format_verified_clear(&checked);
	rc = output_write(plan, STDOUT_FILENO, 0, &written, e);
out:
	input_free(again);
	output_free(plan);
	return rc;
}

/*
 * Put the signature into the one that the file has.
 */
static int
nest(const struct format_file *file, struct buf *p7, struct ht_error *e)
{
	struct buf outer = BUF_INIT;
	struct buf both = BUF_INIT;
	int rc;

	rc = format_signature(file->format, file->in, &outer, NULL, e);
	if (rc == 0)
		rc = pkcs7_nest(outer.data, outer.len, p7->data, p7->len, &both,
		    e);
	buf_free(&outer);
	buf_free(p7);
	*p7 = both;
	return rc;
}

static int
make_signature(const struct arguments *a, struct signing *signing,
    const struct format_file *file, struct buf *p7, struct ht_error *e)
{
	uint8_t chunk[4096];
	size_t n;
	FILE *f;

	if (a->inner == NULL)
		return signing_sign(signing, file->spc, &file->content, &a->cms,
		    p7, e);
	f = fopen(a->inner, "r");
	if (f == NULL)
		return ht_error_errno(e, "%s", a->inner);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_bytes(p7, chunk, n);
	(void)fclose(f);
	return 0;
}

static int
run(const struct arguments *a, struct signing *signing, struct ht_error *e)
{
	const struct format *format;
	struct format_file *file = NULL;
	struct input *in;
	struct buf p7 = BUF_INIT;
	int rc;

	in = input_file(STDIN_FILENO, e);
	if (in == NULL)
		return HT_ERR_INTERNAL;
	if ((rc = format_detect(in, a->name, &format, e)) < 0 ||
	    (rc = format_digest(format, in, &a->how, &file, e)) < 0 ||
	    (rc = make_signature(a, signing, file, &p7, e)) < 0 ||
	    (a->nest && (rc = nest(file, &p7, e)) < 0))
		goto out;
	if (!a->pkcs7)
		rc = write_signed(file, &p7, a->nest, e);
	else if (fwrite(p7.data, 1, p7.len, stdout) != p7.len ||
	    fflush(stdout) != 0)
		rc = ht_error_errno(e, "stdout");
out:
	buf_free(&p7);
	format_file_free(file);
	input_free(in);
	return rc;
}

int
main(int argc, char **argv)
{
	struct arguments a = {
		.how.algorithm = "sha256",
		.cms.signing_time = CMS_NO_TIME,
	};
	struct signing signing = { 0 };
	struct ht_error e;
	int rc;

	parse(argc, argv, &a);
	if ((rc = authenticode_init(&e)) == 0 &&
	    (rc = signing_load(a.key, a.chain, &signing, &e)) == 0)
		rc = run(&a, &signing, &e);
	signing_clear(&signing);
	if (rc < 0)
		(void)fprintf(stderr, "sign-pe: %s\n", e.text);
	return -rc;
}

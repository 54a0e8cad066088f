#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/format.h"
#include "lib/utf8.h"
#include "signature/content.h"
#include "signature/init.h"
#include "signature/spc-pages.h"
#include "tests/fuzz/format.h"

static const struct format_options plain = { .algorithm = "sha256" };
static const struct format_options pages = { .algorithm = "sha256",
	.page_hashes = true };
static const struct format_options extended = { .algorithm = "sha256",
	.msi_ex = true };
static const struct format_options remains = { .algorithm = "sha256",
	.remains = true };

/*
 * A file may be damaged, or one that is not signed so; nothing else can be
 * wrong with it.
 */
static int
check_code(int rc)
{
	if (rc != 0 && rc != HT_ERR_DATA && rc != HT_ERR_REFUSED)
		abort();
	return rc;
}

/*
 * What the shell sends, keyd takes, with the same digest.
 */
static void
check_content(const struct format_file *file)
{
	struct spc_digest digest;

	if (content_parse(file->spc, file->content.data, file->content.len,
	        "sha256", &digest, NULL) < 0 ||
	    digest.length != file->digest.length ||
	    memcmp(digest.value, file->digest.value, digest.length) != 0)
		abort();
}

static const uint8_t p7[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };

/*
 * Putting a signature in must not change what is signed, and leaves no remains.
 * A catalog becomes the signature.
 */
static void
check_plan(const struct format_file *file)
{
	struct format_options options = file->options;
	struct format_file *again = NULL;
	struct output *plan = NULL;
	struct input *in = NULL;
	struct buf found = BUF_INIT;

	options.remains = false;

	if (file->format == &format_cat ||
	    check_code(format_plan(file, p7, sizeof(p7), &plan, NULL)) < 0)
		return;
	in = output_as_input(plan, NULL);
	if (in == NULL ||
	    format_digest(file->format, in, &options, &again, NULL) < 0 ||
	    !again->was_signed || again->size != output_size(plan) ||
	    memcmp(again->digest.value, file->digest.value,
	        file->digest.length) != 0 ||
	    file->format->signature(in, &found, NULL, NULL) < 0 ||
	    found.len != sizeof(p7) || memcmp(found.data, p7, found.len) != 0)
		abort();
	buf_free(&found);
	format_file_free(again);
	input_free(in);
	output_free(plan);
}

static void
check_same(const struct output *a, const struct output *b)
{
	uint64_t size = output_size(a);
	const uint8_t *left;
	const uint8_t *right;
	uint64_t at;
	size_t got;
	size_t other;

	if (output_size(b) != size)
		abort();
	for (at = 0; at < size; at += got) {
		if (output_read(a, at, INPUT_CHUNK, &left, &got, NULL) < 0 ||
		    output_read(b, at, got, &right, &other, NULL) < 0)
			abort();
		got = other < got ? other : got;
		if (got == 0 || memcmp(left, right, got) != 0)
			abort();
	}
}

/*
 * A signature that takes another's place in a compound file is where it would
 * be if the other was stripped before.
 */
static void
check_replaced(const struct format_file *file,
    const struct format_file *stripped)
{
	struct output *replaced = NULL;
	struct output *anew = NULL;

	if (file->format == &format_msi &&
	    check_code(format_plan(file, p7, sizeof(p7), &replaced, NULL)) ==
	        0) {
		if (format_plan(stripped, p7, sizeof(p7), &anew, NULL) < 0)
			abort();
		check_same(replaced, anew);
	}
	output_free(replaced);
	output_free(anew);
}

/*
 * Taking a signature out leaves a file of the format that has none.
 */
static void
check_strip(const struct format_file *file)
{
	struct format_options options = file->options;
	struct format_file *again = NULL;
	struct output *plan = NULL;
	struct input *in = NULL;

	options.remains = false;
	if (!file->was_signed ||
	    check_code(format_plan(file, NULL, 0, &plan, NULL)) < 0)
		return;
	in = output_as_input(plan, NULL);
	if (in == NULL ||
	    format_digest(file->format, in, &options, &again, NULL) < 0 ||
	    again->was_signed || again->size != output_size(plan))
		abort();
	check_replaced(file, again);
	format_file_free(again);
	input_free(in);
	output_free(plan);
}

/*
 * The bytes as they arrive at the shell without a spool; returns the
 * descriptor.
 */
static int
open_stream(const uint8_t *p, size_t n, struct input **in)
{
	struct input_stream how = { .spool = -1,
		.pipe = -1,
		.max_size = UINT64_MAX,
		.watch_fd = -1 };

	how.fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (how.fd < 0 || write(how.fd, p, n) != (ssize_t)n ||
	    lseek(how.fd, 0, SEEK_SET) != 0)
		abort();
	*in = input_stream(&how, NULL);
	if (*in == NULL)
		abort();
	return how.fd;
}

/*
 * What goes forward says the same of a stream: file, or NULL for a code.
 */
static void
check_stream(const struct format *format, const char *name, const uint8_t *p,
    size_t n, const struct format_options *options,
    const struct format_file *file, int code)
{
	const struct format *again;
	struct format_file *streamed = NULL;
	struct input *in;
	int fd;
	int rc;

	if (format->seeks)
		return;
	fd = open_stream(p, n, &in);
	rc = format_detect(in, name, &again, NULL);
	if (rc == 0)
		rc = format_digest(again, in, options, &streamed, NULL);
	if (rc != code || again != format ||
	    (rc == 0 &&
	        (streamed->size != file->size ||
	            streamed->was_signed != file->was_signed ||
	            streamed->content.len != file->content.len ||
	            memcmp(streamed->content.data, file->content.data,
	                file->content.len) != 0 ||
	            memcmp(streamed->digest.value, file->digest.value,
	                file->digest.length) != 0)))
		abort();
	format_file_free(streamed);
	input_free(in);
	(void)close(fd);
}

/*
 * What a file says of itself never fails, and is text.
 */
static void
check_version(const struct format_file *file)
{
	struct format_version version;

	memset(&version, 0, sizeof(version));
	if (file->format->version == NULL)
		return;
	if (file->format->version(file, &version, NULL) < 0 ||
	    !utf8_plain(version.product) || !utf8_plain(version.company) ||
	    !utf8_plain(version.version))
		abort();
}

static int
digest_file(const struct format *format, struct input *in,
    const struct format_options *options, struct format_file **file)
{
	int rc;

	rc = check_code(format_digest(format, in, options, file, NULL));
	if (rc == 0) {
		check_content(*file);
		check_version(*file);
		check_plan(*file);
		check_strip(*file);
	}
	return rc;
}

/*
 * The file against a list of page hashes, as when it is verified.
 */
static int
compare_pages(const struct format_file *file, struct cursor list)
{
	struct format_file compared;
	int rc;

	memset(&compared, 0, sizeof(compared));
	compared.format = file->format;
	compared.in = file->in;
	compared.options = file->options;
	compared.spc = file->spc;
	compared.digest.algorithm = file->digest.algorithm;
	compared.digest.length = file->digest.length;
	compared.page_hashes = list;
	rc = check_code(file->format->digest(&compared, NULL));
	file->format->clear(&compared);
	buf_free(&compared.signature);
	buf_free(&compared.content);
	return rc;
}

/*
 * The page hashes that were made are the file's, and no others are; byte n of
 * them, taken round and round, is the one that becomes another.
 */
static void
check_pages(const struct format_file *file, size_t n)
{
	struct spc_digest digest;
	struct cursor list;
	struct buf other = BUF_INIT;

	if (spc_pages_parse(file->content.data, file->content.len, &digest,
	        &list, NULL) < 0 ||
	    compare_pages(file, list) < 0)
		abort();
	buf_bytes(&other, list.p, list.left);
	if (buf_failed(&other) < 0)
		abort();
	other.data[n % other.len] ^= 1;
	if (compare_pages(file, buf_cursor(&other)) == 0)
		abort();
	buf_free(&other);
}

/*
 * With what a signature may be over besides.
 */
static void
digest_more(const struct format *format, struct input *in, const char *name,
    const uint8_t *p, size_t n)
{
	struct format_file *file;
	int rc;

	if (format == &format_pe) {
		rc = digest_file(format, in, &pages, &file);
		check_stream(format, name, p, n, &pages, file, rc);
		if (rc == 0)
			check_pages(file, n);
		format_file_free(file);
	}
	if (format == &format_msi) {
		(void)digest_file(format, in, &extended, &file);
		format_file_free(file);
	}
}

/*
 * With remains.  A file that is taken without them has none.
 */
static void
digest_remains(const struct format *format, struct input *in, const char *name,
    const uint8_t *p, size_t n, const struct format_file *plainly)
{
	static const struct format_wanted wanted = { .remains = true };
	struct format_verified verified;
	struct format_file *file;
	int rc;

	rc = digest_file(format, in, &remains, &file);
	check_stream(format, name, p, n, &remains, file, rc);
	if (plainly != NULL &&
	    (rc < 0 || file->remains.what[0] != '\0' ||
	        memcmp(file->digest.value, plainly->digest.value,
	            plainly->digest.length) != 0))
		abort();
	format_file_free(file);
	(void)check_code(format_verify(format, in, &wanted, &verified, NULL));
	format_verified_clear(&verified);
}

void
fuzz_format(const uint8_t *p, size_t n, const char *name)
{
	static bool started;
	const struct format *format;
	struct format_verified verified;
	struct format_file *file;
	struct input *in;
	int rc;

	if (!started && authenticode_init(NULL) < 0)
		abort();
	started = true;
	in = input_memory(p, n, NULL);
	if (in == NULL)
		abort();
	if (check_code(format_detect(in, name, &format, NULL)) == 0) {
		rc = digest_file(format, in, &plain, &file);
		check_stream(format, name, p, n, &plain, file, rc);
		digest_remains(format, in, name, p, n, file);
		format_file_free(file);
		digest_more(format, in, name, p, n);
		(void)check_code(
		    format_verify(format, in, NULL, &verified, NULL));
		format_verified_clear(&verified);
	}
	input_free(in);
}

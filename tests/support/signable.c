#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/signable.h"

struct input *
signable_hole(const struct buf *head, uint64_t size, FILE **file)
{
	struct ht_error e;
	struct input *in;
	int fd;

	*file = tmpfile();
	assert_non_null(*file);
	fd = fileno(*file);
	assert_int_equal(write(fd, head->data, head->len), (ssize_t)head->len);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	in = input_file(fd, &e);
	assert_non_null(in);
	return in;
}

int
signable_digest(struct input *in, const char *name,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e)
{
	static const struct format_options sha256 = { .algorithm = "sha256" };
	const struct format *format;
	int rc;

	*file = NULL;
	ht_error_clear(e);
	assert_non_null(in);
	rc = format_detect(in, name, &format, e);
	if (rc == 0)
		rc = format_digest(format, in,
		    options != NULL ? options : &sha256, file, e);
	assert_true((rc == 0) == (*file != NULL));
	return rc;
}

struct format_file *
signable_open(struct input *in, const char *name,
    const struct format_options *options)
{
	struct format_file *file;
	struct ht_error e;

	if (signable_digest(in, name, options, &file, &e) < 0)
		fail_msg("%s: %s", name != NULL ? name : "a file", e.text);
	return file;
}

int
signable_try(const void *p, size_t n, const char *name,
    const struct format_options *options, struct ht_error *e)
{
	struct input *in = input_memory(p, n, e);
	struct format_file *file;
	int rc;

	rc = signable_digest(in, name, options, &file, e);
	format_file_free(file);
	input_free(in);
	return rc;
}

void
signable_read(const struct output *plan, struct buf *out)
{
	size_t n = (size_t)output_size(plan);
	struct ht_error e;
	struct input *in = output_as_input(plan, &e);

	assert_non_null(in);
	assert_int_equal(input_copy(in, 0, buf_room(out, n), n, &e), 0);
	input_free(in);
}

void
signable_attach(const struct format_file *file, const void *p7, size_t n,
    struct buf *out)
{
	struct output *plan;
	struct ht_error e;

	if (format_plan(file, p7, n, &plan, &e) < 0)
		fail_msg("%s", e.text);
	signable_read(plan, out);
	output_free(plan);
}

int
signable_verify(const struct format *format, const struct buf *bytes,
    struct ht_error *e)
{
	struct format_verified verified;
	struct input *in = input_memory(bytes->data, bytes->len, e);
	int rc;

	assert_non_null(in);
	rc = format_verify(format, in, NULL, &verified, e);
	format_verified_clear(&verified);
	input_free(in);
	return rc;
}

bool
signable_verifies(const struct format *format, const struct buf *bytes,
    const struct buf *root, struct ht_error *e)
{
	struct format_verified verified;
	struct input *in = input_memory(bytes->data, bytes->len, e);
	int rc;

	assert_non_null(in);
	rc = format_verify(format, in, NULL, &verified, e);
	if (rc == 0)
		rc = pkcs7_verify_chain_at(verified.all[0].p7, root->data,
		    root->len - 1, time(NULL), e);
	assert_true(rc == 0 || rc == HT_ERR_DATA);
	format_verified_clear(&verified);
	input_free(in);
	return rc == 0;
}

void
signable_refused(const struct buf *bytes, uint64_t offset, const char *why)
{
	struct ht_error e;

	assert_int_equal(signable_try(bytes->data, bytes->len, NULL, NULL, &e),
	    HT_ERR_DATA);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	assert_int_equal(e.offset, offset);
}

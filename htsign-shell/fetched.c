#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "htsign-shell/fetched.h"
#include "htsign-shell/report.h"
#include "htsign-shell/tap.h"
#include "lib/input.h"
#include "lib/output.h"

struct fetched {
	int fd;
	uint64_t size;
	uint8_t sha256[TAP_SHA256];
	uint32_t length; /* of the recipe */
	struct buf recipe;
	uint8_t *chunk; /* INPUT_CHUNK bytes, of the last read */
};

struct fetched *
fetched_new(int fd, const struct protocol_file *file, struct ht_error *e)
{
	struct fetched *f = calloc(1, sizeof(*f));

	if (f == NULL || file->sha256.left != sizeof(f->sha256)) {
		(void)ht_error_set(e, HT_ERR_INTERNAL, "no file");
		free(f);
		(void)close(fd);
		return NULL;
	}
	f->fd = fd;
	f->size = file->size;
	memcpy(f->sha256, file->sha256.p, sizeof(f->sha256));
	f->length = file->length;
	f->chunk = malloc(INPUT_CHUNK);
	if (f->chunk == NULL) {
		(void)ht_error_memory(e);
		fetched_free(f);
		return NULL;
	}
	return f;
}

void
fetched_free(struct fetched *f)
{
	if (f == NULL)
		return;
	(void)close(f->fd);
	buf_free(&f->recipe);
	free(f->chunk);
	free(f);
}

int
fetched_recipe(struct fetched *f, struct cursor bytes, struct ht_error *e)
{
	buf_bytes(&f->recipe, bytes.p, bytes.left);
	if (buf_failed(&f->recipe) < 0)
		return ht_error_memory(e);
	if (f->recipe.len > f->length)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the recipe is longer than announced");
	return 0;
}

/* An input_source_fn.  The sandbox has no call that tells what a file is. */
static int
read_file(const void *cookie, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	const struct fetched *f = cookie;
	ssize_t did = pread(f->fd, f->chunk, n, (off_t)offset);

	*p = f->chunk;
	*got = did < 0 ? 0 : (size_t)did;
	return did < 0 ? ht_error_errno(e, "cannot read the file") : 0;
}

/*
 * Read all of it and compare it with what is on record.  Write it, too, unless
 * fd is -1.
 */
static int
pass(const struct fetched *f, const struct output *plan, int fd,
    struct ht_error *e)
{
	uint8_t sha256[TAP_SHA256];
	uint64_t done = 0;
	const uint8_t *p;
	struct tap tap;
	size_t n = 0;
	int rc = tap_start(&tap, e);

	for (; rc == 0 && done < output_size(plan); done += n) {
		rc = output_read(plan, done, INPUT_CHUNK, &p, &n, e);
		if (rc < 0)
			break;
		tap_bytes(&tap, p, n);
		if (fd >= 0)
			rc = report_write(fd, p, n, e);
	}
	if (rc == 0)
		rc = tap_end(&tap, sha256, e);
	tap_free(&tap);
	if (rc == 0 &&
	    (done != f->size || memcmp(sha256, f->sha256, TAP_SHA256) != 0))
		rc = ht_error_set(e, HT_ERR_DATA,
		    "what is kept is not what is on record: %s",
		    fd < 0 ? "nothing is sent" : "what was sent is wrong");
	return rc;
}

/* The disk may give other bytes to the second pass, so it compares as well. */
static int
plan_and_write(const struct fetched *f, struct output *plan, int fd,
    struct ht_error *e)
{
	int rc;

	if (f->length == 0)
		rc = output_range(plan, 0, f->size, e);
	else
		rc = output_follow(plan, buf_cursor(&f->recipe), e);
	if (rc == 0)
		rc = pass(f, plan, -1, e);
	if (rc == 0)
		rc = pass(f, plan, fd, e);
	return rc;
}

int
fetched_write(struct fetched *f, int fd, struct ht_error *e)
{
	off_t size = lseek(f->fd, 0, SEEK_END);
	struct input *in =
	    size < 0 ? NULL : input_over(read_file, f, (uint64_t)size, e);
	struct output *plan = in == NULL ? NULL : output_new(in, e);
	int rc;

	if (size < 0)
		rc = ht_error_errno(e, "cannot read the file");
	else
		rc = plan == NULL ? e->code : plan_and_write(f, plan, fd, e);
	output_free(plan);
	input_free(in);
	return rc;
}

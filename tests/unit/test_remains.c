/*
 * What is left of a signature, for every format that has remains: each cut of
 * it, bytes behind it, and free sectors.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "formats/remains.h"
#include "tests/support/signable.h"
#include "tests/support/signed.h"
#include "tests/support/upload.h"

static const struct format_options with = { .algorithm = "sha256",
	.remains = true };

/* A signed sample, and the same without its signature. */
struct pair {
	const struct signed_sample *sample;
	struct buf out;
	struct buf bare;
	size_t start; /* of the signature in out */
	struct spc_digest digest;
};

static void
read_stripped(const struct format_file *file, struct buf *out)
{
	struct output *plan;
	struct ht_error e;

	assert_int_equal(format_plan(file, NULL, 0, &plan, &e), 0);
	buf_reset(out);
	signable_read(plan, out);
	output_free(plan);
}

static void
make_pair(const struct signed_sample *sample, struct pair *pair)
{
	struct buf plain = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct ht_error e;
	struct input *in;

	memset(pair, 0, sizeof(*pair));
	pair->sample = sample;
	sample->make(&plain);
	signed_sign(sample, &signed_ours, &plain, &p7, &pair->out);
	in = input_memory(pair->out.data, pair->out.len, &e);
	file = signable_open(in, sample->file_name, &with);
	assert_string_equal(file->remains.what, "");
	pair->digest = file->digest;
	read_stripped(file, &pair->bare);
	/* A signed cabinet has a longer header. */
	pair->start =
	    pair->bare.len + (strcmp(sample->format, "cab") == 0 ? 24 : 0);
	format_file_free(file);
	input_free(in);
	buf_free(&plain);
	buf_free(&p7);
}

static void
free_pair(struct pair *pair)
{
	buf_free(&pair->out);
	buf_free(&pair->bare);
}

static bool
is_same(const struct pair *pair, const struct format_file *file)
{
	return memcmp(file->digest.value, pair->digest.value,
	           pair->digest.length) == 0;
}

/*
 * Digest bytes with remains, also as a stream.  Returns how many bytes nothing
 * covers, or -1 if it is damaged.  If it has remains of a signature, it is no
 * good without the option, and without them it is the file that was signed.
 */
static int64_t
digest_with(const struct pair *pair, const struct buf *bytes)
{
	const char *name = pair->sample->file_name;
	struct buf stripped = BUF_INIT;
	struct format_file *streamed;
	struct format_file *file;
	struct upload upload;
	struct ht_error e;
	struct input *in;
	int64_t left = -1;

	in = input_memory(bytes->data, bytes->len, &e);
	if (signable_digest(in, name, &with, &file, &e) < 0) {
		assert_int_equal(e.code, HT_ERR_DATA);
		goto out;
	}
	left = (int64_t)file->remains.bytes;
	if (file->remains.of_signature) {
		assert_int_equal(
		    signable_try(bytes->data, bytes->len, name, NULL, &e),
		    HT_ERR_DATA);
		assert_true(file->was_signed);
		read_stripped(file, &stripped);
		assert_int_equal(
		    signable_try(stripped.data, stripped.len, name, NULL, &e),
		    0);
	}
	if (is_same(pair, file) && file->remains.of_signature) {
		assert_int_equal(stripped.len, pair->bare.len);
		assert_memory_equal(stripped.data, pair->bare.data,
		    stripped.len);
	}
	if (pair->sample->streams && bytes->len % 16 == 1) {
		upload_start(&upload, bytes, UPLOAD_PIECE);
		streamed = signable_open(upload.in, name, &with);
		assert_memory_equal(streamed->digest.value, file->digest.value,
		    file->digest.length);
		assert_string_equal(streamed->remains.what, file->remains.what);
		format_file_free(streamed);
		upload_finish(&upload);
	}
	format_file_free(file);
out:
	input_free(in);
	buf_free(&stripped);
	return left;
}

static bool
same_with(const struct pair *pair, const struct buf *bytes)
{
	struct format_file *file;
	struct ht_error e;
	struct input *in = input_memory(bytes->data, bytes->len, &e);
	bool same;

	file = signable_open(in, pair->sample->file_name, &with);
	same = is_same(pair, file);
	format_file_free(file);
	input_free(in);
	return same;
}

static void
test_every_cut(void **state)
{
	struct pair pair;
	struct buf cut;
	bool wraps;
	size_t i;

	(void)state;
	for (i = 0; i < SIGNED_SAMPLES; i++) {
		if (i == 1 || !signed_samples[i].streams ||
		    strcmp(signed_samples[i].format, "cat") == 0)
			continue;
		make_pair(&signed_samples[i], &pair);
		wraps = i == 0 || i == 2;
		cut = pair.out;
		while (--cut.len >= pair.start) {
			/*
			 * A script that is cut within a line may be damaged, and
			 * one that has lost the first line has no block.
			 */
			if (digest_with(&pair, &cut) < 0) {
				assert_false(wraps);
				continue;
			}
			/* Nothing tells that so few bytes were a table. */
			if (i == 2 ||
			    (i == 0 &&
			        (cut.len == pair.start ||
			            cut.len >= pair.start + 8)))
				assert_true(same_with(&pair, &cut));
		}
		free_pair(&pair);
	}
}

static void
test_bytes_behind(void **state)
{
	static const size_t samples[] = { 0, 1, 2 };
	static const size_t sizes[] = { 1, 8, 4096, REMAINS_BEHIND_MAX,
		REMAINS_BEHIND_MAX + 1 };
	struct pair pair;
	struct buf more;
	size_t i;
	size_t j;

	(void)state;
	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		make_pair(&signed_samples[samples[i]], &pair);
		for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			more = (struct buf)BUF_INIT;
			buf_bytes(&more, pair.out.data, pair.out.len);
			buf_zeros(&more, sizes[j]);
			if (sizes[j] > REMAINS_BEHIND_MAX) {
				assert_int_equal(digest_with(&pair, &more), -1);
			} else {
				assert_int_equal(digest_with(&pair, &more),
				    sizes[j]);
				assert_true(same_with(&pair, &more));
			}
			buf_free(&more);
		}
		free_pair(&pair);
	}
}

/* Sign bytes anew; what comes must be clean. */
static void
sign_again(const struct pair *pair, const struct buf *bytes)
{
	struct format_file *file;
	struct buf again = BUF_INIT;
	struct ht_error e;
	struct input *in = input_memory(bytes->data, bytes->len, &e);
	static const uint8_t der[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };

	file = signable_open(in, pair->sample->file_name, &with);
	assert_true(is_same(pair, file));
	signable_attach(file, der, sizeof(der), &again);
	assert_int_equal(signable_try(again.data, again.len,
	                     pair->sample->file_name, NULL, &e),
	    0);
	assert_int_equal(again.len % 512, 0);
	buf_free(&again);
	format_file_free(file);
	input_free(in);
}

/* A package's last sector, cut to each length, and sectors behind it. */
static void
test_the_end_of_a_package(void **state)
{
	struct format_file *file;
	struct pair pair;
	struct buf other;
	struct ht_error e;
	struct input *in;
	size_t taken = 0;
	size_t n;

	(void)state;
	make_pair(&signed_samples[3], &pair);
	for (n = 1; n < 512; n++) {
		other = pair.out;
		other.len -= n;
		assert_int_equal(
		    signable_try(other.data, other.len, NULL, NULL, &e),
		    HT_ERR_DATA);
		in = input_memory(other.data, other.len, &e);
		if (signable_digest(in, NULL, &with, &file, &e) == 0) {
			assert_false(file->remains.of_signature);
			assert_int_equal(file->remains.bytes, 0);
			format_file_free(file);
			sign_again(&pair, &other);
			taken++;
		}
		input_free(in);
	}
	for (n = 1; n <= 1024; n += 341) {
		other = (struct buf)BUF_INIT;
		buf_bytes(&other, pair.out.data, pair.out.len);
		buf_zeros(&other, n - 1);
		buf_u8(&other, 0x2a);
		assert_int_equal(digest_with(&pair, &other), n);
		sign_again(&pair, &other);
		buf_free(&other);
	}
	assert_true(taken > 0);
	free_pair(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_bytes_behind),
		cmocka_unit_test(test_the_end_of_a_package),
	};

	return cmocka_run_group_tests(tests, signed_start, signed_stop);
}

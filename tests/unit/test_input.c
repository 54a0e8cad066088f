#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/input.h"
#include "lib/output.h"

#define SIZE ((size_t)1500 << 10)

static uint8_t sample[SIZE];

/* What a tap saw, and in which order. */
struct seen {
	uint8_t *bytes;
	size_t n;
};

static void
see(void *cookie, const uint8_t *p, size_t n)
{
	struct seen *seen = cookie;

	assert_true(n > 0 && seen->n + n <= SIZE);
	memcpy(seen->bytes + seen->n, p, n);
	seen->n += n;
}

/*
 * A child that writes n bytes of the sample to the pipe whose other end is
 * returned, pauses where told, and then holds it open for linger seconds.
 */
static int
feed_pipe(size_t n, unsigned int linger, pid_t *child)
{
	int ends[2];
	size_t done = 0;
	ssize_t did;

	assert_int_equal(pipe(ends), 0);
	*child = fork();
	assert_true(*child >= 0);
	if (*child == 0) {
		(void)close(ends[0]);
		(void)signal(SIGPIPE, SIG_DFL);
		while (done < n) {
			did = write(ends[1], sample + done, n - done);
			if (did < 0)
				_exit(1);
			done += (size_t)did;
		}
		if (linger > 0)
			(void)sleep(linger);
		_exit(0);
	}
	(void)close(ends[1]);
	return ends[0];
}

static void
reap(pid_t child)
{
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static int
spool_file(void)
{
	char path[] = "/tmp/test-input.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static struct input_stream
over(int fd)
{
	return (struct input_stream){
		.pipe = -1,
		.fd = fd,
		.spool = -1,
		.max_size = SIZE,
		.idle = 5,
		.watch_fd = -1,
	};
}

static void
expect(struct input *in, uint64_t offset, size_t n)
{
	struct ht_error e;
	const uint8_t *p;
	size_t got;
	size_t want = offset >= SIZE ? 0
	    : n > SIZE - offset      ? (size_t)(SIZE - offset)
	                             : n;

	assert_int_equal(input_read(in, offset, n, &p, &got, &e), 0);
	assert_int_equal(got, want);
	if (got > 0)
		assert_memory_equal(p, sample + offset, got);
}

static void
test_stream_forward(void **state)
{
	struct seen seen = { malloc(SIZE), 0 };
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t offset;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(SIZE, 0, &child);

	(void)state;
	how = over(fd);
	in = input_stream(&how, &e);
	assert_non_null(in);
	assert_int_equal(input_descriptor(in), -1);
	assert_int_equal(input_tap(in, see, &seen, &e), 0);
	expect(in, 0, 2);
	assert_int_equal(input_tap(in, see, &seen, &e), HT_ERR_INTERNAL);
	expect(in, 300, 40000);
	for (offset = 7; offset < SIZE; offset += 100000)
		expect(in, offset, 100000);
	/* The head is there for good, the middle is not. */
	expect(in, 0, INPUT_HEAD);
	expect(in, 1234, 10);
	assert_int_equal(input_copy(in, INPUT_HEAD + 5, &offset, 8, &e),
	    HT_ERR_INTERNAL);
	expect(in, SIZE - 10, 100);
	expect(in, SIZE, 1);
	assert_int_equal(input_drain(in, &size, &e), 0);
	assert_int_equal(size, SIZE);
	assert_int_equal(seen.n, SIZE);
	assert_memory_equal(seen.bytes, sample, SIZE);
	free(seen.bytes);
	input_free(in);
	(void)close(fd);
	reap(child);
}

static void
test_stream_skips_and_drains(void **state)
{
	struct seen seen = { malloc(SIZE), 0 };
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(SIZE, 0, &child);

	(void)state;
	how = over(fd);
	in = input_stream(&how, &e);
	assert_int_equal(input_tap(in, see, &seen, &e), 0);
	expect(in, 900000, INPUT_CHUNK);
	expect(in, 900000, 1000);
	assert_int_equal(input_drain(in, &size, &e), 0);
	assert_int_equal(size, SIZE);
	assert_int_equal(seen.n, SIZE);
	assert_memory_equal(seen.bytes, sample, SIZE);
	free(seen.bytes);
	input_free(in);
	(void)close(fd);
	reap(child);
}

static void
test_stream_spool_reads_back(void **state)
{
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(SIZE, 0, &child);
	int i;

	(void)state;
	how = over(fd);
	how.spool = spool_file();
	in = input_stream(&how, &e);
	assert_true(input_descriptor(in) >= 0);
	assert_int_equal(input_drain(in, &size, &e), 0);
	srandom(1);
	for (i = 0; i < 200; i++)
		expect(in, (uint64_t)random() % (SIZE + 10),
		    (size_t)random() % INPUT_CHUNK + 1);
	input_free(in);
	(void)close(how.spool);
	(void)close(fd);
	reap(child);
}

/* A spool that comes when the start has been read; and too late. */
static void
test_stream_spool_later(void **state)
{
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(SIZE, 0, &child);
	int spool = spool_file();

	(void)state;
	how = over(fd);
	in = input_stream(&how, &e);
	expect(in, 100, INPUT_HEAD - 100);
	assert_int_equal(input_spool(in, spool, &e), 0);
	assert_true(input_descriptor(in) >= 0);
	assert_int_equal(input_spool(in, spool, &e), 0);
	assert_int_equal(input_drain(in, &size, &e), 0);
	assert_int_equal(lseek(spool, 0, SEEK_END), SIZE);
	expect(in, 0, INPUT_CHUNK);
	expect(in, INPUT_HEAD + 1, INPUT_CHUNK);
	expect(in, SIZE / 2, INPUT_CHUNK);
	input_free(in);
	(void)close(fd);
	reap(child);

	fd = feed_pipe(SIZE, 0, &child);
	how = over(fd);
	in = input_stream(&how, &e);
	expect(in, SIZE - 10, 10);
	assert_int_equal(input_spool(in, spool, &e), HT_ERR_INTERNAL);
	assert_int_equal(input_descriptor(in), -1);
	input_free(in);
	(void)close(spool);
	(void)close(fd);
	reap(child);
}

static void
test_stream_refuses_the_byte_beyond(void **state)
{
	struct seen seen = { malloc(SIZE), 0 };
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(100001, 0, &child);

	(void)state;
	how = over(fd);
	how.max_size = 100000;
	in = input_stream(&how, &e);
	assert_int_equal(input_tap(in, see, &seen, &e), 0);
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_REFUSED);
	assert_int_equal(e.offset, 100000);
	assert_int_equal(seen.n, 100000);
	/* It stays refused: the next read must not go on behind the byte. */
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_REFUSED);
	free(seen.bytes);
	input_free(in);
	(void)close(fd);
	reap(child);
}

static void
test_stream_of_exactly_max_size(void **state)
{
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(100000, 0, &child);

	(void)state;
	how = over(fd);
	how.max_size = 100000;
	in = input_stream(&how, &e);
	assert_int_equal(input_drain(in, &size, &e), 0);
	assert_int_equal(size, 100000);
	input_free(in);
	(void)close(fd);
	reap(child);
}

static void
test_stream_stalls(void **state)
{
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int fd = feed_pipe(1000, 30, &child);

	(void)state;
	how = over(fd);
	how.idle = 1;
	in = input_stream(&how, &e);
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "stalled"));
	input_free(in);
	(void)close(fd);
	reap(child);
}

/* A byte each 50 ms, for three seconds; before them so many at once. */
static int
feed_slowly(size_t first, pid_t *child)
{
	static const uint8_t zeros[65536];
	const struct timespec wait = { .tv_nsec = 50000000 };
	int pair[2];
	int i;

	assert_int_equal(pipe(pair), 0);
	*child = fork();
	assert_true(*child >= 0);
	if (*child == 0) {
		(void)close(pair[0]);
		(void)signal(SIGPIPE, SIG_DFL);
		if (write(pair[1], zeros, first) != (ssize_t)first)
			_exit(1);
		for (i = 0; i < 60; i++)
			if (write(pair[1], zeros, 1) != 1 ||
			    nanosleep(&wait, NULL) < 0)
				_exit(1);
		_exit(0);
	}
	(void)close(pair[1]);
	return pair[0];
}

static int
drain_slowly(size_t first, unsigned int least, uint64_t *size,
    struct ht_error *e)
{
	struct input_stream how;
	struct input *in;
	pid_t child;
	int fd = feed_slowly(first, &child);
	int rc;

	how = over(fd);
	how.least = least;
	how.slow_after = 1;
	in = input_stream(&how, e);
	rc = input_drain(in, size, e);
	input_free(in);
	(void)close(fd);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	return rc;
}

static void
test_stream_is_too_slow(void **state)
{
	struct ht_error e;
	uint64_t size;

	(void)state;
	assert_int_equal(drain_slowly(0, 1000, &size, &e), HT_ERR_TEMPORARY);
	assert_non_null(strstr(e.text, "too slow"));
	assert_non_null(strstr(e.text, "1000 are the least"));
	assert_int_equal(drain_slowly(0, 0, &size, &e), 0);
	assert_int_equal(size, 60);
	/* What counts is the average, from the first byte on. */
	assert_int_equal(drain_slowly(10000, 1000, &size, &e), 0);
	assert_int_equal(size, 10060);
}

static int
refuse(void *cookie, struct ht_error *e)
{
	char byte;

	assert_int_equal(read(*(int *)cookie, &byte, 1), 1);
	if (byte == '.')
		return 0;
	return ht_error_set(e, HT_ERR_DENIED, "revoked");
}

static void
test_stream_watch(void **state)
{
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int watched[2];
	int fd = feed_pipe(1000, 30, &child);

	(void)state;
	assert_int_equal(pipe(watched), 0);
	assert_int_equal(write(watched[1], "..!", 3), 3);
	how = over(fd);
	how.watch_fd = watched[0];
	how.watch = refuse;
	how.watch_cookie = &watched[0];
	in = input_stream(&how, &e);
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_DENIED);
	assert_string_equal(e.text, "revoked");
	input_free(in);
	(void)close(watched[0]);
	(void)close(watched[1]);
	(void)close(fd);
	reap(child);
}

/* Drain what is passed on to a pipe that nobody reads from. */
static int
pass_on(const struct input_stream *how, uint64_t *size, struct ht_error *e)
{
	struct input_stream passing = *how;
	struct input *in;
	pid_t child;
	int ends[2], rc;

	passing.fd = feed_pipe(SIZE, 0, &child);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	passing.pipe = ends[1];
	passing.pipe_idle = 1;
	in = input_stream(&passing, e);
	rc = input_drain(in, size, e);
	input_free(in);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(passing.fd);
	(void)waitpid(child, NULL, 0);
	return rc;
}

static void
test_stream_pipe_stalls(void **state)
{
	struct input_stream how = over(-1);
	struct ht_error e;
	uint64_t size;
	int watched[2];

	(void)state;
	assert_int_equal(pass_on(&how, &size, &e), HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text,
	    "the upload cannot be passed on: not a byte for 1 seconds");
	/* Meanwhile keyd is heard. */
	assert_int_equal(pipe(watched), 0);
	assert_int_equal(write(watched[1], "!", 1), 1);
	how.watch_fd = watched[0];
	how.watch = refuse;
	how.watch_cookie = &watched[0];
	assert_int_equal(pass_on(&how, &size, &e), HT_ERR_DENIED);
	(void)close(watched[0]);
	(void)close(watched[1]);
}

static void
test_stream_spool_without_room(void **state)
{
	struct rlimit small = { 50000, RLIM_INFINITY };
	struct rlimit before;
	struct ht_error e;
	struct input_stream how;
	struct input *in;
	uint64_t size;
	pid_t child;
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	int fd = feed_pipe(200000, 0, &child);

	(void)state;
	how = over(fd);
	how.spool = full;
	in = input_stream(&how, &e);
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "no room"));
	input_free(in);

	/* Programs ignore SIGXFSZ from proc_harden on. */
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	how.spool = spool_file();
	in = input_stream(&how, &e);
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_UNAVAILABLE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(e.text, "no room"));
	input_free(in);
	(void)close(how.spool);
	(void)close(full);
	(void)close(fd);
	reap(child);
}

static void
test_stream_bad_descriptor(void **state)
{
	struct ht_error e;
	struct input_stream how = over(-1);
	struct input *in;
	uint64_t size;
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	how.fd = fd;
	in = input_stream(&how, &e);
	assert_int_equal(input_drain(in, &size, &e), HT_ERR_INTERNAL);
	input_free(in);
	assert_null(input_file(fd, &e));
	assert_null(input_file(-1, &e));
	(void)close(fd);
}

static void
test_file(void **state)
{
	struct seen seen = { malloc(SIZE), 0 };
	struct ht_error e;
	struct input *in;
	uint64_t size;
	uint8_t *copy = malloc(SIZE);
	int fd = spool_file();

	(void)state;
	assert_int_equal(write(fd, sample, SIZE), SIZE);
	in = input_file(fd, &e);
	assert_true(input_descriptor(in) >= 0);
	assert_int_equal(input_tap(in, see, &seen, &e), 0);
	expect(in, SIZE - 5, 100);
	expect(in, 0, 100);
	expect(in, 50, 100);
	assert_int_equal(seen.n, 150);
	expect(in, 5000, 100);
	assert_int_equal(seen.n, 150);
	assert_int_equal(input_drain(in, &size, &e), 0);
	assert_int_equal(size, SIZE);
	assert_int_equal(seen.n, SIZE);
	assert_memory_equal(seen.bytes, sample, SIZE);
	assert_int_equal(input_copy(in, 0, copy, SIZE, &e), 0);
	assert_memory_equal(copy, sample, SIZE);
	assert_int_equal(input_copy(in, 1, copy, SIZE, &e), HT_ERR_DATA);
	assert_int_equal(e.offset, SIZE);
	/* It shrinks while it is read. */
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(input_copy(in, 0, copy, 100, &e), HT_ERR_DATA);
	free(copy);
	free(seen.bytes);
	input_free(in);
	(void)close(fd);
}

static void
test_memory_and_limits(void **state)
{
	struct ht_error e;
	struct input *in = input_memory(sample, SIZE, &e);
	const uint8_t *p;
	size_t got;

	(void)state;
	expect(in, 17, 1000);
	expect(in, SIZE + 1, 1000);
	assert_int_equal(input_read(in, 0, INPUT_CHUNK + 1, &p, &got, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(input_read(in, UINT64_MAX, 2, &p, &got, &e),
	    HT_ERR_INTERNAL);
	input_free(in);
	in = input_memory(NULL, 0, &e);
	assert_int_equal(input_read(in, 0, 1, &p, &got, &e), 0);
	assert_int_equal(got, 0);
	input_free(in);
}

/*
 * The sample with "hello" in the place of its bytes 1000 to 1999, and behind.
 */
static struct output *
make_plan(struct input *in, uint8_t *expected, size_t *n)
{
	static const char borrowed[] = "hell, o";
	struct ht_error e;
	struct output *plan = output_new(in, &e);

	assert_int_equal(output_range(plan, 0, 600, &e), 0);
	assert_int_equal(output_range(plan, 600, 400, &e), 0);
	assert_int_equal(output_literal(plan, "hel", 3, &e), 0);
	assert_int_equal(output_literal(plan, "lo", 2, &e), 0);
	assert_int_equal(output_range(plan, 2000, SIZE - 2000, &e), 0);
	/* These stand one behind the other, and apart. */
	assert_int_equal(output_borrowed(plan, borrowed, 2, &e), 0);
	assert_int_equal(output_borrowed(plan, borrowed + 2, 0, &e), 0);
	assert_int_equal(output_borrowed(plan, borrowed + 2, 2, &e), 0);
	assert_int_equal(output_borrowed(plan, borrowed + 6, 1, &e), 0);
	memcpy(expected, sample, 1000);
	memcpy(expected + 1000, "hello", 5);
	memcpy(expected + 1005, sample + 2000, SIZE - 2000);
	memcpy(expected + 1005 + SIZE - 2000, "hello", 5);
	*n = SIZE - 990;
	assert_int_equal(output_size(plan), *n);
	return plan;
}

static void
test_plan_reads_as_a_file(void **state)
{
	uint8_t *expected = malloc(SIZE);
	struct seen seen = { malloc(SIZE), 0 };
	struct ht_error e;
	struct input *in = input_memory(sample, SIZE, &e);
	struct input *again;
	struct output *plan;
	const uint8_t *p;
	uint64_t size;
	uint64_t at;
	size_t got;
	size_t n;
	int i;

	(void)state;
	assert_non_null(expected);
	plan = make_plan(in, expected, &n);
	again = output_as_input(plan, &e);
	assert_int_equal(input_tap(again, see, &seen, &e), 0);
	srandom(2);
	for (i = 0; i < 300; i++) {
		at = (uint64_t)random() % (i < 100 ? 3000 : n);
		assert_int_equal(input_read(again, at,
		                     (size_t)random() % INPUT_CHUNK + 1, &p,
		                     &got, &e),
		    0);
		assert_true(got > 0 && at + got <= n);
		assert_memory_equal(p, expected + at, got);
	}
	assert_int_equal(input_drain(again, &size, &e), 0);
	assert_int_equal(size, n);
	assert_int_equal(seen.n, n);
	assert_memory_equal(seen.bytes, expected, n);
	input_free(again);
	output_free(plan);

	/* A plan that asks for what is not there. */
	plan = output_new(in, &e);
	assert_int_equal(output_range(plan, SIZE - 1, 2, &e), 0);
	assert_int_equal(output_read(plan, 0, 2, &p, &got, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(output_range(plan, 5, UINT64_MAX, &e),
	    HT_ERR_INTERNAL);
	output_free(plan);
	input_free(in);
	free(seen.bytes);
	free(expected);
}

/* Each start of a recipe is a recipe, or is refused. */
static void
test_plan_from_its_recipe(void **state)
{
	struct buf recipe = BUF_INIT;
	uint8_t *expected = malloc(SIZE);
	struct ht_error e;
	struct input *in = input_memory(sample, SIZE, &e);
	struct output *plan;
	const uint8_t *p;
	size_t got, n, i, good = 0;

	(void)state;
	assert_non_null(expected);
	plan = make_plan(in, expected, &n);
	output_recipe(plan, &recipe);
	output_free(plan);
	for (i = 0; i <= recipe.len; i++) {
		plan = output_new(in, &e);
		if (output_follow(plan, cursor_over(recipe.data, i), &e) == 0)
			good++;
		else
			assert_int_equal(e.code, HT_ERR_DATA);
		if (i < recipe.len)
			output_free(plan);
	}
	assert_int_equal(good, 7); /* none, and after each of six */
	assert_int_equal(output_size(plan), n);
	assert_int_equal(output_read(plan, 900, 2000, &p, &got, &e), 0);
	assert_memory_equal(p, expected + 900, got);
	assert_int_equal(output_read(plan, n - 100, 100, &p, &got, &e), 0);
	assert_memory_equal(p, expected + n - 100, 100);
	output_free(plan);
	plan = output_new(in, &e);
	assert_int_equal(output_follow(plan, cursor_over("\2", 1), &e),
	    HT_ERR_DATA);
	output_free(plan);
	buf_free(&recipe);
	input_free(in);
	free(expected);
}

static void
test_plan_is_written(void **state)
{
	uint8_t *expected = malloc(SIZE);
	uint8_t *found = malloc(SIZE);
	struct ht_error e;
	struct input *in = input_memory(sample, SIZE, &e);
	struct output *plan;
	uint64_t written;
	size_t n;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int fd = spool_file();
	int ends[2];

	(void)state;
	assert_non_null(expected);
	plan = make_plan(in, expected, &n);
	assert_int_equal(output_write(plan, fd, 5, &written, &e), 0);
	assert_int_equal(written, n);
	assert_int_equal(pread(fd, found, SIZE, 0), n);
	assert_memory_equal(found, expected, n);

	assert_int_equal(output_write(plan, full, 5, &written, &e),
	    HT_ERR_UNAVAILABLE);
	assert_int_equal(written, 0);

	/* A reader that stalls, and one that is gone. */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(output_write(plan, ends[1], 1, &written, &e),
	    HT_ERR_UNAVAILABLE);
	assert_true(written > 0 && written < n);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	(void)close(ends[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(output_write(plan, ends[1], 1, &written, &e),
	    HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "gone"));
	(void)close(ends[1]);
	(void)close(full);
	(void)close(fd);
	output_free(plan);
	input_free(in);
	free(expected);
	free(found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_forward),
		cmocka_unit_test(test_stream_skips_and_drains),
		cmocka_unit_test(test_stream_spool_reads_back),
		cmocka_unit_test(test_stream_spool_later),
		cmocka_unit_test(test_stream_refuses_the_byte_beyond),
		cmocka_unit_test(test_stream_of_exactly_max_size),
		cmocka_unit_test(test_stream_stalls),
		cmocka_unit_test(test_stream_is_too_slow),
		cmocka_unit_test(test_stream_watch),
		cmocka_unit_test(test_stream_pipe_stalls),
		cmocka_unit_test(test_stream_spool_without_room),
		cmocka_unit_test(test_stream_bad_descriptor),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_memory_and_limits),
		cmocka_unit_test(test_plan_reads_as_a_file),
		cmocka_unit_test(test_plan_from_its_recipe),
		cmocka_unit_test(test_plan_is_written),
	};
	size_t i;

	for (i = 0; i < SIZE; i++)
		sample[i] = (uint8_t)((i * 2654435761U) >> 13);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

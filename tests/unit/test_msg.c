#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fds.h"
#include "lib/msg.h"

/* A channel, and the bare other end of its socket. */
struct ends {
	struct msg_channel *ch;
	int other;
};

static void
open_ends(struct ends *ends)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	ends->ch = msg_channel_new(fd[0]);
	assert_non_null(ends->ch);
	assert_int_equal(msg_channel_fd(ends->ch), fd[0]);
	ends->other = fd[1];
}

static void
close_ends(struct ends *ends)
{
	msg_channel_free(ends->ch);
	if (ends->other >= 0)
		assert_int_equal(close(ends->other), 0);
}

/* How many descriptors this process has. */
static int
count_fds(void)
{
	int n = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n++;
	return n;
}

static void
put_frame(struct buf *b, uint16_t type, uint32_t tag, const char *body)
{
	buf_u32be(b, (uint32_t)(6 + strlen(body)));
	buf_u16be(b, type);
	buf_u32be(b, tag);
	buf_bytes(b, body, strlen(body));
}

static void
send_bytes(int fd, const struct buf *b)
{
	assert_int_equal(write(fd, b->data, b->len), (ssize_t)b->len);
}

static void
expect_frame(struct msg_channel *ch, uint16_t type, uint32_t tag,
    const char *body, size_t nfds)
{
	struct ht_error e;
	struct msg m;

	assert_int_equal(msg_next(ch, &m, &e), 1);
	assert_int_equal(m.type, type);
	assert_int_equal(m.tag, tag);
	assert_true(cursor_is(m.body, body));
	assert_int_equal(m.nfds, nfds);
	msg_close_fds(&m);
}

static void
expect_none(struct msg_channel *ch)
{
	struct ht_error e;
	struct msg m;

	assert_int_equal(msg_next(ch, &m, &e), 0);
}

static void
frames_are_bytes_on_the_wire(void **state)
{
	static const uint8_t wire[] = { 0, 0, 0, 9, 0x12, 0x34, 0xde, 0xad,
		0xbe, 0xef, 'a', 'b', 'c' };
	uint8_t got[sizeof(wire) + 1];
	struct buf body = BUF_INIT;
	struct ht_error e;
	struct ends ends;

	(void)state;
	open_ends(&ends);
	buf_bytes(&body, "abc", 3);
	assert_int_equal(
	    msg_queue(ends.ch, 0x1234, 0xdeadbeef, &body, NULL, 0, &e), 0);
	assert_true(msg_pending(ends.ch));
	assert_int_equal(msg_flush(ends.ch, &e), 0);
	assert_false(msg_pending(ends.ch));
	assert_int_equal(read(ends.other, got, sizeof(got)),
	    (ssize_t)sizeof(wire));
	assert_memory_equal(got, wire, sizeof(wire));
	buf_free(&body);
	close_ends(&ends);
}

static void
several_at_once(void **state)
{
	struct buf b = BUF_INIT;
	struct ends ends;

	(void)state;
	open_ends(&ends);
	put_frame(&b, 1, 10, "first");
	put_frame(&b, 2, 20, "");
	put_frame(&b, 3, 30, "third");
	send_bytes(ends.other, &b);
	expect_frame(ends.ch, 1, 10, "first", 0);
	expect_frame(ends.ch, 2, 20, "", 0);
	expect_frame(ends.ch, 3, 30, "third", 0);
	expect_none(ends.ch);
	buf_free(&b);
	close_ends(&ends);
}

static void
every_byte_alone(void **state)
{
	struct buf b = BUF_INIT;
	struct ends ends;
	size_t i;

	(void)state;
	open_ends(&ends);
	put_frame(&b, 7, 8, "one by one");
	put_frame(&b, 9, 10, "again");
	for (i = 0; i < b.len; i++) {
		if (i == 20)
			expect_frame(ends.ch, 7, 8, "one by one", 0);
		expect_none(ends.ch);
		assert_int_equal(write(ends.other, b.data + i, 1), 1);
	}
	expect_frame(ends.ch, 9, 10, "again", 0);
	buf_free(&b);
	close_ends(&ends);
}

static void
lengths_out_of_range(void **state)
{
	static const uint32_t bad[] = { 0, 1, 5, MSG_MAX - 3, MSG_MAX, 1 << 24,
		0x7fffffff, 0x80000000, 0xffffffff };
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	struct msg m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		open_ends(&ends);
		buf_u32be(&b, bad[i]);
		buf_zeros(&b, 100);
		send_bytes(ends.other, &b);
		assert_int_equal(msg_next(ends.ch, &m, &e), HT_ERR_DATA);
		/* It does not find its way again. */
		assert_int_equal(msg_next(ends.ch, &m, &e), HT_ERR_DATA);
		buf_reset(&b);
		close_ends(&ends);
	}
	buf_free(&b);
}

static void
largest_frame(void **state)
{
	struct buf body = BUF_INIT;
	struct msg_channel *other;
	struct ht_error e;
	struct ends ends;
	struct msg m;
	int rounds = 0;
	int rc;

	(void)state;
	open_ends(&ends);
	other = msg_channel_new(ends.other);
	ends.other = -1;
	buf_zeros(&body, MSG_BODY_MAX - 1);
	buf_u8(&body, 'z');
	assert_int_equal(msg_queue(ends.ch, 1, 2, &body, NULL, 0, &e), 0);
	/* The socket may be smaller than the frame. */
	do {
		assert_int_equal(msg_flush(ends.ch, &e), 0);
		rc = msg_next(other, &m, &e);
		assert_true(rounds++ < 100);
	} while (rc == 0);
	assert_int_equal(rc, 1);
	assert_int_equal(m.body.left, MSG_BODY_MAX);
	assert_int_equal(m.body.p[MSG_BODY_MAX - 1], 'z');
	assert_false(msg_pending(ends.ch));

	buf_u8(&body, 'x');
	assert_int_equal(msg_queue(ends.ch, 1, 2, &body, NULL, 0, &e),
	    HT_ERR_INTERNAL);
	assert_false(msg_pending(ends.ch));
	buf_free(&body);
	msg_channel_free(other);
	close_ends(&ends);
}

static void
reader_that_does_not_read(void **state)
{
	struct buf body = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	size_t i;

	(void)state;
	open_ends(&ends);
	buf_zeros(&body, MSG_BODY_MAX);
	for (i = 0; i < 64; i++)
		assert_int_equal(msg_queue(ends.ch, 1, 2, &body, NULL, 0, &e),
		    0);
	assert_int_equal(msg_flush(ends.ch, &e), 0);
	assert_true(msg_pending(ends.ch));
	assert_int_equal(close(ends.other), 0);
	ends.other = -1;
	assert_int_equal(msg_flush(ends.ch, &e), HT_ERR_UNAVAILABLE);
	assert_int_equal(msg_drain(ends.ch, -1, &e), HT_ERR_UNAVAILABLE);
	buf_free(&body);
	close_ends(&ends);
}

static void
peer_gone(void **state)
{
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	struct msg m;
	size_t n;

	(void)state;
	put_frame(&b, 1, 2, "body");
	for (n = 0; n < b.len; n++) {
		open_ends(&ends);
		assert_int_equal(write(ends.other, b.data, n), (ssize_t)n);
		assert_int_equal(close(ends.other), 0);
		ends.other = -1;
		assert_int_equal(msg_next(ends.ch, &m, &e), HT_ERR_UNAVAILABLE);
		assert_true(
		    (strstr(e.text, "within a frame") != NULL) == (n > 0));
		close_ends(&ends);
	}
	/* What came whole is still delivered. */
	open_ends(&ends);
	send_bytes(ends.other, &b);
	assert_int_equal(close(ends.other), 0);
	ends.other = -1;
	expect_frame(ends.ch, 1, 2, "body", 0);
	assert_int_equal(msg_next(ends.ch, &m, &e), HT_ERR_UNAVAILABLE);
	close_ends(&ends);
	buf_free(&b);
}

static void
expect_same_file(int a, int b)
{
	struct stat sa, sb;

	assert_int_equal(fstat(a, &sa), 0);
	assert_int_equal(fstat(b, &sb), 0);
	assert_true(sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

static void
descriptors_stay_with_their_frame(void **state)
{
	int before = count_fds();
	struct msg_channel *other;
	struct ht_error e;
	struct ends ends;
	struct msg m;
	int pair[2];

	(void)state;
	open_ends(&ends);
	other = msg_channel_new(ends.other);
	ends.other = -1;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(msg_queue(other, 1, 0, NULL, NULL, 0, &e), 0);
	assert_int_equal(msg_queue(other, 2, 0, NULL, pair, 1, &e), 0);
	assert_int_equal(msg_queue(other, 3, 0, NULL, NULL, 0, &e), 0);
	assert_int_equal(msg_queue(other, 4, 0, NULL, pair, 2, &e), 0);
	assert_int_equal(msg_flush(other, &e), 0);

	expect_frame(ends.ch, 1, 0, "", 0);
	assert_int_equal(msg_next(ends.ch, &m, &e), 1);
	assert_int_equal(m.type, 2);
	assert_int_equal(m.nfds, 1);
	expect_same_file(m.fd[0], pair[0]);
	assert_int_equal(fcntl(m.fd[0], F_GETFD), FD_CLOEXEC);
	msg_close_fds(&m);
	expect_frame(ends.ch, 3, 0, "", 0);
	assert_int_equal(msg_next(ends.ch, &m, &e), 1);
	assert_int_equal(m.type, 4);
	assert_int_equal(m.nfds, 2);
	expect_same_file(m.fd[0], pair[0]);
	expect_same_file(m.fd[1], pair[1]);
	/* A descriptor that was taken is not closed. */
	assert_int_equal(close(m.fd[0]), 0);
	m.fd[0] = -1;
	msg_close_fds(&m);

	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
	msg_channel_free(other);
	close_ends(&ends);
	assert_int_equal(count_fds(), before);
}

static void
descriptors_with_a_slow_frame(void **state)
{
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	struct msg m;

	(void)state;
	open_ends(&ends);
	put_frame(&b, 5, 6, "slow");
	assert_true(fds_send(ends.other, b.data, 1, &ends.other, 1) > 0);
	expect_none(ends.ch);
	assert_int_equal(write(ends.other, b.data + 1, b.len - 1),
	    (ssize_t)b.len - 1);
	assert_int_equal(msg_next(ends.ch, &m, &e), 1);
	assert_int_equal(m.nfds, 1);
	expect_same_file(m.fd[0], ends.other);
	msg_close_fds(&m);
	buf_free(&b);
	close_ends(&ends);
}

static void
descriptors_in_the_middle(void **state)
{
	int before = count_fds();
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	struct msg m;
	size_t at;

	(void)state;
	put_frame(&b, 5, 6, "body");
	/* Within the header the kernel does not tell where they came. */
	for (at = MSG_HEADER; at < b.len; at++) {
		open_ends(&ends);
		assert_int_equal(write(ends.other, b.data, at), (ssize_t)at);
		assert_true(fds_send(ends.other, b.data + at, b.len - at,
		                &ends.other, 1) > 0);
		assert_int_equal(msg_next(ends.ch, &m, &e), HT_ERR_DATA);
		close_ends(&ends);
		assert_int_equal(count_fds(), before);
	}
	buf_free(&b);
}

static void
too_many_descriptors(void **state)
{
	int before = count_fds();
	int fds[MSG_FDS + 1] = { 0, 0, 0, 0, 0 };
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	struct msg m;

	(void)state;
	open_ends(&ends);
	put_frame(&b, 5, 6, "body");
	assert_true(fds_send(ends.other, b.data, b.len, fds, MSG_FDS + 1) > 0);
	assert_int_equal(msg_next(ends.ch, &m, &e), HT_ERR_DATA);
	assert_int_equal(msg_queue(ends.ch, 1, 2, NULL, fds, MSG_FDS + 1, &e),
	    HT_ERR_INTERNAL);
	close_ends(&ends);
	buf_free(&b);
	assert_int_equal(count_fds(), before);
}

/* What is queued or has come by halves is closed with the channel. */
static void
nothing_is_left(void **state)
{
	int before = count_fds();
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	int bad = -1;

	(void)state;
	open_ends(&ends);
	put_frame(&b, 5, 6, "body");
	assert_int_equal(msg_queue(ends.ch, 1, 2, &b, &ends.other, 1, &e), 0);
	assert_int_equal(msg_queue(ends.ch, 1, 2, &b, &bad, 1, &e),
	    HT_ERR_INTERNAL);
	assert_true(fds_send(ends.other, b.data, 3, &ends.other, 1) > 0);
	expect_none(ends.ch);
	close_ends(&ends);
	buf_free(&b);
	assert_int_equal(count_fds(), before);
	msg_channel_free(NULL);
}

static void
waiting(void **state)
{
	struct buf b = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	struct msg m;

	(void)state;
	open_ends(&ends);
	assert_int_equal(msg_wait(ends.ch, &m, 20, &e), HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "in time"));
	put_frame(&b, 5, 6, "body");
	/* Half a frame is no answer. */
	assert_int_equal(write(ends.other, b.data, 5), 5);
	assert_int_equal(msg_wait(ends.ch, &m, 20, &e), HT_ERR_UNAVAILABLE);
	assert_int_equal(write(ends.other, b.data + 5, b.len - 5),
	    (ssize_t)b.len - 5);
	assert_int_equal(msg_wait(ends.ch, &m, -1, &e), 1);
	assert_true(cursor_is(m.body, "body"));
	buf_free(&b);
	close_ends(&ends);
}

/* A child that reads late: msg_drain waits for it. */
static void
draining(void **state)
{
	struct buf body = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	char bytes[4096];
	ssize_t n;
	pid_t child;
	size_t i;

	(void)state;
	open_ends(&ends);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		msg_channel_free(ends.ch);
		(void)usleep(50000);
		do {
			n = read(ends.other, bytes, sizeof(bytes));
		} while (n > 0);
		_exit(0);
	}
	assert_int_equal(close(ends.other), 0);
	ends.other = -1;
	buf_zeros(&body, MSG_BODY_MAX);
	for (i = 0; i < 32; i++)
		assert_int_equal(msg_queue(ends.ch, 1, 2, &body, NULL, 0, &e),
		    0);
	assert_int_equal(msg_drain(ends.ch, -1, &e), 0);
	assert_false(msg_pending(ends.ch));
	buf_free(&body);
	close_ends(&ends);
}

/* Nobody reads: what the socket does not take waits no longer than that. */
static void
draining_in_vain(void **state)
{
	struct buf body = BUF_INIT;
	struct ht_error e;
	struct ends ends;
	int i;

	(void)state;
	open_ends(&ends);
	buf_zeros(&body, MSG_BODY_MAX);
	for (i = 0; i < 32; i++)
		assert_int_equal(msg_queue(ends.ch, 1, 2, &body, NULL, 0, &e),
		    0);
	assert_int_equal(msg_drain(ends.ch, 50, &e), HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "in time"));
	assert_true(msg_pending(ends.ch));
	buf_free(&body);
	close_ends(&ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_bytes_on_the_wire),
		cmocka_unit_test(several_at_once),
		cmocka_unit_test(every_byte_alone),
		cmocka_unit_test(lengths_out_of_range),
		cmocka_unit_test(largest_frame),
		cmocka_unit_test(reader_that_does_not_read),
		cmocka_unit_test(peer_gone),
		cmocka_unit_test(descriptors_stay_with_their_frame),
		cmocka_unit_test(descriptors_with_a_slow_frame),
		cmocka_unit_test(descriptors_in_the_middle),
		cmocka_unit_test(too_many_descriptors),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(waiting),
		cmocka_unit_test(draining),
		cmocka_unit_test(draining_in_vain),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

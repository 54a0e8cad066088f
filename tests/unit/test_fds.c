#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fds.h"

/* Descriptors of this process. */
static int
count(void)
{
	int n = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n++;
	return n;
}

static void
open_pair(int type, int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair), 0);
}

static void
close_pair(const int pair[2])
{
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
}

/* Any number of them, none too. */
static void
what_is_sent_comes(void **state)
{
	int before = count();
	char bytes[4];
	int sent[FDS_MAX] = { 0 };
	int came[FDS_MAX];
	int pair[2];
	bool whole;
	size_t nfds;
	size_t n;
	size_t i;

	(void)state;
	open_pair(SOCK_STREAM, pair);
	for (n = 0; n <= FDS_MAX; n++) {
		for (i = 0; i < n; i++)
			sent[i] = pair[i % 2];
		assert_int_equal(fds_send(pair[0], "abc", 3, sent, n), 3);
		assert_int_equal(fds_receive(pair[1], bytes, sizeof(bytes),
		                     came, FDS_MAX, &nfds, &whole),
		    3);
		assert_memory_equal(bytes, "abc", 3);
		assert_int_equal(nfds, n);
		assert_true(whole);
		for (i = 0; i < n; i++) {
			assert_int_not_equal(came[i], sent[i]);
			assert_int_equal(fcntl(came[i], F_GETFD), FD_CLOEXEC);
			assert_int_equal(close(came[i]), 0);
		}
	}
	close_pair(pair);
	assert_int_equal(count(), before);
}

/* What is too much is closed, by us or by the kernel. */
static void
more_than_wanted(void **state)
{
	int before = count();
	char bytes[4];
	int sent[FDS_MAX] = { 0 };
	int came[FDS_MAX];
	int pair[2];
	bool whole;
	size_t nfds;
	size_t max;
	size_t i;

	(void)state;
	open_pair(SOCK_SEQPACKET, pair);
	for (i = 0; i < FDS_MAX; i++)
		sent[i] = pair[0];
	for (max = 0; max < FDS_MAX; max++) {
		assert_int_equal(fds_send(pair[0], "abc", 3, sent, FDS_MAX), 3);
		assert_int_equal(fds_receive(pair[1], bytes, sizeof(bytes),
		                     came, max, &nfds, &whole),
		    3);
		assert_int_equal(nfds, max);
		assert_false(whole);
		for (i = 0; i < max; i++)
			assert_int_equal(close(came[i]), 0);
		assert_int_equal(count(), before + 2);
	}
	/* Bytes of a message, too. */
	assert_int_equal(fds_send(pair[0], "abcde", 5, sent, 0), 5);
	assert_int_equal(fds_receive(pair[1], bytes, sizeof(bytes), came,
	                     FDS_MAX, &nfds, &whole),
	    4);
	assert_int_equal(nfds, 0);
	assert_false(whole);
	close_pair(pair);
}

static void
nobody_there(void **state)
{
	char byte = 0;
	int fd;
	int pair[2];
	bool whole;
	size_t nfds = 7;

	(void)state;
	open_pair(SOCK_STREAM, pair);
	assert_int_equal(fds_receive(pair[0], &byte, 1, &fd, 1, &nfds, &whole),
	    -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(nfds, 0);
	assert_int_equal(close(pair[1]), 0);
	/* Without SIGPIPE. */
	assert_int_equal(fds_send(pair[0], "a", 1, pair, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(fds_send(pair[0], "a", 1, pair, 1), -1);
	assert_int_equal(errno, EPIPE);
	nfds = 7;
	assert_int_equal(fds_receive(pair[0], &byte, 1, &fd, 1, &nfds, &whole),
	    0);
	assert_int_equal(nfds, 0);
	assert_int_equal(close(pair[0]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_comes),
		cmocka_unit_test(more_than_wanted),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

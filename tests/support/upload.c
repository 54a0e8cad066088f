#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/upload.h"

/* What the child does. */
static void
send_all(int fd, const struct buf *bytes, size_t piece)
{
	size_t done;
	size_t n;

	for (done = 0; done < bytes->len; done += n) {
		n = bytes->len - done < piece ? bytes->len - done : piece;
		if (write(fd, bytes->data + done, n) != (ssize_t)n)
			_exit(1);
	}
	_exit(0);
}

void
upload_start(struct upload *upload, const struct buf *bytes, size_t piece)
{
	struct input_stream how = {
		.spool = -1,
		.pipe = -1,
		.max_size = UINT64_MAX,
		.watch_fd = -1,
	};
	struct ht_error e;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	upload->child = fork();
	assert_true(upload->child >= 0);
	if (upload->child == 0) {
		(void)close(ends[0]);
		send_all(ends[1], bytes, piece);
	}
	(void)close(ends[1]);
	upload->fd = ends[0];
	how.fd = ends[0];
	upload->in = input_stream(&how, &e);
	assert_non_null(upload->in);
}

void
upload_finish(struct upload *upload)
{
	int status;

	input_free(upload->in);
	(void)close(upload->fd);
	assert_int_equal(waitpid(upload->child, &status, 0), upload->child);
	assert_int_equal(status, 0);
}

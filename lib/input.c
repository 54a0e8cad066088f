#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/input.h"

/*
 * The buffer of a stream, in bytes.  It has room for a read of INPUT_CHUNK
 * bytes that starts anywhere in the one before.
 */
#define WINDOW (INPUT_HEAD + 2 * INPUT_CHUNK)

/*
 * The least that is read from a file at once, in bytes.  Formats with many
 * small parts have most of them one after another.
 */
#define AHEAD ((size_t)16 << 10)

struct tap {
	input_tap_fn *fn;
	void *cookie;
};

/* The bytes of a file, or of the spool, that were read last. */
struct window {
	uint8_t *bytes; /* INPUT_CHUNK */
	uint64_t at;
	size_t n;
};

struct input {
	/* Does what input_read does, for n from 1 to INPUT_CHUNK. */
	int (*read)(struct input *in, uint64_t offset, size_t n,
	    const uint8_t **p, size_t *got, struct ht_error *e);
	struct tap taps[INPUT_TAPS];
	size_t ntaps;
	uint64_t tapped;      /* the taps have seen the bytes before it */
	uint64_t arrived;     /* of a stream; of any other input, the size */
	uint8_t *buffer;      /* of a stream: WINDOW bytes; of memory: all */
	struct window window; /* of a file, or the spool */

	int fd;                  /* of a file */
	input_source_fn *source; /* of input_over, and its cookie */
	const void *cookie;

	/* Of a stream. */
	struct input_stream how;
	uint8_t *head;          /* the first INPUT_HEAD bytes */
	uint64_t base;          /* the offset of buffer[0]; up to arrived */
	uint64_t began;         /* when the first byte came, in ms */
	bool ended;             /* at the end */
	struct ht_error failed; /* the error that ended it; code 0: none */
};

static void
feed(struct input *in, uint64_t offset, const uint8_t *p, size_t n)
{
	uint64_t skip = in->tapped - offset;
	size_t i;

	/* The taps saw all of it, or miss bytes before it. */
	if (in->tapped < offset || skip >= n)
		return;
	for (i = 0; i < in->ntaps; i++)
		in->taps[i].fn(in->taps[i].cookie, p + skip, n - skip);
	in->tapped = offset + n;
}

/* --- files --------------------------------------------------------------- */

/*
 * Read n bytes of a file at offset, and some after them for the next read.
 * HT_ERR_DATA if the file has fewer than n.
 */
static int
read_window(struct input *in, int fd, uint64_t offset, size_t n,
    const uint8_t **p, struct ht_error *e)
{
	struct window *w = &in->window;
	size_t want = n < AHEAD ? AHEAD : n;
	ssize_t did;

	if (offset < w->at || offset + n > w->at + w->n) {
		if (w->bytes == NULL)
			w->bytes = malloc(INPUT_CHUNK);
		if (w->bytes == NULL)
			return ht_error_memory(e);
		w->at = offset;
		w->n = 0;
	}
	while (offset + n > w->at + w->n) {
		did = pread(fd, w->bytes + w->n, want - w->n,
		    (off_t)(offset + w->n));
		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return ht_error_errno(e, "cannot read the file");
		if (did == 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "the file became shorter while it was read");
		w->n += (size_t)did;
	}
	*p = w->bytes + (offset - w->at);
	return 0;
}

/* --- streams ------------------------------------------------------------- */

static uint64_t
milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * Wait until fd is ready for events, at most so many seconds if that is not 0:
 * then it has stalled, as the text says.  Meanwhile call the watch function.
 */
static int
stream_wait(const struct input_stream *how, int fd, short events,
    unsigned int seconds, const char *stalled, struct ht_error *e)
{
	struct pollfd ready[2] = {
		{ .fd = fd, .events = events },
		{ .fd = how->watch == NULL ? -1 : how->watch_fd,
		    .events = POLLIN },
	};
	uint64_t until = milliseconds() + (uint64_t)seconds * 1000;
	uint64_t now;
	uint64_t left;
	int timeout = -1;
	int rc;

	for (;;) {
		if (seconds > 0) {
			now = milliseconds();
			left = now >= until ? 0 : until - now;
			timeout = left > INT_MAX ? INT_MAX : (int)left;
		}
		rc = poll(ready, 2, timeout);
		if (rc < 0 && errno != EINTR)
			return ht_error_errno(e, "poll");
		if (rc < 0)
			continue;
		if (rc == 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "%s for %u seconds", stalled, seconds);
		if (ready[1].revents != 0) {
			rc = how->watch(how->watch_cookie, e);
			if (rc < 0)
				return rc;
		}
		if (ready[0].revents != 0)
			return 0;
	}
}

/*
 * Wait, then read(2) once.  *got is the number of bytes, 0 at the end.
 */
static int
stream_receive(const struct input_stream *how, uint8_t *p, size_t n,
    size_t *got, struct ht_error *e)
{
	ssize_t did;
	int rc;

	do {
		rc = stream_wait(how, how->fd, POLLIN, how->idle,
		    "the upload stalled: not a byte", e);
		if (rc < 0)
			return rc;
		did = read(how->fd, p, n);
	} while (did < 0 && (errno == EINTR || errno == EAGAIN));
	if (did < 0 && errno == ECONNRESET)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the connection was cut");
	if (did < 0)
		return ht_error_errno(e, "cannot read the input");
	*got = (size_t)did;
	return 0;
}

/* The reader of the pipe may be slow, or hang: it is waited for. */
static int
stream_pipe(const struct input_stream *how, const uint8_t *p, size_t n,
    struct ht_error *e)
{
	ssize_t did;
	int rc;

	while (n > 0) {
		did = write(how->pipe, p, n);
		if (did < 0 && errno == EAGAIN) {
			rc = stream_wait(how, how->pipe, POLLOUT,
			    how->pipe_idle,
			    "the upload cannot be passed on: not a byte", e);
			if (rc < 0)
				return rc;
			continue;
		}
		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "the upload cannot be passed on: %s",
			    strerror(errno));
		p += did;
		n -= (size_t)did;
	}
	return 0;
}

static int
stream_spool(const struct input_stream *how, const uint8_t *p, size_t n,
    struct ht_error *e)
{
	ssize_t did;

	while (n > 0) {
		did = write(how->spool, p, n);
		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0 &&
		    (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "no room for the spool: %s", strerror(errno));
		if (did < 0)
			return ht_error_errno(e, "cannot write the spool");
		p += did;
		n -= (size_t)did;
	}
	return 0;
}

/*
 * At max_size the stream must end: a byte more is HT_ERR_REFUSED.
 */
static int
stream_check_full(struct input *in, struct ht_error *e)
{
	uint8_t beyond;
	size_t got;
	int rc;

	rc = stream_receive(&in->how, &beyond, 1, &got, e);
	if (rc == 0 && got > 0)
		rc = ht_error_at(e, HT_ERR_REFUSED, in->arrived,
		    "the file is larger than %llu bytes",
		    (unsigned long long)in->how.max_size);
	if (rc == 0)
		in->ended = true;
	return rc;
}

/*
 * got bytes more have come.  Whether all have come fast enough.
 */
static int
stream_check_pace(struct input *in, size_t got, struct ht_error *e)
{
	const struct input_stream *how = &in->how;
	uint64_t now = milliseconds(), seconds, pace;

	if (in->arrived == 0)
		in->began = now;
	seconds = (now - in->began) / 1000;
	if (how->least == 0 || seconds < how->slow_after)
		return 0;
	pace = (in->arrived + got) / seconds;
	if (pace >= how->least)
		return 0;
	return ht_error_set(e, HT_ERR_TEMPORARY,
	    "the upload is too slow: %llu bytes a second in %llu seconds, and "
	    "%u are the least",
	    (unsigned long long)pace, (unsigned long long)seconds, how->least);
}

/*
 * Append at most n bytes of the stream to the buffer, which has room for them.
 */
static int
stream_take(struct input *in, size_t n, struct ht_error *e)
{
	uint8_t *p = in->buffer + (in->arrived - in->base);
	uint64_t left = in->how.max_size - in->arrived;
	size_t got;
	size_t keep;
	int rc;

	if (left == 0)
		return stream_check_full(in, e);
	if (n > left)
		n = (size_t)left;
	rc = stream_receive(&in->how, p, n, &got, e);
	if (rc < 0)
		return rc;
	in->ended = got == 0;
	if (in->ended)
		return 0;
	rc = stream_check_pace(in, got, e);
	if (rc == 0 && in->how.spool >= 0)
		rc = stream_spool(&in->how, p, got, e);
	if (rc == 0 && in->how.pipe >= 0)
		rc = stream_pipe(&in->how, p, got, e);
	if (rc < 0)
		return rc;
	if (in->arrived < INPUT_HEAD) {
		keep = INPUT_HEAD - (size_t)in->arrived;
		memcpy(in->head + in->arrived, p, got < keep ? got : keep);
	}
	feed(in, in->arrived, p, got);
	in->arrived += got;
	return 0;
}

/*
 * Make the buffer start at offset, or at arrived if that is less.
 */
static void
stream_slide(struct input *in, uint64_t offset)
{
	size_t have = (size_t)(in->arrived - in->base);
	size_t drop = have;

	if (offset < in->arrived)
		drop = (size_t)(offset - in->base);
	if (drop < have)
		memmove(in->buffer, in->buffer + drop, have - drop);
	in->base += drop;
}

/*
 * Receive until the bytes before end have arrived, or the stream ends.  Keep
 * those from offset on in the buffer.
 */
static int
stream_fill(struct input *in, uint64_t offset, uint64_t end, struct ht_error *e)
{
	size_t room;
	int rc;

	while (in->arrived < end && !in->ended) {
		if (in->failed.code != 0) {
			if (e != NULL)
				*e = in->failed;
			return in->failed.code;
		}
		if (end - in->base > WINDOW)
			stream_slide(in, offset);
		room = WINDOW - (size_t)(in->arrived - in->base);
		rc = stream_take(in, room < INPUT_CHUNK ? room : INPUT_CHUNK,
		    &in->failed);
		if (rc < 0)
			in->failed.code = rc;
	}
	return 0;
}

/*
 * Read bytes that have left the buffer from the spool.
 */
static int
stream_back(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    struct ht_error *e)
{
	int rc;

	if (in->how.spool < 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the bytes at %llu are gone, and there is no spool",
		    (unsigned long long)offset);
	rc = read_window(in, in->how.spool, offset, n, p, e);
	if (rc == HT_ERR_DATA)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "the spool became shorter");
	return rc;
}

static int
read_stream(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	int rc;

	rc = stream_fill(in, offset, offset + n, e);
	if (rc < 0)
		return rc;
	if (offset >= in->arrived)
		return 0;
	if (n > in->arrived - offset)
		n = (size_t)(in->arrived - offset);
	if (offset >= in->base) {
		*p = in->buffer + (offset - in->base);
	} else if (offset + n <= INPUT_HEAD) {
		*p = in->head + offset;
	} else {
		rc = stream_back(in, offset, n, p, e);
		if (rc < 0)
			return rc;
	}
	*got = n;
	return 0;
}

/* --- inputs of each kind ------------------------------------------------- */

static int
read_file(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	int rc;

	if (offset >= in->arrived)
		return 0;
	if (n > in->arrived - offset)
		n = (size_t)(in->arrived - offset);
	rc = read_window(in, in->fd, offset, n, p, e);
	if (rc == 0)
		*got = n;
	return rc;
}

static int
read_memory(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	(void)e;
	if (offset >= in->arrived)
		return 0;
	if (n > in->arrived - offset)
		n = (size_t)(in->arrived - offset);
	*p = in->buffer + offset;
	*got = n;
	return 0;
}

static int
read_source(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	return in->source(in->cookie, offset, n, p, got, e);
}

static struct input *
new_input(size_t buffer, struct ht_error *e)
{
	struct input *in = calloc(1, sizeof(*in));

	if (in != NULL)
		in->buffer = malloc(buffer > 0 ? buffer : 1);
	if (in == NULL || in->buffer == NULL) {
		(void)ht_error_memory(e);
		free(in);
		return NULL;
	}
	in->fd = -1;
	in->how.spool = -1;
	return in;
}

struct input *
input_stream(const struct input_stream *how, struct ht_error *e)
{
	struct input *in = new_input(WINDOW, e);

	if (in == NULL)
		return NULL;
	in->head = malloc(INPUT_HEAD);
	if (in->head == NULL) {
		(void)ht_error_memory(e);
		input_free(in);
		return NULL;
	}
	in->read = read_stream;
	in->how = *how;
	return in;
}

struct input *
input_file(int fd, struct ht_error *e)
{
	struct input *in;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		(void)ht_error_errno(e, "cannot read the input");
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)ht_error_set(e, HT_ERR_INTERNAL, "not a regular file");
		return NULL;
	}
	in = new_input(0, e);
	if (in == NULL)
		return NULL;
	in->read = read_file;
	in->fd = fd;
	in->arrived = (uint64_t)st.st_size;
	return in;
}

struct input *
input_memory(const void *p, size_t n, struct ht_error *e)
{
	struct input *in = new_input(n, e);

	if (in == NULL)
		return NULL;
	in->read = read_memory;
	in->arrived = n;
	if (n > 0)
		memcpy(in->buffer, p, n);
	return in;
}

struct input *
input_over(input_source_fn *source, const void *cookie, uint64_t size,
    struct ht_error *e)
{
	struct input *in = new_input(0, e);

	if (in == NULL)
		return NULL;
	in->read = read_source;
	in->source = source;
	in->cookie = cookie;
	in->arrived = size;
	return in;
}

void
input_free(struct input *in)
{
	if (in == NULL)
		return;
	free(in->buffer);
	free(in->head);
	free(in->window.bytes);
	free(in);
}

int
input_tap(struct input *in, input_tap_fn *fn, void *cookie, struct ht_error *e)
{
	if (in->ntaps == INPUT_TAPS || in->tapped > 0 ||
	    (in->read == read_stream && in->arrived > 0))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "too many taps, or one too late");
	in->taps[in->ntaps].fn = fn;
	in->taps[in->ntaps].cookie = cookie;
	in->ntaps++;
	return 0;
}

int
input_read(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	int rc;

	*p = in->buffer;
	*got = 0;
	if (n > INPUT_CHUNK || offset > UINT64_MAX - n)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "a read of %zu bytes at %llu", n,
		    (unsigned long long)offset);
	if (n == 0)
		return 0;
	rc = in->read(in, offset, n, p, got, e);
	if (rc == 0 && in->read != read_stream)
		feed(in, offset, *p, *got);
	return rc;
}

int
input_copy(struct input *in, uint64_t offset, void *out, size_t n,
    struct ht_error *e)
{
	uint8_t *to = out;
	const uint8_t *p;
	size_t got;
	int rc;

	while (n > 0) {
		rc = input_read(in, offset, n < INPUT_CHUNK ? n : INPUT_CHUNK,
		    &p, &got, e);
		if (rc < 0)
			return rc;
		if (got == 0)
			return ht_error_at(e, HT_ERR_DATA, offset,
			    "the file ends here, too early");
		memcpy(to, p, got);
		to += got;
		offset += got;
		n -= got;
	}
	return 0;
}

int
input_drain(struct input *in, uint64_t *size, struct ht_error *e)
{
	bool streams = in->read == read_stream;
	uint64_t at;
	const uint8_t *p;
	size_t got;
	int rc;

	*size = 0;
	do {
		at = streams ? in->arrived : in->tapped;
		rc = input_read(in, at, INPUT_CHUNK, &p, &got, e);
		if (rc < 0)
			return rc;
	} while (got > 0);
	*size = in->arrived;
	return 0;
}

int
input_spool(struct input *in, int spool, struct ht_error *e)
{
	int rc;

	if (in->read != read_stream || in->how.spool >= 0)
		return 0;
	if (in->base > 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "too late for a spool: the start is gone");
	in->how.spool = spool;
	rc = stream_spool(&in->how, in->buffer, (size_t)in->arrived, e);
	if (rc < 0)
		in->how.spool = -1;
	return rc;
}

bool
input_failed(const struct input *in)
{
	return in->failed.code != 0;
}

int
input_descriptor(const struct input *in)
{
	return in->read == read_stream ? in->how.spool : in->fd;
}

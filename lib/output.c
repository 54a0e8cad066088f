#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "lib/input.h"
#include "lib/output.h"

/* A run of bytes. */
struct segment {
	uint64_t start; /* in the planned file */
	uint64_t length;
	enum { RANGE, LITERAL, BORROWED } source;
	union {
		uint64_t offset;      /* in the input, or in the literals */
		const uint8_t *bytes; /* the caller's */
	} from;
};

struct output {
	struct input *in;
	struct segment *segments;
	size_t count;
	size_t room;
	uint8_t *literals;
	size_t literals_size;
	size_t literals_room;
	uint64_t size;
	uint8_t *joined; /* INPUT_CHUNK bytes, for reads across segments */
};

struct output *
output_new(struct input *in, struct ht_error *e)
{
	struct output *out = calloc(1, sizeof(*out));

	if (out != NULL)
		out->joined = malloc(INPUT_CHUNK);
	if (out == NULL || out->joined == NULL) {
		(void)ht_error_memory(e);
		free(out);
		return NULL;
	}
	out->in = in;
	return out;
}

void
output_free(struct output *out)
{
	if (out == NULL)
		return;
	free(out->literals);
	free(out->segments);
	free(out->joined);
	free(out);
}

static int
make_room(struct output *out, struct ht_error *e)
{
	size_t room = out->room == 0 ? 16 : out->room * 2;
	struct segment *segments;

	if (out->count < out->room)
		return 0;
	segments = reallocarray(out->segments, room, sizeof(*segments));
	if (segments == NULL)
		return ht_error_memory(e);
	out->segments = segments;
	out->room = room;
	return 0;
}

/*
 * Whether the bytes of segment b follow those of a in the same source.
 */
static bool
follows(const struct segment *a, const struct segment *b)
{
	return a->source == b->source && a->source != BORROWED &&
	    a->from.offset + a->length == b->from.offset;
}

/*
 * Append a segment.  Fills in its start.
 */
static int
append(struct output *out, struct segment s, struct ht_error *e)
{
	int rc;

	if (s.length == 0)
		return 0;
	if (s.length > UINT64_MAX - out->size)
		return ht_error_set(e, HT_ERR_INTERNAL, "an output too large");
	s.start = out->size;
	if (out->count > 0 && follows(&out->segments[out->count - 1], &s)) {
		out->segments[out->count - 1].length += s.length;
	} else {
		rc = make_room(out, e);
		if (rc < 0)
			return rc;
		out->segments[out->count++] = s;
	}
	out->size += s.length;
	return 0;
}

/*
 * Make room for n more literal bytes.  They are not in a buf: they can be many
 * megabytes, and realloc(3) moves them without a second copy.  They are no
 * secret, so nothing must be wiped.
 */
static int
make_literal_room(struct output *out, size_t n, struct ht_error *e)
{
	size_t room = out->literals_room == 0 ? 4096 : out->literals_room;
	uint8_t *grown;

	if (n <= out->literals_room - out->literals_size)
		return 0;
	while (room - out->literals_size < n && room <= SIZE_MAX / 2)
		room *= 2;
	grown =
	    room - out->literals_size < n ? NULL : realloc(out->literals, room);
	if (grown == NULL)
		return ht_error_memory(e);
	out->literals = grown;
	out->literals_room = room;
	return 0;
}

int
output_literal(struct output *out, const void *p, size_t n, struct ht_error *e)
{
	struct segment s = { .length = n, .source = LITERAL };
	int rc = make_literal_room(out, n, e);

	if (rc < 0)
		return rc;
	s.from.offset = out->literals_size;
	if (n > 0)
		memcpy(out->literals + out->literals_size, p, n);
	out->literals_size += n;
	return append(out, s, e);
}

int
output_borrowed(struct output *out, const void *p, size_t n, struct ht_error *e)
{
	struct segment s = { .length = n, .source = BORROWED };

	s.from.bytes = p;
	return append(out, s, e);
}

int
output_range(struct output *out, uint64_t offset, uint64_t n,
    struct ht_error *e)
{
	struct segment s = { .length = n, .source = RANGE };

	if (n > UINT64_MAX - offset)
		return ht_error_set(e, HT_ERR_INTERNAL, "an output too large");
	s.from.offset = offset;
	return append(out, s, e);
}

/* --- the recipe ---------------------------------------------------------- */

#define RECIPE_RANGE 0
#define RECIPE_BYTES 1

void
output_recipe(const struct output *out, struct buf *recipe)
{
	const struct segment *s;
	size_t i;

	for (i = 0; i < out->count; i++) {
		s = &out->segments[i];
		if (s->source == RANGE) {
			buf_u8(recipe, RECIPE_RANGE);
			buf_u64be(recipe, s->from.offset);
			buf_u64be(recipe, s->length);
			continue;
		}
		buf_u8(recipe, RECIPE_BYTES);
		buf_u64be(recipe, s->length);
		buf_bytes(recipe,
		    s->source == LITERAL ? out->literals + s->from.offset
		                         : s->from.bytes,
		    (size_t)s->length);
	}
}

int
output_follow(struct output *out, struct cursor recipe, struct ht_error *e)
{
	struct cursor bytes;
	uint64_t offset, n;
	uint8_t kind;
	int rc = 0;

	while (rc == 0 && recipe.left > 0) {
		if (cursor_u8(&recipe, &kind) == 0 && kind == RECIPE_RANGE &&
		    cursor_u64be(&recipe, &offset) == 0 &&
		    cursor_u64be(&recipe, &n) == 0)
			rc = output_range(out, offset, n, e);
		else if (kind == RECIPE_BYTES &&
		    cursor_u64be(&recipe, &n) == 0 && n <= recipe.left &&
		    cursor_bytes(&recipe, (size_t)n, &bytes) == 0)
			rc = output_literal(out, bytes.p, bytes.left, e);
		else
			rc = ht_error_set(e, HT_ERR_DATA,
			    "the recipe of an output is damaged");
	}
	return rc;
}

uint64_t
output_size(const struct output *out)
{
	return out->size;
}

/*
 * The index of the segment with the byte at offset, which is below the size.
 */
static size_t
find_segment(const struct output *out, uint64_t offset)
{
	size_t low = 0;
	size_t high = out->count;
	size_t middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (out->segments[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Read at most n bytes of one segment, from skip bytes after its start.
 */
static int
read_segment(const struct output *out, const struct segment *s, uint64_t skip,
    size_t n, const uint8_t **p, size_t *got, struct ht_error *e)
{
	size_t want = n;
	int rc;

	if (want > s->length - skip)
		want = (size_t)(s->length - skip);
	if (s->source != RANGE) {
		*p = skip +
		    (s->source == LITERAL ? out->literals + s->from.offset
		                          : s->from.bytes);
		*got = want;
		return 0;
	}
	rc = input_read(out->in, s->from.offset + skip, want, p, got, e);
	if (rc == 0 && *got < want)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "the output plan reaches past the end of the input");
	return rc;
}

int
output_read(const struct output *out, uint64_t offset, size_t n,
    const uint8_t **p, size_t *got, struct ht_error *e)
{
	const struct segment *s;
	size_t done = 0;
	size_t piece;
	int rc;

	*p = out->joined;
	*got = 0;
	if (n > INPUT_CHUNK)
		return ht_error_set(e, HT_ERR_INTERNAL, "too large a read");
	if (n == 0 || offset >= out->size)
		return 0;
	if (n > out->size - offset)
		n = (size_t)(out->size - offset);
	s = &out->segments[find_segment(out, offset)];
	rc = read_segment(out, s, offset - s->start, n, p, &piece, e);
	if (rc < 0)
		return rc;
	if (piece < n) {
		/* Only a read across segments is copied. */
		while (done < n) {
			memcpy(out->joined + done, *p, piece);
			done += piece;
			if (done == n)
				break;
			s++;
			rc = read_segment(out, s, 0, n - done, p, &piece, e);
			if (rc < 0)
				return rc;
		}
		*p = out->joined;
	}
	*got = n;
	return 0;
}

static int
read_plan(const void *cookie, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e)
{
	return output_read(cookie, offset, n, p, got, e);
}

struct input *
output_as_input(const struct output *out, struct ht_error *e)
{
	return input_over(read_plan, out, out->size, e);
}

/*
 * Wait until fd takes bytes, at most idle seconds; 0 waits for ever.
 */
static int
wait_writable(int fd, unsigned int idle, struct ht_error *e)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	int timeout = -1;
	int rc;

	if (idle > 0)
		timeout = idle > INT_MAX / 1000 ? INT_MAX : (int)idle * 1000;
	do
		rc = poll(&ready, 1, timeout);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the reader took nothing for %u seconds", idle);
	if (rc < 0)
		return ht_error_errno(e, "poll");
	return 0;
}

/*
 * Handle a failed write by errno.  Returns 0 to try again.
 */
static int
write_failed(int fd, unsigned int idle, struct ht_error *e)
{
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN)
		return wait_writable(fd, idle, e);
	if (errno == EPIPE || errno == ECONNRESET)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the reader of the output is gone");
	return ht_error_errno(e, "cannot write the output");
}

static int
write_all(int fd, const uint8_t *p, size_t n, unsigned int idle,
    uint64_t *written, struct ht_error *e)
{
	ssize_t did;
	int rc = 0;

	while (rc == 0 && n > 0) {
		did = write(fd, p, n);
		if (did < 0) {
			rc = write_failed(fd, idle, e);
			continue;
		}
		p += did;
		n -= (size_t)did;
		*written += (uint64_t)did;
	}
	return rc;
}

/*
 * Let the kernel copy the rest of a range from file to fd, which saves two
 * copies.  Returns 1 when it is done, 0 if these descriptors do not allow that,
 * or an error.
 */
static int
send_range(int fd, int file, const struct segment *s, unsigned int idle,
    uint64_t *written, struct ht_error *e)
{
	uint64_t end = s->start + s->length;
	off_t from;
	ssize_t did;
	int rc = 0;

	while (rc == 0 && *written < end) {
		from = (off_t)(s->from.offset + (*written - s->start));
		did = sendfile(fd, file, &from, (size_t)(end - *written));
		if (did > 0)
			*written += (uint64_t)did;
		else if (did == 0)
			rc = ht_error_set(e, HT_ERR_INTERNAL,
			    "the output plan reaches past the end of the "
			    "input");
		else if (errno == EINVAL || errno == ENOSYS || errno == EPERM)
			return 0;
		else
			rc = write_failed(fd, idle, e);
	}
	return rc < 0 ? rc : 1;
}

int
output_write(const struct output *out, int fd, unsigned int idle,
    uint64_t *written, struct ht_error *e)
{
	/* A write that blocks would have no deadline. */
	int flags = idle == 0 ? -1 : fcntl(fd, F_GETFL);
	int file = input_descriptor(out->in);
	const struct segment *s;
	const uint8_t *p;
	size_t got;
	int rc = 0;

	*written = 0;
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (rc >= 0 && *written < out->size) {
		s = &out->segments[find_segment(out, *written)];
		if (file >= 0 && s->source == RANGE) {
			rc = send_range(fd, file, s, idle, written, e);
			if (rc != 0)
				continue;
			file = -1;
		}
		rc = output_read(out, *written, INPUT_CHUNK, &p, &got, e);
		if (rc == 0)
			rc = write_all(fd, p, got, idle, written, e);
	}
	if (rc > 0)
		rc = 0;
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags);
	return rc;
}

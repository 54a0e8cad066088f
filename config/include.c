#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config/include.h"
#include "lib/modes.h"

/* The most lines that include something.  Each parts two stretches of text. */
#define INCLUDES 16
#define SOURCES (2 * INCLUDES + 1)

static const char word[] = "@include";
#define WORD (sizeof(word) - 1)

/* From here on, text is of the file at path, from its line on. */
static int
start_source(struct conf_reader *r, const char *path, unsigned int whole,
    unsigned int line)
{
	struct conf_source *s = r->conf->sources;

	if (s == NULL) {
		s = conf_alloc(r, SOURCES, sizeof(*s));
		if (s == NULL)
			return HT_ERR_INTERNAL;
		r->conf->sources = s;
	}
	if (r->conf->nsources == SOURCES)
		return ht_error_set(r->e, HT_ERR_USAGE,
		    "%s:%u: more than %d times @include", path, line, INCLUDES);
	s[r->conf->nsources++] = (struct conf_source){ path, whole, line };
	return 0;
}

static int
too_long(struct conf_reader *r, const char *path)
{
	return ht_error_set(r->e, HT_ERR_USAGE, "%s:1: more than %zu bytes",
	    path, CONF_MAX);
}

/* The file, and a newline if its last line has none. */
static int
read_file(struct conf_reader *r, const char *path, struct buf *out)
{
	const struct modes m = { .owner = geteuid(), .alone = true };
	int fd = modes_open(path, &m, r->e);
	ssize_t n = -1;
	uint8_t *at;

	if (fd < 0)
		return fd;
	do {
		at = buf_room(out, 4096);
		if (at == NULL) {
			errno = ENOMEM;
			break;
		}
		n = read(fd, at, 4096);
		out->len -= 4096 - (n > 0 ? (size_t)n : 0);
	} while ((n > 0 && out->len <= CONF_MAX) || (n < 0 && errno == EINTR));
	if (n < 0)
		(void)ht_error_errno(r->e, "%s", path);
	(void)close(fd);
	if (n < 0)
		return HT_ERR_INTERNAL;
	if (out->len > CONF_MAX)
		return too_long(r, path);
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		buf_u8(out, '\n');
	return 0;
}

/*
 * The path in a line of n bytes that begins with @include, or NULL.  Owned by
 * r->conf.
 */
static char *
included(struct conf_reader *r, const char *line, size_t n)
{
	const char *end = line + n, *from, *to;
	char *path;

	line += WORD;
	line += strspn(line, " \t");
	from = line + 1;
	to = *line != '"' ? NULL : memchr(from, '"', (size_t)(end - from));
	if (to == NULL || *from != '/' ||
	    memchr(from, '\0', (size_t)(to - from)) != NULL ||
	    to + 1 + strspn(to + 1, " \t\r") != end) {
		(void)ht_error_set(r->e, HT_ERR_USAGE,
		    "@include takes an absolute path in quotes");
		return NULL;
	}
	path = conf_alloc(r, (size_t)(to - from) + 1, 1);
	if (path != NULL)
		memcpy(path, from, (size_t)(to - from));
	return path;
}

static unsigned int
lines_of(const struct buf *file)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < file->len; i++)
		n += file->data[i] == '\n';
	return n;
}

/* A line of the file at path includes another one. */
static int
include(struct conf_reader *r, const char *path, unsigned int line,
    const char *text, size_t n, unsigned int *whole, struct buf *out)
{
	struct buf file = BUF_INIT;
	struct ht_error why;
	char *other = included(r, text, n);
	int rc = other == NULL ? r->e->code : read_file(r, other, &file);

	if (rc < 0) {
		why = *r->e;
		(void)ht_error_set(r->e, why.code, "%s:%u: %s", path, line,
		    why.text);
	}
	if (rc == 0)
		rc = start_source(r, other, *whole, 1);
	if (rc == 0) {
		buf_bytes(out, file.data, file.len);
		*whole += lines_of(&file);
		rc = start_source(r, path, *whole, line + 1);
	}
	buf_free(&file);
	return rc;
}

static int
copy_lines(struct conf_reader *r, const char *path, const struct buf *file,
    struct buf *out)
{
	const char *p = (const char *)file->data, *end = p + file->len, *next;
	unsigned int line, whole = 1;
	size_t blank;
	int rc = 0;

	for (line = 1; p < end && rc == 0; line++, p = next + 1) {
		next = memchr(p, '\n', (size_t)(end - p));
		blank = strspn(p, " \t");
		if ((size_t)(next - p) >= blank + WORD &&
		    memcmp(p + blank, word, WORD) == 0) {
			rc = include(r, path, line, p + blank,
			    (size_t)(next - p) - blank, &whole, out);
		} else {
			buf_bytes(out, p, (size_t)(next - p) + 1);
			whole++;
		}
		if (rc == 0 && out->len > CONF_MAX)
			rc = too_long(r, path);
	}
	return rc;
}

int
conf_include_read(struct conf_reader *r, const char *path, struct buf *text)
{
	struct buf file = BUF_INIT;
	int rc = read_file(r, path, &file);

	if (rc == 0)
		rc = start_source(r, path, 1, 1);
	if (rc == 0)
		rc = copy_lines(r, path, &file, text);
	buf_free(&file);
	return rc;
}

int
conf_include_none(struct conf_reader *r, const char *path, const char *from,
    size_t n, struct buf *text)
{
	if (n > CONF_MAX)
		return too_long(r, path);
	buf_bytes(text, from, n);
	return start_source(r, path, 1, 1);
}

int
conf_include_check(const struct conf *c, bool alone, struct ht_error *e)
{
	const struct modes m = { .owner = geteuid(), .alone = alone };
	size_t i;
	int rc = 0;

	/* The even ones are the file itself. */
	for (i = 0; i < c->nsources && rc == 0; i += i == 0 ? 1 : 2)
		rc = modes_check(c->sources[i].path, &m, e);
	return rc;
}

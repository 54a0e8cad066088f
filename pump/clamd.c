#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "pump/clamd.h"

/* What clamd finds instead of a virus, where one of its limits is exceeded. */
#define LIMITS "Heuristics.Limits.Exceeded"

/* --- what it answers ----------------------------------------------------- */

static bool
ends_with(const char *answer, size_t n, const char *end)
{
	size_t length = strlen(end);

	return n >= length && memcmp(answer + n - length, end, length) == 0;
}

void
clamd_verdict(const char *answer, size_t n, struct protocol_verdict *v)
{
	static const char stream[] = "stream: ", found[] = " FOUND";
	const char *verdict = PROTOCOL_VERDICT_UNSCANNED;
	size_t from = sizeof(stream) - 1, i;
	bool plain = n > 0 && n < CLAMD_ANSWER;

	for (i = 0; i < n; i++)
		plain = plain && answer[i] >= ' ' && answer[i] <= '~';
	if (!plain) {
		(void)snprintf(v->text, sizeof(v->text),
		    "clamd answers what is no answer");
	} else if (n == from + 2 && memcmp(answer, "stream: OK", n) == 0) {
		verdict = PROTOCOL_VERDICT_CLEAN;
	} else if (n > from + sizeof(found) - 1 &&
	    memcmp(answer, stream, from) == 0 && ends_with(answer, n, found)) {
		n -= from + sizeof(found) - 1;
		(void)snprintf(v->text, sizeof(v->text), "%.*s", (int)n,
		    answer + from);
		if (strncmp(v->text, LIMITS, sizeof(LIMITS) - 1) != 0)
			verdict = PROTOCOL_VERDICT_VIRUS;
	} else {
		(void)snprintf(v->text, sizeof(v->text), "clamd: %.*s", (int)n,
		    answer);
	}
	(void)snprintf(v->verdict, sizeof(v->verdict), "%s", verdict);
}

uint64_t
clamd_date(const char *answer)
{
	const char *date = strrchr(answer, '/');
	struct tm tm;
	const char *end;
	time_t at;

	memset(&tm, 0, sizeof(tm));
	if (date == NULL)
		return 0;
	/* No locale is set, so the names are those of clamd. */
	end = strptime(date + 1, "%a %b %d %H:%M:%S %Y", &tm);
	if (end == NULL || *end != '\0')
		return 0;
	at = timegm(&tm);
	return at > 0 ? (uint64_t)at : 0;
}

/* --- the connections ----------------------------------------------------- */

static int
connect_to(const char *path, struct ht_error *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(un.sun_path)) {
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "clamd: its socket's name is too long");
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	(void)ht_error_set(e, HT_ERR_UNAVAILABLE, "clamd: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

void
clamd_open(struct clamd *d, const struct child *child, const char *path,
    uint64_t most)
{
	struct ht_error ignored;

	d->child = child;
	d->left = most;
	ht_error_clear(&d->e);
	d->version = connect_to(path, &ignored);
	d->stream = connect_to(path, &d->e);
}

/* Send all of it. */
static int
put(const struct clamd *d, int fd, const void *p, size_t n, struct ht_error *e)
{
	const uint8_t *at = p;
	ssize_t did;
	int rc;

	while (n > 0) {
		did = send(fd, at, n, MSG_NOSIGNAL);
		if (did >= 0) {
			at += did;
			n -= (size_t)did;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return ht_error_set(e, HT_ERR_UNAVAILABLE, "clamd: %s",
			    strerror(errno));
		rc = child_wait(d->child, fd, POLLOUT, CLAMD_PATIENCE, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Receive an answer up to its NUL.  *n is its length. */
static int
get(const struct clamd *d, int fd, char answer[CLAMD_ANSWER], size_t *n,
    struct ht_error *e)
{
	ssize_t did;
	int rc;

	*n = 0;
	while (*n < CLAMD_ANSWER) {
		rc = child_wait(d->child, fd, POLLIN, CLAMD_PATIENCE, e);
		if (rc < 0)
			return rc;
		did = recv(fd, answer + *n, 1, 0);
		if (did < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (did <= 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "clamd has closed the connection");
		if (answer[*n] == '\0')
			return 0;
		++*n;
	}
	return ht_error_set(e, HT_ERR_UNAVAILABLE, "clamd answers too much");
}

static void
put_stream(struct clamd *d, const void *p, size_t n)
{
	if (d->e.code == 0)
		(void)put(d, d->stream, p, n, &d->e);
}

void
clamd_begin(struct clamd *d)
{
	static const char version[] = "zVERSION", stream[] = "zINSTREAM";
	struct ht_error ignored;

	if (d->version >= 0)
		(void)put(d, d->version, version, sizeof(version), &ignored);
	put_stream(d, stream, sizeof(stream));
}

static void
put_length(struct clamd *d, size_t n)
{
	uint8_t length[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
		(uint8_t)(n >> 8), (uint8_t)n };

	put_stream(d, length, sizeof(length));
}

/* What cannot be scanned is not left with clamd: closing ends it there. */
void
clamd_bytes(struct clamd *d, const uint8_t *p, size_t n)
{
	if (d->e.code == 0 && n > d->left) {
		(void)ht_error_set(&d->e, HT_ERR_UNAVAILABLE,
		    "it is larger than clamav_max_size");
		(void)close(d->stream);
		d->stream = -1;
	}
	if (d->e.code < 0)
		return;
	d->left -= n;
	put_length(d, n);
	put_stream(d, p, n);
}

/* The database's version and date are shown as they come, if they can be. */
static void
get_database(struct clamd *d, char database[PROTOCOL_TEXT])
{
	char answer[CLAMD_ANSWER];
	struct ht_error ignored;
	size_t n, i;

	database[0] = '\0';
	if (d->version < 0 || get(d, d->version, answer, &n, &ignored) < 0)
		return;
	for (i = 0; i < n; i++)
		if (answer[i] < ' ' || answer[i] > '~')
			return;
	(void)snprintf(database, PROTOCOL_TEXT, "%.*s", PROTOCOL_TEXT - 1,
	    answer);
}

static void
set_unscanned(struct protocol_verdict *v, const struct ht_error *why)
{
	(void)snprintf(v->verdict, sizeof(v->verdict), "%s",
	    PROTOCOL_VERDICT_UNSCANNED);
	(void)snprintf(v->text, sizeof(v->text), "%.*s",
	    (int)sizeof(v->text) - 1, why->text);
}

/* clamd says why, before it closes what it does not take. */
void
clamd_end(struct clamd *d, struct protocol_verdict *v)
{
	char answer[CLAMD_ANSWER];
	struct ht_error why;
	size_t n;

	memset(v, 0, sizeof(*v));
	put_length(d, 0);
	why = d->e;
	if (d->stream >= 0 && get(d, d->stream, answer, &n, &why) == 0)
		clamd_verdict(answer, n, v);
	else
		set_unscanned(v, d->e.code < 0 ? &d->e : &why);
	/* It has not seen all of it. */
	if (d->e.code < 0 && strcmp(v->verdict, PROTOCOL_VERDICT_CLEAN) == 0)
		set_unscanned(v, &d->e);
	get_database(d, v->database);
	if (d->stream >= 0)
		(void)close(d->stream);
	if (d->version >= 0)
		(void)close(d->version);
}

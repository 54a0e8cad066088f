#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/utf8.h"

/* The size of one line with its NUL.  Escaping at most quadruples it. */
#define LINE_MAX_TEXT 1024

/*
 * Code points that are not printable.  Controls, format characters and
 * separators can reorder, hide or break text.  Surrogates, private use and
 * noncharacters have no meaning.
 */
static const struct {
	uint32_t first;
	uint32_t last;
} unprintable[] = {
	{ 0x000000, 0x00001f },
	{ 0x00007f, 0x00009f },
	{ 0x0000ad, 0x0000ad },
	{ 0x00061c, 0x00061c },
	{ 0x00180b, 0x00180f },
	{ 0x00200b, 0x00200f },
	{ 0x002028, 0x00202e },
	{ 0x002060, 0x00206f },
	{ 0x00d800, 0x00f8ff },
	{ 0x00fdd0, 0x00fdef },
	{ 0x00fe00, 0x00fe0f },
	{ 0x00feff, 0x00feff },
	{ 0x00fff0, 0x00fffb },
	{ 0x00fffe, 0x00ffff },
	{ 0x0e0000, 0x0e0fff },
	{ 0x0f0000, UINT32_MAX },
};

static struct {
	const char *program;
	bool to_syslog;
	bool verbose;
} the_log = { "htsign", false, false };

void
log_open(const char *program, bool to_syslog, bool verbose)
{
	the_log.program = program;
	the_log.to_syslog = to_syslog;
	the_log.verbose = verbose;
	/* Both open files, which a sandbox forbids later. */
	tzset();
	if (to_syslog)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
}

static bool
is_printable(uint32_t point)
{
	size_t i;

	for (i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]); i++) {
		if (point >= unprintable[i].first &&
		    point <= unprintable[i].last)
			return false;
	}
	return true;
}

/*
 * The length in bytes of the printable character at p, or 0 if there is none.
 */
static size_t
printable_length(const uint8_t *p, size_t n)
{
	uint32_t point;
	size_t length = utf8_next(p, n, &point);

	return length > 0 && is_printable(point) ? length : 0;
}

size_t
log_escape(char *out, size_t size, const void *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *in = p;
	size_t len = 0, take, i, need;
	char shown[4];

	if (size == 0)
		return 0;
	for (i = 0; i < n; i += take) {
		take = printable_length(in + i, n - i);
		need = take;
		if (take > 0) {
			memcpy(shown, in + i, take);
		} else {
			take = 1;
			need = 4;
			shown[0] = '\\';
			shown[1] = 'x';
			shown[2] = hex[in[i] >> 4];
			shown[3] = hex[in[i] & 15];
		}
		if (in[i] == '\\') {
			need = 2;
			shown[1] = '\\';
		}
		if (need >= size - len)
			break;
		memcpy(out + len, shown, need);
		len += need;
	}
	out[len] = '\0';
	return len;
}

/* One write(2) a line, so that lines of several processes do not mix. */
static void
write_stderr(const char *text)
{
	char line[LINE_MAX_TEXT * 4 + 128];
	ssize_t wrote;
	int n;

	n = snprintf(line, sizeof(line), "%.64s: %s\n", the_log.program, text);
	if (n < 0)
		return;
	do {
		wrote = write(STDERR_FILENO, line, strlen(line));
	} while (wrote < 0 && errno == EINTR);
}

static void __attribute__((format(printf, 2, 0)))
write_line(int priority, const char *fmt, va_list ap)
{
	char text[LINE_MAX_TEXT];
	char shown[LINE_MAX_TEXT * 4];
	int before = errno;

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	(void)log_escape(shown, sizeof(shown), text, strlen(text));
	if (the_log.to_syslog)
		syslog(priority, "%s", shown);
	else
		write_stderr(shown);
	errno = before;
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_ERR, fmt, ap);
	va_end(ap);
}

void
log_notice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_NOTICE, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!the_log.verbose)
		return;
	va_start(ap, fmt);
	write_line(LOG_DEBUG, fmt, ap);
	va_end(ap);
}

void
log_often(struct log_often *o, void (*put)(const char *fmt, ...),
    const char *fmt, ...)
{
	char text[LINE_MAX_TEXT];
	uint64_t now = loop_now();
	va_list ap;

	o->count++;
	if (o->said != 0 && now - o->said < LOG_OFTEN)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	put("%.*s (%u since the last such line)", LINE_MAX_TEXT - 64, text,
	    o->count);
	o->said = now;
	o->count = 0;
}

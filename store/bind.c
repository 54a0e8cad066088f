#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"
#include "store/store-private.h"

/* U+FFFD */
#define REPLACEMENT "\xef\xbf\xbd"

/* n bytes were bound, if rc says so. */
static void
bound(struct store *s, int rc, size_t n)
{
	if (rc != SQLITE_OK)
		s->bind = rc;
	s->bound += n;
}

/* The bytes of a text in an event, which is JSON, and in a row. */
static size_t
stored(const char *text, size_t n)
{
	size_t i, size = 2 * n;

	for (i = 0; i < n; i++)
		if ((uint8_t)text[i] < 0x20)
			size += 5; /* \u00XX */
		else if (text[i] == '"' || text[i] == '\\')
			size++;
	return size;
}

static bool
is_utf8(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t i, length;

	for (i = 0; i < n; i += length) {
		length = utf8_next(p + i, n - i, NULL);
		if (length == 0)
			return false;
	}
	return true;
}

/* A copy in which each byte that is not UTF-8 is U+FFFD.  The caller frees. */
static char *
make_utf8(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	char *copy = malloc(n * 3 + 1);
	size_t i, length, used = 0;

	if (copy == NULL)
		return NULL;
	for (i = 0; i < n; i += length) {
		length = utf8_next(p + i, n - i, NULL);
		if (length > 0) {
			memcpy(copy + used, p + i, length);
			used += length;
		} else {
			memcpy(copy + used, REPLACEMENT, 3);
			used += 3;
			length = 1;
		}
	}
	copy[used] = '\0';
	return copy;
}

void
store_bind_text(struct store *s, sqlite3_stmt *st, int i, const char *text)
{
	char *copy;

	if (text == NULL)
		return;
	if (is_utf8(text, strlen(text))) {
		bound(s, sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC),
		    stored(text, strlen(text)));
		return;
	}
	copy = make_utf8(text, strlen(text));
	if (copy == NULL)
		bound(s, SQLITE_NOMEM, 0);
	else
		bound(s, sqlite3_bind_text(st, i, copy, -1, free),
		    stored(copy, strlen(copy)));
}

void
store_bind_number(struct store *s, sqlite3_stmt *st, int i, uint64_t value)
{
	char text[24];

	if (value <= INT64_MAX) {
		bound(s, sqlite3_bind_int64(st, i, (int64_t)value), 0);
		return;
	}
	(void)snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
	bound(s, sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT), 0);
}

void
store_bind_time(struct store *s, sqlite3_stmt *st, int i, int64_t value)
{
	bound(s, sqlite3_bind_int64(st, i, value), 0);
}

void
store_bind_blob(struct store *s, sqlite3_stmt *st, int i, const void *p,
    size_t n)
{
	bound(s, sqlite3_bind_blob64(st, i, p, n, SQLITE_STATIC), n);
}

void
store_bind_hex(struct store *s, sqlite3_stmt *st, int i, const uint8_t *p,
    size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * STORE_HEX_MAX];
	size_t j;

	if (n > sizeof(hex) / 2) {
		bound(s, SQLITE_TOOBIG, 0);
		return;
	}
	for (j = 0; j < n; j++) {
		hex[2 * j] = digits[p[j] >> 4];
		hex[2 * j + 1] = digits[p[j] & 15];
	}
	bound(s, sqlite3_bind_text(st, i, hex, (int)(2 * n), SQLITE_TRANSIENT),
	    4 * n);
}

const char *
store_column(sqlite3_stmt *st, int i)
{
	const unsigned char *text = sqlite3_column_text(st, i);

	return text == NULL ? "" : (const char *)text;
}

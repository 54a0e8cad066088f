#include "config.h"

#include <string.h>

#include "formats/msi/msi-version.h"

/* The longest streams that are looked at, in bytes. */
#define POOL_MAX ((uint64_t)4 << 20)
#define TABLE_MAX ((uint64_t)1 << 20)
#define DATA_MAX ((uint64_t)16 << 20)

#define UTF8 65001 /* the code page */

/* The properties, in this order. */
static const char *const names[] = { "ProductName", "Manufacturer",
	"ProductVersion" };
#define NAMES (sizeof(names) / sizeof(names[0]))

/* --- the names of streams ------------------------------------------------ */

static int
code_of(char c)
{
	static const char codes[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "abcdefghijklmnopqrstuvwxyz._";

	return (int)(strchr(codes, c) - codes);
}

/* Find the stream of a table.  Two characters become one, of a private range. */
static const struct cfb_entry *
find_table(const struct cfb *cfb, const char *name)
{
	const struct cfb_entry *found;
	struct buf b = BUF_INIT;
	uint8_t encoded[CFB_NAME];
	size_t n;

	buf_u16le(&b, 0x4840);
	for (; name[0] != '\0' && name[1] != '\0'; name += 2)
		buf_u16le(&b,
		    (uint16_t)(0x3800 + code_of(name[0]) +
		        (code_of(name[1]) << 6)));
	if (name[0] != '\0')
		buf_u16le(&b, (uint16_t)(0x4800 + code_of(name[0])));
	buf_u16le(&b, 0);
	n = buf_failed(&b) == 0 && b.len <= sizeof(encoded) ? b.len : 0;
	memcpy(encoded, b.data, n);
	buf_free(&b);
	found = n > 0 ? cfb_find(cfb, encoded, n) : NULL;
	return found != NULL && found->type == CFB_STREAM ? found : NULL;
}

static int
append(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	struct buf *b = cookie;

	buf_bytes(b, p, n);
	return buf_failed(b) < 0 ? ht_error_memory(e) : 0;
}

/* Read a whole table.  out stays empty if it is not there, or too long. */
static int
read_table(const struct cfb *cfb, const char *name, uint64_t most,
    struct buf *out, struct ht_error *e)
{
	const struct cfb_entry *stream = find_table(cfb, name);

	if (stream == NULL || stream->size > most)
		return 0;
	return cfb_read_stream(cfb, stream, append, out, e);
}

/* --- the pool of strings ------------------------------------------------- */

/* The strings, one after the other, whose lengths the pool has. */
struct strings {
	struct cursor pool; /* after its first four bytes */
	uint32_t number;    /* of the string that the data have come to */
	uint32_t length;    /* in bytes */
	uint32_t seen;      /* bytes of it that have passed */
	uint8_t text[FORMAT_VERSION_TEXT];
	void (*fn)(void *cookie, uint32_t number, struct cursor text);
	void *cookie;
};

/* Go on to the next string that has bytes.  False at the end. */
static bool
next_string(struct strings *s)
{
	uint16_t low, references;

	s->seen = 0;
	do {
		if (cursor_u16le(&s->pool, &low) < 0 ||
		    cursor_u16le(&s->pool, &references) < 0)
			return false;
		s->number++;
		s->length = low;
		/*
		 * Of a long one, this entry has the high half of the length
		 * where others have references.  msitools writes it so, and
		 * does not read it so.
		 */
		if (low == 0 && references != 0) {
			s->length = (uint32_t)references << 16;
			if (cursor_u16le(&s->pool, &low) < 0 ||
			    cursor_u16le(&s->pool, &references) < 0)
				return false;
			s->length |= low;
		}
	} while (s->length == 0);
	return true;
}

static int
take(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	struct strings *s = cookie;
	size_t part;

	(void)e;
	while (n > 0 && s->length > 0) {
		part = s->length - s->seen;
		part = n < part ? n : part;
		if (s->seen + part <= sizeof(s->text))
			memcpy(s->text + s->seen, p, part);
		s->seen += (uint32_t)part;
		p += part;
		n -= part;
		if (s->seen < s->length)
			continue;
		if (s->length < sizeof(s->text))
			s->fn(s->cookie, s->number,
			    cursor_over(s->text, s->length));
		if (!next_string(s))
			s->length = 0;
	}
	return 0;
}

/* Call fn with each string that fits FORMAT_VERSION_TEXT, in order. */
static int
each_string(const struct cfb *cfb, struct cursor pool,
    void (*fn)(void *cookie, uint32_t number, struct cursor text), void *cookie,
    struct ht_error *e)
{
	const struct cfb_entry *data = find_table(cfb, "_StringData");
	struct strings s = { .pool = pool, .fn = fn, .cookie = cookie };

	if (data == NULL || data->size > DATA_MAX || !next_string(&s))
		return 0;
	return cfb_read_stream(cfb, data, take, &s, e);
}

/* --- the properties ------------------------------------------------------ */

struct properties {
	uint32_t name[NAMES];  /* the number of each name, or 0 */
	uint32_t value[NAMES]; /* and of what it is */
	bool utf8;
	struct format_version *out;
};

static void
is_name(void *cookie, uint32_t number, struct cursor text)
{
	struct properties *p = cookie;
	size_t i;

	for (i = 0; i < NAMES; i++)
		if (cursor_is(text, names[i]))
			p->name[i] = number;
}

static bool
is_ascii(struct cursor text)
{
	while (text.left > 0 && text.p[text.left - 1] < 0x80)
		text.left--;
	return text.left == 0;
}

static void
is_value(void *cookie, uint32_t number, struct cursor text)
{
	struct properties *p = cookie;
	char *const out[NAMES] = { p->out->product, p->out->company,
		p->out->version };
	size_t i;

	for (i = 0; i < NAMES; i++)
		if (p->value[i] == number && (p->utf8 || is_ascii(text)))
			format_version_utf8(text, out[i]);
}

/* A number of a string, of 2 or 3 bytes. */
static uint32_t
read_reference(const uint8_t *p, size_t width)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 |
	    (width > 2 ? (uint32_t)p[2] << 16 : 0);
}

/* The table has all names first, then all values. */
static void
find_values(struct properties *p, const struct buf *table, size_t width)
{
	size_t rows = table->len / (2 * width), row, i;
	uint32_t name;

	for (row = 0; row < rows; row++) {
		name = read_reference(table->data + row * width, width);
		for (i = 0; i < NAMES; i++)
			if (name != 0 && p->name[i] == name)
				p->value[i] = read_reference(
				    table->data + (rows + row) * width, width);
	}
}

int
msi_version_read(const struct cfb *cfb, struct format_version *out,
    struct ht_error *e)
{
	struct properties p = { .out = out };
	struct buf pool = BUF_INIT, table = BUF_INIT;
	struct cursor strings;
	uint16_t page, flags;
	int rc;

	rc = read_table(cfb, "_StringPool", POOL_MAX, &pool, e);
	strings = buf_cursor(&pool);
	if (rc == 0 && cursor_u16le(&strings, &page) == 0 &&
	    cursor_u16le(&strings, &flags) == 0) {
		p.utf8 = page == (uint16_t)UTF8 && (flags & 0x7fff) == 0;
		rc = each_string(cfb, strings, is_name, &p, e);
		if (rc == 0)
			rc = read_table(cfb, "Property", TABLE_MAX, &table, e);
		find_values(&p, &table, (flags & 0x8000) != 0 ? 3 : 2);
		if (rc == 0)
			rc = each_string(cfb, strings, is_value, &p, e);
	}
	buf_free(&pool);
	buf_free(&table);
	return rc;
}

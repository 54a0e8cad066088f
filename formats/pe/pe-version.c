#include "config.h"

#include <stdio.h>
#include <string.h>

#include "formats/pe/pe-header.h"
#include "formats/pe/pe-version.h"

/* The tables of resources are three deep: by type, by name, by language. */
#define LEVELS 3
#define TABLE 16
#define TABLE_ENTRY 8
#define TABLE_ENTRIES_MAX 4096
#define SUBTABLE ((uint32_t)1 << 31)
#define TYPE_VERSION 16

/* A version resource that is longer is not looked at. */
#define RESOURCE_MAX ((uint32_t)64 << 10)

#define FIXED_SIGNATURE UINT32_C(0xfeef04bd)

/* Bytes of the file.  What is beyond its end is not there. */
struct source {
	struct input *in;
	uint64_t at; /* of the PE signature */
	struct pe_resources where;
	struct ht_error *e;
	int rc; /* of input_read */
};

/* Read n bytes at an address of the loaded program.  False if there are none. */
static bool
read_at(struct source *s, uint32_t address, size_t n, struct cursor *out)
{
	const uint8_t *p;
	uint64_t offset;
	size_t got;

	if (s->rc < 0 || n == 0)
		return false;
	s->rc = pe_header_offset(s->in, s->at, address, &offset, s->e);
	if (s->rc == 0 && offset > 0)
		s->rc = input_read(s->in, offset, n, &p, &got, s->e);
	if (s->rc < 0 || offset == 0)
		return false;
	*out = cursor_over(p, got);
	return true;
}

/*
 * Of the table at that distance from the first one, find the entry of this
 * number, or the first if number is 0.  *to is what it points to.
 */
static bool
find_entry(struct source *s, uint32_t table, uint32_t number, uint32_t *to)
{
	struct cursor c;
	uint16_t named, numbered;
	uint32_t id;
	size_t n;

	if (table > s->where.size ||
	    !read_at(s, s->where.address + table,
	        TABLE + TABLE_ENTRIES_MAX * TABLE_ENTRY, &c) ||
	    cursor_skip(&c, TABLE - 4) < 0 || cursor_u16le(&c, &named) < 0 ||
	    cursor_u16le(&c, &numbered) < 0)
		return false;
	for (n = (size_t)named + numbered; n > 0; n--) {
		if (cursor_u32le(&c, &id) < 0 || cursor_u32le(&c, to) < 0)
			return false;
		if (number == 0 || id == number)
			return true;
	}
	return false;
}

/* --- VS_VERSIONINFO ------------------------------------------------------ */

/* One of its blocks: a key, a value, and blocks inside. */
struct block {
	struct cursor key; /* UTF-16, without its NUL */
	struct cursor value;
	struct cursor children;
};

/* Each part of a block begins at a multiple of 4 bytes of the resource. */
static int
align(struct cursor *c, const uint8_t *start)
{
	size_t n = (size_t)(c->p - start) % 4;

	return n == 0 || c->left == 0 ? 0 : cursor_skip(c, 4 - n);
}

static int
read_key(struct cursor *c, struct cursor *key)
{
	uint16_t unit = 1;

	*key = *c;
	while (cursor_u16le(c, &unit) == 0 && unit != 0)
		;
	key->left = (size_t)(c->p - key->p);
	if (unit != 0)
		return HT_ERR_DATA;
	key->left -= 2;
	return 0;
}

/* The next block of c.  Texts are counted in characters, other values in bytes. */
static int
next_block(struct cursor *c, const uint8_t *start, struct block *out)
{
	uint16_t length, value_length, is_text;
	struct cursor all = *c, body;
	size_t n;

	if (cursor_u16le(&all, &length) < 0 || length < 6 ||
	    cursor_bytes(c, length, &body) < 0)
		return HT_ERR_DATA;
	(void)cursor_skip(&body, 2);
	if (cursor_u16le(&body, &value_length) < 0 ||
	    cursor_u16le(&body, &is_text) < 0 ||
	    read_key(&body, &out->key) < 0 || align(&body, start) < 0)
		return HT_ERR_DATA;
	n = is_text == 1 ? 2 * (size_t)value_length : value_length;
	/* Some compilers count what is not there. */
	if (n > body.left)
		n = body.left;
	(void)cursor_bytes(&body, n, &out->value);
	if (align(&body, start) < 0)
		body.left = 0;
	out->children = body;
	(void)align(c, start);
	return 0;
}

static bool
has_key(const struct block *b, const char *key)
{
	size_t i, n = strlen(key);

	if (b->key.left != 2 * n)
		return false;
	for (i = 0; i < n; i++)
		if (b->key.p[2 * i] != (uint8_t)key[i] ||
		    b->key.p[2 * i + 1] != 0)
			return false;
	return true;
}

static void
read_fixed(struct cursor value, struct format_version *out)
{
	uint32_t signature, high, low;

	if (cursor_u32le(&value, &signature) < 0 ||
	    signature != FIXED_SIGNATURE || cursor_skip(&value, 4) < 0 ||
	    cursor_u32le(&value, &high) < 0 || cursor_u32le(&value, &low) < 0)
		return;
	(void)snprintf(out->version, sizeof(out->version), "%u.%u.%u.%u",
	    (unsigned int)(high >> 16), (unsigned int)(high & 0xffff),
	    (unsigned int)(low >> 16), (unsigned int)(low & 0xffff));
}

/* The texts in one language. */
static void
read_strings(struct cursor table, const uint8_t *start,
    struct format_version *out)
{
	struct block string;

	while (next_block(&table, start, &string) == 0) {
		if (has_key(&string, "ProductName"))
			format_version_utf16(string.value, out->product);
		else if (has_key(&string, "CompanyName"))
			format_version_utf16(string.value, out->company);
	}
}

static void
read_resource(struct cursor resource, struct format_version *out)
{
	const uint8_t *start = resource.p;
	struct block info, child, language;

	if (next_block(&resource, start, &info) < 0 ||
	    !has_key(&info, "VS_VERSION_INFO"))
		return;
	read_fixed(info.value, out);
	while (next_block(&info.children, start, &child) == 0)
		if (has_key(&child, "StringFileInfo") &&
		    next_block(&child.children, start, &language) == 0) {
			read_strings(language.children, start, out);
			return;
		}
}

int
pe_version_read(struct input *in, uint64_t at, struct format_version *out,
    struct ht_error *e)
{
	struct source s = { .in = in, .at = at, .e = e };
	uint32_t to = 0, address, size;
	struct cursor c;
	size_t level;

	s.rc = pe_header_resources(in, at, &s.where, e);
	if (s.rc < 0 || s.where.address == 0)
		return s.rc;
	for (level = 0; level < LEVELS; level++)
		if (!find_entry(&s, to & ~SUBTABLE,
		        level == 0 ? TYPE_VERSION : 0, &to) ||
		    ((to & SUBTABLE) != 0) != (level + 1 < LEVELS))
			return s.rc;
	if (to > s.where.size || !read_at(&s, s.where.address + to, 8, &c) ||
	    cursor_u32le(&c, &address) < 0 || cursor_u32le(&c, &size) < 0 ||
	    size > RESOURCE_MAX || !read_at(&s, address, size, &c))
		return s.rc;
	read_resource(c, out);
	return s.rc;
}

#include "config.h"

#include <string.h>

#include "tests/support/catalog.h"

#define SEQUENCE 0x30
#define SET 0x31
#define CONTEXT_0 0xa0
#define OCTETS 0x04
#define BMP 0x1e

/* Identifiers below 1.3.6.1.4.1.311, as DER has what follows that. */
#define SPC_INDIRECT_DATA "\x02\x01\x04"
#define CTL "\x0a\x01"
#define CATALOG_LIST "\x0c\x01\x01"
#define MEMBER "\x0c\x01\x02"
#define NAME_VALUE "\x0c\x02\x01"
#define TRUSTED_ROOTS "\x0a\x03\x09"

/* Append tag, length and what is in content; content is empty then. */
static void
put(struct buf *out, uint8_t tag, struct buf *content)
{
	size_t n = content->len;

	buf_u8(out, tag);
	if (n > 0xffff) {
		buf_u8(out, 0x83);
		buf_u8(out, (uint8_t)(n >> 16));
		buf_u16be(out, (uint16_t)n);
	} else if (n > 0xff) {
		buf_u8(out, 0x82);
		buf_u16be(out, (uint16_t)n);
	} else {
		if (n > 0x7f)
			buf_u8(out, 0x81);
		buf_u8(out, (uint8_t)n);
	}
	buf_bytes(out, content->data, n);
	buf_free(content);
}

static void
put_bytes(struct buf *out, uint8_t tag, const void *p, size_t n)
{
	struct buf content = BUF_INIT;

	buf_bytes(&content, p, n);
	put(out, tag, &content);
}

static void
put_microsoft(struct buf *out, const char *arcs)
{
	static const uint8_t prefix[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82,
		0x37 };
	struct buf content = BUF_INIT;

	buf_bytes(&content, prefix, sizeof(prefix));
	buf_bytes(&content, arcs, strlen(arcs));
	put(out, 0x06, &content);
}

/* An attribute that says a file's name. */
static void
put_name(struct buf *out, unsigned int number)
{
	struct buf name = BUF_INIT;
	struct buf value = BUF_INIT;
	struct buf values = BUF_INIT;
	struct buf attribute = BUF_INIT;
	static const uint8_t flags[] = { 0x00, 0x01, 0x00, 0x01 };
	char text[16];
	size_t i;

	(void)snprintf(text, sizeof(text), "file%u.sys", number % 100000);
	for (i = 0; i <= strlen(text); i++)
		buf_u16le(&value, (uint8_t)text[i]);
	put_bytes(&name, BMP, "\0F\0i\0l\0e", 8);
	put_bytes(&name, 0x02, flags + 1, sizeof(flags) - 1);
	put(&name, OCTETS, &value);
	put(&values, SEQUENCE, &name);
	put_microsoft(&attribute, NAME_VALUE);
	put(&attribute, SET, &values);
	put(out, SEQUENCE, &attribute);
}

/* One that says a file's digest, in an SpcIndirectDataContent. */
static void
put_digest(struct buf *out, const uint8_t digest[32])
{
	static const uint8_t sha256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
		0x04, 0x02, 0x01 };
	struct buf data = BUF_INIT;
	struct buf algorithm = BUF_INIT;
	struct buf info = BUF_INIT;
	struct buf indirect = BUF_INIT;
	struct buf values = BUF_INIT;
	struct buf attribute = BUF_INIT;

	put_microsoft(&data, "\x02\x01\x19");
	put_bytes(&algorithm, 0x06, sha256, sizeof(sha256));
	put_bytes(&algorithm, 0x05, NULL, 0);
	put(&info, SEQUENCE, &algorithm);
	put_bytes(&info, OCTETS, digest, 32);
	put(&indirect, SEQUENCE, &data);
	put(&indirect, SEQUENCE, &info);
	put(&values, SEQUENCE, &indirect);
	put_microsoft(&attribute, SPC_INDIRECT_DATA);
	put(&attribute, SET, &values);
	put(out, SEQUENCE, &attribute);
}

static void
put_member(struct buf *out, unsigned int number)
{
	struct buf attributes = BUF_INIT;
	struct buf member = BUF_INIT;
	uint8_t digest[32];
	size_t i;

	for (i = 0; i < sizeof(digest); i++)
		digest[i] = (uint8_t)(number * 31 + i * 7);
	put_name(&attributes, number);
	put_digest(&attributes, digest);
	put_bytes(&member, OCTETS, digest, sizeof(digest));
	put(&member, SET, &attributes);
	put(out, SEQUENCE, &member);
}

void
catalog_list(unsigned int members, enum catalog_fault fault, struct buf *out)
{
	struct buf list = BUF_INIT;
	struct buf usage = BUF_INIT;
	struct buf algorithm = BUF_INIT;
	struct buf subjects = BUF_INIT;
	uint8_t identifier[16];
	unsigned int i;

	subjects.limit = (size_t)16 << 20;
	memset(identifier, 0x42, sizeof(identifier));
	if (fault != CATALOG_OTHER_USAGE)
		put_microsoft(&usage, CATALOG_LIST);
	if (fault == CATALOG_OTHER_USAGE || fault == CATALOG_TWO_USAGES)
		put_microsoft(&usage, TRUSTED_ROOTS);
	put(&list, SEQUENCE, &usage);
	put_bytes(&list, OCTETS, identifier, sizeof(identifier));
	put_bytes(&list, 0x17, "260722120000Z", 13);
	put_microsoft(&algorithm,
	    fault == CATALOG_OTHER_ALGORITHM ? TRUSTED_ROOTS : MEMBER);
	put_bytes(&algorithm, 0x05, NULL, 0);
	put(&list, SEQUENCE, &algorithm);
	for (i = 0; i < members; i++)
		put_member(&subjects, i);
	put(&list, SEQUENCE, &subjects);
	if (fault == CATALOG_LEFT_OVER)
		put_bytes(&list, 0x05, NULL, 0);
	if (fault != CATALOG_LONG_LENGTH) {
		put(out, SEQUENCE, &list);
		return;
	}
	buf_u8(out, SEQUENCE);
	buf_u8(out, 0x84);
	buf_u32be(out, (uint32_t)list.len);
	buf_bytes(out, list.data, list.len);
	buf_free(&list);
}

void
catalog_make(unsigned int members, enum catalog_fault fault, struct buf *out)
{
	static const uint8_t signed_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
		0x0d, 0x01, 0x07, 0x02 };
	struct buf list = BUF_INIT;
	struct buf content = BUF_INIT;
	struct buf data = BUF_INIT;
	struct buf tagged = BUF_INIT;
	struct buf info = BUF_INIT;

	catalog_list(members, fault, &list);
	put_microsoft(&content,
	    fault == CATALOG_OTHER_TYPE ? SPC_INDIRECT_DATA : CTL);
	put(&content, CONTEXT_0, &list);
	put_bytes(&data, 0x02, "\x01", 1);
	put_bytes(&data, SET, NULL, 0);
	put(&data, SEQUENCE, &content);
	put_bytes(&data, SET, NULL, 0);
	put(&tagged, SEQUENCE, &data);
	put_bytes(&info, 0x06, signed_data, sizeof(signed_data));
	put(&info, CONTEXT_0, &tagged);
	put(out, SEQUENCE, &info);
}

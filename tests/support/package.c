#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "lib/base64.h"
#include "tests/support/package.h"

#define BLOCK ((size_t)64 << 10)

struct builder {
	const struct package *package;
	struct buf *out;
	struct buf directory;
	struct buf block_map;
	struct buf packages; /* what a bundle's manifest has of them */
	struct buf packed;   /* size_t of each block of the last entry */
	struct buf swapped;  /* a record that goes behind the next one */
	unsigned int entries;
};

/* Each block ends on a byte, as packers do it, so that it has a size. */
static void
deflate_blocks(const struct buf *in, struct buf *out, struct buf *sizes)
{
	uint8_t *room = buf_room(out, in->len + in->len / 100 + 64);
	size_t left = in->len;
	size_t packed;
	size_t n;
	z_stream z;

	if (room == NULL)
		return;
	memset(&z, 0, sizeof(z));
	(void)deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8,
	    Z_DEFAULT_STRATEGY);
	z.next_in = in->data;
	z.next_out = room;
	z.avail_out = (uInt)out->len;
	for (; left > 0; left -= n) {
		n = left < BLOCK ? left : BLOCK;
		z.avail_in = (uInt)n;
		packed = z.total_out;
		(void)deflate(&z, Z_FULL_FLUSH);
		packed = z.total_out - packed;
		buf_bytes(sizes, &packed, sizeof(packed));
	}
	(void)deflate(&z, Z_FINISH);
	out->len = z.total_out;
	(void)deflateEnd(&z);
}

static void
put_descriptor(struct builder *b, uint32_t crc, size_t packed, size_t size)
{
	unsigned int form = b->package->descriptor;

	if (b->package->fault == PACKAGE_DESCRIPTOR)
		crc ^= 1;
	if (form == 16 || form == 24)
		buf_u32le(b->out, 0x08074b50);
	buf_u32le(b->out, crc);
	if (form >= 20) {
		buf_u64le(b->out, packed);
		buf_u64le(b->out, size);
	} else {
		buf_u32le(b->out, (uint32_t)packed);
		buf_u32le(b->out, (uint32_t)size);
	}
}

/* Flags, method, time, date, CRC, sizes, and the name's length. */
static void
put_common(struct buf *out, uint16_t flags, uint16_t method, uint32_t crc,
    size_t packed, size_t size, size_t name)
{
	buf_u16le(out, flags);
	buf_u16le(out, method);
	buf_u16le(out, 0x6000);
	buf_u16le(out, 0x5cf6);
	buf_u32le(out, crc);
	buf_u32le(out, (uint32_t)packed);
	buf_u32le(out, (uint32_t)size);
	buf_u16le(out, (uint16_t)name);
}

static void
put_local(struct builder *b, const char *name, const struct buf *packed,
    uint16_t flags, uint16_t method, uint32_t crc, size_t size)
{
	enum package_fault fault = b->package->fault;
	bool later = (flags & 8) != 0;
	size_t at;

	buf_u32le(b->out, 0x04034b50);
	buf_u16le(b->out, b->package->zip64 ? 45 : 20);
	put_common(b->out, flags, method,
	    later ? 0 : crc ^ (fault == PACKAGE_LOCAL_CRC),
	    later ? 0 : packed->len + (fault == PACKAGE_LOCAL_SIZE),
	    later ? 0 : size, strlen(name));
	buf_u16le(b->out, 0);
	at = b->out->len;
	buf_bytes(b->out, name, strlen(name));
	if (fault == PACKAGE_LOCAL_NAME)
		b->out->data[at] ^= 0x20;
	buf_bytes(b->out, packed->data, packed->len);
	if (later)
		put_descriptor(b, crc, packed->len, size);
}

static void
put_entry(struct builder *b, const char *name, const struct buf *content)
{
	const struct package *p = b->package;
	uint16_t method = p->deflated ? 8 : 0;
	uint16_t flags = p->descriptor != 0 ? 8 : 0;
	uint32_t crc = (uint32_t)crc32(0, content->data, (uInt)content->len);
	size_t offset = b->out->len;
	struct buf packed = BUF_INIT;
	struct buf record = BUF_INIT;

	buf_reset(&b->packed);
	if (p->deflated)
		deflate_blocks(content, &packed, &b->packed);
	else
		buf_bytes(&packed, content->data, content->len);
	if (p->fault == PACKAGE_ENCRYPTED)
		flags |= 1;
	if (p->fault == PACKAGE_METHOD)
		method = 12;
	if (p->fault == PACKAGE_CRC)
		crc ^= 1;
	if (p->fault == PACKAGE_GAP && b->entries == 1) {
		buf_u8(b->out, 0);
		offset++;
	}
	put_local(b, name, &packed, flags, method, crc, content->len);
	buf_u32le(&record, 0x02014b50);
	buf_u16le(&record, 45);
	buf_u16le(&record, p->zip64 ? 45 : 20);
	put_common(&record, flags, method, crc, packed.len, content->len,
	    strlen(name));
	buf_zeros(&record, 12);
	buf_u32le(&record, (uint32_t)offset);
	buf_bytes(&record, name, strlen(name));
	if (p->fault == PACKAGE_SWAPPED && b->entries == 0) {
		buf_bytes(&b->swapped, record.data, record.len);
	} else {
		buf_bytes(&b->directory, record.data, record.len);
		buf_bytes(&b->directory, b->swapped.data, b->swapped.len);
		buf_reset(&b->swapped);
	}
	b->entries++;
	buf_free(&packed);
	buf_free(&record);
}

static void
put_text(struct builder *b, const char *name, const char *text)
{
	struct buf content = BUF_INIT;

	buf_bytes(&content, text, strlen(text));
	put_entry(b, name, &content);
	buf_free(&content);
}

static void
map_block(struct builder *b, const uint8_t *p, size_t n, const size_t *packed)
{
	enum package_fault fault = b->package->fault;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int size;

	(void)EVP_Digest(p, n, hash, &size,
	    EVP_get_digestbyname(b->package->method), NULL);
	hash[size - 1] ^= fault == PACKAGE_MAP_HASH;
	buf_format(&b->block_map, "<Block");
	if (packed != NULL)
		buf_format(&b->block_map, " Size=\"%zu\"",
		    fault == PACKAGE_MAP_PACKED ? *packed / 2 : *packed);
	else if (fault == PACKAGE_MAP_PACKED)
		buf_format(&b->block_map, " Size=\"%zu\"", n);
	buf_format(&b->block_map, " Hash=\"");
	base64_encode(hash, size, BASE64_STANDARD, &b->block_map);
	buf_format(&b->block_map, "\"/>");
}

/* The last entry's lines in the block map: the digest of each 64 KiB. */
static void
map_file(struct builder *b, const char *name, size_t header,
    const struct buf *content)
{
	enum package_fault fault = b->package->fault;
	const size_t *packed =
	    b->package->deflated ? (size_t *)(void *)b->packed.data : NULL;
	size_t at;
	size_t n;

	buf_format(&b->block_map,
	    "<File Name=\"%s\" Size=\"%zu%s\" LfhSize=\"%zu\">", name,
	    content->len + (fault == PACKAGE_MAP_SIZE),
	    fault == PACKAGE_MAP_NO_NUMBER ? "x" : "",
	    header + (fault == PACKAGE_MAP_HEADER));
	for (at = 0; at < content->len; at += n) {
		n = content->len - at < BLOCK ? content->len - at : BLOCK;
		if (fault != PACKAGE_MAP_FEW || at + n < content->len)
			map_block(b, content->data + at, n, packed);
		if (packed != NULL)
			packed++;
	}
	if (fault == PACKAGE_MAP_MANY)
		map_block(b, (const uint8_t *)name, 1, NULL);
	buf_format(&b->block_map, "</File>");
}

static void
put_mapped(struct builder *b, const char *name, const struct buf *content)
{
	char mapped[64];
	char *slash;

	(void)snprintf(mapped, sizeof(mapped), "%s", name);
	while ((slash = strchr(mapped, '/')) != NULL)
		*slash = '\\';
	put_entry(b, name, content);
	map_file(b, mapped, 30 + strlen(name), content);
}

/* A package of a bundle, which is stored. */
static void
put_package(struct builder *b, const char *name, const struct buf *content)
{
	const struct package *package = b->package;
	enum package_fault fault = package->fault;
	struct package stored = *package;
	size_t at = b->out->len + 30 + strlen(name);

	stored.deflated = false;
	b->package = &stored;
	put_entry(b, name, content);
	if (fault == PACKAGE_BUNDLE_MAP)
		map_file(b, name, 30 + strlen(name), content);
	b->package = package;
	if (fault != PACKAGE_BUNDLE_UNLISTED)
		buf_format(&b->packages,
		    "<Package FileName=\"%s%s\" Offset=\"%zu\" "
		    "Size=\"%zu\"/>",
		    fault == PACKAGE_BUNDLE_NOT_HERE ? "other-" : "", name,
		    at + (fault == PACKAGE_BUNDLE_OFFSET), content->len);
}

static void
put_file(struct builder *b, unsigned int number)
{
	const struct package *package = b->package;
	struct buf content = BUF_INIT;
	char name[64];
	unsigned int i;

	(void)snprintf(name, sizeof(name),
	    package->bundle ? "part%u.msix" : "file%u.bin", number);
	for (i = 0; i < package->size; i++)
		buf_u8(&content, (uint8_t)(i * (number + 3) >> 2));
	if (package->bundle)
		put_package(b, name, &content);
	else
		put_mapped(b, name, &content);
	buf_free(&content);
}

/* A name that the ZIP file has in another form than the block map. */
static void
put_encoded(struct builder *b)
{
	static const char name[] = "Folder/%41n%20EMPTY%2Btext";
	struct buf content = BUF_INIT;

	put_entry(b, name, &content);
	map_file(b, "folder\\An empty+Text", 30 + strlen(name), &content);
}

static void
put_manifest(struct builder *b)
{
	const struct package *p = b->package;
	const char *root = p->bundle ? "Bundle" : "Package";
	const char *name = p->bundle ? "AppxMetadata/AppxBundleManifest.xml"
	                             : "AppxManifest.xml";
	struct buf text = BUF_INIT;
	struct buf identity = BUF_INIT;

	buf_format(&text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n");
	if (p->fault == PACKAGE_DOCTYPE)
		buf_format(&text, "<!DOCTYPE x [ ]>");
	buf_format(&text,
	    "<!-- <Identity Publisher=\"CN=Nobody\"/> -->\r\n"
	    "<%s xmlns=\"http://schemas.microsoft.com/appx/manifest/"
	    "foundation/windows10\">\r\n",
	    root);
	buf_format(&identity,
	    "  <Identity Name=\"Test\" %s=\"%s\" "
	    "Version=\"1.0.0.0\" />\r\n",
	    p->fault == PACKAGE_NO_PUBLISHER ? "Author" : "Publisher",
	    p->publisher);
	buf_bytes(&text, identity.data, identity.len);
	if (p->fault == PACKAGE_TWO_IDENTITIES)
		buf_bytes(&text, identity.data, identity.len);
	buf_format(&text,
	    "  <Properties><Identity Publisher=\"CN=Deeper\"></Identity>"
	    "</Properties>\r\n");
	if (p->bundle) {
		buf_format(&text, "<Packages>");
		buf_bytes(&text, b->packages.data, b->packages.len);
		/* A flat one is not in the bundle. */
		buf_format(&text,
		    "<Package FileName=\"flat.msix\" Size=\"1\"/></Packages>");
	}
	buf_format(&text, "</%s>\r\n", root);
	if (p->fault == PACKAGE_PART_CASE)
		put_mapped(b, "appxmanifest.xml", &text);
	else if (p->fault != PACKAGE_NO_MANIFEST)
		put_mapped(b, name, &text);
	if (p->fault == PACKAGE_TWO_MANIFESTS)
		put_mapped(b,
		    p->bundle ? "AppxManifest.xml"
		              : "AppxMetadata/AppxBundleManifest.xml",
		    &text);
	buf_free(&identity);
	buf_free(&text);
}

static void
put_block_map(struct builder *b)
{
	const struct package *p = b->package;
	const char *method = "http://www.w3.org/2001/04/xmlenc#sha256";
	struct buf text = BUF_INIT;

	if (strcmp(p->method, "sha384") == 0)
		method = "http://www.w3.org/2001/04/xmldsig-more#sha384";
	else if (strcmp(p->method, "sha512") == 0)
		method = "http://www.w3.org/2001/04/xmlenc#sha512";
	if (p->fault == PACKAGE_BAD_METHOD)
		method = "http://www.w3.org/2000/09/xmldsig#sha1";
	buf_format(&text,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\r\n"
	    "<BlockMap xmlns=\"http://schemas.microsoft.com/appx/2010/"
	    "blockmap\" HashMethod=\"%s\">",
	    method);
	buf_bytes(&text, b->block_map.data, b->block_map.len);
	buf_format(&text, "</BlockMap>");
	put_entry(b, "AppxBlockMap.xml", &text);
	buf_free(&text);
}

static void
put_types(struct builder *b)
{
	static const char start[] =
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<Types xmlns=\""
	    "http://schemas.openxmlformats.org/package/2006/content-types\"";
	static const char body[] =
	    "><Default Extension=\"bin\" ContentType=\"application/octet-"
	    "stream\"/><Default Extension=\"msix\" ContentType=\"application/"
	    "vnd.ms-appx\"/><Default Extension=\"xml\" ContentType=\""
	    "application/vnd.ms-appx.manifest+xml\"/><Override PartName=\""
	    "/AppxBlockMap.xml\" ContentType=\"application/vnd.ms-appx."
	    "blockmap+xml\"/>";
	struct buf text = BUF_INIT;

	if (b->package->fault == PACKAGE_UTF16)
		buf_bytes(&text, "\xff\xfe<\0", 4);
	buf_bytes(&text, start, sizeof(start) - 1);
	if (b->package->fault == PACKAGE_EMPTY_TYPES) {
		buf_format(&text, "/>");
	} else {
		buf_bytes(&text, body, sizeof(body) - 1);
		if (b->package->overridden)
			buf_format(&text,
			    "<Override PartName="
			    "\"/AppxSignature.p7x\" ContentType="
			    "\"application/vnd.ms-appx.signature\"/>");
		buf_format(&text, "</Types>");
	}
	put_entry(b, "[Content_Types].xml", &text);
	buf_free(&text);
}

static void
put_twice(struct builder *b)
{
	enum package_fault fault = b->package->fault;
	const char *name = "twice.txt";
	const char *again = name;

	if (fault == PACKAGE_TWO_CASES)
		again = "Twice.TXT";
	else if (fault == PACKAGE_TWO_ESCAPES)
		again = "t%77ice.txt";
	else if (fault == PACKAGE_TWO_LETTERS) {
		name = "%C3%A4.txt";
		again = "%C3%84.txt";
	} else if (fault != PACKAGE_TWO_NAMES)
		return;
	put_text(b, name, "one");
	put_text(b, again, "two");
}

static void
put_parts(struct builder *b)
{
	const struct buf none = BUF_INIT;
	const struct package *p = b->package;
	unsigned int i;

	if (p->fault == PACKAGE_P7X_FIRST)
		put_text(b, "AppxSignature.p7x", "PKCX");
	if (p->types_first)
		put_types(b);
	for (i = 0; i < p->files; i++)
		put_file(b, i);
	put_manifest(b);
	if (!p->bundle)
		put_encoded(b);
	put_twice(b);
	if (p->fault == PACKAGE_MAP_NOT_THERE)
		put_text(b, "extra.txt", "extra");
	if (p->fault == PACKAGE_MAP_NOT_HERE)
		map_file(b, "gone.txt", 38, &none);
	if (p->fault == PACKAGE_MAP_TWICE)
		map_file(b, "AppxManifest.xml", 46, &none);
	if (p->fault == PACKAGE_MAP_TYPES)
		map_file(b, "[Content_Types].xml", 49, &none);
	if (p->fault != PACKAGE_NO_BLOCK_MAP)
		put_block_map(b);
	if (!p->types_first && p->fault != PACKAGE_NO_TYPES)
		put_types(b);
	if (p->code_integrity)
		put_text(b, "AppxMetadata/CodeIntegrity.cat", "a catalog");
	if (p->fault == PACKAGE_P7X_OTHER)
		put_text(b, "AppxSignature.p7x", "0\3\2\1*");
}

static void
put_end(struct builder *b)
{
	const struct package *p = b->package;
	unsigned int entries = b->entries + (p->fault == PACKAGE_COUNT);
	size_t offset = b->out->len;
	size_t size = b->directory.len;

	buf_bytes(b->out, b->directory.data, size);
	if (p->zip64) {
		buf_u32le(b->out, 0x06064b50);
		buf_u64le(b->out, 44);
		buf_u16le(b->out, 45);
		buf_u16le(b->out, 45);
		buf_u64le(b->out, 0);
		buf_u64le(b->out, entries);
		buf_u64le(b->out, entries);
		buf_u64le(b->out, size);
		buf_u64le(b->out, offset);
		buf_u32le(b->out, 0x07064b50);
		buf_u32le(b->out, 0);
		buf_u64le(b->out, offset + size);
		buf_u32le(b->out, 1);
	}
	buf_u32le(b->out, 0x06054b50);
	buf_u32le(b->out, p->zip64 ? 0xffffffff : 0);
	buf_u16le(b->out, p->zip64 ? 0xffff : (uint16_t)entries);
	buf_u16le(b->out, p->zip64 ? 0xffff : (uint16_t)entries);
	buf_u32le(b->out, p->zip64 ? 0xffffffff : (uint32_t)size);
	buf_u32le(b->out, p->zip64 ? 0xffffffff : (uint32_t)offset);
	buf_u16le(b->out, p->fault == PACKAGE_COMMENT);
	if (p->fault == PACKAGE_COMMENT || p->fault == PACKAGE_BEHIND)
		buf_u8(b->out, 0);
}

void
package_make(const struct package *package, struct buf *out)
{
	struct builder b = { .package = package, .out = out };

	if (package->fault == PACKAGE_BEFORE)
		buf_bytes(out, "PK\3\4", 4);
	put_parts(&b);
	put_end(&b);
	buf_free(&b.directory);
	buf_free(&b.block_map);
	buf_free(&b.packages);
	buf_free(&b.packed);
	buf_free(&b.swapped);
}

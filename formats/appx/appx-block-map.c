#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "formats/appx/appx-block-map.h"
#include "formats/appx/xml.h"
#include "lib/base64.h"
#include "signature/spc-asn1.h"

#define BLOCK ((size_t)64 << 10)

/* How much of the block map is in memory. */
#define WINDOW (2 * XML_MARKUP_MAX)

/*
 * A deflated byte can become a thousand.  All files together may unpack to
 * UNPACKED_LEAST bytes, or to UNPACKED_TIMES the package's size.
 */
#define UNPACKED_LEAST ((uint64_t)32 << 30)
#define UNPACKED_TIMES 8

struct block_map {
	struct appx_parts *parts;
	const char *name; /* of the block map */
	const char *algorithm;
	struct xml xml;
	struct zip_reader *text;
	uint64_t budget; /* bytes that may still be unpacked */

	/* The file whose blocks come next; NULL before the first. */
	struct zip_reader *reader;
	struct zip_entry entry;
	struct buf record; /* the entry's */
	uint64_t left;     /* of its bytes, those without a block so far */
	uint64_t packed;   /* and of the packed ones, those with a block */
	uint64_t blocks;

	uint8_t block[BLOCK + 1];
	uint8_t window[WINDOW];
};

static int
fill(void *cookie, struct cursor *rest, bool *more, struct ht_error *e)
{
	struct block_map *map = cookie;
	size_t n = rest->left;
	size_t got;
	int rc;

	if (n > 0)
		memmove(map->window, rest->p, n);
	rc = zip_reader_read(map->text, ZIP_TO_END, map->window + n, WINDOW - n,
	    &got, e);
	if (rc < 0)
		return rc;
	if (memchr(map->window + n, '\0', got) != NULL)
		return ht_error_set(e, HT_ERR_DATA, "%s is not UTF-8",
		    map->name);
	*more = got > 0;
	*rest = cursor_over(map->window, n + got);
	return 0;
}

static int
differs(const struct block_map *map, const char *what, struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_DATA, map->entry.offset,
	    "APPX: %.*s is not what %s says: %s", ZIP_NAME(map->entry.name),
	    map->name, what);
}

/* --- attributes ---------------------------------------------------------- */

/*
 * Read an attribute that is a number.  *found is false if there is none, and
 * *value 0.
 */
static int
read_number(const struct xml *xml, const struct xml_tag *tag, const char *name,
    uint64_t *value, bool *found, struct ht_error *e)
{
	struct buf text = BUF_INIT;
	uint64_t n = 0;
	size_t i;
	int rc;

	*value = 0;
	rc = xml_attribute(xml, tag, name, &text, found, e);
	for (i = 0; rc == 0 && i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' ||
		    n > UINT64_MAX / 10 - 1)
			rc = HT_ERR_DATA;
		n = n * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (*found && (rc == HT_ERR_DATA || text.len == 0))
		rc = ht_error_set(e, HT_ERR_DATA,
		    "APPX: a %s in %s is no number", name, xml->part);
	if (rc == 0)
		*value = n;
	buf_free(&text);
	return rc;
}

/*
 * Find the entry with the name in an attribute.  *name is NULL if there is
 * none in the package.  text must be empty, and gets the attribute.
 */
static int
read_name(const struct xml *xml, const struct xml_tag *tag, const char *which,
    const struct zip *zip, struct buf *text, struct zip_name **name,
    struct ht_error *e)
{
	bool found;
	int rc;

	*name = NULL;
	rc = xml_attribute(xml, tag, which, text, &found, e);
	if (rc < 0)
		return rc;
	if (!found)
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: a %.*s in %s has no %s", ZIP_NAME(tag->name),
		    xml->part, which);
	*name = zip_find(zip, buf_cursor(text));
	if (*name != NULL && (*name)->marked)
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: %s must not have %.*s, or has it twice", xml->part,
		    ZIP_NAME(buf_cursor(text)));
	return 0;
}

/* --- the block map ------------------------------------------------------- */

/*
 * After the last block of a file.  A packer that does not know which one is
 * the last ends with two bytes more.
 */
static int
end_file(struct block_map *map, struct ht_error *e)
{
	uint64_t more = map->entry.packed - map->packed;
	size_t got = 0;
	int rc = 0;

	if (map->reader == NULL)
		return 0;
	if (map->left > 0)
		rc = differs(map, "it has more blocks", e);
	else if (map->entry.method == ZIP_DEFLATED && more != 0 && more != 2)
		rc = differs(map, "it is packed to another size", e);
	if (rc == 0)
		rc = zip_reader_read(map->reader, ZIP_TO_END, map->block, 1,
		    &got, e);
	if (rc == 0 && got > 0)
		rc = differs(map, "it has another size", e);
	zip_reader_free(map->reader);
	map->reader = NULL;
	return rc;
}

static int
check_file(struct block_map *map, const struct xml_tag *tag, struct ht_error *e)
{
	const struct zip_entry *entry = &map->entry;
	const struct zip_entry *manifest =
	    &map->parts->part[APPX_BUNDLE_MANIFEST];
	uint64_t size;
	uint64_t header;
	bool found;
	int rc;

	if ((rc = read_number(&map->xml, tag, "Size", &size, &found, e)) < 0 ||
	    (rc = read_number(&map->xml, tag, "LfhSize", &header, &found, e)) <
	        0)
		return rc;
	if (size != entry->size)
		return differs(map, "it has another size", e);
	if (header != entry->data - entry->offset)
		return differs(map, "its header has another size", e);
	if (map->parts->is_bundle && entry->offset != manifest->offset)
		return differs(map, "only the manifest of a bundle is in it",
		    e);
	if (size > map->budget)
		return ht_error_at(e, HT_ERR_REFUSED, entry->offset,
		    "APPX: the files unpack to far more than the package has");
	map->budget -= size;
	return 0;
}

static int
start_file(struct block_map *map, const struct xml_tag *tag, struct ht_error *e)
{
	struct zip *zip = &map->parts->zip;
	struct buf text = BUF_INIT;
	struct zip_name *name;
	int rc;

	rc = read_name(&map->xml, tag, "Name", zip, &text, &name, e);
	if (rc == 0 && name == NULL)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "APPX: %s has %.*s, which is not in the package", map->name,
		    ZIP_NAME(buf_cursor(&text)));
	if (rc == 0)
		rc = zip_entry_of(zip, name, &map->record, &map->entry, e);
	if (rc == 0)
		rc = check_file(map, tag, e);
	if (rc < 0)
		goto out;
	name->marked = true;
	map->left = map->entry.size;
	map->packed = 0;
	map->blocks = 0;
	rc = zip_reader_new(zip, &map->entry, &map->reader, e);
out:
	buf_free(&text);
	return rc;
}

static int
compare_digest(struct block_map *map, const struct xml_tag *tag, size_t n,
    struct ht_error *e)
{
	struct buf said = BUF_INIT;
	struct buf text = BUF_INIT;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int hash_size;
	char what[64];
	bool found;
	int rc;

	rc = xml_attribute(&map->xml, tag, "Hash", &said, &found, e);
	if (rc < 0)
		goto out;
	if (EVP_Digest(map->block, n, hash, &hash_size, spc_md(map->algorithm),
	        NULL) != 1) {
		rc = spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
		goto out;
	}
	base64_encode(hash, hash_size, BASE64_STANDARD, &text);
	(void)snprintf(what, sizeof(what), "block %llu has another digest",
	    (unsigned long long)map->blocks);
	if (buf_failed(&text) < 0)
		rc = ht_error_memory(e);
	else if (said.len != text.len ||
	    memcmp(said.data, text.data, text.len) != 0)
		rc = differs(map, what, e);
out:
	buf_free(&said);
	buf_free(&text);
	return rc;
}

static int
check_block(struct block_map *map, const struct xml_tag *tag,
    struct ht_error *e)
{
	bool deflated = map->entry.method == ZIP_DEFLATED;
	size_t want = map->left < BLOCK ? (size_t)map->left : BLOCK;
	uint64_t packed;
	bool has_size;
	size_t got;
	int rc;

	if (map->reader == NULL || want == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: %s has a block too many", map->name);
	map->blocks++;
	rc = read_number(&map->xml, tag, "Size", &packed, &has_size, e);
	if (rc < 0)
		return rc;
	if (has_size != deflated || packed > map->entry.packed - map->packed)
		return differs(map, "it is packed to another size", e);
	map->packed += packed;
	/* A byte more shows that the block goes on. */
	rc = zip_reader_read(map->reader, deflated ? map->packed : ZIP_TO_END,
	    map->block, want + (deflated ? 1 : 0), &got, e);
	if (rc == 0 && got != want)
		rc = differs(map, "its blocks are packed to other sizes", e);
	if (rc == 0)
		rc = compare_digest(map, tag, want, e);
	map->left -= want;
	return rc;
}

static int
check_map(struct block_map *map, struct ht_error *e)
{
	struct xml_tag tag;
	bool more = true;
	int rc;

	rc = xml_open(&map->xml, map->name, NULL, 0, e);
	map->xml.fill = fill;
	map->xml.cookie = map;
	while (rc == 0) {
		rc = xml_next(&map->xml, &tag, &more, e);
		if (rc == 0 && (!more || tag.depth <= 1))
			rc = end_file(map, e);
		if (rc < 0 || !more)
			break;
		if (tag.depth == 1 && cursor_is(tag.name, "File"))
			rc = start_file(map, &tag, e);
		else if (tag.depth == 2 && cursor_is(tag.name, "Block"))
			rc = check_block(map, &tag, e);
	}
	return rc;
}

/* --- the packages of a bundle -------------------------------------------- */

/*
 * A package that a bundle's manifest names.  Without Offset it is a file of its
 * own, and not in the bundle.
 */
static int
check_package(struct appx_parts *parts, const struct appx_layout *layout,
    const struct xml *xml, const struct xml_tag *tag, struct ht_error *e)
{
	struct buf text = BUF_INIT;
	struct buf record = BUF_INIT;
	struct zip_name *name;
	struct zip_entry entry;
	uint64_t offset;
	uint64_t size;
	bool found;
	int rc;

	if ((rc = read_number(xml, tag, "Size", &size, &found, e)) < 0 ||
	    (rc = read_number(xml, tag, "Offset", &offset, &found, e)) < 0 ||
	    !found ||
	    (rc = read_name(xml, tag, "FileName", &parts->zip, &text, &name,
	         e)) < 0)
		goto out;
	if (name == NULL) {
		rc = ht_error_set(e, HT_ERR_DATA,
		    "APPX: %s has %.*s, which is not in the bundle", xml->part,
		    ZIP_NAME(buf_cursor(&text)));
		goto out;
	}
	rc = zip_entry_of(&parts->zip, name, &record, &entry, e);
	if (rc < 0)
		goto out;
	name->marked = true;
	if (layout->types.len > 0 &&
	    entry.offset > parts->part[APPX_TYPES].offset)
		entry.data += layout->grown;
	if (entry.method != ZIP_STORED || entry.size != size ||
	    entry.data != offset)
		rc = ht_error_at(e, HT_ERR_DATA, entry.offset,
		    "APPX: %.*s is not stored where %s says, in a bundle that "
		    "is signed",
		    ZIP_NAME(entry.name), xml->part);
out:
	buf_free(&text);
	buf_free(&record);
	return rc;
}

static int
check_bundle(struct appx_parts *parts, const struct appx_layout *layout,
    struct ht_error *e)
{
	struct buf bytes = BUF_INIT;
	struct xml_tag tag;
	struct xml xml;
	bool more = true;
	int rc;

	rc = appx_manifest_open(parts, &bytes, &xml, e);
	while (rc == 0) {
		rc = xml_next(&xml, &tag, &more, e);
		if (rc < 0 || !more)
			break;
		if (tag.depth == 2 && cursor_is(tag.name, "Package"))
			rc = check_package(parts, layout, &xml, &tag, e);
	}
	buf_free(&bytes);
	return rc;
}

/* --- all of it ----------------------------------------------------------- */

/* The parts that no block map has. */
static void
mark_parts(struct appx_parts *parts)
{
	static const enum appx_part unmapped[] = { APPX_TYPES, APPX_BLOCK_MAP,
		APPX_CODE_INTEGRITY, APPX_P7X };
	struct zip_name *name;
	size_t i;

	for (i = 0; i < sizeof(unmapped) / sizeof(unmapped[0]); i++) {
		if (!parts->has[unmapped[i]])
			continue;
		name = zip_find(&parts->zip, parts->part[unmapped[i]].name);
		if (name != NULL)
			name->marked = true;
	}
}

static int
check_marks(struct block_map *map, struct ht_error *e)
{
	struct zip *zip = &map->parts->zip;
	const struct zip_name *name =
	    (const struct zip_name *)(const void *)zip->names.data;
	size_t n = zip->names.len / sizeof(*name);
	int rc;

	for (; n > 0; n--, name++) {
		if (name->marked)
			continue;
		rc = zip_entry_of(zip, name, &map->record, &map->entry, e);
		if (rc < 0)
			return rc;
		return ht_error_at(e, HT_ERR_DATA, map->entry.offset,
		    "APPX: %.*s is in the %s, but not in %s",
		    ZIP_NAME(map->entry.name),
		    map->parts->is_bundle ? "bundle" : "package",
		    map->parts->is_bundle ? "its manifest or block map"
		                          : map->name);
	}
	return 0;
}

int
appx_block_map_check(struct appx_parts *parts, const struct appx_layout *layout,
    const char *algorithm, struct ht_error *e)
{
	const struct zip_entry *part = &parts->part[APPX_BLOCK_MAP];
	struct block_map *map = calloc(1, sizeof(*map));
	uint64_t size = parts->zip.size;
	int rc;

	if (map == NULL)
		return ht_error_memory(e);
	map->parts = parts;
	map->name = (const char *)part->name.p;
	map->algorithm = algorithm;
	map->budget = size > UNPACKED_LEAST / UNPACKED_TIMES
	    ? size * UNPACKED_TIMES
	    : UNPACKED_LEAST;
	mark_parts(parts);
	if ((rc = zip_reader_new(&parts->zip, part, &map->text, e)) < 0 ||
	    (rc = check_map(map, e)) < 0)
		goto out;
	if (parts->is_bundle)
		rc = check_bundle(parts, layout, e);
	if (rc == 0)
		rc = check_marks(map, e);
out:
	zip_reader_free(map->text);
	zip_reader_free(map->reader);
	buf_free(&map->record);
	free(map);
	return rc;
}

#include "config.h"

#include <string.h>
#include <strings.h>

#include "formats/appx/appx-parts.h"
#include "formats/format.h"

/* Far more than any manifest or list of content types has. */
#define MANIFEST_MAX ((size_t)4 << 20)

#define TYPE_OVERRIDE                                                          \
	"<Override PartName=\"/" APPX_SIGNATURE "\" "                          \
	"ContentType=\"application/vnd.ms-appx.signature\"/>"

static const char *const names[APPX_PARTS] = {
	[APPX_TYPES] = "[Content_Types].xml",
	[APPX_BLOCK_MAP] = "AppxBlockMap.xml",
	[APPX_MANIFEST] = "AppxManifest.xml",
	[APPX_BUNDLE_MANIFEST] = "AppxMetadata/AppxBundleManifest.xml",
	[APPX_CODE_INTEGRITY] = "AppxMetadata/CodeIntegrity.cat",
	[APPX_P7X] = APPX_SIGNATURE,
};

static int
note_part(struct appx_parts *parts, const struct zip_entry *entry,
    struct ht_error *e)
{
	size_t i;

	if (parts->has[APPX_P7X])
		return ht_error_at(e, HT_ERR_DATA, entry->offset,
		    "APPX: %s is not the last entry", APPX_SIGNATURE);
	for (i = 0; i < APPX_PARTS; i++) {
		if (strlen(names[i]) != entry->name.left ||
		    strncasecmp(names[i], (const char *)entry->name.p,
		        entry->name.left) != 0)
			continue;
		if (memcmp(names[i], entry->name.p, entry->name.left) != 0)
			return ht_error_at(e, HT_ERR_DATA, entry->offset,
			    "APPX: a part's name is %s in another case",
			    names[i]);
		parts->part[i] = *entry;
		/* The entry's cursors become invalid. */
		parts->part[i].name = cursor_over(names[i], strlen(names[i]));
		parts->part[i].central.p = NULL;
		parts->has[i] = true;
	}
	return 0;
}

static int
check_parts(struct appx_parts *parts, struct ht_error *e)
{
	enum appx_part manifest;

	if (!parts->has[APPX_TYPES])
		return ht_error_set(e, HT_ERR_DATA,
		    "a ZIP file, but no APPX package: it has no %s",
		    names[APPX_TYPES]);
	if (!parts->has[APPX_BLOCK_MAP])
		return ht_error_set(e, HT_ERR_DATA,
		    "a ZIP file, but no APPX package: it has no %s",
		    names[APPX_BLOCK_MAP]);
	parts->is_bundle = parts->has[APPX_BUNDLE_MANIFEST];
	manifest = parts->is_bundle ? APPX_BUNDLE_MANIFEST : APPX_MANIFEST;
	if (!parts->has[manifest])
		return ht_error_set(e, HT_ERR_DATA,
		    "a ZIP file, but no APPX package: it has no manifest");
	if (parts->is_bundle && parts->has[APPX_MANIFEST])
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: manifests of both a package and a bundle");
	return 0;
}

int
appx_parts_open(struct appx_parts *parts, struct input *in, struct ht_error *e)
{
	struct zip_entry entry;
	bool more;
	int rc;

	memset(parts, 0, sizeof(*parts));
	rc = zip_open(&parts->zip, in, e);
	while (rc == 0) {
		rc = zip_next(&parts->zip, &entry, &more, e);
		if (rc < 0 || !more)
			break;
		rc = note_part(parts, &entry, e);
	}
	if (rc == 0)
		rc = check_parts(parts, e);
	parts->records_end = parts->has[APPX_P7X] ? parts->part[APPX_P7X].offset
	                                          : parts->zip.offset;
	return rc;
}

void
appx_parts_close(struct appx_parts *parts)
{
	zip_close(&parts->zip);
	memset(parts, 0, sizeof(*parts));
}

static int
collect(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	struct buf *out = cookie;

	buf_bytes(out, p, n);
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

int
appx_part_read(const struct appx_parts *parts, enum appx_part which, size_t max,
    struct buf *out, struct ht_error *e)
{
	return zip_extract(&parts->zip, &parts->part[which], max, collect, out,
	    e);
}

int
appx_p7x_read(const struct appx_parts *parts, struct buf *p7,
    struct ht_error *e)
{
	struct buf p7x = BUF_INIT;
	int rc;

	rc = appx_part_read(parts, APPX_P7X, PKCS7_MAX, &p7x, e);
	if (rc < 0)
		goto out;
	if (p7x.len <= APPX_MAGIC_SIZE ||
	    memcmp(p7x.data, APPX_MAGIC, APPX_MAGIC_SIZE) != 0) {
		rc = ht_error_at(e, HT_ERR_DATA, parts->part[APPX_P7X].data,
		    "APPX: %s does not begin with PKCX", APPX_SIGNATURE);
		goto out;
	}
	buf_bytes(p7, p7x.data + APPX_MAGIC_SIZE, p7x.len - APPX_MAGIC_SIZE);
	if (buf_failed(p7) < 0)
		rc = ht_error_memory(e);
out:
	buf_free(&p7x);
	return rc;
}

/*
 * Find the Publisher of Identity, which is a child of the root.
 */
static int
find_publisher(struct xml *xml, const char *root, struct buf *out,
    struct ht_error *e)
{
	struct xml_tag tag;
	bool found = false;
	bool more;
	int rc;

	for (;;) {
		rc = xml_next(xml, &tag, &more, e);
		if (rc < 0)
			return rc;
		if (!more)
			break;
		if (tag.depth == 0 && !cursor_is(tag.name, root))
			return ht_error_set(e, HT_ERR_DATA,
			    "APPX: the root of %s is not %s", xml->part, root);
		if (tag.depth != 1 || !cursor_is(tag.name, "Identity"))
			continue;
		if (found)
			return ht_error_set(e, HT_ERR_DATA,
			    "APPX: %s has two identities", xml->part);
		rc = xml_attribute(xml, &tag, "Publisher", out, &found, e);
		if (rc < 0)
			return rc;
	}
	if (!found || out->len == 0 || out->len > FORMAT_PUBLISHER_MAX ||
	    memchr(out->data, '\0', out->len) != NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: %s names no publisher, or one of more than %d bytes",
		    xml->part, FORMAT_PUBLISHER_MAX);
	return 0;
}

int
appx_manifest_open(const struct appx_parts *parts, struct buf *bytes,
    struct xml *xml, struct ht_error *e)
{
	enum appx_part which =
	    parts->is_bundle ? APPX_BUNDLE_MANIFEST : APPX_MANIFEST;
	int rc = appx_part_read(parts, which, MANIFEST_MAX, bytes, e);

	if (rc == 0)
		rc = xml_open(xml, names[which], bytes->data, bytes->len, e);
	return rc;
}

int
appx_publisher(const struct appx_parts *parts, struct buf *out,
    struct ht_error *e)
{
	struct buf bytes = BUF_INIT;
	struct xml xml;
	int rc;

	rc = appx_manifest_open(parts, &bytes, &xml, e);
	if (rc == 0)
		rc = find_publisher(&xml,
		    parts->is_bundle ? "Bundle" : "Package", out, e);
	buf_free(&bytes);
	return rc;
}

int
appx_hash_method(const void *p, size_t n, const char **algorithm,
    struct ht_error *e)
{
	static const struct {
		const char *uri;
		const char *algorithm;
	} methods[] = {
		{ "http://www.w3.org/2001/04/xmlenc#sha256", "sha256" },
		{ "http://www.w3.org/2001/04/xmldsig-more#sha384", "sha384" },
		{ "http://www.w3.org/2001/04/xmlenc#sha512", "sha512" },
	};
	const char *part = names[APPX_BLOCK_MAP];
	struct buf method = BUF_INIT;
	struct xml xml;
	struct xml_tag tag;
	bool more = false;
	bool found = false;
	size_t i;
	int rc;

	*algorithm = NULL;
	rc = xml_open(&xml, part, p, n, e);
	if (rc == 0)
		rc = xml_next(&xml, &tag, &more, e);
	if (rc == 0 && more && cursor_is(tag.name, "BlockMap"))
		rc =
		    xml_attribute(&xml, &tag, "HashMethod", &method, &found, e);
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (rc == 0 && found &&
		    cursor_is(buf_cursor(&method), methods[i].uri))
			*algorithm = methods[i].algorithm;
	}
	if (rc == 0 && *algorithm == NULL)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "APPX: the HashMethod of %s is not SHA-256, SHA-384 or "
		    "SHA-512",
		    part);
	buf_free(&method);
	return rc;
}

/*
 * Set *is to whether a tag is the Override for the signature.
 */
static int
is_type(const struct xml *xml, const struct xml_tag *tag, bool *is,
    struct ht_error *e)
{
	struct buf name = BUF_INIT;
	bool found;
	int rc = 0;

	*is = false;
	if (tag->depth == 0 &&
	    (!cursor_is(tag->name, "Types") || tag->prefix.left > 0))
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: the root of %s is not Types", xml->part);
	if (tag->depth != 1 || !cursor_is(tag->name, "Override"))
		return 0;
	rc = xml_attribute(xml, tag, "PartName", &name, &found, e);
	if (rc == 0)
		*is = cursor_is(buf_cursor(&name), "/" APPX_SIGNATURE);
	buf_free(&name);
	return rc;
}

/*
 * Read on to the next Override for the signature; *is is false after the last.
 */
static int
next_type(struct xml *xml, struct xml_tag *tag, bool *is, struct ht_error *e)
{
	bool more;
	int rc;

	*is = false;
	do {
		rc = xml_next(xml, tag, &more, e);
		if (rc == 0 && more)
			rc = is_type(xml, tag, is, e);
	} while (rc == 0 && more && !*is);
	return rc;
}

int
appx_add_type(const void *p, size_t n, struct buf *out, bool *changed,
    struct ht_error *e)
{
	const uint8_t *bytes = p;
	struct xml_tag tag;
	struct xml xml;
	bool is_there = false;
	bool is;
	int rc;

	*changed = false;
	rc = xml_open(&xml, names[APPX_TYPES], p, n, e);
	while (rc == 0) {
		rc = next_type(&xml, &tag, &is, e);
		if (rc < 0 || !is)
			break;
		is_there = true;
	}
	if (rc < 0 || is_there)
		return rc;
	if (xml.root_end == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "APPX: %s has no content types", names[APPX_TYPES]);
	buf_bytes(out, bytes, xml.root_end);
	buf_bytes(out, TYPE_OVERRIDE, strlen(TYPE_OVERRIDE));
	buf_bytes(out, bytes + xml.root_end, n - xml.root_end);
	*changed = true;
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

int
appx_remove_type(const void *p, size_t n, struct buf *out, bool *changed,
    struct ht_error *e)
{
	const uint8_t *bytes = p;
	struct xml_tag tag;
	struct xml xml;
	size_t kept = 0;
	size_t start;
	size_t end;
	bool is;
	int rc;

	*changed = false;
	rc = xml_open(&xml, names[APPX_TYPES], p, n, e);
	while (rc == 0) {
		rc = next_type(&xml, &tag, &is, e);
		if (rc < 0 || !is)
			break;
		rc = xml_skip(&xml, &tag, &start, &end, e);
		buf_bytes(out, bytes + kept, start - kept);
		kept = end;
		*changed = true;
	}
	if (rc < 0 || !*changed)
		return rc;
	buf_bytes(out, bytes + kept, n - kept);
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

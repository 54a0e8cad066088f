#include "config.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <string.h>

#include "signature/spc-asn1.h"
#include "signature/spc-pages.h"
#include "signature/spc.h"
#include "signature/utf16.h"

#define GUID_LENGTH 16

/*
 * For each format: its SPC type and the function that makes its value.  For an
 * SpcSipInfo also its version and its GUID, in the byte order of Windows
 * memory.
 */
struct spc_format {
	const char *format;
	const char *type;
	ASN1_TYPE *(*value)(const struct spc_format *);
	long version;
	const uint8_t *guid;
};

/* Packages have a version of their own, and several digests in one. */
#define VERSION_APPX 0x01010000

static const uint8_t guid_appx[GUID_LENGTH] = { 0x4b, 0xdf, 0xc5, 0x0a, 0x07,
	0xce, 0xe2, 0x4d, 0xb7, 0x6e, 0x23, 0xc8, 0x39, 0xa0, 0x9f, 0xd1 };
static const uint8_t guid_appxbundle[GUID_LENGTH] = { 0xb3, 0x58, 0x5f, 0x0f,
	0xde, 0xaa, 0x9a, 0x4b, 0xa4, 0x34, 0x95, 0x74, 0x2d, 0x92, 0xec,
	0xeb };
static const uint8_t guid_js[GUID_LENGTH] = { 0x10, 0xe0, 0xc9, 0x06, 0xce,
	0x38, 0xd4, 0x11, 0xa2, 0xa3, 0x00, 0x10, 0x4b, 0xd3, 0x50, 0x90 };
static const uint8_t guid_msi[GUID_LENGTH] = { 0xf1, 0x10, 0x0c, 0x00, 0x00,
	0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46 };
static const uint8_t guid_powershell[GUID_LENGTH] = { 0x1f, 0xcc, 0x3b, 0x60,
	0x59, 0x4b, 0x08, 0x4e, 0xb7, 0x24, 0xd2, 0xc6, 0x29, 0x7e, 0xf3,
	0x51 };
static const uint8_t guid_vbs[GUID_LENGTH] = { 0x4e, 0xf0, 0x29, 0x16, 0x99,
	0x27, 0xb5, 0x4d, 0x8f, 0xe5, 0xac, 0xe1, 0x0f, 0x17, 0xeb, 0xab };
static const uint8_t guid_wsf[GUID_LENGTH] = { 0x70, 0x05, 0x61, 0x1a, 0xce,
	0x38, 0xd4, 0x11, 0xa2, 0xa3, 0x00, 0x10, 0x4b, 0xd3, 0x50, 0x90 };

static ASN1_TYPE *link_value(const struct spc_format *f);
static ASN1_TYPE *pe_value(const struct spc_format *f);
static ASN1_TYPE *sip_value(const struct spc_format *f);

static const struct spc_format formats[] = {
	{ "appx", OID_SPC_SIP_INFO, sip_value, VERSION_APPX, guid_appx },
	{ "appxbundle", OID_SPC_SIP_INFO, sip_value, VERSION_APPX,
	    guid_appxbundle },
	{ "cab", OID_SPC_CAB_DATA, link_value, 0, NULL },
	{ "js", OID_SPC_SIP_INFO, sip_value, 1, guid_js },
	{ "mof", OID_SPC_SIP_INFO, sip_value, 65536, guid_powershell },
	{ "msi", OID_SPC_SIP_INFO, sip_value, 1, guid_msi },
	{ "pe", OID_SPC_PE_IMAGE_DATA, pe_value, 0, NULL },
	{ "ps1", OID_SPC_SIP_INFO, sip_value, 65536, guid_powershell },
	{ "ps1xml", OID_SPC_SIP_INFO, sip_value, 65536, guid_powershell },
	{ "vbs", OID_SPC_SIP_INFO, sip_value, 1, guid_vbs },
	{ "wsf", OID_SPC_SIP_INFO, sip_value, 1, guid_wsf },
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static const struct spc_format *
format_of(const char *name)
{
	size_t i;

	for (i = 0; i < FORMATS; i++) {
		if (strcmp(formats[i].format, name) == 0)
			return &formats[i];
	}
	return NULL;
}

/*
 * The link in place of a file name.  Windows writes this word there because it
 * has no use for a name.
 */
static SPC_LINK *
obsolete_link(void)
{
	static const char obsolete[] = "<<<Obsolete>>>";
	struct buf text = BUF_INIT;
	SPC_LINK *link = SPC_LINK_new();
	SPC_STRING *name = SPC_STRING_new();
	bool made = false;

	if (link == NULL || name == NULL ||
	    utf16_from_utf8(obsolete, strlen(obsolete), &text, NULL) < 0 ||
	    buf_failed(&text) < 0 ||
	    (name->value.unicode = ASN1_BMPSTRING_new()) == NULL)
		goto out;
	name->type = SPC_STRING_UNICODE;
	if (ASN1_STRING_set(name->value.unicode, text.data, (int)text.len) != 1)
		goto out;
	link->type = SPC_LINK_FILE;
	link->value.file = name;
	name = NULL;
	made = true;
out:
	buf_free(&text);
	SPC_STRING_free(name);
	if (!made) {
		SPC_LINK_free(link);
		link = NULL;
	}
	return link;
}

/*
 * SpcPeImageData: the flag includeResources, and the link.
 */
static ASN1_TYPE *
pe_value(const struct spc_format *f)
{
	SPC_PE_IMAGE_DATA *image = SPC_PE_IMAGE_DATA_new();
	ASN1_TYPE *value = NULL;

	(void)f;
	if (image != NULL && ASN1_BIT_STRING_set_bit(image->flags, 0, 1) == 1 &&
	    (image->file = obsolete_link()) != NULL)
		value = ASN1_TYPE_pack_sequence(
		    ASN1_ITEM_rptr(SPC_PE_IMAGE_DATA), image, NULL);
	SPC_PE_IMAGE_DATA_free(image);
	return value;
}

/*
 * SpcLink.  It is a CHOICE, not a SEQUENCE, so it keeps its own tag.
 */
static ASN1_TYPE *
link_value(const struct spc_format *f)
{
	SPC_LINK *link = obsolete_link();
	ASN1_TYPE *value = NULL;

	(void)f;
	if (link != NULL)
		value = ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SPC_LINK), link,
		    NULL);
	if (value != NULL)
		value->type = V_ASN1_OTHER;
	SPC_LINK_free(link);
	return value;
}

static ASN1_TYPE *
sip_value(const struct spc_format *f)
{
	SPC_SIP_INFO *info = SPC_SIP_INFO_new();
	ASN1_TYPE *value = NULL;
	size_t i;

	if (info == NULL || ASN1_INTEGER_set(info->version, f->version) != 1 ||
	    ASN1_OCTET_STRING_set(info->guid, f->guid, GUID_LENGTH) != 1)
		goto out;
	for (i = 0; i < sizeof(info->reserved) / sizeof(info->reserved[0]); i++)
		if (ASN1_INTEGER_set(info->reserved[i], 0) != 1)
			goto out;
	value =
	    ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SPC_SIP_INFO), info, NULL);
out:
	SPC_SIP_INFO_free(info);
	return value;
}

/*
 * Whether value is an SpcSipInfo with the GUID of this format.
 */
static bool
is_sip_of(const struct spc_format *f, const ASN1_TYPE *value)
{
	SPC_SIP_INFO *info = NULL;
	bool is;

	if (value != NULL)
		info = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SPC_SIP_INFO),
		    value);
	is = info != NULL && ASN1_STRING_length(info->guid) == GUID_LENGTH &&
	    memcmp(ASN1_STRING_get0_data(info->guid), f->guid, GUID_LENGTH) ==
	        0;
	SPC_SIP_INFO_free(info);
	ERR_clear_error();
	return is;
}

/*
 * Whether the n bytes at p are a package's digests, in order, each of length
 * bytes after its tag.  The last one may be missing.
 */
static bool
is_tagged(const void *p, size_t n, size_t length)
{
	static const char *const tags[] = { "AXPC", "AXCD", "AXCT", "AXBM",
		"AXCI" };
	struct cursor c = cursor_over(p, n);
	struct cursor tag;
	size_t i;

	if (cursor_bytes(&c, 4, &tag) < 0 || !cursor_is(tag, "APPX"))
		return false;
	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (i == 4 && c.left == 0)
			return true;
		if (cursor_bytes(&c, 4, &tag) < 0 || !cursor_is(tag, tags[i]) ||
		    cursor_skip(&c, length) < 0)
			return false;
	}
	return cursor_end(&c) == 0;
}

/*
 * Whether the n bytes at p can be the digest of a file of this format.  length
 * is the size of one digest of the algorithm.
 */
static bool
is_digest(const struct spc_format *f, const void *p, size_t n, size_t length)
{
	if (f->version == VERSION_APPX)
		return is_tagged(p, n, length);
	return n == length;
}

static int
fill_digest_info(const struct spc_format *f, SPC_DIGEST_INFO *info,
    const struct spc_digest *digest)
{
	const EVP_MD *md = spc_md(digest->algorithm);

	if (md == NULL ||
	    !is_digest(f, digest->value, digest->length,
	        (size_t)EVP_MD_get_size(md)))
		return -1;
	if (X509_ALGOR_set0(info->algorithm, OBJ_nid2obj(EVP_MD_get_type(md)),
	        V_ASN1_NULL, NULL) != 1)
		return -1;
	if (ASN1_OCTET_STRING_set(info->digest, digest->value,
	        (int)digest->length) != 1)
		return -1;
	return 0;
}

int
spc_encode(const char *format, const struct spc_digest *digest, struct buf *der,
    struct ht_error *e)
{
	const struct spc_format *f = format_of(format);
	SPC_INDIRECT_DATA *data = NULL;
	unsigned char *encoded = NULL;
	int rc = HT_ERR_INTERNAL;
	int n;

	if (f == NULL)
		return ht_error_set(e, rc, "no SPC type for format %s", format);
	data = SPC_INDIRECT_DATA_new();
	if (data == NULL ||
	    fill_digest_info(f, data->message_digest, digest) < 0)
		goto out;
	ASN1_OBJECT_free(data->data->type);
	data->data->type = OBJ_txt2obj(f->type, 1);
	data->data->value = f->value(f);
	if (data->data->type == NULL || data->data->value == NULL)
		goto out;
	n = i2d_SPC_INDIRECT_DATA(data, &encoded);
	if (n <= 0)
		goto out;
	buf_bytes(der, encoded, (size_t)n);
	rc = buf_failed(der);
out:
	if (rc < 0)
		(void)spc_crypto_error(e, rc, "cannot encode SpcIndirectData");
	OPENSSL_free(encoded);
	SPC_INDIRECT_DATA_free(data);
	return rc;
}

/*
 * Whether the type is that of the format's signatures, or the one that pesign
 * has in its place: a purpose of code signing, with the data of a PE.
 */
static bool
is_type_of(const struct spc_format *f, const SPC_ATTRIBUTE *data)
{
	SPC_PE_IMAGE_DATA *image = NULL;
	bool is;

	if (spc_is_object(data->type, f->type))
		return true;
	if (f->value == pe_value && data->value != NULL &&
	    spc_is_object(data->type, OID_SPC_INDIVIDUAL))
		image = ASN1_TYPE_unpack_sequence(
		    ASN1_ITEM_rptr(SPC_PE_IMAGE_DATA), data->value);
	is = image != NULL;
	SPC_PE_IMAGE_DATA_free(image);
	ERR_clear_error();
	return is;
}

static int
read_digest(const struct spc_format *f, const SPC_DIGEST_INFO *info,
    struct spc_digest *out, struct ht_error *e)
{
	const uint8_t *p = ASN1_STRING_get0_data(info->digest);
	size_t n = (size_t)ASN1_STRING_length(info->digest);
	const char *name = spc_algorithm_of(info->algorithm);
	char other[SPC_NAME_SIZE];
	size_t length = 0;

	if (name == NULL)
		return ht_error_set(e, HT_ERR_DATA, "digest: %s, not accepted",
		    spc_algorithm_name(info->algorithm, other));
	(void)spc_algorithm(name, &length);
	if (n > sizeof(out->value) || !is_digest(f, p, n, length))
		return ht_error_set(e, HT_ERR_DATA,
		    "SpcIndirectData: digest of %zu bytes is not a %s", n,
		    name);
	memcpy(out->value, p, n);
	out->algorithm = name;
	out->length = n;
	return 0;
}

static bool
has_pages(const struct spc_format *f, const void *der, size_t n)
{
	return f->value == pe_value && spc_pages_is(der, n);
}

int
spc_read(const char *format, const void *der, size_t n,
    struct spc_digest *digest, struct ht_error *e)
{
	const struct spc_format *f = format_of(format);
	const unsigned char *p = der;
	SPC_INDIRECT_DATA *data = NULL;
	struct cursor list;
	char type[64];
	int rc = HT_ERR_DATA;

	memset(digest, 0, sizeof(*digest));
	if (f == NULL)
		return ht_error_set(e, rc, "unknown format");
	if (has_pages(f, der, n))
		return spc_pages_read(der, n, digest, &list, e);
	if (n > SPC_MAX)
		return ht_error_set(e, rc, "SpcIndirectData: over %zu bytes",
		    SPC_MAX);
	data = d2i_SPC_INDIRECT_DATA(NULL, &p, (long)n);
	if (data == NULL) {
		rc = spc_crypto_error(e, rc,
		    "SpcIndirectData: its structure is damaged");
		goto out;
	}
	if (p != (const unsigned char *)der + n) {
		rc = ht_error_at(e, rc,
		    (uint64_t)(p - (const unsigned char *)der),
		    "SpcIndirectData: bytes left over");
		goto out;
	}
	if (!is_type_of(f, data->data)) {
		(void)OBJ_obj2txt(type, sizeof(type), data->data->type, 1);
		rc = ht_error_set(e, rc,
		    "SpcIndirectData: SPC type %s is not that of format %s",
		    type, f->format);
		goto out;
	}
	if (f->guid != NULL && !is_sip_of(f, data->data->value)) {
		rc = ht_error_set(e, rc,
		    "SpcSipInfo: not the GUID of format %s", f->format);
		goto out;
	}
	rc = read_digest(f, data->message_digest, digest, e);
out:
	SPC_INDIRECT_DATA_free(data);
	return rc;
}

int
spc_show(const void *der, size_t n, struct spc_digest *digest,
    struct ht_error *e)
{
	const unsigned char *p = der;
	SPC_INDIRECT_DATA *data = d2i_SPC_INDIRECT_DATA(NULL, &p, (long)n);
	const ASN1_STRING *said;

	memset(digest, 0, sizeof(*digest));
	said = data != NULL ? data->message_digest->digest : NULL;
	if (said != NULL &&
	    (size_t)ASN1_STRING_length(said) <= sizeof(digest->value)) {
		digest->algorithm =
		    spc_algorithm_of(data->message_digest->algorithm);
		digest->length = (size_t)ASN1_STRING_length(said);
		memcpy(digest->value, ASN1_STRING_get0_data(said),
		    digest->length);
	}
	SPC_INDIRECT_DATA_free(data);
	if (digest->length > 0)
		return 0;
	return spc_crypto_error(e, HT_ERR_DATA,
	    "SpcIndirectData: its structure is damaged");
}

int
spc_parse(const char *format, const void *der, size_t n,
    struct spc_digest *digest, struct ht_error *e)
{
	const struct spc_format *f = format_of(format);
	struct spc_digest found;
	struct buf again = BUF_INIT;
	const uint8_t *p = der;
	struct cursor list;
	size_t i;
	int rc;

	memset(digest, 0, sizeof(*digest));
	if (f != NULL && has_pages(f, der, n))
		return spc_pages_parse(der, n, digest, &list, e);
	rc = spc_read(format, der, n, &found, e);
	if (rc < 0)
		goto out;
	rc = spc_encode(format, &found, &again, e);
	if (rc < 0)
		goto out;
	for (i = 0; i < n && i < again.len && p[i] == again.data[i]; i++)
		continue;
	if (i < n || i < again.len) {
		rc = ht_error_at(e, HT_ERR_DATA, i,
		    "SpcIndirectData: not as format %s has it", format);
		goto out;
	}
	*digest = found;
out:
	buf_free(&again);
	return rc;
}

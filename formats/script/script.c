/*
 * Scripts: PowerShell, its XML files, MOF, and those of the Windows Script
 * Host.
 *
 * Their bytes do not tell them from other text, so the file's name does.  A
 * signature is a block of comments in the script's own encoding.  The digest is
 * over the text without the block, as UTF-16LE.  PowerShell includes the byte
 * order mark if the file has one, and adds none: Microsoft's own signatures of
 * ANSI files show that, although osslsigncode and jsign do otherwise.  Of UTF-8
 * beyond ASCII without a mark no proof is known.  The Script Host leaves the
 * mark out and appends the block's position.  No specification says so.
 */

#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/format.h"
#include "formats/script/script-text.h"
#include "lib/base64.h"
#include "lib/utf8.h"
#include "signature/spc-asn1.h"

#define BASE64_LINE 64

/* The most bytes of UTF-16 for one character. */
#define UTF16_MAX 4

static const struct script_kind kind_js = {
	.begin = "// SIG // Begin signature block",
	.end = "// SIG // End signature block",
	.open = "// SIG // ",
	.close = "",
	.marker = "// SIG // Begin signature block",
	.wsh = true,
};

static const struct script_kind kind_mof = {
	.begin = "/* SIG # Begin signature block */",
	.end = "/* SIG # End signature block */",
	.open = "/* ",
	.close = " */",
	.marker = "/* SIG # Begin signature block",
	.anywhere = true,
	.guess_utf8 = true,
};

static const struct script_kind kind_ps1 = {
	.begin = "# SIG # Begin signature block",
	.end = "# SIG # End signature block",
	.open = "# ",
	.close = "",
	.marker = "# SIG # Begin signature block",
	.guess_utf8 = true,
};

static const struct script_kind kind_ps1xml = {
	.begin = "<!-- SIG # Begin signature block -->",
	.end = "<!-- SIG # End signature block -->",
	.open = "<!-- ",
	.close = " -->",
	.marker = "<!-- SIG # Begin signature block",
	.anywhere = true,
};

static const struct script_kind kind_vbs = {
	.begin = "'' SIG '' Begin signature block",
	.end = "'' SIG '' End signature block",
	.open = "'' SIG '' ",
	.close = "",
	.marker = "'' SIG '' Begin signature block",
	.wsh = true,
};

static const struct script_kind kind_wsf = {
	.begin = "<signature>",
	.end = "</signature>",
	.open = "** SIG ** ",
	.close = "",
	.marker = "<signature",
	.anywhere = true,
	.before = "</job>",
	.guess_utf8 = true,
	.wsh = true,
};

/* Windows-1252 from 0x80 to 0x9f.  Undefined bytes become C1 controls. */
static const uint16_t ansi[] = { 0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026,
	0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d, 0x017d,
	0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178 };

/* --- the digest ---------------------------------------------------------- */

static bool
has_extension(const char *name, const char *const *extensions)
{
	const char *dot = name != NULL ? strrchr(name, '.') : NULL;

	if (dot == NULL)
		return false;
	for (; *extensions != NULL; extensions++) {
		if (strcasecmp(dot + 1, *extensions) == 0)
			return true;
	}
	return false;
}

/*
 * Read the next character of ANSI or UTF-8.
 */
static uint32_t
next_point(const struct script_text *t, size_t *at)
{
	const uint8_t *p = t->bytes.data + *at;
	uint32_t point = *p;
	size_t n = 1;

	if (t->encoding == SCRIPT_UTF8)
		n = utf8_next(p, t->bytes.len - *at, &point);
	else if (point >= 0x80 && point < 0xa0)
		point = ansi[point - 0x80];
	*at += n;
	return point;
}

static size_t
put_utf16(uint8_t *p, uint32_t point)
{
	uint32_t high = 0xd800 + ((point - 0x10000) >> 10);
	uint32_t low = 0xdc00 + (point & 0x3ff);
	size_t n = 0;

	if (point >= 0x10000) {
		p[n++] = (uint8_t)high;
		p[n++] = (uint8_t)(high >> 8);
		point = low;
	}
	p[n++] = (uint8_t)point;
	p[n++] = (uint8_t)(point >> 8);
	return n;
}

/*
 * Digest the text between two offsets as UTF-16LE.  Add the number of bytes to
 * *length.
 */
static int
digest_part(const struct script_text *t, size_t from, size_t to, EVP_MD_CTX *md,
    size_t *length)
{
	uint8_t chunk[4096];
	size_t n = 0;

	if (t->encoding == SCRIPT_UTF16) {
		*length += to - from;
		return EVP_DigestUpdate(md, t->bytes.data + from, to - from);
	}
	while (from < to) {
		n += put_utf16(chunk + n, next_point(t, &from));
		if (n <= sizeof(chunk) - UTF16_MAX && from < to)
			continue;
		if (EVP_DigestUpdate(md, chunk, n) != 1)
			return 0;
		*length += n;
		n = 0;
	}
	return 1;
}

static int
digest_text(const struct script_kind *kind, const struct script_text *t,
    EVP_MD_CTX *md)
{
	size_t start = kind->wsh ? t->mark : 0;
	struct buf position = BUF_INIT;
	size_t length = 0;
	size_t ignored = 0;
	int ok;

	ok = digest_part(t, start, t->end, md, &length) == 1 &&
	    digest_part(t, t->rest, t->bytes.len, md, &ignored) == 1;
	buf_u32le(&position, (uint32_t)(length / 2));
	if (ok && kind->wsh)
		ok = buf_failed(&position) == 0 &&
		    EVP_DigestUpdate(md, position.data, position.len) == 1;
	buf_free(&position);
	return ok;
}

/* What the digest leaves for the plan. */
struct script {
	const struct script_kind *kind;
	struct script_text text; /* without its bytes and its signature */
};

/* Bytes beyond ASCII without a mark are other text on another machine. */
static bool
has_other_text(const struct script_text *t)
{
	size_t i;

	for (i = 0; t->mark == 0 && i < t->bytes.len; i++) {
		if (t->bytes.data[i] >= 0x80)
			return true;
	}
	return false;
}

static int
script_digest(struct format_file *file, const struct script_kind *kind,
    struct ht_error *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct script *s = calloc(1, sizeof(*s));
	int rc;

	file->state = s;
	if (md == NULL || s == NULL ||
	    EVP_DigestInit_ex(md, spc_md(file->digest.algorithm), NULL) != 1) {
		rc = spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
		goto out;
	}
	s->kind = kind;
	rc = script_text_read(file->in, kind,
	    file->options.remains ? &file->remains : NULL, &s->text, e);
	if (rc < 0)
		goto out;
	if (digest_text(kind, &s->text, md) != 1 ||
	    EVP_DigestFinal_ex(md, file->digest.value, NULL) != 1) {
		rc = spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
		goto out;
	}
	if (has_other_text(&s->text))
		file->warning = "the script has text beyond ASCII and no byte "
		                "order mark: what it means, and whether its "
		                "signature is good, depends on the reader's "
		                "code page; save it as UTF-8 with a mark";
	file->size = s->text.bytes.len;
	file->was_signed = s->text.p7.len > 0 || file->remains.of_signature;
	file->signature = s->text.p7;
	s->text.p7 = (struct buf)BUF_INIT;
	buf_free(&s->text.bytes);
	rc = spc_encode(file->format->name, &file->digest, &file->content, e);
out:
	EVP_MD_CTX_free(md);
	return rc;
}

static void
script_clear(struct format_file *file)
{
	struct script *s = file->state;

	if (s != NULL)
		script_text_clear(&s->text);
	free(s);
	file->state = NULL;
}

/* --- the block ----------------------------------------------------------- */

static void
put_line(const struct script_text *t, const char *open, const void *p, size_t n,
    const char *close, struct buf *out)
{
	script_text_put(t, open, strlen(open), out);
	script_text_put(t, p, n, out);
	script_text_put(t, close, strlen(close), out);
	script_text_put(t, "\r\n", 2, out);
}

static void
put_block(const struct script *s, const void *p7, size_t n, struct buf *out)
{
	const struct script_kind *kind = s->kind;
	struct buf base64 = BUF_INIT;
	struct cursor left;
	struct cursor line;

	base64_encode(p7, n, BASE64_STANDARD, &base64);
	if (buf_failed(&base64) < 0)
		out->failed = true;
	put_line(&s->text, "", "", 0, "", out);
	put_line(&s->text, kind->begin, "", 0, "", out);
	left = buf_cursor(&base64);
	while (left.left > 0) {
		(void)cursor_bytes(&left,
		    left.left < BASE64_LINE ? left.left : BASE64_LINE, &line);
		put_line(&s->text, kind->open, line.p, line.left, kind->close,
		    out);
	}
	put_line(&s->text, kind->end, "", 0, "", out);
	buf_free(&base64);
}

static int
script_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	const struct script *s = file->state;
	const struct script_text *t = &s->text;
	struct buf block = BUF_INIT;
	int rc;

	if (n > SCRIPT_PKCS7_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    SCRIPT_PKCS7_MAX);
	if (p7 != NULL)
		put_block(s, p7, n, &block);
	if (buf_failed(&block) < 0) {
		rc = ht_error_memory(e);
		goto out;
	}
	if ((rc = output_range(plan, 0, t->end, e)) == 0 &&
	    (rc = output_literal(plan, block.data, block.len, e)) == 0)
		rc = output_range(plan, t->rest, file->size - t->rest, e);
out:
	buf_free(&block);
	return rc;
}

static int
script_signature(struct input *in, const struct script_kind *kind,
    struct buf *p7, struct format_remains *remains, struct ht_error *e)
{
	struct script_text text;
	int rc;

	rc = script_text_read(in, kind, remains, &text, e);
	if (rc < 0)
		return rc;
	buf_bytes(p7, text.p7.data, text.p7.len);
	if (buf_failed(p7) < 0)
		rc = ht_error_memory(e);
	script_text_clear(&text);
	return rc;
}

/* --- the formats --------------------------------------------------------- */

/*
 * A format for each kind.  A hook knows only its format, and needs the kind.
 * The further arguments are the extensions of its file names.
 */
#define SCRIPT_FORMAT(kind, words, ...)                                        \
	static int kind##_detect(struct input *in, const char *file_name,      \
	    bool *is, struct ht_error *e)                                      \
	{                                                                      \
		static const char *const extensions[] = { __VA_ARGS__, NULL }; \
                                                                               \
		(void)in;                                                      \
		(void)e;                                                       \
		*is = has_extension(file_name, extensions);                    \
		return 0;                                                      \
	}                                                                      \
	static int kind##_digest(struct format_file *file, struct ht_error *e) \
	{                                                                      \
		return script_digest(file, &kind_##kind, e);                   \
	}                                                                      \
	static int kind##_signature(struct input *in, struct buf *p7,          \
	    struct format_remains *remains, struct ht_error *e)                \
	{                                                                      \
		return script_signature(in, &kind_##kind, p7, remains, e);     \
	}                                                                      \
	const struct format format_##kind = {                                  \
		.name = #kind,                                                 \
		.title = words,                                                \
		.nests = true,                                                 \
		.detect = kind##_detect,                                       \
		.digest = kind##_digest,                                       \
		.plan = script_plan,                                           \
		.signature = kind##_signature,                                 \
		.clear = script_clear,                                         \
	}

SCRIPT_FORMAT(js, "JScript", "js");
SCRIPT_FORMAT(mof, "MOF", "mof");
SCRIPT_FORMAT(ps1, "PowerShell", "ps1", "psd1", "psm1");
SCRIPT_FORMAT(ps1xml, "PowerShell XML", "ps1xml", "psc1", "cdxml");
SCRIPT_FORMAT(vbs, "VBScript", "vbs");
SCRIPT_FORMAT(wsf, "Windows script", "wsf");

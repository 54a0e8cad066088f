/*
 * The text of a script, and the signature block in it; for formats/script/
 * only.
 */

#ifndef FORMATS_SCRIPT_SCRIPT_TEXT_H
#define FORMATS_SCRIPT_SCRIPT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/format.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"

/*
 * The longest script and the longest signature, in bytes, as both are held in
 * memory; and the longest of both together, in UTF-16.
 */
#define SCRIPT_MAX ((size_t)12 << 20)
#define SCRIPT_PKCS7_MAX ((size_t)1 << 20)
#define SCRIPT_SIGNED_MAX ((size_t)16 << 20)

/* How one kind of script writes a signature. */
struct script_kind {
	const char *begin; /* the block's first line */
	const char *end;   /* and its last */
	const char *open;  /* text around the Base64 of each line between */
	const char *close;
	const char *marker; /* a line that begins with this begins a block */
	bool anywhere;      /* the same for a line with marker anywhere: such
	                       comments may follow other text */
	const char *before; /* the block goes before the last occurrence of
	                       this text; NULL for the end of the file */
	bool guess_utf8;    /* without a byte order mark, read as UTF-8 if it
	                       is valid UTF-8; otherwise always as ANSI */
	bool wsh;           /* digested as the Windows Script Host does */
};

enum script_encoding { SCRIPT_ANSI, SCRIPT_UTF8, SCRIPT_UTF16 };

struct script_text {
	struct buf bytes; /* the file */
	enum script_encoding encoding;
	size_t unit;   /* bytes of a code unit: 1, or 2 in UTF-16 */
	size_t mark;   /* length of the byte order mark */
	size_t end;    /* where a block begins, or would, with its CRLF */
	size_t rest;   /* where the text continues after the block */
	struct buf p7; /* what the block holds; empty if there is none */
};

/*
 * Read in to its end as a script of that kind.
 *
 * Returns 0 and *text, which the caller frees with script_text_clear; *text is
 * all zeros on error.  HT_ERR_DATA if it is not text, or is cut.  HT_ERR_DATA
 * also for a signature block that differs from what a signer writes, or is in
 * another place: two programs might disagree on what is signed.  HT_ERR_REFUSED
 * over SCRIPT_MAX.  HT_ERR_INTERNAL without memory.  Other errors as
 * input_read.
 *
 * With remains, a block may differ in its line ends, be cut off, and have blank
 * lines behind it.  That is noted in remains, text->rest is behind all of it,
 * and text->p7 is empty if the block does not hold a whole one.
 */
int script_text_read(struct input *in, const struct script_kind *kind,
    struct format_remains *remains, struct script_text *text,
    struct ht_error *e);
void script_text_clear(struct script_text *text);

/*
 * Append n bytes of ASCII to out in the text's encoding.
 */
void script_text_put(const struct script_text *text, const void *p, size_t n,
    struct buf *out);

#endif

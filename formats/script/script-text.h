/*
 * The text of a script, and the signature block in it; inside formats/script/
 * only.
 */

#ifndef FORMATS_SCRIPT_SCRIPT_TEXT_H
#define FORMATS_SCRIPT_SCRIPT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* What one kind of script makes of a signature. */
struct script_kind {
	const char *begin; /* the block's first line */
	const char *end;   /* and its last */
	const char *open;  /* what is around Base64 on the lines between */
	const char *close;
	const char *marker; /* what makes a block of a line that begins so */
	bool anywhere;      /* or that has it anywhere: comments that may
	                       follow something else */
	const char *before; /* what follows the block: the last such text; or
	                       NULL for the end of the file */
	bool guess_utf8;    /* without a byte order mark, what is UTF-8 is
	                       read so; otherwise always as ANSI */
	bool wsh;           /* digested as the Windows Script Host does */
};

enum script_encoding { SCRIPT_ANSI, SCRIPT_UTF8, SCRIPT_UTF16 };

struct script_text {
	struct buf bytes; /* the file */
	enum script_encoding encoding;
	size_t unit;   /* bytes of a code unit: 1, or 2 in UTF-16 */
	size_t mark;   /* length of the byte order mark */
	size_t end;    /* where a block begins, or would, with its CRLF */
	size_t rest;   /* where the text goes on behind it */
	struct buf p7; /* what the block holds; empty if there is none */
};

/*
 * Read in to its end as a script of that kind.  0 and *text
 * (script_text_clear), or HT_ERR_DATA for what is no text, is cut, or has a
 * signature block that is not exactly what a signer writes, or in another
 * place: two programs might disagree on what of it is signed.  HT_ERR_REFUSED
 * over SCRIPT_MAX, or as input_read; *text is all zeros then.
 */
int script_text_read(struct input *in, const struct script_kind *kind,
    struct script_text *text, struct ht_error *e);
void script_text_clear(struct script_text *text);

/*
 * Append n bytes of ASCII to out in the text's encoding.
 */
void script_text_put(const struct script_text *text, const void *p, size_t n,
    struct buf *out);

#endif

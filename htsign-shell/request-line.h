/*
 * The request line: the words of a client after `ssh sign@host`.
 *
 *	[PROFILE [DESCRIPTION ...]] [--url=URL] [--name=FILE] [--pkcs7]
 *	    [--page-hashes] [--msi-ex] [--size=N] [--sha256=HEX]
 *	help | profiles | default [...]
 *
 * Words are split as in words.h.  The words after the profile are joined with
 * single spaces and become the description.  Options come after them; behind a
 * word `--` there are none.
 */

#ifndef HTSIGN_SHELL_REQUEST_LINE_H
#define HTSIGN_SHELL_REQUEST_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/format.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"

#define REQUEST_LINE_SHA256 32

enum request_line_verb {
	REQUEST_LINE_SIGN,
	REQUEST_LINE_HELP,
	REQUEST_LINE_PROFILES
};

/*
 * A request.  Do not copy it: begin.sha256 points to sha256 of the same struct.
 */
struct request_line {
	enum request_line_verb verb;
	bool bare; /* the client gave no command */
	struct protocol_begin begin;
	/* The same as begin.options.  The algorithm is not set: the profile
	   has it. */
	struct format_options signature;
	uint8_t sha256[REQUEST_LINE_SHA256];
};

/* The values of HTSIGN_DESCRIPTION, HTSIGN_URL and HTSIGN_NAME, or NULL. */
struct request_line_defaults {
	const char *description;
	const char *url;
	const char *name;
};

/*
 * Parse line into *r.  line may be NULL or empty: then there is no command.
 * defaults fill in what the line of a signing request does not say.
 *
 * HT_ERR_USAGE if the line or a default is wrong; the text says how.
 * HT_ERR_INTERNAL without memory.
 */
int request_line_parse(const char *line,
    const struct request_line_defaults *defaults, struct request_line *r,
    struct ht_error *e);

/*
 * The usage in one line, without a newline.  request_line_help appends the
 * whole help to out.  Help and request_line_parse use the same tables.
 */
extern const char request_line_usage[];
void request_line_help(struct buf *out);

#endif

/*
 * The request line: what a client asked for after `ssh sign@host`.
 *
 *	[PROFILE [DESCRIPTION ...]] [--url=URL] [--name=FILE] [--pkcs7]
 *	    [--page-hashes] [--msi-ex] [--size=N] [--sha256=HEX]
 *	help | profiles | default [...]
 *
 * Words are split as by words.h; options may stand anywhere, until a word
 * `--`.  The words after the profile, joined by single spaces, are the
 * description.
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
 * A request.  Not to be copied: begin.sha256 points to its own sha256.
 */
struct request_line {
	enum request_line_verb verb;
	bool bare; /* there was no command at all */
	struct protocol_begin begin;
	/* What begin.options say; the algorithm is the profile's, not here. */
	struct format_options signature;
	uint8_t sha256[REQUEST_LINE_SHA256];
};

/* What HTSIGN_DESCRIPTION, HTSIGN_URL and HTSIGN_NAME say, or NULL. */
struct request_line_defaults {
	const char *description;
	const char *url;
	const char *name;
};

/*
 * Read the line (NULL or empty: there is no command), and what it leaves open
 * from defaults.  0, or HT_ERR_USAGE with what is wrong with it.
 */
int request_line_parse(const char *line,
    const struct request_line_defaults *defaults, struct request_line *r,
    struct ht_error *e);

/*
 * One line of usage, without a newline; and the whole help, made from the same
 * tables that request_line_parse reads.
 */
extern const char request_line_usage[];
void request_line_help(struct buf *out);

#endif

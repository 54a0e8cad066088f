/*
 * The files that a command looks at: those that the arguments name, stdin, and
 * with -r all that is below a folder.
 */

#ifndef HTSIGN_EACH_H
#define HTSIGN_EACH_H

#include <stdbool.h>

#include "htsign/htsign.h"
#include "htsign/report.h"
#include "htsign/subject.h"
#include "lib/error.h"

enum verdict_kind {
	VERDICT_UNREAD, /* before a command has looked at it */
	VERDICT_BAD,
	VERDICT_UNSIGNED,
	VERDICT_GOOD,
	VERDICT_KINDS
};

/* What is said of a file. */
struct verdict {
	enum verdict_kind kind;
	struct report report; /* in full */
	struct buf line;      /* in a few words, with a NUL behind them; not
	                         read after an error, which says it then */
};

struct each {
	/*
	 * Look at a file, and fill in verdict, also for an error.
	 */
	int (*look)(void *context, const struct subject *subject,
	    struct verdict *verdict, struct ht_error *e);
	void *context;
	const char *words[VERDICT_KINDS]; /* each of at most 8 letters */
	bool needs_good; /* without a good file it has failed */
};

/*
 * Look at all files.  If the arguments name one, without -r, its report goes to
 * stdout, and its error is returned.
 *
 * Otherwise each file has a line on stdout: a word, its name, and a few words;
 * with --json its report and its name.  Names are escaped.  The summary goes to
 * stderr, as the error's text if there is one.  With -r, what is no file, and
 * what is of no known format, is only counted.  Symbolic links below a folder
 * are not followed.  Names are in the order of their bytes.
 *
 * HT_ERR_INTERNAL and HT_ERR_UNAVAILABLE end it.  Any other error is that of
 * the first file that cannot be opened or that look fails for.
 */
int each_run(const struct htsign_arguments *a, const struct each *each,
    struct ht_error *e);

#endif

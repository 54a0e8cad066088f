/*
 * What became of a request, in one word.  The words and what they stand for are
 * in PROTOCOL.md, under "Results"; this is the only place that decides.
 */

#ifndef STORE_JOURNAL_RESULT_H
#define STORE_JOURNAL_RESULT_H

#include <stdbool.h>

#include "store/store.h"

#define JOURNAL_SUCCESS "success"
#define JOURNAL_SIGN_ERROR "sign-error"
#define JOURNAL_NO_CERTIFICATE "no-certificate"
#define JOURNAL_VIRUS "virus"
#define JOURNAL_UNSUPPORTED_FORMAT "unsupported-format"
#define JOURNAL_NOT_ALLOWED "not-allowed"
#define JOURNAL_CANCELLED "cancelled"
#define JOURNAL_TIMESTAMP_ERROR "timestamp-error"
#define JOURNAL_TOO_BIG "too-big"
#define JOURNAL_RATE_LIMITED "rate-limited"
#define JOURNAL_INTERNAL_ERROR "internal-error"

/* All words, separated by ", ", for people. */
extern const char journal_results[];

/*
 * The result of a request that an event of this kind has ended, with this exit
 * status and code; 0 and NULL if the event has none.  Never NULL.  A code that
 * no version of keyd has said gets the word of its exit status.
 */
const char *journal_result(const char *kind, int exit, const char *code);

/*
 * Whether there is such a word for a result; whether the table has a line for
 * this code, whatever its exit status.
 */
bool journal_result_exists(const char *word);
bool journal_result_has_code(const char *code);

#endif

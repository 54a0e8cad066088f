/*
 * The files that VirusTotal is asked about.  One that it does not know, or has
 * not looked at lately, can be uploaded.
 */

#ifndef FETCH_CHECKING_H
#define FETCH_CHECKING_H

#include <stdint.h>

#include "fetch/http.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "protocol/messages.h"

struct checking;

/* How long one answer may take, and an upload, in milliseconds. */
#define CHECKING_PATIENCE 15000
#define CHECKING_UPLOAD_PATIENCE 600000

/*
 * The least time between two looks at an analysis that is not completed, in
 * milliseconds: one look alone never uses up the requests of a minute.
 */
#define CHECKING_AGAIN 2000

/* An analysis of so many seconds is too old. */
#define CHECKING_AGE ((int64_t)10 * 86400)

/* The largest file that goes to the usual URL, and the largest at all; bytes. */
#define CHECKING_SMALL ((uint64_t)32 << 20)
#define CHECKING_LARGE ((uint64_t)650 << 20)

/* Where, and how often it may be asked. */
struct checking_how {
	const char *url; /* "https://www.virustotal.com/api/v3" */
	const char *key; /* of the account; a header's value */
	unsigned int minute, day;
};

/*
 * Called once for each checking_begin, unless it is cancelled: CHECKED.  body is
 * valid for the call.
 */
typedef void checking_answer_fn(void *cookie, uint32_t tag,
    const struct protocol_checked *body);

/*
 * Borrows loop, http and *how.  NULL if there is no memory.  checking_free
 * cancels all.
 */
struct checking *checking_new(struct loop *loop, struct http *http,
    const struct checking_how *how, checking_answer_fn *fn, void *cookie);
void checking_free(struct checking *c); /* NULL is fine */

/*
 * Begin one.  Takes over file, of which the bytes are uploaded if there is no
 * fresh analysis; -1: there is no upload.  The answer may come before this
 * returns.
 */
void checking_begin(struct checking *c, uint32_t tag,
    const struct protocol_check *what, int file);

/* No answer is wanted to this tag, or to any. */
void checking_cancel(struct checking *c, uint32_t tag);
void checking_cancel_all(struct checking *c);

#endif

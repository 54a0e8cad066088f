/*
 * What keyd has htsign-fetch ask VirusTotal.
 *
 * At most CHECKS are under way; one client may have half of what the others
 * leave, and the others wait.  So it is with the requests of a day.
 */

#ifndef KEYS_KEYD_CHECKS_H
#define KEYS_KEYD_CHECKS_H

#include "keys/keyd/core.h"

/* The most that are under way at a time. */
#define CHECKS 16

struct checks;
struct check_job;

/* Called once, unless the job is cancelled; it is gone then. */
typedef void check_answer_fn(void *cookie,
    const struct protocol_checked *answer);

/*
 * NULL if there is no memory.  All jobs are gone before checks_free.
 */
struct checks *checks_new(struct keyd *k);
void checks_free(struct checks *c); /* NULL is fine */

/* A file that is asked about. */
struct check_work {
	const char *client;
	const uint8_t *sha256; /* 32 bytes */
	uint64_t size;         /* bytes */
	int file;              /* what may be uploaded of it, or -1 */
	bool private;          /* an upload is not shared with others */
	uint64_t milliseconds; /* to the answer */
};

/*
 * Ask about it.  Takes over the file.  fn is not called before this returns.
 * *job is NULL on error: HT_ERR_UNAVAILABLE if htsign-fetch is away, or the
 * client has had its share of this day; HT_ERR_INTERNAL without memory.
 */
int checks_begin(struct checks *c, const struct check_work *work,
    check_answer_fn *fn, void *cookie, struct check_job **job,
    struct ht_error *e);
void checks_cancel(struct check_job *job); /* NULL is fine */

#endif

/*
 * keyd's side of htsign-pump, which hashes and scans what shells read.
 *
 * The pump runs if a profile needs it (conf_pumps).  keyd's parent starts it,
 * and again whenever it ends.  For each job keyd makes a pipe, which a shell
 * writes to, and a link for the report, and gives the other ends to the pump.
 * So no number says whose report it is.
 *
 * clamd is tested when the pump starts, and each hour; each minute after a test
 * that failed, or did not end in ten minutes.  Until the first test has ended, who
 * wants a scan waits.  At most clamav_parallel files are scanned at a time, of
 * which one client has a share (lib/share.h).  The others wait, and so does who
 * would ask a pump that does not read.
 */

#ifndef KEYS_KEYD_PUMP_LINK_H
#define KEYS_KEYD_PUMP_LINK_H

#include "keys/keyd/core.h"

struct pump;
struct pump_job;

/* What the owner of a job hears.  After failed or verdict the job is gone. */
struct pump_ops {
	/* It has begun; the callee closes pipe, to which the bytes go. */
	void (*begun)(void *cookie, int pipe);
	/* The pipe has come to its end.  sha256 has 32 bytes. */
	void (*pumped)(void *cookie, uint64_t size, const uint8_t *sha256);
	/* An OK of a clamd that fails its test is PROTOCOL_VERDICT_UNSCANNED.
	 */
	void (*verdict)(void *cookie, const struct protocol_verdict *v);
	void (*failed)(void *cookie, const char *text);
};

/*
 * NULL if there is no memory.  All jobs are gone before pump_free.
 */
struct pump *pump_new(struct keyd *k);
void pump_free(struct pump *p); /* NULL is fine */

/*
 * The configuration is another one: start the pump if it is needed now, or let
 * it end.
 */
void pump_configured(struct pump *p);

/*
 * The parent has started the pump.  Takes over fd, the link to it.  A
 * tokens_spawned_fn.
 */
void pump_spawned(void *cookie, int fd);

/*
 * Whether clamd can be used, as far as the last test says.  HT_ERR_UNAVAILABLE
 * if not: the test has failed, or the database is too old or has no date.  0
 * also while the first test is under way.
 */
int pump_can_scan(const struct pump *p, struct ht_error *e);

/*
 * The version and database that clamd told the last test; "" before it.  Borrowed.
 */
const char *pump_database(const struct pump *p);

/*
 * Pump what client uploads under the profile, and keep it in file, unless that is
 * -1; pump_begin takes file over.  begun may be called before this returns.
 * *job is NULL on error.  HT_ERR_INTERNAL if there is no memory.
 */
int pump_begin(struct pump *p, const char *client,
    const struct conf_profile *profile, int file, const struct pump_ops *ops,
    void *cookie, struct pump_job **job, struct ht_error *e);

/*
 * Nobody wants to hear of the job any more.  NULL is fine.
 */
void pump_cancel(struct pump_job *job);

#endif

/*
 * keyd's end of htsign-fetch: the requests that wait for a timestamp, and the
 * looks at our certificates.
 *
 * At most PROTOCOL_STAMPS are under way, FETCH_CLIENT of one client.  Further
 * ones wait, the oldest first.  If htsign-fetch goes, those under way wait as
 * well, for FETCH_AWAY milliseconds; each is asked for twice at most.  One that
 * has no answer after FETCH_PATIENCE milliseconds gets no timestamp.
 */

#ifndef KEYS_KEYD_FETCH_LINK_H
#define KEYS_KEYD_FETCH_LINK_H

#include "keys/keyd/core.h"

#define FETCH_CLIENT 12
#define FETCH_AWAY 10000
#define FETCH_PATIENCE (PROTOCOL_STAMP_TIME + 5000)

/* Milliseconds from one look at our certificates to the next. */
#define FETCH_LOOK ((uint64_t)3600 * 1000)

struct fetch;
struct fetch_job;

/* What is to be stamped, and by whom. */
struct fetch_work {
	const char *client;
	const char *digest;     /* "sha256", "sha384", "sha512" */
	const uint8_t *imprint; /* the digest, as long as its algorithm says */
	size_t n;
	int64_t from, until; /* the validity of the signer's certificate, in
	                           seconds since 1970 */
	const struct conf_profile *profile; /* whose servers may be asked */
};

/* One of the two is called, once.  The job is gone then. */
struct fetch_ops {
	/*
	 * The token is one DER SEQUENCE, server one of the profile's, time
	 * inside the signer's validity, serial hexadecimal.  Nothing else has
	 * been checked here.  Valid during the call.
	 */
	void (*stamped)(void *cookie, const struct protocol_stamped *stamped);
	void (*failed)(void *cookie, unsigned int tries, const char *text);
};

/*
 * htsign-fetch has FETCH_AWAY milliseconds to come.  NULL if there is no
 * memory.
 */
struct fetch *fetch_new(struct keyd *k);
void fetch_free(struct fetch *f); /* NULL is fine; has no jobs */

/*
 * Serve fd, which it takes over, as htsign-fetch.  HT_ERR_DENIED if it is
 * another user's, else the errors of keyd_connection_add.  A second one is
 * refused while the first is there.
 */
int fetch_link_accept(struct keyd *k, int fd, struct ht_error *e);

/*
 * Whether htsign-fetch is there, or is waited for.
 */
bool fetch_is_there(const struct fetch *f);

/*
 * Look at the certificates of k->setup: at the start and after a reload.  After
 * that this happens by itself every FETCH_LOOK milliseconds, and when htsign-fetch
 * comes after FETCH_AWAY.  If it comes sooner, it is asked what it has not
 * answered, and no more: each answer can be an event.  While it is away, and not
 * waited for, they are unknown.
 */
void fetch_look(struct fetch *f);

/*
 * Have work stamped, which is copied.  Sets *job.  HT_ERR_UNAVAILABLE if
 * htsign-fetch is not there; HT_ERR_INTERNAL if there is no memory.
 */
int fetch_stamp(struct fetch *f, const struct fetch_work *work,
    const struct fetch_ops *ops, void *cookie, struct fetch_job **job,
    struct ht_error *e);

/*
 * Call neither of the two.  NULL is fine.
 */
void fetch_cancel(struct fetch_job *job);

/*
 * Who asks htsign-fetch something else, and what becomes of that: it has come; it
 * has answered, false if that makes no sense; it has gone; it does not come back.
 */
struct fetch_other {
	void (*come)(void *cookie);
	bool (*answered)(void *cookie, uint32_t tag,
	    const struct protocol_checked *answer);
	void (*lost)(void *cookie);
	void (*away)(void *cookie);
	void *cookie;
};
void fetch_other(struct fetch *f, const struct fetch_other *other);

/*
 * Ask htsign-fetch something else, with a descriptor unless fd is -1.  Returns
 * the tag of the question; 0 if it is away.  fetch_ask_no_more says about a tag
 * that no answer is wanted.
 */
uint32_t fetch_ask(struct fetch *f, enum protocol_type type, const void *body,
    int fd);
void fetch_ask_no_more(struct fetch *f, enum protocol_type type, uint32_t tag);

#endif

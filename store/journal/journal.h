/*
 * The journal: everything that was asked, decided and signed, in order.
 *
 * One function records one event; events are never changed or removed.  Each
 * is recorded with the time of the system's clock.  The requests as their
 * events leave them are a table beside it, for people and queries, kept in
 * the same transaction.  See store.h for when an event is durable.
 *
 * The life of a request:
 *
 *	asked ─► decided ─► signed ─► finished ─► delivered
 *	  │       │  │ ▲      │           └─────► undelivered
 *	  │       │  ▼ │      │
 *	  │       │ maybe-signed
 *	  └───────┴────┴──────┴─► refused, failed, aborted
 *
 * A file that goes back as it came is asked, then kept, which stands where
 * finished does.
 *
 * An event that its request's state does not allow is HT_ERR_INTERNAL; nothing
 * is written then.  So is an unknown request number.  An engine that fails is
 * HT_ERR_UNAVAILABLE (no room) or HT_ERR_INTERNAL, and spoils the transaction.
 */

#ifndef STORE_JOURNAL_JOURNAL_H
#define STORE_JOURNAL_JOURNAL_H

#include "store/store.h"

/* The largest size or offset that can be recorded, in bytes. */
#define JOURNAL_SIZE_MAX ((uint64_t)INT64_MAX)

#define JOURNAL_SHA256 32

/* The longest digest of a file, in bytes: those of an APPX package. */
#define JOURNAL_DIGEST_MAX 344

/* The longest SignedData that is kept, in bytes: page hashes make more. */
#define JOURNAL_PKCS7_MAX ((size_t)1 << 20)

/* Who asks, and for what.  Texts may be NULL. */
struct journal_request {
	const char *client;
	const char *door;    /* "sshd-sign", "openssh", "local" */
	const char *peer;    /* the client's address */
	const char *banner;  /* the client's software */
	uint64_t serial;     /* of the user certificate */
	const char *profile; /* as resolved, or as asked if it is refused */
	const char *reply;   /* "full", "pkcs7" */
	const char *description;
	const char *url;
	const char *name;    /* the file's */
	const char *options; /* what the signature is to have besides */
};

/*
 * "asked": a new request, whose number is *number, 1 or more.  What is refused
 * at once is asked first, then refused, in one transaction.  The number may
 * leave the process only after store_commit.
 */
int journal_asked(struct store *s, const struct journal_request *request,
    uint64_t *number, struct ht_error *e);

/* What goes to the token. */
struct journal_decision {
	const char *format;             /* "pe" */
	uint64_t size;                  /* of the input, bytes */
	uint8_t sha256[JOURNAL_SHA256]; /* of the input */
	bool old_signature;             /* one is replaced */
	const char *algorithm;          /* "sha256", "sha384", "sha512" */
	const uint8_t *digest;          /* the format's own, which is signed */
	size_t digest_len;              /* bytes, at most JOURNAL_DIGEST_MAX */
	const char *certificate;
	const char *token;
	unsigned int attempt; /* 1, 2, …: hand-overs of this request */
};

/*
 * "decided": the verdict is yes, and the content is about to be handed to a
 * token.  Every hand-over has its own, committed before the token is touched.
 */
int journal_decided(struct store *s, uint64_t number,
    const struct journal_decision *decision, struct ht_error *e);

/*
 * "signed": the token signed and the signature was checked.  The DER of the
 * SignedData is kept, not yet released; of more than JOURNAL_PKCS7_MAX bytes
 * only their number and SHA-256, which the event always has, and there
 * "stored":false.
 */
int journal_signed(struct store *s, uint64_t number, const uint8_t *pkcs7,
    size_t n, struct ht_error *e);

/*
 * "maybe-signed": the hand-over's outcome is unknown (the worker died or
 * hung).  The request may be decided once more; if it is never signed after
 * all, its status stays maybe-signed for ever, however it ends.
 */
int journal_maybe_signed(struct store *s, uint64_t number, const char *text,
    struct ht_error *e);

/*
 * "finished": the output is complete; its size in bytes and SHA-256.
 * Committed before it is released.
 */
int journal_finished(struct store *s, uint64_t number, uint64_t size,
    const uint8_t sha256[JOURNAL_SHA256], struct ht_error *e);

/* A file that goes back as it came. */
struct journal_kept {
	const char *format;
	uint64_t size;         /* of the input, bytes */
	const uint8_t *sha256; /* of the input; JOURNAL_SHA256 bytes */
	uint64_t output_size;  /* of that, or of the signature in it */
	const uint8_t *output_sha256;
};

/*
 * "kept": the file is signed already and goes back as it came; nothing of it
 * goes to a token.  Committed before it is released.  The request's status
 * stays "kept" when it is delivered.
 */
int journal_kept(struct store *s, uint64_t number,
    const struct journal_kept *kept, struct ht_error *e);

/*
 * "delivered": the client took all bytes of the result.  "undelivered": the
 * result was released, but it is not known to have arrived.  Both end it.
 */
int journal_delivered(struct store *s, uint64_t number, uint64_t bytes,
    struct ht_error *e);
int journal_undelivered(struct store *s, uint64_t number, const char *text,
    struct ht_error *e);

/* Why a request ended without a result. */
struct journal_end {
	int status;       /* exit status of DESIGN.md, 64 to 78 */
	const char *code; /* one word for programs, or NULL */
	uint64_t offset;  /* in the input, or HT_NO_OFFSET */
	const char *text; /* one line for people */
};

/*
 * "refused": policy said no.  "failed": the input is damaged, or a service or
 * we failed.  "aborted": the connection ended first.  They end the request;
 * after "finished" or "kept" only "failed" is allowed of them.
 */
int journal_refused(struct store *s, uint64_t number,
    const struct journal_end *why, struct ht_error *e);
int journal_failed(struct store *s, uint64_t number,
    const struct journal_end *why, struct ht_error *e);
int journal_aborted(struct store *s, uint64_t number, const char *text,
    struct ht_error *e);

/*
 * "auth-failed": strangers who did not get in, counted: one event for each
 * reason and source prefix, at most one a minute (the caller counts).
 */
int journal_auth_failed(struct store *s, const char *door, const char *reason,
    const char *prefix, uint64_t count, struct ht_error *e);

/*
 * "refused-login": somebody with a genuine certificate was not let in (revoked,
 * source address, …).  client, reason and peer as in journal_request.
 */
int journal_refused_login(struct store *s, const struct journal_request *who,
    const struct journal_end *why, struct ht_error *e);

/*
 * "refused-command": an administrator was not allowed what text says.
 */
int journal_refused_command(struct store *s, const struct store_actor *actor,
    const char *text, struct ht_error *e);

/*
 * "started" and "stopped": this endpoint, with its version; test says that
 * single_user is on.  "configured": the configuration was loaded again.
 */
int journal_started(struct store *s, const char *version, bool test,
    struct ht_error *e);
int journal_stopped(struct store *s, const char *text, struct ht_error *e);
int journal_configured(struct store *s, const struct store_actor *actor,
    const char *text, struct ht_error *e);

/*
 * "clock": the clock was found to be behind the journal, by so many seconds.
 */
int journal_clock(struct store *s, uint64_t behind, struct ht_error *e);

enum journal_token_change {
	JOURNAL_TOKEN_UNLOCKED,    /* a PIN was accepted */
	JOURNAL_TOKEN_LOCKED,      /* the PIN was forgotten, or is not there */
	JOURNAL_TOKEN_PIN_REFUSED, /* the token did not accept the PIN */
	JOURNAL_TOKEN_PIN_HELD,    /* a PIN was not tried: an attempt stands */
	JOURNAL_TOKEN_PIN_CLEARED, /* an administrator lets it be tried again */
	JOURNAL_TOKEN_RESTARTED    /* its worker died or hung, and why */
};

/*
 * "token-unlocked", "token-locked", "pin-refused", "pin-held", "pin-cleared",
 * "token-restarted".  actor may be NULL: htsign-keyd itself.
 */
int journal_token(struct store *s, const struct store_actor *actor,
    enum journal_token_change change, const char *token, const char *text,
    struct ht_error *e);

/*
 * Close what a crash left open, by events, and commit them: asked becomes
 * aborted ("endpoint restarted"); decided becomes maybe-signed; signed becomes
 * aborted, its SignedData kept and never released; finished and kept become
 * undelivered.  *closed is how many requests that were; may be NULL.
 */
int journal_recover(struct store *s, uint64_t *closed, struct ht_error *e);

/*
 * Make the table of requests anew from the events, which are the truth, as
 * part of the open transaction.
 */
int journal_rebuild(struct store *s, struct ht_error *e);

/*
 * The latest time of any event, 0 if there are none: a clock more than a
 * minute behind it is unset (JOURNAL_CLOCK_SLACK, microseconds).
 */
#define JOURNAL_CLOCK_SLACK ((int64_t)60 * 1000000)
int64_t journal_last_time(const struct store *s);

/*
 * Now, by the clock that events are recorded with.
 */
int64_t journal_now(void);

/*
 * How a request ends up in the table: for `log`.  No text is NULL; what is not
 * known is empty.  Valid during the callback.
 */
struct journal_row {
	uint64_t request;
	const char *asked; /* "2026-11-23T06:24:26Z" */
	const char *client;
	const char *profile;
	const char *status; /* "delivered", "refused", … */
	const char *name;
	const char *description;
	const char *certificate;
	const char *error; /* text */
	const char *json;  /* all of it as one JSON object, in one line */
};

/*
 * Return 0 to go on, or a negative HT_ERR_* which ends the query.  Must not
 * write to the store.
 */
typedef int journal_row_fn(void *cookie, const struct journal_row *row);

/* NULL fields do not filter. */
struct journal_filter {
	const char *client;
	const char *profile;
	const char *status;
	unsigned int limit; /* rows, the newest; 0 means all */
};

/*
 * Call fn for each matching request, the oldest first.
 */
int journal_log(struct store *s, const struct journal_filter *filter,
    journal_row_fn *fn, void *cookie, struct ht_error *e);

/* One event; texts as above. */
struct journal_event {
	uint64_t sequence;
	uint64_t request; /* 0: of none */
	const char *at;   /* "2026-11-23T06:24:26.123456Z" */
	const char *kind;
	const char *actor;
	const char *detail; /* JSON object */
	const char *json;   /* all of it as one JSON object, in one line */
};
typedef int journal_event_fn(void *cookie, const struct journal_event *event);

/*
 * One request and then all its events.  Either function may be NULL.
 * HT_ERR_USAGE if there is no such request.
 */
int journal_show(struct store *s, uint64_t number, journal_row_fn *row,
    journal_event_fn *event, void *cookie, struct ht_error *e);

/*
 * The newest limit events (0 means all) of any kind, the oldest first.
 */
int journal_events(struct store *s, unsigned int limit, journal_event_fn *fn,
    void *cookie, struct ht_error *e);

/*
 * The SignedData kept for a request: *der is malloc'ed, the caller's, and NULL
 * with *n 0 on error.  HT_ERR_USAGE if there is none, or it was too long.
 */
int journal_pkcs7(struct store *s, uint64_t number, uint8_t **der, size_t *n,
    struct ht_error *e);

#endif

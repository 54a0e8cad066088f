/*
 * The journal: everything that was asked, decided and signed, in order.
 *
 * Each function below records one event, with the time of the system's clock.
 * Events are never changed or removed.  A table of requests has the state of
 * each request after its events, for people and queries.  An event updates it
 * in the same transaction.  store.h says when an event is durable.
 *
 * The life of a request:
 *
 *	                       ┌──► stamped ──┐
 *	                       │              ▼
 *	asked ─► decided ─► signed ────────► finished ─► delivered
 *	  │       │  │ ▲       │                  └────► undelivered
 *	  │       │  ▼ │       │
 *	  │       │ maybe-signed
 *	  └───────┴────┴───────┴─► refused, failed, aborted
 *
 * A request ends after stamped as it does after signed.  A signature for which
 * no timestamp was to be had may go on: unstamped says so, and changes no state.
 * For a file that goes back as it came, kept follows asked and takes the place
 * of finished.  Where a profile scans, pumped comes after asked, and changes no
 * state either; nor does first-use, before decided or kept.
 *
 * HT_ERR_INTERNAL if the state of a request does not allow the event, or the
 * request does not exist.  Then nothing is written.  Errors of the engine:
 * store.h.
 */

#ifndef STORE_JOURNAL_JOURNAL_H
#define STORE_JOURNAL_JOURNAL_H

#include "lib/buf.h"
#include "store/store.h"

/* The largest size or offset that can be recorded, in bytes. */
#define JOURNAL_SIZE_MAX ((uint64_t)INT64_MAX)

#define JOURNAL_SHA256 32

/* The longest digest of a file, in bytes: those of an APPX package. */
#define JOURNAL_DIGEST_MAX 344

/* The longest SignedData that is kept, in bytes.  Page hashes can exceed it. */
#define JOURNAL_PKCS7_MAX ((size_t)1 << 20)

/* Who asks, and for what.  A text may be NULL. */
struct journal_request {
	const char *client;
	const char *door;        /* "sshd-sign", "openssh", "local" */
	const char *peer;        /* the client's address */
	uint16_t port;           /* and its port, or 0 */
	const char *banner;      /* the client's software */
	uint64_t serial;         /* of the user certificate */
	const char *fingerprint; /* of the key in it: "SHA256:…" */
	const char *version;     /* of htsign */
	const char *profile;     /* as resolved; as asked if it is refused */
	const char *reply;       /* "full", "pkcs7" */
	const char *description;
	const char *url;
	const char *name;    /* of the file */
	const char *options; /* of the signature: "page-hashes", "msi-ex" */
};

/*
 * "asked": a new request.  *number is its number, 1 or more, or 0 on error.  It
 * may leave the process only after store_commit.  For a request that is refused
 * at once, record "asked" and then "refused" in one transaction.
 */
int journal_asked(struct store *s, const struct journal_request *request,
    uint64_t *number, struct ht_error *e);

/* What htsign-pump says of the input.  A text may be "". */
struct journal_pumped {
	uint64_t size; /* bytes */
	const uint8_t *sha256;
	const char *scan; /* "clean", "virus", "unscanned"; "": not asked for */
	const char *text; /* the virus, or why it is unscanned */
	const char *database; /* the scanner and its database */
};

/*
 * "pumped": the input has passed htsign-pump.  Changes no state.
 */
int journal_pumped(struct store *s, uint64_t number,
    const struct journal_pumped *p, struct ht_error *e);

/* A file that is kept. */
struct journal_archived {
	uint64_t size; /* bytes */
	const uint8_t *sha256;
	bool both;          /* what its output is made by is to be kept, too */
	const char *client; /* whose it is, if it was not there before */
};

/*
 * "archived": the input is kept.  Changes no state.  Commit before it is signed.
 * journal_recipe keeps how the output is made of it; in the transaction of
 * "finished".
 */
int journal_archived(struct store *s, uint64_t number,
    const struct journal_archived *a, struct ht_error *e);
int journal_recipe(struct store *s, uint64_t number, const uint8_t *bytes,
    size_t n, struct ht_error *e);

/* What VirusTotal says of the input. */
struct journal_checked {
	const char *verdict; /* "clean", "bad", "unknown" */
	const char *text;    /* why, or who calls it bad */
	int64_t date;        /* of the analysis, in seconds since 1970; or 0 */
	uint32_t bad, total; /* engines; 0 of 0 if it is unknown */
	const char *engines; /* a JSON array: what each has said */
};

/*
 * "virustotal".  Changes no state.
 */
int journal_checked(struct store *s, uint64_t number,
    const struct journal_checked *c, struct ht_error *e);

/*
 * "pruned": this file is not kept any more; text says why.  The recipes of its
 * outputs go with it.  Remove the file after the commit.
 */
struct journal_old {
	char sha256[2 * JOURNAL_SHA256 + 1];
	uint64_t size;
};
int journal_pruned(struct store *s, const struct journal_old *old,
    const char *text, struct ht_error *e);

/*
 * journal_archive_oldest finds the file that was kept last before that time, in
 * microseconds, and longest ago, unless its last request is still open.
 * journal_archive_has: is the file with this SHA-256, in hexadecimal digits,
 * kept?  Both return 1 for yes, 0 for no.  journal_archive_held: the bytes of
 * all kept files, and of those of one client.
 */
int journal_archive_oldest(struct store *s, int64_t before,
    struct journal_old *old, struct ht_error *e);
int journal_archive_has(struct store *s, const char *sha256,
    struct ht_error *e);
int journal_archive_held(struct store *s, const char *client, uint64_t *all,
    uint64_t *own, struct ht_error *e);

/* What is kept of a request. */
struct journal_archive {
	bool kept;                         /* its input was kept */
	bool both;                         /* and the recipe of its output */
	bool released;                     /* its output was released */
	bool as_it_came;                   /* and is its input */
	char name[2 * JOURNAL_SHA256 + 1]; /* the SHA-256 of the input */
	uint64_t size;
	uint8_t sha256[JOURNAL_SHA256];
	uint64_t output_size;
	uint8_t output_sha256[JOURNAL_SHA256];
	struct buf recipe; /* of the output, or empty; the caller frees it */
	char pruned[256];  /* "", or when and why it is kept no more */
};

/*
 * Find that.  *out is zeroed.  HT_ERR_USAGE if there is no such request.
 */
int journal_archive_find(struct store *s, uint64_t number,
    struct journal_archive *out, struct ht_error *e);

/* What is known of the input. */
struct journal_input {
	const char *format;    /* "pe"; NULL: nothing of it is known */
	uint64_t size;         /* bytes */
	const uint8_t *sha256; /* JOURNAL_SHA256 bytes; NULL: neither this nor
	                          the size is known */
	bool old_signature;    /* it carried a signature */
	/* What its version resource says, or NULL. */
	const char *product; /* ProductName */
	const char *company; /* CompanyName */
	const char *version; /* of the file */
	int64_t received;    /* when all of it was there: journal_now(), or 0 */
};

/* What is handed to the token. */
struct journal_decision {
	struct journal_input input;
	const char *algorithm; /* "sha256", "sha384", "sha512" */
	const uint8_t *digest; /* that the format defines; signed */
	size_t digest_len;     /* bytes, at most JOURNAL_DIGEST_MAX */
	const char *certificate;
	const uint8_t *fingerprint; /* SHA-256 of its DER, or NULL */
	const char *token;
	unsigned int attempt; /* counts hand-overs of this request, from 1 */
};

/*
 * "decided": policy allows the request, and its content is about to be handed
 * to a token.  Record one for each hand-over, and commit it before the token is
 * used.
 */
int journal_decided(struct store *s, uint64_t number,
    const struct journal_decision *decision, struct ht_error *e);

/*
 * Whether a file of this client has been handed to a token before, or has gone
 * back as it came, by this profile.  Returns 1 for yes, 0 for no.  Looks into an
 * index of its own.
 */
int journal_has_used(struct store *s, const char *client, const char *profile,
    struct ht_error *e);

/*
 * "first-use": this request is the first one of a client by a profile.  Changes
 * no state.  Call it if journal_has_used has returned 0, before journal_decided
 * or journal_kept and in the same transaction.
 */
int journal_first_use(struct store *s, uint64_t number, const char *client,
    const char *profile, struct ht_error *e);

/*
 * "signed": the token signed and the signature was checked.  It is not released
 * yet.  pkcs7 is the DER of the SignedData, n > 0 bytes.  The event has its
 * size and SHA-256.  The journal keeps the DER itself unless n exceeds
 * JOURNAL_PKCS7_MAX; then the event has "stored":false.
 */
int journal_signed(struct store *s, uint64_t number, const uint8_t *pkcs7,
    size_t n, struct ht_error *e);

/* A timestamp of a signature. */
struct journal_timestamp {
	const char *server;   /* who gave it, by its name in htsign.conf */
	int64_t time;         /* genTime, in seconds since 1970 */
	const char *serial;   /* in hexadecimal digits */
	unsigned int tries;   /* servers that were asked */
	const uint8_t *token; /* DER */
	size_t token_len;     /* bytes */
};

/*
 * "stamped": the signature has a timestamp.  The journal keeps the token.
 * "unstamped": no server gave one, and the signature does without; text says
 * why.
 */
int journal_stamped(struct store *s, uint64_t number,
    const struct journal_timestamp *t, struct ht_error *e);
int journal_unstamped(struct store *s, uint64_t number, unsigned int tries,
    const char *text, struct ht_error *e);

/*
 * "maybe-signed": the outcome of a hand-over is unknown, because the worker
 * died or hung.  The request may be decided again.  If it is never signed, its
 * status stays maybe-signed for ever, however it ends.
 */
int journal_maybe_signed(struct store *s, uint64_t number, const char *text,
    struct ht_error *e);

/*
 * "finished": the output is complete, with this size in bytes and this SHA-256.
 * Commit before the output is released.
 */
int journal_finished(struct store *s, uint64_t number, uint64_t size,
    const uint8_t sha256[JOURNAL_SHA256], struct ht_error *e);

/* A file that goes back as it came. */
struct journal_kept {
	struct journal_input input;
	uint64_t output_size; /* of the file, or of the signature in it */
	const uint8_t *output_sha256;
};

/*
 * "kept": the file is signed already and goes back as it came.  No token is
 * used.  Commit before it is released.  The status stays "kept" after
 * "delivered".
 */
int journal_kept(struct store *s, uint64_t number,
    const struct journal_kept *kept, struct ht_error *e);

/*
 * "delivered": the client took all bytes of the result.  "undelivered": the
 * result was released, but nobody knows whether it arrived.  Both end the
 * request.  code is JOURNAL_CUT if the client's connection ended, and
 * JOURNAL_ENDPOINT if it was the endpoint's doing.
 */
#define JOURNAL_CUT "cut"
#define JOURNAL_ENDPOINT "endpoint"
int journal_delivered(struct store *s, uint64_t number, uint64_t bytes,
    struct ht_error *e);
int journal_undelivered(struct store *s, uint64_t number, const char *code,
    const char *text, struct ht_error *e);

/* Why a request ended without a result. */
struct journal_end {
	int status;       /* exit status, 64 to 78: DESIGN.md, section 8 */
	const char *code; /* one word for programs, or NULL */
	uint64_t offset;  /* in the input, or HT_NO_OFFSET */
	const char *text; /* one line for people */
	const struct journal_input *input; /* NULL: nothing is known of it, or
	                                      the journal has it already */
};

/*
 * "refused": policy said no.  "failed": the input is damaged, or a service or
 * htsign failed.  "aborted": the connection ended first; code is as above.  Each
 * ends the request.  After "finished" or "kept", of these three only "failed" is
 * allowed.
 */
int journal_refused(struct store *s, uint64_t number,
    const struct journal_end *why, struct ht_error *e);
int journal_failed(struct store *s, uint64_t number,
    const struct journal_end *why, struct ht_error *e);
int journal_aborted(struct store *s, uint64_t number, const char *code,
    const char *text, struct ht_error *e);

/*
 * "auth-failed": count strangers from this source prefix were not let in for
 * this reason.  The caller counts, and records at most one event a minute for
 * each reason and prefix.
 */
int journal_auth_failed(struct store *s, const char *door, const char *reason,
    const char *prefix, uint64_t count, struct ht_error *e);

/*
 * "refused-login": somebody with a genuine certificate was not let in, because
 * it is revoked, for the source address, ….  "refused-request": a client's
 * requests got no row of their own, since there was no room, or since it had
 * too many.  Both record client, door, peer and serial of *who, and status,
 * code and text of *why, which are those of the last one.  "refused-command":
 * an administrator was refused the command that text names.  The caller counts,
 * as above.
 */
int journal_refused_login(struct store *s, const struct journal_request *who,
    const struct journal_end *why, uint64_t count, struct ht_error *e);
int journal_refused_request(struct store *s, const struct journal_request *who,
    const struct journal_end *why, uint64_t count, struct ht_error *e);
int journal_refused_command(struct store *s, const struct store_actor *actor,
    const char *text, uint64_t count, struct ht_error *e);

/*
 * "started" and "stopped": htsign-keyd, of this version.  test is whether
 * single_user is on.  "configured": it loaded the configuration again.
 */
int journal_started(struct store *s, const char *version, bool test,
    struct ht_error *e);
int journal_stopped(struct store *s, const char *text, struct ht_error *e);
int journal_configured(struct store *s, const struct store_actor *actor,
    const char *text, struct ht_error *e);

/*
 * "clock": the system's clock is behind the journal by so many seconds.
 */
int journal_clock(struct store *s, uint64_t behind, struct ht_error *e);

/* One of our code-signing certificates. */
struct journal_signer {
	const char *certificate;             /* its name in htsign.conf */
	uint8_t fingerprint[JOURNAL_SHA256]; /* of its DER */
};

/*
 * "signer-good", "signer-revoked", "signer-unknown": what its issuer says of it,
 * by verdict, one of these words.  text says who said so, or why it is unknown;
 * revoked is the time of the revocation in seconds since 1970, or 0.
 * "signer-expires": it does so at the time until, in at most so many days.
 */
int journal_signer_looked(struct store *s, const struct journal_signer *signer,
    const char *verdict, const char *text, int64_t revoked, struct ht_error *e);
int journal_signer_expires(struct store *s, const struct journal_signer *signer,
    unsigned int days, int64_t until, struct ht_error *e);

/*
 * What the journal knows of the certificate with this fingerprint: the verdict
 * of the last such event, or "", and the fewest days of any, or 0.
 */
struct journal_signer_known {
	char verdict[16];
	unsigned int days;
};
int journal_signer_known(struct store *s,
    const uint8_t fingerprint[JOURNAL_SHA256], struct journal_signer_known *out,
    struct ht_error *e);

enum journal_token_change {
	JOURNAL_TOKEN_UNLOCKED,     /* a PIN was accepted */
	JOURNAL_TOKEN_LOCKED,       /* keyd dropped the PIN, or has none */
	JOURNAL_TOKEN_PIN_REFUSED,  /* the token did not accept the PIN */
	JOURNAL_TOKEN_PIN_HELD,     /* a PIN was not tried: an attempt stands */
	JOURNAL_TOKEN_PIN_REPEATED, /* a PIN is tried again; text says why */
	JOURNAL_TOKEN_PIN_CLEARED,  /* an administrator has it tried again */
	JOURNAL_TOKEN_RESTARTED,    /* its worker died or hung; text says why */
	JOURNAL_TOKEN_OPENED,       /* text has model, firmware and serial */
	JOURNAL_TOKEN_EXTRACTABLE   /* it would give the key in text away */
};

/*
 * "token-unlocked", "token-locked", "pin-refused", "pin-held",
 * "pin-repeated", "pin-cleared", "token-restarted", "token-opened",
 * "key-extractable".  actor is NULL if htsign-keyd itself did it.
 */
int journal_token(struct store *s, const struct store_actor *actor,
    enum journal_token_change change, const char *token, const char *text,
    struct ht_error *e);

/*
 * End the requests that are open, by events with this text.  finished and kept
 * become undelivered.  decided becomes maybe-signed.  asked, signed and
 * stamped become aborted; the SignedData of signed is kept and never released.  *closed is how
 * many requests were open; closed may be NULL.  journal_recover is for the
 * start, after a crash: its text is "endpoint restarted", and it commits.
 */
int journal_close_open(struct store *s, const char *text, uint64_t *closed,
    struct ht_error *e);
int journal_recover(struct store *s, uint64_t *closed, struct ht_error *e);

/*
 * Build the table of requests again from the events, and record "rebuilt".  The
 * events are the truth.  Opens a transaction if none is open; a failure spoils
 * it.  *events is the number of events that were read.
 */
int journal_rebuild(struct store *s, const struct store_actor *actor,
    uint64_t *events, struct ht_error *e);

/*
 * The latest time of any event, or 0 if there is none.  A clock that is more
 * than JOURNAL_CLOCK_SLACK microseconds behind it has not been set.
 */
#define JOURNAL_CLOCK_SLACK ((int64_t)60 * 1000000)
int64_t journal_last_time(const struct store *s);

/*
 * The time now, by the clock of the events.
 */
int64_t journal_now(void);

/*
 * A row of the table of requests, for `log`.  A text that is not known is "",
 * never NULL.  Valid during the callback.
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
	const char *error; /* one line for people: why it ended, or why it has
	                      no timestamp */
	const char *json;  /* the whole row as one JSON object on one line */
};

/*
 * Returns 0 to go on.  A negative HT_ERR_* ends the query, which returns it.
 * Must not write to the store.
 */
typedef int journal_row_fn(void *cookie, const struct journal_row *row);

/* A NULL field does not filter. */
struct journal_filter {
	const char *client;
	const char *profile;
	const char *status;
	const char *result; /* of store/journal/result.h */
	unsigned int limit; /* only so many of the newest; 0 means all */
};

/*
 * Call fn for each matching request, the oldest first.
 */
int journal_log(struct store *s, const struct journal_filter *filter,
    journal_row_fn *fn, void *cookie, struct ht_error *e);

/* What the journal has of a request that is not old.  Texts as above. */
struct journal_recent {
	const char *client;
	const char *profile;
	const char *token;             /* "" if none has had it */
	int64_t asked, decided, ended; /* 0 if not yet */
	uint64_t size;                 /* of the input, bytes; 0 if unknown */
	bool let_in;                   /* it said BEGIN, and was not refused */
	int exit;                      /* 0 also if that is not known */
};
typedef void journal_recent_fn(void *cookie, const struct journal_recent *was);

/*
 * Call fn for each request that was asked since then, in microseconds, the newest
 * first.  It takes a time by their number only, however many there are before.
 */
int journal_recent(struct store *s, int64_t since, journal_recent_fn *fn,
    void *cookie, struct ht_error *e);

/* One event.  Texts follow the rules of struct journal_row. */
struct journal_event {
	uint64_t sequence;
	uint64_t request; /* 0 if it belongs to none */
	const char *at;   /* "2026-11-23T06:24:26.123456Z" */
	const char *kind;
	const char *actor;
	const char *detail; /* JSON object */
	const char *json;   /* the whole event as one JSON object on one line */
};
typedef int journal_event_fn(void *cookie, const struct journal_event *event);

/*
 * Call row for one request, then event for each of its events, the oldest
 * first.  Either function may be NULL.  HT_ERR_USAGE if there is no such
 * request.
 */
int journal_show(struct store *s, uint64_t number, journal_row_fn *row,
    journal_event_fn *event, void *cookie, struct ht_error *e);

/*
 * Call fn with each member of a row's JSON, in its order, as a text for people.
 * HT_ERR_USAGE if there is no such request.  fn follows the rules of
 * journal_row_fn.
 */
typedef int journal_field_fn(void *cookie, const char *name, const char *value);
int journal_fields(struct store *s, uint64_t number, journal_field_fn *fn,
    void *cookie, struct ht_error *e);

/*
 * Call fn for the newest limit events of any kind, the oldest first.  A limit
 * of 0 means all.
 */
int journal_events(struct store *s, unsigned int limit, journal_event_fn *fn,
    void *cookie, struct ht_error *e);

/*
 * Append to out the SignedData that is kept for a request that ended as
 * delivered or undelivered, and to token its timestamp, if it has one; see
 * buf_failed.  The token is not in the SignedData.  HT_ERR_USAGE if there is no such
 * request, if it has no signature, or if that was too long to be kept.
 */
int journal_pkcs7(struct store *s, uint64_t number, struct buf *out,
    struct buf *token, struct ht_error *e);

#endif

/*
 * What the files of a request share.  request.c has its beginning.
 * request-content.c has the content, which comes in parts.  request-pump.c has
 * GO, and the way through htsign-pump, request-sign.c that to the token and back, request-stamp.c that to the timestamp and to the shell, request-output.c what follows a signature.  request-end.c has all its endings, and the
 * timers.  room.c has the room in the
 * journal, and for content, request-rates.c the limits of htsign.conf(5).
 */

#ifndef KEYS_KEYD_REQUEST_REQUEST_PRIVATE_H
#define KEYS_KEYD_REQUEST_REQUEST_PRIVATE_H

#include "keys/keyd/checks.h"
#include "keys/keyd/fetch-link.h"
#include "keys/keyd/pump-link.h"
#include "keys/keyd/rates.h"
#include "keys/keyd/request/policy.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/spools.h"
#include "signature/cms.h"
#include "store/journal/journal.h"

enum request_phase {
	REQUEST_OPEN,
	REQUEST_QUEUED,
	REQUEST_HANDED,
	REQUEST_STAMPING,
	REQUEST_SIGNED,
	REQUEST_FINISHED,
	REQUEST_ENDED
};

struct request {
	struct keyd *keyd;
	struct keyd_connection *connection; /* NULL once it is gone */
	uint32_t tag;
	struct identity who;
	uint64_t number;
	enum request_phase phase;
	char profile[NAMES_SIZE];
	char description[PROTOCOL_DESCRIPTION];
	char url[PROTOCOL_DESCRIPTION];
	uint8_t reply;      /* enum protocol_reply */
	uint64_t announced; /* input's size or PROTOCOL_SIZE_UNKNOWN */
	uint8_t announced_sha256[JOURNAL_SHA256];
	bool has_sha256;
	bool unrecorded; /* nothing is written: refused before it had a number,
	                    or undone */
	struct rate_place places[RATE_TOKEN + 1]; /* by enum rate_of */
	bool may_keep; /* GO allowed to keep a signed file unchanged */
	struct journal_decision decision; /* what goes to the token */
	char format[PROTOCOL_WORD];
	uint8_t sha256[JOURNAL_SHA256]; /* of the input, as the shell says */
	char certificate[NAMES_SIZE];
	uint8_t fingerprint[PROTOCOL_FINGERPRINT]; /* the certificate's */
	char token[NAMES_SIZE];
	unsigned int lost;                  /* in tokens that died with it */
	unsigned int moves;                 /* to other tokens */
	size_t held;                        /* bytes of large content, or 0 */
	struct buf der;                     /* the content, from PARTs */
	char publisher[PROTOCOL_PUBLISHER]; /* named by the file, or "" */
	char product[PROTOCOL_SELF];        /* what the file says of itself */
	char company[PROTOCOL_SELF];
	char version[PROTOCOL_SELF];
	uint32_t length;
	struct loop_timer *transfer; /* for content or PKCS#7 */
	bool pumps;                  /* the input passes htsign-pump */
	struct spool *archive;       /* which keeps it in this file; or NULL */
	bool both; /* and how the output is made is kept, too */
	struct protocol_output made; /* OUTPUT, whose SHA-256 is: */
	uint8_t made_sha256[JOURNAL_SHA256];
	struct buf recipe;         /* of the output, from PARTs */
	struct pump_job *pump;     /* until it has given its verdict; or NULL */
	bool keeps;                /* KEPT came, instead of CONTENT */
	struct protocol_kept kept; /* its digests point to: */
	uint8_t kept_sha256[2][JOURNAL_SHA256];
	bool whole;  /* all of CONTENT, or KEPT, has arrived */
	bool pumped; /* htsign-pump has seen the end of the input: */
	uint64_t pumped_size;
	uint8_t pumped_sha256[JOURNAL_SHA256];
	bool judged; /* and has said this of it: */
	struct protocol_verdict verdict;
	struct check_job *check; /* VirusTotal is being asked; or NULL */
	struct cms_signer *signer;
	int64_t from, until;       /* the certificate's validity, in seconds */
	struct spc_digest imprint; /* of the signature, for the timestamp */
	struct fetch_job *stamp;   /* is asked for; or NULL */
	char stamp_server[NAMES_SIZE]; /* who gave it, or "" */
	char note[PROTOCOL_TEXT];      /* what is not as wanted, or "" */
	struct buf pkcs7;              /* until all of it is sent */
	struct cursor rest;            /* the unsent end of pkcs7 */
	struct token_job *job;
	struct loop_timer *waiting;
	struct loop_timer *deadline; /* from CONTENT to RELEASE */
	uint64_t ends;               /* then, by loop_now() */
	struct commit_step release;
	uint64_t output;                /* bytes, once it is finished */
	struct protocol_refuse refusal; /* status 0: none; came while the
	                                   token had the request */
	struct protocol_fail fail;      /* status 0: none; came while the
	                                   token had the request */
	struct spool *spool;            /* or NULL */
	struct request *next, **at;     /* among the open ones */
};

/* --- room.c -------------------------------------------------------------- */

/*
 * Make sure that the journal has room for bytes more, beside the ends of all
 * open requests and the reserve for administrators.  Otherwise returns
 * HT_ERR_UNAVAILABLE, with *no set to the refusal.
 */
int request_room(struct keyd *k, uint64_t bytes, struct protocol_refuse *no);

/*
 * Whether a new request may be written to the journal.  If not, returns the
 * code of *no, counts the refusal, and r will have no number and no row:
 * HT_ERR_UNAVAILABLE if there is no room, HT_ERR_TEMPORARY if the client has
 * made too many requests.
 */
int request_may_write(struct request *r, struct protocol_refuse *no);

/*
 * Take room in keyd for n bytes of content, or of a recipe.
 * HT_ERR_TEMPORARY, with *no set, if the client holds its share.
 */
int request_take(struct request *r, size_t n, struct protocol_refuse *no);

/* --- request-rates.c ----------------------------------------------------- */

/*
 * Whether the client may have one more request, and its profile.  The errors of
 * rates_check, with *no set to the refusal.
 */
int request_check_client(const struct request *r, struct protocol_refuse *no);
int request_check_profile(const struct request *r, struct protocol_refuse *no);

/*
 * r goes on: it takes its places, and one at the token, where it counts when it
 * is decided.
 */
void request_let_in(struct request *r, const char *token);

/*
 * Count the bytes of the input, which are known now, for client and profile.
 * The errors of rates_check, with *no set.
 */
int request_take_bytes(struct request *r, uint64_t size,
    struct protocol_refuse *no);

/*
 * The size of the largest file that profile, client and the profile's tokens
 * allow, in bytes.
 */
uint64_t request_max_size(const struct request *r,
    const struct conf_profile *profile);

/*
 * r has ended.
 */
void request_leave_places(struct request *r);

/* --- request-pump.c ----------------------------------------------------- */

/*
 * Answer GO with a spool: at once, or when the input can pass htsign-pump, if the
 * profile wants that.  On error ends the request.
 */
void request_go(struct request *r, const struct conf_profile *profile);

/*
 * True if size and sha256 (JOURNAL_SHA256 bytes) are those that BEGIN
 * announced.  What BEGIN did not announce is not compared.
 */
bool request_is_announced(const struct request *r, uint64_t size,
    const uint8_t *sha256);

/*
 * All of the content, or KEPT, has arrived.  Goes on with request_sign or
 * request_keep, when htsign-pump has given its verdict, if there is to be one.
 */
void request_whole(struct request *r);

/* --- request-check.c ----------------------------------------------------- */

/*
 * The input is there, scanned and kept, as the profile wants.  Goes on with
 * request_sign or request_keep, when VirusTotal has been asked, if that is to be.
 */
void request_check(struct request *r);

/* --- request-output.c --------------------------------------------------- */

/*
 * A part of the recipe of the output.  Ends the request if it does not fit.
 */
void request_recipe_part(struct request *r, struct cursor bytes);

/*
 * Record what KEPT has said, and release it, if the profile takes such a file.
 * On error ends the request.
 */
void request_keep(struct request *r);

/* --- request-sign.c ---------------------------------------------------- */

/*
 * Check that r's profile, as it is configured now, signs files of this format.
 * Returns HT_ERR_REFUSED if not.
 */
int request_check_format(const struct request *r, const char *format,
    struct ht_error *e);

/*
 * All of the content has arrived: make what is to be signed and queue it for
 * the token.  On error ends the request.
 */
void request_sign(struct request *r);

/*
 * Record a client's first use of a profile, if r is that.  In the transaction of
 * "decided" or "kept".  Errors as the journal's.
 */
int request_first_use(struct request *r, struct ht_error *e);

/* --- request-stamp.c --------------------------------------------------- */

/*
 * "signed" is recorded; signature is the n octets that the token made.  Have
 * them stamped, if the profile says so, and hand the PKCS#7 out.
 */
void request_stamp(struct request *r, const uint8_t *signature, size_t n);

/* --- request-end.c ----------------------------------------------------- */

/*
 * The shell now has TRANSFER milliseconds for what it sends or takes.  If it
 * needs longer, the request ends.  Without memory for the timer there is no
 * limit.
 */
void request_start_transfer(struct request *r);

/*
 * The shell has sent all, and what went through the pipe has arrived, too, if
 * there is one: then it needs no more time.
 */
void request_stop_transfer(struct request *r);

/*
 * The shell is told what it waits for, for as long as r->waiting is there.
 */
void request_start_waiting(struct request *r);

/*
 * r ends in so many seconds with HT_ERR_UNAVAILABLE, unless it is finished by
 * then.  One that a token has ends when the token has answered.
 */
void request_start_deadline(struct request *r, unsigned int seconds);

/*
 * Free the content and the signature that r holds, and give back its room.  Its
 * timestamp is not waited for any more.
 */
void request_let_go(struct request *r);

/*
 * request_end: no more happens to r.  Frees r if it has no connection.
 * request_free: free r and forget its steps and timers.
 */
void request_end(struct request *r);
void request_free(struct request *r);

/*
 * The certificate that can take over from the one of r, on a token that answers.
 * NULL if there is none, or r is not to go on.
 */
const struct setup_certificate *request_other(const struct request *r);

/*
 * policy_verdict about this request.  Once a certificate was chosen for it, about
 * that certificate alone.
 */
int request_verdict(const struct request *r,
    const struct setup_certificate **certificate, struct protocol_refuse *no);

/*
 * End the request with a refusal by keyd: record it, send it to the shell, and
 * close the connection.  refused is true for policy's refusal and false for a
 * failure.  *why gets the request's number.
 */
void request_say_no(struct request *r, bool refused,
    struct protocol_refuse *why);

/*
 * End the request because something went wrong.  Like request_say_no, with the
 * error *e; word names it in the journal.
 */
void request_give_up(struct request *r, const char *word,
    const struct ht_error *e);

/*
 * The client holds too much in its spools: end the request with
 * HT_ERR_TEMPORARY.  Returns false if a token has it.  A spool_over_fn.
 */
bool request_over(void *cookie);

/*
 * End the request because the shell cannot go on.  Records the shell's reason
 * and answers NOTED.
 */
void request_note_fail(struct request *r, const struct protocol_fail *fail);

#endif

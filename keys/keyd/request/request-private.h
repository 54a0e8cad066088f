/*
 * Between the files of a request: its beginning and what follows a signature
 * (request.c), the content that comes in parts (request-content.c), the way to
 * the token and back (request-sign.c), and all its endings (request-end.c).
 */

#ifndef KEYS_KEYD_REQUEST_REQUEST_PRIVATE_H
#define KEYS_KEYD_REQUEST_REQUEST_PRIVATE_H

#include "keys/keyd/request/policy.h"
#include "keys/keyd/request/request.h"
#include "signature/cms.h"
#include "store/journal/journal.h"

enum request_phase {
	REQUEST_OPEN,
	REQUEST_QUEUED,
	REQUEST_HANDED,
	REQUEST_SIGNED,
	REQUEST_FINISHED,
	REQUEST_RELEASED,
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
	uint64_t announced; /* the input's size, or PROTOCOL_SIZE_UNKNOWN */
	uint8_t announced_sha256[JOURNAL_SHA256];
	bool has_sha256;
	bool may_keep; /* GO said that a signed file goes back as it came */
	struct journal_decision decision; /* what goes to the token */
	char format[PROTOCOL_WORD];
	char certificate[NAMES_SIZE];
	char token[NAMES_SIZE];
	size_t held;    /* bytes of the room for content, or 0 */
	struct buf der; /* the content, as it comes in PARTs */
	char publisher[PROTOCOL_PUBLISHER]; /* whom the file names, or "" */
	uint32_t length;
	struct loop_timer *transfer; /* of the content, or of the PKCS#7 */
	struct cms_signer *signer;
	struct buf pkcs7;   /* until all of it is sent */
	struct cursor rest; /* of that */
	struct token_job *job;
	struct loop_timer *waiting;
	struct commit_step release;
	uint64_t output;                /* its size, once it is finished */
	struct protocol_refuse refusal; /* status 0: none */
	struct protocol_fail fail;      /* status 0: none; said while a token
	                                   had the request */
	struct request *next, **at;     /* of those that are open */
};

/* --- request-content.c ------------------------------------------------- */

/*
 * Whether a file of this size and SHA-256 (JOURNAL_SHA256 bytes) is the one
 * that BEGIN announced, if it did.
 */
bool request_is_announced(const struct request *r, uint64_t size,
    const uint8_t *sha256);

/* --- request-sign.c ---------------------------------------------------- */

/*
 * Whether r's profile, as it is now, signs files of the format of that name.
 * HT_ERR_REFUSED.
 */
int request_check_format(const struct request *r, const char *format,
    struct ht_error *e);

/*
 * All of the content is there: make what is to be signed, and queue that for
 * the token.
 */
void request_sign(struct request *r);

/* --- request-end.c ----------------------------------------------------- */

/*
 * The shell has TRANSFER for what comes now, and the request ends if it takes
 * longer.  Without memory for the timer, nothing but the peer ends it.
 */
void request_start_transfer(struct request *r);

/*
 * Free what r holds of content and signature, and give its room back.
 */
void request_let_go(struct request *r);

/*
 * Nothing more happens; a request without a connection is freed.
 */
void request_end(struct request *r);
void request_free(struct request *r);

/*
 * keyd's own no: on record, said to the shell, and the connection ends.
 * refused tells policy's word from a failure.
 */
void request_say_no(struct request *r, bool refused,
    struct protocol_refuse *why);

/*
 * The same for something that went wrong; word names it in the journal.
 */
void request_give_up(struct request *r, const char *word,
    const struct ht_error *e);

/*
 * The shell's own word that it cannot go on: on record, and NOTED.
 */
void request_note_fail(struct request *r, const struct protocol_fail *fail);

#endif

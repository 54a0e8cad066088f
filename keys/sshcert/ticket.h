/*
 * Tickets tie a shell to a certificate that OpenSSH has proved.  sshd shows the
 * certificate to keyd through htsign-principals, and keyd gives a ticket for
 * it.  A moment later the shell connects and presents both.  By the ticket,
 * keyd recognises the certificate.
 *
 * A ticket holds its claims and an HMAC-SHA256 over them.  keyd makes the HMAC
 * key when it starts.  The text of a ticket is base64url, so it needs no
 * quoting inside command="…" of an authorized_keys line.
 */

#ifndef KEYS_SSHCERT_TICKET_H
#define KEYS_SSHCERT_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/sshcert/sshcert.h"
#include "lib/error.h"

#define TICKET_KEY_SIZE 32

/* A ticket can be bound for this many seconds after it was made. */
#define TICKET_LIFETIME 60

/* Two tickets are never the same: bytes. */
#define TICKET_NONCE 16

/* Room for the longest text and its NUL. */
#define TICKET_TEXT_SIZE 256

/* Why a ticket is refused: one word, for the journal. */
#define TICKET_MALFORMED "ticket-malformed"
#define TICKET_FORGED "ticket-forged" /* or made before keyd's last start */
#define TICKET_STALE "ticket-stale"
#define TICKET_HELD "ticket-held" /* by another connection */

struct ticket {
	struct names_principal principal;
	uint64_t serial;
	uint8_t certificate[SSHCERT_SHA256]; /* SHA-256 of the blob */
	uint64_t expires;                    /* seconds since 1970 */
	uint8_t nonce[TICKET_NONCE];
};

/*
 * Make the ticket for a certificate that was checked.  It is fresh for
 * TICKET_LIFETIME seconds from now.  text is NUL-terminated.  Returns
 * HT_ERR_INTERNAL if the HMAC fails, or there is no memory or random number.
 */
int ticket_make(const uint8_t key[TICKET_KEY_SIZE], const struct sshcert *cert,
    uint64_t now, char text[TICKET_TEXT_SIZE], struct ht_error *e);

/*
 * Check that the text is a ticket of ours, and fill in *t with its claims.
 * Returns HT_ERR_DENIED with *reason set to TICKET_MALFORMED or TICKET_FORGED,
 * or HT_ERR_INTERNAL with SSHCERT_INTERNAL if the HMAC fails or there is no
 * memory.  *t changes only if the ticket is good.  Does not look at the clock.
 */
int ticket_open(const uint8_t key[TICKET_KEY_SIZE], const char *text,
    struct ticket *t, const char **reason, struct ht_error *e);

/*
 * Whether t can still be bound.  A ticket that expires later than a new one
 * would is not fresh, either: the clock was set back.
 */
bool ticket_fresh(const struct ticket *t, uint64_t now);

/*
 * True if t was made for exactly this certificate.  Call it after ticket_open,
 * for the certificate that the shell presents.
 */
bool ticket_matches(const struct ticket *t, const struct sshcert *cert);

#endif

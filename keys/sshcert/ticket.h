/*
 * Tickets: how keyd knows again, at the shell's connection, the certificate
 * that OpenSSH proved to it through htsign-principals a moment before.
 *
 * A ticket is an HMAC-SHA256 under a key that keyd makes when it starts, over
 * all that it claims.  Its text is base64url, so it needs no quoting inside
 * command="…" of an authorized_keys line.
 */

#ifndef KEYS_SSHCERT_TICKET_H
#define KEYS_SSHCERT_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/sshcert/sshcert.h"
#include "lib/error.h"

#define TICKET_KEY_SIZE 32

/* Seconds from making a ticket until it is stale. */
#define TICKET_LIFETIME 60

/* Room for the longest text and its NUL. */
#define TICKET_TEXT_SIZE 256

/* Why a ticket was not taken: one word, for the journal. */
#define TICKET_MALFORMED "ticket-malformed"
#define TICKET_FORGED "ticket-forged" /* or made before keyd's last start */
#define TICKET_STALE "ticket-stale"

struct ticket {
	struct names_principal principal;
	uint64_t serial;
	uint8_t certificate[SSHCERT_SHA256]; /* SHA-256 of the blob */
	uint64_t expires;                    /* seconds since 1970 */
};

/*
 * Make the ticket for a certificate that was checked, good for
 * TICKET_LIFETIME seconds from now, as text.  0, or HT_ERR_INTERNAL.
 */
int ticket_make(const uint8_t key[TICKET_KEY_SIZE], const struct sshcert *cert,
    uint64_t now, char text[TICKET_TEXT_SIZE], struct ht_error *e);

/*
 * Check a ticket's text and fill in *t with what it claims.  0; HT_ERR_DENIED
 * with *reason one of the words above; or HT_ERR_INTERNAL.  A ticket from
 * farther ahead than one can be made counts as stale: the clock was set back.
 * Nothing is filled in unless the ticket is good.
 */
int ticket_open(const uint8_t key[TICKET_KEY_SIZE], const char *text,
    uint64_t now, struct ticket *t, const char **reason, struct ht_error *e);

/*
 * Whether t was made for exactly this certificate.  The caller asks after
 * ticket_open, for the certificate that the shell presents.
 */
bool ticket_matches(const struct ticket *t, const struct sshcert *cert);

#endif

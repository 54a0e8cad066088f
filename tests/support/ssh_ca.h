/*
 * User certificates for tests.  ssh-keygen makes the keys of users and CAs in
 * the working folder (scratch.h).
 */

#ifndef TESTS_SUPPORT_SSH_CA_H
#define TESTS_SUPPORT_SSH_CA_H

#include <stddef.h>
#include <stdint.h>

#include "keys/sshcert/sshcert.h"

/* 2026-01-01, 2027-01-01, and a time between them. */
#define SSH_CA_AFTER UINT64_C(1767225600)
#define SSH_CA_BEFORE UINT64_C(1798761600)
#define SSH_CA_NOW UINT64_C(1780000000)
#define SSH_CA_VALIDITY "20260101000000Z:20270101000000Z"

/* A key of each type.  The last one is that of an invented authenticator. */
#define SSH_CA_USERS 6
extern struct ssh_ca_user {
	const char *file; /* the public key is in this file with .pub */
	const char *type;
	const char *bits;
	struct sshkey *key;
} ssh_ca_users[SSH_CA_USERS];

/* The last one is RSA, with which we cannot sign. */
#define SSH_CA_COUNT 5
#define SSH_CA_SIGNING (SSH_CA_COUNT - 1)
extern struct ssh_ca {
	const char *file;
	const char *type;
	const char *bits;
	struct sshkey *key;
	struct sshkey_private *private;
} ssh_cas[SSH_CA_COUNT];

/*
 * Append "type base64" of a key to line.  Read a certificate from such a line,
 * as sshcert_parse does.
 */
void ssh_ca_line(const struct sshkey *key, struct buf *line);
struct sshcert *ssh_ca_parse_line(struct cursor line, const char **reason,
    struct ht_error *e);

/*
 * Make the folder and the keys, as group functions of cmocka.  ssh_ca_enter
 * makes all keys.  ssh_ca_enter_signing leaves out the last CA.
 * ssh_ca_enter_fast also leaves out the user's RSA key, which takes longest.
 * ssh_ca_leave removes folder and keys.
 */
int ssh_ca_enter(void **state);
int ssh_ca_enter_signing(void **state);
int ssh_ca_enter_fast(void **state);
int ssh_ca_leave(void **state);

/*
 * ssh_ca_check calls sshcert_check with ca as the only CA, for clients.
 * ssh_ca_expect_good fails the test unless the check succeeds at SSH_CA_NOW.
 * ssh_ca_expect_refused fails the test unless the check at now fails for the
 * reason word.
 */
int ssh_ca_check(const struct sshcert *cert, const struct ssh_ca *ca,
    uint64_t now, const char *peer, const char **reason);
void ssh_ca_expect_good(const struct sshcert *cert, const struct ssh_ca *ca,
    const char *peer);
void ssh_ca_expect_refused(const struct sshcert *cert, const struct ssh_ca *ca,
    uint64_t now, const char *peer, const char *word);

#endif

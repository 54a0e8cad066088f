/*
 * User certificates for tests: keys that ssh-keygen made, of users and of CAs,
 * in a folder of their own (scratch.h), and what is to be said of a
 * certificate.
 */

#ifndef TESTS_SUPPORT_SSH_CA_H
#define TESTS_SUPPORT_SSH_CA_H

#include <stddef.h>
#include <stdint.h>

#include "keys/sshcert/sshcert.h"

/* 2026-01-01 and 2027-01-01, and a moment between them. */
#define SSH_CA_AFTER UINT64_C(1767225600)
#define SSH_CA_BEFORE UINT64_C(1798761600)
#define SSH_CA_NOW UINT64_C(1780000000)
#define SSH_CA_VALIDITY "20260101000000Z:20270101000000Z"

/* A key of each type.  The last one is of an authenticator that nobody has. */
#define SSH_CA_USERS 6
extern struct ssh_ca_user {
	const char *file; /* and its name with .pub */
	const char *type;
	const char *bits;
	struct sshkey *key;
} ssh_ca_users[SSH_CA_USERS];

/* The last one, of RSA, cannot sign for us. */
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
 * Make the folder and the keys: of all CAs, or of those that sign for us, also
 * without the user's of RSA, which takes longest; drop them.  They have the
 * form of cmocka's group functions.
 */
int ssh_ca_enter(void **state);
int ssh_ca_enter_signing(void **state);
int ssh_ca_enter_fast(void **state);
int ssh_ca_leave(void **state);

/*
 * sshcert_check by this CA alone, of clients; and that it ends well now, or
 * badly then, for this reason.
 */
int ssh_ca_check(const struct sshcert *cert, const struct ssh_ca *ca,
    uint64_t now, const char *peer, const char **reason);
void ssh_ca_expect_good(const struct sshcert *cert, const struct ssh_ca *ca,
    const char *peer);
void ssh_ca_expect_refused(const struct sshcert *cert, const struct ssh_ca *ca,
    uint64_t now, const char *peer, const char *word);

#endif

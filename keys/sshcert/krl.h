/*
 * Key revocation lists in the format of OpenSSH's PROTOCOL.krl, version 1, for
 * RevokedKeys of sshd_config(5) and for ssh-keygen -Q.
 */

#ifndef KEYS_SSHCERT_KRL_H
#define KEYS_SSHCERT_KRL_H

#include <stdint.h>

#include "keys/sshcert/sshkey.h"
#include "lib/buf.h"

/* What is revoked.  It starts as KRL_INIT, and krl_free makes it that again. */
struct krl {
	struct buf serials;
	struct buf keys;
};
#define KRL_INIT                                                               \
	{                                                                      \
		BUF_INIT, BUF_INIT                                             \
	}

void krl_free(struct krl *krl);

/*
 * krl_add_serial adds a certificate by its serial, krl_add_key all certificates
 * of a key, and the key itself, by the SHA-256 of its blob.  Any order is fine.
 * OpenSSH cannot revoke serial 0, which it takes for none: it is left out.
 */
void krl_add_serial(struct krl *krl, uint64_t serial);
void krl_add_key(struct krl *krl, const uint8_t hash[SSHKEY_HASH]);

/*
 * Append the list to out.  The serials are those of certificates that ca signed.
 * now, in seconds since 1970, is the list's date and its version.
 * buf_failed(out) reports a failure, also one of the functions above.
 */
void krl_put(const struct krl *krl, const struct sshkey *ca, uint64_t now,
    struct buf *out);

#endif

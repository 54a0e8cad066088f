/*
 * The SHA-256 of bytes that pass through the shell.  A large file is digested
 * twice, for the journal and for its signature.  A second thread computes this
 * SHA-256 for large files, so that both digests run at the same time.
 */

#ifndef HTSIGN_SHELL_TAP_H
#define HTSIGN_SHELL_TAP_H

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define TAP_SHA256 32

struct tap {
	EVP_MD_CTX *ctx;
	uint64_t seen;
	bool failed;
};

/*
 * Start the thread that hashes large files.  Call this at most once in a
 * process, after Landlock and before seccomp.  A thread inherits Landlock and
 * cannot get it later.  seccomp forbids new threads, and applies to those that
 * run.  If there is no thread, tap_bytes hashes everything itself.
 */
void tap_prepare(void);

/*
 * Start a tap, add n bytes, end it and put the SHA-256 into out.  tap_bytes is
 * an input_tap_fn; its cookie is the tap.  Only one tap may be between start
 * and end at any time.  HT_ERR_INTERNAL if hashing fails; tap_end also reports
 * failures of tap_bytes.
 */
int tap_start(struct tap *t, struct ht_error *e);
void tap_bytes(void *cookie, const uint8_t *p, size_t n);
int tap_end(struct tap *t, uint8_t out[TAP_SHA256], struct ht_error *e);

/*
 * Put the SHA-256 of the n bytes at p into out.  No other tap may be between
 * start and end.  HT_ERR_INTERNAL if hashing fails.
 */
int tap_once(const void *p, size_t n, uint8_t out[TAP_SHA256],
    struct ht_error *e);

/*
 * Free what t holds, also between start and end.  t may be all zeros.  No other
 * tap may be between start and end.
 */
void tap_free(struct tap *t);

#endif

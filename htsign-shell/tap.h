/*
 * The SHA-256 of bytes that flow past, made on another processor where the
 * bytes are many: a large file is digested twice, for the journal and for its
 * signature, and neither has to wait for the other.
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
 * Start the thread that helps with large files: once a process, after Landlock
 * (which a thread inherits, and cannot be given later) and before seccomp,
 * which forbids threads and reaches those that are there.  Without it, or if
 * the machine has none to give, all is done by the caller.
 */
void tap_prepare(void);

/*
 * Start, add n bytes (an input_tap_fn, whose cookie is the tap), end.  At most
 * one tap at a time is between start and end.  HT_ERR_INTERNAL; a failure to
 * add shows at the end.
 */
int tap_start(struct tap *t, struct ht_error *e);
void tap_bytes(void *cookie, const uint8_t *p, size_t n);
int tap_end(struct tap *t, uint8_t out[TAP_SHA256], struct ht_error *e);

/*
 * The SHA-256 of n bytes that are there already.
 */
int tap_once(const void *p, size_t n, uint8_t out[TAP_SHA256],
    struct ht_error *e);

/*
 * Fine before tap_start, for a tap of zeros, and after tap_end.
 */
void tap_free(struct tap *t);

#endif

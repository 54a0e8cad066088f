/*
 * A PIN in keyd.  It has its own memory, which is neither swapped out nor
 * dumped, and is wiped before it is freed.
 */

#ifndef KEYS_KEYD_TOKEN_SECRET_H
#define KEYS_KEYD_TOKEN_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define SECRET_MAX 255

struct secret;

/*
 * Return an empty secret, or NULL with HT_ERR_INTERNAL if the memory cannot be
 * allocated or locked (RLIMIT_MEMLOCK).
 */
struct secret *secret_new(struct ht_error *e);
void secret_free(struct secret *s); /* NULL is fine */

/*
 * Copy n bytes into s.  They are 1 to SECRET_MAX bytes without a NUL, or the
 * result is HT_ERR_USAGE.  What s held before is wiped, also on error.
 */
int secret_set(struct secret *s, const uint8_t *p, size_t n,
    struct ht_error *e);

/*
 * Like secret_set, with the only line of the file at path.  A line end after it
 * is fine.  Errors: HT_ERR_USAGE if the file cannot be opened, or its content
 * is not one line that secret_set accepts; HT_ERR_INTERNAL if the file cannot
 * be read.
 */
int secret_read(struct secret *s, const char *path, struct ht_error *e);

void secret_forget(struct secret *s);
bool secret_held(const struct secret *s);

/*
 * Return the bytes that s holds.  They are borrowed and change with s.
 */
const uint8_t *secret_bytes(const struct secret *s, size_t *n);

/*
 * Hash what s holds, for the PIN guard.  The hash is slow: scrypt (RFC 7914),
 * about 50 ms and 16 MiB.  Returns HT_ERR_INTERNAL if scrypt fails.
 */
int secret_hash(const struct secret *s, const uint8_t *salt, size_t nsalt,
    uint8_t *hash, size_t nhash, struct ht_error *e);

#endif

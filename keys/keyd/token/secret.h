/*
 * A PIN in keyd: in memory of its own that is neither swapped out nor dumped,
 * and wiped when it is let go.
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
 * An empty one.  NULL with HT_ERR_INTERNAL if the memory cannot be had or
 * locked (RLIMIT_MEMLOCK).
 */
struct secret *secret_new(struct ht_error *e);
void secret_free(struct secret *s); /* NULL is fine */

/*
 * Hold n bytes, 1 to SECRET_MAX, without a NUL: HT_ERR_USAGE for others; what
 * was held before is wiped in any case.
 */
int secret_set(struct secret *s, const uint8_t *p, size_t n,
    struct ht_error *e);

/*
 * The same from the first line of a file.  HT_ERR_USAGE if it cannot be opened,
 * HT_ERR_INTERNAL if not read, HT_ERR_USAGE if anything but one line end
 * follows.
 */
int secret_read(struct secret *s, const char *path, struct ht_error *e);

void secret_forget(struct secret *s);
bool secret_held(const struct secret *s);

/*
 * What is held; it stays where it is.
 */
const uint8_t *secret_bytes(const struct secret *s, size_t *n);

/*
 * A slow hash of what is held (scrypt, RFC 7914; some 50 ms and 16 MiB), for
 * the PIN guard.
 */
int secret_hash(const struct secret *s, const uint8_t *salt, size_t nsalt,
    uint8_t *hash, size_t nhash, struct ht_error *e);

#endif

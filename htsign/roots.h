/*
 * Roots that are trusted, from files of people.
 */

#ifndef HTSIGN_ROOTS_H
#define HTSIGN_ROOTS_H

#include "lib/buf.h"
#include "lib/error.h"

/* The most bytes of them: a system's bundle has about 250 KB. */
#define ROOTS_MAX ((size_t)4 << 20)

/*
 * Append to out, as PEM, the certificates of a file, PEM or one in DER, or of
 * all files in a folder, as openssl-rehash(1) fills it.  HT_ERR_USAGE for a
 * folder without files.  Other errors as file_read, for all of them together.
 */
int roots_read(const char *path, size_t max, struct buf *out,
    struct ht_error *e);

#endif

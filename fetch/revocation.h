/*
 * Whether a certificate has been revoked, as its issuer says: by OCSP (RFC 6960)
 * or by a CRL (RFC 5280 5).  Bytes in, bytes out.
 */

#ifndef FETCH_REVOCATION_H
#define FETCH_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The media types of OCSP, and the largest of each in bytes. */
#define REVOCATION_QUERY_TYPE "application/ocsp-request"
#define REVOCATION_OCSP_TYPE "application/ocsp-response"
#define REVOCATION_OCSP_MAX ((size_t)64 << 10)
#define REVOCATION_CRL_MAX ((size_t)8 << 20)

/* A certificate and its issuer's. */
struct revocation;

/*
 * Read both from DER; bytes left over are an error.  HT_ERR_DATA if they are
 * none, or not issuer and issued.  HT_ERR_INTERNAL without memory.
 */
struct revocation *revocation_new(struct cursor certificate,
    struct cursor issuer, struct ht_error *e);
void revocation_free(struct revocation *r); /* NULL is fine */

/*
 * The first http URL of its OCSP server, or of its CRL: text that the
 * certificate has, or NULL.  The caller frees it with free().
 */
char *revocation_ocsp_url(const struct revocation *r);
char *revocation_crl_url(const struct revocation *r);

/*
 * Append an OCSP request to out.  HT_ERR_INTERNAL without memory.
 */
int revocation_query(const struct revocation *r, struct buf *out,
    struct ht_error *e);

/*
 * Check the answer: it is signed by the issuer or on its behalf, is of now, in
 * seconds since 1970, and speaks of the certificate.  *revoked gets the time of
 * the revocation, or 0 if it stands.
 *
 * HT_ERR_DATA if the answer does not prove either, which is no revocation.
 */
int revocation_ocsp(const struct revocation *r, struct cursor der, int64_t now,
    int64_t *revoked, struct ht_error *e);
int revocation_crl(const struct revocation *r, struct cursor der, int64_t now,
    int64_t *revoked, struct ht_error *e);

#endif

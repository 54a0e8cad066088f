/*
 * The ASN.1 of Authenticode as libcrypto templates, for signature/ and formats/
 * only.
 *
 * Windows Authenticode Portable Executable Signature Format, "Authenticode-
 * Specific Structures".  Where Windows and the text differ, the templates
 * follow Windows: SpcAttributeTypeAndOptionalValue carries its value without
 * the [0].
 */

#ifndef SIGNATURE_SPC_ASN1_H
#define SIGNATURE_SPC_ASN1_H

#include <openssl/asn1t.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* PKCS #9 (RFC 2985 5.3) */
#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"
#define OID_SIGNING_TIME "1.2.840.113549.1.9.5"
#define OID_COUNTERSIGNATURE "1.2.840.113549.1.9.6"

#define OID_CTL "1.3.6.1.4.1.311.10.1"
#define OID_SPC_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"
#define OID_SPC_STATEMENT_TYPE "1.3.6.1.4.1.311.2.1.11"
#define OID_SPC_SP_OPUS_INFO "1.3.6.1.4.1.311.2.1.12"
#define OID_SPC_PE_IMAGE_DATA "1.3.6.1.4.1.311.2.1.15"
#define OID_SPC_INDIVIDUAL "1.3.6.1.4.1.311.2.1.21"
#define OID_SPC_COMMERCIAL "1.3.6.1.4.1.311.2.1.22"
#define OID_SPC_CAB_DATA "1.3.6.1.4.1.311.2.1.25"
#define OID_SPC_SIP_INFO "1.3.6.1.4.1.311.2.1.30"
#define OID_NESTED_SIGNATURE "1.3.6.1.4.1.311.2.4.1"
#define OID_TIMESTAMP "1.3.6.1.4.1.311.3.3.1"
#define OID_LIFETIME_SIGNING "1.3.6.1.4.1.311.10.3.13"

/* SpcString ::= CHOICE */
typedef struct {
	int type;
	union {
		ASN1_BMPSTRING *unicode;
		ASN1_IA5STRING *ascii;
	} value;
} SPC_STRING;
#define SPC_STRING_UNICODE 0
#define SPC_STRING_ASCII 1

/* SpcLink ::= CHOICE */
typedef struct {
	int type;
	union {
		ASN1_IA5STRING *url;
		ASN1_STRING *moniker;
		SPC_STRING *file;
	} value;
} SPC_LINK;
#define SPC_LINK_URL 0
#define SPC_LINK_FILE 2

typedef struct {
	ASN1_BIT_STRING *flags;
	SPC_LINK *file;
} SPC_PE_IMAGE_DATA;

/* SpcSipInfo names the Subject Interface Package that digests a file. */
typedef struct {
	ASN1_INTEGER *version;
	ASN1_OCTET_STRING *guid;
	ASN1_INTEGER *reserved[5];
} SPC_SIP_INFO;

typedef struct {
	ASN1_OBJECT *type;
	ASN1_TYPE *value;
} SPC_ATTRIBUTE;

typedef struct {
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *digest;
} SPC_DIGEST_INFO;

typedef struct {
	SPC_ATTRIBUTE *data;
	SPC_DIGEST_INFO *message_digest;
} SPC_INDIRECT_DATA;

typedef struct {
	SPC_STRING *program_name;
	SPC_LINK *more_info;
} SPC_SP_OPUS_INFO;

typedef STACK_OF(ASN1_OBJECT) SPC_STATEMENT_TYPE;

DECLARE_ASN1_FUNCTIONS(SPC_STRING)
DECLARE_ASN1_FUNCTIONS(SPC_LINK)
DECLARE_ASN1_FUNCTIONS(SPC_PE_IMAGE_DATA)
DECLARE_ASN1_FUNCTIONS(SPC_SIP_INFO)
DECLARE_ASN1_FUNCTIONS(SPC_ATTRIBUTE)
DECLARE_ASN1_FUNCTIONS(SPC_DIGEST_INFO)
DECLARE_ASN1_FUNCTIONS(SPC_INDIRECT_DATA)
DECLARE_ASN1_FUNCTIONS(SPC_SP_OPUS_INFO)
int i2d_SPC_STATEMENT_TYPE(const SPC_STATEMENT_TYPE *purposes,
    unsigned char **der);

/*
 * Whether object is the identifier in dotted form.
 */
bool spc_is_object(const ASN1_OBJECT *object, const char *dotted);

/*
 * spc_md returns the libcrypto digest of a name that spc_algorithm returned.
 * spc_algorithm_of returns the name for an AlgorithmIdentifier whose parameters
 * are NULL or absent.  Both return NULL for any other algorithm.  Results are
 * static.
 */
const EVP_MD *spc_md(const char *algorithm);
const char *spc_algorithm_of(const X509_ALGOR *algorithm);

/*
 * Write the name of any algorithm for people, such as "SHA-1", into name.
 * Returns name.
 */
#define SPC_NAME_SIZE 48
const char *spc_algorithm_name(const X509_ALGOR *algorithm,
    char name[SPC_NAME_SIZE]);

/*
 * Say in *e that libcrypto failed at what, with libcrypto's reason if there is
 * one.  Empties libcrypto's error queue.  Returns code.
 */
int spc_crypto_error(struct ht_error *e, int code, const char *what);

#endif

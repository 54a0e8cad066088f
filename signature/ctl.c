#include "config.h"

#include <openssl/asn1t.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string.h>

#include "signature/cms-asn1.h"
#include "signature/ctl.h"
#include "signature/spc-asn1.h"

#define OID_CATALOG_LIST "1.3.6.1.4.1.311.12.1.1"
#define OID_CATALOG_MEMBER "1.3.6.1.4.1.311.12.1.2"
#define OID_CATALOG_MEMBER_2 "1.3.6.1.4.1.311.12.1.3"

/* The attributes stay in the order in which they were written. */
typedef struct {
	ASN1_OCTET_STRING *identifier;
	STACK_OF(ASN1_TYPE) *attributes;
} TRUSTED_SUBJECT;

DEFINE_STACK_OF(TRUSTED_SUBJECT)

typedef struct {
	ASN1_INTEGER *version;
	STACK_OF(ASN1_OBJECT) *usage;
	ASN1_OCTET_STRING *identifier;
	ASN1_INTEGER *sequence;
	ASN1_TIME *this_update;
	ASN1_TIME *next_update;
	X509_ALGOR *algorithm;
	STACK_OF(TRUSTED_SUBJECT) *subjects;
	STACK_OF(X509_EXTENSION) *extensions;
} TRUST_LIST;

DECLARE_ASN1_FUNCTIONS(TRUSTED_SUBJECT)
DECLARE_ASN1_FUNCTIONS(TRUST_LIST)

/* clang-format off */
ASN1_ITEM_TEMPLATE(SUBJECT_ATTRIBUTES) =
	ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF | ASN1_TFLG_IMPTAG |
	    ASN1_TFLG_UNIVERSAL, V_ASN1_SET, attributes, ASN1_ANY)
static_ASN1_ITEM_TEMPLATE_END(SUBJECT_ATTRIBUTES)

ASN1_SEQUENCE(TRUSTED_SUBJECT) = {
	ASN1_SIMPLE(TRUSTED_SUBJECT, identifier, ASN1_OCTET_STRING),
	ASN1_OPT(TRUSTED_SUBJECT, attributes, SUBJECT_ATTRIBUTES)
} ASN1_SEQUENCE_END(TRUSTED_SUBJECT)
IMPLEMENT_ASN1_FUNCTIONS(TRUSTED_SUBJECT)

ASN1_SEQUENCE(TRUST_LIST) = {
	ASN1_OPT(TRUST_LIST, version, ASN1_INTEGER),
	ASN1_SEQUENCE_OF(TRUST_LIST, usage, ASN1_OBJECT),
	ASN1_OPT(TRUST_LIST, identifier, ASN1_OCTET_STRING),
	ASN1_OPT(TRUST_LIST, sequence, ASN1_INTEGER),
	ASN1_SIMPLE(TRUST_LIST, this_update, ASN1_TIME),
	ASN1_OPT(TRUST_LIST, next_update, ASN1_TIME),
	ASN1_SIMPLE(TRUST_LIST, algorithm, X509_ALGOR),
	ASN1_SEQUENCE_OF_OPT(TRUST_LIST, subjects, TRUSTED_SUBJECT),
	ASN1_EXP_SEQUENCE_OF_OPT(TRUST_LIST, extensions, X509_EXTENSION, 0)
} ASN1_SEQUENCE_END(TRUST_LIST)
IMPLEMENT_ASN1_FUNCTIONS(TRUST_LIST)
/* clang-format on */

static int
check_purpose(const TRUST_LIST *list, struct ht_error *e)
{
	const ASN1_OBJECT *algorithm = list->algorithm->algorithm;

	if (sk_ASN1_OBJECT_num(list->usage) != 1 ||
	    !spc_is_object(sk_ASN1_OBJECT_value(list->usage, 0),
	        OID_CATALOG_LIST))
		return ht_error_set(e, HT_ERR_DATA,
		    "CTL: its SubjectUsage is not a catalog's");
	if (!spc_is_object(algorithm, OID_CATALOG_MEMBER) &&
	    !spc_is_object(algorithm, OID_CATALOG_MEMBER_2))
		return ht_error_set(e, HT_ERR_DATA,
		    "CTL: its SubjectAlgorithm is not a catalog's");
	return 0;
}

static int
check_encoding(const TRUST_LIST *list, const void *der, size_t n,
    struct ht_error *e)
{
	unsigned char *again = NULL;
	int length = i2d_TRUST_LIST(list, &again);
	int rc = 0;

	if (length <= 0)
		rc = spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot encode the CTL");
	else if ((size_t)length != n || memcmp(again, der, n) != 0)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "CTL: not DER, or with bytes left over (X.690)");
	OPENSSL_free(again);
	return rc;
}

int
ctl_parse(const void *der, size_t n, struct ht_error *e)
{
	const unsigned char *p = der;
	TRUST_LIST *list;
	int rc;

	if (n > CTL_MAX)
		return ht_error_set(e, HT_ERR_DATA, "CTL: over %zu bytes",
		    CTL_MAX);
	list = d2i_TRUST_LIST(NULL, &p, (long)n);
	if (list == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "CTL: its structure is damaged");
	rc = check_purpose(list, e);
	if (rc == 0)
		rc = check_encoding(list, der, n, e);
	TRUST_LIST_free(list);
	return rc;
}

int
ctl_wrap(const void *der, size_t n, struct buf *out, struct ht_error *e)
{
	SIGNED_DATA *data = SIGNED_DATA_new();
	int rc;

	if (data == NULL || ASN1_INTEGER_set(data->version, 1) != 1 ||
	    signed_data_set_content(data, OID_CTL, der, n) < 0)
		rc = spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot make the SignedData");
	else
		rc = signed_data_encode(data, out, e);
	SIGNED_DATA_free(data);
	return rc;
}

#include "config.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "signature/spc-asn1.h"
#include "signature/spc.h"

/* clang-format off */
ASN1_CHOICE(SPC_STRING) = {
	ASN1_IMP(SPC_STRING, value.unicode, ASN1_BMPSTRING, 0),
	ASN1_IMP(SPC_STRING, value.ascii, ASN1_IA5STRING, 1)
} ASN1_CHOICE_END(SPC_STRING)
IMPLEMENT_ASN1_FUNCTIONS(SPC_STRING)

/* Monikers are neither made nor looked into here. */
ASN1_CHOICE(SPC_LINK) = {
	ASN1_IMP(SPC_LINK, value.url, ASN1_IA5STRING, 0),
	ASN1_IMP(SPC_LINK, value.moniker, ASN1_SEQUENCE, 1),
	ASN1_EXP(SPC_LINK, value.file, SPC_STRING, 2)
} ASN1_CHOICE_END(SPC_LINK)
IMPLEMENT_ASN1_FUNCTIONS(SPC_LINK)

ASN1_SEQUENCE(SPC_PE_IMAGE_DATA) = {
	ASN1_SIMPLE(SPC_PE_IMAGE_DATA, flags, ASN1_BIT_STRING),
	ASN1_EXP_OPT(SPC_PE_IMAGE_DATA, file, SPC_LINK, 0)
} ASN1_SEQUENCE_END(SPC_PE_IMAGE_DATA)
IMPLEMENT_ASN1_FUNCTIONS(SPC_PE_IMAGE_DATA)

ASN1_SEQUENCE(SPC_SIP_INFO) = {
	ASN1_SIMPLE(SPC_SIP_INFO, version, ASN1_INTEGER),
	ASN1_SIMPLE(SPC_SIP_INFO, guid, ASN1_OCTET_STRING),
	ASN1_SIMPLE(SPC_SIP_INFO, reserved[0], ASN1_INTEGER),
	ASN1_SIMPLE(SPC_SIP_INFO, reserved[1], ASN1_INTEGER),
	ASN1_SIMPLE(SPC_SIP_INFO, reserved[2], ASN1_INTEGER),
	ASN1_SIMPLE(SPC_SIP_INFO, reserved[3], ASN1_INTEGER),
	ASN1_SIMPLE(SPC_SIP_INFO, reserved[4], ASN1_INTEGER)
} ASN1_SEQUENCE_END(SPC_SIP_INFO)
IMPLEMENT_ASN1_FUNCTIONS(SPC_SIP_INFO)

ASN1_SEQUENCE(SPC_ATTRIBUTE) = {
	ASN1_SIMPLE(SPC_ATTRIBUTE, type, ASN1_OBJECT),
	ASN1_OPT(SPC_ATTRIBUTE, value, ASN1_ANY)
} ASN1_SEQUENCE_END(SPC_ATTRIBUTE)
IMPLEMENT_ASN1_FUNCTIONS(SPC_ATTRIBUTE)

ASN1_SEQUENCE(SPC_DIGEST_INFO) = {
	ASN1_SIMPLE(SPC_DIGEST_INFO, algorithm, X509_ALGOR),
	ASN1_SIMPLE(SPC_DIGEST_INFO, digest, ASN1_OCTET_STRING)
} ASN1_SEQUENCE_END(SPC_DIGEST_INFO)
IMPLEMENT_ASN1_FUNCTIONS(SPC_DIGEST_INFO)

ASN1_SEQUENCE(SPC_INDIRECT_DATA) = {
	ASN1_SIMPLE(SPC_INDIRECT_DATA, data, SPC_ATTRIBUTE),
	ASN1_SIMPLE(SPC_INDIRECT_DATA, message_digest, SPC_DIGEST_INFO)
} ASN1_SEQUENCE_END(SPC_INDIRECT_DATA)
IMPLEMENT_ASN1_FUNCTIONS(SPC_INDIRECT_DATA)

ASN1_SEQUENCE(SPC_SP_OPUS_INFO) = {
	ASN1_EXP_OPT(SPC_SP_OPUS_INFO, program_name, SPC_STRING, 0),
	ASN1_EXP_OPT(SPC_SP_OPUS_INFO, more_info, SPC_LINK, 1)
} ASN1_SEQUENCE_END(SPC_SP_OPUS_INFO)
IMPLEMENT_ASN1_FUNCTIONS(SPC_SP_OPUS_INFO)

ASN1_ITEM_TEMPLATE(SPC_STATEMENT_TYPE) =
	ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, purposes, ASN1_OBJECT)
static_ASN1_ITEM_TEMPLATE_END(SPC_STATEMENT_TYPE)
/* clang-format on */

int
i2d_SPC_STATEMENT_TYPE(const SPC_STATEMENT_TYPE *purposes, unsigned char **der)
{
	return ASN1_item_i2d((const ASN1_VALUE *)purposes, der,
	    ASN1_ITEM_rptr(SPC_STATEMENT_TYPE));
}

bool
spc_is_object(const ASN1_OBJECT *object, const char *dotted)
{
	char text[128];

	if (object == NULL || OBJ_obj2txt(text, sizeof(text), object, 1) <= 0)
		return false;
	return strcmp(text, dotted) == 0;
}

static const struct {
	const char *name;
	size_t length;
	int nid;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{ "sha256", 32, NID_sha256, EVP_sha256 },
	{ "sha384", 48, NID_sha384, EVP_sha384 },
	{ "sha512", 64, NID_sha512, EVP_sha512 },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

const char *
spc_algorithm(const char *name, size_t *length)
{
	size_t i;

	for (i = 0; i < ALGORITHMS; i++) {
		if (strcasecmp(algorithms[i].name, name) == 0) {
			if (length != NULL)
				*length = algorithms[i].length;
			return algorithms[i].name;
		}
	}
	return NULL;
}

const EVP_MD *
spc_md(const char *algorithm)
{
	size_t i;

	for (i = 0; i < ALGORITHMS; i++) {
		if (strcmp(algorithms[i].name, algorithm) == 0)
			return algorithms[i].md();
	}
	return NULL;
}

const char *
spc_algorithm_of(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;
	int parameter;
	size_t i;

	X509_ALGOR_get0(&object, &parameter, NULL, algorithm);
	if (parameter != V_ASN1_NULL && parameter != V_ASN1_UNDEF)
		return NULL;
	for (i = 0; i < ALGORITHMS; i++) {
		if (OBJ_obj2nid(object) == algorithms[i].nid)
			return algorithms[i].name;
	}
	return NULL;
}

const char *
spc_algorithm_name(const X509_ALGOR *algorithm, char name[SPC_NAME_SIZE])
{
	const ASN1_OBJECT *object;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	if (OBJ_obj2nid(object) == NID_sha1)
		(void)snprintf(name, SPC_NAME_SIZE, "SHA-1");
	else if (OBJ_obj2txt(name, SPC_NAME_SIZE, object, 0) <= 0)
		(void)snprintf(name, SPC_NAME_SIZE, "an unknown algorithm");
	return name;
}

int
spc_crypto_error(struct ht_error *e, int code, const char *what)
{
	unsigned long reason = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(reason);

	ERR_clear_error();
	if (text == NULL)
		return ht_error_set(e, code, "%s", what);
	return ht_error_set(e, code, "%s: %s", what, text);
}

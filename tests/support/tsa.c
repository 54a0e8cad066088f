#include "config.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signature/der.h"
#include "tests/support/tsa.h"
#include "tests/support/unsigned.h"

#define OID_TIMESTAMP "1.3.6.1.4.1.311.3.3.1"

/* AttributeCertificate of X.509 (1997): no name, no attributes. */
static const uint8_t attribute_certificate[] = { 0x30, 0x42, 0xa1, 0x02, 0x30,
	0x00, 0x30, 0x00, 0x30, 0x03, 0x06, 0x01, 0x2a, 0x02, 0x01, 0x01, 0x30,
	0x22, 0x18, 0x0f, '2', '0', '2', '6', '0', '1', '0', '1', '0', '0', '0',
	'0', '0', '0', 'Z', 0x18, 0x0f, '2', '0', '3', '6', '0', '1', '0', '1',
	'0', '0', '0', '0', '0', '0', 'Z', 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x03,
	0x55, 0x04, 0x03, 0x31, 0x05, 0x0c, 0x03, 'a', 'b', 'c', 0x30, 0x03,
	0x06, 0x01, 0x2a, 0x03, 0x02, 0x00, 0x55 };

static void
must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "the timestamp authority cannot %s\n", what);
	abort();
}

static void
add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1,
	    "add an extension");
	X509_EXTENSION_free(extension);
}

static void
set_name(X509_NAME *name, const char *text)
{
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	         (const unsigned char *)text, -1, -1, 0) == 1,
	    "set a name");
}

static X509 *
make_certificate(const struct tsa_how *how, const char *subject,
    const char *issuer, EVP_PKEY *key, EVP_PKEY *issuer_key)
{
	static long serial = 100;
	bool ca = strcmp(subject, "Test TSA") != 0;
	X509 *certificate = X509_new();

	must(certificate != NULL &&
	        X509_set_version(certificate, X509_VERSION_3) == 1 &&
	        ASN1_INTEGER_set(X509_get_serialNumber(certificate),
	            serial++) == 1 &&
	        ASN1_TIME_set(X509_getm_notBefore(certificate),
	            (time_t)how->not_before) != NULL &&
	        ASN1_TIME_set(X509_getm_notAfter(certificate),
	            (time_t)how->not_after) != NULL &&
	        X509_set_pubkey(certificate, key) == 1,
	    "make a certificate");
	set_name(X509_get_subject_name(certificate), subject);
	set_name(X509_get_issuer_name(certificate), issuer);
	add_extension(certificate, NID_basic_constraints,
	    ca ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(certificate, NID_key_usage,
	    ca                       ? "critical,keyCertSign"
	        : how->usage != NULL ? how->usage
	                             : "critical,digitalSignature");
	if (!ca)
		add_extension(certificate, NID_ext_key_usage,
		    how->purposes != NULL ? how->purposes
		                          : "critical,timeStamping");
	else if (how->issuer_purposes != NULL && strcmp(subject, issuer) != 0)
		add_extension(certificate, NID_ext_key_usage,
		    how->issuer_purposes);
	must(X509_sign(certificate, issuer_key, EVP_sha256()) > 0,
	    "sign a certificate");
	return certificate;
}

static void
put_pem(X509 *certificate, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	must(bio != NULL && PEM_write_bio_X509(bio, certificate) == 1,
	    "write PEM");
	n = BIO_get_mem_data(bio, &p);
	buf_bytes(out, p, (size_t)n);
	BIO_free(bio);
}

void
tsa_make(const struct tsa_how *how, struct tsa *out)
{
	EVP_PKEY *root_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *issuer_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *root;

	memset(out, 0, sizeof(*out));
	out->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	must(root_key != NULL && issuer_key != NULL && out->key != NULL,
	    "make keys");
	root =
	    make_certificate(how, "TSA Root", "TSA Root", root_key, root_key);
	out->issuer = make_certificate(how, "TSA Issuer", "TSA Root",
	    issuer_key, root_key);
	out->certificate = make_certificate(how, "Test TSA", "TSA Issuer",
	    out->key, issuer_key);
	put_pem(root, &out->root);
	X509_free(root);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(issuer_key);
}

void
tsa_clear(struct tsa *tsa)
{
	EVP_PKEY_free(tsa->key);
	X509_free(tsa->certificate);
	X509_free(tsa->issuer);
	buf_free(&tsa->root);
	memset(tsa, 0, sizeof(*tsa));
}

static const EVP_MD *
digest_of(const char *name)
{
	return EVP_get_digestbyname(name != NULL ? name : "sha256");
}

static TS_MSG_IMPRINT *
make_imprint(const struct tsa_token *what, const void *stamped, size_t n)
{
	const EVP_MD *md = digest_of(what->imprint);
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;

	must(md != NULL && imprint != NULL && algorithm != NULL &&
	        EVP_Digest(stamped, n, digest, &length, md, NULL) == 1 &&
	        X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(md)),
	            V_ASN1_NULL, NULL) == 1 &&
	        TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 &&
	        TS_MSG_IMPRINT_set_msg(imprint, digest, (int)length) == 1,
	    "make an imprint");
	X509_ALGOR_free(algorithm);
	return imprint;
}

static void
add_extensions(TS_TST_INFO *info, unsigned int n)
{
	ASN1_OBJECT *type = OBJ_txt2obj("1.2.3", 1);
	ASN1_OCTET_STRING *nothing = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension =
	    X509_EXTENSION_create_by_OBJ(NULL, type, 0, nothing);

	must(extension != NULL, "make an extension");
	while (n-- > 0)
		must(TS_TST_INFO_add_ext(info, extension, -1) == 1,
		    "add an extension");
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(nothing);
	ASN1_OBJECT_free(type);
}

static void
add_authority(TS_TST_INFO *info, const char *common_name)
{
	X509_NAME *subject = X509_NAME_new();
	GENERAL_NAME *name = GENERAL_NAME_new();

	set_name(subject, common_name);
	GENERAL_NAME_set0_value(name, GEN_DIRNAME, subject);
	must(TS_TST_INFO_set_tsa(info, name) == 1, "say who it is");
	GENERAL_NAME_free(name);
}

static void
add_nonce(TS_TST_INFO *info, uint64_t nonce)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	must(number != NULL && ASN1_INTEGER_set_uint64(number, nonce) == 1 &&
	        TS_TST_INFO_set_nonce(info, number) == 1,
	    "add a nonce");
	ASN1_INTEGER_free(number);
}

/* TSTInfo (RFC 3161 2.4.2) */
static BIO *
make_info(const struct tsa_token *what, const void *stamped, size_t n)
{
	TS_TST_INFO *info = TS_TST_INFO_new();
	TS_MSG_IMPRINT *imprint = make_imprint(what, stamped, n);
	ASN1_OBJECT *policy = OBJ_txt2obj("1.2.3.4.1", 1);
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	ASN1_GENERALIZEDTIME *when =
	    ASN1_GENERALIZEDTIME_set(NULL, (time_t)what->time);
	BIO *out = BIO_new(BIO_s_mem());

	must(info != NULL && out != NULL && when != NULL,
	    "have memory for a TSTInfo");
	add_extensions(info, what->extensions);
	if (what->says != NULL)
		add_authority(info, what->says);
	if (what->nonce != 0)
		add_nonce(info, what->nonce);
	must(TS_TST_INFO_set_version(info,
	         what->version != 0 ? what->version : 1) == 1 &&
	        TS_TST_INFO_set_policy_id(info, policy) == 1 &&
	        TS_TST_INFO_set_msg_imprint(info, imprint) == 1 &&
	        (what->long_serial
	                ? ASN1_STRING_set(serial, "a serial of 21 octets", 21)
	                : ASN1_INTEGER_set(serial, 42)) == 1 &&
	        TS_TST_INFO_set_serial(info, serial) == 1 &&
	        TS_TST_INFO_set_time(info, when) == 1 &&
	        i2d_TS_TST_INFO_bio(out, info) == 1,
	    "make a TSTInfo");
	TS_TST_INFO_free(info);
	TS_MSG_IMPRINT_free(imprint);
	ASN1_OBJECT_free(policy);
	ASN1_INTEGER_free(serial);
	ASN1_GENERALIZEDTIME_free(when);
	return out;
}

/*
 * Sign an attribute SigningCertificateV2 with the SHA-256 of what is bound.
 */
static void
add_binding(CMS_SignerInfo *signer, const struct tsa *tsa, const char *bound)
{
	static const uint8_t header[] = { 0x30, 0x22, 0x04, 0x20 };
	struct buf ids = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf other = BUF_INIT;
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 };
	unsigned int n;

	der_put_header(&other, DER_SEQUENCE, sizeof(attribute_certificate));
	buf_bytes(&other, attribute_certificate, sizeof(attribute_certificate));
	for (; *bound != '\0'; bound++) {
		if (*bound == 's' || *bound == 'i')
			X509_digest(*bound == 's' ? tsa->certificate
			                          : tsa->issuer,
			    EVP_sha256(), digest, &n);
		else if (*bound == 'a')
			EVP_Digest(other.data, other.len, digest, &n,
			    EVP_sha256(), NULL);
		else
			digest[0] ^= 1;
		buf_bytes(&ids, header, sizeof(header));
		buf_bytes(&ids, digest, 32);
	}
	der_put_header(&out, DER_SEQUENCE, der_size(ids.len));
	der_put_header(&out, DER_SEQUENCE, ids.len);
	buf_bytes(&out, ids.data, ids.len);
	must(CMS_signed_add1_attr_by_NID(signer,
	         NID_id_smime_aa_signingCertificateV2, V_ASN1_SEQUENCE,
	         out.data, (int)out.len) == 1,
	    "bind a token");
	buf_free(&ids);
	buf_free(&out);
	buf_free(&other);
}

static struct der
expect(struct cursor *c, uint8_t tag)
{
	struct der part;

	must(der_expect(c, tag, &part, NULL) == 0, "find its certificates");
	return part;
}

static void
put(struct buf *out, struct cursor bytes)
{
	buf_bytes(out, bytes.p, bytes.left);
}

/*
 * Replace b by a value with b's bytes behind those at p.
 */
static void
enclose(struct buf *b, uint8_t tag, const uint8_t *p, size_t n)
{
	struct buf value = BUF_INIT;

	der_put_header(&value, tag, n + b->len);
	buf_bytes(&value, p, n);
	buf_bytes(&value, b->data, b->len);
	must(buf_failed(&value) == 0, "have memory");
	buf_free(b);
	*b = value;
}

void
tsa_add_attribute_certificate(struct buf *der, unsigned int tag)
{
	struct cursor c = buf_cursor(der);
	struct der type;
	struct der part;
	struct buf out = BUF_INIT;
	const uint8_t *start;

	c = expect(&c, DER_SEQUENCE).value;
	type = expect(&c, DER_OBJECT);
	c = expect(&c, DER_CONTEXT(0)).value;
	c = expect(&c, DER_SEQUENCE).value;
	start = c.p;
	while (!der_is_next(&c, DER_CONTEXT(0)))
		must(der_next(&c, &part, NULL) == 0, "find certificates");
	part = expect(&c, DER_CONTEXT(0));
	buf_bytes(&out, attribute_certificate, sizeof(attribute_certificate));
	enclose(&out, (uint8_t)DER_CONTEXT(tag), NULL, 0);
	enclose(&out, DER_CONTEXT(0), part.value.p, part.value.left);
	put(&out, c);
	enclose(&out, DER_SEQUENCE, start, (size_t)(part.whole.p - start));
	enclose(&out, DER_CONTEXT(0), NULL, 0);
	enclose(&out, DER_SEQUENCE, type.whole.p, type.whole.left);
	buf_free(der);
	*der = out;
}

void
tsa_stamp(const struct tsa *tsa, const struct tsa_token *what,
    const void *stamped, size_t n, struct buf *out)
{
	unsigned int flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
	BIO *info = make_info(what, stamped, n);
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
	struct buf token = BUF_INIT;
	unsigned char *der = NULL;
	CMS_SignerInfo *signer;
	const char *tag;
	int length;

	if (!what->without_binding && what->bound == NULL)
		flags |= CMS_CADES;
	if (what->without_certificates)
		flags |= CMS_NOCERTS;
	must(cms != NULL &&
	        CMS_set1_eContentType(cms,
	            OBJ_nid2obj(NID_id_smime_ct_TSTInfo)) == 1 &&
	        (signer = CMS_add1_signer(cms, tsa->certificate, tsa->key,
	             digest_of(what->algorithm), flags)) != NULL,
	    "begin a token");
	if (what->bound != NULL)
		add_binding(signer, tsa, what->bound);
	must((what->without_certificates ||
	         CMS_add1_cert(cms, tsa->issuer) == 1) &&
	        CMS_final(cms, info, NULL, flags) == 1,
	    "sign a token");
	length = i2d_CMS_ContentInfo(cms, &der);
	must(length > 0, "encode a token");
	buf_bytes(&token, der, (size_t)length);
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	BIO_free(info);
	for (tag = what->attribute_certificates; tag != NULL && *tag != 0;
	     tag++)
		tsa_add_attribute_certificate(&token, (unsigned int)*tag - '0');
	buf_bytes(out, token.data, token.len);
	buf_free(&token);
}

void
tsa_stamp_pkcs7(const struct tsa *tsa, const struct tsa_token *what,
    struct buf *der)
{
	struct buf signature = BUF_INIT;
	struct buf token = BUF_INIT;

	unsigned_signature(der, &signature);
	tsa_stamp(tsa, what, signature.data, signature.len, &token);
	unsigned_add(der, OID_TIMESTAMP, V_ASN1_SEQUENCE, token.data,
	    token.len);
	buf_free(&signature);
	buf_free(&token);
}

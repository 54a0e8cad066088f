#include "config.h"

#include <sys/wait.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "signature/init.h"
#include "tests/support/signing.h"

/* The certificates of signing_make, the signer's first. */
#define DEPTH 3

struct signing signing_p256;

static int
failed(struct ht_error *e, const char *what)
{
	return ht_error_set(e, HT_ERR_INTERNAL, "%s failed", what);
}

int
signing_load(const char *key, const char *chain, struct signing *out,
    struct ht_error *e)
{
	static char pem[CHAIN_PEM_MAX];
	size_t n = 0;
	FILE *f;

	memset(out, 0, sizeof(*out));
	f = fopen(key, "r");
	if (f == NULL)
		return ht_error_errno(e, "%s", key);
	out->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	if (out->key == NULL)
		return failed(e, "reading the key");
	f = fopen(chain, "r");
	if (f == NULL)
		return ht_error_errno(e, "%s", chain);
	n = fread(pem, 1, sizeof(pem), f);
	(void)fclose(f);
	return chain_load(pem, n, &out->chain, e);
}

static int
add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	int ok;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (extension == NULL)
		return -1;
	ok = X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return ok == 1 ? 0 : -1;
}

static X509 *
make_certificate(const struct signing_how *how, int depth, EVP_PKEY *key,
    EVP_PKEY *issuer_key)
{
	static const char *const names[DEPTH] = { "Test Signer",
		"Test Intermediate", "Test Root" };
	X509 *certificate = X509_new();
	int issuer = depth + 1 < DEPTH ? depth + 1 : depth;
	int ca = depth > 0;
	const char *name = ca || how->name == NULL ? names[depth] : how->name;

	if (certificate == NULL ||
	    X509_set_version(certificate, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(certificate), depth + 7) !=
	        1 ||
	    ASN1_TIME_set(X509_getm_notBefore(certificate),
	        (time_t)how->not_before) == NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(certificate),
	        (time_t)how->not_after) == NULL ||
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
	        MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_NAME_add_entry_by_txt(X509_get_issuer_name(certificate), "CN",
	        MBSTRING_UTF8, (const unsigned char *)names[issuer], -1, -1,
	        0) != 1 ||
	    X509_set_pubkey(certificate, key) != 1 ||
	    add_extension(certificate, NID_basic_constraints,
	        ca ? "critical,CA:TRUE" : "CA:FALSE") < 0 ||
	    add_extension(certificate, NID_key_usage,
	        ca ? "critical,keyCertSign" : "critical,digitalSignature") <
	        0 ||
	    (!ca &&
	        add_extension(certificate, NID_ext_key_usage, how->purposes) <
	            0) ||
	    X509_sign(certificate, issuer_key,
	        how->sha1 ? EVP_sha1() : EVP_sha256()) <= 0) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

/* By another program, which valgrind does not slow down to half a minute. */
static EVP_PKEY *
make_rsa(const char *bits)
{
	EVP_PKEY *key;
	FILE *f = tmpfile();
	pid_t pid;

	if (f == NULL)
		return NULL;
	pid = fork();
	if (pid == 0) {
		(void)dup2(fileno(f), STDOUT_FILENO);
		(void)execlp("openssl", "openssl", "genpkey", "-quiet",
		    "-algorithm", "RSA", "-pkeyopt", bits, (char *)NULL);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
	rewind(f);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	return key;
}

static EVP_PKEY *
make_key(const char *kind)
{
	if (strcmp(kind, "RSA") == 0)
		return make_rsa("rsa_keygen_bits:3072");
	if (strcmp(kind, "RSA-2048") == 0)
		return make_rsa("rsa_keygen_bits:2048");
	return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
}

static int
put_pem(X509 *certificate, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;
	int rc = -1;

	if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
		n = BIO_get_mem_data(bio, &p);
		buf_bytes(out, p, (size_t)n);
		rc = 0;
	}
	BIO_free(bio);
	return rc;
}

int
signing_make(const char *kind, struct signing *out, struct ht_error *e)
{
	const struct signing_how how = { kind, time(NULL) - 3600,
		time(NULL) + 86400, "codeSigning", false, NULL };

	return signing_make_how(&how, out, e);
}

int
signing_make_how(const struct signing_how *how, struct signing *out,
    struct ht_error *e)
{
	EVP_PKEY *keys[DEPTH] = { NULL, NULL, NULL };
	X509 *certificates[DEPTH] = { NULL, NULL, NULL };
	int rc = HT_ERR_INTERNAL;
	int i;

	memset(out, 0, sizeof(*out));
	for (i = DEPTH - 1; i >= 0; i--) {
		keys[i] = make_key(i == 0 ? how->kind : "P-256");
		if (keys[i] == NULL)
			goto out;
		certificates[i] = make_certificate(how, i, keys[i],
		    keys[i + 1 < DEPTH ? i + 1 : i]);
		if (certificates[i] == NULL)
			goto out;
	}
	if (put_pem(certificates[0], &out->pem) < 0 ||
	    put_pem(certificates[1], &out->pem) < 0 ||
	    put_pem(certificates[2], &out->root) < 0)
		goto out;
	rc = chain_load(out->pem.data, out->pem.len, &out->chain, e);
	buf_u8(&out->pem, 0);
	buf_u8(&out->root, 0);
	out->key = keys[0];
	keys[0] = NULL;
out:
	if (rc == HT_ERR_INTERNAL)
		(void)failed(e, "making certificates");
	for (i = 0; i < DEPTH; i++) {
		EVP_PKEY_free(keys[i]);
		X509_free(certificates[i]);
	}
	return rc;
}

void
signing_clear(struct signing *signing)
{
	chain_free(signing->chain);
	EVP_PKEY_free(signing->key);
	buf_free(&signing->pem);
	buf_free(&signing->root);
	memset(signing, 0, sizeof(*signing));
}

int
signing_start(void **state)
{
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0)
		return -1;
	return signing_make("P-256", &signing_p256, &e);
}

int
signing_stop(void **state)
{
	(void)state;
	signing_clear(&signing_p256);
	return 0;
}

int
signing_raw(struct signing *signing, const struct spc_digest *digest,
    struct buf *signature, struct ht_error *e)
{
	uint8_t bytes[1024];
	size_t n = sizeof(bytes);
	EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(signing->key, NULL);
	int rc = 0;

	if (sign == NULL || EVP_PKEY_sign_init(sign) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(sign,
	        EVP_get_digestbyname(digest->algorithm)) != 1 ||
	    EVP_PKEY_sign(sign, bytes, &n, digest->value, digest->length) != 1)
		rc = failed(e, "signing");
	else
		buf_bytes(signature, bytes, n);
	EVP_PKEY_CTX_free(sign);
	return rc;
}

int
signing_sign(struct signing *signing, const char *format,
    const struct buf *content, const struct cms_options *options,
    struct buf *p7, struct ht_error *e)
{
	struct cms_signer *signer;
	struct buf raw = BUF_INIT;
	int rc;

	rc = cms_signer_new(signing->chain, format, content->data, content->len,
	    options, &signer, e);
	if (rc == 0)
		rc = signing_raw(signing, cms_signer_digest(signer), &raw, e);
	if (rc == 0)
		rc = cms_signer_signature(signer, raw.data, raw.len, e);
	if (rc == 0)
		rc = cms_signer_finish(signer, p7, e);
	cms_signer_free(signer);
	buf_free(&raw);
	return rc;
}

void
signing_content(const char *algorithm, struct buf *content)
{
	struct spc_digest digest = { 0 };

	digest.algorithm = spc_algorithm(algorithm, &digest.length);
	memset(digest.value, 0x5a, digest.length);
	if (spc_encode("pe", &digest, content, NULL) < 0)
		abort();
}

void
signing_pkcs7(struct signing *signing, const char *algorithm,
    const struct cms_options *options, struct buf *p7)
{
	static const struct cms_options none = { .signing_time = CMS_NO_TIME };
	struct buf content = BUF_INIT;

	signing_content(algorithm, &content);
	if (signing_sign(signing, "pe", &content,
	        options == NULL ? &none : options, p7, NULL) < 0)
		abort();
	buf_free(&content);
}

#include "config.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "signature/spc-asn1.h"
#include "signature/x509.h"

/* More roots than any system trusts. */
#define ROOTS_MAX 1000

/*
 * SSL_CTX_set_security_level(3): keys and signatures of at least 80 bits.  This
 * excludes SHA-1 and MD5 below a root, and RSA keys of less than 1024 bits.
 */
#define SECURITY_LEVEL 1

static void
set_parameters(X509_VERIFY_PARAM *parameters, int64_t when)
{
	X509_VERIFY_PARAM_set_time(parameters, (time_t)when);
	X509_VERIFY_PARAM_set_auth_level(parameters, SECURITY_LEVEL);
}

int
x509_read_roots(const void *pem, size_t n, int64_t when, X509_STORE **roots,
    struct ht_error *e)
{
	STACK_OF(X509) *certificates = NULL;
	X509_STORE *store = NULL;
	int rc;
	int i;

	*roots = NULL;
	rc = x509_read_pem(pem, n, ROOTS_MAX, false, &certificates, e);
	if (rc == HT_ERR_DATA) {
		rc = HT_ERR_USAGE;
		if (e != NULL)
			e->code = rc;
	}
	if (rc < 0)
		goto out;
	store = X509_STORE_new();
	if (store == NULL)
		rc = ht_error_memory(e);
	else
		set_parameters(X509_STORE_get0_param(store), when);
	for (i = 0; rc == 0 && i < sk_X509_num(certificates); i++) {
		if (X509_STORE_add_cert(store,
		        sk_X509_value(certificates, i)) != 1)
			rc = spc_crypto_error(e, HT_ERR_INTERNAL,
			    "cannot take a root");
	}
	if (rc < 0)
		goto out;
	*roots = store;
	store = NULL;
out:
	X509_STORE_free(store);
	sk_X509_pop_free(certificates, X509_free);
	return rc;
}

/*
 * libcrypto 3.0 has no purpose for code signing, and does not check a CA for
 * timestamps.  So each issuer below the root that narrows its use must allow it
 * here.
 */
static int
check_purposes(X509_STORE_CTX *path, uint32_t use, struct ht_error *e)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(path);
	uint32_t extended;
	int i;

	for (i = 1; i < sk_X509_num(chain) - 1; i++) {
		extended = X509_get_extended_key_usage(sk_X509_value(chain, i));
		if (extended != UINT32_MAX &&
		    (extended & (use | XKU_ANYEKU)) == 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "certificate %d of the chain does not allow %s "
			    "(RFC 5280 4.2.1.12)",
			    i + 1,
			    use == XKU_TIMESTAMP ? "timestamps"
			                         : "code signing");
	}
	return 0;
}

int
x509_verify_path(X509 *certificate, STACK_OF(X509) *others, X509_STORE *roots,
    uint32_t use, STACK_OF(X509) **found, struct ht_error *e)
{
	X509_STORE_CTX *path = X509_STORE_CTX_new();
	int rc;

	if (found != NULL)
		*found = NULL;
	if (path == NULL ||
	    X509_STORE_CTX_init(path, roots, certificate, others) != 1 ||
	    X509_STORE_CTX_set_purpose(path, X509_PURPOSE_ANY) != 1)
		rc = spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot check the chain");
	else if (X509_verify_cert(path) != 1)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the certificate chain is not valid: %s",
		    X509_verify_cert_error_string(
		        X509_STORE_CTX_get_error(path)));
	else
		rc = check_purposes(path, use, e);
	if (rc == 0 && found != NULL) {
		*found = X509_STORE_CTX_get1_chain(path);
		if (*found == NULL)
			rc = ht_error_memory(e);
	}
	X509_STORE_CTX_free(path);
	ERR_clear_error();
	return rc;
}

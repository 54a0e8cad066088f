#include "config.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <time.h>

#include "signature/init.h"
#include "signature/spc-asn1.h"

/*
 * Fetch what libcrypto 3 looks up on first use.  It keeps what it has found for
 * the life of the process.
 */
static int
fetch_all(void)
{
	static const char *const digests[] = { "SHA1", "SHA256", "SHA384",
		"SHA512" };
	static const char *const keys[][2] = { { "RSA", "RSA" },
		{ "EC", "ECDSA" } };
	EVP_PKEY *key = NULL;
	EVP_KEYMGMT *keymgmt;
	EVP_SIGNATURE *signature;
	OSSL_DECODER_CTX *decoder;
	EVP_MD *md;
	size_t i;

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		md = EVP_MD_fetch(NULL, digests[i], NULL);
		if (md == NULL)
			return -1;
		EVP_MD_free(md);
	}
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		keymgmt = EVP_KEYMGMT_fetch(NULL, keys[i][0], NULL);
		if (keymgmt == NULL)
			return -1;
		EVP_KEYMGMT_free(keymgmt);
		signature = EVP_SIGNATURE_fetch(NULL, keys[i][1], NULL);
		if (signature == NULL)
			return -1;
		EVP_SIGNATURE_free(signature);
	}
	/* For public keys.  Asking for one kind fetches all decoders. */
	decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "DER",
	    "SubjectPublicKeyInfo", "RSA", EVP_PKEY_PUBLIC_KEY, NULL, NULL);
	OSSL_DECODER_CTX_free(decoder);
	return decoder == NULL ? -1 : 0;
}

int
authenticode_init(struct ht_error *e)
{
	tzset();
	/*
	 * Error texts are loaded on the first error.  There is no cleanup at
	 * exit: it would cost as much as verifying a signature.
	 */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	            OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_ATEXIT,
	        NULL) != 1 ||
	    fetch_all() < 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "libcrypto cannot start");
	return 0;
}

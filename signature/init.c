#include "config.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <time.h>

#include "signature/init.h"
#include "signature/spc-asn1.h"

/*
 * What libcrypto 3 looks up when it is first used; what was found once it
 * keeps for as long as the process lives.
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
	/* For public keys; whichever is asked for, all are fetched. */
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
	 * The texts of errors are loaded when there is one, and tidying up all
	 * of libcrypto at exit would cost as much as a signature's check.
	 */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	            OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_ATEXIT,
	        NULL) != 1 ||
	    fetch_all() < 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "libcrypto cannot start");
	return 0;
}

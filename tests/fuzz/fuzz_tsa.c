/*
 * What timestamp servers answer, and what issuers say of revocation.  The first
 * byte says which: a reply, an OCSP response or a CRL.
 */

#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "fetch/revocation.h"
#include "signature/tsa.h"
#include "lib/base64.h"
#include "protocol/messages.h"
#include "signature/init.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Above the authority of the corpus; nobody has its key any more. */
static const char root[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBOjCB4KADAgECAgFkMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCFRTQSBSb290\n"
    "MCAXDTAwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjATMREwDwYDVQQDDAhU\n"
    "U0EgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKTOQ4AmW+C86Cy2Mn/B\n"
    "d3ILJG1HhlI2zsdG318EVrBLdTPbNbj8/kL1G2EtCnYHHPMwF7MTojIqZ/D8ZjpQ\n"
    "To2jIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMAoGCCqGSM49\n"
    "BAMCA0kAMEYCIQC2dQKsmOxzH7+Jf5miqGzXJcc66JRk/zmjuh3HG2gtxAIhAIJV\n"
    "nvX1nC3Gusc4Fpq+E1rq++8wTAxNd4CnLwaJApnU\n"
    "-----END CERTIFICATE-----\n";

/* Another issuer and a certificate, as DER; their keys are gone, too. */
static const char issuer[] =
    "MIIBgDCCASWgAwIBAgIUZjN76OsN6nFwfLncx1l/otM/nbkwCgYIKoZIzj0EAwIw"
    "DDEKMAgGA1UEAwwBaTAgFw0yNjExMzAyMzU1MjVaGA8yMTAwMTEwMjIzNTUyNVow"
    "DDEKMAgGA1UEAwwBaTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB40S5ziSnU0"
    "kJSe3WtbTa8/IlyG2uKTh6dGh5NZiLbHOC89Y0UzV58id2wrXLRakrr5lPVd43+L"
    "qM7de4KLt3WjYzBhMB0GA1UdDgQWBBSXLHTd5Avm6sradCfCpp5Hvoci3jAfBgNV"
    "HSMEGDAWgBSXLHTd5Avm6sradCfCpp5Hvoci3jAPBgNVHRMBAf8EBTADAQH/MA4G"
    "A1UdDwEB/wQEAwIBhjAKBggqhkjOPQQDAgNJADBGAiEAgOyGo6lYYAzO4H7rq13j"
    "OrttMkdh0nzJBV/iMZ7k+J4CIQD5aiZgpcapbIQyBsK+ExnfGrzPjK3raksMWsKM"
    "leJXUw==";

static const char certificate[] =
    "MIIBwDCCAWagAwIBAgIBEDAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAFpMCAXDTAw"
    "MDEwMTAwMDAwMFoYDzIwOTkxMjMxMDAwMDAwWjAMMQowCAYDVQQDDAFhMFkwEwYH"
    "KoZIzj0CAQYIKoZIzj0DAQcDQgAELKRZ2Y8At9hh4OZIoc1KOlQyEOJbO1h1Z/hE"
    "Ze2hDe+ZpFmLV1ASMtaWXHYmfWNK6zG1pAU+VWeTZlpqXipLkaOBtjCBszAJBgNV"
    "HRMEAjAAMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDAzAlBggr"
    "BgEFBQcBAQQZMBcwFQYIKwYBBQUHMAGGCWh0dHA6Ly9vLzAaBgNVHR8EEzARMA+g"
    "DaALhglodHRwOi8vYy8wHQYDVR0OBBYEFHP7ejlZG8J0dWzveKT5038BseHnMB8G"
    "A1UdIwQYMBaAFJcsdN3kC+bqytp0J8Kmnke+hyLeMAoGCCqGSM49BAMCA0gAMEUC"
    "IGUDNd7002g+BMRFR2jSNhtfVtkwMrFdtcJqJAQToI5gAiEAvRCwMu0vHxAVTzEK"
    "AwaSqOVbocOEVXsaS/Yf+GD53hk=";

/* What was asked, and when the answers of the corpus were of now. */
static const char stamped[] = "stamped";
#define NONCE 0xfedcba9876543210
#define STAMP_TIME 1600000000
#define REVOCATION_TIME 1800000000

static void
try_reply(struct cursor in)
{
	const struct tsa_rules rules = { .roots = cursor_over(root,
		                             sizeof(root) - 1),
		.not_after = INT64_MAX,
		.now = STAMP_TIME };
	struct timestamp_query query = { "sha256", { NULL, 32 }, NONCE };
	struct timestamp timestamp;
	struct cursor token;
	uint8_t imprint[32];
	int rc;

	(void)EVP_Digest(stamped, sizeof(stamped), imprint, NULL, EVP_sha256(),
	    NULL);
	query.imprint.p = imprint;
	rc = tsa_reply(in, &query, &rules, &token, &timestamp, NULL);
	if (rc == 0 &&
	    (token.left > TSA_TOKEN_MAX ||
	        timestamp.time < STAMP_TIME - TSA_CLOCK ||
	        timestamp.time > STAMP_TIME + TSA_CLOCK))
		abort();
	if (rc < 0 && (token.left != 0 || timestamp.authority != NULL))
		abort();
	timestamp_clear(&timestamp);
}

static int
decode(const char *text, struct buf *out)
{
	return base64_decode(cursor_over(text, strlen(text)), BASE64_STANDARD,
	    out);
}

static struct revocation *
known(void)
{
	struct buf one = BUF_INIT, other = BUF_INIT;
	struct revocation *r = NULL;

	if (decode(certificate, &one) == 0 && decode(issuer, &other) == 0)
		r = revocation_new(buf_cursor(&one), buf_cursor(&other), NULL);
	buf_free(&one);
	buf_free(&other);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct revocation *revocation;
	struct cursor in = cursor_over(p, n);
	int64_t revoked = 0;
	uint8_t first;
	int rc = -1;

	if (revocation == NULL &&
	    (authenticode_init(NULL) < 0 || (revocation = known()) == NULL))
		abort();
	if (cursor_u8(&in, &first) < 0)
		return 0;
	if (first == 0)
		try_reply(in);
	else if (first == 1)
		rc = revocation_ocsp(revocation, in, REVOCATION_TIME, &revoked,
		    NULL);
	else
		rc = revocation_crl(revocation, in, REVOCATION_TIME, &revoked,
		    NULL);
	if (rc < 0 && revoked != 0)
		abort();
	return 0;
}

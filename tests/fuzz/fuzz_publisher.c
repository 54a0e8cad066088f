/*
 * The Publisher of a package's manifest, over one input.  No text may be the
 * subject of two certificates whose subjects differ.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "signature/init.h"
#include "signature/publisher.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The subject is C=DE, ST=Nowhere, O=Example, "Inc", CN=One. */
static const char one[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB5DCCAYqgAwIBAgIUNX4M96jnt2t0IU5ZinR8i6wux6MwCgYIKoZIzj0EAwIw\n"
    "RjELMAkGA1UEBhMCREUxEDAOBgNVBAgMB05vd2hlcmUxFzAVBgNVBAoMDkV4YW1w\n"
    "bGUsICJJbmMiMQwwCgYDVQQDDANPbmUwIBcNMjYxMTMwMTcxMTA0WhgPMjEyNjEx\n"
    "MDYxNzExMDRaMEYxCzAJBgNVBAYTAkRFMRAwDgYDVQQIDAdOb3doZXJlMRcwFQYD\n"
    "VQQKDA5FeGFtcGxlLCAiSW5jIjEMMAoGA1UEAwwDT25lMFkwEwYHKoZIzj0CAQYI\n"
    "KoZIzj0DAQcDQgAEM7QeypIBwvb/Y5o5xh0ZaJxznu4mdWePJwXy/OU/C7FCSw25\n"
    "LA+KSIcYB63Z2HNpnOOeAbYWEqYwPYzFMjPtRKNUMFIwDAYDVR0TAQH/BAIwADAO\n"
    "BgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwMwHQYDVR0OBBYEFPtx\n"
    "r+bnBN3z1qzmjw3rixyoXfXrMAoGCCqGSM49BAMCA0gAMEUCIF4RBWiQkzAL4Z9e\n"
    "5KnmGQ2hnLONkWWRP4d4Px5B+hvlAiEA2KETvT116IjjoY0mKvOpYUK4fzyc7RsZ\n"
    "NY5oagVczE4=\n"
    "-----END CERTIFICATE-----\n";

/* The subject is DC=org, DC=example, OU=A+B. */
static const char two[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBzDCCAXKgAwIBAgIUOfQbrPfbpE/dooRi92XpC29plN0wCgYIKoZIzj0EAwIw\n"
    "OjETMBEGCgmSJomT8ixkARkWA29yZzEXMBUGCgmSJomT8ixkARkWB2V4YW1wbGUx\n"
    "CjAIBgNVBAsMAUEwIBcNMjYxMTMwMTcxMTA0WhgPMjEyNjExMDYxNzExMDRaMDox\n"
    "EzARBgoJkiaJk/IsZAEZFgNvcmcxFzAVBgoJkiaJk/IsZAEZFgdleGFtcGxlMQow\n"
    "CAYDVQQLDAFBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6y88y5ySL+PFZpij\n"
    "ltz020WgdRUjRLyjj/jW+ligw6smWL3Ui/OGiTkfIoxSNVMfCkPDwZSFO7nuaqmc\n"
    "k517gaNUMFIwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAww\n"
    "CgYIKwYBBQUHAwMwHQYDVR0OBBYEFHY//qPp2vvlPNU7LrNV3xXFJhmXMAoGCCqG\n"
    "SM49BAMCA0gAMEUCIE5PwpO5CqvdJ8U6+HrfdSnlYSaIZeuUBhHeb/QHzQxxAiEA\n"
    "ybX3xZe5vdcU8JPAtcXxmSVfdlZk5p9hAP31YdOm7Yk=\n"
    "-----END CERTIFICATE-----\n";

static struct chain *
load(const char *pem)
{
	struct chain *chain;
	struct ht_error e;

	if (authenticode_init(&e) < 0 ||
	    chain_load(pem, strlen(pem), &chain, &e) < 0)
		abort();
	return chain;
}

/* Whether the text is the subject.  Nothing else than yes and no may happen. */
static int
is_subject(const struct chain *chain, const char *text)
{
	struct ht_error e;
	int rc = publisher_check(chain, text, &e);

	if (rc != 0 && rc != HT_ERR_REFUSED && rc != HT_ERR_DATA)
		abort();
	return rc == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct chain *first, *second;
	char *text = malloc(n + 1);

	if (text == NULL)
		return 0;
	if (first == NULL) {
		first = load(one);
		second = load(two);
	}
	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	if (is_subject(first, text) && is_subject(second, text))
		abort();
	free(text);
	return 0;
}

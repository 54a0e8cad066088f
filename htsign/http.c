#include "config.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/http.h>

#include <string.h>

#include "htsign/http.h"
#include "signature/spc-asn1.h"

/* Where a url leads to. */
struct place {
	char *host;
	char *port;
	char *path; /* with the query behind it */
};

static void
place_clear(struct place *place)
{
	OPENSSL_free(place->host);
	OPENSSL_free(place->port);
	OPENSSL_free(place->path);
}

static int
read_url(const char *url, struct place *place, struct ht_error *e)
{
	static const char scheme[] = "http://";

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the URL must begin with http:// (what comes back is "
		    "signed, so it needs no https): %s",
		    url);
	if (OSSL_HTTP_parse_url(url, NULL, NULL, &place->host, &place->port,
	        NULL, &place->path, NULL, NULL) != 1)
		return spc_crypto_error(e, HT_ERR_USAGE, url);
	return 0;
}

static int
read_reply(BIO *reply, size_t max, struct buf *out, struct ht_error *e)
{
	uint8_t bytes[4096];
	size_t before = out->len;
	int n;

	while ((n = BIO_read(reply, bytes, sizeof(bytes))) > 0 &&
	    out->len - before <= max)
		buf_bytes(out, bytes, (size_t)n);
	if (out->len - before > max)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the reply is over %zu bytes", max);
	return buf_failed(out) < 0 ? ht_error_memory(e) : 0;
}

int
http_post(const char *url, const struct http_types *types,
    const struct buf *query, size_t max, struct buf *out, struct ht_error *e)
{
	struct place place = { NULL, NULL, NULL };
	BIO *request = NULL;
	BIO *reply = NULL;
	int rc = read_url(url, &place, e);

	if (rc < 0)
		goto out;
	request = BIO_new_mem_buf(query->data, (int)query->len);
	if (request == NULL) {
		rc = ht_error_memory(e);
		goto out;
	}
	/* It looks at the environment for a proxy if it is given none. */
	reply = OSSL_HTTP_transfer(NULL, place.host, place.port, place.path, 0,
	    NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, types->query, request,
	    types->reply, 1, max, HTTP_SECONDS, 0);
	if (reply == NULL)
		rc = spc_crypto_error(e, HT_ERR_UNAVAILABLE, url);
	else
		rc = read_reply(reply, max, out, e);
out:
	BIO_free(reply);
	BIO_free(request);
	place_clear(&place);
	return rc;
}

#include "config.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/http.h>

#include <string.h>
#include <time.h>

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

/*
 * Say why there is no answer.  The first error in the queue says what was wrong,
 * and those that follow what failed by it.  It is the system's, or the resolver's
 * with words as its data, or one of OpenSSL's, which may have data, too.
 */
static int
failed(const char *url, struct ht_error *e)
{
	const char *data = NULL;
	const char *text;
	int flags = 0;
	unsigned long first =
	    ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);

	text = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
	                               : ERR_reason_error_string(first);
	if (ERR_SYSTEM_ERROR(first) || (flags & ERR_TXT_STRING) == 0)
		data = NULL;
	if (data != NULL && ERR_GET_REASON(first) == ERR_R_SYS_LIB) {
		text = data;
		data = NULL;
	}
	(void)ht_error_set(e, HT_ERR_UNAVAILABLE, "%s: %s%s%s", url,
	    text != NULL ? text : "no answer", data != NULL ? ": " : "",
	    data != NULL ? data : "");
	ERR_clear_error();
	return HT_ERR_UNAVAILABLE;
}

/*
 * Connect to the place.  OSSL_HTTP_transfer would try again for all of its time
 * where nobody listens, or no such host is known, and then call it a timeout.
 */
static int
reach(const char *url, const struct place *place, BIO **out, struct ht_error *e)
{
	time_t until = time(NULL) + HTTP_SECONDS;
	BIO *bio = BIO_new_connect(place->host);
	int rc = 0;

	if (bio == NULL)
		return ht_error_memory(e);
	(void)BIO_set_conn_port(bio, place->port);
	(void)BIO_set_nbio(bio, 1);
	while (rc == 0 && BIO_do_connect(bio) <= 0) {
		if (!BIO_should_retry(bio))
			rc = failed(url, e);
		else if (BIO_wait(bio, until, 100) <= 0)
			rc = ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "%s: no connection in %d s", url, HTTP_SECONDS);
	}
	if (rc < 0)
		BIO_free_all(bio);
	else
		*out = bio;
	return rc;
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
	BIO *bio = NULL;
	int rc = read_url(url, &place, e);

	if (rc < 0)
		goto out;
	request = BIO_new_mem_buf(query->data, (int)query->len);
	if (request == NULL) {
		rc = ht_error_memory(e);
		goto out;
	}
	/* Without a connection it makes one to the environment's proxy. */
	if (OSSL_HTTP_adapt_proxy(NULL, NULL, place.host, 0) == NULL) {
		rc = reach(url, &place, &bio, e);
		if (rc < 0)
			goto out;
	}
	reply = OSSL_HTTP_transfer(NULL, place.host, place.port, place.path, 0,
	    NULL, NULL, bio, NULL, NULL, NULL, 0, NULL, types->query, request,
	    types->reply, 1, max, HTTP_SECONDS, 0);
	if (reply == NULL)
		rc = failed(url, e);
	else
		rc = read_reply(reply, max, out, e);
out:
	BIO_free(reply);
	BIO_free_all(bio);
	BIO_free(request);
	place_clear(&place);
	return rc;
}

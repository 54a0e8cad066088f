/*
 * HTTP for the command: one question, one answer.
 */

#ifndef HTSIGN_HTTP_H
#define HTSIGN_HTTP_H

#include "lib/buf.h"
#include "lib/error.h"

/* How long an exchange may take, in seconds. */
#define HTTP_SECONDS 30

struct http_types {
	const char *query; /* the media type of what is sent */
	const char *reply; /* and of what must come back */
};

/*
 * POST the query, and append the reply, one DER value of at most max bytes, to
 * out.  The url is http://HOST[:PORT][/PATH].  Redirections are not followed.
 * The environment's http_proxy and no_proxy count.
 *
 * HT_ERR_USAGE for another url.  HT_ERR_UNAVAILABLE if the server cannot be
 * reached, takes more than HTTP_SECONDS, or answers with anything else.
 * HT_ERR_INTERNAL without memory.
 */
int http_post(const char *url, const struct http_types *types,
    const struct buf *query, size_t max, struct buf *out, struct ht_error *e);

#endif

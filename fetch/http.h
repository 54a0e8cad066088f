/*
 * HTTP requests on our loop, by libcurl.  http and https only.  No redirect is
 * followed, nothing is taken from the environment, connections are kept.
 */

#ifndef FETCH_HTTP_H
#define FETCH_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/loop.h"

struct http;
struct http_request;

/*
 * Start libcurl, before the sandbox: it opens what it needs.  proxy is a URL, or
 * NULL for none; borrowed, as loop is.  NULL on error, HT_ERR_INTERNAL.
 * http_free cancels what is under way.
 */
struct http *http_new(struct loop *loop, const char *proxy, struct ht_error *e);
void http_free(struct http *h); /* NULL is fine */

struct http_ask {
	const char *url;
	const char *type;   /* of the body; NULL: GET, without a body */
	struct cursor body; /* copied */
	const char *accept; /* the media type of the reply; NULL: any */
	const char *key;    /* for the header x-apikey; or NULL */
	int file;      /* to upload as the field "file" of a form; or -1.  The
	                  caller keeps it, until the end */
	uint64_t size; /* of the file, in bytes */
	size_t most;   /* of the reply, in bytes */
	uint64_t timeout; /* for all of it, in milliseconds */
};

struct http_reply {
	unsigned int status; /* 0: no answer came */
	uint64_t retry;      /* of Retry-After, in milliseconds, or 0 */
	struct cursor body;  /* if code is 0; valid for the call */
};

/*
 * Ask, and call fn once when it has ended.  *e of that call has code 0 if the
 * answer is 200, of the media type and whole.  Otherwise HT_ERR_UNAVAILABLE and
 * why.  fn is not called before http_ask has returned, or after http_cancel.
 * NULL on error, HT_ERR_INTERNAL.
 */
typedef void http_done_fn(void *cookie, const struct http_reply *reply,
    const struct ht_error *e);
struct http_request *http_ask(struct http *h, const struct http_ask *ask,
    http_done_fn *fn, void *cookie, struct ht_error *e);
void http_cancel(struct http_request *r); /* NULL is fine */

#endif

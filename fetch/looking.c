#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "fetch/looking.h"
#include "fetch/revocation.h"
#include "lib/log.h"

struct look {
	LIST_ENTRY(look) entry;
	struct looking *all;
	uint32_t tag;
	struct revocation *revocation;
	char *url; /* that is being asked */
	struct http_request *request;
	char text[PROTOCOL_TEXT]; /* why OCSP said nothing, or "" */
};

struct looking {
	struct http *http;
	looking_answer_fn *fn;
	void *cookie;
	LIST_HEAD(look_list, look) looks;
	size_t n;
};

static void
forget(struct look *t)
{
	LIST_REMOVE(t, entry);
	t->all->n--;
	http_cancel(t->request);
	revocation_free(t->revocation);
	free(t->url);
	free(t);
}

static void
answer(struct looking *all, uint32_t tag, const char *verdict, const char *text,
    int64_t revoked)
{
	struct protocol_looked looked;

	memset(&looked, 0, sizeof(looked));
	(void)snprintf(looked.verdict, sizeof(looked.verdict), "%s", verdict);
	(void)log_escape(looked.text, sizeof(looked.text), text, strlen(text));
	looked.revoked = (uint64_t)revoked;
	log_debug("a certificate is %s: %s", verdict, looked.text);
	all->fn(all->cookie, tag, &looked);
}

/* It has ended; text says who said so, or why nobody did. */
static void
end(struct look *t, const char *verdict, const char *text, int64_t revoked)
{
	struct looking *all = t->all;
	uint32_t tag = t->tag;
	struct buf copy = BUF_INIT;

	buf_format(&copy, "%s%s%s", t->text, t->text[0] != '\0' ? "; " : "",
	    text);
	buf_u8(&copy, 0);
	forget(t);
	answer(all, tag, verdict,
	    buf_failed(&copy) == 0 ? (const char *)copy.data : "", revoked);
	buf_free(&copy);
}

/* What an answer proves. */
static void
conclude(struct look *t, int64_t revoked)
{
	char text[PROTOCOL_TEXT];

	(void)snprintf(text, sizeof(text), "%s", t->url);
	end(t, revoked != 0 ? PROTOCOL_LOOKED_REVOKED : PROTOCOL_LOOKED_GOOD,
	    text, revoked);
}

/* http_done_fn */
static void
crl_came(void *cookie, const struct http_reply *reply, const struct ht_error *e)
{
	struct look *t = cookie;
	struct ht_error why = *e;
	int64_t revoked = 0;

	t->request = NULL;
	if (why.code == 0)
		(void)revocation_crl(t->revocation, reply->body, time(NULL),
		    &revoked, &why);
	if (why.code != 0)
		end(t, PROTOCOL_LOOKED_UNKNOWN, why.text, 0);
	else
		conclude(t, revoked);
}

static void
ask_crl(struct look *t)
{
	struct http_ask what = { .file = -1,
		.most = REVOCATION_CRL_MAX,
		.timeout = LOOKING_CRL_PATIENCE };
	struct ht_error e;

	free(t->url);
	t->url = revocation_crl_url(t->revocation);
	if (t->url == NULL) {
		end(t, PROTOCOL_LOOKED_UNKNOWN, "it names no CRL", 0);
		return;
	}
	what.url = t->url;
	t->request = http_ask(t->all->http, &what, crl_came, t, &e);
	if (t->request == NULL)
		end(t, PROTOCOL_LOOKED_UNKNOWN, e.text, 0);
}

/* http_done_fn */
static void
ocsp_came(void *cookie, const struct http_reply *reply,
    const struct ht_error *e)
{
	struct look *t = cookie;
	struct ht_error why = *e;
	int64_t revoked = 0;

	t->request = NULL;
	if (why.code == 0)
		(void)revocation_ocsp(t->revocation, reply->body, time(NULL),
		    &revoked, &why);
	if (why.code == 0) {
		conclude(t, revoked);
		return;
	}
	(void)snprintf(t->text, sizeof(t->text), "%s", why.text);
	ask_crl(t);
}

static void
ask_ocsp(struct look *t)
{
	struct http_ask what = { .file = -1,
		.type = REVOCATION_QUERY_TYPE,
		.accept = REVOCATION_OCSP_TYPE,
		.most = REVOCATION_OCSP_MAX,
		.timeout = LOOKING_OCSP_PATIENCE };
	struct buf query = BUF_INIT;
	struct ht_error e;
	int rc;

	t->url = revocation_ocsp_url(t->revocation);
	if (t->url == NULL) {
		ask_crl(t);
		return;
	}
	rc = revocation_query(t->revocation, &query, &e);
	if (rc == 0) {
		what.url = t->url;
		what.body = buf_cursor(&query);
		t->request = http_ask(t->all->http, &what, ocsp_came, t, &e);
	}
	buf_free(&query);
	if (t->request == NULL)
		end(t, PROTOCOL_LOOKED_UNKNOWN, e.text, 0);
}

void
looking_begin(struct looking *l, uint32_t tag, const struct protocol_look *what)
{
	struct look *t = NULL;
	struct ht_error e;

	if (l->n >= PROTOCOL_LOOKS)
		(void)ht_error_set(&e, HT_ERR_TEMPORARY, "too many at a time");
	else if ((t = calloc(1, sizeof(*t))) == NULL)
		(void)ht_error_memory(&e);
	else
		t->revocation =
		    revocation_new(what->certificate, what->issuer, &e);
	if (t == NULL || t->revocation == NULL) {
		free(t);
		answer(l, tag, PROTOCOL_LOOKED_UNKNOWN, e.text, 0);
		return;
	}
	t->all = l;
	t->tag = tag;
	LIST_INSERT_HEAD(&l->looks, t, entry);
	l->n++;
	ask_ocsp(t);
}

void
looking_cancel_all(struct looking *l)
{
	while (!LIST_EMPTY(&l->looks))
		forget(LIST_FIRST(&l->looks));
}

struct looking *
looking_new(struct http *http, looking_answer_fn *fn, void *cookie)
{
	struct looking *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->http = http;
	l->fn = fn;
	l->cookie = cookie;
	LIST_INIT(&l->looks);
	return l;
}

void
looking_free(struct looking *l)
{
	if (l == NULL)
		return;
	looking_cancel_all(l);
	free(l);
}

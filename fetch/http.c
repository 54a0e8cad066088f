#include "config.h"

#include <curl/curl.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <sys/queue.h>

#include "fetch/http.h"

/* Connections that are kept; and the headers of one reply, in bytes. */
#define KEPT 32L
#define HEADERS_MAX ((size_t)64 << 10)

struct http_request {
	LIST_ENTRY(http_request) entry;
	struct http *http;
	CURL *curl;
	struct curl_slist *headers;
	curl_mime *form; /* with a file, or NULL */
	int file;
	off_t sent;
	const char *accept;
	struct buf reply; /* its limit is the largest reply */
	size_t head;      /* bytes of headers so far */
	char why[CURL_ERROR_SIZE];
	http_done_fn *fn;
	void *cookie;
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	const char *proxy; /* "": none */
	LIST_HEAD(request_list, http_request) requests;
};

/* --- libcurl and the loop ---------------------------------------------- */

static void
forget(struct http_request *r)
{
	LIST_REMOVE(r, entry);
	(void)curl_multi_remove_handle(r->http->multi, r->curl);
	curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	curl_mime_free(r->form);
	buf_free(&r->reply);
	free(r);
}

/* Whether the reply is what was asked for. */
static int
judge(struct http_request *r, CURLcode code, unsigned int status,
    struct ht_error *e)
{
	const char *type = NULL;
	size_t n;

	if (r->head > HEADERS_MAX || buf_failed(&r->reply) < 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the answer is too long");
	if (code != CURLE_OK)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "%s",
		    r->why[0] != '\0' ? r->why : curl_easy_strerror(code));
	if (status != 200)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "HTTP status %u",
		    status);
	if (r->accept == NULL)
		return 0;
	(void)curl_easy_getinfo(r->curl, CURLINFO_CONTENT_TYPE, &type);
	n = type == NULL ? 0 : strcspn(type, "; ");
	if (n != strlen(r->accept) || strncasecmp(type, r->accept, n) != 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "its content type is %s", type == NULL ? "none" : type);
	return 0;
}

static void
done(struct http_request *r, CURLcode code)
{
	struct http_reply reply = { 0, 0, { NULL, 0 } };
	curl_off_t retry = 0;
	struct ht_error e;
	long status = 0;

	ht_error_clear(&e);
	(void)curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(r->curl, CURLINFO_RETRY_AFTER, &retry);
	reply.status = (unsigned int)status;
	/* A day says as much as any longer time. */
	if (retry > 0)
		reply.retry = retry < 86400 ? (uint64_t)retry * 1000 : 86400000;
	if (judge(r, code, reply.status, &e) == 0)
		reply.body = buf_cursor(&r->reply);
	r->fn(r->cookie, &reply, &e);
}

/* Call those back that have ended; they may ask again, or cancel others. */
static void
finish(struct http *h)
{
	struct http_request *r;
	const CURLMsg *m;
	CURLcode code;
	char *mine;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
		    &mine);
		r = (struct http_request *)(void *)mine;
		done(r, code);
		forget(r);
	}
}

static void
timed(void *cookie)
{
	struct http *h = cookie;
	int running;

	h->timer = NULL;
	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0,
	    &running);
	finish(h);
}

struct watched {
	struct http *http;
	struct loop_watch *watch;
	curl_socket_t fd;
};

static void
ready(void *cookie, short revents)
{
	struct watched *w = cookie;
	struct http *h = w->http;
	int what = 0, running;

	if ((revents & POLLIN) != 0)
		what |= CURL_CSELECT_IN;
	if ((revents & POLLOUT) != 0)
		what |= CURL_CSELECT_OUT;
	if ((revents & (POLLERR | POLLHUP)) != 0)
		what |= CURL_CSELECT_IN | CURL_CSELECT_OUT | CURL_CSELECT_ERR;
	/* w may be gone after this. */
	(void)curl_multi_socket_action(h->multi, w->fd, what, &running);
	finish(h);
}

static short
events(int what)
{
	short events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= POLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= POLLOUT;
	return events;
}

/* CURLMOPT_SOCKETFUNCTION */
static int
watch(CURL *curl, curl_socket_t fd, int what, void *cookie, void *mine)
{
	struct http *h = cookie;
	struct watched *w = mine;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			loop_watch_remove(w->watch);
		free(w);
		return 0;
	}
	if (w != NULL) {
		loop_watch_events(w->watch, events(what));
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -1;
	w->http = h;
	w->fd = fd;
	w->watch = loop_watch_add(h->loop, fd, events(what), ready, w);
	if (w->watch == NULL ||
	    curl_multi_assign(h->multi, fd, w) != CURLM_OK) {
		loop_watch_remove(w->watch);
		free(w);
		return -1;
	}
	return 0;
}

/* CURLMOPT_TIMERFUNCTION */
static int
set_timer(CURLM *multi, long ms, void *cookie)
{
	struct http *h = cookie;

	(void)multi;
	loop_timer_remove(h->timer);
	h->timer = NULL;
	if (ms < 0)
		return 0;
	h->timer = loop_timer_add(h->loop, (uint64_t)ms, timed, h);
	return h->timer == NULL ? -1 : 0;
}

/* --- one request ------------------------------------------------------- */

/* CURLOPT_WRITEFUNCTION: what is too much ends the request. */
static size_t
keep(char *p, size_t size, size_t n, void *cookie)
{
	struct http_request *r = cookie;

	buf_bytes(&r->reply, p, size * n);
	return buf_failed(&r->reply) < 0 ? 0 : size * n;
}

/* CURLOPT_HEADERFUNCTION */
static size_t
count(char *p, size_t size, size_t n, void *cookie)
{
	struct http_request *r = cookie;

	(void)p;
	r->head += size * n;
	return r->head > HEADERS_MAX ? 0 : size * n;
}

static int
add_header(struct http_request *r, const char *name, const char *value)
{
	struct buf line = BUF_INIT;
	struct curl_slist *longer = NULL;

	buf_format(&line, "%s: %s", name, value);
	buf_u8(&line, 0);
	if (buf_failed(&line) == 0)
		longer = curl_slist_append(r->headers, (char *)line.data);
	buf_free(&line);
	if (longer == NULL)
		return -1;
	r->headers = longer;
	return 0;
}

/* curl_read_callback and curl_seek_callback of a file */
static size_t
read_file(char *p, size_t size, size_t n, void *cookie)
{
	struct http_request *r = cookie;
	ssize_t did = pread(r->file, p, size * n, r->sent);

	if (did < 0)
		return CURL_READFUNC_ABORT;
	r->sent += did;
	return (size_t)did;
}

static int
seek_file(void *cookie, curl_off_t offset, int origin)
{
	struct http_request *r = cookie;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	r->sent = offset;
	return CURL_SEEKFUNC_OK;
}

static bool
set_form(struct http_request *r, const struct http_ask *ask)
{
	curl_mimepart *part;

	r->file = ask->file;
	r->form = curl_mime_init(r->curl);
	part = r->form == NULL ? NULL : curl_mime_addpart(r->form);
	return part != NULL && curl_mime_name(part, "file") == CURLE_OK &&
	    curl_mime_filename(part, "file") == CURLE_OK &&
	    curl_mime_data_cb(part, (curl_off_t)ask->size, read_file, seek_file,
	        NULL, r) == CURLE_OK &&
	    curl_easy_setopt(r->curl, CURLOPT_MIMEPOST, r->form) == CURLE_OK;
}

static bool
set_body(struct http_request *r, const struct http_ask *ask)
{
	if (ask->file >= 0)
		return set_form(r, ask);
	if (ask->type == NULL)
		return true;
	return add_header(r, "Content-Type", ask->type) == 0 &&
	    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE,
	        (curl_off_t)ask->body.left) == CURLE_OK &&
	    curl_easy_setopt(r->curl, CURLOPT_COPYPOSTFIELDS, ask->body.p) ==
	    CURLE_OK;
}

#define SET(option, value)                                                     \
	(curl_easy_setopt(r->curl, CURLOPT_##option, value) == CURLE_OK)

static bool
set_up(struct http_request *r, const struct http_ask *ask)
{
	if (r->curl == NULL || !set_body(r, ask) ||
	    (ask->key != NULL && add_header(r, "x-apikey", ask->key) < 0) ||
	    (ask->accept != NULL && add_header(r, "Accept", ask->accept) < 0))
		return false;
	return SET(URL, ask->url) && SET(PROTOCOLS_STR, "http,https") &&
	    SET(HTTPHEADER, r->headers) && SET(PRIVATE, r) &&
	    SET(ERRORBUFFER, r->why) && SET(FOLLOWLOCATION, 0L) &&
	    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	    SET(USERAGENT, "htsign/" PACKAGE_VERSION) &&
	    /* "" keeps libcurl from looking into the environment. */
	    SET(PROXY, r->http->proxy) && SET(NOPROXY, "") &&
	    SET(WRITEFUNCTION, keep) && SET(WRITEDATA, r) &&
	    SET(HEADERFUNCTION, count) && SET(HEADERDATA, r) &&
	    SET(TIMEOUT_MS, (long)ask->timeout) && SET(NOSIGNAL, 1L) &&
	    /* A resolver that hangs is not waited for. */
	    SET(QUICK_EXIT, 1L);
}

struct http_request *
http_ask(struct http *h, const struct http_ask *ask, http_done_fn *fn,
    void *cookie, struct ht_error *e)
{
	struct http_request *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	r->http = h;
	r->accept = ask->accept;
	r->reply.limit = ask->most;
	r->fn = fn;
	r->cookie = cookie;
	r->curl = curl_easy_init();
	LIST_INSERT_HEAD(&h->requests, r, entry);
	if (set_up(r, ask) &&
	    curl_multi_add_handle(h->multi, r->curl) == CURLM_OK)
		return r;
	forget(r);
	(void)ht_error_set(e, HT_ERR_INTERNAL, "%s: cannot be asked", ask->url);
	return NULL;
}

void
http_cancel(struct http_request *r)
{
	if (r != NULL)
		forget(r);
}

/* --- all of them ------------------------------------------------------- */

struct http *
http_new(struct loop *loop, const char *proxy, struct ht_error *e)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL || curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK ||
	    (h->multi = curl_multi_init()) == NULL) {
		free(h);
		(void)ht_error_set(e, HT_ERR_INTERNAL, "libcurl cannot start");
		return NULL;
	}
	h->loop = loop;
	h->proxy = proxy == NULL ? "" : proxy;
	LIST_INIT(&h->requests);
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch);
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, KEPT);
	return h;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	while (!LIST_EMPTY(&h->requests))
		forget(LIST_FIRST(&h->requests));
	(void)curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	loop_timer_remove(h->timer);
	free(h);
}

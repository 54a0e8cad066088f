#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "protocol/keyd-client.h"

/* One request is open at a time, so one tag is enough. */
#define TAG 1

/*
 * A keyd that is started again has its sockets back within STARTING
 * milliseconds, so who connects tries again each PAUSE until then.
 */
#define STARTING 5000
#define PAUSE 50

int
keyd_client_bound(struct keyd_client *k, int fd, enum protocol_kind kind,
    struct ht_error *e)
{
	memset(k, 0, sizeof(*k));
	k->pipe = -1;
	return protocol_open(&k->link, fd, kind, true, e);
}

/* connect(2), or -1 with errno. */
static int
connect_soon(int fd, const struct sockaddr_un *un)
{
	int waited = 0;

	while (connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0) {
		if ((errno != ECONNREFUSED && errno != ENOENT) ||
		    waited >= STARTING)
			return -1;
		(void)poll(NULL, 0, PAUSE);
		waited += PAUSE;
	}
	return 0;
}

int
keyd_client_connect(struct keyd_client *k, const char *path,
    enum protocol_kind kind, struct ht_error *e)
{
	struct sockaddr_un un;
	int fd;

	memset(k, 0, sizeof(*k));
	k->pipe = -1;
	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un.sun_path))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%s: too long for a socket", path);
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ht_error_errno(e, "socket");
	if (connect_soon(fd, &un) < 0) {
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "htsign-keyd does not answer: %s", strerror(errno));
		(void)close(fd);
		return HT_ERR_UNAVAILABLE;
	}
	return keyd_client_bound(k, fd, kind, e);
}

/* The input has come to its end: htsign-pump is told so. */
static void
end_pipe(struct keyd_client *k)
{
	if (k->pipe >= 0)
		(void)close(k->pipe);
	k->pipe = -1;
}

void
keyd_client_close(struct keyd_client *k)
{
	end_pipe(k);
	if (k->link.channel != NULL)
		protocol_close(&k->link);
	buf_free(&k->own);
	buf_free(&k->roots);
}

int
keyd_client_fd(const struct keyd_client *k)
{
	return msg_channel_fd(k->link.channel);
}

/* The connection failed.  Never HT_ERR_DATA: the file is not to blame. */
static int
lost(int rc, struct ht_error *e)
{
	struct ht_error why = *e;

	return ht_error_set(e,
	    rc == HT_ERR_UNAVAILABLE ? HT_ERR_UNAVAILABLE : HT_ERR_INTERNAL,
	    "htsign-keyd: %s", why.text);
}

/* keyd has refused: its refusal becomes the error. */
static int
refused(struct keyd_client *k, const struct protocol_refuse *r,
    struct ht_error *e)
{
	int code = HT_ERR_INTERNAL;

	if (r->status >= 64 && r->status <= 78)
		code = -(int)r->status;
	k->refused = true;
	k->refusal = *r;
	if (r->number != 0)
		k->number = r->number;
	return ht_error_set(e, code, "%s", r->text);
}

/*
 * Send the whole queue.  If that fails, look for a REFUSE: keyd may have sent
 * one before it closed the connection.
 */
static int
drain(struct keyd_client *k, struct ht_error *e)
{
	int rc = msg_drain(k->link.channel, KEYD_CLIENT_TIMEOUT, e);
	struct ht_error why;
	union protocol_body body;
	struct msg m;

	if (rc == 0)
		return 0;
	why = *e;
	while (protocol_next(&k->link, &m, &body, e) == 1) {
		if (m.type == PROTOCOL_REFUSE)
			return refused(k, &body.refuse, e);
		msg_close_fds(&m);
	}
	*e = why;
	return lost(rc, e);
}

static int
send_message(struct keyd_client *k, enum protocol_type type, const void *body,
    struct ht_error *e)
{
	int rc = protocol_queue(&k->link, type, TAG, body, NULL, 0, e);

	return rc < 0 ? lost(rc, e) : drain(k, e);
}

/*
 * Wait for the next message.  A REFUSE becomes an error.  The rules of the link
 * leave at most two other types, which the caller tells apart.
 */
static int
await(struct keyd_client *k, struct msg *m, union protocol_body *body,
    struct ht_error *e)
{
	int rc = protocol_wait(&k->link, m, body, KEYD_CLIENT_TIMEOUT, e);

	if (rc < 0)
		return lost(rc, e);
	if (m->type == PROTOCOL_REFUSE)
		return refused(k, &body->refuse, e);
	return 0;
}

/* Whether nothing comes from keyd within KEYD_CLIENT_PATIENCE. */
static bool
is_slow(const struct keyd_client *k)
{
	struct pollfd in = { keyd_client_fd(k), POLLIN, 0 };

	return poll(&in, 1, KEYD_CLIENT_PATIENCE) == 0;
}

/* Wait for a message of this type.  Only WAITs come before it. */
static int
await_type(struct keyd_client *k, enum protocol_type type, struct msg *m,
    union protocol_body *body, struct ht_error *e)
{
	int rc;

	while ((rc = await(k, m, body, e)) == 0 && m->type != type)
		if (k->waiting != NULL && is_slow(k))
			k->waiting(k->cookie, &body->wait);
	return rc;
}

int
keyd_client_greet(struct keyd_client *k, const struct protocol_hello *hello,
    struct protocol_welcome *welcome, struct buf *profiles, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(k, PROTOCOL_HELLO, hello, e);
	if (rc == 0)
		rc = await(k, &m, &body, e);
	if (rc < 0)
		return rc;
	*welcome = body.welcome;
	buf_bytes(profiles, welcome->profiles.p, welcome->profiles.left);
	if (buf_failed(profiles) < 0)
		return ht_error_memory(e);
	welcome->profiles = buf_cursor(profiles);
	return 0;
}

int
keyd_client_ticket(struct keyd_client *k, const struct protocol_ask *ask,
    struct protocol_ticket_for *ticket, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(k, PROTOCOL_ASK, ask, e);
	if (rc == 0)
		rc = await(k, &m, &body, e);
	if (rc == 0)
		*ticket = body.ticket_for;
	return rc;
}

/* Copy bytes to memory, since the next frame overwrites this one. */
static int
keep(struct buf *memory, struct cursor *bytes, size_t most)
{
	buf_reset(memory);
	if (bytes->left > most)
		return HT_ERR_INTERNAL;
	buf_bytes(memory, bytes->p, bytes->left);
	*bytes = buf_cursor(memory);
	return buf_failed(memory);
}

int
keyd_client_begin(struct keyd_client *k, const struct protocol_begin *begin,
    struct protocol_go *go, int *spool, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	*spool = -1;
	end_pipe(k);
	rc = send_message(k, PROTOCOL_BEGIN, begin, e);
	if (rc == 0)
		rc = await_type(k, PROTOCOL_GO, &m, &body, e);
	if (rc < 0)
		return rc;
	*go = body.go;
	k->number = go->number;
	if (go->own.left % PROTOCOL_FINGERPRINT != 0 ||
	    keep(&k->own, &go->own, PROTOCOL_OWN_MAX) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "fingerprints of %zu bytes", go->own.left);
	if (rc < 0) {
		msg_close_fds(&m);
		return rc;
	}
	*spool = m.fd[0];
	if (m.nfds > 1)
		k->pipe = m.fd[1];
	return 0;
}

int
keyd_client_check(struct keyd_client *k, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc = protocol_next(&k->link, &m, &body, e);

	if (rc == 0)
		return 0;
	if (rc < 0)
		return lost(rc, e);
	if (m.type == PROTOCOL_REFUSE)
		return refused(k, &body.refuse, e);
	msg_close_fds(&m);
	return ht_error_set(e, HT_ERR_INTERNAL, "%s came out of turn",
	    protocol_name(m.type));
}

/* Receive PARTs until out has length more bytes. */
static int
collect(struct keyd_client *k, uint32_t length, struct buf *out,
    struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	size_t have = 0;
	int rc;

	if (length == 0 || length > PROTOCOL_PKCS7_MAX)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "a signature of %u bytes", (unsigned int)length);
	buf_reserve(out, length);
	while (have < length) {
		rc = await(k, &m, &body, e);
		if (rc < 0)
			return rc;
		if (body.part.bytes.left == 0 ||
		    body.part.bytes.left > length - have)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "a part that does not fit the signature");
		buf_bytes(out, body.part.bytes.p, body.part.bytes.left);
		have += body.part.bytes.left;
	}
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

/* Send one PART at a time: a queue with all of them would be large. */
static int
send_parts(struct keyd_client *k, enum protocol_type type, const void *body,
    struct cursor bytes, struct ht_error *e)
{
	int rc = send_message(k, type, body, e);

	while (rc == 0 && bytes.left > 0) {
		rc = protocol_part(&k->link, TAG, &bytes, e);
		rc = rc < 0 ? lost(rc, e) : drain(k, e);
	}
	return rc;
}

int
keyd_client_content(struct keyd_client *k, struct protocol_content *content,
    struct cursor der, struct buf *pkcs7, struct protocol_signed *said,
    struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	if (der.left == 0 ||
	    der.left > protocol_content_max(content->kind, content->format))
		return ht_error_set(e, HT_ERR_REFUSED,
		    "%zu bytes of content are more than can be signed",
		    der.left);
	content->length = (uint32_t)der.left;
	end_pipe(k);
	rc = send_parts(k, PROTOCOL_CONTENT, content, der, e);
	if (rc == 0)
		rc = await_type(k, PROTOCOL_SIGNED, &m, &body, e);
	if (rc < 0)
		return rc;
	*said = body.signed_;
	if (keep(&k->roots, &said->roots, PROTOCOL_ROOTS_MAX) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "roots of %zu bytes",
		    said->roots.left);
	return collect(k, said->length, pkcs7, e);
}

int
keyd_client_output(struct keyd_client *k, struct protocol_output *output,
    struct cursor recipe, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	output->length = (uint32_t)recipe.left;
	rc = send_parts(k, PROTOCOL_OUTPUT, output, recipe, e);
	if (rc == 0)
		rc = await(k, &m, &body, e);
	return rc;
}

int
keyd_client_kept(struct keyd_client *k, const struct protocol_kept *kept,
    struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	end_pipe(k);
	rc = send_message(k, PROTOCOL_KEPT, kept, e);
	if (rc == 0)
		rc = await_type(k, PROTOCOL_RELEASE, &m, &body, e);
	return rc;
}

int
keyd_client_delivered(struct keyd_client *k, uint64_t bytes, struct ht_error *e)
{
	struct protocol_delivered delivered = { bytes };

	return send_message(k, PROTOCOL_DELIVERED, &delivered, e);
}

/* Whether htsign-pump has left the pipe.  keyd then refuses by itself. */
static bool
is_pump_gone(const struct keyd_client *k)
{
	struct pollfd out = { k->pipe, POLLOUT, 0 };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int
keyd_client_fail(struct keyd_client *k, const struct ht_error *why,
    const char *word, struct ht_error *e)
{
	struct protocol_fail fail;
	union protocol_body body;
	struct msg m;
	int rc;

	if (k->refused || k->link.channel == NULL)
		return 0;
	memset(&fail, 0, sizeof(fail));
	fail.status = (uint32_t)-why->code;
	fail.offset = why->offset;
	memcpy(fail.code, word, strnlen(word, sizeof(fail.code) - 1));
	memcpy(fail.text, why->text, strnlen(why->text, sizeof(fail.text) - 1));
	rc = is_pump_gone(k) ? 0 : send_message(k, PROTOCOL_FAIL, &fail, e);
	/* If a SIGNED crosses our FAIL, await fails: the rules forbid it. */
	if (rc == 0)
		rc = await(k, &m, &body, e);
	if (rc == 0)
		k->number = body.number.number;
	return rc;
}

/* As await, or an error of the caller's pause. */
static int
await_unless(struct keyd_client *k, struct msg *m, union protocol_body *body,
    struct ht_error *e)
{
	int rc;

	if (k->pause == NULL)
		return await(k, m, body, e);
	while ((rc = protocol_next(&k->link, m, body, e)) == 0) {
		rc = k->pause(keyd_client_fd(k), e);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return lost(rc, e);
	return m->type == PROTOCOL_REFUSE ? refused(k, &body->refuse, e) : 0;
}

static int
stray_file(struct msg *m, struct ht_error *e)
{
	msg_close_fds(m);
	return ht_error_set(e, HT_ERR_INTERNAL, "a file came out of turn");
}

/* The next message of htsign-reader, or an error of the caller's pause. */
static int
await_answer(const struct keyd_client *k, struct protocol_link *link,
    struct msg *m, union protocol_body *body, struct ht_error *e)
{
	int rc, paused = 0;

	while ((rc = protocol_next(link, m, body, e)) == 0 && paused == 0) {
		if (k->pause != NULL)
			paused = k->pause(msg_channel_fd(link->channel), e);
		else if ((rc = protocol_wait(link, m, body, -1, e)) != 0)
			break;
	}
	if (paused < 0)
		return paused;
	return rc == 1 ? 0
	               : ht_error_set(e, HT_ERR_UNAVAILABLE,
	                     "htsign-reader has ended: try again");
}

/*
 * htsign-reader answers over fd, which is taken over.  It stops when this end is
 * closed.
 */
static int
read_answer(const struct keyd_client *k, int fd, keyd_client_print_fn *print,
    void *cookie, struct protocol_done *done, struct ht_error *e)
{
	union protocol_body body;
	struct protocol_link link;
	struct msg m;
	int rc = protocol_open(&link, fd, PROTOCOL_LINK_ANSWER, false, e);

	if (rc < 0)
		return rc;
	while ((rc = await_answer(k, &link, &m, &body, e)) == 0 &&
	    m.type == PROTOCOL_PRINT)
		if ((rc = print(cookie, body.print.bytes, e)) < 0)
			break;
	if (rc == 0)
		*done = body.done;
	protocol_close(&link);
	return rc;
}

int
keyd_client_command(struct keyd_client *k, const struct buf *words,
    struct cursor input, keyd_client_print_fn *print, void *cookie,
    struct protocol_done *done, struct ht_error *e)
{
	struct protocol_command command = { buf_cursor(words), input };
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(k, PROTOCOL_COMMAND, &command, e);
	while (rc == 0) {
		rc = await_unless(k, &m, &body, e);
		if (rc == 0 && m.type == PROTOCOL_READER)
			return read_answer(k, m.fd[0], print, cookie, done, e);
		if (rc < 0 || m.type == PROTOCOL_DONE)
			break;
		if (m.type == PROTOCOL_FILE && k->file != NULL)
			rc = k->file(cookie, m.fd[0], &body.file, e);
		else if (m.type == PROTOCOL_FILE)
			rc = stray_file(&m, e);
		else
			rc = print(cookie, body.print.bytes, e);
	}
	if (rc == 0)
		*done = body.done;
	return rc;
}

bool
keyd_client_busy(const struct keyd_client *k)
{
	return k->link.state == PROTOCOL_BUSY;
}

int
keyd_client_rest(struct keyd_client *k, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	while ((rc = protocol_next(&k->link, &m, &body, e)) == 1) {
		msg_close_fds(&m);
		if (m.type == PROTOCOL_REFUSE)
			return refused(k, &body.refuse, e);
	}
	return rc < 0 ? lost(rc, e) : 0;
}

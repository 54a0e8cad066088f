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

int
agent_bound(struct agent *a, int fd, enum protocol_kind kind,
    struct ht_error *e)
{
	memset(a, 0, sizeof(*a));
	return protocol_open(&a->link, fd, kind, true, e);
}

int
agent_connect(struct agent *a, const char *path, enum protocol_kind kind,
    struct ht_error *e)
{
	struct sockaddr_un un;
	int fd;

	memset(a, 0, sizeof(*a));
	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un.sun_path))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%s: too long for a socket", path);
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ht_error_errno(e, "socket");
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "htsign-keyd does not answer: %s", strerror(errno));
		(void)close(fd);
		return HT_ERR_UNAVAILABLE;
	}
	return agent_bound(a, fd, kind, e);
}

void
agent_close(struct agent *a)
{
	if (a->link.channel != NULL)
		protocol_close(&a->link);
	buf_free(&a->own);
}

int
agent_fd(const struct agent *a)
{
	return msg_channel_fd(a->link.channel);
}

/* The connection failed: whatever the reason, the file is not to blame. */
static int
lost(int rc, struct ht_error *e)
{
	struct ht_error why = *e;

	return ht_error_set(e,
	    rc == HT_ERR_UNAVAILABLE ? HT_ERR_UNAVAILABLE : HT_ERR_INTERNAL,
	    "htsign-keyd: %s", why.text);
}

/* keyd has refused: make its word the error. */
static int
refused(struct agent *a, const struct protocol_refuse *r, struct ht_error *e)
{
	int code = HT_ERR_INTERNAL;

	if (r->status >= 64 && r->status <= 78)
		code = -(int)r->status;
	a->refused = true;
	a->refusal = *r;
	if (r->number != 0)
		a->number = r->number;
	return ht_error_set(e, code, "%s", r->text);
}

/*
 * Send all that was queued.  Where that fails, keyd may have said why before
 * it closed.
 */
static int
drain(struct agent *a, struct ht_error *e)
{
	int rc = msg_drain(a->link.channel, AGENT_TIMEOUT, e);
	struct ht_error why;
	union protocol_body body;
	struct msg m;

	if (rc == 0)
		return 0;
	why = *e;
	while (protocol_next(&a->link, &m, &body, e) == 1) {
		if (m.type == PROTOCOL_REFUSE)
			return refused(a, &body.refuse, e);
		msg_close_fds(&m);
	}
	*e = why;
	return lost(rc, e);
}

static int
send_message(struct agent *a, enum protocol_type type, const void *body,
    struct ht_error *e)
{
	int rc = protocol_queue(&a->link, type, TAG, body, NULL, 0, e);

	return rc < 0 ? lost(rc, e) : drain(a, e);
}

/*
 * Wait for the next message, which is of one of two types (the link's rules
 * see to the rest), or a refusal.
 */
static int
await(struct agent *a, struct msg *m, union protocol_body *body,
    struct ht_error *e)
{
	int rc = protocol_wait(&a->link, m, body, AGENT_TIMEOUT, e);

	if (rc < 0)
		return lost(rc, e);
	if (m->type == PROTOCOL_REFUSE)
		return refused(a, &body->refuse, e);
	return 0;
}

int
agent_greet(struct agent *a, const struct protocol_hello *hello,
    struct protocol_welcome *welcome, struct buf *profiles, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(a, PROTOCOL_HELLO, hello, e);
	if (rc == 0)
		rc = await(a, &m, &body, e);
	if (rc < 0)
		return rc;
	*welcome = body.welcome;
	buf_bytes(profiles, welcome->profiles.p, welcome->profiles.left);
	if (buf_failed(profiles) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	welcome->profiles = buf_cursor(profiles);
	return 0;
}

int
agent_ticket(struct agent *a, const struct protocol_ask *ask,
    struct protocol_ticket_for *ticket, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(a, PROTOCOL_ASK, ask, e);
	if (rc == 0)
		rc = await(a, &m, &body, e);
	if (rc == 0)
		*ticket = body.ticket_for;
	return rc;
}

/* The frame is gone with the next one, the fingerprints are needed later. */
static int
keep_own(struct agent *a, struct protocol_go *go, struct ht_error *e)
{
	if (go->own.left > PROTOCOL_OWN_MAX ||
	    go->own.left % PROTOCOL_FINGERPRINT != 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "fingerprints of %zu bytes", go->own.left);
	buf_reset(&a->own);
	buf_bytes(&a->own, go->own.p, go->own.left);
	if (buf_failed(&a->own) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	go->own = buf_cursor(&a->own);
	return 0;
}

int
agent_begin(struct agent *a, const struct protocol_begin *begin,
    struct protocol_go *go, int *spool, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	*spool = -1;
	rc = send_message(a, PROTOCOL_BEGIN, begin, e);
	if (rc == 0)
		rc = await(a, &m, &body, e);
	if (rc < 0)
		return rc;
	*go = body.go;
	a->number = go->number;
	rc = keep_own(a, go, e);
	if (rc == 0)
		*spool = m.fd[0];
	else
		msg_close_fds(&m);
	return rc;
}

int
agent_check(struct agent *a, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc = protocol_next(&a->link, &m, &body, e);

	if (rc == 0)
		return 0;
	if (rc < 0)
		return lost(rc, e);
	if (m.type == PROTOCOL_REFUSE)
		return refused(a, &body.refuse, e);
	msg_close_fds(&m);
	return ht_error_set(e, HT_ERR_INTERNAL, "%s came out of turn",
	    protocol_name(m.type));
}

/* Take PARTs until length bytes are there. */
static int
collect(struct agent *a, uint32_t length, struct buf *out, struct ht_error *e)
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
		rc = await(a, &m, &body, e);
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
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	return 0;
}

/* Whether nothing has come from keyd for AGENT_PATIENCE. */
static bool
is_slow(const struct agent *a)
{
	struct pollfd in = { agent_fd(a), POLLIN, 0 };

	return poll(&in, 1, AGENT_PATIENCE) == 0;
}

/* One part after the other: a copy of all of it would be large. */
static int
send_content(struct agent *a, const struct protocol_content *content,
    struct cursor der, struct ht_error *e)
{
	int rc = send_message(a, PROTOCOL_CONTENT, content, e);

	while (rc == 0 && der.left > 0) {
		rc = protocol_part(&a->link, TAG, &der, e);
		rc = rc < 0 ? lost(rc, e) : drain(a, e);
	}
	return rc;
}

int
agent_content(struct agent *a, struct protocol_content *content,
    struct cursor der, agent_waiting_fn *waiting, void *cookie,
    struct buf *pkcs7, char *certificate, struct ht_error *e)
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
	rc = send_content(a, content, der, e);
	while (rc == 0) {
		rc = await(a, &m, &body, e);
		if (rc < 0 || m.type == PROTOCOL_SIGNED)
			break;
		if (waiting != NULL && is_slow(a))
			waiting(cookie, &body.wait);
	}
	if (rc < 0)
		return rc;
	memcpy(certificate, body.signed_.certificate, PROTOCOL_NAME);
	return collect(a, body.signed_.length, pkcs7, e);
}

int
agent_output(struct agent *a, const struct protocol_output *output,
    struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(a, PROTOCOL_OUTPUT, output, e);
	if (rc == 0)
		rc = await(a, &m, &body, e);
	return rc;
}

int
agent_kept(struct agent *a, const struct protocol_kept *kept,
    struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(a, PROTOCOL_KEPT, kept, e);
	if (rc == 0)
		rc = await(a, &m, &body, e);
	return rc;
}

int
agent_delivered(struct agent *a, uint64_t bytes, struct ht_error *e)
{
	struct protocol_delivered delivered = { bytes };

	return send_message(a, PROTOCOL_DELIVERED, &delivered, e);
}

int
agent_fail(struct agent *a, const struct ht_error *why, const char *word,
    struct ht_error *e)
{
	struct protocol_fail fail;
	union protocol_body body;
	struct msg m;
	int rc;

	if (a->refused || a->link.channel == NULL)
		return 0;
	memset(&fail, 0, sizeof(fail));
	fail.status = (uint32_t)-why->code;
	fail.offset = why->offset;
	memcpy(fail.code, word, strnlen(word, sizeof(fail.code) - 1));
	memcpy(fail.text, why->text, strnlen(why->text, sizeof(fail.text) - 1));
	rc = send_message(a, PROTOCOL_FAIL, &fail, e);
	/* A SIGNED that crossed our FAIL breaks the rules: the link ends. */
	if (rc == 0)
		rc = await(a, &m, &body, e);
	if (rc == 0)
		a->number = body.number.number;
	return rc;
}

int
agent_command(struct agent *a, const struct buf *words, struct cursor input,
    agent_print_fn *print, void *cookie, struct protocol_done *done,
    struct ht_error *e)
{
	struct protocol_command command = { buf_cursor(words), input };
	union protocol_body body;
	struct msg m;
	int rc;

	rc = send_message(a, PROTOCOL_COMMAND, &command, e);
	while (rc == 0) {
		rc = await(a, &m, &body, e);
		if (rc < 0 || m.type == PROTOCOL_DONE)
			break;
		rc = print(cookie, body.print.bytes, e);
	}
	if (rc == 0)
		*done = body.done;
	return rc;
}

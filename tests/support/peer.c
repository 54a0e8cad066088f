#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "signature/spc-asn1.h"
#include "tests/support/peer.h"
#include "tests/support/unsigned.h"

#define TAG 1

static int
take(struct protocol_link *link, struct msg *m, union protocol_body *body)
{
	struct ht_error e;
	int rc = protocol_wait(link, m, body, 20000, &e);

	if (rc == HT_ERR_DATA)
		fail_msg("the shell broke the rules: %s", e.text);
	return rc;
}

static void
tell(struct protocol_link *link, enum protocol_type type, const void *body,
    const int *fd)
{
	struct ht_error e;

	assert_int_equal(
	    protocol_send(link, type, TAG, body, fd, fd != NULL ? 1 : 0, &e),
	    0);
}

static void
tell_anything(struct protocol_link *link, enum protocol_type type,
    const char *bytes)
{
	struct buf body = BUF_INIT;
	struct ht_error e;

	buf_bytes(&body, bytes, strlen(bytes));
	assert_int_equal(
	    msg_queue(link->channel, (uint16_t)type, TAG, &body, NULL, 0, &e),
	    0);
	assert_int_equal(msg_drain(link->channel, -1, &e), 0);
	buf_free(&body);
}

static void
refuse(struct protocol_link *link)
{
	const struct protocol_refuse r = { 77, "frozen", "\x1b[2Jfrozen", 30,
		PEER_NUMBER };

	tell(link, PROTOCOL_REFUSE, &r, NULL);
}

/* Misbehave if this is the step to do so: true if it was. */
static bool
fails_at(const struct peer *k, struct protocol_link *link, enum peer_step step)
{
	if (k->step != step)
		return false;
	switch (k->fault) {
	case PEER_CLOSES:
		return true;
	case PEER_SPEAKS_OUT_OF_TURN:
		tell_anything(link, PROTOCOL_PRINT, "");
		return true;
	case PEER_SENDS_GARBAGE:
		assert_int_equal(write(msg_channel_fd(link->channel),
		                     "\xff\xff\xff\xff garbage", 12),
		    12);
		return true;
	case PEER_REFUSES:
		refuse(link);
		return true;
	case PEER_SIGNS_SOMETHING_ELSE:
	case PEER_SENDS_NO_PKCS7:
		break;
	}
	return false;
}

static void
welcome(const struct peer *k, struct protocol_link *link)
{
	struct protocol_welcome w;
	struct buf profiles = BUF_INIT;

	memset(&w, 0, sizeof(w));
	(void)snprintf(w.role, sizeof(w.role), "client");
	(void)snprintf(w.name, sizeof(w.name), "ci");
	(void)snprintf(w.profile, sizeof(w.profile), "%s", k->profile);
	(void)snprintf(w.notice, sizeof(w.notice), "test");
	buf_text(&profiles, "production");
	buf_text(&profiles, "For \x1b release");
	buf_text(&profiles, "test-signing");
	buf_text(&profiles, "");
	w.profiles = buf_cursor(&profiles);
	tell(link, PROTOCOL_WELCOME, &w, NULL);
	buf_free(&profiles);
}

static void
go(const struct peer *k, struct protocol_link *link, int spool)
{
	struct protocol_go g;
	uint8_t own[PROTOCOL_FINGERPRINT];

	memset(&g, 0, sizeof(g));
	chain_fingerprint(k->key->chain, own);
	g.own = cursor_over(own, sizeof(own));
	g.number = PEER_NUMBER;
	(void)snprintf(g.profile, sizeof(g.profile), "production");
	(void)snprintf(g.digest, sizeof(g.digest), "sha256");
	(void)snprintf(g.formats, sizeof(g.formats), "%s", k->formats);
	(void)snprintf(g.existing, sizeof(g.existing), "%s", k->existing);
	g.max_size = k->max_size;
	tell(link, PROTOCOL_GO, &g, &spool);
}

/* As good or bad as k wants it. */
static void
stamp(const struct peer *k, struct buf *p7)
{
	const struct tsa_token what = {
		.time = (int64_t)time(NULL) + k->stamp_late,
	};
	struct buf token = BUF_INIT;

	if (k->stamps == NULL)
		return;
	if (!k->stamps_another) {
		tsa_stamp_pkcs7(k->stamps, &what, p7);
		return;
	}
	tsa_stamp(k->stamps, &what, "another", 7, &token);
	unsigned_add(p7, OID_TIMESTAMP, V_ASN1_SEQUENCE, token.data, token.len);
	buf_free(&token);
}

/* SIGNED and its PARTs, as good or bad as k wants them. */
static bool
send_signature(const struct peer *k, struct protocol_link *link,
    struct buf *content)
{
	const struct cms_options options = { "My App", NULL, false, CMS_NO_TIME,
		NULL };
	struct protocol_signed s;
	struct buf p7 = BUF_INIT;
	struct cursor rest;
	struct ht_error e;
	size_t n;

	if (k->step == PEER_AT_CONTENT && k->fault == PEER_SIGNS_SOMETHING_ELSE)
		content->data[content->len - 1] ^= 1;
	if (signing_sign(k->key, k->content.format, content, &options, &p7,
	        &e) < 0)
		fail_msg("cannot sign: %s", e.text);
	if (k->step == PEER_AT_CONTENT && k->fault == PEER_SENDS_NO_PKCS7)
		memset(p7.data, 'x', p7.len);
	stamp(k, &p7);
	memset(&s, 0, sizeof(s));
	if (k->roots != NULL)
		s.roots = buf_cursor(&k->roots->root);
	if (k->note != NULL)
		(void)snprintf(s.note, sizeof(s.note), "%s", k->note);
	(void)snprintf(s.certificate, sizeof(s.certificate), "test");
	s.length = (uint32_t)p7.len;
	tell(link, PROTOCOL_SIGNED, &s, NULL);
	n = k->step == PEER_AT_PARTS ? p7.len / 2 : p7.len;
	rest = cursor_over(p7.data, n);
	while (rest.left > 0)
		assert_int_equal(protocol_part(link, TAG, &rest, &e), 0);
	assert_int_equal(msg_drain(link->channel, -1, &e), 0);
	buf_free(&p7);
	return !fails_at(k, link, PEER_AT_PARTS);
}

static bool
sign(struct peer *k, struct protocol_link *link, union protocol_body *body)
{
	struct protocol_wait wait;
	struct buf content = BUF_INIT;
	struct msg m;
	bool more = true;

	k->content = body->content;
	memcpy(k->input_sha256, body->content.sha256.p, 32);
	while (content.len < k->content.length) {
		assert_int_equal(take(link, &m, body), 1);
		buf_bytes(&content, body->part.bytes.p, body->part.bytes.left);
	}
	if (k->waits != NULL) {
		memset(&wait, 0, sizeof(wait));
		(void)snprintf(wait.reason, sizeof(wait.reason), "queue");
		(void)snprintf(wait.text, sizeof(wait.text), "%s", k->waits);
		tell(link, PROTOCOL_WAIT, &wait, NULL);
		(void)sleep(3);
		tell(link, PROTOCOL_WAIT, &wait, NULL);
	}
	if (fails_at(k, link, PEER_AT_CONTENT))
		more = false;
	else
		more = send_signature(k, link, &content);
	buf_free(&content);
	return more;
}

static bool
command(struct peer *k, struct protocol_link *link,
    const struct protocol_command *c)
{
	const struct protocol_print p = { cursor_over("printed\n", 8) };

	buf_bytes(&k->words, c->words.p, c->words.left);
	buf_bytes(&k->input, c->input.p, c->input.left);
	if (fails_at(k, link, PEER_AT_COMMAND))
		return false;
	tell(link, PROTOCOL_PRINT, &p, NULL);
	tell(link, PROTOCOL_DONE, &k->done, NULL);
	return true;
}

/* Serve one message; false when that was the last. */
static bool
serve(struct peer *k, struct protocol_link *link, int spool)
{
	const struct protocol_number number = { PEER_NUMBER };
	union protocol_body body;
	struct msg m;

	if (take(link, &m, &body) < 0)
		return false;
	switch (m.type) {
	case PROTOCOL_HELLO:
		k->hello = body.hello;
		if (fails_at(k, link, PEER_AT_HELLO))
			return false;
		welcome(k, link);
		return true;
	case PROTOCOL_BEGIN:
		k->begin = body.begin;
		if (fails_at(k, link, PEER_AT_BEGIN))
			return false;
		go(k, link, spool);
		if (!k->refuses_early)
			return true;
		(void)usleep(200000);
		refuse(link);
		return false;
	case PROTOCOL_CONTENT:
		return sign(k, link, &body);
	case PROTOCOL_OUTPUT:
		k->output = body.output;
		memcpy(k->output_sha256, body.output.sha256.p, 32);
		if (fails_at(k, link, PEER_AT_OUTPUT))
			return false;
		tell(link, PROTOCOL_RELEASE, &number, NULL);
		return true;
	case PROTOCOL_KEPT:
		k->kept = body.kept;
		memcpy(k->input_sha256, body.kept.sha256.p, 32);
		memcpy(k->output_sha256, body.kept.output_sha256.p, 32);
		tell(link, PROTOCOL_RELEASE, &number, NULL);
		return true;
	case PROTOCOL_DELIVERED:
		k->delivered = body.delivered.bytes;
		return true;
	case PROTOCOL_COMMAND:
		return command(k, link, &body.command);
	case PROTOCOL_FAIL:
		k->fail = body.fail;
		tell(link, PROTOCOL_NOTED, &number, NULL);
		return true;
	default:
		fail_msg("an unexpected %s",
		    protocol_name((enum protocol_type)m.type));
		return false;
	}
}

/* Until the shell goes, or the fault; then wait for it to go. */
void
peer_serve(struct peer *k, int fd)
{
	struct protocol_link link;
	struct ht_error e;
	struct stat st;
	int spool = memfd_create("spool", MFD_CLOEXEC);
	bool closes = k->fault == PEER_CLOSES;
	char byte;

	assert_true(spool >= 0);
	assert_int_equal(
	    protocol_open(&link, fd,
	        k->admin ? PROTOCOL_LINK_ADMIN : PROTOCOL_LINK_SIGN, false, &e),
	    0);
	while (serve(k, &link, spool))
		;
	if (!closes) {
		assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
		while (read(fd, &byte, 1) > 0)
			;
	}
	protocol_close(&link);
	assert_int_equal(fstat(spool, &st), 0);
	k->spooled = (size_t)st.st_size;
	assert_int_equal(close(spool), 0);
}

struct peer
peer_good(struct signing *key)
{
	struct peer k;

	memset(&k, 0, sizeof(k));
	k.key = key;
	k.step = PEER_NEVER;
	k.formats = "cab,pe";
	k.existing = "replace";
	k.max_size = 1 << 20;
	k.profile = "production";
	return k;
}

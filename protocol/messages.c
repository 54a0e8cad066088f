#include "config.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "protocol/messages.h"

/* --- fields --------------------------------------------------------------- */

enum field_kind { FIELD_U8, FIELD_U32, FIELD_U64, FIELD_TEXT, FIELD_BYTES };

struct field {
	enum field_kind kind;
	size_t offset; /* in the struct */
	size_t size;   /* of a text, its NUL included */
};

/* clang-format off */
#define U8(s, f) { FIELD_U8, offsetof(struct protocol_##s, f), 0 }
#define U32(s, f) { FIELD_U32, offsetof(struct protocol_##s, f), 0 }
#define U64(s, f) { FIELD_U64, offsetof(struct protocol_##s, f), 0 }
#define BYTES(s, f) { FIELD_BYTES, offsetof(struct protocol_##s, f), 0 }
#define TEXT(s, f)                                                             \
	{ FIELD_TEXT, offsetof(struct protocol_##s, f),                        \
		sizeof(((struct protocol_##s *)NULL)->f) }

static const struct field hello[] = { U32(hello, version), TEXT(hello, door),
	TEXT(hello, ticket), BYTES(hello, certificate), TEXT(hello, peer),
	TEXT(hello, local), U32(hello, port), TEXT(hello, banner) };
static const struct field welcome[] = { TEXT(welcome, role),
	TEXT(welcome, name), TEXT(welcome, profile), BYTES(welcome, profiles),
	TEXT(welcome, notice) };
static const struct field refuse[] = { U32(refuse, status),
	TEXT(refuse, code), TEXT(refuse, text), U32(refuse, retry),
	U64(refuse, number) };
static const struct field begin[] = { TEXT(begin, profile),
	U8(begin, reply), TEXT(begin, description), TEXT(begin, url),
	TEXT(begin, name), TEXT(begin, options), U64(begin, size),
	BYTES(begin, sha256) };
static const struct field go[] = { U64(go, number), TEXT(go, profile),
	TEXT(go, digest), U64(go, max_size), TEXT(go, formats),
	TEXT(go, existing), BYTES(go, own), U64(go, max_ctl),
	U8(go, recipe), U8(go, version) };
static const struct field content[] = { U8(content, kind),
	TEXT(content, format), U64(content, size), BYTES(content, sha256),
	U8(content, existing), TEXT(content, publisher), U32(content, length),
	TEXT(content, product), TEXT(content, company), TEXT(content, version) };
static const struct field part[] = { BYTES(part, bytes) };
static const struct field wait[] = { TEXT(wait, reason), TEXT(wait, text) };
static const struct field signed_[] = { TEXT(signed, certificate),
	U32(signed, length), BYTES(signed, roots), TEXT(signed, note) };
static const struct field output[] = { U64(output, size),
	BYTES(output, sha256), U32(output, length) };
static const struct field kept[] = { TEXT(kept, format), U64(kept, size),
	BYTES(kept, sha256), U64(kept, output_size),
	BYTES(kept, output_sha256) };
static const struct field number[] = { U64(number, number) };
static const struct field delivered[] = { U64(delivered, bytes) };
static const struct field fail[] = { U32(fail, status), TEXT(fail, code),
	U64(fail, offset), TEXT(fail, text) };
static const struct field command[] = { BYTES(command, words),
	BYTES(command, input) };
static const struct field print[] = { BYTES(print, bytes) };
static const struct field file[] = { U64(file, size), BYTES(file, sha256),
	U32(file, length) };
static const struct field done[] = { U32(done, status), TEXT(done, text) };
static const struct field ask[] = { TEXT(ask, user), BYTES(ask, certificate) };
static const struct field ticket_for[] = { TEXT(ticket_for, ticket),
	TEXT(ticket_for, principal) };
static const struct field relayed[] = { TEXT(relayed, peer),
	U32(relayed, port), TEXT(relayed, local), BYTES(relayed, blob) };
static const struct field admit[] = { U8(admit, admin), TEXT(admit, name),
	U64(admit, serial), TEXT(admit, key) };
static const struct field revoked[] = { TEXT(revoked, name),
	U64(revoked, serial), TEXT(revoked, key) };
static const struct field stranger[] = { TEXT(stranger, peer) };
static const struct field start[] = { U8(start, admin) };
static const struct field ready[] = { U32(ready, token_uid),
	U32(ready, token_gid), U32(ready, tokens), U32(ready, pump_uid),
	U32(ready, pump_gid), U32(ready, reader_uid), U32(ready, reader_gid) };
static const struct field worker[] = { U32(worker, index) };
static const struct field token_open[] = { TEXT(token_open, module),
	TEXT(token_open, label), TEXT(token_open, serial),
	BYTES(token_open, environment), BYTES(token_open, writable),
	U32(token_open, sessions) };
static const struct field token_opened[] = { TEXT(token_opened, serial),
	TEXT(token_opened, model), TEXT(token_opened, firmware),
	U8(token_opened, login), U8(token_opened, pin_flags) };
static const struct field token_login[] = { BYTES(token_login, pin) };
static const struct field token_key[] = { U32(token_key, key),
	TEXT(token_key, uri), BYTES(token_key, spki) };
static const struct field token_key_found[] = { U32(token_key_found, key),
	U8(token_key_found, each), U8(token_key_found, extractable) };
static const struct field token_sign[] = { U32(token_sign, key),
	TEXT(token_sign, digest), BYTES(token_sign, hash) };
static const struct field token_signature[] = { BYTES(token_signature, bytes) };
static const struct field token_trouble[] = { U8(token_trouble, trouble),
	TEXT(token_trouble, text) };
static const struct field fetch_hello[] = { U32(fetch_hello, version) };
static const struct field stamp[] = { TEXT(stamp, digest),
	BYTES(stamp, imprint), U64(stamp, not_before), U64(stamp, not_after),
	U32(stamp, milliseconds), BYTES(stamp, servers), U32(stamp, place) };
static const struct field stamped[] = { TEXT(stamped, server),
	U64(stamped, time), TEXT(stamped, serial), U32(stamped, tries),
	BYTES(stamped, token) };
static const struct field stamp_failed[] = { U32(stamp_failed, tries),
	TEXT(stamp_failed, text) };
static const struct field look[] = { BYTES(look, certificate),
	BYTES(look, issuer) };
static const struct field looked[] = { TEXT(looked, verdict),
	TEXT(looked, text), U64(looked, revoked) };
static const struct field check[] = { BYTES(check, sha256), U64(check, size),
	U8(check, private), U32(check, milliseconds) };
static const struct field checked[] = { U8(checked, known),
	U64(checked, date), U32(checked, bad), U32(checked, total),
	BYTES(checked, engines), TEXT(checked, text), U32(checked, asked) };
static const struct field pump[] = { TEXT(pump, clamd), U64(pump, scan_max),
	U64(pump, max_size) };
static const struct field test[] = { TEXT(test, clamd), U64(test, scan_max) };
static const struct field unkept[] = { TEXT(unkept, text) };
static const struct field pumped[] = { U64(pumped, size),
	BYTES(pumped, sha256) };
static const struct field verdict[] = { TEXT(verdict, verdict),
	TEXT(verdict, text), TEXT(verdict, database) };
static const struct field tested[] = { TEXT(tested, trouble),
	TEXT(tested, database), U64(tested, date) };

static const struct field store[] = { TEXT(store, path) };
static const struct field read_[] = { U8(read, what), U8(read, json),
	U64(read, request), U32(read, limit), TEXT(read, client),
	TEXT(read, profile), TEXT(read, status), TEXT(read, result) };

struct layout {
	const char *name;
	const struct field *fields;
	size_t n;
};

#define LAYOUT(name, fields) { name, fields, sizeof(fields) / sizeof(*fields) }
#define EMPTY(name) { name, NULL, 0 }

static const struct layout layouts[PROTOCOL_TYPES] = {
	[PROTOCOL_HELLO] = LAYOUT("HELLO", hello),
	[PROTOCOL_WELCOME] = LAYOUT("WELCOME", welcome),
	[PROTOCOL_REFUSE] = LAYOUT("REFUSE", refuse),
	[PROTOCOL_BEGIN] = LAYOUT("BEGIN", begin),
	[PROTOCOL_GO] = LAYOUT("GO", go),
	[PROTOCOL_CONTENT] = LAYOUT("CONTENT", content),
	[PROTOCOL_PART] = LAYOUT("PART", part),
	[PROTOCOL_WAIT] = LAYOUT("WAIT", wait),
	[PROTOCOL_SIGNED] = LAYOUT("SIGNED", signed_),
	[PROTOCOL_OUTPUT] = LAYOUT("OUTPUT", output),
	[PROTOCOL_KEPT] = LAYOUT("KEPT", kept),
	[PROTOCOL_RELEASE] = LAYOUT("RELEASE", number),
	[PROTOCOL_DELIVERED] = LAYOUT("DELIVERED", delivered),
	[PROTOCOL_FAIL] = LAYOUT("FAIL", fail),
	[PROTOCOL_NOTED] = LAYOUT("NOTED", number),
	[PROTOCOL_COMMAND] = LAYOUT("COMMAND", command),
	[PROTOCOL_PRINT] = LAYOUT("PRINT", print),
	[PROTOCOL_FILE] = LAYOUT("FILE", file),
	[PROTOCOL_DONE] = LAYOUT("DONE", done),
	[PROTOCOL_READER] = EMPTY("READER"),
	[PROTOCOL_ASK] = LAYOUT("ASK", ask),
	[PROTOCOL_TICKET_FOR] = LAYOUT("TICKET", ticket_for),
	[PROTOCOL_LOGIN] = LAYOUT("LOGIN", relayed),
	[PROTOCOL_ADMIT] = LAYOUT("ADMIT", admit),
	[PROTOCOL_SESSION] = LAYOUT("SESSION", relayed),
	[PROTOCOL_START] = LAYOUT("START", start),
	[PROTOCOL_STRANGER] = LAYOUT("STRANGER", stranger),
	[PROTOCOL_REVOKED] = LAYOUT("REVOKED", revoked),
	[PROTOCOL_READY] = LAYOUT("READY", ready),
	[PROTOCOL_SPAWN] = LAYOUT("SPAWN", worker),
	[PROTOCOL_SPAWNED] = LAYOUT("SPAWNED", worker),
	[PROTOCOL_KILL] = LAYOUT("KILL", worker),
	[PROTOCOL_TOKEN_OPEN] = LAYOUT("OPEN", token_open),
	[PROTOCOL_TOKEN_OPENED] = LAYOUT("OPENED", token_opened),
	[PROTOCOL_TOKEN_LOGIN] = LAYOUT("LOGIN", token_login),
	[PROTOCOL_TOKEN_LOGGED_IN] = EMPTY("LOGGED-IN"),
	[PROTOCOL_TOKEN_KEY] = LAYOUT("KEY", token_key),
	[PROTOCOL_TOKEN_KEY_FOUND] = LAYOUT("KEY-FOUND", token_key_found),
	[PROTOCOL_TOKEN_SIGN] = LAYOUT("SIGN", token_sign),
	[PROTOCOL_TOKEN_SIGNATURE] = LAYOUT("SIGNATURE", token_signature),
	[PROTOCOL_TOKEN_TROUBLE] = LAYOUT("TROUBLE", token_trouble),
	[PROTOCOL_FETCH_HELLO] = LAYOUT("HELLO", fetch_hello),
	[PROTOCOL_STAMP] = LAYOUT("STAMP", stamp),
	[PROTOCOL_STAMP_CANCEL] = EMPTY("STAMP-CANCEL"),
	[PROTOCOL_STAMPED] = LAYOUT("STAMPED", stamped),
	[PROTOCOL_STAMP_FAILED] = LAYOUT("STAMP-FAILED", stamp_failed),
	[PROTOCOL_LOOK] = LAYOUT("LOOK", look),
	[PROTOCOL_LOOKED] = LAYOUT("LOOKED", looked),
	[PROTOCOL_CHECK] = LAYOUT("CHECK", check),
	[PROTOCOL_CHECK_CANCEL] = EMPTY("CHECK-CANCEL"),
	[PROTOCOL_CHECKED] = LAYOUT("CHECKED", checked),
	[PROTOCOL_PUMP] = LAYOUT("PUMP", pump),
	[PROTOCOL_TEST] = LAYOUT("TEST", test),
	[PROTOCOL_UNKEPT] = LAYOUT("UNKEPT", unkept),
	[PROTOCOL_PUMPED] = LAYOUT("PUMPED", pumped),
	[PROTOCOL_VERDICT] = LAYOUT("VERDICT", verdict),
	[PROTOCOL_TESTED] = LAYOUT("TESTED", tested),
	[PROTOCOL_STORE] = LAYOUT("STORE", store),
	[PROTOCOL_READ] = LAYOUT("READ", read_),
};

/* --- what may be said when ------------------------------------------------ */

#define IN(state) (1u << PROTOCOL_##state)
#define ANY_REQUEST (IN(ASKED) | IN(GRANTED) | IN(CONTENTS) | IN(SIGNING) | \
	IN(MADE))
#define SAME PROTOCOL_OVER + 1

struct rule {
	enum protocol_kind kind;
	bool asker; /* the end that sends it */
	enum protocol_type type;
	unsigned int states;
	int next; /* enum protocol_state, or SAME */
	size_t fds_min, fds_max;
};

#define SIGN PROTOCOL_LINK_SIGN
#define ADMIN PROTOCOL_LINK_ADMIN
#define PRINCIPALS PROTOCOL_LINK_PRINCIPALS
#define SSHD PROTOCOL_LINK_SSHD
#define PARENT PROTOCOL_LINK_PARENT
#define TOKEN PROTOCOL_LINK_TOKEN
#define FETCH PROTOCOL_LINK_FETCH
#define PUMP PROTOCOL_LINK_PUMP
#define REPORT PROTOCOL_LINK_REPORT
#define READER PROTOCOL_LINK_READER
#define ANSWER PROTOCOL_LINK_ANSWER

static const struct rule rules[] = {
	/* The signing connection: shell asks, keyd answers. */
	{ SIGN, true, PROTOCOL_HELLO, IN(NEW), PROTOCOL_GREETED, 0, 0 },
	{ SIGN, false, PROTOCOL_WELCOME, IN(GREETED), PROTOCOL_IDLE, 0, 0 },
	{ SIGN, true, PROTOCOL_BEGIN, IN(IDLE), PROTOCOL_ASKED, 0, 0 },
	{ SIGN, false, PROTOCOL_GO, IN(ASKED), PROTOCOL_GRANTED, 1, 2 },
	{ SIGN, true, PROTOCOL_CONTENT, IN(GRANTED), PROTOCOL_CONTENTS, 0, 0 },
	{ SIGN, true, PROTOCOL_PART, IN(CONTENTS) | IN(MADE), SAME, 0, 0 },
	{ SIGN, false, PROTOCOL_WAIT, IN(ASKED) | IN(CONTENTS) | IN(MADE), SAME,
	    0, 0 },
	{ SIGN, false, PROTOCOL_SIGNED, IN(CONTENTS), PROTOCOL_SIGNING, 0, 0 },
	{ SIGN, false, PROTOCOL_PART, IN(SIGNING), SAME, 0, 0 },
	{ SIGN, true, PROTOCOL_OUTPUT, IN(SIGNING), PROTOCOL_MADE, 0, 0 },
	{ SIGN, true, PROTOCOL_KEPT, IN(GRANTED), PROTOCOL_MADE, 0, 0 },
	{ SIGN, false, PROTOCOL_RELEASE, IN(MADE), PROTOCOL_RELEASED, 0, 0 },
	{ SIGN, true, PROTOCOL_DELIVERED, IN(RELEASED), PROTOCOL_IDLE, 0, 0 },
	{ SIGN, true, PROTOCOL_FAIL, IN(IDLE) | ANY_REQUEST, PROTOCOL_FAILED, 0,
	    0 },
	{ SIGN, false, PROTOCOL_NOTED, IN(FAILED), PROTOCOL_IDLE, 0, 0 },
	{ SIGN, false, PROTOCOL_REFUSE, IN(GREETED) | IN(IDLE) | ANY_REQUEST |
	    IN(FAILED), PROTOCOL_OVER, 0, 0 },

	/* Administration: shell asks, keyd answers. */
	{ ADMIN, true, PROTOCOL_HELLO, IN(NEW), PROTOCOL_GREETED, 0, 0 },
	{ ADMIN, false, PROTOCOL_WELCOME, IN(GREETED), PROTOCOL_IDLE, 0, 0 },
	{ ADMIN, true, PROTOCOL_COMMAND, IN(IDLE), PROTOCOL_BUSY, 0, 0 },
	{ ADMIN, false, PROTOCOL_PRINT, IN(BUSY), SAME, 0, 0 },
	{ ADMIN, false, PROTOCOL_FILE, IN(BUSY), SAME, 1, 1 },
	{ ADMIN, false, PROTOCOL_DONE, IN(BUSY), PROTOCOL_IDLE, 0, 0 },
	{ ADMIN, false, PROTOCOL_READER, IN(BUSY), PROTOCOL_IDLE, 1, 1 },
	{ ADMIN, false, PROTOCOL_REFUSE, IN(GREETED) | IN(IDLE) | IN(BUSY),
	    PROTOCOL_OVER, 0, 0 },

	/* htsign-principals asks once. */
	{ PRINCIPALS, true, PROTOCOL_ASK, IN(IDLE), PROTOCOL_ASKED, 0, 0 },
	{ PRINCIPALS, false, PROTOCOL_TICKET_FOR, IN(ASKED), PROTOCOL_OVER, 0,
	    0 },
	{ PRINCIPALS, false, PROTOCOL_REFUSE, IN(ASKED), PROTOCOL_OVER, 0, 0 },

	/* sshd-sign's listener: the tag names the connection. */
	{ SSHD, true, PROTOCOL_LOGIN, IN(IDLE), SAME, 0, 0 },
	{ SSHD, false, PROTOCOL_ADMIT, IN(IDLE), SAME, 0, 0 },
	{ SSHD, true, PROTOCOL_SESSION, IN(IDLE), SAME, 0, 0 },
	{ SSHD, false, PROTOCOL_START, IN(IDLE), SAME, 1, 1 },
	{ SSHD, false, PROTOCOL_REFUSE, IN(IDLE), SAME, 0, 0 },
	{ SSHD, true, PROTOCOL_STRANGER, IN(IDLE), SAME, 0, 0 },
	{ SSHD, false, PROTOCOL_REVOKED, IN(IDLE), SAME, 0, 0 },

	/* keyd and its parent. */
	{ PARENT, true, PROTOCOL_READY, IN(NEW), PROTOCOL_IDLE, 0, 0 },
	{ PARENT, true, PROTOCOL_SPAWN, IN(IDLE), SAME, 0, 0 },
	{ PARENT, true, PROTOCOL_KILL, IN(IDLE), SAME, 0, 0 },
	{ PARENT, false, PROTOCOL_SPAWNED, IN(IDLE), SAME, 1, 1 },

	/* keyd and a token worker. */
	{ TOKEN, true, PROTOCOL_TOKEN_OPEN, IN(IDLE), SAME, 0, 1 },
	{ TOKEN, false, PROTOCOL_TOKEN_OPENED, IN(IDLE), SAME, 0, 0 },
	{ TOKEN, true, PROTOCOL_TOKEN_LOGIN, IN(IDLE), SAME, 1, 1 },
	{ TOKEN, false, PROTOCOL_TOKEN_LOGGED_IN, IN(IDLE), SAME, 0, 0 },
	{ TOKEN, true, PROTOCOL_TOKEN_KEY, IN(IDLE), SAME, 0, 0 },
	{ TOKEN, false, PROTOCOL_TOKEN_KEY_FOUND, IN(IDLE), SAME, 0, 0 },
	{ TOKEN, true, PROTOCOL_TOKEN_SIGN, IN(IDLE), SAME, 0, 1 },
	{ TOKEN, false, PROTOCOL_TOKEN_SIGNATURE, IN(IDLE), SAME, 0, 0 },
	{ TOKEN, false, PROTOCOL_TOKEN_TROUBLE, IN(IDLE), SAME, 0, 0 },

	/* htsign-fetch: after its HELLO keyd asks. */
	{ FETCH, true, PROTOCOL_FETCH_HELLO, IN(NEW), PROTOCOL_IDLE, 0, 0 },
	{ FETCH, false, PROTOCOL_STAMP, IN(IDLE), SAME, 0, 0 },
	{ FETCH, false, PROTOCOL_STAMP_CANCEL, IN(IDLE), SAME, 0, 0 },
	{ FETCH, true, PROTOCOL_STAMPED, IN(IDLE), SAME, 0, 0 },
	{ FETCH, true, PROTOCOL_STAMP_FAILED, IN(IDLE), SAME, 0, 0 },
	{ FETCH, false, PROTOCOL_LOOK, IN(IDLE), SAME, 0, 0 },
	{ FETCH, true, PROTOCOL_LOOKED, IN(IDLE), SAME, 0, 0 },
	{ FETCH, false, PROTOCOL_CHECK, IN(IDLE), SAME, 0, 1 },
	{ FETCH, false, PROTOCOL_CHECK_CANCEL, IN(IDLE), SAME, 0, 0 },
	{ FETCH, true, PROTOCOL_CHECKED, IN(IDLE), SAME, 0, 0 },
	{ FETCH, false, PROTOCOL_REFUSE, IN(IDLE), PROTOCOL_OVER, 0, 0 },

	/* keyd asks htsign-pump, a child of which reports. */
	{ PUMP, false, PROTOCOL_PUMP, IN(IDLE), SAME, 2, 3 },
	{ PUMP, false, PROTOCOL_TEST, IN(IDLE), SAME, 1, 1 },
	{ REPORT, true, PROTOCOL_UNKEPT, IN(IDLE), PROTOCOL_OVER, 0, 0 },
	{ REPORT, true, PROTOCOL_PUMPED, IN(IDLE), PROTOCOL_BUSY, 0, 0 },
	{ REPORT, true, PROTOCOL_VERDICT, IN(BUSY), PROTOCOL_OVER, 0, 0 },
	{ REPORT, true, PROTOCOL_TESTED, IN(IDLE), PROTOCOL_OVER, 0, 0 },

	/* keyd asks htsign-reader, which answers a shell. */
	{ READER, false, PROTOCOL_STORE, IN(IDLE), SAME, 0, 0 },
	{ READER, false, PROTOCOL_READ, IN(IDLE), SAME, 1, 1 },
	{ ANSWER, true, PROTOCOL_PRINT, IN(IDLE), SAME, 0, 0 },
	{ ANSWER, true, PROTOCOL_DONE, IN(IDLE), PROTOCOL_OVER, 0, 0 },
};
/* clang-format on */

/* --- how large content may be --------------------------------------------- */

struct limit {
	enum protocol_content_kind kind;
	const char *format; /* NULL: any format not listed before */
	uint32_t most;      /* bytes */
};

static const struct limit limits[] = {
	{ PROTOCOL_KIND_SPC, "pe", PROTOCOL_PAGES_MAX },
	{ PROTOCOL_KIND_SPC, NULL, PROTOCOL_CONTENT_MAX },
	{ PROTOCOL_KIND_CTL, NULL, PROTOCOL_CTL_MAX },
};

uint32_t
protocol_content_max(unsigned int kind, const char *format)
{
	const struct limit *l;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		l = &limits[i];
		if ((unsigned int)l->kind == kind &&
		    (l->format == NULL || strcmp(l->format, format) == 0))
			return l->most;
	}
	return 0;
}

/* --- encoding ------------------------------------------------------------- */

static const struct layout *
layout_of(unsigned int type)
{
	if (type >= PROTOCOL_TYPES || layouts[type].name == NULL)
		return NULL;
	return &layouts[type];
}

const char *
protocol_name(enum protocol_type type)
{
	const struct layout *l = layout_of(type);

	return l == NULL ? "?" : l->name;
}

static int
put_field(struct buf *out, const struct field *f, const void *body)
{
	const uint8_t *at = (const uint8_t *)body + f->offset;
	const struct cursor *bytes;

	switch (f->kind) {
	case FIELD_U8:
		buf_u8(out, *at);
		return 0;
	case FIELD_U32:
		buf_u32be(out, *(const uint32_t *)(const void *)at);
		return 0;
	case FIELD_U64:
		buf_u64be(out, *(const uint64_t *)(const void *)at);
		return 0;
	case FIELD_TEXT:
		if (memchr(at, '\0', f->size) == NULL)
			return HT_ERR_INTERNAL;
		buf_text(out, (const char *)at);
		return 0;
	case FIELD_BYTES:
		bytes = (const struct cursor *)(const void *)at;
		buf_string(out, bytes->p, bytes->left);
		return 0;
	}
	return HT_ERR_INTERNAL;
}

static int
get_field(struct cursor *in, const struct field *f, void *body)
{
	uint8_t *at = (uint8_t *)body + f->offset;

	switch (f->kind) {
	case FIELD_U8:
		return cursor_u8(in, at);
	case FIELD_U32:
		return cursor_u32be(in, (uint32_t *)(void *)at);
	case FIELD_U64:
		return cursor_u64be(in, (uint64_t *)(void *)at);
	case FIELD_TEXT:
		return cursor_text(in, (char *)at, f->size);
	case FIELD_BYTES:
		return cursor_string(in, (struct cursor *)(void *)at);
	}
	return HT_ERR_INTERNAL;
}

int
protocol_encode(enum protocol_type type, const void *body, struct buf *out)
{
	const struct layout *l = layout_of(type);
	size_t i;

	if (l == NULL)
		return HT_ERR_INTERNAL;
	for (i = 0; i < l->n; i++)
		if (put_field(out, &l->fields[i], body) < 0)
			return HT_ERR_INTERNAL;
	return buf_failed(out);
}

int
protocol_decode(enum protocol_type type, struct cursor in,
    union protocol_body *body)
{
	const struct layout *l = layout_of(type);
	size_t i;

	memset(body, 0, sizeof(*body));
	if (l == NULL)
		return HT_ERR_DATA;
	for (i = 0; i < l->n; i++)
		if (get_field(&in, &l->fields[i], body) < 0)
			return HT_ERR_DATA;
	return cursor_end(&in);
}

/* --- links ---------------------------------------------------------------- */

int
protocol_open(struct protocol_link *link, int fd, enum protocol_kind kind,
    bool asker, struct ht_error *e)
{
	bool greets = kind == PROTOCOL_LINK_SIGN ||
	    kind == PROTOCOL_LINK_ADMIN || kind == PROTOCOL_LINK_PARENT ||
	    kind == PROTOCOL_LINK_FETCH;

	memset(link, 0, sizeof(*link));
	link->kind = kind;
	link->asker = asker;
	link->state = greets ? PROTOCOL_NEW : PROTOCOL_IDLE;
	link->channel = msg_channel_new(fd);
	if (link->channel == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	return 0;
}

void
protocol_close(struct protocol_link *link)
{
	msg_channel_free(link->channel);
	link->channel = NULL;
	link->state = PROTOCOL_OVER;
}

/* The rule that lets that end send type now, or NULL. */
static const struct rule *
rule_for(const struct protocol_link *link, bool asker, unsigned int type)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].kind == link->kind && rules[i].asker == asker &&
		    rules[i].type == type &&
		    (rules[i].states & 1u << link->state) != 0)
			return &rules[i];
	return NULL;
}

static void
advance(struct protocol_link *link, const struct rule *r)
{
	if (r->next != SAME)
		link->state = (enum protocol_state)r->next;
}

int
protocol_queue(struct protocol_link *link, enum protocol_type type,
    uint32_t tag, const void *body, const int *fds, size_t nfds,
    struct ht_error *e)
{
	const struct rule *r = rule_for(link, link->asker, type);
	struct buf out = BUF_INIT;
	int rc;

	if (r == NULL || nfds < r->fds_min || nfds > r->fds_max)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%s may not be sent now", protocol_name(type));
	if (protocol_encode(type, body, &out) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "%s does not fit its fields", protocol_name(type));
	else
		rc = msg_queue(link->channel, (uint16_t)type, tag, &out, fds,
		    nfds, e);
	buf_free(&out);
	if (rc == 0)
		advance(link, r);
	return rc;
}

int
protocol_send(struct protocol_link *link, enum protocol_type type, uint32_t tag,
    const void *body, const int *fds, size_t nfds, struct ht_error *e)
{
	int rc = protocol_queue(link, type, tag, body, fds, nfds, e);

	if (rc < 0)
		return rc;
	return msg_drain(link->channel, -1, e);
}

/* Check a frame that has arrived against the rules, and decode it. */
static int
accept_message(struct protocol_link *link, struct msg *m,
    union protocol_body *body, struct ht_error *e)
{
	const struct rule *r = rule_for(link, !link->asker, m->type);

	if (r == NULL || m->nfds < r->fds_min || m->nfds > r->fds_max) {
		msg_close_fds(m);
		return ht_error_set(e, HT_ERR_DATA,
		    "message %u may not come now", (unsigned int)m->type);
	}
	if (protocol_decode(r->type, m->body, body) < 0) {
		msg_close_fds(m);
		return ht_error_set(e, HT_ERR_DATA, "%s with malformed fields",
		    protocol_name(r->type));
	}
	advance(link, r);
	return 1;
}

int
protocol_next(struct protocol_link *link, struct msg *m,
    union protocol_body *body, struct ht_error *e)
{
	int rc = msg_next(link->channel, m, e);

	return rc == 1 ? accept_message(link, m, body, e) : rc;
}

int
protocol_wait(struct protocol_link *link, struct msg *m,
    union protocol_body *body, int timeout, struct ht_error *e)
{
	int rc = msg_wait(link->channel, m, timeout, e);

	if (rc < 0)
		return rc;
	return accept_message(link, m, body, e);
}

int
protocol_part(struct protocol_link *link, uint32_t tag, struct cursor *rest,
    struct ht_error *e)
{
	struct cursor left = *rest;
	struct protocol_part piece;
	int rc;

	(void)cursor_bytes(&left,
	    left.left < PROTOCOL_PART_MAX ? left.left : PROTOCOL_PART_MAX,
	    &piece.bytes);
	rc = protocol_queue(link, PROTOCOL_PART, tag, &piece, NULL, 0, e);
	if (rc == 0)
		*rest = left;
	return rc;
}

/* --- what sshd-sign's network process sends on ---------------------------- */

void
protocol_session_put(struct buf *out, const struct protocol_session_blob *s)
{
	buf_text(out, s->user);
	buf_string(out, s->key.p, s->key.left);
	buf_string(out, s->environment.p, s->environment.left);
}

int
protocol_session_get(struct cursor in, struct protocol_session_blob *s)
{
	memset(s, 0, sizeof(*s));
	if (cursor_text(&in, s->user, sizeof(s->user)) < 0 ||
	    cursor_string(&in, &s->key) < 0 ||
	    cursor_string(&in, &s->environment) < 0)
		return HT_ERR_DATA;
	return cursor_end(&in);
}

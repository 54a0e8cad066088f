#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/sign-link.h"
#include "keys/keyd/spools.h"
#include "lib/proc.h"
#include "store/authority/clients.h"
#include "tests/support/core_client.h"
#include "tests/support/scratch.h"

const char core_client_configuration[] =
    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
    "certificates = ( { name = \"good\"; token = \"near\";\n"
    "  chain = \"$/good.pem\"; } );\n"
    "profiles = (\n"
    "  { name = \"plain\"; certificates = [ \"good\" ]; max_size = 1000;\n"
    "    max_queue = 2; description = \"Ours\"; },\n"
    "  { name = \"keep\"; certificates = [ \"good\" ]; max_size = 1000;\n"
    "    existing = \"keep\"; formats = [ \"pe\" ]; },\n"
    "  { name = \"lists\"; certificates = [ \"good\" ]; max_ctl = 1000;\n"
    "    formats = [ \"cat\" ]; existing = \"refuse\"; digest = \"sha384\"; "
    "},\n"
    "  { name = \"other\"; certificates = [ \"good\" ];\n"
    "    max_size = \"1M\"; },\n"
    "  { name = \"rich\"; certificates = [ \"good\" ]; signing_time = true;\n"
    "    statement = \"commercial\"; url = \"https://example.org/\";\n"
    "    digest = \"sha384\"; },\n"
    "  { name = \"secret\"; certificates = [ \"good\" ]; } );\n";

struct signing core_client_key;
struct identity core_client_who;
const uint8_t core_client_sha256[JOURNAL_SHA256] = { 1, 2, 3 };

int
core_client_enter(void **state)
{
	const struct signing_how how = { "P-256", SSH_CA_NOW - 1000,
		SSH_CA_NOW + 1000, "codeSigning", false, NULL };
	struct ht_error e;

	if (core_enter(state) != 0 ||
	    signing_make_how(&how, &core_client_key, &e) < 0)
		return 1;
	scratch_write("good.pem", core_client_key.pem.data,
	    core_client_key.pem.len - 1);
	scratch_write("user_key", "", 0);
	return 0;
}

int
core_client_leave(void **state)
{
	signing_clear(&core_client_key);
	return core_leave(state);
}

int
core_client_set_up(void **state)
{
	static const char *const granted[] = { "plain", "keep", "lists",
		"other", "rich" };
	static const struct identity ci = { .role = NAMES_CLIENT,
		.name = "ci",
		.serial = 7,
		.until = UINT64_MAX,
		.door = PROTOCOL_DOOR_SSHD_SIGN,
		.peer = "192.0.2.7" };
	struct ht_error e;
	size_t i;

	if (core_set_up(state) != 0)
		return 1;
	core_client_who = ci;
	core_configure("", core_client_configuration);
	core.spools = spools_new(core.loop,
	    open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_int_equal(
	    client_add(core.store, &core_actor, "ci", NULL, 3600, &e), 0);
	for (i = 0; i < sizeof(granted) / sizeof(granted[0]); i++)
		assert_int_equal(
		    client_grant(core.store, &core_actor, "ci", granted[i], &e),
		    0);
	return core.spools == NULL;
}

int
core_client_tear_down(void **state)
{
	return core_tear_down(state);
}

void
core_client_open(struct keyd_client *a)
{
	struct protocol_hello hello;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int pair[2];

	assert_int_equal(proc_socketpair(pair, &e), 0);
	assert_int_equal(sign_link_accept(&core, pair[0], &core_client_who, &e),
	    0);
	assert_int_equal(keyd_client_bound(a, pair[1], PROTOCOL_LINK_SIGN, &e),
	    0);
	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	core_client_say(a, PROTOCOL_HELLO, &hello);
	core_client_hear(a, PROTOCOL_WELCOME, &m, &body);
}

void
core_client_close(struct keyd_client *a)
{
	keyd_client_close(a);
	core_wait(0);
}

void
core_client_say(struct keyd_client *a, enum protocol_type type,
    const void *body)
{
	struct ht_error e;

	if (protocol_send(&a->link, type, 9, body, NULL, 0, &e) != 0)
		fail_msg("%s", e.text);
	core_turn();
}

void
core_client_hear(struct keyd_client *a, enum protocol_type type, struct msg *m,
    union protocol_body *body)
{
	struct ht_error e;

	/* A busy machine may have taken the two seconds until a WAIT. */
	do {
		if (protocol_wait(&a->link, m, body, 0, &e) != 1)
			fail_msg("%s", e.text);
	} while (m->type == PROTOCOL_WAIT && type != PROTOCOL_WAIT);
	if (m->type == PROTOCOL_REFUSE && type != PROTOCOL_REFUSE)
		fail_msg("%s", body->refuse.text);
	assert_int_equal(m->type, type);
	assert_int_equal(m->tag, 9);
}

void
core_client_hear_nothing(struct keyd_client *a)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_equal(protocol_next(&a->link, &m, &body, &e), 0);
}

void
core_client_hear_end(struct keyd_client *a)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_equal(protocol_next(&a->link, &m, &body, &e),
	    HT_ERR_UNAVAILABLE);
	keyd_client_close(a);
}

void
core_client_hear_no(struct keyd_client *a, int code, const char *word,
    const char *text)
{
	union protocol_body body;
	struct msg m;

	core_client_hear(a, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -code);
	assert_string_equal(body.refuse.code, word);
	assert_string_equal(body.refuse.text, text);
	core_client_hear_end(a);
}

struct protocol_begin
core_client_request(const char *profile)
{
	struct protocol_begin begin;

	memset(&begin, 0, sizeof(begin));
	begin.size = PROTOCOL_SIZE_UNKNOWN;
	(void)snprintf(begin.profile, sizeof(begin.profile), "%s", profile);
	return begin;
}

void
core_client_begin(struct keyd_client *a, const struct protocol_begin *begin)
{
	union protocol_body body;
	struct msg m;

	core_client_open(a);
	core_client_say(a, PROTOCOL_BEGIN, begin);
	core_client_hear(a, PROTOCOL_GO, &m, &body);
	(void)close(m.fd[0]);
}

struct protocol_content
core_client_content(const struct buf *der)
{
	struct protocol_content content;

	memset(&content, 0, sizeof(content));
	content.kind = PROTOCOL_KIND_SPC;
	(void)snprintf(content.format, sizeof(content.format), "pe");
	content.size = 1000;
	content.sha256 =
	    cursor_over(core_client_sha256, sizeof(core_client_sha256));
	content.length = der == NULL ? 100 : (uint32_t)der->len;
	return content;
}

void
core_client_say_part(struct keyd_client *a, const void *p, size_t n)
{
	const struct protocol_part part = { cursor_over(p, n) };

	core_client_say(a, PROTOCOL_PART, &part);
}

void
core_client_say_content(struct keyd_client *a,
    const struct protocol_content *content, const struct buf *der)
{
	core_client_say(a, PROTOCOL_CONTENT, content);
	core_client_hear_nothing(a);
	core_client_say_part(a, der->data, der->len);
}

void
core_client_disable(void)
{
	struct ht_error e;

	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
}

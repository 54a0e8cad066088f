#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "keys/keyd/fetch-link.h"
#include "lib/proc.h"
#include "tests/support/core_fetch.h"
#include "tests/support/core_scratch.h"

struct protocol_link core_fetch;

void
core_fetch_say(enum protocol_type type, uint32_t tag, const void *body)
{
	struct ht_error e;

	if (protocol_send(&core_fetch, type, tag, body, NULL, 0, &e) != 0)
		fail_msg("%s", e.text);
	core_turn();
}

void
core_fetch_connect(struct protocol_link *link)
{
	const struct protocol_fetch_hello hello = { PROTOCOL_VERSION };
	struct ht_error e;
	int pair[2];

	core.setup->conf->users[CONF_USER_FETCH].uid = geteuid();
	assert_int_equal(proc_socketpair(pair, &e), 0);
	assert_int_equal(fetch_link_accept(&core, pair[0], &e), 0);
	assert_int_equal(
	    protocol_open(link, pair[1], PROTOCOL_LINK_FETCH, true, &e), 0);
	assert_int_equal(
	    protocol_send(link, PROTOCOL_FETCH_HELLO, 0, &hello, NULL, 0, &e),
	    0);
	core_turn();
}

void
core_fetch_leave(void)
{
	protocol_close(&core_fetch);
	core_wait(0);
}

uint32_t
core_fetch_hear(enum protocol_type type, union protocol_body *body)
{
	struct ht_error e;
	struct msg m;

	if (protocol_wait(&core_fetch, &m, body, 0, &e) != 1)
		fail_msg("%s", e.text);
	assert_int_equal(m.type, type);
	return m.tag;
}

void
core_fetch_hear_nothing(void)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_equal(protocol_next(&core_fetch, &m, &body, &e), 0);
}

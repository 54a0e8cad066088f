/*
 * htsign-keyd in a storm: a dozen connections that say, for some seconds and
 * from a seed, mostly what may be said, often what may not, and sometimes what
 * is no message at all, while the client comes and goes, the configuration is
 * read again, and the token worker stops, goes on and dies.
 *
 * keyd must not end; what it says must be in the journal, as it is on disk at
 * that moment; and in the end every request has ended.
 *
 *	HTSIGN_STORM_SECONDS=20 HTSIGN_STORM_SEED=1 tests/unit/test_keyd_storm
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "signature/init.h"
#include "tests/support/endpoint.h"
#include "tests/support/scratch.h"

#define PEERS 12
#define CLIENTS 4
#define SECONDS 20

/* Longer than keyd waits for a first word. */
#define GREETING 16

enum stage { CLOSED, NEW, IDLE, GRANTED, CONTENTS, SIGNING, MADE, RELEASED };
#define STAGES (RELEASED + 1)

struct peer {
	struct msg_channel *channel;
	enum stage stage;
	uint64_t number;
	bool waits; /* an answer is due */
};

static struct {
	struct peer peers[PEERS];
	struct buf certificates[CLIENTS], der;
	char tickets[CLIENTS][PROTOCOL_TICKET];
	time_t ticket_until;
	uint64_t random;
	uint64_t said, heard[PROTOCOL_TYPES], ends, checked;
} storm;

/* --- chance ------------------------------------------------------------ */

/* 0 to n - 1 (xorshift64*). */
static unsigned int
draw(unsigned int n)
{
	storm.random ^= storm.random >> 12;
	storm.random ^= storm.random << 25;
	storm.random ^= storm.random >> 27;
	return (unsigned int)((storm.random * UINT64_C(2685821657736338717)) >>
	           33) %
	    n;
}

static bool
one_in(unsigned int n)
{
	return draw(n) == 0;
}

static uint64_t
draw_number(void)
{
	static const uint64_t numbers[] = { 0, 1, 2048, 1000000, 1000001,
		UINT32_MAX, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1,
		UINT64_MAX };

	return numbers[draw(sizeof(numbers) / sizeof(*numbers))];
}

static void
draw_text(char *out, size_t size)
{
	size_t i, n = draw((unsigned int)size);

	for (i = 0; i < n; i++)
		out[i] = (char)(1 + draw(255));
	out[n] = '\0';
}

/* --- the journal, as it is on disk --------------------------------------- */

/* The number that this query gives, with ?1 bound to request. */
static int64_t
ask_journal(const char *sql, uint64_t request)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int64_t n;

	endpoint_copy_journal("copy.db");
	assert_int_equal(sqlite3_open("copy.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	(void)sqlite3_bind_int64(st, 1, (int64_t)request);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

/* What keyd says stands in the journal already. */
static void
check_record(unsigned int type, uint64_t request)
{
	const char *sql = NULL;

	if (type == PROTOCOL_GO)
		sql = "SELECT count(*) FROM signing WHERE request = ?1";
	else if (type == PROTOCOL_SIGNED)
		sql = "SELECT count(*) FROM pkcs7 WHERE request = ?1";
	else if (type == PROTOCOL_RELEASE)
		sql = "SELECT count(*) FROM signing WHERE request = ?1 "
		      "AND finished IS NOT NULL";
	else if (type == PROTOCOL_NOTED || type == PROTOCOL_REFUSE)
		sql = "SELECT count(*) FROM signing WHERE request = ?1 "
		      "AND ended IS NOT NULL";
	if (sql == NULL || request == 0 || !one_in(100))
		return;
	storm.checked++;
	if (ask_journal(sql, request) != 1)
		fail_msg("%s of request %llu came before its record",
		    protocol_name((enum protocol_type)type),
		    (unsigned long long)request);
}

/* --- hearing ------------------------------------------------------------ */

static void
end(struct peer *p)
{
	msg_channel_free(p->channel);
	memset(p, 0, sizeof(*p));
	storm.ends++;
}

static void
note(struct peer *p, unsigned int type, const union protocol_body *body)
{
	p->waits = false;
	storm.heard[type]++;
	switch (type) {
	case PROTOCOL_WELCOME:
		p->stage = IDLE;
		break;
	case PROTOCOL_GO:
		p->stage = GRANTED;
		p->number = body->go.number;
		break;
	case PROTOCOL_SIGNED:
		p->stage = SIGNING;
		break;
	case PROTOCOL_RELEASE:
		assert_true(body->number.number == p->number);
		p->stage = RELEASED;
		break;
	case PROTOCOL_NOTED:
		p->stage = IDLE;
		p->number = body->number.number;
		break;
	case PROTOCOL_REFUSE:
		if (body->refuse.number != 0)
			p->number = body->refuse.number;
		break;
	default:
		break;
	}
}

static void
hear(struct peer *p)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int rc = 0;

	while (p->channel != NULL && (rc = msg_next(p->channel, &m, &e)) == 1) {
		assert_int_equal(
		    protocol_decode((enum protocol_type)m.type, m.body, &body),
		    0);
		assert_int_equal(m.nfds, m.type == PROTOCOL_GO ? 1 : 0);
		msg_close_fds(&m);
		note(p, m.type, &body);
		check_record(m.type,
		    m.type == PROTOCOL_REFUSE ? body.refuse.number : p->number);
	}
	assert_int_not_equal(rc, HT_ERR_DATA);
	if (rc < 0)
		end(p);
}

/* --- saying ------------------------------------------------------------- */

static void
put(struct peer *p, unsigned int type, const struct buf *bytes, const int *fds,
    size_t nfds)
{
	struct ht_error e;

	storm.said++;
	assert_int_equal(msg_queue(p->channel, (uint16_t)type, draw(3), bytes,
	                     fds, nfds, &e),
	    0);
	if (msg_flush(p->channel, &e) < 0)
		end(p);
}

static void
say(struct peer *p, enum protocol_type type, const void *body)
{
	struct buf bytes = BUF_INIT;
	int null = 0;

	assert_int_equal(protocol_encode(type, body, &bytes), 0);
	if (one_in(50) && bytes.len > 0)
		bytes.data[draw((unsigned int)bytes.len)] ^=
		    (uint8_t)(1 + draw(255));
	if (one_in(50))
		bytes.len -= draw((unsigned int)bytes.len + 1);
	if (one_in(50))
		buf_zeros(&bytes, draw(30000));
	put(p, type, &bytes, &null, one_in(100) ? 1 : 0);
	buf_free(&bytes);
}

static void
say_hello(struct peer *p)
{
	struct protocol_hello hello;
	unsigned int i, client = draw(CLIENTS);

	if (time(NULL) >= storm.ticket_until) {
		storm.ticket_until = time(NULL) + 30;
		for (i = 0; i < CLIENTS; i++)
			assert_int_equal(endpoint_ticket(&storm.certificates[i],
			                     storm.tickets[i]),
			    0);
	}
	memset(&hello, 0, sizeof(hello));
	hello.version = one_in(30) ? draw(9) : PROTOCOL_VERSION;
	if (!one_in(30))
		memcpy(hello.ticket, storm.tickets[client],
		    sizeof(hello.ticket));
	hello.certificate = buf_cursor(&storm.certificates[client]);
	if (one_in(30))
		hello.certificate.left = draw(100);
	draw_text(hello.peer, sizeof(hello.peer));
	draw_text(hello.banner, sizeof(hello.banner));
	say(p, PROTOCOL_HELLO, &hello);
}

static void
say_begin(struct peer *p)
{
	static const char *const profiles[] = { "", "test", "other", "away" };
	struct protocol_begin begin;

	memset(&begin, 0, sizeof(begin));
	begin.size = PROTOCOL_SIZE_UNKNOWN;
	(void)snprintf(begin.profile, sizeof(begin.profile), "%s",
	    profiles[one_in(10) ? draw(4) : 1]);
	if (one_in(20))
		draw_text(begin.profile, sizeof(begin.profile));
	if (one_in(10)) {
		draw_text(begin.description, sizeof(begin.description));
		draw_text(begin.url, sizeof(begin.url));
		draw_text(begin.name, sizeof(begin.name));
		draw_text(begin.options, sizeof(begin.options));
		begin.size = draw_number();
	}
	begin.reply = (uint8_t)draw(one_in(10) ? 256 : 2);
	say(p, PROTOCOL_BEGIN, &begin);
}

static void
say_part(struct peer *p)
{
	struct protocol_part part = { buf_cursor(&storm.der) };

	if (one_in(10))
		part.bytes.left = draw((unsigned int)storm.der.len);
	say(p, PROTOCOL_PART, &part);
}

static void
say_content(struct peer *p)
{
	static const uint8_t sha256[32];
	struct protocol_content content;

	memset(&content, 0, sizeof(content));
	content.kind = one_in(30) ? (uint8_t)draw(256) : PROTOCOL_KIND_SPC;
	(void)snprintf(content.format, sizeof(content.format), "pe");
	if (one_in(30))
		draw_text(content.format, sizeof(content.format));
	content.size = one_in(10) ? draw_number() : 4096;
	content.sha256 = cursor_over(sha256, one_in(30) ? draw(32) : 32);
	content.length = one_in(10) ? draw(20000) : (uint32_t)storm.der.len;
	if (one_in(20))
		content.length = PROTOCOL_PAGES_MAX; /* no room for all */
	say(p, PROTOCOL_CONTENT, &content);
	if (p->channel != NULL)
		say_part(p);
}

static void
say_output(struct peer *p)
{
	static const uint8_t sha256[32];
	struct protocol_output output;

	output.size = one_in(10) ? draw_number() : 2048;
	output.sha256 = cursor_over(sha256, one_in(30) ? draw(32) : 32);
	output.length = one_in(10) ? draw(100) : 0;
	say(p, PROTOCOL_OUTPUT, &output);
}

static void
say_delivered(struct peer *p)
{
	struct protocol_delivered delivered;

	delivered.bytes = one_in(10) ? draw_number() : 2048;
	say(p, PROTOCOL_DELIVERED, &delivered);
	if (p->channel != NULL)
		p->stage = IDLE;
}

static void
say_fail(struct peer *p)
{
	struct protocol_fail fail;

	memset(&fail, 0, sizeof(fail));
	fail.status = one_in(3) ? draw(UINT32_MAX) : 65;
	fail.offset = draw_number();
	(void)snprintf(fail.code, sizeof(fail.code), "damaged");
	if (one_in(4))
		draw_text(fail.code, sizeof(fail.code));
	draw_text(fail.text, sizeof(fail.text));
	say(p, PROTOCOL_FAIL, &fail);
}

/* No message at all, or none of a shell's. */
static void
say_nonsense(struct peer *p)
{
	struct buf bytes = BUF_INIT;
	size_t i, n = draw(300);

	for (i = 0; i < n; i++)
		buf_u8(&bytes, (uint8_t)draw(256));
	if (one_in(2))
		put(p, draw(PROTOCOL_TYPES + 5), &bytes, NULL, 0);
	else if (send(msg_channel_fd(p->channel), bytes.data, n,
	             MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		end(p);
	buf_free(&bytes);
}

static void
open_peer(struct peer *p)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "run/agent.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	p->channel = msg_channel_new(fd);
	assert_non_null(p->channel);
	p->stage = NEW;
}

/* What comes next in the usual course. */
static void
go_on(struct peer *p)
{
	static void (*const next[STAGES])(struct peer * p) = {
		[NEW] = say_hello,
		[IDLE] = say_begin,
		[GRANTED] = say_content,
		[CONTENTS] = say_part,
		[SIGNING] = say_output,
		[MADE] = say_output,
		[RELEASED] = say_delivered,
	};
	enum stage stage = p->stage;

	next[stage](p);
	if (p->channel == NULL)
		return;
	p->waits = stage != RELEASED;
	if (stage == GRANTED)
		p->stage = CONTENTS;
	else if (stage == SIGNING)
		p->stage = MADE;
}

static void
act(struct peer *p)
{
	static void (*const any[])(struct peer * p) = { say_hello, say_begin,
		say_content, say_part, say_output, say_delivered, say_fail,
		say_nonsense, end };

	if (p->channel == NULL)
		open_peer(p);
	else if (one_in(25))
		any[draw(sizeof(any) / sizeof(*any))](p);
	else if (one_in(25) && p->stage != NEW)
		say_fail(p);
	else if (!p->waits)
		go_on(p);
}

/* --- the weather -------------------------------------------------------- */

static void
disturb(void)
{
	static bool stopped;

	if (one_in(400)) {
		(void)endpoint_admin("client disable ci0", NULL, NULL);
		(void)endpoint_admin("client enable ci0", NULL, NULL);
	}
	if (one_in(400)) {
		(void)endpoint_admin("ungrant ci0 test", NULL, NULL);
		(void)endpoint_admin("grant ci0 test", NULL, NULL);
	}
	if (one_in(2000))
		endpoint_signal(SIGHUP);
	if (one_in(stopped ? 100 : 2000)) {
		stopped = !stopped;
		(void)endpoint_signal_worker(stopped ? SIGSTOP : SIGCONT);
	}
	if (one_in(8000))
		(void)endpoint_signal_worker(SIGKILL);
}

static void
rage(time_t until)
{
	struct pollfd in = { -1, POLLIN, 0 };
	struct peer *p;

	while (time(NULL) < until) {
		p = &storm.peers[draw(PEERS)];
		act(p);
		if (p->channel != NULL && p->waits) {
			in.fd = msg_channel_fd(p->channel);
			(void)poll(&in, 1, 1);
		}
		hear(p);
		disturb();
	}
	(void)endpoint_signal_worker(SIGCONT);
	for (p = storm.peers; p < storm.peers + PEERS; p++)
		if (p->channel != NULL)
			end(p);
}

static unsigned long
setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static void
report(void)
{
	static const enum protocol_type types[] = { PROTOCOL_WELCOME,
		PROTOCOL_GO, PROTOCOL_SIGNED, PROTOCOL_RELEASE, PROTOCOL_NOTED,
		PROTOCOL_REFUSE, PROTOCOL_WAIT };
	size_t i;

	print_message("%llu messages said, %llu connections;",
	    (unsigned long long)storm.said, (unsigned long long)storm.ends);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		print_message(" %s %llu", protocol_name(types[i]),
		    (unsigned long long)storm.heard[types[i]]);
	print_message("; %llu records checked\n",
	    (unsigned long long)storm.checked);
}

/* keyd never found that it said what may not be said. */
static void
check_log(void)
{
	struct buf log = BUF_INIT;

	scratch_read("keyd.log", &log);
	buf_u8(&log, 0);
	assert_null(strstr((const char *)log.data, "may not be sent"));
	assert_null(strstr((const char *)log.data, "does not fit"));
	assert_null(strstr((const char *)log.data, "Sanitizer"));
	assert_null(strstr((const char *)log.data, "runtime error"));
	buf_free(&log);
}

static void
keyd_stands_the_storm(void **state)
{
	unsigned long seconds = setting("HTSIGN_STORM_SECONDS", SECONDS);
	struct peer silent;
	struct ht_error e;
	struct msg m;
	int tries;

	(void)state;
	storm.random = setting("HTSIGN_STORM_SEED", 1) * 2 + 1;
	open_peer(&silent);
	rage(time(NULL) + (time_t)seconds);
	report();
	for (tries = 0; tries < 200; tries++) {
		if (ask_journal("SELECT count(*) FROM signing "
		                "WHERE ended IS NULL",
		        0) == 0)
			break;
		endpoint_pause(100);
	}
	assert_true(tries < 200);
	assert_int_equal(ask_journal("SELECT count(*) FROM event "
	                             "WHERE kind = 'started'",
	                     0),
	    1);
	assert_int_equal(ask_journal("SELECT count(*) FROM signing "
	                             "WHERE status IN ('asked', 'decided', "
	                             "'signed', 'finished')",
	                     0),
	    0);
	check_log();
	if (seconds > GREETING)
		assert_int_equal(msg_next(silent.channel, &m, &e),
		    HT_ERR_UNAVAILABLE);
	msg_channel_free(silent.channel);
}

static int
enter(void **state)
{
	char command[64], name[8];
	struct ht_error e;
	int i;

	if (scratch_enter(state) != 0 || authenticode_init(&e) < 0)
		return 1;
	endpoint_make();
	endpoint_start();
	for (i = 0; i < CLIENTS; i++) {
		(void)snprintf(name, sizeof(name), "ci%d", i);
		(void)snprintf(command, sizeof(command), "client add %s", name);
		assert_int_equal(endpoint_admin(command, NULL, NULL), 0);
		(void)snprintf(command, sizeof(command), "grant %s test", name);
		assert_int_equal(endpoint_admin(command, NULL, NULL), 0);
		endpoint_certificate(name, "", &storm.certificates[i]);
	}
	endpoint_content(&storm.der);
	return 0;
}

static int
leave(void **state)
{
	int i, status;

	for (i = 0; i < CLIENTS; i++)
		buf_free(&storm.certificates[i]);
	buf_free(&storm.der);
	status = endpoint_stop(SIGTERM);
	return scratch_leave(state) != 0 || status != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyd_stands_the_storm),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

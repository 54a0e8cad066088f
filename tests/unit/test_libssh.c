/*
 * What sshd-sign relies on in libssh, fact by fact: sshd-sign/LIBSSH.md lists
 * them.  Both ends of a connection are libssh's, in this one process, over a
 * socket pair; nothing moves but when a test says so.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "sshd-sign/channel-private.h"
#include "sshd-sign/transport.h"
#include "tests/support/scratch.h"

/* What a round of the tests may take until something has happened. */
#define ROUNDS 100000

struct fixture {
	ssh_bind bind;
	ssh_session server;
	ssh_event event;
	ssh_channel here; /* the server's end of the channel */
	ssh_session client;
	ssh_channel there;
	struct ssh_server_callbacks_struct server_callbacks;
	struct ssh_channel_callbacks_struct channel_callbacks;
	struct ssh_counter_struct packets; /* of the server */
	uint32_t forget; /* what the data callback returns at most */
	uint64_t logged; /* packets.out_packets at the last log line */
	uint32_t kept;   /* bytes that libssh has, by the callback's word */
	uint8_t first;   /* of them */
	unsigned int calls;
	bool eof;
	bool closed;
};

static bool
libssh_since(int major, int minor)
{
	return ssh_version(SSH_VERSION_INT(major, minor, 0)) != NULL;
}

/*
 * --- the server's callbacks -------------------------------------------------
 */

static int
on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
    int is_stderr, void *cookie)
{
	struct fixture *f = cookie;
	uint32_t done = len < f->forget ? len : f->forget;

	(void)session;
	(void)channel;
	assert_int_equal(is_stderr, 0);
	f->calls++;
	f->first = *(uint8_t *)data;
	f->kept = len - done;
	return (int)done;
}

static void
on_eof(ssh_session session, ssh_channel channel, void *cookie)
{
	struct fixture *f = cookie;

	(void)session;
	(void)channel;
	f->eof = true;
}

static void
on_close(ssh_session session, ssh_channel channel, void *cookie)
{
	struct fixture *f = cookie;

	(void)session;
	(void)channel;
	f->closed = true;
}

static int
on_none(ssh_session session, const char *user, void *cookie)
{
	(void)session;
	(void)user;
	(void)cookie;
	return SSH_AUTH_SUCCESS;
}

static ssh_channel
on_channel(ssh_session session, void *cookie)
{
	struct fixture *f = cookie;

	f->here = ssh_channel_new(session);
	ssh_callbacks_init(&f->channel_callbacks);
	f->channel_callbacks.userdata = f;
	f->channel_callbacks.channel_data_function = on_data;
	f->channel_callbacks.channel_eof_function = on_eof;
	f->channel_callbacks.channel_close_function = on_close;
	(void)ssh_set_channel_callbacks(f->here, &f->channel_callbacks);
	return f->here;
}

/*
 * --- a connection
 * -------------------------------------------------------------
 */

static void
serve(struct fixture *f)
{
	int i;

	for (i = 0; i < 64; i++)
		(void)ssh_event_dopoll(f->event, 0);
}

static void
start_server(struct fixture *f, int fd)
{
	static const char *const keygen[] = { "ssh-keygen", "-q", "-t",
		"ed25519", "-N", "", "-f", "host", NULL };
	static const char *const keys[] = { "host" };
	static const struct conf conf = { .single_user = true,
		.ssh = { .host_keys = keys, .nhost_keys = 1 } };
	struct ht_error e;

	if (access("host", F_OK) != 0)
		assert_int_equal(scratch_run(keygen), 0);
	f->bind = transport_new(&conf, &e);
	assert_non_null(f->bind);
	f->server = transport_session(f->bind, fd);
	assert_non_null(f->server);
	ssh_set_auth_methods(f->server, SSH_AUTH_METHOD_NONE);
	ssh_set_counters(f->server, NULL, &f->packets);
	ssh_callbacks_init(&f->server_callbacks);
	f->server_callbacks.userdata = f;
	f->server_callbacks.auth_none_function = on_none;
	f->server_callbacks.channel_open_request_session_function = on_channel;
	assert_int_equal(
	    ssh_set_server_callbacks(f->server, &f->server_callbacks), 0);
	assert_int_not_equal(ssh_handle_key_exchange(f->server), SSH_ERROR);
	f->event = ssh_event_new();
	assert_int_equal(ssh_event_add_session(f->event, f->server), 0);
}

static void
start_client(struct fixture *f, int fd)
{
	f->client = ssh_new();
	assert_non_null(f->client);
	assert_int_equal(ssh_options_set(f->client, SSH_OPTIONS_HOST, "test"),
	    0);
	assert_int_equal(ssh_options_set(f->client, SSH_OPTIONS_FD, &fd), 0);
	ssh_set_blocking(f->client, 0);
	while (ssh_connect(f->client) == SSH_AGAIN)
		serve(f);
	assert_true(ssh_is_connected(f->client));
	while (ssh_userauth_none(f->client, "sign") == SSH_AUTH_AGAIN)
		serve(f);
	f->there = ssh_channel_new(f->client);
	while (ssh_channel_open_session(f->there) == SSH_AGAIN)
		serve(f);
	assert_non_null(f->here);
}

static int
set_up(void **state)
{
	static const int small = 8192; /* less than any window */
	static struct fixture f;
	int pair[2];

	memset(&f, 0, sizeof(f));
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(
	    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
	    0);
	start_server(&f, pair[0]);
	start_client(&f, pair[1]);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	ssh_channel_free(f->there);
	ssh_free(f->client);
	(void)ssh_event_remove_session(f->event, f->server);
	ssh_event_free(f->event);
	(void)ssh_remove_channel_callbacks(f->here, &f->channel_callbacks);
	ssh_channel_free(f->here);
	ssh_free(f->server);
	ssh_bind_free(f->bind);
	return 0;
}

/* The client sends n bytes of a value, as far as its window goes. */
static uint32_t
client_sends(struct fixture *f, uint8_t value, uint32_t n)
{
	static uint8_t bytes[1 << 16];
	uint32_t sent = 0, part;
	int done;

	memset(bytes, value, sizeof(bytes));
	while (sent < n) {
		(void)ssh_channel_poll(f->there, 0);
		part = ssh_channel_window_size(f->there);
		if (part > n - sent)
			part = n - sent;
		if (part > sizeof(bytes))
			part = sizeof(bytes);
		if (part == 0)
			break;
		done = ssh_channel_write(f->there, bytes, part);
		assert_true(done >= 0);
		sent += (uint32_t)done;
		serve(f);
	}
	return sent;
}

/*
 * The client sends until there is no room, and the server keeps it all.  What
 * is taken first opens the window as wide as it gets.
 */
static uint32_t
fill_window(struct fixture *f)
{
	uint32_t sent = 0, more;

	f->forget = UINT32_MAX;
	client_sends(f, 'x', 32000);
	f->forget = 0;
	do {
		more = client_sends(f, 'x', 4 * BACKLOG_MAX);
		sent += more;
	} while (more > 0);
	assert_int_equal(f->kept, sent);
	return sent;
}

/*
 * The server writes until the socket takes no more; the client reads nothing.
 */
static void
fill_socket(struct fixture *f)
{
	static uint8_t bytes[1 << 15];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if ((ssh_get_status(f->server) & SSH_WRITE_PENDING) != 0)
			return;
		assert_true(ssh_channel_window_size(f->here) > 0);
		assert_true(
		    ssh_channel_write(f->here, bytes, sizeof(bytes)) >= 0);
	}
	fail();
}

/*
 * --- data from the client
 * -----------------------------------------------------
 */

static void
callback_has_all_that_is_kept(void **state)
{
	struct fixture *f = *state;

	client_sends(f, 'a', 1000);
	client_sends(f, 'b', 500);
	assert_int_equal(f->kept, 1500);
	assert_int_equal(f->first, 'a');
	f->forget = 1000;
	client_sends(f, 'c', 1);
	assert_int_equal(f->kept, 501);
	client_sends(f, 'd', 1);
	assert_int_equal(f->first, 'b');
}

static void
kept_data_closes_the_window(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = fill_window(f);

	assert_true(sent >= 1000000);
	assert_true(sent <= BACKLOG_MAX);
	assert_int_equal(ssh_channel_window_size(f->there), 0);
}

static void
read_takes_all(void **state)
{
	static uint8_t room[BACKLOG_MAX];
	struct fixture *f = *state;
	uint32_t sent = fill_window(f);

	assert_int_equal(
	    ssh_channel_read_nonblocking(f->here, room, BACKLOG_MAX, 0), sent);
	assert_int_equal(
	    ssh_channel_read_nonblocking(f->here, room, BACKLOG_MAX, 0), 0);
	/* The window is open again, and the callback starts anew. */
	assert_true(client_sends(f, 'y', 100000) > 0);
	assert_int_equal(f->first, 'y');
	assert_int_equal(f->kept, 100000);
}

/* What has come, but was not handled before the read. */
static void
read_handles_packets_since_0_11(void **state)
{
	static uint8_t room[BACKLOG_MAX];
	struct fixture *f = *state;
	unsigned int before;
	uint64_t packets;
	int n;

	client_sends(f, 'a', 1000);
	before = f->calls;
	packets = f->packets.in_packets;
	assert_int_equal(ssh_channel_write(f->there, "bb", 2), 2);
	n = ssh_channel_read_nonblocking(f->here, room, BACKLOG_MAX, 0);
	assert_int_equal(f->calls != before, libssh_since(0, 11));
	assert_int_equal(f->packets.in_packets != packets, libssh_since(0, 11));
	assert_int_equal(n, libssh_since(0, 11) ? 1002 : 1000);
	assert_int_equal(n, f->kept);
}

static void
end_comes_while_data_is_kept(void **state)
{
	static uint8_t room[BACKLOG_MAX];
	struct fixture *f = *state;

	client_sends(f, 'a', 1000);
	assert_int_equal(ssh_channel_send_eof(f->there), SSH_OK);
	serve(f);
	assert_true(f->eof);
	assert_int_equal(f->kept, 1000);
	assert_int_equal(
	    ssh_channel_read_nonblocking(f->here, room, BACKLOG_MAX, 0), 1000);
	assert_int_equal(
	    ssh_channel_read_nonblocking(f->here, room, BACKLOG_MAX, 0),
	    SSH_EOF);
}

/* And before 0.11 a read of more than the window makes it wide. */
static void
kept_data_does_not_open_a_wide_window(void **state)
{
	static uint8_t room[WINDOW_WIDE];
	struct fixture *f = *state;
	uint64_t packets;

	assert_true(
	    ssh_channel_read_timeout(f->here, room, WINDOW_WIDE, 0, 0) <= 0);
	packets = f->packets.out_packets;
	assert_true(client_sends(f, 'a', BACKLOG_MAX) >= 32000);
	assert_int_equal(f->packets.out_packets, packets);
	assert_int_equal(ssh_channel_window_size(f->there), 0);
}

/*
 * --- data for the client
 * --------------------------------------------------------
 */

static void
write_handles_packets(void **state)
{
	struct fixture *f = *state;
	uint64_t packets;

	fill_socket(f);
	packets = f->packets.in_packets;
	assert_int_equal(ssh_channel_send_eof(f->there), SSH_OK);
	assert_false(f->eof);
	assert_true(ssh_channel_write(f->here, "x", 1) >= 0);
	assert_true(f->eof);
	assert_int_equal(f->packets.in_packets, packets + 1);
}

/* The counter has moved by at most one since the last line. */
static void
on_line(int priority, const char *function, const char *line, void *cookie)
{
	struct fixture *f = cookie;

	(void)priority;
	(void)function;
	(void)line;
	assert_in_range(f->packets.out_packets - f->logged, 0, 1);
	f->logged = f->packets.out_packets;
}

static void
write_logs_each_packet(void **state)
{
	static uint8_t bytes[60000]; /* more than a packet takes */
	struct fixture *f = *state;
	uint64_t before = f->packets.out_packets;

	f->logged = before;
	assert_int_equal(ssh_set_log_userdata(f), SSH_OK);
	assert_int_equal(ssh_set_log_callback(on_line), SSH_OK);
	assert_int_equal(ssh_set_log_level(SSH_LOG_PACKET), SSH_OK);
	assert_int_equal(ssh_channel_write(f->here, bytes, sizeof(bytes)),
	    sizeof(bytes));
	assert_int_equal(ssh_set_log_level(SSH_LOG_NOLOG), SSH_OK);
	assert_true(f->logged - before >= 2);
	assert_int_equal(f->logged, f->packets.out_packets);
}

static void
full_socket_says_again(void **state)
{
	static uint8_t bytes[1 << 16];
	struct fixture *f = *state;
	int i;

	fill_socket(f);
	assert_int_equal(ssh_channel_request_send_exit_status(f->here, 66),
	    SSH_OK);
	assert_int_equal(ssh_channel_send_eof(f->here), SSH_AGAIN);
	assert_int_equal(ssh_channel_close(f->here), SSH_AGAIN);
	for (i = 0; i < ROUNDS && !ssh_channel_is_closed(f->there); i++) {
		(void)ssh_channel_read_nonblocking(f->there, bytes,
		    sizeof(bytes), 0);
		serve(f);
	}
	assert_true(ssh_channel_is_closed(f->there));
}

static void
write_to_a_closed_channel_fails_alone(void **state)
{
	struct channel_host host = { .session = NULL };
	struct fixture *f = *state;

	assert_int_equal(ssh_channel_close(f->there), SSH_OK);
	serve(f);
	assert_true(f->closed);
	assert_int_equal(ssh_channel_write(f->here, "x", 1), SSH_ERROR);
	host.session = f->server;
	assert_true(channel_host_connected(&host));
}

/*
 * --- algorithms
 * -------------------------------------------------------------------
 */

static void
unknown_algorithms_are_left_out(void **state)
{
	struct fixture *f = *state;
	const char *kex = ssh_get_kex_algo(f->server);

	assert_non_null(kex);
	if (libssh_since(0, 12))
		assert_string_equal(kex, "mlkem768x25519-sha256");
	else
		assert_non_null(strstr(kex, "curve25519-sha256"));
}

/* The lists as they are sent, before there are keys. */
static void
none_is_all_the_compression(void **state)
{
	static const char version[] = "SSH-2.0-test\r\n";
	struct fixture f;
	char said[4096];
	int pair[2];
	ssize_t n;

	(void)state;
	memset(&f, 0, sizeof(f));
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	start_server(&f, pair[0]);
	n = (ssize_t)strlen(version);
	assert_int_equal(write(pair[1], version, (size_t)n), n);
	serve(&f);
	n = read(pair[1], said, sizeof(said));
	assert_true(n > 0);
	assert_non_null(memmem(said, (size_t)n, "none", 4));
	assert_null(memmem(said, (size_t)n, "zlib", 4));
	(void)ssh_event_remove_session(f.event, f.server);
	ssh_event_free(f.event);
	ssh_free(f.server);
	ssh_bind_free(f.bind);
	(void)close(pair[1]);
}

#define connected(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		connected(callback_has_all_that_is_kept),
		connected(kept_data_closes_the_window),
		connected(read_takes_all),
		connected(kept_data_does_not_open_a_wide_window),
		connected(read_handles_packets_since_0_11),
		connected(end_comes_while_data_is_kept),
		connected(write_handles_packets),
		connected(write_logs_each_packet),
		connected(full_socket_says_again),
		connected(write_to_a_closed_channel_fails_alone),
		connected(unknown_algorithms_are_left_out),
		connected(none_is_all_the_compression),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}

#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "lib/base64.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "sshd-sign/channel.h"
#include "sshd-sign/jail.h"
#include "sshd-sign/network.h"
#include "sshd-sign/relay.h"
#include "sshd-sign/transport.h"

/* How often libssh reads the socket before the pipes are served. */
#define ROUNDS 64

/* The most probes that a client may leave unanswered. */
#define PROBES 3

/*
 * Limits in packets.  LOGIN_MAX: a login takes a dozen, and a few for each key
 * that is tried.  This also limits other methods, which libssh refuses itself.
 * UNSENT_MAX: answers that libssh queues for a client that does not read them.
 */
#define LOGIN_MAX 128
#define UNSENT_MAX 10000

/* How long a client may stay after it got its exit status, in ms. */
#define LINGER 5000

/*
 * Once CHANNEL_HELD_MAX is taken, nothing is read from the client while a channel
 * holds more than this of what its shell has not read, in bytes.
 */
#define HELD_EACH ((size_t)64 << 10)

/*
 * Processor time, in ms: TIME_LEAST, one for each TIME_BYTES that pass in
 * packets, and one for each TIME_ELAPSED ms.  A large file takes a hundredth.
 */
#define TIME_LEAST 10000
#define TIME_BYTES 4096
#define TIME_ELAPSED 20

struct network {
	const struct conf_ssh *conf;
	struct channel_host host;
	struct ssh_server_callbacks_struct callbacks;
	ssh_event event;
	char connection[2 * PROTOCOL_ADDRESS + 2 * NETWORK_PORT + 32];
	char banner[PROTOCOL_TEXT + 32];
	bool authenticated;
	unsigned int attempts;
	struct protocol_session_blob admitted; /* user and key keyd let in */
	struct buf admitted_key;
	struct channel *channels[RELAY_SESSIONS_MAX];
	size_t nchannels;
	uint32_t number; /* of the last channel */
	bool started;    /* a command has come */
	bool stirred;    /* packets came while channels were served */
	bool draining;
	bool writable;       /* the socket takes bytes */
	bool gone;           /* the client has closed the connection */
	const char *goodbye; /* why we end the connection, or NULL */
	uint64_t began;      /* loop_now() */
	uint64_t checked;    /* loop_now() when the processor time was read */
	uint64_t sent;       /* out_packets when none was pending */
	uint64_t received;   /* in_packets at the last check */
	uint64_t heard;      /* loop_now() when the client last sent */
	uint64_t probed;     /* loop_now() of the last probe */
	unsigned int probes; /* probes without an answer */
	uint64_t busy;       /* loop_now() when a command last was active */
};

/* --- the listener ------------------------------------------------------ */

static bool
has_ended(const struct network *n)
{
	return n->host.end.code != 0;
}

static struct channel *
find_channel(const struct network *n, uint32_t number)
{
	size_t i;

	for (i = 0; i < n->nchannels; i++)
		if (channel_number(n->channels[i]) == number)
			return n->channels[i];
	return NULL;
}

static void
take_refused(struct channel *c, struct cursor payload)
{
	union protocol_body body;

	if (protocol_decode(PROTOCOL_REFUSE, payload, &body) < 0)
		body.refuse.status = (uint32_t)-HT_ERR_INTERNAL;
	channel_refused(c, &body.refuse);
}

static void
answer_ping(struct network *n)
{
	struct ht_error e;

	if (relay_send(n->host.relay, RELAY_PONG, 0, cursor_over(NULL, 0), NULL,
	        &e) < 0)
		channel_host_end(&n->host, e.code, "%s", e.text);
}

/*
 * A channel stays until its REFUSED or EXITED has come.  So the listener never
 * names a channel that is gone.
 */
static void
take_message(struct network *n, const struct relay_message *m)
{
	struct cursor payload = m->payload;
	struct channel *c = find_channel(n, m->channel);
	uint32_t status;

	if (m->type == RELAY_DRAIN)
		n->draining = true;
	else if (m->type == RELAY_PING)
		answer_ping(n);
	else if (c == NULL)
		channel_host_end(&n->host, HT_ERR_INTERNAL,
		    "the listener speaks of channel %u, which is none",
		    (unsigned int)m->channel);
	else if (m->type == RELAY_STARTED)
		channel_started(c, m->fd);
	else if (m->type == RELAY_REFUSED)
		take_refused(c, payload);
	else if (m->type == RELAY_EXITED &&
	    cursor_u32be(&payload, &status) == 0)
		channel_exited(c, (int)status);
}

/* Wait for one message.  If the listener is gone, the connection ends. */
static int
receive(struct network *n, struct relay_message *m)
{
	struct ht_error e;
	int rc = relay_receive(n->host.relay, RELAY_LISTENER, m, &e);

	if (rc < 0)
		channel_host_end(&n->host,
		    rc == HT_ERR_DATA ? HT_ERR_INTERNAL : rc, "%s", e.text);
	return rc;
}

/* --- authentication ---------------------------------------------------- */

static int
key_blob(ssh_key key, struct buf *blob)
{
	char *text = NULL;
	int rc;

	if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
		return HT_ERR_DATA;
	rc = base64_decode(cursor_over(text, strlen(text)), BASE64_STANDARD,
	    blob);
	ssh_string_free_char(text);
	return rc;
}

/* Ask keyd and wait for its answer.  Nothing else is served meanwhile. */
static bool
ask(struct network *n, const struct protocol_session_blob *login)
{
	static struct relay_message m;
	struct buf out = BUF_INIT;
	struct ht_error e;
	int rc;

	protocol_session_put(&out, login);
	rc = buf_failed(&out);
	if (rc == 0 && out.len <= PROTOCOL_SESSION_MAX)
		rc = relay_send(n->host.relay, RELAY_LOGIN, 0, buf_cursor(&out),
		    NULL, &e);
	else
		rc = HT_ERR_DATA;
	buf_free(&out);
	if (rc < 0)
		return false;
	while (receive(n, &m) == 1) {
		if (m.type == RELAY_ADMIT || m.type == RELAY_DENY)
			return m.type == RELAY_ADMIT;
		take_message(n, &m);
	}
	return false;
}

static bool
is_admitted(const struct network *n, const struct protocol_session_blob *login)
{
	return n->admitted_key.len > 0 &&
	    n->admitted_key.len == login->key.left &&
	    memcmp(n->admitted_key.data, login->key.p, login->key.left) == 0 &&
	    strcmp(n->admitted.user, login->user) == 0;
}

/*
 * Whether keyd admits this key and user name.  Each question to keyd counts as
 * an attempt.  The last admitted login is not asked again, so it counts once.
 */
static bool
admit(struct network *n, const struct protocol_session_blob *login)
{
	if (is_admitted(n, login))
		return true;
	buf_reset(&n->admitted_key);
	if (n->attempts >= n->conf->max_auth_tries) {
		n->goodbye = "too many authentication failures";
		return false;
	}
	n->attempts++;
	if (!ask(n, login))
		return false;
	n->admitted = *login;
	buf_bytes(&n->admitted_key, login->key.p, login->key.left);
	return buf_failed(&n->admitted_key) == 0;
}

/* The line that the client has sent first, as far as it can be recorded. */
static void
take_banner(struct network *n)
{
	const char *banner = ssh_get_clientbanner(n->host.session);
	char *at;

	(void)snprintf(n->banner, sizeof(n->banner), "SSH_CLIENT_BANNER=%.*s",
	    PROTOCOL_TEXT - 1, banner != NULL ? banner : "");
	for (at = n->banner; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	n->host.banner = n->banner;
}

static void
set_authenticated(struct network *n)
{
	struct ht_error e;

	if (relay_send(n->host.relay, RELAY_AUTHENTICATED, 0,
	        cursor_over(NULL, 0), NULL, &e) < 0) {
		channel_host_end(&n->host, e.code, "%s", e.text);
		return;
	}
	take_banner(n);
	memcpy(n->host.user, n->admitted.user, sizeof(n->host.user));
	n->host.key = n->admitted_key;
	memset(&n->admitted_key, 0, sizeof(n->admitted_key));
	n->busy = loop_now();
	n->authenticated = true;
}

static bool
is_sk(ssh_key key)
{
	const char *name = ssh_key_type_to_char(ssh_key_type(key));

	return name != NULL && strncmp(name, "sk-", 3) == 0;
}

/*
 * libssh calls this when a client asks whether a key would do, and again after
 * it has verified the client's signature.  Only the second call authenticates.
 */
static int
on_key(ssh_session session, const char *user, struct ssh_key_struct *key,
    char state, void *cookie)
{
	struct network *n = cookie;
	struct protocol_session_blob login;
	struct buf blob = BUF_INIT;
	bool good;

	(void)session;
	memset(&login, 0, sizeof(login));
	if (n->authenticated || n->goodbye != NULL || has_ended(n) ||
	    (state != SSH_PUBLICKEY_STATE_NONE &&
	        state != SSH_PUBLICKEY_STATE_VALID) ||
	    strlen(user) >= sizeof(login.user) ||
	    (is_sk(key) && !n->conf->allow_sk))
		return SSH_AUTH_DENIED;
	memcpy(login.user, user, strlen(user));
	good = key_blob(key, &blob) == 0;
	login.key = buf_cursor(&blob);
	good = good && admit(n, &login);
	buf_free(&blob);
	if (good && state == SSH_PUBLICKEY_STATE_VALID)
		set_authenticated(n);
	return good && !has_ended(n) ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

/*
 * Without this callback libssh would pass a stranger's bytes to the Kerberos
 * libraries, although the method is not offered.
 */
static ssh_string
on_gssapi(ssh_session session, const char *user, int noid, ssh_string *oids,
    void *cookie)
{
	(void)session;
	(void)user;
	(void)noid;
	(void)oids;
	(void)cookie;
	return NULL;
}

/* --- channels ---------------------------------------------------------- */

static ssh_channel
on_channel(ssh_session session, void *cookie)
{
	struct network *n = cookie;
	struct channel *c;

	(void)session;
	if (!n->authenticated || n->draining || n->goodbye != NULL ||
	    n->nchannels >= RELAY_SESSIONS_MAX)
		return NULL;
	c = channel_open(&n->host, ++n->number);
	if (c == NULL)
		return NULL;
	n->channels[n->nchannels++] = c;
	return channel_ssh(c);
}

/*
 * Serve all channels and drop those that are over.  Reads and writes of libssh
 * may handle packets, also for a channel that was served already.  Then stirred
 * is set.
 */
static void
serve_channels(struct network *n)
{
	uint64_t packets = n->host.packets.in_packets;
	size_t i = 0;

	while (i < n->nchannels && !has_ended(n)) {
		channel_serve(n->channels[i]);
		if (channel_active(n->channels[i])) {
			n->started = true;
			n->busy = loop_now();
		}
		if (channel_over(n->channels[i])) {
			channel_drop(n->channels[i]);
			n->channels[i] = n->channels[--n->nchannels];
		} else {
			i++;
		}
	}
	n->stirred = n->host.packets.in_packets != packets;
}

static bool
is_busy(const struct network *n)
{
	size_t i;

	for (i = 0; i < n->nchannels; i++)
		if (channel_active(n->channels[i]))
			return true;
	return false;
}

/*
 * Whether to read from the client.  The shells go on with what they have, so
 * what is held gets less.  A client that is gone is read to the end.
 */
static bool
may_read(const struct network *n)
{
	size_t i;

	if (n->host.held < CHANNEL_HELD_MAX || n->gone)
		return true;
	for (i = 0; i < n->nchannels; i++)
		if (channel_holds(n->channels[i]) > HELD_EACH)
			return false;
	return true;
}

/* --- time -------------------------------------------------------------- */

/* The sooner of two times; 0 means never. */
static uint64_t
sooner(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

static uint64_t
probe_due(const struct network *n)
{
	uint64_t last = n->probed > n->heard ? n->probed : n->heard;

	if (n->conf->keepalive == 0 || !n->authenticated)
		return 0;
	return last + (uint64_t)n->conf->keepalive * 1000;
}

/* A client that does not take its output counts as idle. */
static uint64_t
stuck_due(const struct network *n)
{
	uint64_t first = 0;
	size_t i;

	for (i = 0; i < n->nchannels; i++)
		first = sooner(first, channel_stuck(n->channels[i]));
	return first == 0 ? 0 : first + (uint64_t)n->conf->idle * 1000;
}

static uint64_t
idle_due(const struct network *n)
{
	if (!n->authenticated || is_busy(n))
		return 0;
	if (n->draining)
		return n->busy + (n->nchannels > 0 ? LINGER : 1);
	return n->busy + (uint64_t)n->conf->idle * 1000;
}

/* The timeout for poll(2).  Before the login the listener has the timer. */
static int
timeout(const struct network *n)
{
	uint64_t due = sooner(probe_due(n), idle_due(n)), now = loop_now();

	due = sooner(due, stuck_due(n));
	if (due == 0)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

/*
 * Send a probe, which the client must answer.  libssh needs one call to take in
 * the last answer, and another one to send the next probe.
 */
static void
probe(struct network *n)
{
	if (n->probed <= n->heard)
		n->probes = 0;
	if (n->probes++ == PROBES) {
		n->goodbye = "the client does not answer";
		return;
	}
	(void)ssh_send_keepalive(n->host.session);
	(void)ssh_send_keepalive(n->host.session);
	n->probed = loop_now();
}

static void
check_times(struct network *n)
{
	uint64_t now = loop_now(), due;

	due = probe_due(n);
	if (due != 0 && due <= now)
		probe(n);
	due = idle_due(n);
	if (due != 0 && due <= now)
		n->goodbye = n->draining ? "the server is being stopped"
		                         : "idle for too long";
	due = stuck_due(n);
	if (due != 0 && due <= now)
		n->goodbye = "the client does not read";
}

static void
check_packets(struct network *n)
{
	bool waits = (ssh_get_status(n->host.session) & SSH_WRITE_PENDING) != 0;

	/* libssh reads packets in many calls, so compare its counter. */
	if (n->host.packets.in_packets != n->received)
		n->heard = loop_now();
	n->received = n->host.packets.in_packets;
	if (!waits)
		n->sent = n->host.packets.out_packets;
	else if (n->host.packets.out_packets - n->sent > UNSENT_MAX)
		channel_host_end(&n->host, HT_ERR_DATA,
		    "the client takes no answers");
	if (!n->authenticated && n->host.packets.in_packets > LOGIN_MAX)
		n->goodbye = "too many authentication failures";
}

/* Reading this clock is a system call, so it is done once a second. */
static void
check_processor(struct network *n)
{
	uint64_t bytes = n->host.packets.in_bytes + n->host.packets.out_bytes;
	uint64_t now = loop_now();
	struct timespec used;

	if (now - n->checked < 1000)
		return;
	n->checked = now;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 &&
	    (uint64_t)used.tv_sec * 1000 > TIME_LEAST + bytes / TIME_BYTES +
	            (now - n->began) / TIME_ELAPSED)
		channel_host_end(&n->host, HT_ERR_DATA,
		    "the client takes too much processor time");
}

/* --- the loop ---------------------------------------------------------- */

/*
 * libssh has given up.  If no algorithm fits, its text has the list's name and
 * both lists: "no match for method NAME: server [...], client [...]".
 */
static void
end_by_libssh(struct network *n)
{
	static const char unfit[] = "no match for method ";
	const char *text = ssh_get_error(n->host.session);
	const char *list = strstr(text, unfit), *hint = "";
	const char *offer = strstr(text, "client [");

	if (list == NULL || offer == NULL) {
		channel_host_end(&n->host, HT_ERR_UNAVAILABLE,
		    "the connection ended: %s", text);
		return;
	}
	list += strlen(unfit);
	if (!n->conf->compatible && strstr(offer, TRANSPORT_COMPATIBLE) != NULL)
		hint =
		    "; ssh.compatible = true would add " TRANSPORT_COMPATIBLE;
	channel_host_end(&n->host, HT_ERR_REFUSED,
	    "no algorithm fits (%.*s)%s; %s", (int)strcspn(list, ":"), list,
	    hint, offer);
}

/*
 * Let libssh read and write while it has work.  It must not wait here, since it
 * does not watch the other descriptors.  It cannot write without reading.
 */
static void
pump(struct network *n)
{
	int i, rc = SSH_OK;

	if (!may_read(n) && n->writable)
		rc = ssh_event_dopoll(n->event, 0);
	for (i = 0; i < ROUNDS && rc == SSH_OK && may_read(n); i++)
		rc = ssh_event_dopoll(n->event, 0);
	if (rc == SSH_ERROR || !channel_host_connected(&n->host))
		end_by_libssh(n);
}

/* Acknowledge TCP at once: each step of a login waits for the last one. */
static void
acknowledge_quickly(void)
{
	const int on = 1;

	(void)setsockopt(JAIL_SOCKET, IPPROTO_TCP, TCP_QUICKACK, &on,
	    sizeof(on));
}

static void
wait_for_something(struct network *n, bool *relayed)
{
	struct pollfd p[2 + RELAY_SESSIONS_MAX * CHANNEL_POLLS];
	int flags = ssh_get_poll_flags(n->host.session);
	nfds_t used = 2;
	size_t i;

	memset(p, 0, sizeof(p));
	p[0].fd = JAIL_SOCKET;
	p[0].events = may_read(n) ? POLLIN : POLLRDHUP;
	if ((flags & SSH_WRITE_PENDING) != 0)
		p[0].events |= POLLOUT;
	p[1].fd = n->host.relay;
	p[1].events = POLLIN;
	for (i = 0; i < n->nchannels; i++, used += CHANNEL_POLLS)
		channel_polls(n->channels[i], &p[used]);
	if (!n->started)
		acknowledge_quickly();
	if (poll(p, used, n->stirred ? 0 : timeout(n)) < 0)
		memset(p, 0, sizeof(p));
	*relayed = p[1].revents != 0;
	n->writable = (p[0].revents & POLLOUT) != 0;
	if ((p[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
		n->gone = true;
}

static void
run(struct network *n)
{
	static struct relay_message m;
	bool relayed;

	while (!has_ended(n) && n->goodbye == NULL) {
		wait_for_something(n, &relayed);
		if (relayed && receive(n, &m) == 1)
			take_message(n, &m);
		pump(n);
		serve_channels(n);
		check_times(n);
		check_packets(n);
		check_processor(n);
	}
	if (n->goodbye == NULL || has_ended(n))
		return;
	pump(n);
	ssh_session_set_disconnect_message(n->host.session, n->goodbye);
	ssh_disconnect(n->host.session);
}

static int
begin(struct network *n, ssh_bind bind, struct ht_error *e)
{
	const int on = 1;

	(void)setsockopt(JAIL_SOCKET, IPPROTO_TCP, TCP_NODELAY, &on,
	    sizeof(on));
	if (proc_nonblock(JAIL_SOCKET, e) < 0)
		return e->code;
	n->host.session = transport_session(bind, JAIL_SOCKET);
	n->event = ssh_event_new();
	if (n->host.session == NULL || n->event == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "libssh: no session");
	ssh_set_counters(n->host.session, NULL, &n->host.packets);
	ssh_callbacks_init(&n->callbacks);
	n->callbacks.userdata = n;
	n->callbacks.auth_pubkey_function = on_key;
	n->callbacks.gssapi_select_oid_function = on_gssapi;
	n->callbacks.channel_open_request_session_function = on_channel;
	if (ssh_set_server_callbacks(n->host.session, &n->callbacks) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "libssh: %s",
		    ssh_get_error(n->host.session));
	if (ssh_handle_key_exchange(n->host.session) == SSH_ERROR)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "%s",
		    ssh_get_error(n->host.session));
	if (ssh_event_add_session(n->event, n->host.session) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "libssh: no events");
	return 0;
}

/* A client that leaves while nothing runs for it is no error. */
static bool
is_news(const struct network *n)
{
	return has_ended(n) &&
	    (n->host.end.code != HT_ERR_UNAVAILABLE || is_busy(n));
}

void
network_run(ssh_bind bind, const struct conf_ssh *conf,
    const struct network_peer *peer)
{
	static struct network n;

	n.conf = conf;
	n.host.relay = JAIL_RELAY;
	(void)snprintf(n.connection, sizeof(n.connection),
	    "SSH_CONNECTION=%s %s %s %s", peer->address, peer->port,
	    peer->local, peer->local_port);
	n.host.connection = n.connection;
	n.began = n.heard = loop_now();
	if (begin(&n, bind, &n.host.end) == 0)
		run(&n);
	if (is_news(&n))
		relay_send_failed(n.host.relay, &n.host.end);
}

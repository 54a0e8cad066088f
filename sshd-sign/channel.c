#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <libssh/libssh.h>
#include <libssh/server.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "sshd-sign/channel-private.h"

/* The variables that a client may set. */
static const char *const variables[] = { "HTSIGN_DESCRIPTION", "HTSIGN_NAME",
	"HTSIGN_URL" };
#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

static void
on_eof(ssh_session session, ssh_channel ssh, void *cookie)
{
	struct channel *c = cookie;

	(void)session;
	(void)ssh;
	c->client_eof = true;
}

static void
on_close(ssh_session session, ssh_channel ssh, void *cookie)
{
	struct channel *c = cookie;

	(void)session;
	(void)ssh;
	c->client_closed = true;
}

/*
 * Each of these calls may handle packets, so the state comes first.
 *
 * SSH_AGAIN is as good as SSH_OK: the packet is queued for the socket.  But if
 * ssh_channel_close() gets SSH_AGAIN for its EOF, it sends no close.  So the
 * EOF is sent first.
 */
static void
finish(struct channel *c)
{
	channel_close_stream(&c->in);
	channel_widen(c);
	c->state = FINISHED;
	if (ssh_channel_request_send_exit_status(c->ssh, c->status) ==
	        SSH_ERROR ||
	    ssh_channel_send_eof(c->ssh) == SSH_ERROR ||
	    ssh_channel_close(c->ssh) == SSH_ERROR)
		channel_cannot(c, "end a channel");
}

/* --- requests ---------------------------------------------------------- */

static bool
set_variable(struct channel *c, const char *name, const char *value)
{
	struct buf text = BUF_INIT;
	bool done;

	buf_format(&text, "%s=%s", name, value);
	buf_string(&c->environment, text.data, text.len);
	done = buf_failed(&text) == 0 && buf_failed(&c->environment) == 0;
	buf_free(&text);
	return done;
}

/* Returns 1 to refuse.  A variable has one value, so it is set only once. */
static int
on_env(ssh_session session, ssh_channel ssh, const char *name,
    const char *value, void *cookie)
{
	struct channel *c = cookie;
	size_t i;

	(void)session;
	(void)ssh;
	for (i = 0; i < VARIABLES; i++)
		if (strcmp(name, variables[i]) == 0)
			break;
	if (c->state != OPENED || i == VARIABLES || (c->set & 1U << i) != 0)
		return 1;
	c->set |= 1U << i;
	return set_variable(c, name, value) ? 0 : 1;
}

/* Ask the listener for a shell.  command is "" if the client gave none. */
static int
on_command(struct channel *c, const char *command)
{
	struct protocol_session_blob blob;
	struct buf out = BUF_INIT;
	int refused = 1;

	if (c->state != OPENED || c->lost ||
	    (command[0] != '\0' &&
	        !set_variable(c, "SSH_ORIGINAL_COMMAND", command)))
		return 1;
	buf_text(&c->environment, c->host->connection);
	buf_text(&c->environment, c->host->banner);
	memcpy(blob.user, c->host->user, sizeof(blob.user));
	blob.key = buf_cursor(&c->host->key);
	blob.environment = buf_cursor(&c->environment);
	protocol_session_put(&out, &blob);
	if (buf_failed(&c->environment) == 0 && buf_failed(&out) == 0 &&
	    out.len <= PROTOCOL_SESSION_MAX) {
		channel_say(c, RELAY_SESSION, buf_cursor(&out));
		c->state = ASKED;
		refused = 0;
	}
	buf_free(&out);
	return refused;
}

static int
on_exec(ssh_session session, ssh_channel ssh, const char *command, void *cookie)
{
	(void)session;
	(void)ssh;
	return on_command(cookie, command);
}

static int
on_shell(ssh_session session, ssh_channel ssh, void *cookie)
{
	(void)session;
	(void)ssh;
	return on_command(cookie, "");
}

/* The shell says that there is no SFTP, and what to type instead. */
static int
on_subsystem(ssh_session session, ssh_channel ssh, const char *subsystem,
    void *cookie)
{
	(void)session;
	(void)ssh;
	return strcmp(subsystem, "sftp") == 0 ? on_command(cookie, "sftp") : 1;
}

/* Who asks for a terminal gets none, but is known to be a person. */
static int
on_pty(ssh_session session, ssh_channel ssh, const char *type, int width,
    int height, int pixels_wide, int pixels_high, void *cookie)
{
	struct channel *c = cookie;

	(void)session;
	(void)ssh;
	(void)type;
	(void)width;
	(void)height;
	(void)pixels_wide;
	(void)pixels_high;
	if (c->state == OPENED && !c->asked_terminal)
		c->asked_terminal = set_variable(c, "SSH_TTY", "refused");
	return 1;
}

/* --- life -------------------------------------------------------------- */

struct channel *
channel_open(struct channel_host *host, uint32_t number)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->host = host;
	c->number = number;
	c->environment.limit = PROTOCOL_SESSION_MAX;
	if (channel_make_streams(c) < 0)
		goto fail;
	c->ssh = ssh_channel_new(host->session);
	if (c->ssh == NULL)
		goto fail;
	ssh_callbacks_init(&c->callbacks);
	c->callbacks.userdata = c;
	c->callbacks.channel_data_function = channel_on_data;
	c->callbacks.channel_eof_function = on_eof;
	c->callbacks.channel_close_function = on_close;
	c->callbacks.channel_env_request_function = on_env;
	c->callbacks.channel_exec_request_function = on_exec;
	c->callbacks.channel_shell_request_function = on_shell;
	c->callbacks.channel_subsystem_request_function = on_subsystem;
	c->callbacks.channel_pty_request_function = on_pty;
	if (ssh_set_channel_callbacks(c->ssh, &c->callbacks) == SSH_OK)
		return c;
fail:
	channel_drop(c);
	return NULL;
}

void
channel_drop(struct channel *c)
{
	if (c->ssh != NULL) {
		(void)ssh_remove_channel_callbacks(c->ssh, &c->callbacks);
		ssh_channel_free(c->ssh);
	}
	channel_free_streams(c);
	buf_free(&c->environment);
	free(c);
}

ssh_channel
channel_ssh(const struct channel *c)
{
	return c->ssh;
}

uint32_t
channel_number(const struct channel *c)
{
	return c->number;
}

void
channel_started(struct channel *c, const int fds[RELAY_FDS])
{
	c->taken = loop_now();
	c->in.fd = fds[0];
	c->out.fd = fds[1];
	c->err.fd = fds[2];
	if (c->state == ASKED) {
		c->state = RUNNING;
		return;
	}
	channel_close_stream(&c->in);
	channel_close_stream(&c->out);
	channel_close_stream(&c->err);
}

void
channel_refused(struct channel *c, const struct protocol_refuse *refusal)
{
	char text[4 * PROTOCOL_TEXT];
	struct buf line = BUF_INIT;

	(void)log_escape(text, sizeof(text), refusal->text,
	    strlen(refusal->text));
	buf_format(&line, "%s", text);
	if (refusal->retry != 0)
		buf_format(&line, "; try again in %u s",
		    (unsigned int)refusal->retry);
	if (refusal->number != 0)
		buf_format(&line, " (request %llu)",
		    (unsigned long long)refusal->number);
	buf_u8(&line, '\0');
	channel_put_line(c,
	    buf_failed(&line) == 0 ? (const char *)line.data : text);
	buf_free(&line);
	c->taken = loop_now();
	c->exited = true;
	c->status = (int)refusal->status;
	if (c->state == ASKED)
		c->state = RUNNING;
}

void
channel_exited(struct channel *c, int status)
{
	c->exited = true;
	c->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
channel_polls(const struct channel *c, struct pollfd p[CHANNEL_POLLS])
{
	bool full = !channel_stream_empty(&c->in) || c->waiting > 0;

	p[0].fd = full ? c->in.fd : -1;
	p[0].events = POLLOUT;
	p[1].fd = channel_may_fill(c, &c->out) ? c->out.fd : -1;
	p[1].events = POLLIN;
	p[2].fd = channel_may_fill(c, &c->err) ? c->err.fd : -1;
	p[2].events = POLLIN;
}

/* The client left before its command ended: kill the shell. */
static void
leave(struct channel *c)
{
	if (!c->exited)
		channel_say(c, RELAY_KILL, cursor_over(NULL, 0));
	channel_close_stream(&c->in);
	channel_close_stream(&c->out);
	channel_close_stream(&c->err);
	c->state = LEFT;
}

/* A key exchange that the client does not end keeps output back, too. */
static bool
is_stalled(const struct channel *c)
{
	return !channel_takes_output(c) || !channel_stream_empty(&c->out) ||
	    !channel_stream_empty(&c->err);
}

void
channel_serve(struct channel *c)
{
	if (c->client_closed && (c->state == ASKED || c->state == RUNNING))
		leave(c);
	if (c->state != RUNNING)
		return;
	if (!is_stalled(c))
		c->taken = loop_now();
	channel_push_input(c);
	channel_serve_output(c, &c->out);
	channel_serve_output(c, &c->err);
	if (!c->exited || c->out.fd >= 0 || c->err.fd >= 0 ||
	    !channel_stream_empty(&c->out) || !channel_stream_empty(&c->err))
		return;
	if (c->status < 0) {
		/* The shell died of a signal and could not say so itself. */
		channel_put_line(c,
		    "internal error: the session ended abnormally");
		c->status = -HT_ERR_INTERNAL;
		channel_drain(c, &c->err);
	}
	if (channel_stream_empty(&c->err))
		finish(c);
}

uint64_t
channel_stuck(const struct channel *c)
{
	return c->state == RUNNING && is_stalled(c) ? c->taken : 0;
}

size_t
channel_holds(const struct channel *c)
{
	if (c->in.fd < 0 && c->state != ASKED)
		return 0;
	return c->waiting + (c->in.end - c->in.at);
}

bool
channel_active(const struct channel *c)
{
	return c->state == ASKED || c->state == RUNNING ||
	    (c->state == LEFT && !c->exited);
}

bool
channel_over(const struct channel *c)
{
	return c->client_closed && !channel_active(c);
}

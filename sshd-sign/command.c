#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "sshd-sign/command.h"

/* Moved at a time, in bytes. */
#define PIECE ((size_t)64 << 10)

/*
 * libssh takes what a client sends beyond its window of 1.28 MB.  Such a one
 * is no client of ours.
 */
#define BACKLOG_MAX ((uint32_t)2 << 20)

/* What the client may set, besides its command. */
static const char *const variables[] = { "HTSIGN_DESCRIPTION", "HTSIGN_NAME",
	"HTSIGN_URL" };
#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

enum state {
	OPENED,  /* may get an environment, and a command */
	ASKED,   /* the listener has the command; no answer yet */
	RUNNING, /* there is a shell */
	LEFT,    /* the client is gone; the shell is being killed */
	FINISHED /* exit status and close are sent */
};

/* Bytes on their way from or to a descriptor; -1 is a closed one. */
struct stream {
	int fd;
	uint8_t *data;
	size_t size; /* of data, bytes */
	size_t at;
	size_t end;
};

struct command {
	struct command_host *host;
	uint32_t number;
	ssh_channel ssh;
	struct ssh_channel_callbacks_struct callbacks;
	enum state state;
	struct buf environment; /* "NAME=value" strings */
	unsigned int set;       /* bits of variables */
	struct stream in;       /* to stdin: what the pipe did not take */
	size_t waiting;         /* bytes for stdin that libssh still has */
	struct stream out;
	struct stream err;
	uint64_t taken; /* loop_now() when the client took output */
	bool client_eof;
	bool client_closed;
	bool exited;
	int status; /* exit status, valid if exited */
};

static void
say(struct command *c, enum relay_type type, struct cursor payload)
{
	struct ht_error e;

	if (relay_send(c->host->relay, type, c->number, payload, NULL, &e) < 0)
		c->host->broken = true;
}

static void
close_stream(struct stream *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

static bool
is_empty(const struct stream *s)
{
	return s->at == s->end;
}

/* --- from the client to stdin ------------------------------------------ */

/* What the pipe takes now; the shell may have closed it, which is no error. */
static size_t
write_input(struct command *c, const uint8_t *p, size_t n)
{
	ssize_t done;

	do {
		done = write(c->in.fd, p, n);
	} while (done < 0 && errno == EINTR);
	if (done >= 0)
		return (size_t)done;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		close_stream(&c->in);
	return 0;
}

/* All of it has come and gone: the shell may see the end. */
static void
end_input(struct command *c)
{
	close_stream(&c->in);
	say(c, RELAY_END, cursor_over(NULL, 0));
}

/*
 * Take all that libssh kept, up to BACKLOG_MAX.  Never a part of it: each read
 * opens the client's window again, whatever libssh still has.
 */
static int
take_waiting(struct command *c)
{
	struct stream *in = &c->in;
	uint8_t *more;
	int n;

	if (in->size < c->waiting) {
		more = realloc(in->data, c->waiting);
		if (more == NULL)
			return HT_ERR_INTERNAL;
		in->data = more;
		in->size = c->waiting;
	}
	n = ssh_channel_read_nonblocking(c->ssh, in->data, (uint32_t)c->waiting,
	    0);
	if (n < 0 || (size_t)n != c->waiting)
		return HT_ERR_INTERNAL;
	c->waiting = 0;
	in->at = 0;
	in->end = (size_t)n;
	return 0;
}

/* What came while the pipe was full. */
static void
push_input(struct command *c)
{
	struct stream *in = &c->in;

	while (in->fd >= 0 && (!is_empty(in) || c->waiting > 0)) {
		if (is_empty(in) && take_waiting(c) < 0) {
			c->host->broken = true;
			return;
		}
		in->at += write_input(c, in->data + in->at, in->end - in->at);
		if (!is_empty(in))
			return;
	}
	if (in->fd >= 0 && c->client_eof)
		end_input(c);
}

/*
 * libssh has len bytes in all.  The number returned is what it may forget;
 * the rest counts against the client's window.
 */
static int
on_data(ssh_session session, ssh_channel ssh, void *data, uint32_t len,
    int is_stderr, void *cookie)
{
	struct command *c = cookie;
	size_t done = 0;

	(void)session;
	(void)ssh;
	if (is_stderr)
		return (int)len;
	if (len > BACKLOG_MAX)
		c->host->broken = true;
	else if (c->in.fd >= 0 && is_empty(&c->in))
		done = write_input(c, data, len);
	c->waiting = len - done;
	return (int)done;
}

static void
on_eof(ssh_session session, ssh_channel ssh, void *cookie)
{
	struct command *c = cookie;

	(void)session;
	(void)ssh;
	c->client_eof = true;
}

static void
on_close(ssh_session session, ssh_channel ssh, void *cookie)
{
	struct command *c = cookie;

	(void)session;
	(void)ssh;
	c->client_closed = true;
}

/* --- from the shell to the client -------------------------------------- */

/* A short write is no error: the window, or a key exchange under way. */
static void
drain(struct command *c, struct stream *s)
{
	int (*const send)(ssh_channel, const void *, uint32_t) =
	    s == &c->err ? ssh_channel_write_stderr : ssh_channel_write;
	size_t n = s->end - s->at;
	uint32_t window = ssh_channel_window_size(c->ssh);
	int done;

	if (n > window)
		n = window;
	if (n == 0)
		return;
	done = send(c->ssh, s->data + s->at, (uint32_t)n);
	if (done < 0)
		c->host->broken = true;
	else
		s->at += (size_t)done;
	if (done > 0)
		c->taken = loop_now();
}

/*
 * Whether the client takes more: libssh would keep any amount for a socket
 * that takes none.
 */
static bool
takes_output(const struct command *c)
{
	return ssh_channel_window_size(c->ssh) > 0 &&
	    (ssh_get_status(c->host->session) & SSH_WRITE_PENDING) == 0;
}

static bool
may_fill(const struct command *c, const struct stream *s)
{
	return s->fd >= 0 && is_empty(s) && c->state == RUNNING &&
	    takes_output(c);
}

static void
fill(struct stream *s)
{
	ssize_t n = read(s->fd, s->data, s->size);

	if (n > 0) {
		s->at = 0;
		s->end = (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_stream(s);
	}
}

static void
serve_output(struct command *c, struct stream *s)
{
	drain(c, s);
	if (may_fill(c, s)) {
		fill(s);
		drain(c, s);
	}
}

/* A line of ours for stderr, behind whatever the shell wrote there. */
static void
put_line(struct command *c, const char *text)
{
	int n =
	    snprintf((char *)c->err.data, c->err.size, "sshd-sign: %s\n", text);

	c->err.at = 0;
	c->err.end = n < 0 ? 0 : (size_t)n;
}

static void
finish(struct command *c)
{
	if (ssh_channel_request_send_exit_status(c->ssh, c->status) < 0 ||
	    ssh_channel_send_eof(c->ssh) < 0 || ssh_channel_close(c->ssh) < 0)
		c->host->broken = true;
	close_stream(&c->in);
	c->state = FINISHED;
}

/* --- requests ---------------------------------------------------------- */

static bool
set_variable(struct command *c, const char *name, const char *value)
{
	struct buf text = BUF_INIT;
	bool done;

	buf_format(&text, "%s=%s", name, value);
	buf_string(&c->environment, text.data, text.len);
	done = buf_failed(&text) == 0 && buf_failed(&c->environment) == 0;
	buf_free(&text);
	return done;
}

/* Refusing is 1.  Each may be set once, so that there are no two meanings. */
static int
on_env(ssh_session session, ssh_channel ssh, const char *name,
    const char *value, void *cookie)
{
	struct command *c = cookie;
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

/* A command for htsign-shell; "" for none. */
static int
on_command(struct command *c, const char *command)
{
	struct protocol_session_blob blob;
	struct buf out = BUF_INIT;
	int refused = 1;

	if (c->state != OPENED ||
	    (command[0] != '\0' &&
	        !set_variable(c, "SSH_ORIGINAL_COMMAND", command)))
		return 1;
	buf_text(&c->environment, c->host->connection);
	memcpy(blob.user, c->host->user, sizeof(blob.user));
	blob.key = buf_cursor(&c->host->key);
	blob.environment = buf_cursor(&c->environment);
	protocol_session_put(&out, &blob);
	if (buf_failed(&c->environment) == 0 && buf_failed(&out) == 0 &&
	    out.len <= PROTOCOL_SESSION_MAX) {
		say(c, RELAY_SESSION, buf_cursor(&out));
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

/* --- life -------------------------------------------------------------- */

struct command *
command_new(struct command_host *host, uint32_t number)
{
	struct command *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->host = host;
	c->number = number;
	c->in.fd = c->out.fd = c->err.fd = -1;
	c->out.data = malloc(PIECE);
	c->err.data = malloc(PIECE);
	c->out.size = c->err.size = PIECE;
	c->environment.limit = PROTOCOL_SESSION_MAX;
	if (c->out.data == NULL || c->err.data == NULL)
		goto fail;
	c->ssh = ssh_channel_new(host->session);
	if (c->ssh == NULL)
		goto fail;
	ssh_callbacks_init(&c->callbacks);
	c->callbacks.userdata = c;
	c->callbacks.channel_data_function = on_data;
	c->callbacks.channel_eof_function = on_eof;
	c->callbacks.channel_close_function = on_close;
	c->callbacks.channel_env_request_function = on_env;
	c->callbacks.channel_exec_request_function = on_exec;
	c->callbacks.channel_shell_request_function = on_shell;
	if (ssh_set_channel_callbacks(c->ssh, &c->callbacks) == SSH_OK)
		return c;
fail:
	command_free(c);
	return NULL;
}

void
command_free(struct command *c)
{
	if (c->ssh != NULL) {
		(void)ssh_remove_channel_callbacks(c->ssh, &c->callbacks);
		ssh_channel_free(c->ssh);
	}
	close_stream(&c->in);
	close_stream(&c->out);
	close_stream(&c->err);
	free(c->in.data);
	free(c->out.data);
	free(c->err.data);
	buf_free(&c->environment);
	free(c);
}

ssh_channel
command_ssh(const struct command *c)
{
	return c->ssh;
}

uint32_t
command_number(const struct command *c)
{
	return c->number;
}

void
command_started(struct command *c, const int fds[RELAY_FDS])
{
	c->taken = loop_now();
	c->in.fd = fds[0];
	c->out.fd = fds[1];
	c->err.fd = fds[2];
	if (c->state == ASKED) {
		c->state = RUNNING;
		return;
	}
	close_stream(&c->in);
	close_stream(&c->out);
	close_stream(&c->err);
}

void
command_refused(struct command *c, const struct protocol_refuse *refusal)
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
	put_line(c, buf_failed(&line) == 0 ? (const char *)line.data : text);
	buf_free(&line);
	c->taken = loop_now();
	c->exited = true;
	c->status = (int)refusal->status;
	if (c->state == ASKED)
		c->state = RUNNING;
}

void
command_exited(struct command *c, int status)
{
	c->exited = true;
	c->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
command_polls(const struct command *c, struct pollfd p[COMMAND_POLLS])
{
	bool full = !is_empty(&c->in) || c->waiting > 0;

	p[0].fd = full ? c->in.fd : -1;
	p[0].events = POLLOUT;
	p[1].fd = may_fill(c, &c->out) ? c->out.fd : -1;
	p[1].events = POLLIN;
	p[2].fd = may_fill(c, &c->err) ? c->err.fd : -1;
	p[2].events = POLLIN;
}

/* The client went away under a command: that must not look like its end. */
static void
leave(struct command *c)
{
	if (!c->exited)
		say(c, RELAY_KILL, cursor_over(NULL, 0));
	close_stream(&c->in);
	close_stream(&c->out);
	close_stream(&c->err);
	c->state = LEFT;
}

void
command_serve(struct command *c)
{
	if (c->client_closed && (c->state == ASKED || c->state == RUNNING))
		leave(c);
	if (c->state != RUNNING)
		return;
	if (takes_output(c))
		c->taken = loop_now();
	push_input(c);
	serve_output(c, &c->out);
	serve_output(c, &c->err);
	if (!c->exited || c->out.fd >= 0 || c->err.fd >= 0 ||
	    !is_empty(&c->out) || !is_empty(&c->err))
		return;
	if (c->status < 0) {
		/* It could not write a line of its own. */
		put_line(c, "internal error: the session ended abnormally");
		c->status = -HT_ERR_INTERNAL;
		drain(c, &c->err);
	}
	if (is_empty(&c->err))
		finish(c);
}

uint64_t
command_stuck(const struct command *c)
{
	return c->state == RUNNING && !takes_output(c) ? c->taken : 0;
}

bool
command_active(const struct command *c)
{
	return c->state == ASKED || c->state == RUNNING ||
	    (c->state == LEFT && !c->exited);
}

bool
command_over(const struct command *c)
{
	return c->client_closed && !command_active(c);
}

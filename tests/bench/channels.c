/*
 * A client that starts no process for a file: COUNT files are signed over
 * CHANNELS channels of one connection, side by side.
 *
 *	channels HOST PORT USER KEY CERTIFICATE CHANNELS COUNT FILE [WORD …]
 *
 * Prints the seconds from the first channel to the last exit status.  Fails if
 * any file does not come back with status 0 and more bytes than it had.
 */

#include "config.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct work {
	ssh_session session;
	const char *command;
	char *file;
	size_t size;
	long started, finished, count;
};

struct slot {
	struct work *work;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	size_t sent, received;
	int status; /* or -1 */
	bool eof;
};

static void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "channels: %s: %s\n", what, why);
	exit(1);
}

static int
on_data(ssh_session session, ssh_channel channel, void *data, uint32_t n,
    int is_stderr, void *cookie)
{
	struct slot *s = cookie;

	(void)session;
	(void)channel;
	if (is_stderr)
		(void)fwrite(data, 1, n, stderr);
	else
		s->received += n;
	return (int)n;
}

static void
on_status(ssh_session session, ssh_channel channel, int status, void *cookie)
{
	struct slot *s = cookie;

	(void)session;
	(void)channel;
	s->status = status;
}

static void
open_slot(struct slot *s)
{
	struct work *w = s->work;

	s->channel = ssh_channel_new(w->session);
	if (s->channel == NULL ||
	    ssh_channel_open_session(s->channel) != SSH_OK)
		die("channel", ssh_get_error(w->session));
	s->sent = s->received = 0;
	s->status = -1;
	s->eof = false;
	ssh_callbacks_init(&s->callbacks);
	if (ssh_set_channel_callbacks(s->channel, &s->callbacks) != SSH_OK ||
	    ssh_channel_request_exec(s->channel, w->command) != SSH_OK)
		die("exec", ssh_get_error(w->session));
	w->started++;
}

/*
 * Send what the window takes; see whether the file has come back.  Returns
 * whether it called what may have read packets of other channels.
 */
static bool
step(struct slot *s)
{
	struct work *w = s->work;
	uint32_t window, n;
	bool spoke = false;
	int rc;

	while (s->sent < w->size) {
		window = ssh_channel_window_size(s->channel);
		if (window == 0)
			return spoke;
		n = w->size - s->sent < window ? (uint32_t)(w->size - s->sent)
		                               : window;
		rc = ssh_channel_write(s->channel, w->file + s->sent, n);
		if (rc < 0)
			die("write", ssh_get_error(w->session));
		s->sent += (size_t)rc;
		spoke = true;
	}
	if (!s->eof) {
		s->eof = spoke = true;
		(void)ssh_channel_send_eof(s->channel);
	}
	if (s->status < 0 || !ssh_channel_is_closed(s->channel))
		return spoke;
	if (s->status != 0 || s->received <= w->size)
		die("a file", "was not signed");
	ssh_channel_free(s->channel);
	s->channel = NULL;
	w->finished++;
	if (w->started < w->count)
		open_slot(s);
	return true;
}

static void
read_file(const char *path, struct work *w)
{
	FILE *f = fopen(path, "rb");
	long n;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) <= 0)
		die(path, "cannot be read");
	rewind(f);
	w->size = (size_t)n;
	w->file = malloc(w->size);
	if (w->file == NULL || fread(w->file, 1, w->size, f) != w->size)
		die(path, "cannot be read");
	(void)fclose(f);
}

static ssh_session
log_in(char **argv)
{
	ssh_session session = ssh_new();
	ssh_key key, certificate;
	int no = 0, yes = 1;

	if (session == NULL)
		die("session", "no memory");
	(void)ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
	(void)ssh_options_set(session, SSH_OPTIONS_HOST, argv[1]);
	(void)ssh_options_set(session, SSH_OPTIONS_PORT_STR, argv[2]);
	(void)ssh_options_set(session, SSH_OPTIONS_USER, argv[3]);
	/* As OpenSSH's client does. */
	(void)ssh_options_set(session, SSH_OPTIONS_NODELAY, &yes);
	if (ssh_connect(session) != SSH_OK)
		die("connect", ssh_get_error(session));
	if (ssh_pki_import_privkey_file(argv[4], NULL, NULL, NULL, &key) !=
	        SSH_OK ||
	    ssh_pki_import_cert_file(argv[5], &certificate) != SSH_OK ||
	    ssh_pki_copy_cert_to_privkey(certificate, key) != SSH_OK)
		die("key", "cannot be read");
	if (ssh_userauth_publickey(session, NULL, key) != SSH_AUTH_SUCCESS)
		die("log in", ssh_get_error(session));
	ssh_key_free(certificate);
	ssh_key_free(key);
	return session;
}

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run(struct work *w, struct slot *slots, long channels)
{
	ssh_event event = ssh_event_new();
	bool spoke;
	long i;

	if (event == NULL || ssh_event_add_session(event, w->session) != SSH_OK)
		die("event", "no memory");
	for (i = 0; i < channels && w->started < w->count; i++) {
		slots[i].work = w;
		slots[i].callbacks.userdata = &slots[i];
		slots[i].callbacks.channel_data_function = on_data;
		slots[i].callbacks.channel_exit_status_function = on_status;
		open_slot(&slots[i]);
	}
	while (w->finished < w->count) {
		spoke = false;
		for (i = 0; i < channels; i++)
			if (slots[i].channel != NULL && step(&slots[i]))
				spoke = true;
		if (!spoke && ssh_event_dopoll(event, 1000) == SSH_ERROR)
			die("poll", ssh_get_error(w->session));
	}
	ssh_event_free(event);
}

int
main(int argc, char **argv)
{
	char command[1024] = "";
	struct slot *slots;
	struct work w = { 0 };
	long channels;
	double from;
	int i;

	if (argc < 9 || (channels = strtol(argv[6], NULL, 10)) <= 0 ||
	    (w.count = strtol(argv[7], NULL, 10)) <= 0) {
		(void)fprintf(stderr,
		    "usage: channels HOST PORT USER KEY "
		    "CERTIFICATE CHANNELS COUNT FILE "
		    "[WORD ...]\n");
		return 64;
	}
	read_file(argv[8], &w);
	for (i = 9; i < argc; i++)
		(void)snprintf(command + strlen(command),
		    sizeof(command) - strlen(command), "%s%s", i > 9 ? " " : "",
		    argv[i]);
	w.command = command;
	w.session = log_in(argv);
	slots = calloc((size_t)channels, sizeof(*slots));
	if (slots == NULL)
		die("slots", "no memory");
	from = seconds();
	run(&w, slots, channels);
	(void)printf("%.6f\n", seconds() - from);
	ssh_disconnect(w.session);
	ssh_free(w.session);
	free(slots);
	free(w.file);
	return 0;
}

#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "sshd-sign/channel-private.h"

void
channel_host_end(struct channel_host *host, int code, const char *fmt, ...)
{
	char text[sizeof(host->end.text)];
	va_list ap;

	if (host->end.code != 0)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)ht_error_set(&host->end, code, "%s", text);
}

bool
channel_host_connected(const struct channel_host *host)
{
	return ssh_is_connected(host->session) &&
	    (ssh_get_status(host->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) ==
	    0;
}

void
channel_cannot(struct channel *c, const char *what)
{
	struct channel_host *host = c->host;

	if (c->client_closed)
		return;
	channel_host_end(host,
	    channel_host_connected(host) ? HT_ERR_INTERNAL : HT_ERR_UNAVAILABLE,
	    "cannot %s: %s", what, ssh_get_error(host->session));
}

void
channel_say(struct channel *c, enum relay_type type, struct cursor payload)
{
	struct ht_error e;

	if (relay_send(c->host->relay, type, c->number, payload, NULL, &e) < 0)
		channel_host_end(c->host, e.code, "%s", e.text);
}

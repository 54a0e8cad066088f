/*
 * A TCP proxy that flips one bit: what lies between a client and a server may
 * do that, and AES-GCM has to notice.
 *
 *	flip-proxy LISTEN-PORT SERVER-PORT up|down OFFSET
 *
 * serves 127.0.0.1 until it is killed.  Of each connection the lowest bit of
 * byte OFFSET (from 0) in that direction is flipped; up is towards the server.
 */

#include "config.h"

#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pump {
	int from;
	int to;
	uint64_t flip; /* offset, or UINT64_MAX */
	uint64_t done;
};

static in_port_t
port_of(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*end != '\0' || port == 0 || port > 65535)
		errx(64, "%s is no port", text);
	return htons((in_port_t)port);
}

static int
open_socket(in_port_t port, struct sockaddr_in *address)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address->sin_port = port;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		err(70, "socket");
	return fd;
}

/* One piece; false at the end of either side. */
static int
pass(struct pump *p)
{
	uint8_t piece[16384];
	ssize_t n = read(p->from, piece, sizeof(piece)), sent, now;

	if (n <= 0)
		return 0;
	if (p->flip >= p->done && p->flip - p->done < (uint64_t)n)
		piece[p->flip - p->done] ^= 1;
	for (sent = 0; sent < n; sent += now) {
		now = write(p->to, piece + sent, (size_t)(n - sent));
		if (now <= 0)
			return 0;
	}
	p->done += (uint64_t)n;
	return 1;
}

static void
serve(int client, in_port_t port, int up, uint64_t offset)
{
	struct sockaddr_in address;
	int server = open_socket(port, &address);
	struct pump pumps[2] = { { client, server, up ? offset : UINT64_MAX,
		                     0 },
		{ server, client, up ? UINT64_MAX : offset, 0 } };
	struct pollfd p[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	int i;

	if (connect(server, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(69, "connect");
	for (;;) {
		if (poll(p, 2, -1) < 0)
			err(70, "poll");
		for (i = 0; i < 2; i++)
			if (p[i].revents != 0 && !pass(&pumps[i]))
				return;
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address;
	in_port_t port;
	uint64_t offset;
	int fd, client, up;

	if (argc != 5)
		errx(64, "usage: flip-proxy listen-port port up|down offset");
	port = port_of(argv[2]);
	up = strcmp(argv[3], "up") == 0;
	offset = strtoull(argv[4], NULL, 10);
	fd = open_socket(port_of(argv[1]), &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 16) < 0)
		err(70, "listen");
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			(void)close(fd);
			serve(client, port, up, offset);
			return 0;
		}
		(void)close(client);
	}
	err(70, "accept");
}

/*
 * A clamd that costs little, so that what is measured is not the scanner: it
 * reads what INSTREAM brings, and finds EICAR's test file if that stands in the
 * last kilobyte.
 *
 *	clamd-sink PATH
 *
 * Listens at PATH, with a process for each connection, until it is killed.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAIL ((size_t)1 << 10)

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* Read n bytes, or end with the connection. */
static void
get(int fd, uint8_t *p, size_t n)
{
	ssize_t did;

	for (; n > 0; p += did, n -= (size_t)did)
		if ((did = read(fd, p, n)) <= 0)
			exit(0);
}

static _Noreturn void
answer(int fd, const char *text)
{
	if (write(fd, text, strlen(text) + 1) < 0)
		die("write");
	exit(0);
}

static _Noreturn void
answer_version(int fd)
{
	char text[80];
	time_t now = time(NULL);

	(void)strftime(text, sizeof(text),
	    "ClamAV 1.0.0/27000/%a %b %d %H:%M:%S %Y", gmtime(&now));
	answer(fd, text);
}

static _Noreturn void
answer_stream(int fd)
{
	static const char virus[] = "EICAR-STANDARD-ANTIV"
	                            "IRUS-TEST-FILE!";
	static uint8_t piece[TAIL + ((size_t)64 << 10)];
	uint8_t length[4];
	size_t left, n, held = 0;

	for (;;) {
		get(fd, length, sizeof(length));
		left = (size_t)length[0] << 24 | (size_t)length[1] << 16 |
		    (size_t)length[2] << 8 | length[3];
		if (left == 0)
			break;
		for (; left > 0; left -= n) {
			n = sizeof(piece) - TAIL;
			n = left < n ? left : n;
			get(fd, piece + held, n);
			held += n;
			if (held > TAIL) {
				memmove(piece, piece + held - TAIL, TAIL);
				held = TAIL;
			}
		}
	}
	answer(fd,
	    memmem(piece, held, virus, sizeof(virus) - 1) != NULL
	        ? "stream: Eicar FOUND"
	        : "stream: OK");
}

static _Noreturn void
serve(int fd)
{
	static const char instream[] = "zINSTREAM";
	char command[16];
	size_t n = 0;

	do {
		if (n == sizeof(command))
			exit(1);
		get(fd, (uint8_t *)command + n, 1);
	} while (command[n++] != '\0');
	if (strcmp(command, instream) == 0)
		answer_stream(fd);
	answer_version(fd);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int listener, fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(un.sun_path))
		return 64;
	memcpy(un.sun_path, argv[1], strlen(argv[1]));
	(void)signal(SIGCHLD, SIG_IGN);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(listener, (const struct sockaddr *)&un, sizeof(un)) < 0 ||
	    listen(listener, 64) < 0)
		die(argv[1]);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			serve(fd);
		}
		(void)close(fd);
	}
	die("accept");
}

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "htsign-shell/report.h"
#include "lib/log.h"

#define STATUS_FIRST 64 /* EX_USAGE */
#define STATUS_LAST 78  /* EX_CONFIG */

int
report_failure(uint64_t number, const struct ht_error *why, unsigned int retry)
{
	char request[48] = "";
	char place[48] = "";
	char again[48] = "";
	int status = -why->code;

	if (number != 0)
		(void)snprintf(request, sizeof(request),
		    "request %" PRIu64 ": ", number);
	if (why->offset != HT_NO_OFFSET)
		(void)snprintf(place, sizeof(place), " (at byte %" PRIu64 ")",
		    why->offset);
	if (retry != 0)
		(void)snprintf(again, sizeof(again),
		    "; try again in %u seconds", retry);
	log_error("%s%s%s%s", request, why->text, place, again);
	return status >= STATUS_FIRST && status <= STATUS_LAST
	    ? status
	    : -HT_ERR_INTERNAL;
}

int
report_write(int fd, const void *p, size_t n, struct ht_error *e)
{
	struct pollfd ready = { fd, POLLOUT, 0 };
	const uint8_t *bytes = p;
	ssize_t wrote;

	while (n > 0) {
		wrote = write(fd, bytes, n);
		if (wrote >= 0) {
			bytes += wrote;
			n -= (size_t)wrote;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			(void)poll(&ready, 1, -1);
		} else if (errno != EINTR) {
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "the output cannot be written: %s",
			    strerror(errno));
		}
	}
	return 0;
}

void
report_escaped(struct buf *out, const void *p, size_t n)
{
	size_t room = 4 * n + 1;
	uint8_t *at = buf_room(out, room);

	if (at != NULL)
		out->len -= room - log_escape((char *)at, room, p, n);
}

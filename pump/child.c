#include "config.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "lib/sandbox.h"
#include "pump/child.h"

int
child_confine(struct ht_error *e)
{
	int landlock;

	return sandbox_enter(SANDBOX_PUMP, NULL, 0, &landlock, e);
}

int
child_wait(const struct child *c, int fd, short events, int ms,
    struct ht_error *e)
{
	struct pollfd ready[2] = {
		{ .fd = fd, .events = events },
		{ .fd = msg_channel_fd(c->report.channel) },
	};
	int rc;

	do {
		rc = poll(ready, 2, ms);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return ht_error_errno(e, "poll");
	if (ready[1].revents != 0)
		_exit(0);
	if (rc == 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "nothing happened for %d seconds", ms / 1000);
	return 0;
}

int
child_report(struct child *c, enum protocol_type type, const void *body,
    struct ht_error *e)
{
	int rc = protocol_send(&c->report, type, 0, body, NULL, 0, e);

	if (rc == HT_ERR_UNAVAILABLE)
		_exit(0);
	return rc;
}

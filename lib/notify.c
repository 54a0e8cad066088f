#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/notify.h"

/* The service manager; a process has one. */
static struct {
	struct sockaddr_un name;
	socklen_t n;
	struct loop *loop;
	uint64_t every; /* ms */
} manager;

static int
take_name(const char *name, struct ht_error *e)
{
	size_t n = strlen(name);

	memset(&manager, 0, sizeof(manager));
	manager.name.sun_family = AF_UNIX;
	if ((name[0] != '/' && name[0] != '@') ||
	    n >= sizeof(manager.name.sun_path))
		return ht_error_set(e, HT_ERR_USAGE,
		    "NOTIFY_SOCKET=%s: not a socket of this machine", name);
	memcpy(manager.name.sun_path, name, n);
	if (name[0] == '@')
		manager.name.sun_path[0] = '\0';
	manager.n = (socklen_t)(n + offsetof(struct sockaddr_un, sun_path));
	return 0;
}

/* By send(2), which sandboxes allow, and not by sendto(2), which takes a name. */
static int
tell(const char *text, struct ht_error *e)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&manager.name, manager.n) <
	        0 ||
	    send(fd, text, strlen(text), 0) < 0)
		rc = ht_error_errno(e, "the service manager");
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* The loop turns: that is all that this says. */
static void
alive(void *cookie)
{
	struct ht_error e;

	(void)cookie;
	if (tell("WATCHDOG=1", &e) < 0)
		log_error("%s", e.text);
	if (loop_timer_add(manager.loop, manager.every, alive, NULL) == NULL)
		log_error("out of memory: no watchdog");
}

int
notify_ready(struct loop *l, struct ht_error *e)
{
	const char *name = getenv("NOTIFY_SOCKET");
	const char *watchdog = getenv("WATCHDOG_USEC");
	int rc;

	if (name == NULL)
		return 0;
	rc = take_name(name, e);
	if (rc == 0)
		rc = tell("READY=1", e);
	manager.loop = l;
	manager.every =
	    watchdog != NULL ? strtoull(watchdog, NULL, 10) / 2000 : 0;
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	if (rc == 0 && manager.every > 0 &&
	    loop_timer_add(l, manager.every, alive, NULL) == NULL)
		rc = ht_error_memory(e);
	return rc;
}

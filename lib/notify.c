#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/notify.h"

static const char ready[] = "READY=1";

static int
send_to(const char *name, struct ht_error *e)
{
	struct sockaddr_un un;
	size_t n = strlen(name);
	int fd, rc = 0;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if ((name[0] != '/' && name[0] != '@') || n >= sizeof(un.sun_path))
		return ht_error_set(e, HT_ERR_USAGE,
		    "NOTIFY_SOCKET=%s: not a socket of this machine", name);
	memcpy(un.sun_path, name, n);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	n += offsetof(struct sockaddr_un, sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, ready, strlen(ready), 0, (struct sockaddr *)&un,
	        (socklen_t)n) < 0)
		rc = ht_error_errno(e, "NOTIFY_SOCKET=%s", name);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int
notify_ready(struct ht_error *e)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int rc;

	if (name == NULL)
		return 0;
	rc = send_to(name, e);
	(void)unsetenv("NOTIFY_SOCKET");
	return rc;
}

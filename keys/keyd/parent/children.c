#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keyd/parent/children.h"
#include "lib/log.h"
#include "lib/proc.h"

void
children_init(struct children *all, struct loop *loop)
{
	TAILQ_INIT(&all->list);
	all->loop = loop;
	all->n = 0;
}

int
child_collect(struct child *c)
{
	int status = 0;

	while (waitpid(c->pid, &status, WNOHANG) < 0 && errno == EINTR)
		;
	TAILQ_REMOVE(&c->all->list, c, entry);
	c->all->n--;
	loop_watch_remove(c->watch);
	(void)close(c->pidfd);
	free(c);
	return status;
}

void
child_signal(const struct child *c, int number)
{
	/* The child was not reaped yet, so its pid is still its own. */
	if (c != NULL)
		(void)kill(c->pid, number);
}

void
child_kill(struct child **at)
{
	child_signal(*at, SIGKILL);
	*at = NULL;
}

void
children_kill(struct children *all)
{
	struct child *c;

	while ((c = TAILQ_FIRST(&all->list)) != NULL) {
		child_signal(c, SIGKILL);
		(void)child_collect(c);
	}
}

void
child_log_end(const char *name, int status)
{
	if (WIFSIGNALED(status))
		log_error("%s: killed by signal %d", name, WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_error("%s: exit status %d", name, WEXITSTATUS(status));
}

/* Run the program with pair[1] as descriptor 3, and watch it. */
static int
start(struct child *c, const struct child_spec *spec, const int pair[2],
    struct ht_error *e)
{
	int fds[4] = { -1, -1, STDERR_FILENO, pair[1] };
	struct proc_spec proc = { spec->argv, NULL, fds, 4, spec->uid,
		spec->gid, true };
	int rc = proc_start(&proc, &c->pid, &c->pidfd, e);

	if (rc < 0)
		return rc;
	c->watch =
	    loop_watch_add(c->all->loop, c->pidfd, POLLIN, spec->on_end, c);
	if (c->watch != NULL)
		return 0;
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	(void)close(c->pidfd);
	return ht_error_memory(e);
}

struct child *
child_start(struct children *all, const struct child_spec *spec, int *fd,
    struct ht_error *e)
{
	struct child *c;
	int pair[2];

	*fd = -1;
	if (proc_socketpair(pair, e) < 0)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		(void)ht_error_memory(e);
	else
		c->all = all;
	if (c == NULL || start(c, spec, pair, e) < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		free(c);
		return NULL;
	}
	c->name = spec->name;
	c->cookie = spec->cookie;
	TAILQ_INSERT_TAIL(&all->list, c, entry);
	all->n++;
	(void)close(pair[1]);
	*fd = pair[0];
	return c;
}

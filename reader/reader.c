#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "reader/answer.h"
#include "reader/reader.h"

/* Nicer than what works for clients. */
#define NICER 5

struct reader {
	struct loop *loop;
	struct store *store;
	struct answers *answers;
	struct protocol_link keyd;
	int rc; /* below 0: the link has ended, with this */
	struct ht_error e;
};

/* --- the start --------------------------------------------------------- */

static int
give_up_rights(const char *path, struct ht_error *e)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char names[3][PATH_MAX];
	struct sandbox_path paths[4];
	int landlock, rc;
	size_t i;

	for (i = 0; i < 3; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s%s", path,
		    suffixes[i]);
		paths[i].path = names[i];
		paths[i].access = SANDBOX_READ;
	}
	paths[3].path = "/dev/urandom"; /* SQLite reads it */
	paths[3].access = SANDBOX_READ;
	rc = sandbox_enter(SANDBOX_READER, paths, 4, &landlock, e);
	if (rc == 0 && landlock == 0)
		log_notice("this kernel has no Landlock: seccomp alone holds");
	return rc;
}

/* The first message names the store. */
static int
open_store(struct reader *r, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc = protocol_wait(&r->keyd, &m, &body, -1, e);

	if (rc < 0)
		return rc;
	msg_close_fds(&m);
	if (m.type != PROTOCOL_STORE)
		return ht_error_set(e, HT_ERR_DATA, "which store?");
	r->store = store_open_reader(body.store.path, e);
	if (r->store == NULL)
		return e->code;
	return give_up_rights(body.store.path, e);
}

/* --- what keyd asks ---------------------------------------------------- */

static void
on_keyd(void *cookie, short revents)
{
	struct reader *r = cookie;
	union protocol_body body;
	struct msg m;

	(void)revents;
	r->rc = protocol_next(&r->keyd, &m, &body, &r->e);
	if (r->rc <= 0)
		return;
	if (m.type == PROTOCOL_READ) {
		answers_begin(r->answers, &body.read, m.fd[0]);
		m.fd[0] = -1;
	}
	msg_close_fds(&m);
}

static int
serve(struct reader *r, struct ht_error *e)
{
	int rc = 0;

	if (loop_watch_add(r->loop, msg_channel_fd(r->keyd.channel), POLLIN,
	        on_keyd, r) == NULL)
		return ht_error_memory(e);
	while (rc == 0 && r->rc >= 0)
		rc = loop_once(r->loop, e);
	if (rc < 0)
		return rc;
	*e = r->e;
	return r->rc == HT_ERR_UNAVAILABLE ? 0 : r->rc;
}

int
reader_run(int fd, struct ht_error *e)
{
	struct reader r = { .loop = loop_new() };
	int rc;

	(void)proc_nicer(0, NICER);
	rc = protocol_open(&r.keyd, fd, PROTOCOL_LINK_READER, true, e);
	if (rc == 0 && r.loop == NULL)
		rc = ht_error_memory(e);
	if (rc == 0)
		rc = open_store(&r, e);
	if (rc == 0) {
		r.answers = answers_new(r.loop, r.store);
		rc = r.answers == NULL ? ht_error_memory(e) : serve(&r, e);
	}
	answers_free(r.answers);
	protocol_close(&r.keyd);
	store_close(r.store);
	loop_free(r.loop);
	return rc;
}

#include "config.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "protocol/messages.h"
#include "pump/child.h"
#include "pump/pump.h"
#include "pump/selftest.h"
#include "pump/stream.h"

/* What libcrypto looks up on first use is looked up here, once for all. */
static int
prepare(struct ht_error *e)
{
	EVP_MD *md = NULL;
	int landlock, rc;

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	            OPENSSL_INIT_NO_ATEXIT,
	        NULL) == 1)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (md == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "libcrypto cannot start");
	EVP_MD_free(md);
	/* Nobody waits for the children, so the kernel reaps them. */
	(void)signal(SIGCHLD, SIG_IGN);
	rc = sandbox_files(SANDBOX_PUMP, NULL, 0, &landlock, e);
	if (rc == 0 && landlock == 0)
		log_notice("this kernel has no Landlock: seccomp alone holds");
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_PARENT, NULL, 0, &landlock, e);
	return rc;
}

/*
 * It works for one client, so it goes after what works for all, unless the unit
 * forbids that.
 */
static int
be_child(pid_t parent, struct msg *m, const union protocol_body *body,
    struct ht_error *e)
{
	struct child c = { .pipe = -1, .file = -1 };
	int rc;

	(void)proc_nicer(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ht_error_errno(e, "prctl");
	if (getppid() != parent)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "htsign-pump has ended");
	rc = protocol_open(&c.report, m->fd[m->nfds - 1], PROTOCOL_LINK_REPORT,
	    true, e);
	if (rc < 0)
		return rc;
	if (m->type == PROTOCOL_TEST)
		return selftest_run(&c, &body->test, e);
	c.pipe = m->fd[0];
	if (m->nfds > 2)
		c.file = m->fd[1];
	return stream_run(&c, &body->pump, e);
}

int
pump_run(int fd, struct ht_error *e)
{
	pid_t self = getpid(), child;
	struct protocol_link keyd;
	union protocol_body body;
	struct msg m;
	int rc;

	rc = protocol_open(&keyd, fd, PROTOCOL_LINK_PUMP, true, e);
	if (rc == 0)
		rc = prepare(e);
	while (rc == 0) {
		rc = protocol_wait(&keyd, &m, &body, -1, e);
		if (rc < 0)
			break;
		child = fork();
		if (child == 0) {
			(void)close(fd);
			if (be_child(self, &m, &body, e) < 0)
				log_error("%s", e->text);
			_exit(0);
		}
		/* Without a child, keyd sees its link end. */
		if (child < 0)
			log_error("no child");
		msg_close_fds(&m);
		rc = 0;
	}
	return rc == HT_ERR_UNAVAILABLE ? 0 : rc;
}

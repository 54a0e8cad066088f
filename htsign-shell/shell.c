#include "config.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "htsign-shell/admin.h"
#include "htsign-shell/forkserver.h"
#include "htsign-shell/greeting.h"
#include "htsign-shell/report.h"
#include "htsign-shell/request-line.h"
#include "htsign-shell/session.h"
#include "htsign-shell/shell.h"
#include "htsign-shell/sign.h"
#include "htsign-shell/tap.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "signature/init.h"

/*
 * Larger blocks go back to the system when they are freed.  Signatures with
 * page hashes are allocated and freed several times.  By default, malloc(3)
 * raises its threshold when a large block is freed, and keeps such blocks.
 */
#define MMAP_THRESHOLD (1 << 20)

/* --- with all rights ----------------------------------------------------- */

/* Open what will be needed.  Reads no byte of the client. */
static int
prepare(struct session *sh, int argc, char *const *argv, struct ht_error *e)
{
	int rc = session_prepare(sh, "htsign-shell", argc, argv, e);

	if (rc < 0)
		return rc;
	/* A spool that is full fails a write, and does not kill us. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	return authenticode_init(e);
}

/* Returns as forkserver_serve; 1 also if this is no forkserver. */
static int
be_forked(struct session *sh, struct ht_error *e)
{
	struct invocation *v = &sh->invocation;
	int rc;

	if (v->forkserver < 0)
		return 1;
	rc = forkserver_serve(v->forkserver, e);
	if (rc != 1)
		return rc;
	v->session = sh->source.blob = FORKSERVER_SESSION;
	v->keyd = FORKSERVER_KEYD;
	return 1;
}

/* --- in the sandbox ------------------------------------------------------ */

/* The answer to a verb is a result, so it goes to stdout. */
static int
answer(struct session *sh, enum request_line_verb verb, struct ht_error *e)
{
	struct buf out = BUF_INIT;
	int rc;

	if (verb == REQUEST_LINE_HELP)
		request_line_help(&out);
	else
		greeting_profiles(&sh->welcome, "", &out);
	rc = buf_failed(&out);
	if (rc < 0)
		rc = ht_error_memory(e);
	else
		rc = report_write(STDOUT_FILENO, out.data, out.len, e);
	buf_free(&out);
	return rc;
}

/*
 * A file does not come from a terminal, and does not go through one undamaged.
 * Who asked for one, and gave no command, is a person.
 */
static int
check_terminal(struct session *sh, const struct request_line *request,
    struct ht_error *e)
{
	if (request->bare && sh->environment.terminal != NULL) {
		greeting_show(&sh->welcome);
		return ht_error_set(e, HT_ERR_USAGE,
		    "nobody can log in here: send a file");
	}
	if (isatty(STDIN_FILENO))
		return ht_error_set(e, HT_ERR_USAGE,
		    "the file cannot come from a terminal; %s",
		    request_line_usage);
	if (isatty(STDOUT_FILENO))
		return ht_error_set(e, HT_ERR_USAGE,
		    "a terminal would damage what is signed; %s",
		    request_line_usage);
	return 0;
}

static int
serve_client(struct session *sh, struct ht_error *e)
{
	const struct environment *env = &sh->environment;
	const struct request_line_defaults defaults = {
		env->description,
		env->url,
		env->name,
	};
	struct ht_error ignored;
	struct request_line request;
	int rc;

	rc = request_line_parse(env->command, &defaults, &request, e);
	if (rc == 0 && request.verb == REQUEST_LINE_SIGN)
		rc = check_terminal(sh, &request, e);
	if (rc < 0) {
		(void)keyd_client_fail(&sh->keyd, e, "usage", &ignored);
		return rc;
	}
	if (request.verb == REQUEST_LINE_SIGN)
		return sign_run(&sh->keyd, &sh->welcome, &request, e);
	return answer(sh, request.verb, e);
}

static int
serve(struct session *sh, struct ht_error *e)
{
	const struct invocation *v = &sh->invocation;
	const char *command;
	int landlock;
	int rc;

	rc = session_connect(sh, e);
	if (rc == 0 && !v->admin)
		rc = sandbox_files(SANDBOX_SHELL, NULL, 0, &landlock, e);
	if (rc == 0 && !v->admin)
		tap_prepare();
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_SHELL, NULL, 0, &landlock, e);
	if (rc == 0)
		rc = session_begin(sh, e);
	if (rc < 0)
		return rc;
	if (!v->admin)
		return serve_client(sh, e);
	command = v->command != NULL ? v->command : sh->environment.command;
	if (command == NULL && sh->environment.terminal != NULL)
		log_notice("OpenSSH's door has a session at a terminal; here "
		           "it is one command at a time");
	return admin_command(&sh->keyd, command, e);
}

/* --- all of it ----------------------------------------------------------- */

int
shell_main(int argc, char *const *argv)
{
	struct session sh;
	struct ht_error e;
	int status = 0;
	int rc;

	session_init(&sh);
	ht_error_clear(&e);
	log_open("htsign", false, false);
	rc = prepare(&sh, argc, argv, &e);
	if (rc == 0)
		rc = be_forked(&sh, &e);
	if (rc == 1)
		rc = serve(&sh, &e);
	if (rc < 0)
		status =
		    report_failure(sh.keyd.number, &e, sh.keyd.refusal.retry);
	session_free(&sh);
	return status;
}

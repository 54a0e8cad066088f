#include "config.h"

#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "htsign-shell/admin.h"
#include "htsign-shell/environment.h"
#include "htsign-shell/forkserver.h"
#include "htsign-shell/greeting.h"
#include "htsign-shell/invocation.h"
#include "htsign-shell/report.h"
#include "htsign-shell/request-line.h"
#include "htsign-shell/shell.h"
#include "htsign-shell/sign.h"
#include "htsign-shell/tap.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "protocol/keyd-client.h"
#include "signature/init.h"

/*
 * Larger blocks go back to the system when they are freed.  Signatures with
 * page hashes are allocated and freed several times.  By default, malloc(3)
 * raises its threshold when a large block is freed, and keeps such blocks.
 */
#define MMAP_THRESHOLD (1 << 20)

struct shell {
	struct invocation invocation;
	struct environment_source source;
	struct keyd_client keyd;
	struct environment environment;
	struct protocol_welcome welcome;
	struct buf profiles; /* welcome.profiles points here */
};

/* --- with all rights ----------------------------------------------------- */

static int
connect_keyd(struct shell *sh, struct ht_error *e)
{
	const struct invocation *v = &sh->invocation;
	enum protocol_kind kind =
	    v->admin ? PROTOCOL_LINK_ADMIN : PROTOCOL_LINK_SIGN;
	char path[PATH_MAX];

	if (v->keyd >= 0)
		return keyd_client_bound(&sh->keyd, v->keyd, kind, e);
	(void)snprintf(path, sizeof(path), "%s/%s", v->rundir,
	    v->admin ? PROTOCOL_SOCKET_ADMIN : PROTOCOL_SOCKET_SIGN);
	return keyd_client_connect(&sh->keyd, path, kind, e);
}

/* Open what will be needed.  Reads no byte of the client. */
static int
prepare(struct shell *sh, int argc, char *const *argv, struct ht_error *e)
{
	struct invocation *v = &sh->invocation;
	char self[PATH_MAX];
	int rc;

	rc = proc_harden(e);
	if (rc == 0)
		rc = proc_program("htsign-shell", self, sizeof(self), e);
	if (rc == 0)
		rc = invocation_parse(argc, argv, self, v, e);
	if (rc < 0)
		return rc;
	/* A spool that is full fails a write, and does not kill us. */
	(void)signal(SIGXFSZ, SIG_IGN);
	sh->source.blob = v->session;
	if (strcmp(v->door, PROTOCOL_DOOR_OPENSSH) == 0)
		rc = environment_open_user_auth(&sh->source.user_auth, e);
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	if (rc == 0)
		rc = authenticode_init(e);
	return rc;
}

/* Returns as forkserver_serve; 1 also if this is no forkserver. */
static int
be_forked(struct shell *sh, struct ht_error *e)
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

static int
greet_keyd(struct shell *sh, struct ht_error *e)
{
	const struct invocation *v = &sh->invocation;
	struct protocol_hello hello;

	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	(void)snprintf(hello.door, sizeof(hello.door), "%s", v->door);
	if (v->ticket != NULL) {
		if (strlen(v->ticket) >= sizeof(hello.ticket))
			return ht_error_set(e, HT_ERR_DENIED,
			    "the ticket is too long");
		memcpy(hello.ticket, v->ticket, strlen(v->ticket) + 1);
	}
	environment_hello(&sh->environment, &hello);
	return keyd_client_greet(&sh->keyd, &hello, &sh->welcome, &sh->profiles,
	    e);
}

/* The answer to a verb is a result, so it goes to stdout. */
static int
answer(struct shell *sh, enum request_line_verb verb, struct ht_error *e)
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
check_terminal(struct shell *sh, const struct request_line *request,
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
serve_client(struct shell *sh, struct ht_error *e)
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

/*
 * Read the session and greet keyd.  After a malformed session keyd is greeted
 * too, so that the journal gets the failure.
 */
static int
begin(struct shell *sh, struct ht_error *e)
{
	struct ht_error ignored;
	int rc;

	if (strcmp(sh->invocation.door, PROTOCOL_DOOR_LOCAL) == 0)
		return greet_keyd(sh, e);
	rc = environment_read(&sh->source, &sh->environment, e);
	if (rc == 0)
		return greet_keyd(sh, e);
	if (!sh->invocation.admin && greet_keyd(sh, &ignored) == 0)
		(void)keyd_client_fail(&sh->keyd, e, "usage", &ignored);
	return rc;
}

static int
serve(struct shell *sh, struct ht_error *e)
{
	const struct invocation *v = &sh->invocation;
	const char *command;
	int landlock;
	int rc;

	rc = connect_keyd(sh, e);
	if (rc == 0 && !v->admin)
		rc = sandbox_files(SANDBOX_SHELL, NULL, 0, &landlock, e);
	if (rc == 0 && !v->admin)
		tap_prepare();
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_SHELL, NULL, 0, &landlock, e);
	if (rc == 0)
		rc = begin(sh, e);
	if (rc < 0)
		return rc;
	if (!v->admin)
		return serve_client(sh, e);
	command = v->command != NULL ? v->command : sh->environment.command;
	return admin_command(&sh->keyd, command, e);
}

/* --- all of it ----------------------------------------------------------- */

static void
shell_free(struct shell *sh)
{
	keyd_client_close(&sh->keyd);
	environment_free(&sh->environment);
	buf_free(&sh->profiles);
	invocation_free(&sh->invocation);
}

int
shell_main(int argc, char *const *argv)
{
	struct shell sh;
	struct ht_error e;
	int status = 0;
	int rc;

	memset(&sh, 0, sizeof(sh));
	sh.source.blob = sh.source.user_auth = -1;
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
	shell_free(&sh);
	return status;
}

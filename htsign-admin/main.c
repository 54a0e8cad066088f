/*
 * htsign-admin: what an administrator types, at OpenSSH's door and on the
 * machine itself.  One command, or a prompt for many.
 */

#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "htsign-admin/interactive.h"
#include "htsign-shell/admin.h"
#include "htsign-shell/report.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "signature/init.h"

/*
 * Open and load all that will be needed.  *prompt stays NULL where there is no
 * terminal, or a command instead.
 */
static int
prepare(struct session *s, int argc, char *const *argv, struct prompt **prompt,
    struct ht_error *e)
{
	int rc = session_prepare(s, "htsign-admin", argc, argv, e);

	if (rc == 0)
		rc = authenticode_init(e);
	if (rc < 0 || s->invocation.command != NULL || !isatty(STDIN_FILENO) ||
	    !isatty(STDOUT_FILENO) || getenv("SSH_ORIGINAL_COMMAND") != NULL)
		return rc;
	*prompt = prompt_new(e);
	return *prompt == NULL ? e->code : 0;
}

static int
serve(struct session *s, struct prompt *prompt, struct ht_error *e)
{
	const char *command;
	int landlock;
	int rc;

	rc = session_connect(s, e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_SHELL, NULL, 0, &landlock, e);
	if (rc == 0)
		rc = session_begin(s, e);
	if (rc < 0)
		return rc;
	if (prompt != NULL)
		return interactive_run(s, prompt, e);
	command = s->invocation.command != NULL ? s->invocation.command
	                                        : s->environment.command;
	return admin_command(&s->keyd, command, e);
}

int
main(int argc, char **argv)
{
	struct prompt *prompt = NULL;
	struct session s;
	struct ht_error e;
	int status = 0;
	int rc;

	session_init(&s);
	ht_error_clear(&e);
	log_open("htsign", false, false);
	rc = prepare(&s, argc, argv, &prompt, &e);
	if (rc == 0)
		rc = serve(&s, prompt, &e);
	if (rc < 0)
		status = report_failure(0, &e, s.keyd.refusal.retry);
	prompt_free(prompt);
	session_free(&s);
	return status;
}

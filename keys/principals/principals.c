/*
 * htsign-principals: sshd's AuthorizedPrincipalsCommand.  It shows keyd the
 * certificate of the user who logs in.  keyd gives a ticket for it.  The
 * program prints the line that makes sshd start htsign-shell with that ticket.
 * If keyd refuses, it prints nothing.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/sshcert/sshcert.h"
#include "lib/base64.h"
#include "lib/log.h"
#include "lib/modes.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "protocol/keyd-client.h"
#include "protocol/names.h"

#define RUNDIR "/run/htsign"
#define SYSLOG_SOCKET "/dev/log"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct question {
	const char *rundir; /* NULL: RUNDIR */
	const char *user;
	const char *key_id; /* for the log; unchecked */
	const char *serial;
	const char *certificate; /* base64 */
};

static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: htsign-principals [-r RUNDIR] USER KEY-ID SERIAL "
	    "CERTIFICATE\n");
}

/*
 * The key id comes from a stranger's certificate and must never be taken for an
 * option.  So options end at the first word that is not one.
 */
static int
read_arguments(int argc, char **argv, struct question *q)
{
	int option;

	memset(q, 0, sizeof(*q));
	while ((option = getopt(argc, argv, "+r:")) != -1) {
		if (option != 'r')
			return HT_ERR_USAGE;
		q->rundir = optarg;
	}
	if (argc - optind != 4)
		return HT_ERR_USAGE;
	q->user = argv[optind];
	q->key_id = argv[optind + 1];
	q->serial = argv[optind + 2];
	q->certificate = argv[optind + 3];
	return 0;
}

static int
connect_keyd(const struct question *q, struct keyd_client *keyd,
    struct ht_error *e)
{
	const char *rundir = q->rundir != NULL ? q->rundir : RUNDIR;
	const struct modes folder = { .owner = geteuid() };
	char path[PROTOCOL_PATH];
	int n;

	/* Who could put a socket there could choose the command. */
	n = modes_check(rundir, &folder, e);
	if (n < 0)
		return n;
	n = snprintf(path, sizeof(path), "%s/" PROTOCOL_SOCKET_PRINCIPALS,
	    rundir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return ht_error_set(e, HT_ERR_USAGE,
		    "the run folder's name is too long");
	return keyd_client_connect(keyd, path, PROTOCOL_LINK_PRINCIPALS, e);
}

/* The paths of what serves a client and an administrator. */
struct programs {
	char shell[PROTOCOL_PATH];
	char admin[PROTOCOL_PATH];
};

static int
ask(const struct question *q, struct keyd_client *keyd,
    struct protocol_ticket_for *ticket, struct ht_error *e)
{
	struct protocol_ask words;
	struct buf blob = BUF_INIT;
	int rc;

	memset(&words, 0, sizeof(words));
	rc = base64_decode(cursor_over(q->certificate, strlen(q->certificate)),
	    BASE64_STANDARD, &blob);
	if (rc == HT_ERR_INTERNAL) {
		rc = ht_error_memory(e);
	} else if (rc < 0 || blob.len > SSHCERT_MAX ||
	    strlen(q->user) >= sizeof(words.user)) {
		rc = ht_error_set(e, HT_ERR_DATA, "not a certificate");
	} else {
		memcpy(words.user, q->user, strlen(q->user));
		words.certificate = buf_cursor(&blob);
		rc = keyd_client_ticket(keyd, &words, ticket, e);
	}
	buf_free(&blob);
	return rc;
}

/*
 * Put a path as one word of the command.  The command is inside double quotes
 * of the line, and a shell splits it.  Single quotes protect the path.  A path
 * that would break out of the quotes is an error.
 */
static int
put_path(struct buf *line, const char *path, struct ht_error *e)
{
	const char *p;

	for (p = path; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || strchr("'\"\\\x7f", *p) != NULL)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "%s: cannot stand in a command", path);
	}
	if (strspn(path, LETTERS DIGITS "/._+-") == strlen(path))
		buf_format(line, "%s", path);
	else
		buf_format(line, "'%s'", path);
	return 0;
}

static int
put_line(const struct question *q, const struct programs *programs,
    const struct protocol_ticket_for *t, struct buf *line, struct ht_error *e)
{
	struct names_principal principal;
	bool admin;

	if (names_principal_parse(t->principal, &principal, e) < 0)
		return HT_ERR_INTERNAL;
	if (t->ticket[0] == '\0' ||
	    strspn(t->ticket, LETTERS DIGITS "-_") != strlen(t->ticket))
		return ht_error_set(e, HT_ERR_INTERNAL, "not a ticket");
	admin = principal.role != NAMES_CLIENT;
	buf_format(line, "restrict%s,command=\"", admin ? ",pty" : "");
	if (put_path(line, admin ? programs->admin : programs->shell, e) < 0)
		return HT_ERR_INTERNAL;
	if (q->rundir != NULL) {
		buf_format(line, " -r ");
		if (put_path(line, q->rundir, e) < 0)
			return HT_ERR_INTERNAL;
	}
	buf_format(line, " --ticket %s\" %s\n", t->ticket, t->principal);
	if (buf_failed(line) < 0)
		return ht_error_memory(e);
	return 0;
}

static int
print_line(const struct buf *line, struct ht_error *e)
{
	if (fwrite(line->data, 1, line->len, stdout) != line->len ||
	    fflush(stdout) != 0)
		return ht_error_errno(e, "stdout");
	return 0;
}

/* Open everything, enter the sandbox, then look at the certificate. */
static int
answer(const struct question *q, struct ht_error *e)
{
	struct keyd_client keyd;
	struct protocol_ticket_for ticket;
	struct buf line = BUF_INIT;
	struct programs programs;
	int landlock, rc;

	memset(&keyd, 0, sizeof(keyd));
	rc = proc_program("htsign-shell", programs.shell,
	    sizeof(programs.shell), e);
	if (rc == 0)
		rc = proc_program("htsign-admin", programs.admin,
		    sizeof(programs.admin), e);
	if (rc == 0)
		rc = connect_keyd(q, &keyd, e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_SHELL, NULL, 0, &landlock, e);
	if (rc == 0)
		rc = ask(q, &keyd, &ticket, e);
	if (rc == 0)
		rc = put_line(q, &programs, &ticket, &line, e);
	if (rc == 0)
		rc = print_line(&line, e);
	buf_free(&line);
	keyd_client_close(&keyd);
	return rc;
}

int
main(int argc, char **argv)
{
	struct question q;
	struct ht_error e;

	/* If there is no system log, the C library would retry it later. */
	log_open("htsign-principals", access(SYSLOG_SOCKET, W_OK) == 0, false);
	if (read_arguments(argc, argv, &q) < 0) {
		usage();
		return EXIT_FAILURE;
	}
	if (proc_harden(&e) < 0) {
		log_error("%s", e.text);
		return EXIT_FAILURE;
	}
	if (answer(&q, &e) < 0) {
		log_error("%s with certificate %s (%s): %s", q.user, q.key_id,
		    q.serial, e.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

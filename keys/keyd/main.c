#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/conf.h"
#include "keys/keyd/check.h"
#include "keys/keyd/keyd.h"
#include "keys/keyd/parent/parent.h"
#include "lib/log.h"
#include "lib/proc.h"

/* The link to the parent. */
#define PARENT_FD 3

static const char usage[] =
    "usage: htsign-keyd [-c FILE] [-t] [-v] [-s] [-V]\n"
    "  -c FILE  the configuration (" CONF_DEFAULT_PATH ")\n"
    "  -t       check the configuration, and end\n"
    "  -v       log more\n"
    "  -s       log to syslog instead of stderr\n"
    "  -V       say which version this is\n";

struct options {
	struct parent_options parent;
	bool check;
	bool keyd; /* not the parent */
};

/* Return -1 to go on, or the exit status. */
static int
parse(int argc, char **argv, struct options *o)
{
	int c;

	/* The parent starts keyd with this; no user types it. */
	if (argc > 1 && strcmp(argv[1], "--keyd") == 0) {
		o->keyd = true;
		argv++;
		argc--;
	}
	while ((c = getopt(argc, argv, "c:tvsVh")) != -1) {
		switch (c) {
		case 'c':
			o->parent.conf = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'v':
			o->parent.verbose = true;
			break;
		case 's':
			o->parent.to_syslog = true;
			break;
		case 'V':
			puts(PACKAGE_STRING);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return -HT_ERR_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs(usage, stderr);
	return -HT_ERR_USAGE;
}

int
main(int argc, char **argv)
{
	struct options o = { { CONF_DEFAULT_PATH, false, false }, false,
		false };
	struct ht_error e;
	char path[PATH_MAX];
	int status = parse(argc, argv, &o);

	if (status >= 0)
		return status;
	log_open("htsign-keyd", o.parent.to_syslog, o.parent.verbose);
	if (proc_harden(&e) < 0) {
		log_error("%s", e.text);
		return -e.code;
	}
	if (o.check)
		return check_run(o.parent.conf);
	if (o.keyd)
		return keyd_main(o.parent.conf, PARENT_FD);
	/* The parent starts keyd again later, perhaps from another folder. */
	if (realpath(o.parent.conf, path) == NULL) {
		log_error("%s: %s", o.parent.conf, strerror(errno));
		return -HT_ERR_USAGE;
	}
	o.parent.conf = path;
	return parent_run(&o.parent);
}

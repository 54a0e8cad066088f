#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "sshd-sign/listener.h"

static const char usage[] = "usage: sshd-sign [-stv] [-c file]\n";

struct options {
	const char *file;
	bool check;
	bool to_syslog;
	bool verbose;
};

static int
parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:stv")) != -1) {
		switch (option) {
		case 'c':
			o->file = optarg;
			break;
		case 's':
			o->to_syslog = true;
			break;
		case 't':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			return HT_ERR_USAGE;
		}
	}
	return optind == argc ? 0 : HT_ERR_USAGE;
}

int
main(int argc, char **argv)
{
	struct options o = { .file = CONF_DEFAULT_PATH };
	struct conf *conf;
	struct ht_error e;
	int rc;

	rc = proc_harden(&e);
	if (rc < 0)
		return -rc;
	if (parse_options(&o, argc, argv) < 0) {
		(void)fputs(usage, stderr);
		return -HT_ERR_USAGE;
	}
	log_open("sshd-sign", o.to_syslog, o.verbose);
	conf = conf_load(o.file, &e);
	rc = conf == NULL ? e.code : conf_resolve(conf, &e);
	if (rc == 0)
		rc =
		    o.check ? listener_check(conf, &e) : listener_run(conf, &e);
	if (rc < 0)
		log_error("%s", e.text);
	conf_free(conf);
	return -rc;
}

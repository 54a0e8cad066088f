#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "config/conf.h"
#include "fetch/fetch.h"
#include "lib/log.h"
#include "lib/proc.h"

static const char usage[] = "usage: htsign-fetch [-sv] [-c file]\n";

int
main(int argc, char **argv)
{
	const char *file = CONF_DEFAULT_PATH;
	bool to_syslog = false, verbose = false;
	struct ht_error e;
	int option, rc;

	while ((option = getopt(argc, argv, "c:sv")) != -1) {
		if (option == 'c')
			file = optarg;
		else if (option == 's')
			to_syslog = true;
		else if (option == 'v')
			verbose = true;
		else
			break;
	}
	if (option != -1 || optind != argc) {
		(void)fputs(usage, stderr);
		return -HT_ERR_USAGE;
	}
	log_open("htsign-fetch", to_syslog, verbose);
	rc = proc_harden(&e);
	if (rc == 0)
		rc = fetch_run(file, &e);
	if (rc < 0)
		log_error("%s", e.text);
	return -rc;
}

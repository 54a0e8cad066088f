#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/token/probe.h"
#include "keys/token/worker.h"
#include "lib/error.h"
#include "lib/log.h"
#include "lib/proc.h"

int
main(int argc, char **argv)
{
	struct ht_error e;
	bool to_syslog = argc == 2 && strcmp(argv[1], "--syslog") == 0;

	if (argc > 1 && strcmp(argv[1], "--probe") == 0)
		return probe_run(argc - 1, argv + 1);
	if (argc > 2 || (argc == 2 && !to_syslog)) {
		fputs("htsign-token is started by htsign-keyd; "
		      "by hand: htsign-token --probe MODULE\n",
		    stderr);
		return -HT_ERR_USAGE;
	}
	log_open("htsign-token", to_syslog, false);
	if (proc_harden(&e) < 0) {
		log_error("%s", e.text);
		return -e.code;
	}
	return worker_run(WORKER_FD);
}

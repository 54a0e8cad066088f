#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "reader/reader.h"

int
main(int argc, char **argv)
{
	struct ht_error e;
	bool to_syslog = argc == 2 && strcmp(argv[1], "--syslog") == 0;
	int rc;

	if (argc > 2 || (argc == 2 && !to_syslog)) {
		fputs("htsign-reader is started by htsign-keyd\n", stderr);
		return -HT_ERR_USAGE;
	}
	log_open("htsign-reader", to_syslog, false);
	rc = proc_harden(&e);
	if (rc == 0)
		rc = reader_run(READER_FD, &e);
	if (rc < 0)
		log_error("%s", e.text);
	return -rc;
}

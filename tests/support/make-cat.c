/*
 * make-cat [MEMBERS] >FILE.cat: a catalog that is not signed yet.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/catalog.h"

int
main(int argc, char **argv)
{
	unsigned long members = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	struct buf out = BUF_INIT;
	int rc = 1;

	catalog_make((unsigned int)members, CATALOG_GOOD, &out);
	if (buf_failed(&out) == 0 &&
	    fwrite(out.data, 1, out.len, stdout) == out.len &&
	    fflush(stdout) == 0)
		rc = 0;
	buf_free(&out);
	return rc;
}

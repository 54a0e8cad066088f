/*
 * htsign: the command for the machine where files are built.
 */

#ifndef HTSIGN_HTSIGN_H
#define HTSIGN_HTSIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* The arguments after the command's name. */
struct htsign_arguments {
	const char *const *operand;
	size_t operands;
	const char *ca;       /* --ca, or NULL */
	const char *digest;   /* --digest, or NULL */
	const char *index;    /* --index, or NULL */
	const char *name;     /* --name, or NULL */
	const char *output;   /* --output, or NULL */
	const char *tsa_ca;   /* --tsa-ca, or NULL */
	const char *url;      /* --url, or NULL */
	bool allow_uncovered; /* --allow-uncovered */
	bool in_place;        /* --in-place */
	bool json;            /* --json */
	bool msi_ex;          /* --msi-ex */
	bool recursive;       /* --recursive */
};

/*
 * The whole program.  Returns an exit status of DESIGN.md, section 8.  If it is
 * not 0, one line on stderr says why.
 */
int htsign_main(int argc, char **argv);

/*
 * The commands.  Errors as the functions of formats/format.h, and HT_ERR_USAGE
 * for files that cannot be opened.
 */
int attach_run(const struct htsign_arguments *a, struct ht_error *e);
int digest_run(const struct htsign_arguments *a, struct ht_error *e);
int extract_run(const struct htsign_arguments *a, struct ht_error *e);
int info_run(const struct htsign_arguments *a, struct ht_error *e);
int strip_run(const struct htsign_arguments *a, struct ht_error *e);
int timestamp_run(const struct htsign_arguments *a, struct ht_error *e);
int verify_run(const struct htsign_arguments *a, struct ht_error *e);

#endif

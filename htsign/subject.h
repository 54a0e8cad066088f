/*
 * The signable file that a command is about.
 */

#ifndef HTSIGN_SUBJECT_H
#define HTSIGN_SUBJECT_H

#include <sys/stat.h>

#include "formats/format.h"
#include "lib/error.h"
#include "lib/input.h"

struct subject {
	const char *path;
	int fd;
	struct stat st; /* as it was before we read it */
	struct input *in;
	const struct format *format;
};

/*
 * Open the file and find its format, by its bytes or its name.  Errors as
 * file_open and format_detect.  subject_close also after an error.
 */
int subject_open(const char *path, struct subject *subject, struct ht_error *e);
void subject_close(struct subject *subject);

/*
 * Digest it as options say; where they name no algorithm, with the one that it
 * has to be: for a package that of its block map, for all others SHA-256.
 * Errors as format_digest.
 */
int subject_digest(const struct subject *subject,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e);

#endif

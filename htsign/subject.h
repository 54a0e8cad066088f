/*
 * The signable file that a command is about.
 */

#ifndef HTSIGN_SUBJECT_H
#define HTSIGN_SUBJECT_H

#include <sys/stat.h>

#include "authenticode/format.h"
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
 * Digest it with the named algorithm; or with NULL as it has to be: a package
 * with the algorithm of its block map, all others with SHA-256.  Errors as
 * format_digest.
 */
int subject_digest(const struct subject *subject, const char *algorithm,
    struct format_file **file, struct ht_error *e);

#endif

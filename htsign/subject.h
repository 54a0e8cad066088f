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
	struct stat st; /* from before we read it */
	struct input *in;
	const struct format *format;
};

/*
 * Open the file and find its format, by its bytes or its name.  path is
 * borrowed.  The caller calls subject_close, also after an error.  Errors as
 * file_open, input_file and format_detect.
 */
int subject_open(const char *path, struct subject *subject, struct ht_error *e);
void subject_close(struct subject *subject);

/*
 * The same, but format is NULL if the file is of no known format.
 */
int subject_find(const char *path, struct subject *subject, struct ht_error *e);

/*
 * The same for stdin, which is kept in a temporary file if it cannot seek.
 * name is its file name, or NULL.  HT_ERR_UNAVAILABLE if there is no room.
 */
int subject_stdin(const char *name, struct subject *subject,
    struct ht_error *e);

/*
 * Digest the file as options say.  If they name no algorithm, it is the block
 * map's for a package, and SHA-256 for all others.  Remains are no error.
 * Returns 0 and *file, which the caller frees with format_file_free.  Errors as
 * format_digest.
 */
int subject_digest(const struct subject *subject,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e);

/*
 * Say on stderr what remains there are, if any, after these words.
 */
void subject_say(const char *words, const struct format_remains *remains);

/*
 * Read the argument of --index: the number of one signature of several side by
 * side, from 1.  *index is 0 if there is no argument.  HT_ERR_USAGE if it is no
 * such number.
 */
int subject_index(const char *argument, unsigned int *index,
    struct ht_error *e);

#endif

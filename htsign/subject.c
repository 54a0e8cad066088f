#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "htsign/file.h"
#include "htsign/subject.h"
#include "lib/log.h"

/*
 * Find out what fd is, which becomes the subject's.
 */
static int
find(int fd, const char *path, const char *name, struct subject *subject,
    struct ht_error *e)
{
	memset(subject, 0, sizeof(*subject));
	subject->path = path;
	subject->fd = fd;
	if (fd < 0)
		return fd;
	if (fstat(fd, &subject->st) < 0)
		return ht_error_errno(e, "%s", path);
	subject->in = input_file(fd, e);
	if (subject->in == NULL)
		return HT_ERR_INTERNAL;
	return format_find(subject->in, name, &subject->format, e);
}

int
subject_find(const char *path, struct subject *subject, struct ht_error *e)
{
	return find(file_open(path, e), path, path, subject, e);
}

int
subject_open(const char *path, struct subject *subject, struct ht_error *e)
{
	int rc = subject_find(path, subject, e);

	if (rc == 0 && subject->format == NULL)
		rc = format_detect(subject->in, path, &subject->format, e);
	return rc;
}

int
subject_stdin(const char *name, struct subject *subject, struct ht_error *e)
{
	return find(file_stdin(e), "-", name, subject, e);
}

void
subject_close(struct subject *subject)
{
	input_free(subject->in);
	if (subject->fd >= 0)
		(void)close(subject->fd);
	memset(subject, 0, sizeof(*subject));
	subject->fd = -1;
}

int
subject_digest(const struct subject *subject,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e)
{
	static const char *const algorithms[] = { "sha256", "sha384",
		"sha512" };
	struct format_options chosen = *options;
	struct ht_error other;
	size_t i;
	int rc;

	if (options->algorithm == NULL)
		chosen.algorithm = algorithms[0];
	chosen.remains = true;
	rc = format_digest(subject->format, subject->in, &chosen, file, e);
	if (options->algorithm != NULL || subject->format != &format_appx)
		return rc;
	/* A package refuses an algorithm other than its block map's. */
	for (i = 1; rc == HT_ERR_REFUSED && i < 3; i++) {
		chosen.algorithm = algorithms[i];
		if (format_digest(subject->format, subject->in, &chosen, file,
		        &other) == 0)
			rc = 0;
	}
	return rc;
}

void
subject_say(const char *words, const struct format_remains *remains)
{
	if (remains->what[0] != '\0')
		log_notice("%s: %s", words, remains->what);
}

int
subject_index(const char *argument, unsigned int *index, struct ht_error *e)
{
	char *end;

	*index = 0;
	if (argument == NULL)
		return 0;
	if (*argument >= '1' && *argument <= '9' && strlen(argument) <= 2) {
		*index = (unsigned int)strtoul(argument, &end, 10);
		if (*end == '\0')
			return 0;
	}
	return ht_error_set(e, HT_ERR_USAGE, "--index is a number from 1: %s",
	    argument);
}

/*
 * The main of a fuzz target where libFuzzer is not linked: run the target over
 * every file named, or in the folders named.  Without arguments that is the
 * target's own corpus in the source tree, $srcdir/tests/fuzz/corpus/NAME for
 * the program fuzz_NAME.
 */

#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPLAY_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static unsigned long replayed;

static int
replay_file(const char *path)
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	int rc = -1;
	FILE *f;
	struct stat st;

	f = fopen(path, "rb");
	if (f == NULL || fstat(fileno(f), &st) < 0 || st.st_size < 0 ||
	    (uintmax_t)st.st_size > REPLAY_MAX)
		goto out;
	/* Exactly as long as the file, so that a sanitizer sees an overrun. */
	n = (size_t)st.st_size;
	bytes = malloc(n > 0 ? n : 1);
	if (bytes == NULL || fread(bytes, 1, n, f) != n)
		goto out;
	(void)LLVMFuzzerTestOneInput(bytes, n);
	replayed++;
	rc = 0;
out:
	if (rc < 0)
		perror(path);
	free(bytes);
	if (f != NULL)
		(void)fclose(f);
	return rc;
}

static int
replay(const char *path)
{
	char name[4096];
	struct dirent *entry;
	struct stat st;
	int rc = 0;
	DIR *folder;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return replay_file(path);
	folder = opendir(path);
	if (folder == NULL) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path,
		    entry->d_name);
		if (replay(name) < 0)
			rc = -1;
	}
	(void)closedir(folder);
	return rc;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(argv[0], '_');
	char corpus[4096];
	int rc = 0;
	int i;

	for (i = 1; i < argc; i++) {
		if (replay(argv[i]) < 0)
			rc = -1;
	}
	if (argc < 2 && name != NULL) {
		(void)snprintf(corpus, sizeof(corpus),
		    "%s/tests/fuzz/corpus/%s", srcdir == NULL ? "." : srcdir,
		    name + 1);
		rc = replay(corpus);
	}
	(void)printf("%lu inputs replayed\n", replayed);
	return rc < 0 || replayed == 0;
}

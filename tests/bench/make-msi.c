/*
 * make-msi [-v VERSION] [-d DEPTH] STREAMS SIZE >FILE.msi: a package of so many
 * streams of so many bytes, in DEPTH storages that are inside each other.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/cfb_image.h"

#define NAME_SIZE 32

static _Noreturn void
usage(void)
{
	(void)fputs("usage: make-msi [-v VERSION] [-d DEPTH] STREAMS SIZE\n",
	    stderr);
	exit(64);
}

static unsigned long
number(const char *text, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n > most)
		usage();
	return n;
}

/* Storages first, each in the one before; the streams are in the last. */
static void
build(unsigned int version, size_t depth, size_t streams, size_t size)
{
	size_t n = depth + streams;
	struct cfb_image_entry *entries = calloc(n + 1, sizeof(*entries));
	char(*names)[NAME_SIZE] = calloc(n + 1, sizeof(*names));
	struct buf out = BUF_INIT;
	size_t i;

	if (entries == NULL || names == NULL)
		exit(1);
	out.limit = (size_t)2 << 30;
	for (i = 0; i < n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s%06zu",
		    i < depth ? "Folder" : "Stream", i);
		entries[i].name = names[i];
		entries[i].parent = i < depth ? (int)i - 1 : (int)depth - 1;
		entries[i].size = i < depth ? CFB_IMAGE_STORAGE : size;
	}
	cfb_image_build(version, entries, n, &out);
	if (buf_failed(&out) < 0 ||
	    fwrite(out.data, 1, out.len, stdout) != out.len ||
	    fflush(stdout) != 0) {
		perror("make-msi");
		exit(1);
	}
	buf_free(&out);
	free(entries);
	free(names);
}

int
main(int argc, char **argv)
{
	unsigned int version = 3;
	size_t depth = 0;
	int option;

	while ((option = getopt(argc, argv, "d:v:")) != -1) {
		if (option == 'd')
			depth = number(optarg, 60000);
		else if (option == 'v')
			version = (unsigned int)number(optarg, 4);
		else
			usage();
	}
	if (argc - optind != 2 || version < 3)
		usage();
	build(version, depth, number(argv[optind], 60000),
	    number(argv[optind + 1], 2000000000));
	return 0;
}

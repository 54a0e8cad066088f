/*
 * make-appx WORD ... >FILE.msix: a package that is not signed yet.
 *
 *	bundle, zip64, deflated, types-first, code-integrity, overridden
 *	descriptor=N, method=NAME, publisher=TEXT, files=N, size=N
 *	fault=NAME: one of those below
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/package.h"

static unsigned int
number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

static const struct {
	const char *name;
	enum package_fault fault;
} faults[] = {
	{ "map-hash", PACKAGE_MAP_HASH },
	{ "map-size", PACKAGE_MAP_SIZE },
	{ "map-header", PACKAGE_MAP_HEADER },
	{ "map-packed", PACKAGE_MAP_PACKED },
	{ "map-not-here", PACKAGE_MAP_NOT_HERE },
	{ "map-not-there", PACKAGE_MAP_NOT_THERE },
	{ "map-twice", PACKAGE_MAP_TWICE },
	{ "two-cases", PACKAGE_TWO_CASES },
	{ "two-escapes", PACKAGE_TWO_ESCAPES },
	{ "bundle-offset", PACKAGE_BUNDLE_OFFSET },
	{ "bundle-unlisted", PACKAGE_BUNDLE_UNLISTED },
};

static int
take_fault(struct package *p, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (strcmp(faults[i].name, name) == 0) {
			p->fault = faults[i].fault;
			return 0;
		}
	}
	return -1;
}

static int
take_word(struct package *p, const char *word)
{
	const char *value = strchr(word, '=');

	if (value != NULL)
		value++;
	if (strcmp(word, "bundle") == 0)
		p->bundle = true;
	else if (strcmp(word, "zip64") == 0)
		p->zip64 = true;
	else if (strcmp(word, "deflated") == 0)
		p->deflated = true;
	else if (strcmp(word, "types-first") == 0)
		p->types_first = true;
	else if (strcmp(word, "code-integrity") == 0)
		p->code_integrity = true;
	else if (strcmp(word, "overridden") == 0)
		p->overridden = true;
	else if (value == NULL)
		return -1;
	else if (strncmp(word, "descriptor=", 11) == 0)
		p->descriptor = number(value);
	else if (strncmp(word, "method=", 7) == 0)
		p->method = value;
	else if (strncmp(word, "publisher=", 10) == 0)
		p->publisher = value;
	else if (strncmp(word, "files=", 6) == 0)
		p->files = number(value);
	else if (strncmp(word, "size=", 5) == 0)
		p->size = number(value);
	else if (strncmp(word, "fault=", 6) == 0)
		return take_fault(p, value);
	else
		return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct package package = { .method = "sha256",
		.publisher = "CN=Test Signer",
		.files = 2,
		.size = 1000 };
	struct buf out = BUF_INIT;
	int rc = 1;
	int i;

	out.limit = (size_t)2 << 30;
	for (i = 1; i < argc; i++) {
		if (take_word(&package, argv[i]) < 0) {
			(void)fprintf(stderr, "make-appx: %s?\n", argv[i]);
			return 64;
		}
	}
	package_make(&package, &out);
	if (buf_failed(&out) == 0 &&
	    fwrite(out.data, 1, out.len, stdout) == out.len &&
	    fflush(stdout) == 0)
		rc = 0;
	buf_free(&out);
	return rc;
}

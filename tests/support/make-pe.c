/*
 * Write a small valid PE file to stdout, for samples and tests.
 */

#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/pe_image.h"

static const struct option options[] = {
	{ "machine", required_argument, NULL, 'm' },
	{ "efi", no_argument, NULL, 'e' },
	{ "lfanew", required_argument, NULL, 'l' },
	{ "gap", required_argument, NULL, 'g' },
	{ "code", required_argument, NULL, 'c' },
	{ "zeros", required_argument, NULL, 'z' },
	{ "payload", required_argument, NULL, 'p' },
	{ NULL, 0, NULL, 0 },
};

/*
 * The section goes on with so many zeros, which are not written: a file may
 * have a hole in their place.
 */
static uint32_t zeros;

static _Noreturn void
usage(void)
{
	(void)fputs(
	    "usage: make-pe [--machine=x64|x86|arm64] [--efi] [--lfanew=N]\n"
	    "               [--gap=N] [--code=N] [--payload=N] > FILE\n"
	    "       make-pe --zeros=N > FILE && truncate -s +N FILE\n",
	    stderr);
	exit(64);
}

static uint64_t
number(const char *text, uint64_t max)
{
	char *end;
	uintmax_t n = strtoumax(text, &end, 0);

	if (*text < '0' || *text > '9' || *end != '\0' || n > max)
		usage();
	return n;
}

static enum pe_image_machine
machine(const char *name)
{
	if (strcmp(name, "x64") == 0)
		return PE_IMAGE_X64;
	if (strcmp(name, "x86") == 0)
		return PE_IMAGE_X86;
	if (strcmp(name, "arm64") == 0)
		return PE_IMAGE_ARM64;
	usage();
}

static void
parse(int argc, char **argv, struct pe_image *image)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			image->machine = machine(optarg);
			break;
		case 'e':
			image->efi = true;
			break;
		case 'l':
			image->lfanew = (uint32_t)number(optarg, 16 << 20);
			if (image->lfanew < 64)
				usage();
			break;
		case 'g':
			image->gap = (uint32_t)number(optarg, 16 << 20);
			break;
		case 'c':
			image->code = (uint32_t)number(optarg, 1 << 30);
			break;
		case 'z':
			zeros = (uint32_t)number(optarg, 2U << 30);
			break;
		case 'p':
			image->payload = number(optarg, UINT32_MAX);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || (zeros > 0 && image->payload > 0))
		usage();
}

static void
put_u32le(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* SizeOfRawData, of the only section. */
static void
declare_zeros(const struct pe_image *image, struct buf *head)
{
	size_t lfanew = image->lfanew != 0 ? image->lfanew : 64;
	size_t optional = image->machine == PE_IMAGE_X86 ? 224 : 240;
	uint8_t *field = head->data + lfanew + 24 + optional + 16;
	uint32_t size = (uint32_t)field[0] | (uint32_t)field[1] << 8 |
	    (uint32_t)field[2] << 16 | (uint32_t)field[3] << 24;

	put_u32le(field, size + zeros);
}

int
main(int argc, char **argv)
{
	static uint8_t chunk[64 << 10];
	struct pe_image image = { 0 };
	struct buf head = BUF_INIT;
	uint64_t done;
	size_t n;

	head.limit = (size_t)2 << 30;
	parse(argc, argv, &image);
	pe_image_build(&image, &head);
	if (buf_failed(&head) == 0)
		declare_zeros(&image, &head);
	if (buf_failed(&head) < 0 ||
	    fwrite(head.data, 1, head.len, stdout) != head.len)
		goto fail;
	for (done = 0; done < image.payload; done += n) {
		n = sizeof(chunk);
		if (n > image.payload - done)
			n = (size_t)(image.payload - done);
		pe_image_payload(done, chunk, n);
		if (fwrite(chunk, 1, n, stdout) != n)
			goto fail;
	}
	buf_free(&head);
	if (fflush(stdout) == 0)
		return 0;
fail:
	perror("make-pe");
	return 1;
}

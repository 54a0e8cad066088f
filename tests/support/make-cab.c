/*
 * Write a small cabinet to stdout, of kinds that other tools do not make.
 */

#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/cab_image.h"

static const struct option options[] = {
	{ "folders", required_argument, NULL, 'f' },
	{ "size", required_argument, NULL, 's' },
	{ "previous", no_argument, NULL, 'p' },
	{ "next", no_argument, NULL, 'n' },
	{ "number", required_argument, NULL, 'i' },
	{ "cabinet-area", required_argument, NULL, 'c' },
	{ "folder-area", required_argument, NULL, 'd' },
	{ "data-area", required_argument, NULL, 'b' },
	{ "first", required_argument, NULL, '1' },
	{ NULL, 0, NULL, 0 },
};

static _Noreturn void
usage(void)
{
	(void)fputs("usage: make-cab [--folders=N] [--size=N] [--previous] "
	            "[--next] [--number=N]\n"
	            "                [--cabinet-area=N] [--folder-area=N] "
	            "[--data-area=N]\n"
	            "                [--first=N] > FILE\n",
	    stderr);
	exit(64);
}

static unsigned int
number(const char *text, unsigned int max)
{
	char *end;
	uintmax_t n = strtoumax(text, &end, 0);

	if (*text < '0' || *text > '9' || *end != '\0' || n > max)
		usage();
	return (unsigned int)n;
}

static void
set(struct cab_image *image, int option)
{
	switch (option) {
	case 'f':
		image->folders = number(optarg, UINT16_MAX);
		break;
	case 's':
		image->size = number(optarg, 16 << 20);
		break;
	case 'p':
		image->previous = true;
		break;
	case 'n':
		image->next = true;
		break;
	case 'i':
		image->number = (uint16_t)number(optarg, UINT16_MAX);
		break;
	case 'c':
		image->cabinet_area = (uint16_t)number(optarg, UINT16_MAX);
		break;
	case 'd':
		image->folder_area = (uint8_t)number(optarg, UINT8_MAX);
		break;
	case 'b':
		image->data_area = (uint8_t)number(optarg, UINT8_MAX);
		break;
	case '1':
		image->first = (uint8_t)number(optarg, UINT8_MAX);
		break;
	default:
		usage();
	}
}

int
main(int argc, char **argv)
{
	struct cab_image image = { 0 };
	struct buf out = BUF_INIT;
	int option;

	out.limit = (size_t)2 << 30;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		set(&image, option);
	if (optind != argc ||
	    (image.first > 0 && image.cabinet_area < image.first + 4))
		usage();
	cab_image_build(&image, &out);
	if (buf_failed(&out) < 0)
		usage();
	if (fwrite(out.data, 1, out.len, stdout) != out.len ||
	    fflush(stdout) != 0) {
		perror("make-cab");
		return 1;
	}
	buf_free(&out);
	return 0;
}

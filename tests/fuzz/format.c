#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "authenticode/format.h"
#include "authenticode/init.h"
#include "tests/fuzz/format.h"

static const struct format_options sha256 = { .algorithm = "sha256" };

/*
 * Putting a signature in must not change what is signed.
 */
static void
check_plan(const struct format_file *file)
{
	static const uint8_t p7[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };
	struct format_file *again = NULL;
	struct output *plan = NULL;
	struct input *in = NULL;
	struct buf found = BUF_INIT;

	if (format_plan(file, p7, sizeof(p7), &plan, NULL) < 0)
		return;
	in = input_plan(plan, NULL);
	if (in == NULL ||
	    format_digest(file->format, in, &sha256, &again, NULL) < 0 ||
	    !again->was_signed || again->size != output_size(plan) ||
	    memcmp(again->digest.value, file->digest.value,
	        file->digest.length) != 0 ||
	    file->format->signature(in, &found, NULL) < 0 ||
	    found.len != sizeof(p7) || memcmp(found.data, p7, found.len) != 0)
		abort();
	buf_free(&found);
	format_file_free(again);
	input_free(in);
	output_free(plan);
}

void
fuzz_format(const uint8_t *p, size_t n, const char *name)
{
	static bool started;
	const struct format *format;
	struct format_verified verified;
	struct format_file *file;
	struct ht_error e;
	struct input *in;

	if (!started && authenticode_init(&e) < 0)
		abort();
	started = true;
	in = input_memory(p, n, &e);
	if (in == NULL || format_detect(in, name, &format, &e) < 0)
		goto out;
	if (format_digest(format, in, &sha256, &file, &e) == 0) {
		check_plan(file);
		format_file_free(file);
	}
	(void)format_verify(format, in, NULL, 0, &verified, &e);
	format_verified_clear(&verified);
out:
	input_free(in);
}

/*
 * A catalog from outside: through everything that shell and htsign do with it.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "authenticode/content.h"
#include "authenticode/format.h"
#include "authenticode/init.h"

static const struct format_options sha256 = { .algorithm = "sha256" };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool started;
	const struct format *format;
	struct format_verified verified;
	struct format_file *file;
	struct spc_digest digest;
	struct ht_error e;
	struct input *in;

	if (!started && authenticode_init(&e) < 0)
		abort();
	started = true;
	in = input_memory(p, n, &e);
	if (in == NULL || format_detect(in, NULL, &format, &e) < 0 ||
	    format != &format_cat)
		goto out;
	if (format_digest(format, in, &sha256, &file, &e) == 0) {
		/* What the shell sends, keyd takes, with the same digest. */
		if (content_parse(CONTENT_CAT, file->content.data,
		        file->content.len, "sha256", &digest, &e) < 0 ||
		    memcmp(digest.value, file->digest.value, digest.length) !=
		        0)
			abort();
		format_file_free(file);
	}
	(void)format_verify(format, in, NULL, 0, &verified, &e);
	format_verified_clear(&verified);
out:
	input_free(in);
	return 0;
}

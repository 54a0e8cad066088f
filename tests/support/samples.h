/*
 * Small files of each format, made from nothing: what tests do to all formats
 * alike, they do to these.
 */

#ifndef TESTS_SUPPORT_SAMPLES_H
#define TESTS_SUPPORT_SAMPLES_H

#include "formats/format.h"
#include "tests/support/signing.h"

struct sample {
	const char *kind; /* "pe", "cab", "msi", "cat", "appx", "script"; those
	                     of a kind stand together */
	const char *name; /* of the file, which is what tells a script */
	void (*make)(const void *how, struct buf *out);
	const void *how;
	size_t optional; /* bytes at the end that the format does without */
	const struct format_options *options; /* NULL: SHA-256 */
};

extern const struct sample samples[];
extern const size_t samples_count;

/*
 * Append the file to out: not signed, or signed.  A failure fails the test.
 */
void sample_make(const struct sample *sample, struct buf *out);
void sample_sign(const struct sample *sample, struct signing *signing,
    struct buf *out);

/*
 * format_detect under the sample's name, and format_digest.
 */
int sample_open(const struct sample *sample, struct input *in,
    struct format_file **file, struct ht_error *e);

/*
 * What signing says of n bytes under the sample's name.
 */
int sample_digest(const struct sample *sample, const void *p, size_t n,
    struct ht_error *e);

/*
 * What htsign verify says of them: format_verify, and the chain up to
 * signing's root.
 */
int sample_verify(const struct sample *sample, const struct signing *signing,
    const void *p, size_t n, struct ht_error *e);

/*
 * Append the PKCS#7 that these bytes carry to p7, or nothing.
 */
void sample_signature(const struct sample *sample, const void *p, size_t n,
    struct buf *p7);

#endif

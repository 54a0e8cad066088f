/*
 * Small files of all formats, for tests that treat all formats alike.
 */

#ifndef TESTS_SUPPORT_SAMPLES_H
#define TESTS_SUPPORT_SAMPLES_H

#include "formats/format.h"
#include "tests/support/signing.h"

struct sample {
	const char *kind; /* "pe", "cab", "msi", "cat", "appx" or "script";
	                     samples of one kind are adjacent */
	const char *name; /* file name, which identifies a script */
	void (*make)(const void *how, struct buf *out);
	const void *how;
	size_t optional; /* bytes at the end that the format does not need */
	const struct format_options *options; /* NULL means SHA-256 */
};

extern const struct sample samples[];
extern const size_t samples_count;

/*
 * Append the file to out, unsigned or signed.  A failure fails the test.
 */
void sample_make(const struct sample *sample, struct buf *out);
void sample_sign(const struct sample *sample, struct signing *signing,
    struct buf *out);

/*
 * Call format_detect with the sample's name, and format_digest.  Returns as
 * these.
 */
int sample_open(const struct sample *sample, struct input *in,
    struct format_file **file, struct ht_error *e);

/*
 * Digest the n bytes at p under the sample's name.  Returns as sample_open.
 */
int sample_digest(const struct sample *sample, const void *p, size_t n,
    struct ht_error *e);

/*
 * Verify the n bytes at p as htsign verify does: format_verify, and the chain
 * up to signing's root.
 */
int sample_verify(const struct sample *sample, const struct signing *signing,
    const void *p, size_t n, struct ht_error *e);

/*
 * Append the PKCS#7 in the n bytes at p to p7, or nothing if there is none.
 */
void sample_signature(const struct sample *sample, const void *p, size_t n,
    struct buf *p7);

#endif

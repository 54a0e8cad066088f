/*
 * Small files of all formats, and two keys that sign them, for tests with
 * files that are signed already.
 */

#ifndef TESTS_SUPPORT_SIGNED_H
#define TESTS_SUPPORT_SIGNED_H

#include <stdbool.h>

#include "formats/format.h"
#include "protocol/messages.h"
#include "tests/support/signing.h"

/* The first two are PEs, the fourth one is an MSI. */
#define SIGNED_SAMPLES 12
extern const struct signed_sample {
	const char *format;
	const char *spc;
	const char *file_name;
	void (*make)(struct buf *out);
	bool streams; /* can be digested while it arrives */
} signed_samples[SIGNED_SAMPLES];

/*
 * The two keys.  signed_start makes them and signed_stop clears them, as group
 * functions of cmocka.
 */
extern struct signing signed_ours;
extern struct signing signed_other;
int signed_start(void **state);
int signed_stop(void **state);

/*
 * Append the first or the second sample.  The second one is larger than
 * INPUT_HEAD.
 */
void signed_make_pe(struct buf *out);
void signed_make_large_pe(struct buf *out);

/*
 * Sign the file plain with key.  The signed file is appended to out, and the
 * PKCS#7 to p7.  The digest is SHA-256, or as options how say.
 */
void signed_sign(const struct signed_sample *sample, struct signing *key,
    const struct buf *plain, struct buf *p7, struct buf *out);
void signed_sign_as(const struct format_options *how,
    const struct signed_sample *sample, struct signing *key,
    const struct buf *plain, struct buf *p7, struct buf *out);

/*
 * signed_put_entry appends a WIN_CERTIFICATE with the n bytes at p7 to table.
 * signed_put_pe appends the first sample, with table as its certificate table.
 */
void signed_put_entry(struct buf *table, const void *p7, size_t n);
void signed_put_pe(const struct buf *table, struct buf *out);

/*
 * Make a GO with word as the profile's `existing`.  keyd's own certificates are
 * an unknown one and that of signed_ours.  Their fingerprints are put into own,
 * which must be empty; go borrows it.
 */
void signed_go(const char *word, struct buf *own, struct protocol_go *go);

#endif

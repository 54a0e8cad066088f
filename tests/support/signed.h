/*
 * Small files of all formats, signed by two keys, for tests of signatures that
 * are there already.
 */

#ifndef TESTS_SUPPORT_SIGNED_H
#define TESTS_SUPPORT_SIGNED_H

#include <stdbool.h>

#include "formats/format.h"
#include "protocol/messages.h"
#include "tests/support/signing.h"

/* The first two are of PE, the fourth is an MSI. */
#define SIGNED_SAMPLES 12
extern const struct signed_sample {
	const char *format;
	const char *spc;
	const char *file_name;
	void (*make)(struct buf *out);
	bool streams; /* can be digested as it comes */
} signed_samples[SIGNED_SAMPLES];

/*
 * The two keys: group functions of cmocka make and clear them.
 */
extern struct signing signed_ours;
extern struct signing signed_other;
int signed_start(void **state);
int signed_stop(void **state);

/*
 * Append the first two samples; the second is larger than what an input
 * remembers of its start.
 */
void signed_make_pe(struct buf *out);
void signed_make_large_pe(struct buf *out);

/*
 * Append the file plain, signed by key, to out, and the PKCS#7 to p7; digested
 * with other options than SHA-256.
 */
void signed_sign(const struct signed_sample *sample, struct signing *key,
    const struct buf *plain, struct buf *p7, struct buf *out);
void signed_sign_as(const struct format_options *how,
    const struct signed_sample *sample, struct signing *key,
    const struct buf *plain, struct buf *p7, struct buf *out);

/*
 * Append a WIN_CERTIFICATE with n bytes to a table; append the first sample
 * with this table in it.
 */
void signed_put_entry(struct buf *table, const void *p7, size_t n);
void signed_put_pe(const struct buf *table, struct buf *out);

/*
 * GO with this word of htsign.conf, and our certificate as keyd's own; own is
 * empty, and has its fingerprint then.
 */
void signed_go(const char *word, struct buf *own, struct protocol_go *go);

#endif

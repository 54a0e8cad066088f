/*
 * The signable formats.
 *
 * One file for each format (pe.c, …) with one const struct format, listed in
 * format.c.  A caller finds the format, digests the file while it arrives,
 * and makes the output plan when the signature comes back:
 *
 *	format_detect(in, name, &format, e)
 *	format_digest(format, in, &options, &file, e)	reads to the end
 *		... file->content is signed elsewhere ...
 *	format_plan(file, p7, n, &plan, e)
 *	format_verify(format, output_as_input(plan), content, n, &checked, e)
 *	format_file_free(file)
 */

#ifndef FORMATS_FORMAT_H
#define FORMATS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"
#include "lib/output.h"
#include "signature/pkcs7.h"
#include "signature/spc.h"

#define FORMAT_PUBLISHER_MAX 2048

/* What a signature may take of a format's size_max. */
#define FORMAT_SIGNATURE_ROOM ((uint64_t)1 << 20)

/*
 * What a signature is to have.  What is asked of another format is refused.
 */
struct format_options {
	const char *algorithm; /* as spc_algorithm takes it */
	bool page_hashes;      /* of a PE: digests of its pages, too */
	bool msi_ex;           /* of an MSI: MsiDigitalSignatureEx */
	bool as_signed;        /* of a file that has a signature: msi_ex as
	                          that has it, whatever msi_ex says */
	bool no_plan;          /* only verified: format_plan will not be asked,
	                          and what only that needs is left out */
};

/*
 * One file that is being signed or verified, after its digest.  The format's
 * hooks fill it in, and callers only read it, but that they may free (buf_free)
 * what is long once they do not need it any more themselves: signature, which
 * no function here looks at again, and content, if format_plan will not be
 * asked for a catalog without its signature, which is made of that.
 */
struct format_file {
	const struct format *format;
	struct input *in; /* the caller's; outlives this */
	/* As the caller said it, but: the algorithm is a static name, and
	   msi_ex is what was done. */
	struct format_options options;
	/* While verifying: the list that the file must have; no content. */
	struct cursor page_hashes;
	uint64_t size;            /* of the whole file, in bytes */
	bool was_signed;          /* it carries a signature, which a plan
	                             replaces */
	struct buf signature;     /* that: the DER of each PKCS#7, one behind
	                             the other; what the file has in its
	                             place, where it is no DER.  Nothing in
	                             it has been looked at */
	struct spc_digest digest; /* of what Authenticode covers */
	struct buf content;       /* DER of what keyd is to sign */
	const char *spc;          /* what content_parse calls the content: the
	                             format's name, unless it has two kinds */
	struct buf publisher;     /* UTF-8, whom the file names as the only
	                             one who may sign it, or empty; at most
	                             FORMAT_PUBLISHER_MAX bytes, no NUL */
	void *state;              /* the format's own */
};

/*
 * A format.  The hooks are called through the functions below, which check
 * what is common to all; each returns 0 or HT_ERR_* as its caller does.
 */
struct format {
	const char *name;  /* in messages and the journal: "pe" */
	const char *title; /* for people: "PE" */
	bool nests;        /* Windows knows nested signatures in it */
	bool seeks;        /* digest reads out of order: a stream needs a spool
	                      (input_spool) before that */
	uint64_t size_max; /* bytes of a signed file, a little less than a
	                      whole number of GiB; 0: the format sets none,
	                      or has its own way to tell */

	/*
	 * Set *is to whether this is such a file, from its first bytes
	 * (INPUT_HEAD at most) or, where the bytes cannot tell (scripts),
	 * from file_name, which may be NULL.  Fails for a file that is one
	 * but is too damaged to go on with.
	 */
	int (*detect)(struct input *in, const char *file_name, bool *is,
	    struct ht_error *e);

	/*
	 * One pass over the input to its end: fill size, was_signed, signature,
	 * digest (digest.algorithm is set by the caller), content, state.
	 */
	int (*digest)(struct format_file *file, struct ht_error *e);

	/*
	 * What verifying looks at beyond the digest, after it; NULL if that is
	 * nothing.
	 */
	int (*check)(const struct format_file *file, struct ht_error *e);

	/*
	 * Append to plan the file with the signature p7 in it; or without a
	 * signature, if p7 is NULL, which it is only for a file that has one.
	 */
	int (*plan)(const struct format_file *file, const void *p7, size_t n,
	    struct output *plan, struct ht_error *e);

	/*
	 * Put the PKCS#7 that the file carries into p7; it stays empty if
	 * there is none.  Seeks.
	 */
	int (*signature)(struct input *in, struct buf *p7, struct ht_error *e);

	/*
	 * Free file->state.
	 */
	void (*clear)(struct format_file *file);
};

/*
 * Find the format of in; file_name (may be NULL) is a hint for those that
 * their bytes do not tell.  Reads no more than is needed.  HT_ERR_DATA if it
 * is no signable file: empty, text, a damaged header; else as input_read.
 */
int format_detect(struct input *in, const char *file_name,
    const struct format **format, struct ht_error *e);

/*
 * The format of that name, or NULL.
 */
const struct format *format_find(const char *name);

/*
 * Read in to its end and digest it as options say, which are copied.  0 and
 * *file, which the caller frees, or *file NULL and HT_ERR_DATA with the offset
 * and the rule that was broken; HT_ERR_USAGE for the algorithm; HT_ERR_REFUSED
 * for options that are not for this format, for page hashes of a file that
 * cannot have any, or with another algorithm than SHA-256, and for a file that
 * is sound but larger, or otherwise made, than can be signed, be that only for
 * want of room for a signature (size_max; not with no_plan, or of a file that
 * has one); or as input_read.
 *
 * With msi_ex a plan puts MsiDigitalSignatureEx in beside the signature;
 * without, it takes out any that there is.
 */
int format_digest(const struct format *format, struct input *in,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e);
void format_file_free(struct format_file *file); /* NULL is fine */

/*
 * The same with the options that p7 was made with, a signature of this file
 * that is to be put into it.  in must be seekable.  HT_ERR_DATA also if it is a
 * signature of something else.
 */
int format_digest_for(const struct format *format, struct input *in,
    const struct pkcs7 *p7, struct format_file **file, struct ht_error *e);

/*
 * The signed file: file's input with the n bytes of PKCS#7 DER at p7 put in,
 * in place of any signature that it had.  p7 and file->in must outlive the
 * plan, and that input be seekable when the plan is read or written.  0 and
 * *plan (output_free), or *plan NULL and HT_ERR_REFUSED (the file has no room
 * for it, as that would be larger than the format allows), HT_ERR_DATA (p7 is
 * too long, or what is read again for the plan is damaged), HT_ERR_INTERNAL.
 *
 * With p7 NULL and n 0, the file without its signature, and HT_ERR_DATA if it
 * has none; for a catalog file->content must still be there.  What a signer
 * added is taken away, as far as the file tells it from what was there before:
 *
 *	PE	The certificate table and its directory entry; CheckSum is
 *		computed, whatever it was before signing.  Zeros that filled up
 *		a size that is no multiple of 8 have become content, and stay.
 *	CAB	A reserved area of 20 bytes without a first structure is a
 *		signer's, and goes.  Any other one keeps its size, and loses
 *		what says where the signature is.
 *	MSI	Both signature streams, their directory entries, and the
 *		sectors that nothing uses then, at the end of the file and of
 *		the tables; others become free, and zero.  An entry that is not
 *		used any more has the numbers that [MS-CFB] 2.6.1 wants, where
 *		some writers have zeros.
 *	catalog	Signer, certificates and digest algorithms: SignedData over
 *		the same CTL, with nothing else in it.
 *	APPX	The signature's part and the Override for it among the content
 *		types, which are then stored, not deflated.
 *	scripts	The signature block, with the CRLF in front of it.
 */
int format_plan(const struct format_file *file, const void *p7, size_t n,
    struct output **plan, struct ht_error *e);

/*
 * Put the DER of the PKCS#7 that the file carries into p7, which must be empty,
 * or nothing if it is not signed.  in must be seekable.  HT_ERR_DATA for what
 * is damaged, HT_ERR_REFUSED as format_digest, else as input_read.
 */
int format_signature(const struct format *format, struct input *in,
    struct buf *p7, struct ht_error *e);

/*
 * A signature that pkcs7_verify has been content with, and the digest that is
 * both the file's and its own.
 */
struct format_signature {
	struct pkcs7 *p7;
	struct spc_digest digest;
};

/*
 * What format_verify found.
 */
struct format_verified {
	struct pkcs7 *p7; /* the file's signature, */
	struct spc_digest digest;
	uint64_t size; /* of the file */
	/* and those that are nested in it. */
	struct format_signature nested[PKCS7_NESTED_MAX];
	size_t nested_count;
};

/*
 * Verify a signed file, all but the root: extract the PKCS#7, verify it
 * (pkcs7_verify), digest the file in one forward pass, so that a tap on in has
 * seen every byte when this returns, and compare with the signature.  The same
 * goes for each nested signature; it costs another pass where it is of another
 * algorithm, or has page hashes of its own.  If content is not NULL, the signed
 * content (of the first, not of a nested one) must also be exactly those n
 * bytes.  in must be seekable.
 *
 * 0 and *out (format_verified_clear), or HT_ERR_DATA if the file carries no
 * signature or anything does not fit, HT_ERR_REFUSED as format_digest, else as
 * input_read; *out is all zeros then.
 */
int format_verify(const struct format *format, struct input *in,
    const void *content, size_t n, struct format_verified *out,
    struct ht_error *e);
void format_verified_clear(struct format_verified *out);

/* The formats, each in its own file. */
extern const struct format format_appx;
extern const struct format format_cab;
extern const struct format format_cat;
extern const struct format format_js;
extern const struct format format_mof;
extern const struct format format_msi;
extern const struct format format_pe;
extern const struct format format_ps1;
extern const struct format format_ps1xml;
extern const struct format format_vbs;
extern const struct format format_wsf;

#endif

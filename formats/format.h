/*
 * The signable formats.
 *
 * Each format is one const struct format in a file of its own (pe.c, …).
 * format.c lists them.  A caller finds the format, digests the file while it
 * arrives, and makes the output plan when the signature comes back:
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

#include "formats/version.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"
#include "lib/output.h"
#include "signature/pkcs7.h"
#include "signature/spc.h"

#define FORMAT_PUBLISHER_MAX 2048

/* The part of a format's size_max that is kept free for a signature. */
#define FORMAT_SIGNATURE_ROOM ((uint64_t)1 << 20)

/*
 * What a signature is to have.  A format refuses options that are another
 * format's.
 */
struct format_options {
	const char *algorithm; /* a name that spc_algorithm accepts; never
	                          NULL.  A package whose block map has a
	                          stronger one is digested with that */
	bool page_hashes;      /* PE: digests of the pages, too */
	bool msi_ex;           /* MSI: MsiDigitalSignatureEx */
	bool as_signed;        /* for a signed file: msi_ex is as in its
	                          signature, whatever msi_ex here says */
	bool no_plan;          /* only verify: the digest leaves out what
	                          only format_plan needs, and format_plan
	                          fails */
	bool remains;          /* remains are no error: they are noted in
	                          the file, and a plan takes them out */
};

/*
 * What an earlier signature or deleted data left in a file: bytes that no
 * signature covers, or a place for a signature that is not there.
 */
struct format_remains {
	bool of_signature; /* otherwise, only data in free space */
	uint64_t bytes;    /* how many bytes no signature covers */
	char what[240];    /* for people; "" if there are no remains */
};

/*
 * One file that is being signed or verified, after its digest.  The format's
 * hooks fill it in.
 *
 * Callers only read it.  To save memory they may free two members early with
 * buf_free.  One is signature, which no function here reads again.  The other
 * is content, unless format_plan will be asked for a catalog without its
 * signature.
 */
struct format_file {
	const struct format *format;
	struct input *in; /* the caller's; outlives this */
	/*
	 * A copy of the caller's options, with two changes: algorithm is a
	 * static name, of a package that of its block map, and msi_ex is what
	 * was done.
	 */
	struct format_options options;
	/*
	 * While verifying: the list that the file must match.  content is then
	 * empty.
	 */
	struct cursor page_hashes;
	uint64_t size;                 /* of the whole file, in bytes */
	bool was_signed;               /* it carries a signature or remains of
	                             one, which a plan replaces */
	struct buf signature;          /* that signature, unchecked: the DER of
	                             each PKCS#7, one after the other; or the
	                             raw bytes found there if not DER */
	struct format_remains remains; /* with the option */
	bool beside;                   /* several signatures stand side by side
	                             in it; nobody looks for nested ones */
	struct spc_digest digest;      /* of what Authenticode covers */
	struct buf content;            /* the DER that keyd is to sign */
	const char *spc;               /* content_parse's name for the content:
	                             the format's, unless that has two kinds */
	struct buf publisher; /* UTF-8: the only publisher whom the file
	                             lets sign it; empty if it names none; at
	                             most FORMAT_PUBLISHER_MAX bytes, no NUL */
	const char *warning;  /* what whoever has it signed should know,
	                             without a capital or a full stop; static,
	                             or NULL */
	void *state;          /* the format's own */
};

/*
 * A format.  The functions below call the hooks, and check what all formats
 * have in common.  A hook returns 0 or HT_ERR_* as its caller does.
 */
struct format {
	const char *name;  /* in messages and the journal: "pe" */
	const char *title; /* for people: "PE" */
	bool nests;        /* Windows accepts nested signatures in it */
	bool seeks;        /* digest reads out of order: a stream must be
	                      spooled (input_spool) first */
	uint64_t size_max; /* the most bytes of a signed file, a little less
	                      than a whole number of GiB; 0 if the format has
	                      no limit or checks it itself */

	/*
	 * Set *is to whether this is such a file.  Its first bytes decide, at
	 * most INPUT_HEAD of them.  For scripts, whose bytes do not tell,
	 * file_name decides; it may be NULL.  Fails for such a file that is too
	 * damaged to go on with.
	 */
	int (*detect)(struct input *in, const char *file_name, bool *is,
	    struct ht_error *e);

	/*
	 * Read the input to its end: in one forward pass, unless seeks is set.
	 * Fill size, was_signed, signature, digest (the caller has set
	 * digest.algorithm), content and state.  A format that has them also
	 * fills spc, publisher and options.msi_ex.
	 */
	int (*digest)(struct format_file *file, struct ht_error *e);

	/*
	 * Check what verifying needs beyond the digest, after it.  NULL if
	 * there is nothing.
	 */
	int (*check)(const struct format_file *file, struct ht_error *e);

	/*
	 * Append the file with the signature p7 to plan; a PE with all of
	 * several, one after the other.  If p7 is NULL, append the file without
	 * its signature; the caller has checked that it has one.
	 */
	int (*plan)(const struct format_file *file, const void *p7, size_t n,
	    struct output *plan, struct ht_error *e);

	/*
	 * Put the PKCS#7s that the file carries into p7, one after the other.
	 * p7 stays empty if there is none.  Remains are an error if remains is
	 * NULL.  Seeks.
	 */
	int (*signature)(struct input *in, struct buf *p7,
	    struct format_remains *remains, struct ht_error *e);

	/*
	 * Put what the file says of itself into out, which is all zeros.  NULL
	 * if the format has no such thing.  Fails only as input_read.
	 */
	int (*version)(const struct format_file *file,
	    struct format_version *out, struct ht_error *e);

	/*
	 * Free file->state.
	 */
	void (*clear)(struct format_file *file);
};

/*
 * Find the format of in.  file_name is a hint for formats that the bytes do not
 * tell; it may be NULL.  Reads no more than is needed.  Returns 0 and *format,
 * which is static; NULL on error.  HT_ERR_DATA if it is no signable file:
 * empty, text, a damaged header.  Other errors as input_read.
 */
int format_detect(struct input *in, const char *file_name,
    const struct format **format, struct ht_error *e);

/*
 * The same, but *format is NULL, and it is no error, if the input is empty or
 * neither its bytes nor its name are of a known format.
 */
int format_find(struct input *in, const char *file_name,
    const struct format **format, struct ht_error *e);

/*
 * Read in to its end and digest it as options say.  options are copied.
 *
 * Returns 0 and *file, which the caller frees with format_file_free; *file is
 * NULL on error.  HT_ERR_DATA with the offset and the broken rule.
 * HT_ERR_USAGE for an unknown algorithm.  HT_ERR_INTERNAL without memory.
 * Other errors as input_read.
 *
 * HT_ERR_REFUSED in these cases:
 * - the options are not for this format;
 * - page hashes with another algorithm than SHA-256, or of a file that cannot
 *   have any;
 * - the file is sound, but its size or its form rules out a signature;
 * - a signature would exceed size_max (not checked with no_plan, or if the file
 *   is signed).
 *
 * With msi_ex a plan puts in MsiDigitalSignatureEx beside the signature;
 * without it, a plan takes out any that there is.
 */
int format_digest(const struct format *format, struct input *in,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e);
void format_file_free(struct format_file *file); /* NULL is fine */

/*
 * The same, with the options that p7 was made with, and with remains.  p7 is a
 * signature of this file that is to be put into it.  in must be seekable.
 * HT_ERR_DATA also if p7 is a signature of something else.
 */
int format_digest_for(const struct format *format, struct input *in,
    const struct pkcs7 *p7, struct format_file **file, struct ht_error *e);

/*
 * Plan the signed file: file's input with the n bytes of PKCS#7 DER at p7 in
 * place of any signature that it had, and without remains.  For a PE, p7 may be
 * several PKCS#7s, one after the other, which then stand side by side.  p7 and
 * file->in must outlive the plan.  file->in must be seekable when the plan is
 * read or written.
 *
 * Returns 0 and *plan, which the caller frees with output_free; *plan is NULL
 * on error.  HT_ERR_REFUSED if the result would be larger than the format
 * allows.  HT_ERR_DATA if p7 is too long, or if what the plan reads again is
 * damaged.  HT_ERR_INTERNAL without memory, or if the file was digested with
 * no_plan.
 *
 * If p7 is NULL and n is 0, the plan is the file without its signature.
 * HT_ERR_DATA if it has none.  For a catalog file->content must still be there.
 * The plan takes away what a signer added, as far as the file tells that from
 * what was there before:
 *
 *	PE	The certificate table and its directory entry.  CheckSum is
 *		computed, whatever it was before signing.  Zeros with which
 *		the signer padded a size that is no multiple of 8 have
 *		become content, and stay.
 *	CAB	A reserved area of 20 bytes without a first structure is a
 *		signer's, and goes.  Any other one keeps its size, and loses
 *		the offset and the length of the signature.
 *	MSI	Both signature streams and their directory entries.
 *		Sectors that become unused go if they end the file or the
 *		tables.  Others become free, and zero.  Unused entries get
 *		the numbers that [MS-CFB] 2.6.1 requires, where some writers
 *		have zeros.
 *	catalog	Signer, certificates and digest algorithms: SignedData
 *		over the same CTL, with nothing else in it.
 *	APPX	The signature's part and its Override in the content
 *		types.  These are then stored, not deflated.
 *	scripts	The signature block, with the CRLF in front of it.
 */
int format_plan(const struct format_file *file, const void *p7, size_t n,
    struct output **plan, struct ht_error *e);

/*
 * Put the DER of the PKCS#7 that the file carries into p7, which must be empty;
 * of several, one after the other.  p7 stays empty if the file is not signed.
 * Remains are an error, HT_ERR_DATA, if remains is NULL.  Otherwise they are
 * put there; *remains must be all zeros before.  in must be seekable.
 * HT_ERR_DATA for a damaged file, HT_ERR_REFUSED as format_digest, other errors
 * as input_read.
 */
int format_signature(const struct format *format, struct input *in,
    struct buf *p7, struct format_remains *remains, struct ht_error *e);

/*
 * What the file says of itself, for people and for rules.  All of *out is "" if
 * the format or the file has no such thing, what is there cannot be read, or
 * file->in has no descriptor to read again.  Errors as input_read.
 */
int format_version(const struct format_file *file, struct format_version *out,
    struct ht_error *e);

/*
 * The most signatures side by side: more than anybody puts into a file, and
 * each one may have to be verified.  With nested ones, the most of a file.
 */
#define FORMAT_BESIDE_MAX 16
#define FORMAT_SIGNATURES_MAX (1 + PKCS7_NESTED_MAX)

/*
 * A signature that passed pkcs7_verify, and its digest, which is that of the
 * file.
 */
struct format_signature {
	struct pkcs7 *p7;
	struct spc_digest digest;
	unsigned int outer; /* if it is nested: the index of that one */
};

/*
 * What format_verify found.
 */
struct format_verified {
	/* Those side by side, then those nested in each of them. */
	struct format_signature all[FORMAT_SIGNATURES_MAX];
	unsigned int beside; /* how many are side by side: at least 1 */
	unsigned int count;  /* how many there are in all */
	uint64_t size;       /* of the file */
	struct format_remains remains;
};

/* What format_verify is to verify. */
struct format_wanted {
	struct cursor content; /* if not empty: only the signature with this
	                          index, which must be over exactly these
	                          bytes */
	unsigned int index;    /* of several side by side, from 0 */
	bool remains;          /* remains are no error */
};

/*
 * Verify a signed file, except for the root.  Extract the PKCS#7, verify it
 * (pkcs7_verify), digest the file and compare the digest with the signature's.
 * The digest takes one forward pass, so that a tap on in sees every byte.  in
 * must be seekable.
 *
 * Each further signature, side by side or nested, is verified in the same way.
 * It takes another pass if it has another algorithm, or page hashes of its own.
 *
 * If wanted is NULL, all signatures are verified, and remains are an error.
 *
 * Returns 0 and *out, which the caller frees with format_verified_clear; *out
 * is all zeros on error.  HT_ERR_DATA if the file has no signature, or more
 * than FORMAT_SIGNATURES_MAX, or anything does not match.  HT_ERR_REFUSED as
 * format_digest, other errors as input_read.
 */
int format_verify(const struct format *format, struct input *in,
    const struct format_wanted *wanted, struct format_verified *out,
    struct ht_error *e);

/*
 * Pass on the error rc and why about signature i of those in v; with words that
 * tell which it is, if it is not the only one.  Returns rc.
 */
int format_failed(const struct format_verified *v, unsigned int i, int rc,
    const struct ht_error *why, struct ht_error *e);

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

/*
 * The front of a cabinet: CFHEADER and the CFFOLDERs, as they are, as they will
 * be with a signature, and as they will be without one.  For formats/cab/ only.
 * Microsoft Cabinet File Format ("MS-CAB" in errors).
 *
 * A signature needs a place in the reserved area of CFHEADER.  Windows uses the
 * area like this, without a specification:
 *
 *	u16 length of a first structure, which is anybody's; digested
 *	u16 length of a second structure: 16, or 0 without a signature
 *	the first structure
 *	the second: u32 offset of the PKCS#7, u32 its padded length, 8 zeros
 *	zeros up to the area's size
 */

#ifndef FORMATS_CAB_CAB_HEADER_H
#define FORMATS_CAB_CAB_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"

/* Offsets in a signed CFHEADER. */
#define CAB_AFTER_MAGIC 4
#define CAB_COUNTED 8  /* cbCabinet, after a field that is zero */
#define CAB_RESERVE 36 /* the sizes of the reserved areas */
#define CAB_FIRST_LENGTH 40
#define CAB_FIRST 44

struct cab_header {
	struct buf front;          /* CFHEADER and the CFFOLDERs of the
	                              signed file; offset and length of the
	                              signature are zeros */
	size_t entry;              /* where in front these two go */
	size_t names;              /* where in front the reserved area ends */
	struct buf unsigned_front; /* the same for the file without its
	                              signature; empty if it has none */
	uint64_t length;           /* of CFHEADER and the CFFOLDERs in the
	                              input */
	uint64_t cabinet;          /* cbCabinet of the input */
	uint64_t signature_size;   /* padded; 0 if the input is not signed */
};

/*
 * Read and check the front of the cabinet, with one input_read of the first
 * INPUT_HEAD bytes.
 *
 * Returns 0 and *header, which the caller frees with cab_header_clear; *header
 * is all zeros on error.  HT_ERR_DATA with the broken rule.  HT_ERR_REFUSED if
 * the place for a signature alone makes the cabinet larger than 4 GiB.
 * HT_ERR_INTERNAL without memory.  Other errors as input_read.
 */
int cab_header_read(struct input *in, struct cab_header *header,
    struct ht_error *e);
void cab_header_clear(struct cab_header *header);

#endif

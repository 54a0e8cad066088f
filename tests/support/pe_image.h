/*
 * Small Portable Executables made from nothing, for tests and samples.
 */

#ifndef TESTS_SUPPORT_PE_IMAGE_H
#define TESTS_SUPPORT_PE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

enum pe_image_machine { PE_IMAGE_X64, PE_IMAGE_X86, PE_IMAGE_ARM64 };

struct pe_image {
	enum pe_image_machine machine; /* X86 makes a PE32, the others PE32+ */
	bool efi;         /* an EFI application instead of a console program */
	uint32_t lfanew;  /* where the PE header is; 0: right behind the DOS
	                     header */
	uint32_t gap;     /* extra bytes between the headers and .text */
	uint32_t code;    /* bytes of .text, before it is aligned; 0: 16 */
	uint64_t payload; /* bytes behind the last section */
};

/*
 * Append the image, all but its payload, to out: one section whose code
 * returns 0.
 */
void pe_image_build(const struct pe_image *image, struct buf *out);

/*
 * The n bytes of payload from the offset at into it: no zeros, and different
 * in every 4 KiB.
 */
void pe_image_payload(uint64_t at, uint8_t *p, size_t n);

#endif

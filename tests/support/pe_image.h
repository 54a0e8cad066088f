/*
 * Builds small Portable Executables, for tests and samples.
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
	uint32_t lfanew;  /* offset of the PE header; 0 means right after the
	                     DOS header */
	uint32_t gap;     /* extra bytes between the headers and .text */
	uint32_t code;    /* bytes of .text before alignment; 0 means 16 */
	uint64_t payload; /* bytes after the last section */
};

/*
 * Append the image without its payload to out.  Its only section has code that
 * returns 0.
 */
void pe_image_build(const struct pe_image *image, struct buf *out);

/*
 * Write to p the n bytes of payload that start at its offset at.  No byte is
 * zero, and no two blocks of 4 KiB are alike.
 */
void pe_image_payload(uint64_t at, uint8_t *p, size_t n);

#endif

/*
 * The headers of a Portable Executable, as far as signing needs them; for
 * formats/pe/ only.  Microsoft PE and COFF Specification ("PE" in errors).
 */

#ifndef FORMATS_PE_PE_HEADER_H
#define FORMATS_PE_PE_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/input.h"

#define PE_DIRECTORY_ENTRY 8

/* Where things are, as offsets in the file. */
struct pe_header {
	uint64_t checksum;     /* the field CheckSum, 4 bytes */
	uint64_t security;     /* the certificate table's directory entry */
	uint64_t headers_end;  /* of the section table */
	uint64_t sections_end; /* of the headers and every section's data */
	uint64_t burn;         /* of a section .wixburn; 0 if there is none */
	uint64_t table;        /* the certificate table's entry, unchecked: */
	uint64_t table_size;   /* both are 0 if there is none */
	bool efi;              /* Subsystem is one of UEFI's */
};

/*
 * Read the offset of the PE signature from the DOS header at the start of in.
 * HT_ERR_DATA if the DOS header is cut, or the offset is beyond 256 MiB, where
 * the Windows loader stops looking.  Other errors as input_read.
 */
int pe_header_lfanew(struct input *in, uint32_t *lfanew, struct ht_error *e);

/*
 * Check that there is a PE signature at this offset.  HT_ERR_DATA if not; other
 * errors as input_read.
 */
int pe_header_signature(struct input *in, uint64_t at, struct ht_error *e);

/*
 * Read the headers that start with the PE signature at this offset.  Uses only
 * the next 64 KiB, with one input_read, so that they can be read again.
 * HT_ERR_DATA with the broken rule; other errors as input_read.
 */
int pe_header_read(struct input *in, uint64_t at, struct pe_header *header,
    struct ht_error *e);

/* Where the data of a section are, in the file. */
struct pe_section {
	uint32_t offset;
	uint32_t size;
};

/*
 * List the sections that have data in the file, in the order of the section
 * table, and set *headers_size to SizeOfHeaders.  pe_header_read must have
 * accepted the headers at this offset.  HT_ERR_REFUSED if there are more than
 * `room` sections.  Other errors as pe_header_read.
 */
int pe_header_sections(struct input *in, uint64_t at, uint32_t *headers_size,
    struct pe_section *sections, size_t room, size_t *count,
    struct ht_error *e);

/* The directory entry of the resources. */
struct pe_resources {
	uint32_t address; /* in the loaded program; 0 if there are none */
	uint32_t size;
};

/*
 * Find the resources.  pe_header_read must have accepted the headers at this
 * offset.  Errors as pe_header_read.
 */
int pe_header_resources(struct input *in, uint64_t at,
    struct pe_resources *resources, struct ht_error *e);

/*
 * Find where in the file the byte is that has this address in the loaded
 * program.  *offset is 0 if no section has it there.  Errors as pe_header_read.
 */
int pe_header_offset(struct input *in, uint64_t at, uint32_t address,
    uint64_t *offset, struct ht_error *e);

#endif

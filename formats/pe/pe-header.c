#include "config.h"

#include <string.h>

#include "formats/pe/pe-header.h"
#include "lib/buf.h"

#define DOS_HEADER 64
#define DOS_LFANEW 0x3c

/* Where the Windows loader stops looking for the PE header. */
#define LFANEW_MAX ((uint32_t)256 << 20)

/* The PE header with its section table is far shorter. */
#define HEADERS_MAX INPUT_HEAD

/* Offsets from the PE signature. */
#define PE_SECTION_COUNT 6
#define PE_OPTIONAL_SIZE 20
#define PE_OPTIONAL 24
#define PE_HEADERS_SIZE 84
#define PE_CHECKSUM 88
#define PE_SUBSYSTEM 92
#define PE_DIRECTORIES 116      /* NumberOfRvaAndSizes of PE32 */
#define PE_DIRECTORIES_PLUS 132 /* and of PE32+ */

/* The certificate table is the fifth directory, the resources are the third. */
#define DIRECTORY_SECURITY 4
#define DIRECTORY_RESOURCES 2
#define DIRECTORY_ENTRY 8

#define MAGIC_PE32 0x10b
#define MAGIC_PE32_PLUS 0x20b

#define SECTION_HEADER 40

/* The values of Subsystem from the first to the last of UEFI. */
#define EFI_APPLICATION 10
#define EFI_ROM 13

/*
 * Read a number at an offset from the PE signature.  HT_ERR_DATA if the headers
 * end before it.
 */
static int
header_u16(struct cursor headers, size_t at, uint16_t *v)
{
	if (cursor_skip(&headers, at) < 0)
		return HT_ERR_DATA;
	return cursor_u16le(&headers, v);
}

static int
header_u32(struct cursor headers, size_t at, uint32_t *v)
{
	if (cursor_skip(&headers, at) < 0)
		return HT_ERR_DATA;
	return cursor_u32le(&headers, v);
}

/*
 * Report that the headers (all that was read from at) end too early.
 */
static int
header_cut(struct cursor headers, uint64_t at, const char *what,
    struct ht_error *e)
{
	if (headers.left < HEADERS_MAX)
		return ht_error_at(e, HT_ERR_DATA, at + headers.left,
		    "the file ends inside the %s (PE)", what);
	return ht_error_at(e, HT_ERR_DATA, at + headers.left,
	    "the %s ends more than 64 KiB behind the PE signature (PE)", what);
}

int
pe_header_lfanew(struct input *in, uint32_t *lfanew, struct ht_error *e)
{
	struct cursor c;
	const uint8_t *p;
	size_t got;
	int rc;

	rc = input_read(in, 0, DOS_HEADER, &p, &got, e);
	if (rc < 0)
		return rc;
	c = cursor_over(p, got);
	if (cursor_skip(&c, DOS_LFANEW) < 0 || cursor_u32le(&c, lfanew) < 0)
		return ht_error_at(e, HT_ERR_DATA, got,
		    "the file ends inside the DOS header (PE, MS-DOS Stub)");
	if (*lfanew > LFANEW_MAX)
		return ht_error_at(e, HT_ERR_DATA, DOS_LFANEW,
		    "e_lfanew is beyond 256 MiB (PE, MS-DOS Stub)");
	return 0;
}

int
pe_header_signature(struct input *in, uint64_t at, struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	rc = input_read(in, at, 4, &p, &got, e);
	if (rc < 0)
		return rc;
	if (got < 4)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "the file ends before the PE signature (PE, Signature)");
	if (memcmp(p, "PE\0\0", 4) != 0)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "no PE signature: a DOS or 16-bit program (PE, Signature)");
	return 0;
}

/*
 * Read the section table (PE, Section Table), and find where the last byte of a
 * section is, and the section of a WiX bundle.
 */
static int
read_sections(struct cursor headers, uint64_t at, size_t start, uint16_t count,
    struct pe_header *out, struct ht_error *e)
{
	uint32_t size;
	uint32_t offset;
	uint64_t end;
	unsigned int i;

	out->headers_end = at + start + (uint64_t)count * SECTION_HEADER;
	out->sections_end = out->headers_end;
	for (i = 0; i < count; i++, start += SECTION_HEADER) {
		if (header_u32(headers, start + 16, &size) < 0 ||
		    header_u32(headers, start + 20, &offset) < 0)
			return header_cut(headers, at, "section table", e);
		end = (uint64_t)offset + size;
		/* The offset of no data does not matter. */
		if (offset == 0 || size == 0)
			continue;
		if (end > out->sections_end)
			out->sections_end = end;
		if (memcmp(headers.p + start, ".wixburn", 8) == 0)
			out->burn = offset;
	}
	return 0;
}

/*
 * Read the directory entry of the certificate table (PE, Optional Header Data
 * Directories).
 */
static int
read_directory(struct cursor headers, uint64_t at, size_t directories,
    uint16_t optional_size, struct pe_header *out, struct ht_error *e)
{
	size_t entry = directories + 4 + DIRECTORY_SECURITY * DIRECTORY_ENTRY;
	uint32_t count;
	uint32_t table;
	uint32_t size;

	if (header_u32(headers, directories, &count) < 0 ||
	    header_u32(headers, entry, &table) < 0 ||
	    header_u32(headers, entry + 4, &size) < 0)
		return header_cut(headers, at, "optional header", e);
	if (count <= DIRECTORY_SECURITY ||
	    PE_OPTIONAL + (size_t)optional_size < entry + DIRECTORY_ENTRY)
		return ht_error_at(e, HT_ERR_DATA, at + directories,
		    "no place for a certificate table: %lu data directories; "
		    "link the program with 16, as linkers do by default (PE, "
		    "Optional Header Data Directories)",
		    (unsigned long)count);
	out->checksum = at + PE_CHECKSUM;
	out->security = at + entry;
	out->table = table;
	out->table_size = size;
	return 0;
}

int
pe_header_read(struct input *in, uint64_t at, struct pe_header *out,
    struct ht_error *e)
{
	struct cursor headers;
	const uint8_t *p;
	size_t got;
	uint16_t sections;
	uint16_t size;
	uint16_t magic;
	uint16_t subsystem;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = pe_header_signature(in, at, e);
	if (rc == 0)
		rc = input_read(in, at, HEADERS_MAX, &p, &got, e);
	if (rc < 0)
		return rc;
	headers = cursor_over(p, got);
	if (header_u16(headers, PE_SECTION_COUNT, &sections) < 0 ||
	    header_u16(headers, PE_OPTIONAL_SIZE, &size) < 0 ||
	    header_u16(headers, PE_OPTIONAL, &magic) < 0)
		return header_cut(headers, at, "COFF header", e);
	if (magic != MAGIC_PE32 && magic != MAGIC_PE32_PLUS)
		return ht_error_at(e, HT_ERR_DATA, at + PE_OPTIONAL,
		    "neither PE32 nor PE32+: magic 0x%x (PE, Optional Header)",
		    magic);
	if (header_u16(headers, PE_SUBSYSTEM, &subsystem) < 0)
		return header_cut(headers, at, "optional header", e);
	out->efi = subsystem >= EFI_APPLICATION && subsystem <= EFI_ROM;
	rc = read_directory(headers, at,
	    magic == MAGIC_PE32 ? PE_DIRECTORIES : PE_DIRECTORIES_PLUS, size,
	    out, e);
	if (rc == 0)
		rc = read_sections(headers, at, PE_OPTIONAL + (size_t)size,
		    sections, out, e);
	return rc;
}

int
pe_header_sections(struct input *in, uint64_t at, uint32_t *headers_size,
    struct pe_section *sections, size_t room, size_t *count, struct ht_error *e)
{
	struct cursor headers;
	struct pe_section section;
	const uint8_t *p;
	size_t got;
	size_t start;
	uint16_t left;
	uint16_t size;
	int rc;

	*count = 0;
	rc = input_read(in, at, HEADERS_MAX, &p, &got, e);
	if (rc < 0)
		return rc;
	headers = cursor_over(p, got);
	if (header_u16(headers, PE_SECTION_COUNT, &left) < 0 ||
	    header_u16(headers, PE_OPTIONAL_SIZE, &size) < 0 ||
	    header_u32(headers, PE_HEADERS_SIZE, headers_size) < 0)
		return header_cut(headers, at, "COFF header", e);
	start = PE_OPTIONAL + (size_t)size;
	for (; left > 0; left--, start += SECTION_HEADER) {
		if (header_u32(headers, start + 16, &section.size) < 0 ||
		    header_u32(headers, start + 20, &section.offset) < 0)
			return header_cut(headers, at, "section table", e);
		if (section.size == 0 || section.offset == 0)
			continue;
		if (*count == room)
			return ht_error_at(e, HT_ERR_REFUSED, at + start,
			    "more than %zu sections", room);
		sections[(*count)++] = section;
	}
	return 0;
}

int
pe_header_resources(struct input *in, uint64_t at, struct pe_resources *out,
    struct ht_error *e)
{
	struct cursor headers;
	const uint8_t *p;
	uint16_t magic;
	size_t got, entry;
	int rc = input_read(in, at, HEADERS_MAX, &p, &got, e);

	if (rc < 0)
		return rc;
	headers = cursor_over(p, got);
	if (header_u16(headers, PE_OPTIONAL, &magic) < 0)
		return header_cut(headers, at, "optional header", e);
	entry = (magic == MAGIC_PE32 ? PE_DIRECTORIES : PE_DIRECTORIES_PLUS) +
	    4 + DIRECTORY_RESOURCES * DIRECTORY_ENTRY;
	if (header_u32(headers, entry, &out->address) < 0 ||
	    header_u32(headers, entry + 4, &out->size) < 0)
		return header_cut(headers, at, "optional header", e);
	return 0;
}

int
pe_header_offset(struct input *in, uint64_t at, uint32_t address,
    uint64_t *offset, struct ht_error *e)
{
	uint32_t first, size, where;
	struct cursor headers;
	uint16_t left, optional;
	const uint8_t *p;
	size_t got, start;
	int rc = input_read(in, at, HEADERS_MAX, &p, &got, e);

	*offset = 0;
	if (rc < 0)
		return rc;
	headers = cursor_over(p, got);
	if (header_u16(headers, PE_SECTION_COUNT, &left) < 0 ||
	    header_u16(headers, PE_OPTIONAL_SIZE, &optional) < 0)
		return header_cut(headers, at, "COFF header", e);
	start = PE_OPTIONAL + (size_t)optional;
	for (; left > 0; left--, start += SECTION_HEADER) {
		if (header_u32(headers, start + 12, &first) < 0 ||
		    header_u32(headers, start + 16, &size) < 0 ||
		    header_u32(headers, start + 20, &where) < 0)
			return header_cut(headers, at, "section table", e);
		if (address >= first && address - first < size) {
			*offset = (uint64_t)where + (address - first);
			return 0;
		}
	}
	return 0;
}

#include "config.h"

#include <string.h>

#include "tests/support/pe_image.h"

#define FILE_ALIGNMENT 512U
#define SECTION_ALIGNMENT 4096U
#define DOS_HEADER 64U
#define COFF_HEADER 24U
#define SECTION_HEADER 40U

#define SUBSYSTEM_CONSOLE 3
#define SUBSYSTEM_EFI 10

static uint32_t
align(uint32_t n, uint32_t to)
{
	return (n + to - 1) / to * to;
}

/* Where everything goes. */
struct places {
	uint32_t lfanew;
	uint32_t optional; /* its size */
	uint32_t text;     /* the section: offset, */
	uint32_t size;     /* and size in the file */
	uint32_t image;    /* size in memory */
};

static void
put_coff_header(const struct pe_image *image, const struct places *at,
    struct buf *out)
{
	static const uint16_t machines[] = {
		[PE_IMAGE_X64] = 0x8664,
		[PE_IMAGE_X86] = 0x014c,
		[PE_IMAGE_ARM64] = 0xaa64,
	};
	/* EXECUTABLE_IMAGE, and 32BIT_MACHINE or LARGE_ADDRESS_AWARE */
	uint16_t flags = image->machine == PE_IMAGE_X86 ? 0x0102 : 0x0022;

	buf_bytes(out, "PE\0\0", 4);
	buf_u16le(out, machines[image->machine]);
	buf_u16le(out, 1); /* sections */
	buf_zeros(out, 12);
	buf_u16le(out, (uint16_t)at->optional);
	buf_u16le(out, flags);
}

/* A field that is 32 bits in PE32 and 64 in PE32+. */
static void
put_word(bool plus, uint32_t v, struct buf *out)
{
	buf_u32le(out, v);
	if (plus)
		buf_u32le(out, 0);
}

static void
put_optional_header(const struct pe_image *image, const struct places *at,
    struct buf *out)
{
	bool plus = image->machine != PE_IMAGE_X86;

	buf_u16le(out, plus ? 0x20b : 0x10b);
	buf_u16le(out, 0);
	buf_u32le(out, at->size);
	buf_zeros(out, 8);
	buf_u32le(out, SECTION_ALIGNMENT); /* entry point */
	buf_u32le(out, SECTION_ALIGNMENT); /* base of code */
	if (!plus)
		buf_u32le(out, at->image);
	put_word(plus, 0x400000, out); /* image base */
	buf_u32le(out, SECTION_ALIGNMENT);
	buf_u32le(out, FILE_ALIGNMENT);
	buf_u32le(out, 6); /* operating system 6.0 */
	buf_u32le(out, 0);
	buf_u32le(out, 6); /* subsystem 6.0 */
	buf_u32le(out, 0);
	buf_u32le(out, at->image);
	buf_u32le(out, at->text - image->gap);
	buf_u32le(out, 0); /* CheckSum: not needed, and 0 says so */
	buf_u16le(out, image->efi ? SUBSYSTEM_EFI : SUBSYSTEM_CONSOLE);
	buf_u16le(out, 0x0100); /* NX_COMPAT */
	put_word(plus, 0x100000, out);
	put_word(plus, 0x1000, out);
	put_word(plus, 0x100000, out);
	put_word(plus, 0x1000, out);
	buf_u32le(out, 0);
	buf_u32le(out, 16); /* data directories, none of them used */
	buf_zeros(out, 16 * 8);
}

static void
put_section(const struct pe_image *image, const struct places *at,
    struct buf *out)
{
	static const uint8_t x86[] = { 0x31, 0xc0, 0xc3 };
	static const uint8_t arm64[] = { 0x00, 0x00, 0x80, 0x52, 0xc0, 0x03,
		0x5f, 0xd6 };
	size_t start;

	buf_bytes(out, ".text\0\0\0", 8);
	buf_u32le(out, at->size);
	buf_u32le(out, SECTION_ALIGNMENT);
	buf_u32le(out, at->size);
	buf_u32le(out, at->text);
	buf_zeros(out, 12);
	buf_u32le(out, 0x60000020); /* code, execute, read */
	buf_zeros(out, at->text - out->len);
	start = out->len;
	if (image->machine == PE_IMAGE_ARM64)
		buf_bytes(out, arm64, sizeof(arm64));
	else
		buf_bytes(out, x86, sizeof(x86));
	buf_zeros(out, at->size - (out->len - start));
}

void
pe_image_build(const struct pe_image *image, struct buf *out)
{
	struct places at = {
		.lfanew = image->lfanew != 0 ? image->lfanew : DOS_HEADER,
		.optional = image->machine == PE_IMAGE_X86 ? 224 : 240,
		.size =
		    align(image->code > 0 ? image->code : 16, FILE_ALIGNMENT),
	};

	at.text = align(at.lfanew + COFF_HEADER + at.optional + SECTION_HEADER,
	              FILE_ALIGNMENT) +
	    image->gap;
	at.image = SECTION_ALIGNMENT + align(at.size, SECTION_ALIGNMENT);
	buf_bytes(out, "MZ", 2);
	buf_zeros(out, 58);
	buf_u32le(out, at.lfanew);
	buf_zeros(out, at.lfanew - DOS_HEADER);
	put_coff_header(image, &at, out);
	put_optional_header(image, &at, out);
	put_section(image, &at, out);
}

void
pe_image_payload(uint64_t at, uint8_t *p, size_t n)
{
	uint64_t offset;
	size_t i;

	for (i = 0; i < n; i++) {
		offset = at + i;
		p[i] = (uint8_t)((offset % 251 + offset / 4096) % 255 + 1);
	}
}

#include "config.h"

#include <string.h>

#include "tests/support/cab_image.h"

#define DATA_MAX 32768

static uint32_t
align_blocks(uint32_t size)
{
	return (size + DATA_MAX - 1) / DATA_MAX;
}

static void
put_fill(struct buf *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_u8(out, (uint8_t)(1 + i % 251));
}

static void
put_names(const struct cab_image *image, struct buf *out)
{
	unsigned int i;

	if (image->previous) {
		buf_bytes(out, "disk1.cab", 10);
		buf_bytes(out, "Disk 1", 7);
	}
	if (image->next) {
		if (image->long_name == 0)
			buf_bytes(out, "disk3.cab", 9);
		for (i = 0; i < image->long_name; i++)
			buf_u8(out, 'n');
		buf_u8(out, 0);
		buf_bytes(out, "Disk 3", 7);
	}
}

static void
put_area(const struct cab_image *image, struct buf *out)
{
	buf_u16le(out, image->cabinet_area);
	buf_u8(out, image->folder_area);
	buf_u8(out, image->data_area);
	if (image->first == 0) {
		buf_zeros(out, image->cabinet_area);
		return;
	}
	buf_u16le(out, image->first);
	buf_u16le(out, 0);
	put_fill(out, image->first);
	buf_zeros(out, (size_t)image->cabinet_area - 4 - image->first);
}

/* MS-CAB 2.3: attributes, then a name. */
static void
put_file(struct buf *out, unsigned int i, uint32_t size)
{
	buf_u32le(out, size);
	buf_u32le(out, 0); /* uoffFolderStart */
	buf_u16le(out, (uint16_t)i);
	buf_u16le(out, 0x5a21); /* 1 January 2025 */
	buf_u16le(out, 0x6000); /* noon */
	buf_u16le(out, 0x20);
	buf_format(out, "f%05u", i);
	buf_u8(out, 0);
}

/* MS-CAB 2.4: a checksum of zero is none. */
static void
put_data(const struct cab_image *image, struct buf *out)
{
	uint32_t left = image->size;
	uint16_t n;

	while (left > 0) {
		n = (uint16_t)(left < DATA_MAX ? left : DATA_MAX);
		buf_u32le(out, 0);
		buf_u16le(out, n);
		buf_u16le(out, n);
		put_fill(out, image->data_area);
		put_fill(out, n);
		left -= n;
	}
}

static void
put_u32(struct buf *out, size_t at, size_t v)
{
	out->data[at] = (uint8_t)v;
	out->data[at + 1] = (uint8_t)(v >> 8);
	out->data[at + 2] = (uint8_t)(v >> 16);
	out->data[at + 3] = (uint8_t)(v >> 24);
}

static void
put_header(const struct cab_image *image, unsigned int folders, struct buf *out)
{
	bool area = image->reserve || image->cabinet_area > 0 ||
	    image->folder_area > 0 || image->data_area > 0;

	buf_bytes(out, "MSCF", 4);
	buf_zeros(out, 20); /* cbCabinet and coffFiles come later */
	buf_u16le(out, 0x0103);
	buf_u16le(out, (uint16_t)folders);
	buf_u16le(out, (uint16_t)folders);
	buf_u16le(out,
	    (uint16_t)((image->previous ? 1 : 0) | (image->next ? 2 : 0) |
	        (area ? 4 : 0)));
	buf_u16le(out, 4711);
	buf_u16le(out, image->number);
	if (area)
		put_area(image, out);
	put_names(image, out);
}

void
cab_image_build(const struct cab_image *image, struct buf *out)
{
	unsigned int folders = image->folders > 0 ? image->folders : 1;
	size_t each = 8 + (size_t)image->folder_area;
	size_t start = out->len;
	size_t first;
	unsigned int i;

	put_header(image, folders, out);
	first = out->len;
	for (i = 0; i < folders; i++) {
		buf_u32le(out, 0); /* coffCabStart comes later */
		buf_u16le(out, (uint16_t)align_blocks(image->size));
		buf_u16le(out, 0); /* stored */
		put_fill(out, image->folder_area);
	}
	put_u32(out, start + 16, out->len - start);
	for (i = 0; i < folders; i++)
		put_file(out, i, image->size);
	for (i = 0; i < folders; i++) {
		put_u32(out, first + i * each, out->len - start);
		put_data(image, out);
	}
	put_u32(out, start + 8, out->len - start);
}

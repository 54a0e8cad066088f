/*
 * Compound files from nothing, for tests.
 */

#ifndef TESTS_SUPPORT_CFB_IMAGE_H
#define TESTS_SUPPORT_CFB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

#define CFB_IMAGE_ROOT (-1)
#define CFB_IMAGE_STORAGE SIZE_MAX

/* A stream, or a storage that others may be in. */
struct cfb_image_entry {
	const char *name; /* ASCII, at most 31 letters */
	int parent;       /* which storage, by place, or CFB_IMAGE_ROOT */
	size_t size;      /* bytes, or CFB_IMAGE_STORAGE */
};

/*
 * Append to out a package of that version (3 or 4) with these n entries, in a
 * layout of its own: streams, mini stream, mini FAT, directory, FAT, DIFAT;
 * balanced trees of black entries.
 */
void cfb_image_build(unsigned int version,
    const struct cfb_image_entry *entries, size_t n, struct buf *out);

/*
 * Byte i of the content of the entry at that place.
 */
uint8_t cfb_image_byte(size_t entry, size_t i);

/*
 * The bytes that a signature is to cover, the slow way: from the entries, not
 * from the file.  Those named like a signature's streams are left out.
 */
void cfb_image_covered(const struct cfb_image_entry *entries, size_t n,
    struct buf *out);

#endif

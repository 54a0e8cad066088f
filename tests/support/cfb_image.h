/*
 * Builds compound files, for tests.
 */

#ifndef TESTS_SUPPORT_CFB_IMAGE_H
#define TESTS_SUPPORT_CFB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

#define CFB_IMAGE_ROOT (-1)
#define CFB_IMAGE_STORAGE SIZE_MAX

/* A stream, or a storage that may contain other entries. */
struct cfb_image_entry {
	const char *name; /* ASCII, at most 31 letters */
	int parent;       /* index of its storage, or CFB_IMAGE_ROOT */
	size_t size;      /* in bytes, or CFB_IMAGE_STORAGE */
};

/*
 * Append to out a compound file of version 3 or 4 with the n entries.  The
 * order is: streams, mini stream, mini FAT, directory, FAT, DIFAT.  Directory
 * trees are balanced, and all entries are black.
 */
void cfb_image_build(unsigned int version,
    const struct cfb_image_entry *entries, size_t n, struct buf *out);

/*
 * Byte i of the content of the entry with index entry.
 */
uint8_t cfb_image_byte(size_t entry, size_t i);

/*
 * Append the bytes that a signature covers.  They are computed from the
 * entries, not from the file.  The signature streams are left out.
 */
void cfb_image_covered(const struct cfb_image_entry *entries, size_t n,
    struct buf *out);

#endif

/*
 * Small cabinets made from nothing, for tests and samples.
 */

#ifndef TESTS_SUPPORT_CAB_IMAGE_H
#define TESTS_SUPPORT_CAB_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

struct cab_image {
	unsigned int folders; /* each with one file; 0: 1 */
	uint32_t size;        /* of each file, in bytes */
	bool previous;        /* the name of another cabinet of the set */
	bool next;
	uint16_t number;        /* iCabinet */
	bool reserve;           /* say what is reserved, even if nothing is */
	uint16_t cabinet_area;  /* bytes reserved in CFHEADER, zeros */
	uint8_t folder_area;    /* in each CFFOLDER, not zeros */
	uint8_t data_area;      /* in each CFDATA, not zeros */
	uint8_t first;          /* of the area in CFHEADER, a first structure
	                           of so many bytes, not zeros */
	unsigned int long_name; /* szCabinetNext of so many bytes; 0: 9 */
};

/*
 * Append the cabinet to out, its data stored.
 */
void cab_image_build(const struct cab_image *image, struct buf *out);

#endif

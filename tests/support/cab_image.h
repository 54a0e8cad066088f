/*
 * Builds small cabinets, for tests and samples.
 */

#ifndef TESTS_SUPPORT_CAB_IMAGE_H
#define TESTS_SUPPORT_CAB_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

struct cab_image {
	unsigned int folders;   /* with one file each; 0 means 1 */
	uint32_t size;          /* of each file, in bytes */
	bool previous;          /* with the name of the previous cabinet */
	bool next;              /* with the name of the next cabinet */
	uint16_t number;        /* iCabinet */
	bool reserve;           /* with reserved sizes, even if all are 0 */
	uint16_t cabinet_area;  /* reserved bytes in CFHEADER, all zero */
	uint8_t folder_area;    /* reserved bytes in each CFFOLDER, not zero */
	uint8_t data_area;      /* reserved bytes in each CFDATA, not zero */
	uint8_t first;          /* bytes of a first structure in the area of
	                           CFHEADER, not zero */
	unsigned int long_name; /* bytes of szCabinetNext; 0 means 9 */
};

/*
 * Append the cabinet to out.  Its data is not compressed.
 */
void cab_image_build(const struct cab_image *image, struct buf *out);

#endif

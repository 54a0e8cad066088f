#include "config.h"

#include "formats/pe/pe-burn.h"
#include "lib/buf.h"

#define BURN_SECTION 56 /* up to the size of the first container */
#define BURN_MAGIC 0x00f14300
#define BURN_VERSION 2 /* since WiX 3.6; 3 has the same fields */

int
pe_burn_read(struct input *in, uint64_t at, uint64_t *container_end,
    struct ht_error *e)
{
	struct cursor c;
	const uint8_t *p;
	size_t got;
	uint32_t magic;
	uint32_t version;
	uint32_t stub;
	uint32_t signature;
	uint32_t containers;
	uint32_t application;
	uint32_t container;
	int rc;

	*container_end = UINT64_MAX;
	rc = input_read(in, at, BURN_SECTION, &p, &got, e);
	if (rc < 0)
		return rc;
	c = cursor_over(p, got);
	if (cursor_u32le(&c, &magic) < 0 || cursor_u32le(&c, &version) < 0 ||
	    cursor_skip(&c, 16) < 0 || /* the bundle's GUID */
	    cursor_u32le(&c, &stub) < 0 ||
	    cursor_skip(&c, 4) < 0 || /* the engine's CheckSum */
	    cursor_u32le(&c, &signature) < 0 ||
	    cursor_skip(&c, 8) < 0 || /* its size, and the containers' format */
	    cursor_u32le(&c, &containers) < 0 ||
	    cursor_u32le(&c, &application) < 0 ||
	    cursor_u32le(&c, &container) < 0)
		return 0;
	/* The engine includes the application, which is container 0. */
	if (magic == BURN_MAGIC && version >= BURN_VERSION && signature == 0 &&
	    containers > 1)
		*container_end = (uint64_t)stub + application + container;
	return 0;
}

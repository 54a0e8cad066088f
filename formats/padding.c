#include "config.h"

#include "formats/padding.h"
#include "signature/der.h"

#define BOUNDARY 8

unsigned int
padding_of(uint64_t n)
{
	return (unsigned int)(-n % BOUNDARY);
}

int
padding_strip(struct cursor padded, struct cursor *der)
{
	struct der value;
	uint8_t byte;

	if (der_expect(&padded, DER_SEQUENCE, &value, NULL) < 0 ||
	    padded.left >= BOUNDARY)
		return HT_ERR_DATA;
	while (cursor_u8(&padded, &byte) == 0) {
		if (byte != 0)
			return HT_ERR_DATA;
	}
	*der = value.whole;
	return 0;
}

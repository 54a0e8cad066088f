#include "config.h"

#include "formats/several.h"
#include "signature/der.h"

unsigned int
several_count(const void *p7, size_t n)
{
	struct cursor c = cursor_over(p7, n);
	unsigned int count = 0;
	struct der value;

	for (; c.left > 0; count++) {
		if (der_expect(&c, DER_SEQUENCE, &value, NULL) < 0)
			return 0;
	}
	return count;
}

struct cursor
several_nth(const void *p7, size_t n, unsigned int index)
{
	struct cursor c = cursor_over(p7, n);
	struct der value;

	do {
		if (der_next(&c, &value, NULL) < 0)
			return cursor_over(NULL, 0);
	} while (index-- > 0);
	return value.whole;
}

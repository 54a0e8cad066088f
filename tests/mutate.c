#include "config.h"

#include "tests/mutate.h"

/* xorshift64 */
static uint64_t
next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static size_t
place(uint64_t *seed, size_t n)
{
	if (next(seed) % 2 == 0 && n > 100)
		n = 100;
	return (size_t)(next(seed) % n);
}

size_t
mutate(uint64_t *seed, uint8_t *p, size_t n)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	unsigned int changes = 1 + (unsigned int)(next(seed) % 6);
	size_t at;

	for (; changes > 0; changes--) {
		at = place(seed, n);
		switch (next(seed) % 4) {
		case 0:
			p[at] = edges[next(seed) % sizeof(edges)];
			break;
		case 1:
			p[at] ^= (uint8_t)(1 << next(seed) % 8);
			break;
		case 2:
			p[at] = p[place(seed, n)];
			break;
		default:
			p[at] = (uint8_t)next(seed);
		}
	}
	return next(seed) % 8 == 0 ? place(seed, n) : n;
}

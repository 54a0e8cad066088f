#include "config.h"

#include <stdlib.h>

#include "tests/support/mutate.h"

/* The front and the back of a file, where formats say what is where. */
#define EDGE 128

#define MUTATIONS 2000

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
	size_t edge = n < EDGE ? n : EDGE;

	switch (next(seed) % 4) {
	case 0:
		return (size_t)(next(seed) % edge);
	case 1:
		return n - 1 - (size_t)(next(seed) % edge);
	default:
		return (size_t)(next(seed) % n);
	}
}

/*
 * A number of 16 or 32 bits, little-endian and aligned, where there is room for
 * it: a small one, or one at the edge of what such a field holds.
 */
static void
put_number(uint64_t *seed, uint8_t *p, size_t n)
{
	static const uint32_t edges[] = { 0, 1, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xfffffffa, 0xfffffffc, 0xfffffffd,
		0xfffffffe, 0xffffffff };
	uint32_t v = (uint32_t)(next(seed) % 64);
	size_t width = next(seed) % 4 == 0 ? 2 : 4;
	size_t at = place(seed, n) & ~(width - 1);
	size_t i;

	if (next(seed) % 2 == 0)
		v = edges[next(seed) % (sizeof(edges) / sizeof(edges[0]))];
	for (i = 0; i < width && at + i < n; i++)
		p[at + i] = (uint8_t)(v >> 8 * i);
}

size_t
mutate(uint64_t *seed, uint8_t *p, size_t n)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	unsigned int changes = 1 + (unsigned int)(next(seed) % 6);
	size_t at;

	for (; changes > 0; changes--) {
		at = place(seed, n);
		switch (next(seed) % 5) {
		case 0:
			p[at] = edges[next(seed) % sizeof(edges)];
			break;
		case 1:
			p[at] ^= (uint8_t)(1 << next(seed) % 8);
			break;
		case 2:
			p[at] = p[place(seed, n)];
			break;
		case 3:
			p[at] = (uint8_t)next(seed);
			break;
		default:
			put_number(seed, p, n);
		}
	}
	return next(seed) % 16 == 0 ? place(seed, n) : n;
}

unsigned long
mutate_count(void)
{
	const char *text = getenv("HTSIGN_MUTATIONS");

	return text == NULL ? MUTATIONS : strtoul(text, NULL, 10);
}

size_t
mutate_step(void)
{
	unsigned long count = mutate_count();

	return count == 0 ? 1 : MUTATIONS / count | 1;
}

bool
mutate_few(void)
{
	return mutate_count() < MUTATIONS / 2;
}

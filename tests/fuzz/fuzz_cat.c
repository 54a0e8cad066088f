/*
 * A catalog from outside.
 */

#include "config.h"

#include "tests/fuzz/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	fuzz_format(p, n, NULL);
	return 0;
}

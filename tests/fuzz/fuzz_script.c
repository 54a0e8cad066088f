/*
 * A script from outside: the first byte chooses its kind.
 */

#include "config.h"

#include "tests/fuzz/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "a.ps1", "a.ps1xml", "a.mof",
		"a.js", "a.vbs", "a.wsf" };

	if (n > 0)
		fuzz_format(p + 1, n - 1,
		    names[p[0] % (sizeof(names) / sizeof(names[0]))]);
	return 0;
}

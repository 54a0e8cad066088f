/*
 * Answers of clamd.  Only one is clean; whatever is shown is plain text.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pump/clamd.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char clean[] = "stream: OK";
	struct protocol_verdict v;
	char *text = malloc(n + 1);
	const char *c;
	bool is_clean;

	if (text == NULL)
		return 0;
	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	memset(&v, 0xff, sizeof(v));
	memset(v.text, 0, sizeof(v.text));
	clamd_verdict(text, n, &v);
	is_clean = strcmp(v.verdict, PROTOCOL_VERDICT_CLEAN) == 0;
	if (is_clean != (n == sizeof(clean) - 1 && memcmp(text, clean, n) == 0))
		abort();
	if (is_clean != (v.text[0] == '\0') ||
	    (!is_clean && strcmp(v.verdict, PROTOCOL_VERDICT_VIRUS) != 0 &&
	        strcmp(v.verdict, PROTOCOL_VERDICT_UNSCANNED) != 0))
		abort();
	for (c = v.text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			abort();
	if (clamd_date(text) > (uint64_t)1 << 40)
		abort();
	free(text);
	return 0;
}

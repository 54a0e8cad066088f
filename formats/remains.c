#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/remains.h"

static int __attribute__((format(printf, 5, 0)))
found(struct format_remains *remains, uint64_t bytes, struct ht_error *e,
    uint64_t at, const char *fmt, va_list ap)
{
	char text[sizeof(remains->what)];
	size_t n;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (remains == NULL)
		return ht_error_at(e, HT_ERR_DATA, at, "%s", text);
	n = strlen(remains->what);
	(void)snprintf(remains->what + n, sizeof(remains->what) - n, "%s%s",
	    n > 0 ? "; " : "", text);
	remains->bytes += bytes;
	return 0;
}

int
remains_of_signature(struct format_remains *remains, uint64_t bytes,
    struct ht_error *e, uint64_t at, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = found(remains, bytes, e, at, fmt, ap);
	va_end(ap);
	if (rc == 0)
		remains->of_signature = true;
	return rc;
}

int
remains_of_data(struct format_remains *remains, uint64_t bytes,
    struct ht_error *e, uint64_t at, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = found(remains, bytes, e, at, fmt, ap);
	va_end(ap);
	return rc;
}

int
remains_behind(struct format_remains *remains, uint64_t behind, uint64_t at,
    struct ht_error *e)
{
	if (behind > REMAINS_BEHIND_MAX)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "over %llu bytes behind the signature: they are too many "
		    "to be taken out; take the signature out before they are "
		    "appended",
		    (unsigned long long)REMAINS_BEHIND_MAX);
	return remains_of_signature(remains, behind, e, at,
	    "%llu bytes behind the signature, which it does not cover%s",
	    (unsigned long long)behind,
	    behind == 2 ? " (a line end, if PowerShell wrote the file)" : "");
}

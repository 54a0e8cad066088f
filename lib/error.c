#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"

static void __attribute__((format(printf, 4, 0)))
fill(struct ht_error *e, int code, uint64_t offset, const char *fmt, va_list ap)
{
	if (e == NULL)
		return;
	e->code = code;
	e->offset = offset;
	if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
		e->text[0] = '\0';
}

void
ht_error_clear(struct ht_error *e)
{
	e->code = 0;
	e->offset = HT_NO_OFFSET;
	e->text[0] = '\0';
}

int
ht_error_set(struct ht_error *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, code, HT_NO_OFFSET, fmt, ap);
	va_end(ap);
	return code;
}

int
ht_error_memory(struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
}

int
ht_error_at(struct ht_error *e, int code, uint64_t offset, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, code, offset, fmt, ap);
	va_end(ap);
	return code;
}

int
ht_error_errno(struct ht_error *e, const char *fmt, ...)
{
	int reason = errno;
	int code = HT_ERR_INTERNAL;
	va_list ap;

	if (reason == ENOSPC || reason == EDQUOT || reason == EFBIG)
		code = HT_ERR_UNAVAILABLE;
	va_start(ap, fmt);
	fill(e, code, HT_NO_OFFSET, fmt, ap);
	va_end(ap);
	if (e != NULL) {
		size_t used = strlen(e->text);

		(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s",
		    strerror(reason));
	}
	return code;
}

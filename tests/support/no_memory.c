#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/no_memory.h"

static unsigned int left; /* allocations up to the one that fails */
static bool met;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
char *__wrap_strndup(const char *s, size_t n);

void
no_memory_at(unsigned int n)
{
	left = n;
	met = false;
}

bool
no_memory_met(void)
{
	return met;
}

static bool
fails(void)
{
	if (left == 0 || --left > 0)
		return false;
	met = true;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

char *
__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

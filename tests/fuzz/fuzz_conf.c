/*
 * The configuration.  It is root's, not a stranger's, but a mistake in it must
 * end in one line and never in a crash of what reloads it.
 */

#include "config.h"

#include <stdint.h>

#include "config/conf.h"

/* libconfig 1.5 loses a text where the syntax is wrong. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What a reader may rely on without asking. */
static void
check(const struct conf *c)
{
	size_t i;

	if (c->ssh.user_ca == NULL || c->state[0] != '/' || c->run[0] != '/')
		abort();
	for (i = 0; i < c->ncertificates; i++)
		if (c->certificates[i].token == NULL ||
		    c->certificates[i].chain[0] != '/')
			abort();
	for (i = 0; i < c->nprofiles; i++)
		if (!names_valid(c->profiles[i].name) ||
		    c->profiles[i].ncertificates < 1 ||
		    c->profiles[i].certificates[0] == NULL ||
		    c->profiles[i].max_size == 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ht_error e;
	struct conf *c;

	ht_error_clear(&e);
	c = conf_parse("f", (const char *)p, n, &e);
	if (c != NULL)
		check(c);
	else if (e.code != HT_ERR_USAGE || strncmp(e.text, "f:", 2) != 0)
		abort();
	conf_free(c);
	return 0;
}

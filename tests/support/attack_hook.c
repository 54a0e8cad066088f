/*
 * Makes of htsign-shell one that is taken over by the first bytes of its input,
 * "ATTACK name": linked with --wrap=format_detect, which is the first thing to
 * look at them.
 */
#include "config.h"

#include <string.h>

#include "formats/format.h"
#include "tests/support/attack.h"

#define MARK "ATTACK "

int __real_format_detect(struct input *in, const char *name,
    const struct format **format, struct ht_error *e);
int __wrap_format_detect(struct input *in, const char *name,
    const struct format **format, struct ht_error *e);

int
__wrap_format_detect(struct input *in, const char *name,
    const struct format **format, struct ht_error *e)
{
	char attack[32];
	const uint8_t *p;
	size_t got, n = 0, mark = strlen(MARK);

	if (input_read(in, 0, mark + sizeof(attack) - 1, &p, &got, e) < 0 ||
	    got < mark || memcmp(p, MARK, mark) != 0)
		return __real_format_detect(in, name, format, e);
	while (mark + n < got && p[mark + n] != '\n') {
		attack[n] = (char)p[mark + n];
		n++;
	}
	attack[n] = '\0';
	attack_run(attack);
}

/*
 * Random early drop of connections that have not authenticated yet, as
 * MaxStartups of sshd_config(5): from start on, rate percent of new ones are
 * refused, rising in a straight line to all of them at full.
 */

#ifndef SSHD_SIGN_STARTUPS_H
#define SSHD_SIGN_STARTUPS_H

#include <stdbool.h>

struct startups {
	unsigned int start;
	unsigned int rate; /* percent, 1 to 100 */
	unsigned int full; /* >= start */
};

/*
 * Whether to refuse one more when there are now so many; lot is a random
 * number below 100.
 */
bool startups_drop(const struct startups *s, unsigned int now,
    unsigned int lot);

#endif

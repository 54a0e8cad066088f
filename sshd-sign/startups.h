/*
 * Random early drop of connections that have not authenticated yet, as
 * MaxStartups of sshd_config(5).  With start such connections, rate percent of
 * new ones are refused.  The rate rises linearly to 100 percent at full.
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
 * Whether to refuse one more connection.  now is the number of those that have
 * not authenticated yet.  lot must be a random number below 100.
 */
bool startups_drop(const struct startups *s, unsigned int now,
    unsigned int lot);

#endif

#include "config.h"

#include "sshd-sign/startups.h"

bool
startups_drop(const struct startups *s, unsigned int now, unsigned int lot)
{
	unsigned long rate;

	if (now < s->start)
		return false;
	if (now >= s->full)
		return true;
	rate = (unsigned long)(100 - s->rate) * (now - s->start) /
	        (s->full - s->start) +
	    s->rate;
	return lot < rate;
}

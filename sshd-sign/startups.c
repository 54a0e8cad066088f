#include "config.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/loop.h"
#include "sshd-sign/startups.h"

/* Newcomers of its own network push out none that is younger, in ms. */
#define AGE 1000

/*
 * The first 64 bits of an IPv6 address are one address, and 48 are its network.
 * Of IPv4 it is 32 and 24 bits, after ones, which no IPv6 address starts with.
 */
static uint64_t
address_of(const struct sockaddr_storage *from, uint64_t *network)
{
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;
	uint64_t address;

	if (from->ss_family == AF_INET6) {
		memcpy(&address, &v6->sin6_addr, sizeof(address));
		address = be64toh(address);
		*network = address & ~(uint64_t)0xffff;
	} else {
		address =
		    (uint64_t)UINT32_MAX << 32 | ntohl(v4->sin_addr.s_addr);
		*network = address & ~(uint64_t)0xff;
	}
	return address;
}

/* Count one, by 1 or -1, beside the others of its source. */
static void
count(struct startups *s, struct startup *one, int by)
{
	struct startup *other;

	LIST_FOREACH(other, &s->list, entry) {
		if (other->network != one->network)
			continue;
		other->of_network += (unsigned int)by;
		one->of_network = other->of_network;
		if (other->address != one->address)
			continue;
		other->of_address += (unsigned int)by;
		one->of_address = other->of_address;
	}
}

void
startups_add(struct startups *s, struct startup *one,
    const struct sockaddr_storage *from)
{
	one->address = address_of(from, &one->network);
	one->began = loop_now();
	one->of_network = one->of_address = 1;
	count(s, one, 1);
	LIST_INSERT_HEAD(&s->list, one, entry);
	s->now++;
}

void
startups_remove(struct startups *s, struct startup *one)
{
	if (one->of_network == 0)
		return;
	LIST_REMOVE(one, entry);
	count(s, one, -1);
	one->of_network = one->of_address = 0;
	s->now--;
}

bool
startups_crowded(const struct startups *s, unsigned int lot)
{
	unsigned long rate;

	if (s->now < s->start)
		return false;
	if (s->now >= s->full)
		return true;
	rate = (unsigned long)(100 - s->rate) * (s->now - s->start) /
	        (s->full - s->start) +
	    s->rate;
	return lot < rate;
}

struct startup *
startups_choose(const struct startups *s,
    const struct sockaddr_storage *newcomer)
{
	struct startup *one, *chosen = LIST_FIRST(&s->list);
	uint64_t network;

	LIST_FOREACH(one, &s->list, entry)
		if (one->of_network > chosen->of_network ||
		    (one->of_network == chosen->of_network &&
		        one->of_address >= chosen->of_address))
			chosen = one;
	(void)address_of(newcomer, &network);
	if (chosen == NULL ||
	    (chosen->network == network && loop_now() - chosen->began < AGE))
		return NULL;
	return chosen;
}

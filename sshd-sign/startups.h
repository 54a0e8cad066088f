/*
 * Connections that have no place yet: those that have not logged in, and those
 * of clients that have their share.  As with MaxStartups of sshd_config(5) they
 * are limited from start such connections on: with rate percent of new ones,
 * one has to go.  The rate rises linearly to 100 percent at full.
 *
 * The one that goes is not the newcomer.  It is of the network that has most of
 * them, of the address in it that has most, and there the oldest.  So whoever
 * opens many of them takes the room from himself alone.
 */

#ifndef SSHD_SIGN_STARTUPS_H
#define SSHD_SIGN_STARTUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* One such connection; part of its owner's struct. */
struct startup {
	LIST_ENTRY(startup) entry;
	void *owner;
	uint64_t began;                      /* loop_now() */
	uint64_t network, address;           /* where it comes from */
	unsigned int of_network, of_address; /* how many there are, with it */
};

struct startups {
	unsigned int start;
	unsigned int rate;                     /* percent, 1 to 100 */
	unsigned int full;                     /* >= start */
	unsigned int now;                      /* how many there are */
	LIST_HEAD(startup_list, startup) list; /* the newest first */
};

/*
 * startups_add counts one, whose owner is set, from an address.
 * startups_remove counts it no more; nothing happens if it is not counted.
 */
void startups_add(struct startups *s, struct startup *one,
    const struct sockaddr_storage *from);
void startups_remove(struct startups *s, struct startup *one);

/*
 * Whether one has to go for one more.  lot must be a random number below 100.
 */
bool startups_crowded(const struct startups *s, unsigned int lot);

/*
 * The one that has to go for a newcomer.  NULL if that is the newcomer itself:
 * it comes from the network that has most, and the oldest there is not a second
 * old.  So a flood costs no more than a refusal each.
 */
struct startup *startups_choose(const struct startups *s,
    const struct sockaddr_storage *newcomer);

#endif

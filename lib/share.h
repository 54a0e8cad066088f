/*
 * Shares of something of which there is only so much: connections, shells,
 * links.  A name may hold half of what all others leave, rounded up.  So one
 * name alone has half of the whole, and leaves a second one a quarter.
 */

#ifndef LIB_SHARE_H
#define LIB_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct share {
	size_t total; /* all that there is */
	size_t held;  /* by all names together */
	LIST_HEAD(share_holders, share_holder) holders;
};

void share_init(struct share *s, size_t total);

/*
 * Take n for name, which is copied.  Returns false if that is more than the
 * share of name, or if there is no memory; nothing is taken then.
 */
bool share_take(struct share *s, const char *name, size_t n);

/*
 * Take one for name if it holds fewer than most, whatever the others hold, and
 * whatever the total is.  Returns false if not, or if there is no memory.
 */
bool share_take_one(struct share *s, const char *name, size_t most);

/*
 * Give back n of what name holds.
 */
void share_give(struct share *s, const char *name, size_t n);

/*
 * share_turn counts a turn of name, which must hold some, and returns false if
 * it has had most of them in this round.  share_new_round begins the next one.
 */
bool share_turn(struct share *s, const char *name, size_t most);
void share_new_round(struct share *s);

/*
 * Nobody holds anything any more.
 */
void share_clear(struct share *s);

/*
 * How many name holds.
 */
size_t share_of(const struct share *s, const char *name);

#endif

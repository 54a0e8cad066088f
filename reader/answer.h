/*
 * The answers that are under way.  Each goes to a shell of an administrator, bit
 * by bit: as much as the shell has taken is read from the store, and no more.
 * They take turns.
 */

#ifndef READER_ANSWER_H
#define READER_ANSWER_H

#include "lib/loop.h"
#include "protocol/messages.h"
#include "store/store.h"

struct answers;

/*
 * NULL if there is no memory.  loop and store are borrowed.
 */
struct answers *answers_new(struct loop *loop, struct store *store);
void answers_free(struct answers *all); /* NULL is fine; ends them all */

/*
 * Answer over fd, which is taken over.  If there are too many answers, the one
 * whose shell has taken nothing for the longest time ends.
 */
void answers_begin(struct answers *all, const struct protocol_read *what,
    int fd);

#endif

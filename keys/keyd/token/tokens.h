/*
 * All tokens of a configuration, and keyd's link to its parent, which starts
 * their workers.
 */

#ifndef KEYS_KEYD_TOKEN_TOKENS_H
#define KEYS_KEYD_TOKEN_TOKENS_H

#include "keys/keyd/token/token.h"

struct tokens;

/*
 * Make every token of the configuration: comes before keyd gives up root, as
 * token_new opens key files and reads PINs.  NULL and *e as token_new.
 */
struct tokens *tokens_new(struct loop *loop, const struct conf *conf,
    struct ht_error *e);
void tokens_free(struct tokens *ts); /* NULL is fine */

/*
 * NULL if there is none of that name; in the configuration's order, index
 * below tokens_count.
 */
struct token *tokens_find(const struct tokens *ts, const char *name);
size_t tokens_count(const struct tokens *ts);
struct token *tokens_at(const struct tokens *ts, size_t index);

/*
 * Say READY on parent_fd, which is taken, with the ids that workers run under
 * (PROC_SAME for both: as the parent), and start all tokens.  When the parent
 * goes away, gone(cookie) is called once: keyd ends.
 */
int tokens_start(struct tokens *ts, struct store *s, int parent_fd, uid_t uid,
    gid_t gid, void (*gone)(void *cookie), void *cookie, struct ht_error *e);

/*
 * store_commit has returned 0: hand over what waited for it.  Does nothing if
 * something was written since.  This may write new events, so it comes in a
 * loop: while store_dirty, store_commit and tokens_committed.
 */
void tokens_committed(struct tokens *ts);

/*
 * Whether a login is under way at any token: its outcome should be waited for,
 * since an attempt without one keeps that PIN from being tried again.
 */
bool tokens_logging_in(const struct tokens *ts);

/*
 * 0 if conf has exactly these tokens, HT_ERR_USAGE with the one that differs:
 * a reload cannot change them.
 */
int tokens_match(const struct tokens *ts, const struct conf *conf,
    struct ht_error *e);

#endif

/*
 * All tokens of a configuration, and keyd's link to its parent, which starts
 * the tokens' workers.
 */

#ifndef KEYS_KEYD_TOKEN_TOKENS_H
#define KEYS_KEYD_TOKEN_TOKENS_H

#include "keys/keyd/token/token.h"

struct tokens;

/*
 * Make every token of the configuration.  Call this before keyd gives up root,
 * because token_new opens key files and reads PINs.  The caller frees the
 * result with tokens_free.  Returns NULL with the errors of token_new.
 */
struct tokens *tokens_new(struct loop *loop, const struct conf *conf,
    struct ht_error *e);
void tokens_free(struct tokens *ts); /* NULL is fine */

/*
 * tokens_find returns the token of that name, or NULL.  tokens_at returns the
 * token at index, which is below tokens_count; the order is the
 * configuration's.  Tokens are borrowed.
 */
struct token *tokens_find(const struct tokens *ts, const char *name);
size_t tokens_count(const struct tokens *ts);
struct token *tokens_at(const struct tokens *ts, size_t index);

/*
 * Send READY on parent_fd and start all tokens.  Takes over parent_fd.  users
 * has, by enum conf_user, whose ids the workers, htsign-pump and htsign-reader get;
 * NULL means the parent's own.  When the parent goes away, gone(cookie) is called once, and keyd ends.
 * Returns HT_ERR_INTERNAL if there is no memory, or an error of the link.
 */
int tokens_start(struct tokens *ts, struct store *s, int parent_fd,
    const struct conf_account *users, void (*gone)(void *cookie), void *cookie,
    struct ht_error *e);

/* What the parent starts beside the workers. */
enum tokens_extra { TOKENS_PUMP, TOKENS_READER, TOKENS_EXTRA };

/*
 * tokens_start_extra has the parent start it.  spawned(cookie, fd) gets the link
 * to it, and owns fd.  If it cannot be started, fd is closed at its other end.
 * tokens_kill_extra has the parent end it.  Both return an error of the link to
 * the parent.
 */
typedef void tokens_spawned_fn(void *cookie, int fd);
int tokens_start_extra(struct tokens *ts, enum tokens_extra what,
    tokens_spawned_fn *spawned, void *cookie, struct ht_error *e);
int tokens_kill_extra(struct tokens *ts, enum tokens_extra what,
    struct ht_error *e);

/*
 * store_commit has returned 0: go on with what waited for it.  Does nothing if
 * something was written since.  This may write new events, so keyd calls it in
 * a loop: while store_dirty, store_commit and tokens_committed.
 */
void tokens_committed(struct tokens *ts);

/*
 * store_commit has undone what was written: for each token token_undo.
 */
void tokens_undo(struct tokens *ts);

/*
 * True if any token is logging in.  keyd waits for the outcome before it ends:
 * an attempt without an outcome keeps that PIN from being tried again.
 */
bool tokens_logging_in(const struct tokens *ts);

/*
 * Check that conf has exactly these tokens, because a reload cannot change
 * them.  Returns HT_ERR_USAGE if one differs, was added or was removed.
 */
int tokens_match(const struct tokens *ts, const struct conf *conf,
    struct ht_error *e);

#endif

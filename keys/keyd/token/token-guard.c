#include "config.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "keys/keyd/token/token-private.h"

int
token_guard(struct token *t, struct ht_error *e)
{
	if (t->guard >= 0 || t->key_file >= 0)
		return 0;
	t->guard = open(t->guard_path,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (t->guard < 0)
		return ht_error_errno(e, "%s", t->guard_path);
	if (flock(t->guard, LOCK_EX | LOCK_NB) == 0)
		return 0;
	token_unguard(t);
	return ht_error_set(e, HT_ERR_UNAVAILABLE,
	    "token %s: the worker before this one may still try a PIN",
	    t->name);
}

void
token_unguard(struct token *t)
{
	if (t->guard >= 0)
		(void)close(t->guard);
	t->guard = -1;
}

/*
 * The four unix sockets that keyd listens on, in the configuration's run
 * folder: who connects to which decides what may be said there.
 *
 *	agent.sock	shells that sign		htsign-sign
 *	admin.sock	shells of administrators	htsign-admin, root, keyd
 *	principals.sock	htsign-principals		htsign-auth
 *	sshd.sock	sshd-sign's listener		root
 */

#ifndef KEYS_KEYD_SOCKETS_H
#define KEYS_KEYD_SOCKETS_H

#include "keys/keyd/core.h"

struct sockets;

/*
 * Make the folder if it is not there, bind the sockets and give each to who
 * may connect; comes while keyd is still root.  NULL and *e.
 */
struct sockets *sockets_new(const struct conf *conf, struct ht_error *e);
void sockets_free(struct sockets *s); /* NULL is fine */

/*
 * Take connections from now on; and stop taking them.
 */
int sockets_serve(struct sockets *s, struct keyd *k, struct ht_error *e);
void sockets_stop(struct sockets *s);

#endif

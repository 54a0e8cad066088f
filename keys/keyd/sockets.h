/*
 * The five unix sockets that keyd listens on.  They are in the configuration's
 * run folder.  The socket decides what a peer may say.
 *
 *	agent.sock       clients' shells         htsign-sign
 *	admin.sock       administrators' shells  htsign-admin, root, keyd
 *	principals.sock  htsign-principals       htsign-auth
 *	sshd.sock        sshd-sign's listener    root
 *	fetch.sock       htsign-fetch            htsign-fetch
 */

#ifndef KEYS_KEYD_SOCKETS_H
#define KEYS_KEYD_SOCKETS_H

#include "keys/keyd/core.h"

struct sockets;

/*
 * Make the folder if it does not exist, bind the sockets, and give each to
 * those who may connect.  Call this while keyd is still root.  The caller frees
 * the result with sockets_free.  Returns NULL on error: HT_ERR_USAGE if the
 * folder's path is too long, or if it is not root's alone and keyd runs under a
 * uid of its own; else an error of the system.
 */
struct sockets *sockets_new(const struct conf *conf, struct ht_error *e);
void sockets_free(struct sockets *s); /* NULL is fine */

/*
 * Whether the folder of the sockets, if it is there, is root's alone; under
 * single_user it need not be.  HT_ERR_USAGE, with file and line, if it is not.
 */
int sockets_check_folder(const struct conf *conf, struct ht_error *e);

/*
 * sockets_serve accepts connections from now on.  Returns 0, or HT_ERR_INTERNAL
 * if there is no memory.  sockets_stop closes the sockets.
 */
int sockets_serve(struct sockets *s, struct keyd *k, struct ht_error *e);
void sockets_stop(struct sockets *s);

#endif

/*
 * htsign-keyd's own process, from its start to its end.
 */

#ifndef KEYS_KEYD_KEYD_H
#define KEYS_KEYD_KEYD_H

/*
 * Load the configuration, open the store and the sockets, and give up rights.
 * Then serve until SIGTERM or SIGINT, or until the parent goes away.  parent_fd
 * is the link to the parent and is taken over.  Returns the exit status.
 */
int keyd_main(const char *conf_path, int parent_fd);

#endif

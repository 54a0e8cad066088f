/*
 * What the server that started us says about the session: the client's command
 * and variables, where it comes from, its certificate.  At sshd-sign that is a
 * blob on a descriptor; at OpenSSH the environment and a file.
 *
 * Opening comes before the sandbox, reading after it: what is in there is the
 * client's.
 */

#ifndef HTSIGN_SHELL_ENVIRONMENT_H
#define HTSIGN_SHELL_ENVIRONMENT_H

#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"

/* The most that is read of the file that SSH_USER_AUTH names. */
#define ENVIRONMENT_USER_AUTH_MAX ((size_t)64 << 10)

/* Where the session is read from. */
struct environment_source {
	int blob;      /* or -1: the environment */
	int user_auth; /* open file, or -1 */
};

struct environment { /* texts are NULL where nothing was said */
	char *command;
	char *connection;
	char *description;
	char *url;
	char *name;
	struct buf certificate; /* the SSH blob, or nothing */
};

/*
 * At OpenSSH's sshd: open the file that SSH_USER_AUTH names, if it is set.
 * HT_ERR_INTERNAL if that cannot be done; -1 and 0 where there is none.
 */
int environment_open_user_auth(int *fd, struct ht_error *e);

/*
 * Read the session, and close the descriptors.  HT_ERR_USAGE for a blob or a
 * file that makes no sense, HT_ERR_INTERNAL if it cannot be read.
 * environment_free is due in any case.
 */
int environment_read(struct environment_source *source, struct environment *env,
    struct ht_error *e);
void environment_free(struct environment *env); /* all zeros is fine */

/*
 * Fill in what HELLO says about the session: certificate, peer and local
 * address.  Points into env.
 */
void environment_hello(const struct environment *env,
    struct protocol_hello *hello);

/*
 * The certificate in the n bytes of such a file: its first line that is
 * "publickey TYPE BASE64" and names the type of a certificate.  Nothing is
 * appended if there is none; HT_ERR_USAGE if its base64 is broken.
 */
int environment_certificate(const void *p, size_t n, struct buf *certificate,
    struct ht_error *e);

#endif

/*
 * The session, as the server that started us describes it: the client's
 * command, variables, addresses and certificate.  sshd-sign passes a blob on a
 * descriptor.  OpenSSH's sshd uses the environment and a file.
 *
 * The file is opened before the sandbox.  Everything is read in the sandbox,
 * since the client chose the contents.
 */

#ifndef HTSIGN_SHELL_ENVIRONMENT_H
#define HTSIGN_SHELL_ENVIRONMENT_H

#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"

/* The longest file that SSH_USER_AUTH may name, in bytes. */
#define ENVIRONMENT_USER_AUTH_MAX ((size_t)64 << 10)

/* Where the session is read from. */
struct environment_source {
	int blob;      /* descriptor of the blob, or -1 for the environment */
	int user_auth; /* descriptor of the file, or -1 for no file */
};

struct environment { /* a text is NULL if the server did not give it */
	char *command;
	char *connection;
	char *banner;   /* the client's software; only from sshd-sign */
	char *terminal; /* the client asked for one, and may not have it */
	char *description;
	char *url;
	char *name;
	struct buf certificate; /* the SSH blob; empty if there is none */
};

/*
 * Open the file that SSH_USER_AUTH names, for a session of OpenSSH's sshd.
 * Returns 0 and *fd, which the caller owns; *fd is -1 if the variable is not
 * set.  HT_ERR_INTERNAL and -1 if the file cannot be opened.
 */
int environment_open_user_auth(int *fd, struct ht_error *e);

/*
 * Read the session into *env.  Closes the descriptors in *source and sets them
 * to -1.  The caller frees env with environment_free, also after an error.
 *
 * HT_ERR_USAGE if the blob or the file is malformed or too long.
 * HT_ERR_INTERNAL if it cannot be read, or without memory.
 */
int environment_read(struct environment_source *source, struct environment *env,
    struct ht_error *e);
void environment_free(struct environment *env); /* may be all zeros */

/*
 * Set the certificate, the peer's address and port, the local address and the
 * banner in *hello.  What is missing, and an address or port that is none, is
 * left as it was.  hello->certificate points into env.
 */
void environment_hello(const struct environment *env,
    struct protocol_hello *hello);

/*
 * Find the certificate in p, the n bytes of an SSH_USER_AUTH file.  It is in
 * the first line "publickey TYPE BASE64" whose TYPE is that of a certificate.
 * The decoded certificate is appended; nothing is appended if there is no such
 * line.  HT_ERR_USAGE if the base64 is malformed, HT_ERR_INTERNAL without memory.
 */
int environment_certificate(const void *p, size_t n, struct buf *certificate,
    struct ht_error *e);

#endif

/*
 * What is made from one configuration: its certificates, CA keys and
 * administrators' keys, loaded and checked.  A reload replaces all of it at
 * once.  A certificate that cannot be used is kept, with the reason.
 */

#ifndef KEYS_KEYD_SETUP_H
#define KEYS_KEYD_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "keys/keyd/token/tokens.h"
#include "keys/sshcert/sshkey.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/sandbox.h"
#include "signature/chain.h"

struct setup_certificate {
	const struct conf_certificate *conf;
	char *fault;         /* why it cannot be used, or NULL */
	struct chain *chain; /* may be NULL if there is a fault */
	struct token *token;
	uint32_t key;  /* its number at the token, if there is no fault */
	bool revoked;  /* its issuer has said so; this and what follows is
	                 signers.c's */
	bool due;      /* its issuer is to be asked */
	uint32_t look; /* the tag of the LOOK that is under way, or 0 */
};

/* A server of timestamps.  One that cannot be used is left out. */
struct setup_server {
	const struct conf_server *conf;
	char *fault;      /* why it cannot be used, or NULL */
	struct buf roots; /* PEM, at most CONF_ROOTS_MAX bytes */
};

/* An administrator's plain key. */
struct setup_admin {
	const struct conf_admin *conf;
	struct sshkey *key;
};

struct setup {
	struct conf *conf;
	struct setup_certificate *certificates;
	size_t ncertificates;
	struct setup_server *servers;
	size_t nservers;
	struct sshkey_private *user_ca;
	struct sshkey *admin_ca; /* or NULL */
	struct setup_admin *admins;
	size_t nadmins;
};

/*
 * Load what conf names, and add the certificates' keys to their tokens.  Logs
 * why a certificate or a server cannot be used now.  Takes conf, also on error.  The caller
 * frees the result with setup_free.  Returns NULL on error: HT_ERR_USAGE, with
 * the setting's line and the file's name, if a file with a key for SSH cannot be
 * opened, others can get at it or its content is wrong; HT_ERR_INTERNAL if such
 * a file cannot be read or there is no memory.
 */
struct setup *setup_new(struct conf *conf, struct tokens *tokens,
    struct ht_error *e);
void setup_free(struct setup *s); /* NULL is fine */

/*
 * Why c cannot be used at the time now, in seconds since 1970, whatever the
 * profile; NULL if it can.  Valid as long as c.  *code is HT_ERR_UNAVAILABLE, or
 * HT_ERR_REFUSED if that does not change: the certificate has been revoked, or
 * has expired.
 */
const char *setup_fault(const struct setup_certificate *c, int64_t now,
    int *code);

/*
 * Whether c, a certificate of s, has no fault at the time now.  If it has,
 * returns the code of setup_fault, and *e has the setting's file and line, the
 * certificate and the fault.
 */
int setup_usable(const struct setup *s, const struct setup_certificate *c,
    int64_t now, struct ht_error *e);

/*
 * Whether something that is valid until then expires within so many days from
 * now; both are in seconds since 1970.  If so, out is "expires in 5 days" or the
 * like, otherwise "".
 */
#define SETUP_SOON 90 /* days; from then on people are told */
#define SETUP_EXPIRES 32
bool setup_expires(int64_t until, int64_t now, unsigned int days,
    char out[SETUP_EXPIRES]);

/*
 * The server of that name, or NULL if there is none that can be used.
 */
const struct setup_server *setup_server(const struct setup *s,
    const char *name);

/*
 * Whether a server can be used of those that p names.
 */
bool setup_has_server(const struct setup *s, const struct conf_profile *p);

/*
 * Fill in paths with the folders of the files that a reload reads, at most n of
 * them.  They are folders, because a right to a file is lost when another file
 * replaces it.  Returns their number, or HT_ERR_INTERNAL if there is no memory.
 * setup_paths_free frees their texts.
 */
int setup_paths(const struct setup *s, struct sandbox_path *paths, size_t n);
void setup_paths_free(struct sandbox_path *paths, size_t n);

#endif

/*
 * What is made of one configuration: its certificates and CA keys, loaded and
 * checked.  It is swapped whole when the configuration is read again.
 */

#ifndef KEYS_KEYD_SETUP_H
#define KEYS_KEYD_SETUP_H

#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "keys/keyd/token/tokens.h"
#include "keys/sshcert/sshkey.h"
#include "lib/error.h"
#include "lib/sandbox.h"
#include "signature/chain.h"

struct setup_certificate {
	const struct conf_certificate *conf;
	struct chain *chain;
	struct token *token;
	uint32_t key; /* its number at the token */
};

/* An administrator's key. */
struct setup_admin {
	const struct conf_admin *conf;
	struct sshkey *key;
};

struct setup {
	struct conf *conf;
	struct setup_certificate *certificates;
	size_t ncertificates;
	struct sshkey_private *user_ca;
	struct sshkey *admin_ca; /* or NULL */
	struct setup_admin *admins;
	size_t nadmins;
};

/*
 * Load what conf names; the keys of its certificates are made known to their
 * tokens.  Takes conf, also on error.  NULL and *e: HT_ERR_USAGE with the file
 * for what is wrong in it or if it cannot be opened, HT_ERR_INTERNAL without
 * memory.
 */
struct setup *setup_new(struct conf *conf, struct tokens *tokens,
    struct ht_error *e);
void setup_free(struct setup *s); /* NULL is fine */

/*
 * The folders of the files that a reload reads, at most n of them, into paths.
 * (A file may be replaced by another, so its own right would be of no use.)
 * Returns how many, or HT_ERR_INTERNAL without memory.  setup_paths_free frees
 * the texts.
 */
int setup_paths(const struct setup *s, struct sandbox_path *paths, size_t n);
void setup_paths_free(struct sandbox_path *paths, size_t n);

#endif

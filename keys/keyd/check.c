#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "config/files.h"
#include "keys/keyd/check.h"
#include "keys/keyd/setup.h"
#include "keys/keyd/sockets.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "signature/init.h"

/* Log an error, and keep the worst status: one that stops the start is worse. */
static void
note(int *status, const struct ht_error *e)
{
	log_error("%s", e->text);
	if (*status == 0 || *status == -HT_ERR_UNAVAILABLE)
		*status = -e->code;
}

/* --- folders ----------------------------------------------------------- */

/* Where root has no right, as the unit leaves it, keyd has. */
static int
look(const struct conf *conf, const char *path, struct stat *st)
{
	int rc = lstat(path, st);

	if (rc < 0 && errno == EACCES) {
		proc_files_as(conf->users[CONF_USER_KEYD].uid);
		rc = lstat(path, st);
		proc_files_as(geteuid());
	}
	return rc;
}

/* Whether the start finds this folder, or can make it. */
static int
check_folder(const struct conf *conf, const char *path, struct ht_error *e)
{
	char above[PATH_MAX];
	size_t n = strlen(path);
	struct stat st;

	if (look(conf, path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		(void)ht_error_set(e, HT_ERR_USAGE, "%s: no folder", path);
		return conf_at(conf, path, e);
	}
	while (n > 1 && path[--n] != '/')
		;
	(void)snprintf(above, sizeof(above), "%.*s", (int)n, path);
	/* The start makes state before spool, which may be in it. */
	if (errno == ENOENT &&
	    (strcmp(above, conf->state) == 0 || look(conf, above, &st) == 0))
		return 0;
	(void)ht_error_set(e, HT_ERR_USAGE, "%s: %s", above, strerror(errno));
	return conf_at(conf, path, e);
}

static void
check_folders(const struct conf *conf, int *status)
{
	struct ht_error e;

	if (check_folder(conf, conf->state, &e) < 0)
		note(status, &e);
	if (check_folder(conf, conf->spool, &e) < 0)
		note(status, &e);
	if (check_folder(conf, conf->run, &e) < 0 ||
	    sockets_check_folder(conf, &e) < 0)
		note(status, &e);
}

/* --- key files --------------------------------------------------------- */

/* Without a passphrase, and without asking for one. */
static EVP_PKEY *
read_key(const struct conf *conf, const char *path, struct ht_error *e)
{
	struct modes m = conf_modes(conf, CONF_USER_KEYD, true);
	int fd = modes_open(path, &m, e);
	BIO *bio = fd < 0 ? NULL : BIO_new_fd(fd, BIO_CLOSE);
	EVP_PKEY *key = NULL;

	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL,
		    (void *)(uintptr_t) "");
	if (bio != NULL && key == NULL)
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "%s: must be a PEM private key without a passphrase", path);
	ERR_clear_error();
	BIO_free(bio);
	return key;
}

static bool
fits(const EVP_PKEY *key, const struct chain *chain)
{
	struct buf spki = BUF_INIT;
	const unsigned char *p;
	EVP_PKEY *public = NULL;
	struct ht_error e;
	bool same;

	if (chain_spki(chain, &spki, &e) == 0) {
		p = spki.data;
		public = d2i_PUBKEY(NULL, &p, (long)spki.len);
	}
	same = public != NULL && EVP_PKEY_eq(key, public) == 1;
	EVP_PKEY_free(public);
	buf_free(&spki);
	return same;
}

/* keyd has the worker look at this, after the start. */
static void
check_key_file(const struct setup *s, const struct conf_token *token,
    int *status)
{
	const struct setup_certificate *c;
	struct ht_error e;
	EVP_PKEY *key = read_key(s->conf, token->file, &e);
	size_t i;

	if (key == NULL) {
		e.code = HT_ERR_UNAVAILABLE;
		(void)conf_at(s->conf, token->file, &e);
		note(status, &e);
		return;
	}
	for (i = 0; i < s->ncertificates; i++) {
		c = &s->certificates[i];
		if (c->conf->token != token || c->chain == NULL ||
		    fits(key, c->chain))
			continue;
		(void)ht_error_set(&e, HT_ERR_UNAVAILABLE,
		    "certificate %s: the key in %s does not fit it",
		    c->conf->name, token->file);
		(void)conf_at(s->conf, c->conf->chain, &e);
		note(status, &e);
	}
	EVP_PKEY_free(key);
}

/* --- VirusTotal ---------------------------------------------------------- */

static void
check_virustotal(const struct conf *conf, int *status)
{
	struct buf key = BUF_INIT;
	struct ht_error e;
	size_t i;

	if (conf->virustotal_key != NULL &&
	    conf_read(conf, CONF_USER_FETCH, conf->virustotal_key, true,
	        CONF_KEY_MAX, &key, &e) < 0) {
		(void)conf_at(conf, conf->virustotal_key, &e);
		note(status, &e);
	}
	buf_free(&key);
	for (i = 0; i < conf->nprofiles; i++)
		if (conf->profiles[i].vt_upload == CONF_UPLOAD_PUBLIC)
			log_notice("profile %s uploads files to VirusTotal "
			           "where everybody can get them",
			    conf->profiles[i].name);
}

/* --- all of it --------------------------------------------------------- */

/* Certificates and tokens that cannot be used have been logged. */
static void
check_setup(const struct setup *s, const struct tokens *tokens, int *status)
{
	const struct conf_token *token;
	struct ht_error e;
	bool usable = true;
	size_t i;

	for (i = 0; i < s->conf->ntokens; i++) {
		token = &s->conf->tokens[i];
		if (token_unusable(tokens_at(tokens, i)))
			usable = false;
		else if (token->file != NULL)
			check_key_file(s, token, status);
	}
	for (i = 0; i < s->ncertificates; i++)
		if (setup_usable(s, &s->certificates[i], (int64_t)time(NULL),
		        &e) < 0)
			usable = false;
	if (!usable && *status == 0)
		*status = -HT_ERR_UNAVAILABLE;
}

int
check_run(const char *path)
{
	struct tokens *tokens = NULL;
	struct setup *setup = NULL;
	struct conf *conf = NULL;
	struct ht_error e;
	int status = 0;

	if (authenticode_init(&e) < 0 || (conf = conf_load(path, &e)) == NULL ||
	    conf_resolve(conf, &e) < 0) {
		note(&status, &e);
		conf_free(conf);
		return status;
	}
	if (conf_check_host_keys(conf, &e) < 0)
		note(&status, &e);
	check_folders(conf, &status);
	check_virustotal(conf, &status);
	tokens = tokens_new(NULL, conf, &e);
	if (tokens == NULL)
		conf_free(conf);
	else
		setup = setup_new(conf, tokens, &e);
	if (setup == NULL)
		note(&status, &e);
	else
		check_setup(setup, tokens, &status);
	setup_free(setup);
	tokens_free(tokens);
	return status;
}

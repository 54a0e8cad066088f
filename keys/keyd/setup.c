#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/files.h"
#include "keys/keyd/setup.h"
#include "lib/log.h"

#define DAY 86400 /* seconds */

/* Put the name of the file before the error in its contents. */
static int
in_file(const char *path, struct ht_error *e)
{
	struct ht_error why = *e;

	return ht_error_set(e,
	    why.code == HT_ERR_INTERNAL ? HT_ERR_INTERNAL : HT_ERR_USAGE,
	    "%s: %s", path, why.text);
}

static int
load_certificate(const struct setup *s, struct setup_certificate *c,
    struct ht_error *e)
{
	struct buf pem = BUF_INIT, spki = BUF_INIT;
	int rc;

	rc = conf_read(s->conf, CONF_USER_KEYD, c->conf->chain, false,
	    CHAIN_PEM_MAX, &pem, e);
	if (rc == 0 && chain_load(pem.data, pem.len, &c->chain, e) < 0)
		rc = in_file(c->conf->chain, e);
	if (rc == 0 && token_unusable(c->token))
		rc = ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "token %s cannot be used", token_name(c->token));
	if (rc == 0)
		rc = chain_spki(c->chain, &spki, e);
	if (rc == 0)
		rc = token_key(c->token, c->conf->key, spki.data, spki.len,
		    &c->key, e);
	buf_free(&pem);
	buf_free(&spki);
	return rc;
}

const char *
setup_fault(const struct setup_certificate *c, int64_t now, int *code)
{
	int64_t from, until;

	*code = HT_ERR_UNAVAILABLE;
	if (c->fault != NULL)
		return c->fault;
	chain_validity(c->chain, &from, &until);
	if (now < from)
		return "is not yet valid";
	*code = HT_ERR_REFUSED;
	if (c->revoked)
		return "has been revoked";
	return now > until ? "has expired" : NULL;
}

bool
setup_expires(int64_t until, int64_t now, unsigned int days,
    char out[SETUP_EXPIRES])
{
	int64_t left = (until - now) / DAY;

	out[0] = '\0';
	if (until < now || until - now > (int64_t)days * DAY)
		return false;
	if (left == 0)
		(void)snprintf(out, SETUP_EXPIRES, "expires within a day");
	else
		(void)snprintf(out, SETUP_EXPIRES, "expires in %u day%s",
		    (unsigned int)left, left == 1 ? "" : "s");
	return true;
}

int
setup_usable(const struct setup *s, const struct setup_certificate *c,
    int64_t now, struct ht_error *e)
{
	int code;
	const char *fault = setup_fault(c, now, &code);

	if (fault == NULL)
		return 0;
	(void)ht_error_set(e, code, "certificate %s: %s", c->conf->name, fault);
	return conf_at(s->conf, c->conf->chain, e);
}

static int
load_certificates(struct setup *s, struct tokens *tokens, struct ht_error *e)
{
	struct setup_certificate *c;
	struct ht_error why;
	size_t i;

	s->certificates =
	    calloc(s->conf->ncertificates + 1, sizeof(*s->certificates));
	if (s->certificates == NULL)
		return ht_error_memory(e);
	for (i = 0; i < s->conf->ncertificates; i++) {
		c = &s->certificates[s->ncertificates++];
		c->conf = &s->conf->certificates[i];
		c->token = tokens_find(tokens, c->conf->token->name);
		if (load_certificate(s, c, &why) < 0) {
			c->fault = strdup(why.text);
			if (c->fault == NULL)
				return ht_error_memory(e);
		} else if (chain_weak(c->chain) != NULL) {
			log_notice("certificate %s: %s", c->conf->name,
			    chain_weak(c->chain));
		}
		if (setup_usable(s, c, (int64_t)time(NULL), &why) < 0)
			log_error("%s", why.text);
	}
	return 0;
}

/* A file of roots that is missing costs its server only. */
static int
load_servers(struct setup *s, struct ht_error *e)
{
	struct setup_server *server;
	struct ht_error why;
	size_t i;

	s->servers = calloc(s->conf->nservers + 1, sizeof(*s->servers));
	if (s->servers == NULL)
		return ht_error_memory(e);
	for (i = 0; i < s->conf->nservers; i++) {
		server = &s->servers[s->nservers++];
		server->conf = &s->conf->servers[i];
		if (conf_read(s->conf, CONF_USER_KEYD, server->conf->roots,
		        false, CONF_ROOTS_MAX, &server->roots, &why) == 0)
			continue;
		server->fault = strdup(why.text);
		if (server->fault == NULL)
			return ht_error_memory(e);
		(void)conf_at(s->conf, server->conf->roots, &why);
		log_notice("timestamp server %s is left out: %s",
		    server->conf->name, why.text);
	}
	return 0;
}

const struct setup_server *
setup_server(const struct setup *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nservers; i++)
		if (s->servers[i].fault == NULL &&
		    strcmp(s->servers[i].conf->name, name) == 0)
			return &s->servers[i];
	return NULL;
}

bool
setup_has_server(const struct setup *s, const struct conf_profile *p)
{
	size_t i;

	for (i = 0; i < p->nservers; i++)
		if (setup_server(s, p->servers[i]->name) != NULL)
			return true;
	return false;
}

static int
load_user_ca(struct setup *s, struct ht_error *e)
{
	const char *path = s->conf->ssh.user_ca;
	struct buf file = BUF_INIT;
	int rc = conf_read(s->conf, CONF_USER_KEYD, path, true, SSHKEY_FILE_MAX,
	    &file, e);

	if (rc == 0) {
		s->user_ca = sshkey_private_load(buf_cursor(&file), e);
		if (s->user_ca == NULL)
			rc = in_file(path, e);
	}
	buf_free(&file);
	return rc < 0 ? conf_at(s->conf, path, e) : 0;
}

static int
load_admin_ca(struct setup *s, struct ht_error *e)
{
	const char *path = s->conf->ssh.admin_ca;
	struct buf file = BUF_INIT;
	int rc;

	if (path == NULL)
		return 0;
	rc = conf_read(s->conf, CONF_USER_KEYD, path, false, SSHKEY_LINE_MAX,
	    &file, e);
	if (rc == 0) {
		s->admin_ca = sshkey_parse_line(buf_cursor(&file), e);
		if (s->admin_ca == NULL)
			rc = in_file(path, e);
	}
	buf_free(&file);
	if (rc == 0 &&
	    sshkey_equal(s->admin_ca, sshkey_private_public(s->user_ca)))
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "%s: the administrators' CA must not be the clients'",
		    path);
	return rc < 0 ? conf_at(s->conf, path, e) : 0;
}

static int
load_admins(struct setup *s, struct ht_error *e)
{
	const struct conf_admin *conf;
	size_t i;

	s->admins = calloc(s->conf->ssh.nadmins + 1, sizeof(*s->admins));
	if (s->admins == NULL)
		return ht_error_memory(e);
	for (i = 0; i < s->conf->ssh.nadmins; i++) {
		conf = &s->conf->ssh.admins[i];
		s->admins[i].conf = conf;
		s->admins[i].key = sshkey_parse_line(
		    cursor_over(conf->key, strlen(conf->key)), e);
		if (s->admins[i].key == NULL) {
			(void)ht_error_set(e, HT_ERR_USAGE,
			    "the key of administrator %s is no public key",
			    conf->name);
			return conf_at(s->conf, conf->key, e);
		}
		s->nadmins++;
	}
	return 0;
}

struct setup *
setup_new(struct conf *conf, struct tokens *tokens, struct ht_error *e)
{
	struct setup *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		conf_free(conf);
		(void)ht_error_memory(e);
		return NULL;
	}
	s->conf = conf;
	if (load_certificates(s, tokens, e) < 0 || load_servers(s, e) < 0 ||
	    load_user_ca(s, e) < 0 || load_admin_ca(s, e) < 0 ||
	    load_admins(s, e) < 0) {
		setup_free(s);
		return NULL;
	}
	return s;
}

void
setup_free(struct setup *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->ncertificates; i++) {
		chain_free(s->certificates[i].chain);
		free(s->certificates[i].fault);
	}
	free(s->certificates);
	for (i = 0; i < s->nservers; i++) {
		buf_free(&s->servers[i].roots);
		free(s->servers[i].fault);
	}
	free(s->servers);
	for (i = 0; i < s->nadmins; i++)
		sshkey_free(s->admins[i].key);
	free(s->admins);
	sshkey_private_free(s->user_ca);
	sshkey_free(s->admin_ca);
	conf_free(s->conf);
	free(s);
}

/*
 * Add the folder of file, unless it is there already.  A folder that does not
 * exist can only cost the certificate whose chain should be in it.
 */
static int
add_folder(const char *file, struct sandbox_path *paths, size_t *used, size_t n)
{
	const char *slash = strrchr(file, '/');
	char *folder;
	size_t i;

	if (*used == n || slash == NULL)
		return 0;
	folder = strndup(file, slash == file ? 1 : (size_t)(slash - file));
	if (folder == NULL)
		return HT_ERR_INTERNAL;
	for (i = 0; i < *used; i++)
		if (strcmp(paths[i].path, folder) == 0) {
			free(folder);
			return 0;
		}
	if (access(folder, F_OK) < 0) {
		free(folder);
		return 0;
	}
	paths[*used].path = folder;
	paths[(*used)++].access = SANDBOX_READ;
	return 0;
}

/* Add the folder of file, and that of the file that a link there leads to. */
static int
add_file(const char *file, struct sandbox_path *paths, size_t *used, size_t n)
{
	char *real = realpath(file, NULL);
	int rc = add_folder(file, paths, used, n);

	if (rc == 0 && real != NULL)
		rc = add_folder(real, paths, used, n);
	free(real);
	return rc;
}

int
setup_paths(const struct setup *s, struct sandbox_path *paths, size_t n)
{
	const struct conf *conf = s->conf;
	size_t i, used = 0;
	int rc;

	rc = add_file(conf->ssh.user_ca, paths, &used, n);
	for (i = 0; i < conf->nsources && rc == 0; i++)
		rc = add_file(conf->sources[i].path, paths, &used, n);
	for (i = 0; i < conf->nservers && rc == 0; i++)
		rc = add_file(conf->servers[i].roots, paths, &used, n);
	if (rc == 0 && conf->ssh.admin_ca != NULL)
		rc = add_file(conf->ssh.admin_ca, paths, &used, n);
	for (i = 0; i < s->ncertificates && rc == 0; i++)
		rc = add_file(s->certificates[i].conf->chain, paths, &used, n);
	if (rc < 0) {
		setup_paths_free(paths, used);
		return rc;
	}
	return (int)used;
}

void
setup_paths_free(struct sandbox_path *paths, size_t n)
{
	while (n > 0)
		free((void *)(uintptr_t)paths[--n].path);
}

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/files.h"
#include "keys/keyd/token/token-private.h"
#include "lib/log.h"
#include "lib/modes.h"

#define KEYS_MAX 64

/* systemd.exec(5): LoadCredential= puts its files into this folder. */
#define CREDENTIALS "/run/credentials/htsign-keyd.service"

/* --- making one -------------------------------------------------------- */

static int
copy_text(char *out, size_t size, const char *text, struct ht_error *e)
{
	size_t n = text != NULL ? strlen(text) : 0;

	if (n >= size)
		return ht_error_set(e, HT_ERR_USAGE, "\"%s\" is too long",
		    text);
	if (n > 0)
		memcpy(out, text, n);
	out[n] = '\0';
	return 0;
}

static void
put_texts(struct buf *out, const char *const *texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_text(out, texts[i]);
}

/* Copy the configuration into what the worker will be told. */
static int
copy_conf(struct token *t, const struct conf_token *conf, struct ht_error *e)
{
	const char *where = conf->file != NULL ? conf->file : conf->pin_where;
	int rc;

	rc = copy_text(t->name, sizeof(t->name), conf->name, e);
	if (rc == 0)
		rc = copy_text(t->open.module, sizeof(t->open.module),
		    conf->module, e);
	if (rc == 0)
		rc = copy_text(t->open.label, sizeof(t->open.label),
		    conf->label, e);
	if (rc == 0)
		rc = copy_text(t->open.serial, sizeof(t->open.serial),
		    conf->serial, e);
	if (rc < 0)
		return rc;
	put_texts(&t->environment, conf->environment, conf->nenvironment);
	put_texts(&t->writable, conf->writable, conf->nwritable);
	t->pin_source = conf->pin;
	t->timeout = conf->timeout * 1000;
	t->pin_counted = conf->pin_counted;
	t->pin_retries = conf->pin_retries;
	t->pin_where = strdup(where != NULL ? where : "");
	if (t->pin_where == NULL || buf_failed(&t->environment) < 0 ||
	    buf_failed(&t->writable) < 0)
		return ht_error_memory(e);
	t->open.environment = buf_cursor(&t->environment);
	t->open.writable = buf_cursor(&t->writable);
	t->open.sessions = t->sessions = conf->sessions;
	return 0;
}

static int
read_pin(struct token *t, struct ht_error *e)
{
	char path[PROTOCOL_PATH];
	int n;

	if (t->pin_source == CONF_PIN_FILE)
		return secret_read(t->configured, t->pin_where, e);
	if (t->pin_source != CONF_PIN_CREDENTIAL)
		return 0;
	n = snprintf(path, sizeof(path), "%s/%s", CREDENTIALS, t->pin_where);
	if (n < 0 || (size_t)n >= sizeof(path))
		return ht_error_set(e, HT_ERR_USAGE,
		    "the credential's name is too long");
	return secret_read(t->configured, path, e);
}

static int
open_key_file(struct token *t, const struct conf_token *conf,
    struct ht_error *e)
{
	t->key_file = modes_open_as_owner(conf->file);
	return t->key_file < 0 ? ht_error_errno(e, "%s", conf->file) : 0;
}

static int
make_secrets(struct token *t, struct ht_error *e)
{
	t->configured = secret_new(e);
	if (t->configured != NULL)
		t->given = secret_new(e);
	return t->given == NULL ? e->code : read_pin(t, e);
}

/*
 * Do all that needs more rights than keyd has later.  What goes wrong here costs
 * this token alone.
 */
static void
open_files(struct token *t, const struct conf *conf,
    const struct conf_token *token)
{
	struct ht_error e;
	int rc = conf_check_token(conf, token, &e);

	if (rc == 0) {
		rc = token->file != NULL ? open_key_file(t, token, &e)
		                         : make_secrets(t, &e);
		if (rc < 0)
			(void)conf_at(conf,
			    token->file != NULL ? token->file
			                        : token->pin_where,
			    &e);
	}
	if (rc == 0)
		return;
	t->unusable = true;
	token_set_reason(t, e.text);
	log_error("%s", t->reason);
}

struct token *
token_new(struct loop *loop, const struct conf *conf, uint32_t index,
    const struct token_parent *parent, struct ht_error *e)
{
	const struct conf_token *token = &conf->tokens[index];
	struct token *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	t->loop = loop;
	t->machine = &token_machine;
	t->parent = *parent;
	t->index = index;
	t->key_file = t->guard = -1;
	queue_init(&t->queue);
	TAILQ_INIT(&t->again);
	TAILQ_INIT(&t->window);
	if (asprintf(&t->guard_path, "%s/pin-%s.lock", conf->state,
	        token->name) < 0) {
		t->guard_path = NULL;
		(void)ht_error_memory(e);
		token_free(t);
		return NULL;
	}
	if (copy_conf(t, token, e) < 0) {
		token_free(t);
		return NULL;
	}
	open_files(t, conf, token);
	return t;
}

static void
free_jobs(struct token *t)
{
	struct queue_item *item;
	struct token_job *job;

	/* item is the first member of struct token_job. */
	while ((item = queue_take(&t->queue)) != NULL)
		free(item);
	while ((job = TAILQ_FIRST(&t->again)) != NULL) {
		TAILQ_REMOVE(&t->again, job, entry);
		free(job);
	}
	while ((job = TAILQ_FIRST(&t->window)) != NULL) {
		TAILQ_REMOVE(&t->window, job, entry);
		free(job);
	}
}

void
token_free(struct token *t)
{
	size_t i;

	if (t == NULL)
		return;
	token_stop(t);
	loop_timer_remove(t->kick);
	loop_timer_remove(t->outcome.later);
	free_jobs(t);
	for (i = 0; i < t->nkeys; i++)
		free(t->keys[i].spki);
	free(t->keys);
	secret_free(t->configured);
	secret_free(t->given);
	buf_free(&t->environment);
	buf_free(&t->writable);
	if (t->key_file >= 0)
		(void)close(t->key_file);
	free(t->pin_where);
	free(t->guard_path);
	free(t);
}

static struct token_key *
same_key(struct token *t, const char *uri, const uint8_t *spki, size_t n)
{
	size_t i;

	for (i = 0; i < t->nkeys; i++)
		if (strcmp(t->keys[i].uri, uri) == 0 && t->keys[i].nspki == n &&
		    memcmp(t->keys[i].spki, spki, n) == 0)
			return &t->keys[i];
	return NULL;
}

static struct token_key *
new_key(struct token *t, const uint8_t *spki, size_t n)
{
	struct token_key *keys, *key;

	if (n == 0 || t->nkeys == KEYS_MAX)
		return NULL;
	keys = reallocarray(t->keys, t->nkeys + 1, sizeof(*keys));
	if (keys == NULL)
		return NULL;
	t->keys = keys;
	key = &keys[t->nkeys];
	memset(key, 0, sizeof(*key));
	key->spki = malloc(n);
	if (key->spki == NULL)
		return NULL;
	memcpy(key->spki, spki, n);
	key->nspki = n;
	return key;
}

int
token_key(struct token *t, const char *uri, const uint8_t *spki, size_t n,
    uint32_t *number, struct ht_error *e)
{
	struct token_key *key;
	int rc;

	if (uri == NULL)
		uri = "";
	key = same_key(t, uri, spki, n);
	if (key == NULL) {
		key = new_key(t, spki, n);
		if (key == NULL)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "token %s: too many keys", t->name);
		rc = copy_text(key->uri, sizeof(key->uri), uri, e);
		if (rc < 0) {
			free(key->spki);
			return rc;
		}
		t->nkeys++;
		token_look_for_keys(t);
	}
	*number = (uint32_t)(key - t->keys);
	return 0;
}

/* --- asking ------------------------------------------------------------ */

const char *
token_name(const struct token *t)
{
	return t->name;
}

const char *
token_state(const struct token *t)
{
	switch (t->phase) {
	case TOKEN_DOWN:
	case TOKEN_WAITING:
		return "away";
	case TOKEN_LOCKED:
		return "locked";
	case TOKEN_READY:
		return t->slow ? "slow" : "ready";
	default:
		return "starting";
	}
}

unsigned int
token_readiness(const struct token *t, uint32_t key)
{
	struct ht_error e;

	if (token_check_now(t, key, &e) < 0)
		return 0;
	return t->phase == TOKEN_READY && !t->slow ? 2 : 1;
}

size_t
token_jobs(const struct token *t)
{
	return t->njobs;
}

uint64_t
token_signatures(const struct token *t)
{
	return t->signatures;
}

const char *
token_reason(const struct token *t)
{
	return t->reason;
}

const char *
token_serial(const struct token *t)
{
	return t->serial;
}

bool
token_unusable(const struct token *t)
{
	return t->unusable;
}

bool
token_logging_in(const struct token *t)
{
	return t->phase == TOKEN_PIN_WRITTEN ||
	    t->phase == TOKEN_PIN_COMMITTED || t->phase == TOKEN_LOGGING_IN;
}

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a, b != NULL ? b : "") == 0;
}

static bool
same_texts(const struct buf *held, const char *const *texts, size_t n)
{
	struct buf now = BUF_INIT;
	bool same;

	put_texts(&now, texts, n);
	same = buf_failed(&now) == 0 && now.len == held->len &&
	    (now.len == 0 || memcmp(now.data, held->data, now.len) == 0);
	buf_free(&now);
	return same;
}

bool
token_matches(const struct token *t, const struct conf_token *conf)
{
	const char *where = conf->file != NULL ? conf->file : conf->pin_where;

	return same_text(t->name, conf->name) &&
	    same_text(t->open.module, conf->module) &&
	    same_text(t->open.label, conf->label) &&
	    same_text(t->open.serial, conf->serial) &&
	    same_text(t->pin_where, where) && t->pin_source == conf->pin &&
	    t->timeout == conf->timeout * 1000 &&
	    t->pin_counted == conf->pin_counted &&
	    t->pin_retries == conf->pin_retries &&
	    t->sessions == conf->sessions &&
	    same_texts(&t->environment, conf->environment,
	        conf->nenvironment) &&
	    same_texts(&t->writable, conf->writable, conf->nwritable);
}

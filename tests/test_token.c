/*
 * Tokens as keyd drives them: real workers under a real parent, a SoftHSM
 * token, and a module that fails as it is told (faulty_module.c).
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/parent.h"
#include "keys/tokens.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "store/clients.h"
#include "store/journal.h"
#include "tests/scratch.h"

#define PIN "123456"
#define KEYS 4
#define JOBS 64
#define PARENT_LINK 63 /* beyond what is open here */

static const struct {
	const char *name;
	const char *id;
	const char *digest;
	const char *algorithm[4];
} kinds[KEYS] = {
	{ "rsa3072", "01", "sha256",
	    { "RSA", "-pkeyopt", "rsa_keygen_bits:3072", NULL } },
	{ "rsa4096", "02", "sha512",
	    { "RSA", "-pkeyopt", "rsa_keygen_bits:4096", NULL } },
	{ "p256", "03", "sha256",
	    { "EC", "-pkeyopt", "ec_paramgen_curve:P-256", NULL } },
	{ "p384", "04", "sha384",
	    { "EC", "-pkeyopt", "ec_paramgen_curve:P-384", NULL } },
};

static const char *softhsm;
static char here[128];
static EVP_PKEY *keys[KEYS];

/* --- what all tests share: SoftHSM with four keys ---------------------- */

static const char *
find_softhsm(void)
{
	static const char *const places[] = {
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
	};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static EVP_PKEY *
load_key(const char *name)
{
	FILE *f = fopen(name, "r");
	EVP_PKEY *key;

	assert_non_null(f);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	assert_non_null(key);
	return key;
}

static void
make_key(size_t i)
{
	char file[32];

	(void)snprintf(file, sizeof(file), "%s.pem", kinds[i].name);
	assert_int_equal(RUN("openssl", "genpkey", "-algorithm",
	                     kinds[i].algorithm[0], kinds[i].algorithm[1],
	                     kinds[i].algorithm[2], "-out", file),
	    0);
	assert_int_equal(RUN("softhsm2-util", "--import", file, "--token",
	                     "unit", "--label", kinds[i].name, "--id",
	                     kinds[i].id, "--pin", PIN),
	    0);
	keys[i] = load_key(file);
}

static int
group_setup(void **state)
{
	static const char text[] = "objectstore.backend = file\n"
	                           "log.level = ERROR\n"
	                           "directories.tokendir = ";
	struct buf conf = BUF_INIT;
	char path[256];
	size_t i;

	softhsm = find_softhsm();
	if (softhsm == NULL || scratch_enter(state) != 0)
		return 1;
	log_open("test-token", false, false);
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(mkdir("tokens", 0700), 0);
	assert_int_equal(mkdir("control", 0700), 0);
	buf_bytes(&conf, text, sizeof(text) - 1);
	buf_format(&conf, "%s/tokens\n", here);
	scratch_write("softhsm2.conf", conf.data, conf.len);
	buf_free(&conf);
	(void)snprintf(path, sizeof(path), "%s/softhsm2.conf", here);
	assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
	assert_int_equal(RUN("softhsm2-util", "--init-token", "--free",
	                     "--label", "unit", "--pin", PIN, "--so-pin", PIN),
	    0);
	for (i = 0; i < KEYS; i++)
		make_key(i);
	return 0;
}

static int
group_teardown(void **state)
{
	size_t i;

	for (i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	(void)RUN("rm", "-rf", "tokens", "control");
	return scratch_leave(state);
}

/* --- one keyd ---------------------------------------------------------- */

struct job {
	struct endpoint *end;
	struct token_job *job;
	size_t kind;
	uint8_t hash[64];
	unsigned int authorised, confirmed, lost, done;
	uint64_t written;   /* the commits at authorise */
	unsigned int order; /* 1, 2, … as done() came */
	int refuse_authorise, refuse_confirm;
	int code;
	char text[240];
	bool verified;
};

struct endpoint {
	struct loop *loop;
	struct store *store;
	struct tokens *tokens;
	struct token *token;
	pid_t parent;
	uint64_t commits;
	unsigned int done;
	uint32_t key[KEYS];
	struct job job[JOBS];
	size_t njobs;
	bool unlocked; /* the callback came */
	int unlock_code;
	bool gone;
	/* what it is configured with */
	struct conf conf;
	struct conf_token token_conf;
	const char *environment[3];
	const char *writable[2];
	char texts[4][256];
};

static void
on_gone(void *cookie)
{
	struct endpoint *end = cookie;

	end->gone = true;
}

static void
configure(struct endpoint *end, enum conf_pin pin)
{
	struct conf_token *c = &end->token_conf;

	(void)snprintf(end->texts[0], sizeof(end->texts[0]),
	    "SOFTHSM2_CONF=%s/softhsm2.conf", here);
	(void)snprintf(end->texts[1], sizeof(end->texts[1]), "FAULTY_MODULE=%s",
	    softhsm);
	(void)snprintf(end->texts[2], sizeof(end->texts[2]),
	    "FAULTY_CONTROL=%s/control", here);
	(void)snprintf(end->texts[3], sizeof(end->texts[3]), "%s/tokens", here);
	end->environment[0] = end->texts[0];
	end->environment[1] = end->texts[1];
	end->environment[2] = end->texts[2];
	end->writable[0] = end->texts[3];
	end->writable[1] = end->texts[2] + strlen("FAULTY_CONTROL=");
	c->name = "unit";
	c->module = HT_BUILDDIR "/tests/faulty-module.so";
	c->label = "unit";
	c->pin = pin;
	c->pin_where = pin == CONF_PIN_FILE ? "pin" : NULL;
	c->environment = end->environment;
	c->nenvironment = 3;
	c->writable = end->writable;
	c->nwritable = 2;
	c->timeout = 2;
	end->conf.tokens = c;
	end->conf.ntokens = 1;
}

static int
start_parent(struct endpoint *end)
{
	struct ht_error e;
	int pair[2];

	assert_int_equal(proc_socketpair(pair, &e), 0);
	end->parent = fork();
	assert_true(end->parent >= 0);
	if (end->parent == 0) {
		/* A new program: what this one holds is not the parent's. */
		if (dup2(pair[1], PARENT_LINK) == PARENT_LINK)
			(void)execl(HT_BUILDDIR "/tests/test-token",
			    "test-token", "--parent", (char *)NULL);
		_exit(127);
	}
	(void)close(pair[1]);
	return pair[0];
}

static void
add_keys(struct endpoint *end)
{
	unsigned char *spki;
	struct ht_error e;
	char uri[64];
	size_t i;
	int n;

	for (i = 0; i < KEYS; i++) {
		spki = NULL;
		n = i2d_PUBKEY(keys[i], &spki);
		assert_true(n > 0);
		(void)snprintf(uri, sizeof(uri), "pkcs11:object=%s;id=%%%s",
		    kinds[i].name, kinds[i].id);
		assert_int_equal(token_key(end->token, uri, spki, (size_t)n,
		                     &end->key[i], &e),
		    0);
		OPENSSL_free(spki);
	}
}

static void
open_endpoint(struct endpoint *end)
{
	struct ht_error e;
	int fd;

	end->loop = loop_new();
	assert_non_null(end->loop);
	end->store = store_open("store.db", &e);
	assert_non_null(end->store);
	fd = start_parent(end);
	end->tokens = tokens_new(end->loop, &end->conf, &e);
	if (end->tokens == NULL)
		fail_msg("%s", e.text);
	end->token = tokens_find(end->tokens, "unit");
	assert_non_null(end->token);
	if (end->token_conf.file == NULL)
		add_keys(end);
	assert_int_equal(tokens_start(end->tokens, end->store, fd, PROC_SAME,
	                     (gid_t)-1, on_gone, end, &e),
	    0);
}

static struct endpoint *
new_endpoint(enum conf_pin pin)
{
	struct endpoint *end = calloc(1, sizeof(*end));

	assert_non_null(end);
	configure(end, pin);
	open_endpoint(end);
	return end;
}

/* As a crash of keyd: nothing more is committed. */
static void
close_endpoint(struct endpoint *end)
{
	int status;

	tokens_free(end->tokens);
	store_close(end->store);
	loop_free(end->loop);
	assert_int_equal(waitpid(end->parent, &status, 0), end->parent);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	free(end);
}

static void
settle(struct endpoint *end)
{
	struct ht_error e;

	while (store_dirty(end->store)) {
		if (store_commit(end->store, &e) < 0)
			fail_msg("%s", e.text);
		end->commits++;
		tokens_committed(end->tokens);
	}
}

static void
on_stop(void *cookie)
{
	bool *stop = cookie;

	*stop = true;
}

/* Run until so many jobs are done, or the token is in that state. */
static void
run(struct endpoint *end, unsigned int done, const char *state)
{
	struct loop_timer *timer;
	struct ht_error e;
	bool stop = false;

	timer = loop_timer_add(end->loop, 20000, on_stop, &stop);
	settle(end);
	while (end->done < done ||
	    (state != NULL && strcmp(token_state(end->token), state) != 0)) {
		assert_int_equal(loop_once(end->loop, &e), 0);
		settle(end);
		if (stop)
			fail_msg("%u of %u jobs are done, the token is %s (%s)",
			    end->done, done, token_state(end->token),
			    token_reason(end->token));
	}
	loop_timer_remove(timer);
}

/* --- jobs -------------------------------------------------------------- */

static int
authorise(void *cookie, unsigned int attempt, struct ht_error *e)
{
	struct job *j = cookie;

	assert_int_equal(attempt, j->authorised + 1);
	j->authorised++;
	if (j->refuse_authorise)
		return ht_error_set(e, HT_ERR_DENIED, "not authorised");
	/* Any event: what counts is that something is to be committed. */
	assert_int_equal(journal_token(j->end->store, NULL,
	                     JOURNAL_TOKEN_RESTARTED, "unit", "test", e),
	    0);
	j->written = j->end->commits;
	return 0;
}

static int
confirm(void *cookie, struct ht_error *e)
{
	struct job *j = cookie;

	/* The event is durable by now. */
	assert_true(j->end->commits > j->written);
	j->confirmed++;
	if (j->refuse_confirm)
		return ht_error_set(e, HT_ERR_DENIED, "not confirmed");
	return 0;
}

static void
lost(void *cookie, const char *text)
{
	struct job *j = cookie;

	assert_non_null(text);
	j->lost++;
}

static bool
verify(size_t kind, const char *digest, const uint8_t *hash, size_t nhash,
    const uint8_t *signature, size_t n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(keys[kind], NULL);
	bool good;

	good = EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(digest)) ==
	        1 &&
	    EVP_PKEY_verify(ctx, signature, n, hash, nhash) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static size_t
hash_size(const char *digest)
{
	return (size_t)EVP_MD_get_size(EVP_get_digestbyname(digest));
}

static void
done(void *cookie, const uint8_t *signature, size_t n, const struct ht_error *e)
{
	struct job *j = cookie;
	const char *digest = kinds[j->kind].digest;

	j->done++;
	j->job = NULL;
	j->order = ++j->end->done;
	if (signature != NULL) {
		assert_null(e);
		j->verified = verify(j->kind, digest, j->hash,
		    hash_size(digest), signature, n);
		return;
	}
	j->code = e->code;
	(void)snprintf(j->text, sizeof(j->text), "%s", e->text);
}

static const struct token_job_ops ops = { authorise, confirm, lost, done };

static struct job *
submit_as(struct endpoint *end, const char *client, size_t kind)
{
	struct job *j = &end->job[end->njobs++];
	struct token_work work = { client, end->key[kind], kinds[kind].digest,
		j->hash, hash_size(kinds[kind].digest) };
	struct ht_error e;

	assert_true(end->njobs <= JOBS);
	j->end = end;
	j->kind = kind;
	memset(j->hash, (int)end->njobs, sizeof(j->hash));
	j->code = token_submit(end->token, &work, &ops, j, &j->job, &e);
	if (j->code < 0)
		(void)snprintf(j->text, sizeof(j->text), "%s", e.text);
	return j;
}

static struct job *
submit(struct endpoint *end, size_t kind)
{
	return submit_as(end, "ci", kind);
}

static void
assert_signed(const struct job *j, unsigned int attempts)
{
	if (j->code != 0)
		fail_msg("%s", j->text);
	assert_true(j->verified);
	assert_int_equal(j->done, 1);
	assert_int_equal(j->authorised, attempts);
	assert_int_equal(j->confirmed, attempts);
	assert_int_equal(j->lost, attempts - 1);
}

/* --- faults and counts ------------------------------------------------- */

static void
fault(const char *name, size_t times)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "control/%s", name);
	scratch_write(path, "!!!!!!!!", times);
}

static unsigned int
calls(const char *name)
{
	struct buf all = BUF_INIT;
	unsigned int n = 0;
	char *line, *rest;

	scratch_read("control/calls", &all);
	buf_u8(&all, '\0');
	for (line = (char *)all.data; (rest = strchr(line, '\n')) != NULL;
	     line = rest + 1) {
		*rest = '\0';
		if (strcmp(line, name) == 0)
			n++;
	}
	buf_free(&all);
	return n;
}

static int
fresh(void **state)
{
	(void)state;
	(void)RUN("sh", "-c", "rm -f control/* store.db*");
	scratch_write("control/calls", "", 0);
	scratch_write("pin", PIN "\n", strlen(PIN) + 1);
	return 0;
}

/* The newest event of that kind, or of any about tokens. */
static int
find_event(void *cookie, const struct journal_event *event)
{
	const char **kind = cookie;

	if (*kind != NULL && strcmp(event->kind, *kind) == 0)
		*kind = NULL;
	return 0;
}

static void
assert_journal_has(struct endpoint *end, const char *kind)
{
	const char *missing = kind;
	struct ht_error e;

	assert_int_equal(
	    journal_events(end->store, 0, find_event, &missing, &e), 0);
	if (missing != NULL)
		fail_msg("no event %s", kind);
}

/* --- tests ------------------------------------------------------------- */

static void
signs_with_each_kind_of_key(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	size_t i;

	(void)state;
	for (i = 0; i < KEYS; i++)
		assert_int_equal(submit(end, i)->code, 0);
	run(end, KEYS, "ready");
	for (i = 0; i < KEYS; i++)
		assert_signed(&end->job[i], 1);
	assert_journal_has(end, "token-unlocked");
	assert_int_equal(token_jobs(end->token), 0);
	close_endpoint(end);
}

static void
logs_in_once(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	unsigned int sessions, finds, i;

	(void)state;
	run(end, 0, "ready");
	sessions = calls("open-session");
	finds = calls("find");
	for (i = 0; i < 40; i++)
		(void)submit(end, i % KEYS);
	run(end, 40, "ready");
	for (i = 0; i < 40; i++)
		assert_signed(&end->job[i], 1);
	assert_int_equal(calls("login"), 1);
	assert_int_equal(calls("initialize"), 1);
	assert_int_equal(calls("open-session"), sessions);
	assert_int_equal(calls("find"), finds);
	assert_int_equal(calls("sign"), 40);
	close_endpoint(end);
}

/* Once is mended, and nobody sees it but the journal. */
static void
survives(const char *name)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);

	run(end, 0, "ready");
	fault(name, 1);
	(void)submit(end, 0);
	run(end, 1, "ready");
	assert_signed(&end->job[0], 2);
	assert_int_equal(calls("login"), 2);
	assert_int_equal(calls("initialize"), 2);
	assert_journal_has(end, "token-restarted");
	close_endpoint(end);
}

static void
survives_a_crash(void **state)
{
	(void)state;
	survives("sign-crash");
}

static void
survives_a_hang(void **state)
{
	(void)state;
	survives("sign-hang");
}

static void
survives_a_removed_token(void **state)
{
	(void)state;
	survives("sign-removed");
}

/* libp11 must not log in by itself, and the worker does not either. */
static void
survives_a_lost_login(void **state)
{
	(void)state;
	survives("sign-logged-out");
}

static void
gives_up_after_two_attempts(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct job *j;

	(void)state;
	run(end, 0, "ready");
	fault("sign-crash", 2);
	j = submit(end, 0);
	run(end, 1, NULL);
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_int_equal(j->authorised, 2);
	assert_int_equal(j->lost, 2);
	(void)submit(end, 2);
	run(end, 2, "ready");
	assert_signed(&end->job[1], 1);
	close_endpoint(end);
}

/*
 * What kills the worker twice does not take the rest of the window along.  How
 * much of that had been sent when the worker died is a matter of luck.
 */
static void
one_bad_job_harms_itself_only(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct job *j;
	size_t i;

	(void)state;
	run(end, 0, "ready");
	fault("sign-poison", 2);
	for (i = 0; i < 8; i++)
		(void)submit(end, 2);
	run(end, 8, "ready");
	assert_int_equal(end->job[0].code, HT_ERR_UNAVAILABLE);
	assert_int_equal(end->job[0].lost, 2);
	for (i = 1; i < 8; i++) {
		j = &end->job[i];
		assert_int_equal(j->code, 0);
		assert_true(j->verified && j->done == 1);
		assert_int_equal(j->authorised, j->lost + 1);
		assert_true(j->authorised <= 2);
	}
	close_endpoint(end);
}

static void
an_orderly_refusal_is_final(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct job *j;

	(void)state;
	run(end, 0, "ready");
	fault("sign-refused", 1);
	j = submit(end, 0);
	run(end, 1, "ready");
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_int_equal(j->authorised, 1);
	assert_int_equal(j->lost, 0);
	assert_int_equal(calls("initialize"), 1);
	close_endpoint(end);
}

static void
a_token_that_is_away_is_tried_on_use(void **state)
{
	struct endpoint *end;
	struct job *j;

	(void)state;
	fault("open-removed", 3);
	end = new_endpoint(CONF_PIN_FILE);
	run(end, 0, "away");
	j = submit(end, 0);
	assert_int_equal(j->code, 0);
	run(end, 1, "away");
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_int_equal(j->authorised, 0);
	fault("open-removed", 0);
	(void)submit(end, 0);
	run(end, 2, "ready");
	assert_signed(&end->job[1], 1);
	close_endpoint(end);
}

static void
a_verdict_of_no_reaches_no_token(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);

	(void)state;
	run(end, 0, "ready");
	(void)submit(end, 0);
	(void)submit(end, 0);
	end->job[0].refuse_authorise = 1;
	end->job[1].refuse_confirm = 1;
	run(end, 2, "ready");
	assert_int_equal(end->job[0].code, HT_ERR_DENIED);
	assert_string_equal(end->job[0].text, "not authorised");
	assert_int_equal(end->job[0].confirmed, 0);
	assert_int_equal(end->job[1].code, HT_ERR_DENIED);
	assert_string_equal(end->job[1].text, "not confirmed");
	assert_int_equal(calls("sign"), 0);
	close_endpoint(end);
}

static void
is_fair_between_clients(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct job *late[2];
	unsigned int i;

	(void)state;
	run(end, 0, "ready");
	for (i = 0; i < 40; i++)
		(void)submit_as(end, "greedy", 2);
	late[0] = submit_as(end, "modest", 2);
	late[1] = submit_as(end, "third", 2);
	run(end, 42, "ready");
	for (i = 0; i < 42; i++)
		assert_signed(&end->job[i], 1);
	assert_true(late[0]->order <= 3);
	assert_true(late[1]->order <= 3);
	close_endpoint(end);
}

static void
only_what_waits_can_be_cancelled(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct ht_error e;
	size_t i;

	(void)state;
	run(end, 0, "ready");
	for (i = 0; i < 8; i++)
		(void)submit(end, 0);
	while (end->job[TOKEN_WINDOW - 1].authorised == 0)
		assert_int_equal(loop_once(end->loop, &e), 0);
	/* An event stands for four, the others wait. */
	assert_false(token_cancel(end->job[0].job));
	assert_false(token_cancel(end->job[TOKEN_WINDOW - 1].job));
	assert_true(token_cancel(end->job[6].job));
	assert_true(token_cancel(end->job[7].job));
	run(end, 6, "ready");
	assert_int_equal(end->job[7].done, 0);
	assert_int_equal(end->job[6].authorised, 0);
	assert_int_equal(token_jobs(end->token), 0);
	close_endpoint(end);
}

/* --- PINs -------------------------------------------------------------- */

static void
unlocked(void *cookie, const struct ht_error *e)
{
	struct endpoint *end = cookie;

	assert_false(end->unlocked);
	end->unlocked = true;
	end->unlock_code = e != NULL ? e->code : 0;
}

static int
unlock(struct endpoint *end, const char *pin)
{
	static const struct store_actor ann = { "ann", "admin", "::1" };
	struct ht_error e;

	end->unlocked = false;
	return token_unlock(end->token, &ann, (const uint8_t *)pin, strlen(pin),
	    unlocked, end, &e);
}

static void
asks_an_administrator(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_ASK);
	struct job *j;

	(void)state;
	run(end, 0, "locked");
	j = submit(end, 0);
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(j->text, "an administrator must unlock it"));
	assert_int_equal(unlock(end, ""), HT_ERR_USAGE);
	assert_int_equal(unlock(end, PIN), 0);
	assert_false(end->unlocked);
	assert_int_equal(unlock(end, PIN), HT_ERR_USAGE);
	run(end, 0, "ready");
	assert_true(end->unlocked);
	assert_int_equal(end->unlock_code, 0);
	assert_int_equal(unlock(end, PIN), HT_ERR_USAGE);
	/* It is kept, for a worker that dies. */
	fault("sign-crash", 1);
	(void)submit(end, 0);
	run(end, 1, "ready");
	assert_signed(&end->job[1], 2);
	close_endpoint(end);
}

/* Jobs that came while it was starting end when it turns out to be locked. */
static void
nothing_waits_for_a_locked_token(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_ASK);

	(void)state;
	assert_int_equal(submit(end, 0)->code, 0);
	run(end, 1, "locked");
	assert_int_equal(end->job[0].code, HT_ERR_UNAVAILABLE);
	assert_int_equal(end->job[0].authorised, 0);
	close_endpoint(end);
}

static void
a_wrong_pin_is_tried_once(void **state)
{
	struct endpoint *end;
	unsigned int i;

	(void)state;
	scratch_write("pin", "999999\n", 7);
	end = new_endpoint(CONF_PIN_FILE);
	run(end, 0, "locked");
	assert_journal_has(end, "pin-refused");
	assert_int_equal(calls("login"), 1);
	close_endpoint(end);
	/* Not again after a restart, however often. */
	for (i = 0; i < 3; i++) {
		end = new_endpoint(CONF_PIN_FILE);
		run(end, 0, "locked");
		assert_journal_has(end, "pin-held");
		assert_int_equal(calls("login"), 1);
		if (i < 2)
			close_endpoint(end);
	}
	/* An administrator's wrong one, and the right one. */
	assert_int_equal(unlock(end, "888888"), 0);
	run(end, 0, "locked");
	assert_true(end->unlocked);
	assert_int_equal(end->unlock_code, HT_ERR_DENIED);
	assert_journal_has(end, "pin-cleared");
	assert_int_equal(calls("login"), 2);
	assert_int_equal(unlock(end, PIN), 0);
	run(end, 0, "ready");
	assert_int_equal(calls("login"), 3);
	close_endpoint(end);
	/* The file still holds the wrong one: the right one cleared it. */
	end = new_endpoint(CONF_PIN_FILE);
	run(end, 0, "locked");
	assert_int_equal(calls("login"), 4);
	close_endpoint(end);
}

/* The attempt stands, whatever ended the login. */
static void
login_is_guarded_against(const char *name)
{
	struct endpoint *end;
	int i;

	fault(name, 1);
	end = new_endpoint(CONF_PIN_FILE);
	run(end, 0, "away");
	assert_int_equal(calls("login"), 1);
	/* A job starts the worker again, but does not log in. */
	assert_int_equal(submit(end, 0)->code, 0);
	run(end, 1, "locked");
	assert_int_equal(end->job[0].code, HT_ERR_UNAVAILABLE);
	assert_int_equal(calls("login"), 1);
	close_endpoint(end);
	for (i = 0; i < 2; i++) {
		end = new_endpoint(CONF_PIN_FILE);
		run(end, 0, "locked");
		assert_journal_has(end, "pin-held");
		assert_int_equal(calls("login"), 1);
		if (i == 0)
			close_endpoint(end);
	}
	/* The administrator says so: the configured PIN once more. */
	assert_int_equal(unlock(end, ""), 0);
	run(end, 0, "ready");
	assert_int_equal(end->unlock_code, 0);
	assert_int_equal(calls("login"), 2);
	close_endpoint(end);
}

static void
a_crash_at_login_is_not_repeated(void **state)
{
	(void)state;
	login_is_guarded_against("login-crash");
}

static void
a_hang_at_login_is_not_repeated(void **state)
{
	(void)state;
	login_is_guarded_against("login-hang");
}

static void
a_token_lost_at_login_is_not_tried_again(void **state)
{
	(void)state;
	login_is_guarded_against("login-removed");
}

/* keyd dies between the attempt and its outcome. */
static void
keyd_killed_at_login_is_guarded(void **state)
{
	struct endpoint *end;
	struct ht_error e;

	(void)state;
	fault("login-hang", 1);
	end = new_endpoint(CONF_PIN_FILE);
	settle(end);
	while (calls("login") == 0) {
		assert_int_equal(loop_once(end->loop, &e), 0);
		settle(end);
		(void)usleep(1000);
	}
	close_endpoint(end);
	end = new_endpoint(CONF_PIN_FILE);
	run(end, 0, "locked");
	assert_int_equal(calls("login"), 1);
	close_endpoint(end);
}

static void
an_administrator_who_left_is_not_called(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_ASK);

	(void)state;
	run(end, 0, "locked");
	assert_int_equal(unlock(end, PIN), 0);
	token_unlock_forget(end->token, end);
	run(end, 0, "ready");
	assert_false(end->unlocked);
	close_endpoint(end);
}

/* --- other things ------------------------------------------------------ */

static void
the_key_must_be_the_certificates(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	unsigned char *spki = NULL;
	struct ht_error e;
	uint32_t wrong;
	struct job *j;
	int n = i2d_PUBKEY(keys[1], &spki);

	(void)state;
	run(end, 0, "ready");
	/* Added while the token is in use. */
	assert_int_equal(token_key(end->token, "pkcs11:object=rsa3072", spki,
	                     (size_t)n, &wrong, &e),
	    0);
	assert_int_equal(wrong, KEYS);
	run(end, 0, "ready");
	assert_int_equal(token_check(end->token, wrong, &e),
	    HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "not the certificate's"));
	assert_int_equal(token_check(end->token, end->key[0], &e), 0);
	/* Without a name the public key finds it. */
	assert_int_equal(
	    token_key(end->token, NULL, spki, (size_t)n, &end->key[1], &e), 0);
	run(end, 0, "ready");
	j = submit(end, 1);
	run(end, 1, "ready");
	assert_signed(j, 1);
	OPENSSL_free(spki);
	close_endpoint(end);
}

static void
a_key_file_is_a_token(void **state)
{
	struct endpoint *end = calloc(1, sizeof(*end));
	unsigned char *spki = NULL;
	struct ht_error e;
	int n = i2d_PUBKEY(keys[0], &spki);
	int i;

	(void)state;
	assert_non_null(end);
	end->token_conf.name = "unit";
	end->token_conf.file = "rsa3072.pem";
	end->token_conf.timeout = 2;
	end->conf.tokens = &end->token_conf;
	end->conf.ntokens = 1;
	open_endpoint(end);
	assert_int_equal(
	    token_key(end->token, NULL, spki, (size_t)n, &end->key[0], &e), 0);
	assert_int_equal(unlock(end, PIN), HT_ERR_USAGE);
	for (i = 0; i < 3; i++)
		(void)submit(end, 0);
	run(end, 3, "ready");
	for (i = 0; i < 3; i++)
		assert_signed(&end->job[i], 1);
	OPENSSL_free(spki);
	close_endpoint(end);
}

static void
a_parent_that_dies_is_noticed(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct ht_error e;
	int status;

	(void)state;
	run(end, 0, "ready");
	assert_int_equal(kill(end->parent, SIGKILL), 0);
	while (!end->gone)
		assert_int_equal(loop_once(end->loop, &e), 0);
	/* The worker dies with its parent. */
	while (strcmp(token_state(end->token), "away") != 0)
		assert_int_equal(loop_once(end->loop, &e), 0);
	tokens_free(end->tokens);
	store_close(end->store);
	loop_free(end->loop);
	assert_int_equal(waitpid(end->parent, &status, 0), end->parent);
	free(end);
}

static void
a_reload_cannot_change_a_token(void **state)
{
	struct endpoint *end = new_endpoint(CONF_PIN_FILE);
	struct conf_token *c = &end->token_conf;
	struct ht_error e;

	(void)state;
	assert_int_equal(tokens_match(end->tokens, &end->conf, &e), 0);
	c->nwritable = 1;
	assert_int_equal(tokens_match(end->tokens, &end->conf, &e),
	    HT_ERR_USAGE);
	c->nwritable = 2;
	c->label = "other";
	assert_int_equal(tokens_match(end->tokens, &end->conf, &e),
	    HT_ERR_USAGE);
	c->label = "unit";
	c->pin = CONF_PIN_ASK;
	assert_int_equal(tokens_match(end->tokens, &end->conf, &e),
	    HT_ERR_USAGE);
	close_endpoint(end);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

static int
be_parent(void)
{
	struct ht_error e;

	log_open("test-token", false, false);
	return parent_serve(PARENT_LINK, &e) < 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(signs_with_each_kind_of_key),
		T(logs_in_once),
		T(survives_a_crash),
		T(survives_a_hang),
		T(survives_a_removed_token),
		T(survives_a_lost_login),
		T(gives_up_after_two_attempts),
		T(one_bad_job_harms_itself_only),
		T(an_orderly_refusal_is_final),
		T(a_token_that_is_away_is_tried_on_use),
		T(a_verdict_of_no_reaches_no_token),
		T(is_fair_between_clients),
		T(only_what_waits_can_be_cancelled),
		T(asks_an_administrator),
		T(nothing_waits_for_a_locked_token),
		T(a_wrong_pin_is_tried_once),
		T(a_crash_at_login_is_not_repeated),
		T(a_hang_at_login_is_not_repeated),
		T(a_token_lost_at_login_is_not_tried_again),
		T(keyd_killed_at_login_is_guarded),
		T(an_administrator_who_left_is_not_called),
		T(the_key_must_be_the_certificates),
		T(a_key_file_is_a_token),
		T(a_parent_that_dies_is_noticed),
		T(a_reload_cannot_change_a_token),
	};

	if (argc == 2 && strcmp(argv[1], "--parent") == 0)
		return be_parent();
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

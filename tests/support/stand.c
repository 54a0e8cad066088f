#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keyd/parent/parent.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "store/journal/journal.h"
#include "store/journal/pins.h"
#include "tests/support/builddir.h"
#include "tests/support/scratch.h"
#include "tests/support/stand.h"

/* The argument of a program that is to be the parent, and its end. */
/* Seconds after which a program of tests has hung, under valgrind, too. */
#define PATIENCE 600

#define PARENT "--parent"
#define PARENT_LINK 63 /* beyond what is open here */

static const struct {
	const char *name;
	const char *id;
	const char *digest;
	const char *algorithm[4];
} kinds[STAND_KEYS] = {
	[STAND_P256] = { "p256", "03", "sha256",
	    { "EC", "-pkeyopt", "ec_paramgen_curve:P-256", NULL } },
	[STAND_P384] = { "p384", "04", "sha384",
	    { "EC", "-pkeyopt", "ec_paramgen_curve:P-384", NULL } },
	[STAND_RSA3072] = { "rsa3072", "01", "sha256",
	    { "RSA", "-pkeyopt", "rsa_keygen_bits:3072", NULL } },
	[STAND_RSA4096] = { "rsa4096", "02", "sha512",
	    { "RSA", "-pkeyopt", "rsa_keygen_bits:4096", NULL } },
};

static const char *softhsm;
static char here[128];
static size_t made; /* so many of the keys */
EVP_PKEY *stand_keys[STAND_KEYS];

/* --- what all tests share: SoftHSM and its keys ------------------------ */

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
	                     kinds[i].id, "--pin", STAND_PIN),
	    0);
	stand_keys[i] = load_key(file);
}

static int
enter(void **state, size_t nkeys)
{
	static const char text[] = "objectstore.backend = file\n"
	                           "log.level = ERROR\n"
	                           "directories.tokendir = ";
	struct buf conf = BUF_INIT;
	char path[256];

	/* Some tests wait for what a mistake would keep from coming. */
	(void)alarm(PATIENCE);
	softhsm = find_softhsm();
	if (softhsm == NULL || scratch_enter(state) != 0)
		return 1;
	log_open("test", false, false);
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
	                     "--label", "unit", "--pin", STAND_PIN, "--so-pin",
	                     STAND_PIN),
	    0);
	for (made = 0; made < nkeys; made++)
		make_key(made);
	return 0;
}

int
stand_enter(void **state)
{
	return enter(state, STAND_KEYS);
}

int
stand_enter_p256(void **state)
{
	return enter(state, STAND_P256 + 1);
}

int
stand_leave(void **state)
{
	size_t i;

	for (i = 0; i < made; i++)
		EVP_PKEY_free(stand_keys[i]);
	(void)RUN("rm", "-rf", "tokens", "control");
	return scratch_leave(state);
}

/* --- one keyd ---------------------------------------------------------- */

static void
on_gone(void *cookie)
{
	struct stand *stand = cookie;

	stand->gone = true;
}

/* How many times longer than usual to wait for a worker: HTSIGN_PATIENCE. */
static unsigned int
patience(void)
{
	const char *text = getenv("HTSIGN_PATIENCE");

	return text == NULL ? 1 : (unsigned int)strtoul(text, NULL, 10);
}

static void
configure(struct stand *stand, enum conf_pin pin)
{
	struct conf_token *c = &stand->token_conf;

	(void)snprintf(stand->texts[0], sizeof(stand->texts[0]),
	    "SOFTHSM2_CONF=%s/softhsm2.conf", here);
	(void)snprintf(stand->texts[1], sizeof(stand->texts[1]),
	    "LYING_MODULE=%s", softhsm);
	(void)snprintf(stand->texts[2], sizeof(stand->texts[2]),
	    "LYING_CONTROL=%s/control", here);
	(void)snprintf(stand->texts[3], sizeof(stand->texts[3]), "%s/tokens",
	    here);
	stand->environment[0] = stand->texts[0];
	stand->environment[1] = stand->texts[1];
	stand->environment[2] = stand->texts[2];
	stand->writable[0] = stand->texts[3];
	stand->writable[1] = stand->texts[2] + strlen("LYING_CONTROL=");
	c->name = "unit";
	c->module = HT_BUILDDIR "/tests/support/lying-token.so";
	c->label = "unit";
	c->pin = pin;
	c->pin_where = pin == CONF_PIN_FILE ? "pin" : NULL;
	c->environment = stand->environment;
	c->nenvironment = 3;
	c->writable = stand->writable;
	c->nwritable = 2;
	c->timeout = 2 * patience();
	c->sessions = 1;
	stand->conf.tokens = c;
	stand->conf.ntokens = 1;
	stand->conf.state = here;
	stand->conf.single_user = true;
	stand->conf.users[CONF_USER_KEYD].uid = geteuid();
	stand->conf.users[CONF_USER_TOKEN].uid = geteuid();
}

static int
start_parent(struct stand *stand)
{
	struct ht_error e;
	char self[PATH_MAX];
	int pair[2];
	ssize_t n;

	/* Under valgrind the link itself leads to valgrind. */
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	assert_int_equal(proc_socketpair(pair, &e), 0);
	stand->parent = fork();
	assert_true(stand->parent >= 0);
	if (stand->parent == 0) {
		/* A new program: what this one holds is not the parent's. */
		if (dup2(pair[1], PARENT_LINK) == PARENT_LINK)
			(void)execl(self, "parent", PARENT, (char *)NULL);
		_exit(127);
	}
	(void)close(pair[1]);
	return pair[0];
}

static void
add_keys(struct stand *stand)
{
	unsigned char *spki;
	struct ht_error e;
	char uri[64];
	size_t i;
	int n;

	for (i = 0; i < made; i++) {
		spki = NULL;
		n = i2d_PUBKEY(stand_keys[i], &spki);
		assert_true(n > 0);
		(void)snprintf(uri, sizeof(uri), "pkcs11:object=%s;id=%%%s",
		    kinds[i].name, kinds[i].id);
		assert_int_equal(token_key(stand->token, uri, spki, (size_t)n,
		                     &stand->key[i], &e),
		    0);
		OPENSSL_free(spki);
	}
}

void
stand_open(struct stand *stand)
{
	struct ht_error e;
	int fd;

	stand->loop = loop_new();
	assert_non_null(stand->loop);
	stand->store = store_open("store.db", &e);
	assert_non_null(stand->store);
	assert_int_equal(pin_key_open(stand->store, "pin.key", &e), 0);
	fd = start_parent(stand);
	stand->tokens = tokens_new(stand->loop, &stand->conf, &e);
	if (stand->tokens == NULL)
		fail_msg("%s", e.text);
	stand->token = tokens_find(stand->tokens, "unit");
	assert_non_null(stand->token);
	if (stand->token_conf.file == NULL)
		add_keys(stand);
	assert_int_equal(tokens_start(stand->tokens, stand->store, fd, NULL,
	                     on_gone, stand, &e),
	    0);
}

struct stand *
stand_new(enum conf_pin pin)
{
	struct stand *stand = calloc(1, sizeof(*stand));

	assert_non_null(stand);
	configure(stand, pin);
	stand_open(stand);
	return stand;
}

struct stand *
stand_new_sessions(unsigned int sessions)
{
	struct stand *stand = calloc(1, sizeof(*stand));

	assert_non_null(stand);
	configure(stand, CONF_PIN_FILE);
	stand->token_conf.sessions = sessions;
	stand_open(stand);
	return stand;
}

struct stand *
stand_guarded(bool pin_counted, unsigned int pin_retries)
{
	struct stand *stand = calloc(1, sizeof(*stand));

	assert_non_null(stand);
	configure(stand, CONF_PIN_FILE);
	stand->token_conf.pin_counted = pin_counted;
	stand->token_conf.pin_retries = pin_retries;
	stand_open(stand);
	return stand;
}

/* A worker dies a moment after its parent, and has the token's lock until then. */
static void
await_worker(void)
{
	int lock = open("pin-unit.lock", O_RDWR | O_CLOEXEC);

	if (lock < 0)
		return;
	assert_int_equal(flock(lock, LOCK_EX), 0);
	(void)close(lock);
}

/* As a crash of keyd: nothing more is committed. */
void
stand_close(struct stand *stand)
{
	int status;

	tokens_free(stand->tokens);
	store_close(stand->store);
	loop_free(stand->loop);
	assert_int_equal(waitpid(stand->parent, &status, 0), stand->parent);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	await_worker();
	free(stand);
}

void
stand_settle(struct stand *stand)
{
	struct ht_error e;

	while (store_dirty(stand->store)) {
		if (store_commit(stand->store, &e) < 0)
			fail_msg("%s", e.text);
		stand->commits++;
		tokens_committed(stand->tokens);
	}
}

void
stand_undo(struct stand *stand)
{
	struct rlimit before, limit;
	struct ht_error e;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(store_commit(stand->store, &e), HT_ERR_UNAVAILABLE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	tokens_undo(stand->tokens);
}

static void
on_stop(void *cookie)
{
	bool *stop = cookie;

	*stop = true;
}

/* Run until so many jobs are done, or the token is in that state. */
void
stand_run(struct stand *stand, unsigned int done, const char *state)
{
	struct loop_timer *timer;
	struct ht_error e;
	bool stop = false;

	timer = loop_timer_add(stand->loop, 20000 * patience(), on_stop, &stop);
	stand_settle(stand);
	while (stand->done < done ||
	    (state != NULL && strcmp(token_state(stand->token), state) != 0)) {
		assert_int_equal(loop_once(stand->loop, &e), 0);
		stand_settle(stand);
		if (stop)
			fail_msg("%u of %u jobs are done, the token is %s (%s)",
			    stand->done, done, token_state(stand->token),
			    token_reason(stand->token));
	}
	loop_timer_remove(timer);
}

/* --- jobs -------------------------------------------------------------- */

static int
authorise(void *cookie, unsigned int attempt, struct ht_error *e)
{
	struct stand_job *j = cookie;

	assert_int_equal(attempt, j->authorised + 1);
	j->authorised++;
	if (j->refuse_authorise)
		return ht_error_set(e, HT_ERR_DENIED, "not authorised");
	/* Any event that no test looks for, so that something is committed. */
	assert_int_equal(journal_token(j->stand->store, NULL,
	                     JOURNAL_TOKEN_LOCKED, "unit", "test", e),
	    0);
	j->written = j->stand->commits;
	return 0;
}

static int
confirm(void *cookie, struct ht_error *e)
{
	struct stand_job *j = cookie;

	/* The event is durable by now. */
	assert_true(j->stand->commits > j->written);
	j->confirmed++;
	if (j->refuse_confirm)
		return ht_error_set(e, HT_ERR_DENIED, "not confirmed");
	return 0;
}

static void
lost(void *cookie, const char *text)
{
	struct stand_job *j = cookie;

	assert_non_null(text);
	j->lost++;
}

static bool
verify(enum stand_kind kind, const char *digest, const uint8_t *hash,
    size_t nhash, const uint8_t *signature, size_t n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(stand_keys[kind], NULL);
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
	struct stand_job *j = cookie;
	const char *digest = kinds[j->kind].digest;

	j->done++;
	j->job = NULL;
	j->order = ++j->stand->done;
	if (signature != NULL) {
		assert_null(e);
		j->verified = verify(j->kind, digest, j->hash,
		    hash_size(digest), signature, n);
		return;
	}
	j->code = e->code;
	(void)snprintf(j->text, sizeof(j->text), "%s", e->text);
}

static bool
elsewhere(void *cookie)
{
	(void)cookie;
	return false;
}

static const struct token_job_ops ops = { authorise, confirm, lost, elsewhere,
	done };

struct stand_job *
stand_submit_as(struct stand *stand, const char *client, enum stand_kind kind)
{
	struct stand_job *j = &stand->job[stand->njobs++];
	struct token_work work = { client, stand->key[kind], kinds[kind].digest,
		j->hash, hash_size(kinds[kind].digest), 0 };
	struct ht_error e;

	assert_true(stand->njobs <= STAND_JOBS);
	j->stand = stand;
	j->kind = kind;
	memset(j->hash, (int)stand->njobs, sizeof(j->hash));
	j->code = token_submit(stand->token, &work, &ops, j, &j->job, &e);
	if (j->code < 0)
		(void)snprintf(j->text, sizeof(j->text), "%s", e.text);
	return j;
}

struct stand_job *
stand_submit(struct stand *stand, enum stand_kind kind)
{
	return stand_submit_as(stand, "ci", kind);
}

void
stand_assert_signed(const struct stand_job *j, unsigned int attempts)
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

void
stand_fault(const char *name, size_t times)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "control/%s", name);
	scratch_write(path, "!!!!!!!!", times);
}

unsigned int
stand_calls(const char *name)
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

int
stand_fresh(void **state)
{
	(void)state;
	(void)RUN("sh", "-c", "rm -f control/* store.db* pin.key");
	scratch_write("control/calls", "", 0);
	scratch_write("pin", STAND_PIN "\n", strlen(STAND_PIN) + 1);
	return 0;
}

struct count {
	const char *kind;
	unsigned int n;
};

static int
count_event(void *cookie, const struct journal_event *event)
{
	struct count *count = cookie;

	if (strcmp(event->kind, count->kind) == 0)
		count->n++;
	return 0;
}

void
stand_assert_events(struct stand *stand, const char *kind, unsigned int n)
{
	struct count count = { kind, 0 };
	struct ht_error e;

	assert_int_equal(
	    journal_events(stand->store, 0, count_event, &count, &e), 0);
	if (count.n != n)
		fail_msg("%u events %s, not %u", count.n, kind, n);
}

/* --- an administrator -------------------------------------------------- */

static void
unlocked(void *cookie, const struct ht_error *e)
{
	struct stand *stand = cookie;

	assert_false(stand->unlocked);
	stand->unlocked = true;
	stand->unlock_code = e != NULL ? e->code : 0;
}

int
stand_unlock(struct stand *stand, const char *pin)
{
	static const struct store_actor ann = { "ann", "admin", "::1" };
	struct ht_error e;

	stand->unlocked = false;
	return token_unlock(stand->token, &ann, (const uint8_t *)pin,
	    strlen(pin), unlocked, stand, &e);
}

/* --- keyd's parent ----------------------------------------------------- */

bool
stand_is_parent(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], PARENT) == 0;
}

int
stand_parent(void)
{
	struct ht_error e;

	log_open("parent", false, false);
	return parent_serve(PARENT_LINK, &e) < 0;
}

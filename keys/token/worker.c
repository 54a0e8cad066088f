#include "config.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keys/token/confine.h"
#include "keys/token/key.h"
#include "keys/token/module.h"
#include "keys/token/worker.h"
#include "lib/log.h"
#include "protocol/messages.h"

#define KEYS_MAX 64
#define PIN_MAX 255
#define KEY_FILE_MAX ((size_t)64 << 10)
#define SIGNATURE_MAX 1024 /* bytes: RSA of 8192 bits */
#define END_SECONDS 5      /* that a module has to end in */

struct worker_key {
	uint32_t number;
	struct key key; /* on the token */
};

/* The first allocation, because it has the PIN: lock_memory. */
struct worker {
	char pin[PIN_MAX + 1]; /* that the token took, or "" */
	struct protocol_link link;
	struct module *module; /* NULL for a key file */
	EVP_PKEY *file;        /* the key file's key, or NULL */
	bool opened;
	struct worker_key keys[KEYS_MAX];
	size_t nkeys;
	unsigned int nsessions; /* how many threads there are */
	pthread_mutex_t receiving, sending;
};

/* The answer to keyd. */
struct answer {
	enum protocol_type type;
	union {
		struct protocol_token_opened opened;
		struct protocol_token_key_found found;
		struct protocol_token_signature signature;
		struct protocol_token_trouble trouble;
	} body;
	uint8_t bytes[SIGNATURE_MAX];
};

/* One of those who sign, each in a session of its own.  The first is main. */
struct signer {
	struct worker *worker;
	ck_t session;
	pthread_t thread;
	uint32_t tag; /* of what is signed */
	struct answer answer;
};

#define COMPLAIN(a, kind, ...)                                                 \
	((void)module_trouble(&(a)->body.trouble, PROTOCOL_TROUBLE_##kind,     \
	    __VA_ARGS__))

/* --- opening ----------------------------------------------------------- */

/*
 * Keep the PIN from being swapped out, and any copy that the module has of it.
 * Lock the whole process if the limit allows it, otherwise the heap.  first is
 * the first allocation.
 */
static void
lock_memory(const void *first)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)first & ~(page - 1);
	uintptr_t end = (uintptr_t)sbrk(0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
	    (limit.rlim_cur == RLIM_INFINITY || geteuid() == 0))
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	else if (end > start)
		(void)mlock2((void *)start, end - start, MLOCK_ONFAULT);
}

/* Never ask anybody for a passphrase. */
static int
no_passphrase(char *out, int size, int writing, void *cookie)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)cookie;
	return 0;
}

/* keyd shares the descriptor and its offset, so read from a fixed offset. */
static EVP_PKEY *
read_key_file(int fd)
{
	char *text = malloc(KEY_FILE_MAX);
	EVP_PKEY *pkey = NULL;
	BIO *bio = NULL;
	ssize_t n;

	if (text == NULL)
		return NULL;
	n = pread(fd, text, KEY_FILE_MAX, 0);
	if (n > 0)
		bio = BIO_new_mem_buf(text, (int)n);
	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ht_wipe(text, KEY_FILE_MAX);
	free(text);
	return pkey;
}

static void
open_module(struct worker *w, const struct protocol_token_open *open,
    struct answer *a)
{
	struct protocol_token_opened *opened = &a->body.opened;

	if (module_open(&w->module, open->module, open->label, open->serial,
	        &a->body.trouble) < 0)
		return;
	w->opened = true;
	w->nsessions = w->module->threads ? open->sessions : 1;
	a->type = PROTOCOL_TOKEN_OPENED;
	memset(opened, 0, sizeof(*opened));
	memcpy(opened->serial, w->module->token.serial,
	    sizeof(w->module->token.serial));
	memcpy(opened->model, w->module->token.model,
	    sizeof(w->module->token.model));
	memcpy(opened->firmware, w->module->token.firmware,
	    sizeof(w->module->token.firmware));
	opened->login = module_wants_login(w->module) ? 1 : 0;
	opened->pin_flags = module_pin_flags(w->module);
}

static void
open_file(struct worker *w, const struct protocol_token_open *open,
    struct msg *m, struct answer *a)
{
	w->file = m->nfds == 1 ? read_key_file(m->fd[0]) : NULL;
	if (w->file == NULL) {
		ERR_clear_error();
		COMPLAIN(a, KEY,
		    "the key file must be a PEM private key without a "
		    "passphrase");
		return;
	}
	w->opened = true;
	w->nsessions = open->sessions;
	a->type = PROTOCOL_TOKEN_OPENED;
	memset(&a->body.opened, 0, sizeof(a->body.opened));
}

/* --- operations -------------------------------------------------------- */

static void
log_in(struct worker *w, const struct protocol_token_login *login,
    struct answer *a)
{
	size_t n = login->pin.left;

	lock_memory(w);
	ht_wipe(w->pin, sizeof(w->pin));
	if (w->module == NULL || n > PIN_MAX || n == 0 ||
	    memchr(login->pin.p, '\0', n) != NULL) {
		COMPLAIN(a, PIN, "that cannot be a PIN of this token");
	} else {
		memcpy(w->pin, login->pin.p, n);
		if (module_login(w->module, w->pin, &a->body.trouble) == 0)
			a->type = PROTOCOL_TOKEN_LOGGED_IN;
		else
			ht_wipe(w->pin, sizeof(w->pin));
	}
	/* The PIN is also in the channel's buffer. */
	ht_wipe((void *)(uintptr_t)login->pin.p, n);
	lock_memory(w);
}

static int
find_key(struct worker *w, const char *uri, EVP_PKEY *public, struct key *key,
    struct answer *a)
{
	if (w->module != NULL)
		return key_find(w->module, uri, public, key, &a->body.trouble);
	memset(key, 0, sizeof(*key));
	if (EVP_PKEY_eq(w->file, public) == 1)
		return 0;
	COMPLAIN(a, KEY, "the key file does not fit the certificate");
	return HT_ERR_UNAVAILABLE;
}

static void
add_key(struct worker *w, const struct protocol_token_key *wanted,
    struct answer *a)
{
	const unsigned char *p = wanted->spki.p;
	EVP_PKEY *public = d2i_PUBKEY(NULL, &p, (long)wanted->spki.left);
	struct key key;

	if (w->nkeys == KEYS_MAX || public == NULL) {
		COMPLAIN(a, FAILED,
		    "too many keys, or a public key that is "
		    "not understood");
	} else if (EVP_PKEY_get_size(public) > SIGNATURE_MAX) {
		COMPLAIN(a, FAILED, "the key is too large");
	} else if (find_key(w, wanted->uri, public, &key, a) == 0) {
		w->keys[w->nkeys].number = wanted->key;
		w->keys[w->nkeys++].key = key;
		a->type = PROTOCOL_TOKEN_KEY_FOUND;
		a->body.found.key = wanted->key;
		a->body.found.each = key.each ? 1 : 0;
		a->body.found.extractable = key.extractable ? 1 : 0;
	}
	ERR_clear_error();
	EVP_PKEY_free(public);
}

static const struct key *
key_of(const struct worker *w, uint32_t number)
{
	size_t i;

	for (i = 0; i < w->nkeys; i++)
		if (w->keys[i].number == number)
			return &w->keys[i].key;
	return NULL;
}

static const EVP_MD *
digest_of(const char *name)
{
	if (strcmp(name, "sha256") == 0)
		return EVP_sha256();
	if (strcmp(name, "sha384") == 0)
		return EVP_sha384();
	if (strcmp(name, "sha512") == 0)
		return EVP_sha512();
	return NULL;
}

/* RSA: PKCS #1 v1.5 over the DigestInfo.  EC: DER of ECDSA-Sig-Value. */
static int
sign_by_file(EVP_PKEY *key, const EVP_MD *md, struct cursor hash, uint8_t *out,
    size_t *n, struct protocol_token_trouble *t)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int good = ctx != NULL && EVP_PKEY_sign_init(ctx) > 0;

	if (good && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	good = good && EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
	    EVP_PKEY_sign(ctx, out, n, hash.p, hash.left) > 0;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good ? 0
	            : module_trouble(t, PROTOCOL_TROUBLE_FAILED,
	                  "libcrypto cannot sign with the key file");
}

static int
reply(struct worker *w, enum protocol_type type, uint32_t tag, const void *body,
    struct ht_error *e)
{
	int rc;

	(void)pthread_mutex_lock(&w->sending);
	rc = protocol_send(&w->link, type, tag, body, NULL, 0, e);
	(void)pthread_mutex_unlock(&w->sending);
	return rc;
}

/* If keyd does not hear it, it does not hear the answer either. */
static void
say_accepted(void *cookie)
{
	const struct signer *s = cookie;
	struct ht_error e;

	(void)reply(s->worker, PROTOCOL_TOKEN_LOGGED_IN, s->tag, NULL, &e);
}

/* A PIN that the token did not accept is not tried again by this process. */
static void
sign(struct signer *s, const struct protocol_token_sign *what)
{
	struct worker *w = s->worker;
	struct answer *a = &s->answer;
	const struct key_pin pin = { w->pin[0] != '\0' ? w->pin : NULL,
		say_accepted, s };
	const struct key *key = key_of(w, what->key);
	const EVP_MD *md = digest_of(what->digest);
	size_t n = sizeof(a->bytes);
	int rc;

	if (key == NULL) {
		COMPLAIN(a, KEY, "no such key has been looked up");
		return;
	}
	if (md == NULL || what->hash.left != (size_t)EVP_MD_get_size(md)) {
		COMPLAIN(a, FAILED, "the digest is not of a known kind");
		return;
	}
	if (w->module == NULL)
		rc = sign_by_file(w->file, md, what->hash, a->bytes, &n,
		    &a->body.trouble);
	else
		rc =
		    key_sign(w->module, s->session, key, &pin, md, what->hash.p,
		        what->hash.left, a->bytes, &n, &a->body.trouble);
	if (rc == 0) {
		a->type = PROTOCOL_TOKEN_SIGNATURE;
		a->body.signature.bytes = cursor_over(a->bytes, n);
	} else if (key->each) {
		ht_wipe(w->pin, sizeof(w->pin));
	}
}

/* --- the loop ---------------------------------------------------------- */

static void
perform(struct worker *w, struct msg *m, const union protocol_body *body,
    struct answer *a)
{
	switch (m->type) {
	case PROTOCOL_TOKEN_LOGIN:
		log_in(w, &body->token_login, a);
		break;
	case PROTOCOL_TOKEN_KEY:
		add_key(w, &body->token_key, a);
		break;
	default:
		COMPLAIN(a, FAILED, "a token is opened once");
		break;
	}
}

/* The first message decides which files the worker may use. */
static int
begin(struct worker *w, struct answer *a, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc = protocol_wait(&w->link, &m, &body, -1, e);

	if (rc < 0)
		return rc;
	if (m.type == PROTOCOL_TOKEN_OPEN)
		rc = confine(&body.token_open, e);
	else
		rc = ht_error_set(e, HT_ERR_INTERNAL, "%s before OPEN",
		    protocol_name(m.type));
	if (rc == 0) {
		if (body.token_open.module[0] != '\0')
			open_module(w, &body.token_open, a);
		else
			open_file(w, &body.token_open, &m, a);
		rc = reply(w, a->type, m.tag, &a->body, e);
	}
	msg_close_fds(&m);
	return rc;
}

/*
 * Take a message, one signer at a time.  What is to be signed is copied, and
 * signed while another one takes the next message.  Anything else is done at
 * once.
 */
static int
take(struct signer *s, struct msg *m, struct protocol_token_sign *what,
    uint8_t *hash, struct ht_error *e)
{
	struct worker *w = s->worker;
	union protocol_body body;
	int rc;

	(void)pthread_mutex_lock(&w->receiving);
	rc = protocol_wait(&w->link, m, &body, -1, e);
	if (rc >= 0) {
		s->tag = m->tag;
		s->answer.type = PROTOCOL_TOKEN_TROUBLE;
		if (!w->opened) {
			COMPLAIN(&s->answer, GONE, "the token is not open");
		} else if (m->type != PROTOCOL_TOKEN_SIGN) {
			perform(w, m, &body, &s->answer);
		} else {
			*what = body.token_sign;
			if (what->hash.left > EVP_MAX_MD_SIZE)
				what->hash.left = 0;
			memcpy(hash, what->hash.p, what->hash.left);
			what->hash.p = hash;
		}
	}
	(void)pthread_mutex_unlock(&w->receiving);
	return rc;
}

static int
serve(struct signer *s, struct ht_error *e)
{
	struct protocol_token_sign what;
	uint8_t hash[EVP_MAX_MD_SIZE];
	struct msg m;
	int rc;

	for (;;) {
		rc = take(s, &m, &what, hash, e);
		if (rc < 0)
			return rc;
		if (s->worker->opened && m.type == PROTOCOL_TOKEN_SIGN)
			sign(s, &what);
		msg_close_fds(&m); /* the lock of LOGIN or SIGN */
		rc = reply(s->worker, s->answer.type, s->tag, &s->answer.body,
		    e);
		if (rc < 0)
			return rc;
	}
}

static void *
serve_as_thread(void *cookie)
{
	struct ht_error e;

	(void)serve(cookie, &e);
	return NULL;
}

/*
 * Start the other signers.  If the token has not that many sessions, there are
 * fewer.  Returns how many there are with main.
 */
static unsigned int
start_others(struct worker *w, struct signer *signers)
{
	struct protocol_token_trouble t;
	unsigned int i;

	for (i = 1;
	     w->opened && i < w->nsessions && i < PROTOCOL_TOKEN_SESSIONS;
	     i++) {
		signers[i].worker = w;
		if (w->module != NULL &&
		    module_session(w->module, &signers[i].session, &t) < 0) {
			log_notice("the token has %u sessions, not %u: %s", i,
			    w->nsessions, t.text);
			break;
		}
		if (pthread_create(&signers[i].thread, NULL, serve_as_thread,
		        &signers[i]) != 0)
			break;
	}
	return i;
}

static int
run(struct worker *w, int fd, struct ht_error *e)
{
	static struct signer signers[PROTOCOL_TOKEN_SESSIONS];
	unsigned int n = 1;
	int rc;

	signers[0].worker = w;
	signers[0].answer.type = PROTOCOL_TOKEN_TROUBLE;
	rc = protocol_open(&w->link, fd, PROTOCOL_LINK_TOKEN, false, e);
	/* A configuration of libcrypto could load code into this process. */
	if (rc == 0 &&
	    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "libcrypto");
	if (rc == 0)
		rc = begin(w, &signers[0].answer, e);
	if (rc == 0) {
		if (w->module != NULL)
			signers[0].session = w->module->session;
		n = start_others(w, signers);
		rc = serve(&signers[0], e);
	}
	while (n > 1)
		(void)pthread_join(signers[--n].thread, NULL);
	return rc;
}

static void
leave(int number)
{
	(void)number;
	_exit(0);
}

/*
 * keyd has hung up.  Some modules crash, or hang, when they are to end, and
 * others when they are unloaded.  That is no fault any more.
 */
static void
end_module(struct worker *w)
{
	static const int ends[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE,
		SIGALRM };
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		(void)signal(ends[i], leave);
	(void)alarm(END_SECONDS);
	module_free(w->module);
	_exit(0);
}

int
worker_run(int fd)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct ht_error e;
	int rc;

	if (w == NULL)
		return -HT_ERR_INTERNAL;
	(void)pthread_mutex_init(&w->receiving, NULL);
	(void)pthread_mutex_init(&w->sending, NULL);
	lock_memory(w);
	rc = run(w, fd, &e);
	ht_wipe(w->pin, sizeof(w->pin));
	EVP_PKEY_free(w->file);
	protocol_close(&w->link);
	/* Usually the worker ends because keyd has closed the link. */
	if (rc == HT_ERR_UNAVAILABLE && w->module != NULL)
		end_module(w);
	module_free(w->module);
	free(w);
	if (rc == HT_ERR_UNAVAILABLE)
		return 0;
	log_error("%s", e.text);
	return -rc;
}

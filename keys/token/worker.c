#include "config.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keys/token/module.h"
#include "keys/token/worker.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "protocol/messages.h"

#define KEYS_MAX 64
#define PIN_MAX 255
#define KEY_FILE_MAX ((size_t)64 << 10)
#define SIGNATURE_MAX 1024 /* bytes: RSA of 8192 bits */
#define PATHS_MAX 48

struct worker_key {
	uint32_t number;
	EVP_PKEY *pkey;
};

struct worker {
	struct protocol_link link;
	struct module *module; /* NULL for a key file */
	EVP_PKEY *file;        /* the key file's key, or NULL */
	bool opened;
	struct worker_key keys[KEYS_MAX];
	size_t nkeys;
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

#define COMPLAIN(a, kind, ...)                                                 \
	((void)module_trouble(&(a)->body.trouble, PROTOCOL_TROUBLE_##kind,     \
	    __VA_ARGS__))

/* --- opening: the sandbox, then the module ----------------------------- */

/*
 * Keep the PIN from being swapped out.  libp11 has its own copy on the heap.
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

static int
add_path(struct sandbox_path *paths, size_t *n, const char *path,
    enum sandbox_access access)
{
	if (*n == PATHS_MAX)
		return HT_ERR_INTERNAL;
	paths[*n].path = path;
	paths[*n].access = access;
	(*n)++;
	return 0;
}

/*
 * What any module may use: libraries, the system's configuration, the sockets
 * of daemons, and devices that are none.  Home folders, htsign's own folders
 * below /var, and /dev/shm are not among them.
 */
static int
common_paths(struct sandbox_path *paths, size_t *n)
{
	static const struct sandbox_path common[] = {
		{ "/usr", SANDBOX_READ },
		{ "/lib", SANDBOX_READ },
		{ "/lib32", SANDBOX_READ },
		{ "/lib64", SANDBOX_READ },
		{ "/opt", SANDBOX_READ },
		{ "/etc", SANDBOX_READ },
		{ "/run", SANDBOX_READ },
		{ "/proc", SANDBOX_READ },
		{ "/sys", SANDBOX_READ },
		{ "/dev/null", SANDBOX_READ_WRITE },
		{ "/dev/zero", SANDBOX_READ },
		{ "/dev/random", SANDBOX_READ },
		{ "/dev/urandom", SANDBOX_READ },
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(common) / sizeof(*common) && rc == 0; i++)
		if (access(common[i].path, F_OK) == 0)
			rc = add_path(paths, n, common[i].path,
			    common[i].access);
	return rc;
}

/* Whether the module drives USB devices itself, as the configuration says. */
static bool
drives_usb(const struct sandbox_path *paths, size_t n)
{
	static const char usb[] = "/dev/bus/usb";
	size_t i;

	for (i = 0; i < n; i++)
		if (strncmp(paths[i].path, usb, sizeof(usb) - 1) == 0)
			return true;
	return false;
}

/*
 * Add the configured paths and set the configured variables.  Both lists are
 * strings, one after the other.
 */
static int
configured_paths(const struct protocol_token_open *open,
    struct sandbox_path *paths, size_t *n, char (*texts)[PATH_MAX])
{
	struct cursor writable = open->writable;
	struct cursor environment = open->environment;
	char *text, *value;

	while (writable.left > 0 && *n < PATHS_MAX) {
		text = texts[*n];
		if (cursor_text(&writable, text, PATH_MAX) < 0 ||
		    add_path(paths, n, text, SANDBOX_READ_WRITE) < 0)
			return HT_ERR_INTERNAL;
	}
	/* If a variable names a file, the module may read that file. */
	while (environment.left > 0 && *n < PATHS_MAX) {
		text = texts[*n];
		if (cursor_text(&environment, text, PATH_MAX) < 0 ||
		    (value = strchr(text, '=')) == NULL)
			return HT_ERR_INTERNAL;
		*value++ = '\0';
		if (setenv(text, value, 1) < 0)
			return HT_ERR_INTERNAL;
		if (value[0] == '/' && access(value, F_OK) == 0 &&
		    add_path(paths, n, value, SANDBOX_READ) < 0)
			return HT_ERR_INTERNAL;
	}
	return writable.left + environment.left > 0 ? HT_ERR_INTERNAL : 0;
}

static int
enter_sandbox(const struct protocol_token_open *open, struct ht_error *e)
{
	static char texts[PATHS_MAX][PATH_MAX];
	struct sandbox_path paths[PATHS_MAX];
	size_t n = 0;
	int landlock = 0;
	int rc = 0;

	if (open->module[0] != '\0') {
		rc = common_paths(paths, &n);
		if (rc == 0)
			rc = add_path(paths, &n, open->module, SANDBOX_READ);
		if (rc == 0)
			rc = configured_paths(open, paths, &n, texts);
	}
	if (rc < 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "too many folders and variables for one token");
	rc = sandbox_enter(drives_usb(paths, n) ? SANDBOX_TOKEN_USB
	                                        : SANDBOX_TOKEN,
	    paths, n, &landlock, e);
	if (rc == 0 && landlock == 0)
		log_notice("no Landlock here: files are guarded by uid only");
	return rc;
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
	const char *serial;

	if (module_open(&w->module, open->module, open->label, open->serial,
	        &a->body.trouble) < 0)
		return;
	serial = module_serial(w->module);
	if (strlen(serial) >= sizeof(opened->serial)) {
		COMPLAIN(a, FAILED, "the token's serial number is too long");
		return;
	}
	w->opened = true;
	a->type = PROTOCOL_TOKEN_OPENED;
	memset(opened, 0, sizeof(*opened));
	memcpy(opened->serial, serial, strlen(serial) + 1);
	opened->login = module_wants_login(w->module) ? 1 : 0;
	opened->pin_flags = module_pin_flags(w->module);
}

static void
open_file(struct worker *w, struct msg *m, struct answer *a)
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
	a->type = PROTOCOL_TOKEN_OPENED;
	memset(&a->body.opened, 0, sizeof(a->body.opened));
}

/* --- operations -------------------------------------------------------- */

static void
log_in(struct worker *w, const struct protocol_token_login *login,
    struct answer *a)
{
	static char pin[PIN_MAX + 1];
	size_t n = login->pin.left;

	lock_memory(w);
	if (w->module == NULL || n > PIN_MAX || n == 0 ||
	    memchr(login->pin.p, '\0', n) != NULL) {
		COMPLAIN(a, PIN, "that cannot be a PIN of this token");
	} else {
		memcpy(pin, login->pin.p, n);
		pin[n] = '\0';
		if (module_login(w->module, pin, &a->body.trouble) == 0)
			a->type = PROTOCOL_TOKEN_LOGGED_IN;
		ht_wipe(pin, sizeof(pin));
	}
	/* The PIN is also in the channel's buffer. */
	ht_wipe((void *)(uintptr_t)login->pin.p, n);
	lock_memory(w);
}

static EVP_PKEY *
find_key(struct worker *w, const char *uri, EVP_PKEY *public, struct answer *a)
{
	EVP_PKEY *key = NULL;

	if (w->module != NULL) {
		(void)module_key(w->module, uri, public, &key,
		    &a->body.trouble);
	} else if (EVP_PKEY_eq(w->file, public) == 1) {
		key = w->file;
		(void)EVP_PKEY_up_ref(key);
	} else {
		COMPLAIN(a, KEY, "the key file does not fit the certificate");
	}
	return key;
}

static void
add_key(struct worker *w, const struct protocol_token_key *wanted,
    struct answer *a)
{
	const unsigned char *p = wanted->spki.p;
	EVP_PKEY *public = d2i_PUBKEY(NULL, &p, (long)wanted->spki.left);
	EVP_PKEY *key;

	if (w->nkeys == KEYS_MAX || public == NULL) {
		ERR_clear_error();
		COMPLAIN(a, FAILED,
		    "too many keys, or a public key that is "
		    "not understood");
	} else if ((key = find_key(w, wanted->uri, public, a)) != NULL) {
		w->keys[w->nkeys].number = wanted->key;
		w->keys[w->nkeys++].pkey = key;
		a->type = PROTOCOL_TOKEN_KEY_FOUND;
		a->body.found.key = wanted->key;
	}
	EVP_PKEY_free(public);
}

static EVP_PKEY *
key_of(const struct worker *w, uint32_t number)
{
	size_t i;

	for (i = 0; i < w->nkeys; i++)
		if (w->keys[i].number == number)
			return w->keys[i].pkey;
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
make_signature(EVP_PKEY *key, const EVP_MD *md, struct cursor hash,
    uint8_t *out, size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int good = ctx != NULL && EVP_PKEY_sign_init(ctx) > 0;

	if (good && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	good = good && EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
	    EVP_PKEY_sign(ctx, out, n, hash.p, hash.left) > 0;
	EVP_PKEY_CTX_free(ctx);
	return good ? 0 : HT_ERR_UNAVAILABLE;
}

static void
sign(struct worker *w, const struct protocol_token_sign *what, struct answer *a)
{
	EVP_PKEY *key = key_of(w, what->key);
	const EVP_MD *md = digest_of(what->digest);
	size_t n = sizeof(a->bytes);

	if (key == NULL) {
		COMPLAIN(a, KEY, "no such key has been looked up");
	} else if (md == NULL ||
	    what->hash.left != (size_t)EVP_MD_get_size(md)) {
		COMPLAIN(a, FAILED, "the digest is not of a known kind");
	} else if (EVP_PKEY_get_size(key) > (int)sizeof(a->bytes)) {
		COMPLAIN(a, FAILED, "the key is too large");
	} else if (make_signature(key, md, what->hash, a->bytes, &n) < 0) {
		(void)module_complaint(&a->body.trouble, "signing");
	} else {
		a->type = PROTOCOL_TOKEN_SIGNATURE;
		a->body.signature.bytes = cursor_over(a->bytes, n);
	}
}

/* --- the loop ---------------------------------------------------------- */

static void
perform(struct worker *w, struct msg *m, const union protocol_body *body,
    struct answer *a)
{
	if (m->type != PROTOCOL_TOKEN_OPEN && !w->opened) {
		COMPLAIN(a, GONE, "the token is not open");
		return;
	}
	switch (m->type) {
	case PROTOCOL_TOKEN_LOGIN:
		log_in(w, &body->token_login, a);
		break;
	case PROTOCOL_TOKEN_KEY:
		add_key(w, &body->token_key, a);
		break;
	case PROTOCOL_TOKEN_SIGN:
		sign(w, &body->token_sign, a);
		break;
	default:
		COMPLAIN(a, FAILED, "a token is opened once");
		break;
	}
}

static int
reply(struct worker *w, uint32_t tag, struct answer *a, struct ht_error *e)
{
	return protocol_send(&w->link, a->type, tag, &a->body, NULL, 0, e);
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
		rc = enter_sandbox(&body.token_open, e);
	else
		rc = ht_error_set(e, HT_ERR_INTERNAL, "%s before OPEN",
		    protocol_name(m.type));
	if (rc == 0) {
		if (body.token_open.module[0] != '\0')
			open_module(w, &body.token_open, a);
		else
			open_file(w, &m, a);
		rc = reply(w, m.tag, a, e);
	}
	msg_close_fds(&m);
	return rc;
}

static int
serve(struct worker *w, struct answer *a, struct ht_error *e)
{
	union protocol_body body;
	struct msg m;
	int rc;

	for (;;) {
		rc = protocol_wait(&w->link, &m, &body, -1, e);
		if (rc < 0)
			return rc;
		a->type = PROTOCOL_TOKEN_TROUBLE;
		perform(w, &m, &body, a);
		msg_close_fds(&m); /* the lock of LOGIN */
		rc = reply(w, m.tag, a, e);
		if (rc < 0)
			return rc;
	}
}

static int
run(struct worker *w, int fd, struct ht_error *e)
{
	static struct answer a;
	int rc;

	a.type = PROTOCOL_TOKEN_TROUBLE;
	rc = protocol_open(&w->link, fd, PROTOCOL_LINK_TOKEN, false, e);
	/* A configuration of libcrypto could load code into this process. */
	if (rc == 0 &&
	    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "libcrypto");
	if (rc == 0)
		rc = begin(w, &a, e);
	if (rc == 0)
		rc = serve(w, &a, e);
	return rc;
}

int
worker_run(int fd)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct ht_error e;
	int rc;

	if (w == NULL)
		return -HT_ERR_INTERNAL;
	lock_memory(w);
	rc = run(w, fd, &e);
	while (w->nkeys > 0)
		EVP_PKEY_free(w->keys[--w->nkeys].pkey);
	EVP_PKEY_free(w->file);
	module_free(w->module);
	protocol_close(&w->link);
	free(w);
	/* Usually the worker ends because keyd has closed the link. */
	if (rc == HT_ERR_UNAVAILABLE)
		return 0;
	log_error("%s", e.text);
	return -rc;
}

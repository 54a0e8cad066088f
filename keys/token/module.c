#include "config.h"

#include <libp11.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/token/module.h"
#include "keys/token/uri.h"

struct module {
	PKCS11_CTX *ctx;
	PKCS11_SLOT *slots;
	unsigned int nslots;
	PKCS11_SLOT *slot; /* where the token is */
	UI_METHOD *nobody;
};

/* --- complaints -------------------------------------------------------- */

/*
 * The return values of PKCS #11 v2.40, section 2, that keyd acts on.  After
 * GONE, only loading the module again is known to help.
 */
static const struct {
	unsigned long value;
	enum protocol_trouble trouble;
} meanings[] = {
	{ 0x003, PROTOCOL_TROUBLE_GONE },   /* CKR_SLOT_ID_INVALID */
	{ 0x005, PROTOCOL_TROUBLE_GONE },   /* CKR_GENERAL_ERROR */
	{ 0x006, PROTOCOL_TROUBLE_GONE },   /* CKR_FUNCTION_FAILED */
	{ 0x030, PROTOCOL_TROUBLE_GONE },   /* CKR_DEVICE_ERROR */
	{ 0x031, PROTOCOL_TROUBLE_GONE },   /* CKR_DEVICE_MEMORY */
	{ 0x032, PROTOCOL_TROUBLE_GONE },   /* CKR_DEVICE_REMOVED */
	{ 0x060, PROTOCOL_TROUBLE_GONE },   /* CKR_KEY_HANDLE_INVALID */
	{ 0x082, PROTOCOL_TROUBLE_GONE },   /* CKR_OBJECT_HANDLE_INVALID */
	{ 0x0a0, PROTOCOL_TROUBLE_PIN },    /* CKR_PIN_INCORRECT */
	{ 0x0a1, PROTOCOL_TROUBLE_PIN },    /* CKR_PIN_INVALID */
	{ 0x0a2, PROTOCOL_TROUBLE_PIN },    /* CKR_PIN_LEN_RANGE */
	{ 0x0a3, PROTOCOL_TROUBLE_LOCKED }, /* CKR_PIN_EXPIRED */
	{ 0x0a4, PROTOCOL_TROUBLE_LOCKED }, /* CKR_PIN_LOCKED */
	{ 0x0b0, PROTOCOL_TROUBLE_GONE },   /* CKR_SESSION_CLOSED */
	{ 0x0b3, PROTOCOL_TROUBLE_GONE },   /* CKR_SESSION_HANDLE_INVALID */
	{ 0x0e0, PROTOCOL_TROUBLE_GONE },   /* CKR_TOKEN_NOT_PRESENT */
	{ 0x0e1, PROTOCOL_TROUBLE_GONE },   /* CKR_TOKEN_NOT_RECOGNIZED */
	{ 0x101, PROTOCOL_TROUBLE_LOGIN },  /* CKR_USER_NOT_LOGGED_IN */
	{ 0x190, PROTOCOL_TROUBLE_GONE },   /* CKR_CRYPTOKI_NOT_INITIALIZED */
};

int
module_trouble(struct protocol_token_trouble *t, enum protocol_trouble trouble,
    const char *fmt, ...)
{
	va_list ap;

	t->trouble = (uint8_t)trouble;
	va_start(ap, fmt);
	(void)vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
	return HT_ERR_UNAVAILABLE;
}

static enum protocol_trouble
meaning(unsigned long value)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].value == value)
			return meanings[i].trouble;
	return PROTOCOL_TROUBLE_FAILED;
}

/* An error of the module is preferred to one that libcrypto derived from it. */
int
module_complaint(struct protocol_token_trouble *t, const char *what)
{
	unsigned long code, first = 0, found = 0;
	const char *reason;

	while ((code = ERR_get_error()) != 0) {
		if (first == 0)
			first = code;
		if (found == 0 && ERR_GET_LIB(code) == ERR_get_CKR_code())
			found = code;
	}
	reason = ERR_reason_error_string(found != 0 ? found : first);
	return module_trouble(t,
	    found != 0 ? meaning((unsigned long)ERR_GET_REASON(found))
	               : PROTOCOL_TROUBLE_FAILED,
	    "%s: %s", what, reason != NULL ? reason : "no reason given");
}

#ifdef LIBP11_VERSION_NUMBER
/*
 * libp11 0.4.19 and later report the result of C_Sign only in their log.
 */
static void __attribute__((format(printf, 2, 0)))
take_from_log(int level, const char *fmt, va_list ap)
{
	static const char what[] = "C_Sign rv=";
	char line[512];
	const char *value;

	(void)level;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	value = strstr(line, what);
	if (value != NULL)
		ERR_raise(ERR_get_CKR_code(),
		    (int)strtol(value + strlen(what), NULL, 0));
}
#endif

/* --- opening ----------------------------------------------------------- */

/* libp11 asks here for the PIN again.  No answer makes the login fail. */
static int
no_answer(UI *ui, UI_STRING *question)
{
	(void)ui;
	(void)question;
	return 0;
}

static int
load(struct module *m, const char *path, struct protocol_token_trouble *t)
{
	m->ctx = PKCS11_CTX_new();
	m->nobody = UI_create_method("nobody");
	if (m->ctx == NULL || m->nobody == NULL)
		return module_complaint(t, "libp11");
	(void)UI_method_set_reader(m->nobody, no_answer);
	(void)PKCS11_set_ui_method(m->ctx, m->nobody, NULL);
#ifdef LIBP11_VERSION_NUMBER
	PKCS11_set_vlog_a_method(m->ctx, take_from_log);
#endif
	if (PKCS11_CTX_load(m->ctx, path) < 0) {
		PKCS11_CTX_free(m->ctx);
		m->ctx = NULL;
		return module_complaint(t, path);
	}
	return 0;
}

static bool
is_wanted(const PKCS11_TOKEN *token, const char *label, const char *serial)
{
	return token != NULL && token->initialized &&
	    (label[0] == '\0' || strcmp(token->label, label) == 0) &&
	    (serial[0] == '\0' || strcmp(token->serialnr, serial) == 0);
}

static int
find_token(struct module *m, const char *label, const char *serial,
    struct protocol_token_trouble *t)
{
	struct protocol_token_trouble away;
	unsigned char byte = 0;
	unsigned int i;

	if (PKCS11_enumerate_slots(m->ctx, &m->slots, &m->nslots) < 0)
		return module_complaint(t, "slots");
	for (i = 0; i < m->nslots; i++) {
		if (!is_wanted(m->slots[i].token, label, serial))
			continue;
		if (m->slot != NULL)
			return module_trouble(t, PROTOCOL_TROUBLE_GONE,
			    "two tokens fit: configure the serial number");
		m->slot = &m->slots[i];
	}
	if (m->slot == NULL)
		return module_trouble(t, PROTOCOL_TROUBLE_GONE,
		    "no token \"%s\" in %u slots",
		    label[0] != '\0' ? label : serial, m->nslots);
	if (PKCS11_open_session(m->slot, 0) < 0)
		return module_complaint(t, "session");
	/*
	 * PKCS11_open_session only prepares.  The first use opens the session.
	 * If that fails, older versions of libp11 wait for ever.  So use it
	 * now, before a login attempt is recorded.  A token that takes no seed
	 * returns an error of its own.  We do not ask for random bytes: some
	 * PIV cards make none, and OpenSC reports that as a general error.
	 */
	if (PKCS11_seed_random(m->slot, &byte, 1) < 0) {
		(void)module_complaint(&away, "session");
		if (away.trouble == PROTOCOL_TROUBLE_GONE) {
			*t = away;
			return HT_ERR_UNAVAILABLE;
		}
	}
	ERR_clear_error();
	return 0;
}

int
module_open(struct module **out, const char *path, const char *label,
    const char *serial, struct protocol_token_trouble *t)
{
	struct module *m = calloc(1, sizeof(*m));
	int rc;

	*out = NULL;
	if (m == NULL)
		return module_trouble(t, PROTOCOL_TROUBLE_FAILED,
		    "out of memory");
	ERR_clear_error();
	rc = load(m, path, t);
	if (rc == 0)
		rc = find_token(m, label, serial, t);
	if (rc < 0)
		module_free(m);
	else
		*out = m;
	return rc;
}

void
module_free(struct module *m)
{
	if (m == NULL)
		return;
	if (m->slots != NULL)
		PKCS11_release_all_slots(m->ctx, m->slots, m->nslots);
	if (m->ctx != NULL) {
		PKCS11_CTX_unload(m->ctx);
		PKCS11_CTX_free(m->ctx);
	}
	UI_destroy_method(m->nobody);
	free(m);
}

const char *
module_serial(const struct module *m)
{
	return m->slot->token->serialnr;
}

bool
module_wants_login(const struct module *m)
{
	return m->slot->token->loginRequired;
}

uint8_t
module_pin_flags(const struct module *m)
{
	const PKCS11_TOKEN *token = m->slot->token;
	uint8_t flags = 0;

	if (token->userPinCountLow)
		flags |= PROTOCOL_PIN_COUNT_LOW;
	if (token->userPinFinalTry)
		flags |= PROTOCOL_PIN_FINAL_TRY;
	if (token->userPinLocked)
		flags |= PROTOCOL_PIN_LOCKED;
	return flags;
}

int
module_login(struct module *m, const char *pin,
    struct protocol_token_trouble *t)
{
	ERR_clear_error();
	if (PKCS11_login(m->slot, 0, pin) < 0)
		return module_complaint(t, "login");
	return 0;
}

/* --- keys -------------------------------------------------------------- */

enum likeness { LIKE_NOT, LIKE_PERHAPS, LIKE_SAME };

/*
 * Keys of a token are of libp11's own kind, so we compare their DER.  An EC key
 * has no DER if its public half is not on the token.
 */
static enum likeness
compare(EVP_PKEY *key, EVP_PKEY *public)
{
	EVP_PKEY *told;
	unsigned char *der = NULL;
	const unsigned char *p;
	enum likeness like = LIKE_PERHAPS;
	int n;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_get_base_id(public))
		return LIKE_NOT;
	n = i2d_PUBKEY(key, &der);
	if (n > 0) {
		p = der;
		told = d2i_PUBKEY(NULL, &p, n);
		if (told != NULL)
			like = EVP_PKEY_eq(told, public) == 1 ? LIKE_SAME
			                                      : LIKE_NOT;
		EVP_PKEY_free(told);
	}
	OPENSSL_free(der);
	ERR_clear_error();
	return like;
}

static bool
is_named(const PKCS11_KEY *key, const struct uri *uri)
{
	const char *label = key->label != NULL ? key->label : "";

	return key->isPrivate && uri_fits(&uri->object, label, strlen(label)) &&
	    uri_fits(&uri->id, key->id, key->id_len);
}

/* The URI must agree with the token that is open. */
static bool
is_our_token(const PKCS11_TOKEN *token, const struct uri *uri)
{
	return uri_fits(&uri->token, token->label, strlen(token->label)) &&
	    uri_fits(&uri->serial, token->serialnr, strlen(token->serialnr)) &&
	    uri_fits(&uri->model, token->model, strlen(token->model)) &&
	    uri_fits(&uri->manufacturer, token->manufacturer,
	        strlen(token->manufacturer));
}

struct search {
	EVP_PKEY *best;
	enum likeness like;
	unsigned int named;  /* keys that the URI names */
	unsigned int equals; /* as good as best, best included */
};

static void
consider(struct search *s, PKCS11_KEY *candidate, EVP_PKEY *public)
{
	EVP_PKEY *key = PKCS11_get_private_key(candidate);
	enum likeness like = key != NULL ? compare(key, public) : LIKE_NOT;

	s->named++;
	if (like > s->like) {
		EVP_PKEY_free(s->best);
		s->best = key;
		s->like = like;
		s->equals = 1;
		return;
	}
	if (like != LIKE_NOT && like == s->like)
		s->equals++;
	EVP_PKEY_free(key);
}

static int
judge(struct search *s, EVP_PKEY **key, struct protocol_token_trouble *t)
{
	if (s->named == 0)
		return module_trouble(t, PROTOCOL_TROUBLE_KEY,
		    "there is no such private key on the token");
	if (s->like == LIKE_NOT)
		return module_trouble(t, PROTOCOL_TROUBLE_KEY,
		    "the key on the token does not fit the certificate");
	if (s->like == LIKE_PERHAPS && s->equals > 1)
		return module_trouble(t, PROTOCOL_TROUBLE_KEY,
		    "several keys on the token fit: extend the key's URI");
	*key = s->best;
	s->best = NULL;
	return 0;
}

int
module_key(struct module *m, const char *text, EVP_PKEY *public, EVP_PKEY **key,
    struct protocol_token_trouble *t)
{
	struct search s = { NULL, LIKE_NOT, 0, 0 };
	PKCS11_KEY *keys;
	struct ht_error e;
	struct uri uri;
	unsigned int i, n;
	int rc;

	*key = NULL;
	ERR_clear_error();
	if (uri_parse(text[0] != '\0' ? text : "pkcs11:", &uri, &e) < 0)
		return module_trouble(t, PROTOCOL_TROUBLE_KEY, "%s", e.text);
	if (!is_our_token(m->slot->token, &uri))
		return module_trouble(t, PROTOCOL_TROUBLE_KEY,
		    "the key's URI names another token");
	if (PKCS11_enumerate_keys(m->slot->token, &keys, &n) < 0)
		return module_complaint(t, "keys");
	for (i = 0; i < n; i++)
		if (is_named(&keys[i], &uri))
			consider(&s, &keys[i], public);
	rc = judge(&s, key, t);
	EVP_PKEY_free(s.best);
	return rc;
}

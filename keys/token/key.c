#include "config.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "keys/token/key.h"
#include "keys/token/uri.h"

#define VALUE_MAX 8192 /* bytes of an attribute, such as a certificate */
#define ID_MAX 256

/* --- objects ----------------------------------------------------------- */

static size_t
attribute(const struct module *m, ck_t object, ck_t type, void *out,
    size_t size)
{
	return cryptoki_attribute(m->p, m->session, object, type, out, size);
}

static bool
is_true(const struct module *m, ck_t object, ck_t type)
{
	return cryptoki_is_true(m->p, m->session, object, type);
}

/* What objects must have. */
struct wanted {
	ck_t class;
	struct ck_attribute attributes[3];
	ck_t n;
};

static void
want(struct wanted *w, ck_t type, const void *value, size_t n)
{
	w->attributes[w->n].type = type;
	w->attributes[w->n].value = (void *)(uintptr_t)value;
	w->attributes[w->n++].n = n;
}

static void
want_class(struct wanted *w, ck_t class)
{
	w->n = 0;
	w->class = class;
	want(w, CKA_CLASS, &w->class, sizeof(w->class));
}

static ck_t
find(const struct module *m, struct wanted *w, ck_t *objects, ck_t *n)
{
	return cryptoki_find(m->p, m->session, w->attributes, w->n, objects, n);
}

/* --- whose key is it? -------------------------------------------------- */

enum likeness { LIKE_NOT, LIKE_PERHAPS, LIKE_SAME };

static enum likeness
alike(bool same)
{
	return same ? LIKE_SAME : LIKE_NOT;
}

static bool
is_certificate_of(const struct module *m, ck_t object, EVP_PKEY *public)
{
	unsigned char der[VALUE_MAX];
	const unsigned char *p = der;
	size_t n = attribute(m, object, CKA_VALUE, der, sizeof(der));
	X509 *x = n > 0 ? d2i_X509(NULL, &p, (long)n) : NULL;
	bool same = x != NULL && X509_get0_pubkey(x) != NULL &&
	    EVP_PKEY_eq(X509_get0_pubkey(x), public) == 1;

	X509_free(x);
	ERR_clear_error();
	return same;
}

/* Compare the modulus, which is in RSA keys of both classes. */
static enum likeness
compare_modulus(const struct module *m, ck_t object, EVP_PKEY *public)
{
	unsigned char bytes[VALUE_MAX];
	size_t n = attribute(m, object, CKA_MODULUS, bytes, sizeof(bytes));
	BIGNUM *own = n > 0 ? BN_bin2bn(bytes, (int)n, NULL) : NULL;
	BIGNUM *other = NULL;
	enum likeness like = LIKE_PERHAPS;

	if (own != NULL &&
	    EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_N, &other) == 1)
		like = alike(BN_cmp(own, other) == 0);
	BN_free(own);
	BN_free(other);
	return like;
}

/* CKA_EC_POINT is in an OCTET STRING, but for some tokens. */
static enum likeness
compare_point(const struct module *m, ck_t object, EVP_PKEY *public)
{
	unsigned char bytes[VALUE_MAX], other[256];
	size_t n = attribute(m, object, CKA_EC_POINT, bytes, sizeof(bytes));
	size_t nother = 0;

	if (n == 0 ||
	    EVP_PKEY_get_octet_string_param(public, OSSL_PKEY_PARAM_PUB_KEY,
	        other, sizeof(other), &nother) != 1)
		return LIKE_PERHAPS;
	return alike(
	    n >= nother && memcmp(bytes + n - nother, other, nother) == 0);
}

static enum likeness
compare(const struct module *m, ck_t object, EVP_PKEY *public)
{
	return EVP_PKEY_get_base_id(public) == EVP_PKEY_RSA
	    ? compare_modulus(m, object, public)
	    : compare_point(m, object, public);
}

/* Ask the public keys and certificates that have the private key's id. */
static enum likeness
compare_others(const struct module *m, ck_t object, EVP_PKEY *public)
{
	unsigned char id[ID_MAX];
	size_t nid = attribute(m, object, CKA_ID, id, sizeof(id));
	enum likeness like = LIKE_PERHAPS;
	ck_t objects[CRYPTOKI_OBJECTS];
	struct wanted w;
	ck_t i, n;

	if (nid == 0)
		return LIKE_PERHAPS;
	want_class(&w, CKO_PUBLIC_KEY);
	want(&w, CKA_ID, id, nid);
	(void)find(m, &w, objects, &n);
	for (i = 0; i < n && like == LIKE_PERHAPS; i++)
		like = compare(m, objects[i], public);
	want_class(&w, CKO_CERTIFICATE);
	want(&w, CKA_ID, id, nid);
	(void)find(m, &w, objects, &n);
	for (i = 0; i < n && like == LIKE_PERHAPS; i++)
		if (is_certificate_of(m, objects[i], public))
			like = LIKE_SAME;
	return like;
}

static enum likeness
likeness(const struct module *m, ck_t object, EVP_PKEY *public)
{
	bool rsa = EVP_PKEY_get_base_id(public) == EVP_PKEY_RSA;
	ck_t type = rsa ? CKK_RSA : CKK_EC;
	enum likeness like;

	(void)attribute(m, object, CKA_KEY_TYPE, &type, sizeof(type));
	if (type != (rsa ? CKK_RSA : CKK_EC))
		return LIKE_NOT;
	like = compare(m, object, public);
	return like == LIKE_PERHAPS ? compare_others(m, object, public) : like;
}

/* --- finding ----------------------------------------------------------- */

struct search {
	const struct module *m;
	EVP_PKEY *public;
	ck_t best;
	enum likeness like;
	unsigned int named;  /* keys that the URI names */
	unsigned int equals; /* as good as best, best included */
};

static void
consider(struct search *s, ck_t object)
{
	enum likeness like = likeness(s->m, object, s->public);

	s->named++;
	if (like > s->like) {
		s->best = object;
		s->like = like;
		s->equals = 1;
	} else if (like != LIKE_NOT && like == s->like) {
		s->equals++;
	}
}

/* The URI must agree with the token that is open. */
static bool
is_our_token(const struct module *m, const struct uri *uri)
{
	return uri_fits(&uri->token, m->token.label, strlen(m->token.label)) &&
	    uri_fits(&uri->serial, m->token.serial, strlen(m->token.serial)) &&
	    uri_fits(&uri->model, m->token.model, strlen(m->token.model)) &&
	    uri_fits(&uri->manufacturer, m->token.manufacturer,
	        strlen(m->token.manufacturer));
}

/* The keys that the URI names, and that have this id unless nid is 0. */
static ck_t
consider_named(struct search *s, const struct uri *uri, const uint8_t *id,
    size_t nid)
{
	unsigned char label[URI_VALUE], own[ID_MAX];
	ck_t objects[CRYPTOKI_OBJECTS];
	struct wanted w;
	ck_t i, n;
	ck_t rv;

	want_class(&w, CKO_PRIVATE_KEY);
	if (nid > 0)
		want(&w, CKA_ID, id, nid);
	rv = find(s->m, &w, objects, &n);
	for (i = 0; i < n; i++)
		if (uri_fits(&uri->object, label,
		        attribute(s->m, objects[i], CKA_LABEL, label,
		            sizeof(label))) &&
		    uri_fits(&uri->id, own,
		        attribute(s->m, objects[i], CKA_ID, own, sizeof(own))))
			consider(s, objects[i]);
	return rv;
}

/* No key is shown: the ids of the right certificates may find one. */
static void
consider_certified(struct search *s, const struct uri *uri)
{
	ck_t objects[CRYPTOKI_OBJECTS];
	unsigned char id[ID_MAX];
	struct wanted w;
	size_t nid;
	ck_t i, n;

	want_class(&w, CKO_CERTIFICATE);
	(void)find(s->m, &w, objects, &n);
	for (i = 0; i < n; i++) {
		nid = attribute(s->m, objects[i], CKA_ID, id, sizeof(id));
		if (nid > 0 && is_certificate_of(s->m, objects[i], s->public))
			(void)consider_named(s, uri, id, nid);
	}
}

static int
judge(const struct search *s, struct protocol_token_trouble *t)
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
	return 0;
}

int
key_find(const struct module *m, const char *text, EVP_PKEY *public,
    struct key *key, struct protocol_token_trouble *t)
{
	struct search s = { m, public, 0, LIKE_NOT, 0, 0 };
	struct ht_error e;
	struct uri uri;
	ck_t rv;

	memset(key, 0, sizeof(*key));
	if (uri_parse(text[0] != '\0' ? text : "pkcs11:", &uri, &e) < 0)
		return module_trouble(t, PROTOCOL_TROUBLE_KEY, "%s", e.text);
	if (!is_our_token(m, &uri))
		return module_trouble(t, PROTOCOL_TROUBLE_KEY,
		    "the key's URI names another token");
	rv = consider_named(&s, &uri, NULL, 0);
	if (rv != CKR_OK)
		return module_complaint(t, "C_FindObjects", rv);
	if (s.named == 0)
		consider_certified(&s, &uri);
	if (judge(&s, t) < 0)
		return HT_ERR_UNAVAILABLE;
	key->object = s.best;
	key->ec = EVP_PKEY_get_base_id(public) != EVP_PKEY_RSA;
	key->size = ((size_t)EVP_PKEY_get_bits(public) + 7) / 8;
	key->each = is_true(m, s.best, CKA_ALWAYS_AUTHENTICATE);
	key->extractable = is_true(m, s.best, CKA_EXTRACTABLE);
	return 0;
}

/* --- signing ----------------------------------------------------------- */

/* The DER of DigestInfo (RFC 8017, 9.2).  Returns its length, or 0. */
static size_t
digest_info(const EVP_MD *md, const uint8_t *hash, size_t n, uint8_t *out,
    size_t size)
{
	X509_SIG *sig = X509_SIG_new();
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *digest;
	size_t length = 0;

	if (sig == NULL)
		return 0;
	X509_SIG_getm(sig, &algorithm, &digest);
	if (X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(md)),
	        V_ASN1_NULL, NULL) == 1 &&
	    ASN1_OCTET_STRING_set(digest, hash, (int)n) == 1 &&
	    i2d_X509_SIG(sig, NULL) <= (int)size)
		length = (size_t)i2d_X509_SIG(sig, &out);
	X509_SIG_free(sig);
	return length;
}

/* Both halves of a signature, of equal length, to DER.  Returns its length. */
static size_t
ecdsa_der(const uint8_t *halves, size_t n, uint8_t *out)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(halves, (int)(n / 2), NULL);
	BIGNUM *s = BN_bin2bn(halves + n / 2, (int)(n / 2), NULL);
	int length = 0;

	if (sig != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		length = i2d_ECDSA_SIG(sig, &out);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return length > 0 ? (size_t)length : 0;
}

/*
 * PKCS #11 v2.40, 4.9: after C_SignInit the PIN is given once more.  Whatever
 * is neither yes nor no may have cost a try.
 */
static int
authenticate(const struct module *m, ck_t session, const struct key_pin *pin,
    struct protocol_token_trouble *t)
{
	ck_t rv = m->p->login(session, CKU_CONTEXT_SPECIFIC,
	    (void *)(uintptr_t)pin->pin, strlen(pin->pin));

	if (rv == CKR_OK) {
		pin->accepted(pin->cookie);
		return 0;
	}
	(void)module_complaint(t, "C_Login for one signature", rv);
	if (t->trouble != PROTOCOL_TROUBLE_PIN &&
	    t->trouble != PROTOCOL_TROUBLE_LOCKED)
		t->trouble = PROTOCOL_TROUBLE_UNKNOWN;
	return HT_ERR_UNAVAILABLE;
}

int
key_sign(const struct module *m, ck_t session, const struct key *key,
    const struct key_pin *pin, const EVP_MD *md, const uint8_t *hash, size_t n,
    uint8_t *out, size_t *size, struct protocol_token_trouble *t)
{
	struct ck_mechanism mechanism = { key->ec ? CKM_ECDSA : CKM_RSA_PKCS,
		NULL, 0 };
	uint8_t data[EVP_MAX_MD_SIZE + 64], halves[512];
	ck_t got = key->ec ? sizeof(halves) : *size;
	ck_t rv;

	if (key->each && pin->pin == NULL)
		return module_trouble(t, PROTOCOL_TROUBLE_KEY,
		    "the key wants a PIN, and the token none");
	if (!key->ec) {
		n = digest_info(md, hash, n, data, sizeof(data));
	} else {
		/* FIPS 186-5, 6.4: the leftmost bits. */
		n = n < key->size ? n : key->size;
		memcpy(data, hash, n);
	}
	rv = m->p->sign_init(session, &mechanism, key->object);
	if (rv != CKR_OK)
		return module_complaint(t, "C_SignInit", rv);
	if (key->each && authenticate(m, session, pin, t) < 0)
		return HT_ERR_UNAVAILABLE;
	rv = m->p->sign(session, data, n, key->ec ? halves : out, &got);
	if (rv != CKR_OK)
		return module_complaint(t, "C_Sign", rv);
	if (got > (key->ec ? sizeof(halves) : *size))
		return module_trouble(t, PROTOCOL_TROUBLE_FAILED,
		    "C_Sign: a signature that is too long");
	*size = key->ec ? ecdsa_der(halves, got, out) : got;
	return 0;
}

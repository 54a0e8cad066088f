#include "config.h"

#include <dlfcn.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/token/inventory.h"

#define OBJECTS_MAX 64
#define MODULUS_MAX 2048 /* bytes */

struct cryptoki *
inventory_load(const char *path, struct ht_error *e)
{
	struct cryptoki *p = NULL;
	cryptoki_get *get;
	void *library;

	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE, "%s", dlerror());
		return NULL;
	}
	get = (cryptoki_get *)dlsym(library, "C_GetFunctionList");
	if (get == NULL || get(&p) != CKR_OK || p == NULL) {
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "%s: it is no PKCS#11 module", path);
		(void)dlclose(library);
		return NULL;
	}
	return p;
}

/* Such texts are padded with spaces, some wrongly with NULs. */
static void
copy_padded(char *out, const unsigned char *text, size_t n)
{
	n = strnlen((const char *)text, n);
	while (n > 0 && text[n - 1] == ' ')
		n--;
	memcpy(out, text, n);
	out[n] = '\0';
}

ck_t
inventory_token(const struct cryptoki *p, ck_t slot,
    struct inventory_token *token)
{
	struct ck_token_info info;
	ck_t rv;

	memset(token, 0, sizeof(*token));
	memset(&info, 0, sizeof(info));
	rv = p->get_token_info(slot, &info);
	if (rv != CKR_OK)
		return rv;
	copy_padded(token->label, info.label, sizeof(info.label));
	copy_padded(token->manufacturer, info.manufacturer,
	    sizeof(info.manufacturer));
	copy_padded(token->model, info.model, sizeof(info.model));
	copy_padded(token->serial, info.serial, sizeof(info.serial));
	(void)snprintf(token->firmware, sizeof(token->firmware), "%u.%u",
	    (unsigned int)info.firmware[0], (unsigned int)info.firmware[1]);
	token->flags = info.flags;
	return CKR_OK;
}

/* --- objects -------------------------------------------------------------- */

/* An object, and who knows it. */
struct place {
	const struct cryptoki *p;
	ck_t session, object;
};

/* Return the length of the attribute; 0 if there is none, or if it is longer. */
static size_t
attribute(const struct place *at, ck_t type, void *out, size_t size)
{
	struct ck_attribute a = { type, out, size };

	if (at->p->get_attribute_value(at->session, at->object, &a, 1) !=
	        CKR_OK ||
	    a.n > size)
		return 0;
	return a.n;
}

static bool
is_true(const struct place *at, ck_t type)
{
	unsigned char value = 0;

	return attribute(at, type, &value, 1) == 1 && value != 0;
}

static void
describe_rsa(const struct place *at, char *out, size_t size)
{
	uint8_t modulus[MODULUS_MAX];
	size_t n = attribute(at, CKA_MODULUS, modulus, sizeof(modulus));
	BIGNUM *number = BN_bin2bn(modulus, (int)n, NULL);

	(void)snprintf(out, size, "RSA %d",
	    number != NULL ? BN_num_bits(number) : 0);
	BN_free(number);
}

static void
describe_ec(const struct place *at, char *out, size_t size)
{
	uint8_t der[64];
	const unsigned char *p = der;
	size_t n = attribute(at, CKA_EC_PARAMS, der, sizeof(der));
	ASN1_OBJECT *curve = d2i_ASN1_OBJECT(NULL, &p, (long)n);

	(void)snprintf(out, size, "EC %s",
	    curve != NULL ? OBJ_nid2sn(OBJ_obj2nid(curve)) : "of some curve");
	ASN1_OBJECT_free(curve);
	ERR_clear_error();
}

static void
read_object(const struct place *at, ck_t class, struct inventory_object *o)
{
	ck_t type = (ck_t)-1;

	memset(o, 0, sizeof(*o));
	(void)attribute(at, CKA_LABEL, o->label, sizeof(o->label) - 1);
	o->nid = attribute(at, CKA_ID, o->id, sizeof(o->id));
	if (class == CKO_CERTIFICATE) {
		o->nder = attribute(at, CKA_VALUE, o->der, sizeof(o->der));
		return;
	}
	(void)attribute(at, CKA_KEY_TYPE, &type, sizeof(type));
	if (type == CKK_RSA)
		describe_rsa(at, o->kind, sizeof(o->kind));
	else if (type == CKK_EC)
		describe_ec(at, o->kind, sizeof(o->kind));
	else
		(void)snprintf(o->kind, sizeof(o->kind), "of type %#lx", type);
	o->signs = is_true(at, CKA_SIGN);
	o->extractable = is_true(at, CKA_EXTRACTABLE);
	o->always = is_true(at, CKA_ALWAYS_AUTHENTICATE);
}

ck_t
inventory_objects(const struct cryptoki *p, ck_t session, ck_t class,
    void (*each)(void *cookie, const struct inventory_object *object),
    void *cookie)
{
	struct ck_attribute wanted = { CKA_CLASS, &class, sizeof(class) };
	struct inventory_object object;
	struct place at = { p, session, 0 };
	ck_t objects[OBJECTS_MAX];
	ck_t i, n = 0;
	ck_t rv;

	rv = p->find_init(session, &wanted, 1);
	if (rv != CKR_OK)
		return rv;
	rv = p->find(session, objects, OBJECTS_MAX, &n);
	(void)p->find_final(session);
	for (i = 0; rv == CKR_OK && i < n; i++) {
		at.object = objects[i];
		read_object(&at, class, &object);
		each(cookie, &object);
	}
	return rv;
}

#include "config.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

#include "keys/token/inventory.h"

#define MODULUS_MAX 2048 /* bytes */

/* An object, and who knows it. */
struct place {
	const struct cryptoki *p;
	ck_t session, object;
};

static size_t
attribute(const struct place *at, ck_t type, void *out, size_t size)
{
	return cryptoki_attribute(at->p, at->session, at->object, type, out,
	    size);
}

static bool
is_true(const struct place *at, ck_t type)
{
	return cryptoki_is_true(at->p, at->session, at->object, type);
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
	ck_t objects[CRYPTOKI_OBJECTS];
	ck_t i, n;
	ck_t rv = cryptoki_find(p, session, &wanted, 1, objects, &n);

	for (i = 0; rv == CKR_OK && i < n; i++) {
		at.object = objects[i];
		read_object(&at, class, &object);
		each(cookie, &object);
	}
	return rv;
}

#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "keys/token/cryptoki.h"

struct cryptoki *
cryptoki_load(const char *path, struct ht_error *e)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct cryptoki *p = NULL;
	cryptoki_get *get;

	if (library == NULL) {
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE, "%s", dlerror());
		return NULL;
	}
	get = (cryptoki_get *)dlsym(library, "C_GetFunctionList");
	if (get != NULL && get(&p) == CKR_OK && p != NULL)
		return p;
	(void)ht_error_set(e, HT_ERR_UNAVAILABLE, "%s is no PKCS#11 module",
	    path);
	return NULL;
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
cryptoki_token(const struct cryptoki *p, ck_t slot,
    struct cryptoki_token *token)
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

ck_t
cryptoki_find(const struct cryptoki *p, ck_t session,
    struct ck_attribute *wanted, ck_t nwanted, ck_t objects[CRYPTOKI_OBJECTS],
    ck_t *n)
{
	ck_t rv = p->find_init(session, wanted, nwanted);

	*n = 0;
	if (rv != CKR_OK)
		return rv;
	rv = p->find(session, objects, CRYPTOKI_OBJECTS, n);
	(void)p->find_final(session);
	return rv;
}

size_t
cryptoki_attribute(const struct cryptoki *p, ck_t session, ck_t object,
    ck_t type, void *out, size_t size)
{
	struct ck_attribute a = { type, out, size };

	if (p->get_attribute_value(session, object, &a, 1) != CKR_OK ||
	    a.n > size)
		return 0;
	return a.n;
}

bool
cryptoki_is_true(const struct cryptoki *p, ck_t session, ck_t object, ck_t type)
{
	unsigned char value = 0;

	return cryptoki_attribute(p, session, object, type, &value, 1) == 1 &&
	    value != 0;
}

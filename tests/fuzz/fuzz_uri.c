/*
 * PKCS#11 URIs of keys, over one input.  Written out again with every byte
 * escaped, what was read must be read as the same.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "keys/token/uri.h"
#include "lib/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
put(struct buf *out, const char *name, const struct uri_value *v)
{
	size_t i;

	if (!v->given)
		return;
	if (v->n >= URI_VALUE || v->bytes[v->n] != '\0' ||
	    !uri_fits(v, v->bytes, v->n))
		abort();
	buf_format(out, "%s=", name);
	for (i = 0; i < v->n; i++)
		buf_format(out, "%%%02x", v->bytes[i]);
	buf_u8(out, ';');
}

static void
write_again(const struct uri *uri, struct buf *out)
{
	buf_format(out, "pkcs11:");
	put(out, "token", &uri->token);
	put(out, "manufacturer", &uri->manufacturer);
	put(out, "model", &uri->model);
	put(out, "serial", &uri->serial);
	put(out, "object", &uri->object);
	put(out, "id", &uri->id);
	buf_u8(out, '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct uri nothing;
	struct buf again = BUF_INIT;
	struct uri uri, same;
	struct ht_error e;
	char *text = malloc(n + 1);

	if (text == NULL)
		return 0;
	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	memset(&same, 0, sizeof(same));
	if (uri_parse(text, &uri, &e) == 0) {
		write_again(&uri, &again);
		if (buf_failed(&again) < 0 ||
		    uri_parse((const char *)again.data, &same, &e) < 0 ||
		    memcmp(&uri, &same, sizeof(uri)) != 0)
			abort();
	} else if (memcmp(&uri, &nothing, sizeof(uri)) != 0) {
		abort();
	}
	buf_free(&again);
	free(text);
	return 0;
}

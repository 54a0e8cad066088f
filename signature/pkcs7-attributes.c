#include "config.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "signature/pkcs7-private.h"
#include "signature/utf16.h"
#include "signature/x509.h"

const ASN1_TYPE *
pkcs7_signed_value(const struct pkcs7 *p7, const char *oid, int type)
{
	STACK_OF(X509_ATTRIBUTE) *all = p7->info->signed_attributes;
	X509_ATTRIBUTE *found = NULL;
	X509_ATTRIBUTE *attribute;
	const ASN1_TYPE *value;
	int i;

	for (i = 0; i < sk_X509_ATTRIBUTE_num(all); i++) {
		attribute = sk_X509_ATTRIBUTE_value(all, i);
		if (!spc_is_object(X509_ATTRIBUTE_get0_object(attribute), oid))
			continue;
		if (found != NULL || X509_ATTRIBUTE_count(attribute) != 1)
			return NULL;
		found = attribute;
	}
	if (found == NULL)
		return NULL;
	value = X509_ATTRIBUTE_get0_type(found, 0);
	return value != NULL && ASN1_TYPE_get(value) == type ? value : NULL;
}

/*
 * Convert to a C string.  A NUL must not hide what follows it, so it becomes
 * U+FFFD, which stands for what cannot be shown.
 */
static char *
text_of(const ASN1_STRING *string, bool is_utf16)
{
	const unsigned char *p = ASN1_STRING_get0_data(string);
	size_t n = (size_t)ASN1_STRING_length(string);
	struct buf utf8 = BUF_INIT;
	struct buf shown = BUF_INIT;
	char *text = NULL;
	size_t i;

	if (is_utf16)
		utf16_to_utf8(p, n, &utf8);
	else
		buf_bytes(&utf8, p, n);
	for (i = 0; i < utf8.len; i++) {
		if (utf8.data[i] == '\0')
			buf_bytes(&shown, "\xef\xbf\xbd", 3);
		else
			buf_u8(&shown, utf8.data[i]);
	}
	buf_u8(&shown, '\0');
	if (buf_failed(&utf8) == 0 && buf_failed(&shown) == 0)
		text = strdup((const char *)shown.data);
	buf_free(&utf8);
	buf_free(&shown);
	return text;
}

int
pkcs7_read_texts(struct pkcs7 *p7, struct ht_error *e)
{
	const ASN1_TYPE *value;
	SPC_SP_OPUS_INFO *opus = NULL;
	const SPC_STRING *name;
	const SPC_LINK *link;

	value = pkcs7_signed_value(p7, OID_SPC_SP_OPUS_INFO, V_ASN1_SEQUENCE);
	if (value != NULL)
		opus = ASN1_TYPE_unpack_sequence(
		    ASN1_ITEM_rptr(SPC_SP_OPUS_INFO), value);
	name = opus != NULL ? opus->program_name : NULL;
	link = opus != NULL ? opus->more_info : NULL;
	if (name != NULL && name->type == SPC_STRING_UNICODE)
		p7->description = text_of(name->value.unicode, true);
	else if (name != NULL)
		p7->description = text_of(name->value.ascii, false);
	else
		p7->description = strdup("");
	if (link != NULL && link->type == SPC_LINK_URL)
		p7->url = text_of(link->value.url, false);
	else
		p7->url = strdup("");
	p7->subject =
	    p7->signer != NULL ? x509_subject(p7->signer) : strdup("");
	SPC_SP_OPUS_INFO_free(opus);
	ERR_clear_error();
	if (p7->subject == NULL || p7->description == NULL || p7->url == NULL)
		return ht_error_memory(e);
	return 0;
}

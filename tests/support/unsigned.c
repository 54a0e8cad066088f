#include "config.h"

#include <stdlib.h>

#include "signature/cms-asn1.h"
#include "tests/support/unsigned.h"

SIGNED_DATA *
unsigned_unpack(const struct buf *der)
{
	const unsigned char *p = der->data;
	CONTENT_INFO *info = d2i_CONTENT_INFO(NULL, &p, (long)der->len);
	SIGNED_DATA *data;

	if (info == NULL)
		abort();
	data = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SIGNED_DATA),
	    info->content);
	if (data == NULL)
		abort();
	CONTENT_INFO_free(info);
	return data;
}

void
unsigned_pack(SIGNED_DATA *data, struct buf *der)
{
	CONTENT_INFO *info = CONTENT_INFO_new();
	unsigned char *p = NULL;
	int n;

	info->type = OBJ_nid2obj(NID_pkcs7_signed);
	if (ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SIGNED_DATA), data,
	        &info->content) == NULL)
		abort();
	n = i2d_CONTENT_INFO(info, &p);
	buf_reset(der);
	buf_bytes(der, p, (size_t)n);
	OPENSSL_free(p);
	CONTENT_INFO_free(info);
}

void
unsigned_add(struct buf *der, const char *oid, int type, const void *value,
    size_t n)
{
	SIGNED_DATA *data = unsigned_unpack(der);
	SIGNER_INFO *info = sk_SIGNER_INFO_value(data->signers, 0);
	X509_ATTRIBUTE *attribute = X509_ATTRIBUTE_new();
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

	if (object == NULL ||
	    X509_ATTRIBUTE_set1_object(attribute, object) != 1 ||
	    (type != V_ASN1_UNDEF &&
	        X509_ATTRIBUTE_set1_data(attribute, type, value, (int)n) != 1))
		abort();
	if (info->unsigned_attributes == NULL)
		info->unsigned_attributes = sk_X509_ATTRIBUTE_new_null();
	if (sk_X509_ATTRIBUTE_push(info->unsigned_attributes, attribute) <= 0)
		abort();
	unsigned_pack(data, der);
	ASN1_OBJECT_free(object);
	SIGNED_DATA_free(data);
}

void
unsigned_signature(const struct buf *der, struct buf *out)
{
	SIGNED_DATA *data = unsigned_unpack(der);
	SIGNER_INFO *info = sk_SIGNER_INFO_value(data->signers, 0);

	buf_bytes(out, ASN1_STRING_get0_data(info->signature),
	    (size_t)ASN1_STRING_length(info->signature));
	SIGNED_DATA_free(data);
}

#include "config.h"

#include "signature/der.h"
#include "signature/x509-only.h"

/* CertificateChoices (RFC 5652 10.2.2) */
#define ATTRIBUTE_CERTIFICATE_V1 DER_CONTEXT(1)
#define ATTRIBUTE_CERTIFICATE_V2 DER_CONTEXT(2)

/* The values from outside to inside, each the last one in the one before. */
struct parts {
	struct der info; /* ContentInfo */
	struct der type;
	struct der content; /* [0] EXPLICIT */
	struct der data;    /* SignedData */
	struct der certificates;
	struct cursor behind; /* them, in data */
};

static bool
find_parts(struct cursor der, struct parts *p)
{
	struct cursor in;

	if (der_expect(&der, DER_SEQUENCE, &p->info, NULL) < 0 || der.left > 0)
		return false;
	in = p->info.value;
	if (der_expect(&in, DER_OBJECT, &p->type, NULL) < 0 ||
	    der_expect(&in, DER_CONTEXT(0), &p->content, NULL) < 0 ||
	    in.left > 0)
		return false;
	in = p->content.value;
	if (der_expect(&in, DER_SEQUENCE, &p->data, NULL) < 0 || in.left > 0)
		return false;
	p->behind = p->data.value;
	while (!der_is_next(&p->behind, DER_CONTEXT(0))) {
		if (der_next(&p->behind, &p->certificates, NULL) < 0)
			return false;
	}
	return der_next(&p->behind, &p->certificates, NULL) == 0;
}

/*
 * Append the set without attribute certificates, and these to left_out.
 */
static void
filter(struct cursor set, struct buf *out, struct buf *left_out)
{
	struct der choice;

	while (der_next(&set, &choice, NULL) == 0) {
		if (choice.tag != ATTRIBUTE_CERTIFICATE_V1 &&
		    choice.tag != ATTRIBUTE_CERTIFICATE_V2) {
			buf_bytes(out, choice.whole.p, choice.whole.left);
			continue;
		}
		der_put_header(left_out, DER_SEQUENCE, choice.value.left);
		buf_bytes(left_out, choice.value.p, choice.value.left);
	}
	/* What is no DER is left for others to refuse. */
	buf_bytes(out, set.p, set.left);
}

static void
put(const struct parts *p, const struct buf *set, struct buf *out)
{
	size_t before = (size_t)(p->certificates.whole.p - p->data.value.p);
	size_t data = before + der_size(set->len) + p->behind.left;
	size_t content = der_size(data);

	buf_reserve(out, der_size(p->type.whole.left + der_size(content)));
	der_put_header(out, DER_SEQUENCE,
	    p->type.whole.left + der_size(content));
	buf_bytes(out, p->type.whole.p, p->type.whole.left);
	der_put_header(out, DER_CONTEXT(0), content);
	der_put_header(out, DER_SEQUENCE, data);
	buf_bytes(out, p->data.value.p, before);
	der_put_header(out, DER_CONTEXT(0), set->len);
	buf_bytes(out, set->data, set->len);
	buf_bytes(out, p->behind.p, p->behind.left);
}

int
x509_only(struct cursor der, struct buf *out, struct buf *left_out,
    struct ht_error *e)
{
	struct buf set = BUF_INIT;
	struct parts parts;
	int rc = 0;

	if (find_parts(der, &parts))
		filter(parts.certificates.value, &set, left_out);
	if (left_out->len > 0)
		put(&parts, &set, out);
	if (buf_failed(&set) < 0 || buf_failed(out) < 0 ||
	    buf_failed(left_out) < 0)
		rc = ht_error_memory(e);
	buf_free(&set);
	return rc;
}

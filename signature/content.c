#include "config.h"

#include <string.h>

#include "signature/cms-asn1.h"
#include "signature/content.h"
#include "signature/ctl.h"
#include "signature/spc-asn1.h"

const char *
content_type(const char *format)
{
	return strcmp(format, CONTENT_CAT) == 0 ? OID_CTL
	                                        : OID_SPC_INDIRECT_DATA;
}

int
content_parse(const char *format, const void *der, size_t n,
    const char *algorithm, struct spc_digest *digest, struct ht_error *e)
{
	int rc;

	if (strcmp(format, CONTENT_CAT) != 0)
		return spc_parse(format, der, n, digest, e);
	memset(digest, 0, sizeof(*digest));
	rc = ctl_parse(der, n, e);
	if (rc < 0)
		return rc;
	return content_digest(der, n, algorithm == NULL ? "sha256" : algorithm,
	    digest, e);
}

int
content_read(const char *format, const struct pkcs7 *p7,
    struct spc_digest *digest, struct ht_error *e)
{
	struct cursor content = pkcs7_content(p7);
	const char *type = content_type(format);

	memset(digest, 0, sizeof(*digest));
	if (pkcs7_type(p7) == NULL || strcmp(pkcs7_type(p7), type) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: its content is not of the type of format %s",
		    format);
	if (strcmp(format, CONTENT_CAT) != 0)
		return spc_read(format, content.p, content.left, digest, e);
	if (pkcs7_algorithm(p7) == NULL)
		return ht_error_set(e, HT_ERR_DATA, "%s", pkcs7_problem(p7, 0));
	return content_digest(content.p, content.left, pkcs7_algorithm(p7),
	    digest, e);
}

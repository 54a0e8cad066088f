/*
 * DER from outside: what a shell sends to keyd, what keyd sends to a shell,
 * and what a signed file holds.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "signature/chain.h"
#include "signature/content.h"
#include "signature/init.h"
#include "signature/pkcs7-info.h"
#include "signature/pkcs7.h"
#include "signature/spc-pages.h"
#include "signature/spc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/*
 * The content again, from what was read of it.
 */
static void
encode(const uint8_t *p, size_t n, struct buf *out)
{
	struct spc_digest digest;
	struct cursor list;
	uint8_t *room;
	int rc;

	if (!spc_pages_is(p, n)) {
		rc = spc_parse("pe", p, n, &digest, NULL);
		if (rc == 0)
			rc = spc_encode("pe", &digest, out, NULL);
	} else {
		rc = spc_pages_parse(p, n, &digest, &list, NULL);
		if (rc == 0)
			rc = spc_pages_start(list.left, out, &room, NULL);
		if (rc == 0) {
			memcpy(room, list.p, list.left);
			rc = spc_pages_finish(&digest, out, NULL);
		}
	}
	if (rc < 0)
		abort();
}

static void
try_content(const uint8_t *p, size_t n)
{
	struct spc_digest digest;
	struct spc_digest read;
	struct buf again = BUF_INIT;

	if (spc_read("pe", p, n, &read, NULL) < 0)
		read.length = 0;
	if (spc_parse("pe", p, n, &digest, NULL) < 0)
		return;
	encode(p, n, &again);
	if (again.len != n || memcmp(again.data, p, n) != 0 ||
	    read.length != digest.length)
		abort();
	buf_free(&again);
}

static void
try_pkcs7(const uint8_t *p, size_t n)
{
	struct pkcs7 *p7;
	struct ht_error e;
	struct cursor content;

	if (pkcs7_parse(p, n, &p7, &e) < 0)
		return;
	content = pkcs7_content(p7);
	try_content(content.p, content.left);
	(void)pkcs7_verify(p7, &e);
	(void)pkcs7_postflight(p, n, content.p, content.left, &e);
	if (strlen(pkcs7_subject(p7)) > n * 8 ||
	    strlen(pkcs7_description(p7)) > n * 8 ||
	    strlen(pkcs7_url(p7)) > n * 8)
		abort();
	pkcs7_free(p7);
}

/*
 * What is only shown is never more than what is accepted.
 */
static void
try_read(const uint8_t *p, size_t n)
{
	struct pkcs7_certificate certificate;
	struct spc_digest said;
	struct cursor content;
	struct pkcs7 *p7;
	struct pkcs7 *parsed;
	size_t i;

	if (pkcs7_read(p, n, &p7, NULL) < 0)
		return;
	content = pkcs7_content(p7);
	if (spc_show(content.p, content.left, &said, NULL) < 0 &&
	    said.length > 0)
		abort();
	(void)content_read("pe", p7, &said, NULL);
	(void)content_read(CONTENT_CAT, p7, &said, NULL);
	for (i = 0; pkcs7_certificate(p7, i, &certificate, NULL) > 0; i++)
		pkcs7_certificate_clear(&certificate);
	(void)pkcs7_signing_time(p7);
	if ((pkcs7_parse(p, n, &parsed, NULL) == 0) !=
	        (pkcs7_problem(p7, 0) == NULL) ||
	    (parsed == NULL && pkcs7_verify(p7, NULL) == 0))
		abort();
	pkcs7_free(parsed);
	pkcs7_free(p7);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool started;
	struct chain *chain;
	struct ht_error e;

	if (!started && authenticode_init(&e) < 0)
		abort();
	started = true;
	try_content(p, n);
	try_pkcs7(p, n);
	try_read(p, n);
	if (chain_load(p, n, &chain, &e) == 0)
		chain_free(chain);
	return 0;
}

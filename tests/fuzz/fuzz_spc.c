/*
 * DER from outside: what a shell sends to keyd, what keyd sends to a shell,
 * and what a signed file holds.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "authenticode/chain.h"
#include "authenticode/init.h"
#include "authenticode/pkcs7.h"
#include "authenticode/spc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

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
	if (spc_encode("pe", &digest, &again, NULL) < 0 || again.len != n ||
	    memcmp(again.data, p, n) != 0 || read.length != digest.length)
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
	if (chain_load(p, n, &chain, &e) == 0)
		chain_free(chain);
	return 0;
}

/*
 * Everything of keys/sshcert/ that reads what a stranger may send, over one
 * input: certificates, keys, key files, address lists, tickets.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "keys/sshcert/sshcert.h"
#include "keys/sshcert/sshkey-format.h"
#include "keys/sshcert/ticket.h"

#define NOW UINT64_C(1780000000)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was read must stand a check by the CA that it names. */
static void
use_cert(struct sshcert *cert)
{
	struct sshcert_authority authority;
	struct sshkey *ca;
	struct ht_error e;
	const char *reason;

	if (cert == NULL)
		return;
	ca = sshkey_parse(sshcert_ca(cert), &e);
	if (ca != NULL) {
		authority.key = ca;
		authority.admin = sshcert_principal(cert)->role != NAMES_CLIENT;
		(void)sshcert_check(cert, &authority, 1, NOW, "192.0.2.1",
		    &reason, &e);
	}
	sshkey_free(ca);
	sshcert_free(cert);
}

/* A key has one encoding. */
static void
use_key(struct sshkey *key)
{
	struct sshkey *again;
	struct ht_error e;

	if (key == NULL)
		return;
	again = sshkey_parse(sshkey_blob(key), &e);
	if (again == NULL || !sshkey_equal(key, again))
		abort();
	sshkey_free(again);
	sshkey_free(key);
}

static void
use_text(const char *text)
{
	static const uint8_t key[TICKET_KEY_SIZE];
	struct ticket ticket;
	struct ht_error e;
	const char *reason;

	(void)sshcert_address_in(text, "192.0.2.1");
	(void)sshcert_address_in("192.0.2.0/24,2001:db8::/32", text);
	(void)ticket_open(key, text, &ticket, &reason, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor in = cursor_over(p, n);
	struct buf blob = BUF_INIT;
	struct ht_error e;
	const char *reason;
	char text[512];

	use_cert(sshcert_parse(in, &reason, &e));
	if (sshkey_line_blob(in, &blob, &e) == 0)
		use_cert(sshcert_parse(buf_cursor(&blob), &reason, &e));
	buf_free(&blob);
	use_key(sshkey_parse(in, &e));
	use_key(sshkey_parse_line(in, &e));
	sshkey_private_free(sshkey_private_load(in, &e));
	if (n < sizeof(text)) {
		memcpy(text, p, n);
		text[n] = '\0';
		use_text(text);
	}
	return 0;
}

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "keys/sshcert/sshkey-format.h"
#include "keys/sshcert/ticket.h"
#include "lib/base64.h"
#include "lib/error.h"
#include "tests/support/no_memory.h"

#define NOW UINT64_C(1780000000)

static const uint8_t key[TICKET_KEY_SIZE] = { 1, 2, 3 };

static struct sshkey_private *ca;
static struct sshcert *cert;  /* client:ci, serial 7 */
static struct sshcert *other; /* the same but for its nonce */
static struct sshcert *admin; /* role:admin */

static struct sshcert *
read_line(const struct buf *line)
{
	struct buf blob = BUF_INIT;
	struct sshcert *issued = NULL;
	struct ht_error e;
	const char *reason;

	if (sshkey_line_blob(buf_cursor(line), &blob, &e) == 0)
		issued = sshcert_parse(buf_cursor(&blob), &reason, &e);
	buf_free(&blob);
	return issued;
}

static struct sshcert *
issue(enum names_role role, const char *name)
{
	struct sshcert_request request = {
		.key = sshkey_private_public(ca),
		.principal = { role, "" },
		.person = "ci",
		.serial = 7,
		.valid_after = NOW,
		.valid_before = NOW + 3600,
	};
	struct buf line = BUF_INIT;
	struct sshcert *issued = NULL;
	struct ht_error e;

	(void)snprintf(request.principal.client, NAMES_SIZE, "%s", name);
	if (sshcert_issue(ca, &request, &line, &e) == 0)
		issued = read_line(&line);
	buf_free(&line);
	return issued;
}

/* A key that OpenSSL makes, through its PEM form. */
static struct sshkey_private *
make_ca(void)
{
	struct sshkey_private *made = NULL;
	struct ht_error e;
	EVP_PKEY *evp;
	BIO *bio;
	char *pem;
	long n;

	evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bio = BIO_new(BIO_s_mem());
	if (evp != NULL && bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, evp, NULL, NULL, 0, NULL, NULL)) {
		n = BIO_get_mem_data(bio, &pem);
		made = sshkey_private_load(cursor_over(pem, (size_t)n), &e);
	}
	BIO_free(bio);
	EVP_PKEY_free(evp);
	return made;
}

static int
setup(void **state)
{
	(void)state;
	ca = make_ca();
	if (ca == NULL)
		return 1;
	cert = issue(NAMES_CLIENT, "ci");
	other = issue(NAMES_CLIENT, "ci");
	admin = issue(NAMES_ADMIN, "");
	return cert == NULL || other == NULL || admin == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	sshcert_free(cert);
	sshcert_free(other);
	sshcert_free(admin);
	sshkey_private_free(ca);
	return 0;
}

static void
make(const struct sshcert *of, char text[TICKET_TEXT_SIZE])
{
	struct ht_error e;

	assert_int_equal(ticket_make(key, of, NOW, text, &e), 0);
}

static void
expect_refused(const uint8_t with[TICKET_KEY_SIZE], const char *text,
    const char *word)
{
	struct ticket t;
	struct ht_error e;
	const char *reason;

	memset(&t, 0x55, sizeof(t));
	assert_int_equal(ticket_open(with, text, &t, &reason, &e),
	    HT_ERR_DENIED);
	assert_int_equal(e.code, HT_ERR_DENIED);
	assert_string_equal(reason, word);
	assert_int_equal(t.serial, UINT64_C(0x5555555555555555));
}

static void
claims_come_back(void **state)
{
	char text[TICKET_TEXT_SIZE];
	struct ticket t;
	struct ht_error e;
	const char *reason;

	(void)state;
	make(cert, text);
	assert_int_equal(strspn(text,
	                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                     "abcdefghijklmnopqrstuvwxyz"
	                     "0123456789-_"),
	    strlen(text));
	assert_int_equal(ticket_open(key, text, &t, &reason, &e), 0);
	assert_null(reason);
	assert_int_equal(t.principal.role, NAMES_CLIENT);
	assert_string_equal(t.principal.client, "ci");
	assert_int_equal(t.serial, 7);
	assert_int_equal(t.expires, NOW + TICKET_LIFETIME);
	assert_true(ticket_matches(&t, cert));
	assert_false(ticket_matches(&t, other));

	make(admin, text);
	assert_int_equal(ticket_open(key, text, &t, &reason, &e), 0);
	assert_int_equal(t.principal.role, NAMES_ADMIN);
	assert_string_equal(t.principal.client, "");
}

static void
longest_name_fits(void **state)
{
	char text[TICKET_TEXT_SIZE], name[NAMES_SIZE];
	struct sshcert *longest;
	struct sshcert_request request = {
		.key = sshkey_private_public(ca),
		.serial = UINT64_MAX,
		.valid_before = SSHCERT_FOREVER,
	};
	struct buf line = BUF_INIT;
	struct ticket t;
	struct ht_error e;
	const char *reason;

	(void)state;
	memset(name, 'n', NAMES_MAX);
	name[NAMES_MAX] = '\0';
	memcpy(request.principal.client, name, sizeof(name));
	assert_int_equal(sshcert_issue(ca, &request, &line, &e), 0);
	longest = read_line(&line);
	assert_non_null(longest);
	make(longest, text);
	assert_int_equal(ticket_open(key, text, &t, &reason, &e), 0);
	assert_string_equal(t.principal.client, name);
	assert_int_equal(t.serial, UINT64_MAX);
	sshcert_free(longest);
	buf_free(&line);
}

static void
stale_after_a_minute(void **state)
{
	const struct ticket t = { .expires = NOW + TICKET_LIFETIME };

	(void)state;
	assert_true(ticket_fresh(&t, NOW));
	assert_true(ticket_fresh(&t, NOW + TICKET_LIFETIME - 1));
	assert_false(ticket_fresh(&t, NOW + TICKET_LIFETIME));
	assert_false(ticket_fresh(&t, UINT64_MAX));
	/* A clock set back does not make a ticket last. */
	assert_false(ticket_fresh(&t, NOW - 1));
	assert_false(ticket_fresh(&t, 0));
}

static void
no_two_are_the_same(void **state)
{
	char one[TICKET_TEXT_SIZE], two[TICKET_TEXT_SIZE];

	(void)state;
	make(cert, one);
	make(cert, two);
	assert_string_not_equal(one, two);
}

static void
another_start_another_key(void **state)
{
	uint8_t next[TICKET_KEY_SIZE];
	char text[TICKET_TEXT_SIZE];
	size_t bit;

	(void)state;
	make(cert, text);
	for (bit = 0; bit < sizeof(next) * 8; bit++) {
		memcpy(next, key, sizeof(next));
		next[bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect_refused(next, text, TICKET_FORGED);
	}
}

static void
every_flipped_bit_is_forged(void **state)
{
	struct buf bytes = BUF_INIT, changed = BUF_INIT;
	char text[TICKET_TEXT_SIZE];
	size_t bit;

	(void)state;
	make(cert, text);
	assert_int_equal(
	    base64_decode(cursor_over(text, strlen(text)), BASE64_URL, &bytes),
	    0);
	for (bit = 0; bit < bytes.len * 8; bit++) {
		bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		base64_encode(bytes.data, bytes.len, BASE64_URL, &changed);
		buf_u8(&changed, '\0');
		expect_refused(key, (const char *)changed.data, TICKET_FORGED);
		buf_reset(&changed);
		bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_free(&bytes);
	buf_free(&changed);
}

static void
cut_or_no_ticket_at_all(void **state)
{
	char text[TICKET_TEXT_SIZE], cut[TICKET_TEXT_SIZE];
	char endless[TICKET_TEXT_SIZE + 1];
	struct ticket t;
	struct ht_error e;
	const char *reason;
	size_t n;

	(void)state;
	make(cert, text);
	for (n = 0; n < strlen(text); n++) {
		memcpy(cut, text, n);
		cut[n] = '\0';
		assert_int_equal(ticket_open(key, cut, &t, &reason, &e),
		    HT_ERR_DENIED);
		assert_true(strcmp(reason, TICKET_MALFORMED) == 0 ||
		    strcmp(reason, TICKET_FORGED) == 0);
	}
	expect_refused(key, "", TICKET_MALFORMED);
	expect_refused(key, "a ticket", TICKET_MALFORMED);
	expect_refused(key, "AAAA", TICKET_MALFORMED);
	memset(endless, 'A', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	expect_refused(key, endless, TICKET_MALFORMED);
	/* As long as a MAC, and a byte less. */
	endless[43] = '\0';
	expect_refused(key, endless, TICKET_FORGED);
	endless[42] = '\0';
	expect_refused(key, endless, TICKET_MALFORMED);
}

/* With a MAC that is right: what another version of keyd might have made. */
static void
expect_unknown(struct buf *claims)
{
	struct buf text = BUF_INIT;
	uint8_t mac[32];

	assert_non_null(HMAC(EVP_sha256(), key, sizeof(key), claims->data,
	    claims->len, mac, NULL));
	buf_bytes(claims, mac, sizeof(mac));
	base64_encode(claims->data, claims->len, BASE64_URL, &text);
	buf_u8(&text, '\0');
	expect_refused(key, (const char *)text.data, TICKET_MALFORMED);
	buf_free(&text);
	buf_reset(claims);
}

static void
put_claims(struct buf *b, uint8_t version, const char *principal)
{
	buf_u8(b, version);
	buf_text(b, principal);
	buf_u64be(b, 7);
	buf_zeros(b, SSHCERT_SHA256);
	buf_u64be(b, NOW + 1);
	buf_zeros(b, TICKET_NONCE);
}

static void
other_versions_refused(void **state)
{
	struct buf claims = BUF_INIT;

	(void)state;
	put_claims(&claims, 1, "client:ci");
	expect_unknown(&claims);
	put_claims(&claims, 2, "ci");
	expect_unknown(&claims);
	put_claims(&claims, 2, "client:ci");
	buf_u8(&claims, 0);
	expect_unknown(&claims);
	put_claims(&claims, 2, "client:ci");
	claims.len--;
	expect_unknown(&claims);
	buf_free(&claims);
}

static void
two_tickets_are_never_the_same(void **state)
{
	char text[2][TICKET_TEXT_SIZE];
	struct ticket t[2];
	struct ht_error e;
	const char *reason;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make(cert, text[i]);
		assert_int_equal(ticket_open(key, text[i], &t[i], &reason, &e),
		    0);
	}
	assert_memory_not_equal(t[0].nonce, t[1].nonce, TICKET_NONCE);
}

/* --- what may fail ------------------------------------------------------- */

/* How HMAC fails: not at all, by saying so, or with another length. */
static enum { HMAC_WORKS, HMAC_FAILS, HMAC_IS_SHORT } hmac;

unsigned char *__real_HMAC(const EVP_MD *md, const void *k, int nk,
    const unsigned char *data, size_t n, unsigned char *mac, unsigned int *len);
unsigned char *__wrap_HMAC(const EVP_MD *md, const void *k, int nk,
    const unsigned char *data, size_t n, unsigned char *mac, unsigned int *len);

unsigned char *
__wrap_HMAC(const EVP_MD *md, const void *k, int nk, const unsigned char *data,
    size_t n, unsigned char *mac, unsigned int *len)
{
	unsigned char *made = __real_HMAC(md, k, nk, data, n, mac, len);

	if (hmac == HMAC_IS_SHORT)
		--*len;
	return hmac == HMAC_FAILS ? NULL : made;
}

static void
without_hmac_there_is_no_ticket(void **state)
{
	char text[TICKET_TEXT_SIZE], again[TICKET_TEXT_SIZE];
	struct ticket t;
	struct ht_error e;
	const char *reason;

	(void)state;
	make(cert, text);
	for (hmac = HMAC_FAILS; hmac <= HMAC_IS_SHORT; hmac++) {
		again[0] = '\0';
		assert_int_equal(ticket_make(key, cert, NOW, again, &e),
		    HT_ERR_INTERNAL);
		assert_string_equal(e.text, "HMAC-SHA256 failed");
		assert_string_equal(again, "");
		assert_int_equal(ticket_open(key, text, &t, &reason, &e),
		    HT_ERR_INTERNAL);
		assert_string_equal(reason, SSHCERT_INTERNAL);
	}
	hmac = HMAC_WORKS;
}

static void
without_memory_there_is_no_ticket(void **state)
{
	char text[TICKET_TEXT_SIZE];
	struct ticket t;
	struct ht_error e;
	const char *reason;
	unsigned int n;
	int rc;

	(void)state;
	for (n = 1;; n++) {
		no_memory_at(n);
		rc = ticket_make(key, cert, NOW, text, &e);
		if (!no_memory_met())
			break;
		assert_int_equal(rc, HT_ERR_INTERNAL);
		assert_string_equal(e.text, "no room for a ticket");
	}
	assert_int_equal(rc, 0);
	assert_true(n > 2);
	no_memory_at(1);
	assert_int_equal(ticket_open(key, text, &t, &reason, &e),
	    HT_ERR_INTERNAL);
	assert_string_equal(reason, SSHCERT_INTERNAL);
	assert_true(no_memory_met());
	no_memory_at(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_come_back),
		cmocka_unit_test(longest_name_fits),
		cmocka_unit_test(stale_after_a_minute),
		cmocka_unit_test(no_two_are_the_same),
		cmocka_unit_test(another_start_another_key),
		cmocka_unit_test(every_flipped_bit_is_forged),
		cmocka_unit_test(cut_or_no_ticket_at_all),
		cmocka_unit_test(other_versions_refused),
		cmocka_unit_test(two_tickets_are_never_the_same),
		cmocka_unit_test(without_hmac_there_is_no_ticket),
		cmocka_unit_test(without_memory_there_is_no_ticket),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

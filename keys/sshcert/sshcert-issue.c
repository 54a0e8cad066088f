#include "config.h"

#include <inttypes.h>

#include <openssl/rand.h>

#include "keys/sshcert/sshcert.h"
#include "keys/sshcert/sshkey-format.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/error.h"

#define NONCE_SIZE 32

/* A string that holds one string. */
static void
put_wrapped(struct buf *b, const char *text)
{
	struct buf inner = BUF_INIT;

	buf_text(&inner, text);
	if (buf_failed(&inner) < 0)
		b->failed = true;
	buf_string(b, inner.data, inner.len);
	buf_free(&inner);
}

/* Append an option or an extension, if it has a value. */
static void
put_option(struct buf *options, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_text(options, name);
	put_wrapped(options, value);
}

/* Append a list of options, and free it. */
static void
put_list(struct buf *b, struct buf *options)
{
	if (buf_failed(options) < 0)
		b->failed = true;
	buf_string(b, options->data, options->len);
	buf_free(options);
}

/* The critical options, then the extensions, by name. */
static void
put_options(struct buf *b, const struct sshcert_request *request)
{
	struct buf critical = BUF_INIT, extensions = BUF_INIT;
	char uses[16];

	(void)snprintf(uses, sizeof(uses), "%" PRIu32, request->uses);
	put_option(&critical, "source-address", request->source_address);
	put_option(&extensions, "profile@htsign", request->profile);
	put_option(&extensions, "uses@htsign", request->uses > 0 ? uses : NULL);
	put_list(b, &critical);
	put_list(b, &extensions);
}

/* Put everything that is signed, in the order of PROTOCOL.certkeys. */
static int
put_claims(struct buf *b, const struct sshkey *ca,
    const struct sshcert_request *request, const char *key_id)
{
	const struct sshkey *key = request->key;
	char principal[NAMES_PRINCIPAL_SIZE];
	uint8_t *nonce;

	names_principal_format(&request->principal, principal);
	buf_text(b, key->format->cert_name);
	buf_u32be(b, NONCE_SIZE);
	nonce = buf_room(b, NONCE_SIZE);
	if (nonce == NULL || RAND_bytes(nonce, NONCE_SIZE) != 1)
		return HT_ERR_INTERNAL;
	buf_bytes(b, key->blob + key->body, key->blob_len - key->body);
	buf_u64be(b, request->serial);
	buf_u32be(b, SSHKEY_CERT_USER);
	buf_text(b, key_id);
	put_wrapped(b, principal);
	buf_u64be(b, request->valid_after);
	buf_u64be(b, request->valid_before);
	put_options(b, request);
	buf_u32be(b, 0); /* reserved */
	buf_string(b, ca->blob, ca->blob_len);
	return buf_failed(b);
}

static int
sign_claims(const struct sshkey_private *ca, struct buf *blob,
    struct ht_error *e)
{
	struct buf signature = BUF_INIT;
	int rc;

	rc = sshkey_private_sign(ca, buf_cursor(blob), &signature, e);
	if (rc == 0)
		buf_string(blob, signature.data, signature.len);
	buf_free(&signature);
	return rc == 0 ? buf_failed(blob) : rc;
}

/* Refuse to issue what sshcert_parse would refuse. */
static int
check_issued(const struct buf *blob, struct ht_error *e)
{
	struct ht_error why;
	struct sshcert *cert;
	const char *reason;

	cert = sshcert_parse(buf_cursor(blob), &reason, &why);
	sshcert_free(cert);
	if (cert == NULL)
		return ht_error_set(e,
		    why.code == HT_ERR_DATA ? HT_ERR_USAGE : why.code, "%s",
		    why.text);
	return 0;
}

int
sshcert_issue(const struct sshkey_private *ca,
    const struct sshcert_request *request, struct buf *line, struct ht_error *e)
{
	struct buf blob = BUF_INIT;
	char key_id[SSHCERT_KEY_ID_SIZE];
	const char *person = request->person;
	int rc;

	if (person == NULL)
		person = request->principal.client;
	if (!names_valid(person))
		return ht_error_set(e, HT_ERR_USAGE,
		    "the key id of a certificate needs a name");
	(void)snprintf(key_id, sizeof(key_id), "%s/%" PRIu64, person,
	    request->serial);
	if (put_claims(&blob, ca->public, request, key_id) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "a certificate could not be put together");
	else
		rc = sign_claims(ca, &blob, e);
	if (rc == 0)
		rc = check_issued(&blob, e);
	if (rc == 0) {
		buf_format(line, "%s ", request->key->format->cert_name);
		base64_encode(blob.data, blob.len, BASE64_STANDARD, line);
		buf_format(line, " %s", key_id);
		if (buf_failed(line) < 0)
			rc = ht_error_memory(e);
	}
	buf_free(&blob);
	return rc;
}

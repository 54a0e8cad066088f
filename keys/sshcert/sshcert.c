#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "keys/sshcert/sshcert.h"
#include "keys/sshcert/sshkey-format.h"
#include "lib/buf.h"
#include "lib/error.h"

/* The nonces that we have seen have 16 or 32 bytes. */
#define NONCE_MAX 128

#define OURS "@htsign"

/* Room for a source-address list. */
#define ADDRESSES_SIZE 1024

const char sshcert_any_peer[] = "any address";

struct sshcert {
	struct sshkey *key;
	uint8_t *blob;
	size_t blob_len;
	struct cursor ca; /* these three point into blob */
	struct cursor signed_part;
	struct cursor signature;
	struct names_principal principal;
	char key_id[SSHCERT_KEY_ID_SIZE];
	char person[NAMES_SIZE];
	char source_address[ADDRESSES_SIZE]; /* "" if any is allowed */
	char profile[NAMES_SIZE];            /* "" if any is allowed */
	uint32_t uses;                       /* 0 if there is no limit */
	uint64_t serial;
	uint64_t valid_after;
	uint64_t valid_before;
	uint8_t sha256[SSHCERT_SHA256];
};

/*
 * Each read_* function takes one part of the certificate off *in.  *reason is
 * SSHCERT_MALFORMED when it is called and when it has succeeded.  Only for a
 * check whose failure has another word does it change *reason.
 */

static int
read_key(struct sshcert *cert, struct cursor *in, struct ht_error *e)
{
	const struct sshkey_format *format = NULL;
	struct cursor name, nonce;

	if (cursor_string(in, &name) == 0)
		format = sshkey_format_of_cert(name);
	if (format == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "not an SSH certificate of a supported type");
	if (cursor_string(in, &nonce) < 0 || nonce.left == 0 ||
	    nonce.left > NONCE_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate's nonce is missing or too long");
	cert->key = sshkey_read(format, in, e);
	return cert->key != NULL ? 0 : HT_ERR_DATA;
}

static int
read_key_id(struct sshcert *cert, struct cursor *in, const char **reason,
    struct ht_error *e)
{
	char expected[SSHCERT_KEY_ID_SIZE];
	struct cursor text;
	size_t n;

	if (cursor_string(in, &text) < 0)
		return ht_error_set(e, HT_ERR_DATA, "no key id");
	*reason = SSHCERT_KEY_ID;
	if (text.left >= sizeof(cert->key_id) ||
	    memchr(text.p, '\0', text.left) != NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "the key id is not NAME/SERIAL");
	memcpy(cert->key_id, text.p, text.left);
	n = strcspn(cert->key_id, "/");
	if (n < sizeof(cert->person))
		memcpy(cert->person, cert->key_id, n);
	(void)snprintf(expected, sizeof(expected), "%s/%" PRIu64, cert->person,
	    cert->serial);
	if (!names_valid(cert->person) || strcmp(cert->key_id, expected) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the key id \"%s\" is not NAME/%" PRIu64, cert->key_id,
		    cert->serial);
	*reason = SSHCERT_MALFORMED;
	return 0;
}

static int
read_principal(struct sshcert *cert, struct cursor *in, const char **reason,
    struct ht_error *e)
{
	struct cursor list;
	char text[NAMES_PRINCIPAL_SIZE];

	if (cursor_string(in, &list) < 0)
		return ht_error_set(e, HT_ERR_DATA, "no list of principals");
	*reason = SSHCERT_PRINCIPAL;
	if (cursor_text(&list, text, sizeof(text)) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "no principal, or one too long");
	if (cursor_end(&list) < 0)
		return ht_error_set(e, HT_ERR_DATA, "more than one principal");
	if (names_principal_parse(text, &cert->principal, NULL) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the principal \"%s\" is not one of ours", text);
	if (cert->principal.role == NAMES_CLIENT &&
	    strcmp(cert->principal.client, cert->person) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the key id \"%s\" is not of client \"%s\"", cert->key_id,
		    cert->principal.client);
	*reason = SSHCERT_MALFORMED;
	return 0;
}

static int
read_validity(struct sshcert *cert, struct cursor *in, struct ht_error *e)
{
	if (cursor_u64be(in, &cert->valid_after) < 0 ||
	    cursor_u64be(in, &cert->valid_before) < 0 ||
	    cert->valid_after >= cert->valid_before)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate's validity is missing or empty");
	return 0;
}

/* Read serial number, type, key id, principal and validity. */
static int
read_claims(struct sshcert *cert, struct cursor *in, const char **reason,
    struct ht_error *e)
{
	uint32_t type;

	if (cursor_u64be(in, &cert->serial) < 0 || cursor_u32be(in, &type) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate is cut off");
	if (type != SSHKEY_CERT_USER) {
		*reason = SSHCERT_NOT_USER;
		return ht_error_set(e, HT_ERR_DATA,
		    "not the certificate of a user");
	}
	if (read_key_id(cert, in, reason, e) < 0 ||
	    read_principal(cert, in, reason, e) < 0 ||
	    read_validity(cert, in, e) < 0)
		return HT_ERR_DATA;
	return 0;
}

/*
 * Take the next option off a list.  Names must be in ascending order, without
 * duplicates, so that none is empty.  The value is empty, or a string within a
 * string.
 */
static int
next_option(struct cursor *list, struct cursor *name, struct cursor *value)
{
	struct cursor last = *name, wrapped;
	size_t shorter;
	int order;

	if (cursor_string(list, name) < 0 ||
	    memchr(name->p, '\0', name->left) != NULL ||
	    cursor_string(list, &wrapped) < 0)
		return HT_ERR_DATA;
	shorter = last.left < name->left ? last.left : name->left;
	order = shorter == 0 ? 0 : memcmp(last.p, name->p, shorter);
	if (order > 0 || (order == 0 && last.left >= name->left))
		return HT_ERR_DATA;
	*value = wrapped;
	if (wrapped.left == 0)
		return 0;
	if (cursor_string(&wrapped, value) < 0 || cursor_end(&wrapped) < 0)
		return HT_ERR_DATA;
	return 0;
}

static int
read_source_address(struct sshcert *cert, struct cursor value)
{
	if (value.left == 0 || value.left >= sizeof(cert->source_address) ||
	    memchr(value.p, '\0', value.left) != NULL)
		return HT_ERR_DATA;
	memcpy(cert->source_address, value.p, value.left);
	return sshcert_addresses_valid(cert->source_address) ? 0 : HT_ERR_DATA;
}

static int
read_critical_options(struct sshcert *cert, struct cursor *in,
    const char **reason, struct ht_error *e)
{
	struct cursor list, name = { NULL, 0 }, value;

	if (cursor_string(in, &list) < 0)
		return ht_error_set(e, HT_ERR_DATA, "no critical options");
	while (list.left > 0) {
		if (next_option(&list, &name, &value) < 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "the critical options are damaged");
		*reason = SSHCERT_OPTION;
		if (!cursor_is(name, "source-address"))
			return ht_error_set(e, HT_ERR_DATA,
			    "the critical option \"%.*s\" is not known",
			    (int)(name.left < 64 ? name.left : 64), name.p);
		if (read_source_address(cert, value) < 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "the source-address list is not valid");
		*reason = SSHCERT_MALFORMED;
	}
	return 0;
}

/* A number from 1 on, as snprintf writes it. */
static int
read_uses(struct sshcert *cert, struct cursor value)
{
	char text[16], again[16];

	if (value.left == 0 || value.left >= sizeof(text) || cert->serial == 0)
		return HT_ERR_DATA;
	memcpy(text, value.p, value.left);
	text[value.left] = '\0';
	cert->uses = (uint32_t)strtoull(text, NULL, 10);
	(void)snprintf(again, sizeof(again), "%" PRIu32, cert->uses);
	return cert->uses > 0 && cursor_is(value, again) ? 0 : HT_ERR_DATA;
}

static int
read_profile(struct sshcert *cert, struct cursor value)
{
	if (value.left >= sizeof(cert->profile))
		return HT_ERR_DATA;
	memcpy(cert->profile, value.p, value.left);
	return names_valid(cert->profile) && strlen(cert->profile) == value.left
	    ? 0
	    : HT_ERR_DATA;
}

/* One of our extensions restricts a client, so none is ignored. */
static int
read_ours(struct sshcert *cert, struct cursor name, struct cursor value)
{
	if (cert->principal.role != NAMES_CLIENT)
		return HT_ERR_DATA;
	if (cursor_is(name, "profile" OURS))
		return read_profile(cert, value);
	if (cursor_is(name, "uses" OURS))
		return read_uses(cert, value);
	return HT_ERR_DATA;
}

static bool
is_ours(struct cursor name)
{
	size_t n = sizeof(OURS) - 1;

	return name.left >= n && memcmp(name.p + name.left - n, OURS, n) == 0;
}

/* Others' extensions are ignored, but they must be well formed. */
static int
read_extensions(struct sshcert *cert, struct cursor *in, const char **reason,
    struct ht_error *e)
{
	struct cursor list, name = { NULL, 0 }, value;

	if (cursor_string(in, &list) < 0)
		return ht_error_set(e, HT_ERR_DATA, "no extensions");
	while (list.left > 0) {
		if (next_option(&list, &name, &value) < 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "the extensions are damaged");
		if (!is_ours(name) || read_ours(cert, name, value) == 0)
			continue;
		*reason = SSHCERT_EXTENSION;
		return ht_error_set(e, HT_ERR_DATA,
		    "the extension \"%.*s\" is not known or not valid here",
		    (int)(name.left < 64 ? name.left : 64), name.p);
	}
	return 0;
}

/* Read the reserved field, the CA key and the CA's signature. */
static int
read_signature(struct sshcert *cert, struct cursor *in, struct ht_error *e)
{
	struct cursor reserved;

	if (cursor_string(in, &reserved) < 0 || reserved.left != 0 ||
	    cursor_string(in, &cert->ca) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate is damaged before its CA key");
	cert->signed_part = cursor_over(cert->blob, cert->blob_len - in->left);
	if (cursor_string(in, &cert->signature) < 0 || cursor_end(in) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate is damaged in its signature");
	return 0;
}

static int
read_all(struct sshcert *cert, const char **reason, struct ht_error *e)
{
	struct cursor in = cursor_over(cert->blob, cert->blob_len);

	if (read_key(cert, &in, e) < 0 ||
	    read_claims(cert, &in, reason, e) < 0 ||
	    read_critical_options(cert, &in, reason, e) < 0 ||
	    read_extensions(cert, &in, reason, e) < 0 ||
	    read_signature(cert, &in, e) < 0)
		return HT_ERR_DATA;
	if (EVP_Digest(cert->blob, cert->blob_len, cert->sha256, NULL,
	        EVP_sha256(), NULL) != 1)
		return ht_error_set(e, HT_ERR_INTERNAL, "SHA-256 failed");
	return 0;
}

struct sshcert *
sshcert_parse(struct cursor blob, const char **reason, struct ht_error *e)
{
	struct sshcert *cert = NULL;

	*reason = SSHCERT_MALFORMED;
	if (blob.left == 0 || blob.left > SSHCERT_MAX) {
		ht_error_set(e, HT_ERR_DATA, "no certificate, or too long");
		return NULL;
	}
	cert = calloc(1, sizeof(*cert));
	if (cert != NULL)
		cert->blob = malloc(blob.left);
	if (cert == NULL || cert->blob == NULL) {
		ht_error_memory(e);
		goto fail;
	}
	memcpy(cert->blob, blob.p, blob.left);
	cert->blob_len = blob.left;
	if (read_all(cert, reason, e) < 0)
		goto fail;
	*reason = NULL;
	return cert;
fail:
	if (e->code == HT_ERR_INTERNAL)
		*reason = SSHCERT_INTERNAL;
	sshcert_free(cert);
	return NULL;
}

void
sshcert_free(struct sshcert *cert)
{
	if (cert == NULL)
		return;
	sshkey_free(cert->key);
	free(cert->blob);
	free(cert);
}

/* Return the authority that cert names and its role needs, or NULL. */
static const struct sshcert_authority *
find_authority(const struct sshcert *cert,
    const struct sshcert_authority *authorities, size_t n)
{
	bool admin = cert->principal.role != NAMES_CLIENT;
	size_t i;

	for (i = 0; i < n; i++) {
		if (authorities[i].admin == admin &&
		    sshkey_is_blob(authorities[i].key, cert->ca))
			return &authorities[i];
	}
	return NULL;
}

static int
refuse_foreign(const struct sshcert *cert, struct ht_error *e)
{
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];

	if (sshkey_blob_fingerprint(cert->ca, fingerprint, e) < 0)
		return HT_ERR_INTERNAL;
	return ht_error_set(e, HT_ERR_DENIED,
	    "the certificate is from the CA %s, which must not sign for %s",
	    fingerprint,
	    cert->principal.role == NAMES_CLIENT ? "clients"
	                                         : "administrators");
}

static int
check_time(const struct sshcert *cert, uint64_t now, const char **reason,
    struct ht_error *e)
{
	*reason = SSHCERT_NOT_YET;
	if (now < cert->valid_after)
		return ht_error_set(e, HT_ERR_DENIED,
		    "the certificate becomes valid in %" PRIu64 " s",
		    cert->valid_after - now);
	*reason = SSHCERT_EXPIRED;
	if (now >= cert->valid_before)
		return ht_error_set(e, HT_ERR_DENIED,
		    "the certificate expired %" PRIu64 " s ago",
		    now - cert->valid_before);
	return 0;
}

static int
check_address(const struct sshcert *cert, const char *peer, const char **reason,
    struct ht_error *e)
{
	*reason = SSHCERT_ADDRESS;
	if (cert->source_address[0] == '\0' || peer == sshcert_any_peer)
		return 0;
	if (peer == NULL || !sshcert_address_in(cert->source_address, peer))
		return ht_error_set(e, HT_ERR_DENIED,
		    "the certificate is not for use from %s",
		    peer == NULL ? "here" : peer);
	return 0;
}

int
sshcert_check(const struct sshcert *cert,
    const struct sshcert_authority *authorities, size_t n, uint64_t now,
    const char *peer, const char **reason, struct ht_error *e)
{
	const struct sshcert_authority *authority;
	int rc;

	authority = find_authority(cert, authorities, n);
	*reason = authority == NULL ? SSHCERT_FOREIGN_CA : SSHCERT_SIGNATURE;
	rc = authority == NULL ? refuse_foreign(cert, e)
	                       : sshkey_verify(authority->key,
	                             cert->signed_part, cert->signature, e);
	if (rc == HT_ERR_INTERNAL)
		*reason = SSHCERT_INTERNAL;
	if (rc < 0)
		return rc;
	if (check_time(cert, now, reason, e) < 0)
		return HT_ERR_DENIED;
	if (check_address(cert, peer, reason, e) < 0)
		return HT_ERR_DENIED;
	*reason = NULL;
	return 0;
}

const struct names_principal *
sshcert_principal(const struct sshcert *cert)
{
	return &cert->principal;
}

const char *
sshcert_person(const struct sshcert *cert)
{
	return cert->person;
}

uint64_t
sshcert_serial(const struct sshcert *cert)
{
	return cert->serial;
}

uint64_t
sshcert_valid_before(const struct sshcert *cert)
{
	return cert->valid_before;
}

const char *
sshcert_profile(const struct sshcert *cert)
{
	return cert->profile;
}

uint32_t
sshcert_uses(const struct sshcert *cert)
{
	return cert->uses;
}

const struct sshkey *
sshcert_key(const struct sshcert *cert)
{
	return cert->key;
}

const uint8_t *
sshcert_sha256(const struct sshcert *cert)
{
	return cert->sha256;
}

struct cursor
sshcert_ca(const struct sshcert *cert)
{
	return cert->ca;
}

bool
sshcert_is_sk(const struct sshcert *cert)
{
	return sshkey_is_sk(cert->key);
}

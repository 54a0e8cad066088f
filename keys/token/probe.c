#include "config.h"

#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "keys/token/inventory.h"
#include "keys/token/probe.h"
#include "lib/buf.h"
#include "lib/log.h"

#define SLOTS_MAX 64
#define PIN_MAX 255

struct probe {
	struct cryptoki *p;
	const char *module;
	const char *wanted;   /* label of a token, or NULL */
	const char *pin_file; /* or NULL */
	int pin;              /* ask for it at the terminal */
	int list;
	struct cryptoki_token token;
	struct inventory_object certificates[CRYPTOKI_OBJECTS];
	struct inventory_object keys[CRYPTOKI_OBJECTS];
	size_t ncertificates, nkeys;
	bool privates;              /* keys are private, and no public halves */
	struct buf tokens, signing; /* groups of the configuration */
	unsigned int ntokens, nsigning;
};

struct shown {
	char text[256];
};

static struct shown
shown(const char *text)
{
	struct shown s = { "" };

	(void)log_escape(s.text, sizeof(s.text), text, strlen(text));
	return s;
}

/* The same in quotes, as libconfig reads it. */
static struct shown
quoted(const char *text)
{
	struct shown plain = shown(text), s = { "\"" };
	size_t i, n = 1;

	for (i = 0; plain.text[i] != '\0' && n + 3 < sizeof(s.text); i++) {
		if (plain.text[i] == '"')
			s.text[n++] = '\\';
		s.text[n++] = plain.text[i];
	}
	s.text[n] = '"';
	return s;
}

/* The id, with this before each byte. */
static struct shown
hex(const struct inventory_object *o, const char *before)
{
	struct shown s = { "" };
	size_t i, n = 0;

	for (i = 0; i < o->nid; i++)
		n += (size_t)snprintf(s.text + n, sizeof(s.text) - n, "%s%02x",
		    before, (unsigned int)o->id[i]);
	return s;
}

/* --- certificates --------------------------------------------------------- */

static X509 *
parse(const struct inventory_object *o)
{
	const unsigned char *der = o->der;

	return d2i_X509(NULL, &der, (long)o->nder);
}

static bool
is_for_signing(X509 *x)
{
	return (X509_get_extension_flags(x) & EXFLAG_CA) == 0 &&
	    (X509_get_extension_flags(x) & EXFLAG_XKUSAGE) != 0 &&
	    (X509_get_extended_key_usage(x) & XKU_CODE_SIGN) != 0;
}

static struct shown
subject_of(X509 *x)
{
	char text[200];

	(void)X509_NAME_oneline(X509_get_subject_name(x), text, sizeof(text));
	return shown(text);
}

static void
say_certificate(const struct inventory_object *o)
{
	X509 *x = parse(o);
	struct tm until = { 0 };

	if (x == NULL) {
		printf("#   a certificate that is not understood, id %s\n",
		    hex(o, "").text);
		return;
	}
	(void)ASN1_TIME_to_tm(X509_get0_notAfter(x), &until);
	printf("#   certificate %s, id %s: %s, until %04d-%02d-%02d%s\n",
	    quoted(o->label).text, hex(o, "").text, subject_of(x).text,
	    until.tm_year + 1900, until.tm_mon + 1, until.tm_mday,
	    is_for_signing(x) ? ", for code signing" : "");
	X509_free(x);
}

/* For programs: the fields are between tabs, the last one is base64. */
static void
list_certificate(const struct inventory_object *o)
{
	unsigned char text[sizeof(o->der) * 2];

	if (o->nid == 0 || o->nder == 0)
		return;
	(void)EVP_EncodeBlock(text, o->der, (int)o->nder);
	printf("certificate\t%s\t%s\n", hex(o, "").text, text);
}

/* --- keys -------------------------------------------------------------------- */

static void
say_key(const struct probe *b, const struct inventory_object *o)
{
	if (!b->privates) {
		printf("#   public key %s, id %s: %s\n", quoted(o->label).text,
		    hex(o, "").text, o->kind);
		return;
	}
	printf("#   key %s, id %s: %s, %s%s\n", quoted(o->label).text,
	    hex(o, "").text, o->kind, o->signs ? "signs" : "does not sign",
	    o->always ? ", with its PIN each time" : "");
	if (o->extractable)
		printf("#     WARNING: it can be copied off the token "
		       "(CKA_EXTRACTABLE)\n");
}

static void
offer(struct probe *b, const struct inventory_object *o)
{
	b->nsigning++;
	buf_format(&b->signing,
	    "%s    { name = \"signing-%u\"; token = \"token-%u\";\n"
	    "      key = \"pkcs11:id=%s\";\n"
	    "      chain = \"/etc/htsign/signing-%u.pem\"; }",
	    b->nsigning > 1 ? ",\n" : "", b->nsigning, b->ntokens,
	    hex(o, "%").text, b->nsigning);
}

/* Configure keys that sign; where none shows, those of the certificates. */
static void
offer_all(struct probe *b)
{
	size_t i;
	X509 *x;

	b->ntokens++;
	buf_format(&b->tokens, "%s    { name = \"token-%u\"; module = %s;\n",
	    b->ntokens > 1 ? ",\n" : "", b->ntokens, quoted(b->module).text);
	buf_format(&b->tokens, "      label = %s; serial = %s; ",
	    quoted(b->token.label).text, quoted(b->token.serial).text);
	buf_format(&b->tokens, "pin = \"ask\"; }");
	for (i = 0; b->privates && i < b->nkeys; i++)
		if (b->keys[i].signs)
			offer(b, &b->keys[i]);
	for (i = 0; !b->privates && i < b->ncertificates; i++) {
		x = parse(&b->certificates[i]);
		if (x != NULL && is_for_signing(x))
			offer(b, &b->certificates[i]);
		X509_free(x);
	}
}

static void
print_configuration(struct probe *b)
{
	if (b->ntokens == 0 || buf_failed(&b->tokens) < 0 ||
	    buf_failed(&b->signing) < 0)
		return;
	printf("\n# For htsign.conf(5); each chain is a PEM file, the "
	       "certificate first.\n"
	       "tokens = (\n%.*s\n);\n",
	    (int)b->tokens.len, (const char *)b->tokens.data);
	if (b->nsigning > 0)
		printf("certificates = (\n%.*s\n);\n", (int)b->signing.len,
		    (const char *)b->signing.data);
}

/* --- one token ------------------------------------------------------------------ */

static void
keep_certificate(void *cookie, const struct inventory_object *object)
{
	struct probe *b = cookie;

	if (b->ncertificates < CRYPTOKI_OBJECTS)
		b->certificates[b->ncertificates++] = *object;
}

static void
keep_key(void *cookie, const struct inventory_object *object)
{
	struct probe *b = cookie;

	if (b->nkeys < CRYPTOKI_OBJECTS)
		b->keys[b->nkeys++] = *object;
}

static int
read_pin(const struct probe *b, char pin[PIN_MAX + 2])
{
	FILE *f;

	if (b->pin_file == NULL)
		return EVP_read_pw_string(pin, PIN_MAX, "PIN: ", 0);
	f = fopen(b->pin_file, "r");
	if (f == NULL || fgets(pin, PIN_MAX + 2, f) == NULL)
		pin[0] = '\0';
	if (f != NULL)
		(void)fclose(f);
	pin[strcspn(pin, "\r\n")] = '\0';
	return pin[0] == '\0' ? -1 : 0;
}

/* One refused PIN must never lock a token. */
static bool
may_try_pin(const struct probe *b)
{
	const ck_t low = CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
	    CKF_USER_PIN_LOCKED;

	if ((b->token.flags & low) == 0)
		return true;
	printf("#   it has refused a PIN, or is locked: none is tried\n");
	return false;
}

static void
log_in(const struct probe *b, ck_t session)
{
	char pin[PIN_MAX + 2];
	ck_t rv;

	if ((!b->pin && b->pin_file == NULL) || !may_try_pin(b))
		return;
	if (read_pin(b, pin) != 0) {
		printf("#   there is no PIN to try\n");
		return;
	}
	rv = b->p->login(session, CKU_USER, pin, strlen(pin));
	ht_wipe(pin, sizeof(pin));
	if (rv != CKR_OK)
		printf("#   it does not accept the PIN: CKR_ value %#lx\n", rv);
}

/* What is public first, then private keys, then what needs a login. */
static void
look(struct probe *b, ck_t session)
{
	b->ncertificates = b->nkeys = 0;
	(void)inventory_objects(b->p, session, CKO_CERTIFICATE,
	    keep_certificate, b);
	if (b->list)
		return;
	if ((b->token.flags & CKF_LOGIN_REQUIRED) != 0)
		log_in(b, session);
	b->privates = true;
	(void)inventory_objects(b->p, session, CKO_PRIVATE_KEY, keep_key, b);
	if (b->nkeys > 0)
		return;
	b->privates = false;
	(void)inventory_objects(b->p, session, CKO_PUBLIC_KEY, keep_key, b);
}

static void
say_token(const struct probe *b, ck_t slot)
{
	const struct cryptoki_token *t = &b->token;

	printf("# slot %lu: token %s", slot, quoted(t->label).text);
	printf(", %s, %s", shown(t->manufacturer).text, shown(t->model).text);
	printf(", firmware %s, serial %s\n", t->firmware,
	    shown(t->serial).text);
}

static void
list(const struct probe *b)
{
	size_t i;

	printf("token\t%s\t%s\n", shown(b->token.serial).text,
	    shown(b->token.label).text);
	for (i = 0; i < b->ncertificates; i++)
		list_certificate(&b->certificates[i]);
}

static void
say_all(struct probe *b)
{
	size_t i;

	for (i = 0; i < b->nkeys; i++)
		say_key(b, &b->keys[i]);
	for (i = 0; i < b->ncertificates; i++)
		say_certificate(&b->certificates[i]);
	if (!b->privates)
		printf(
		    "#   private keys do not show: --pin asks for the PIN\n");
	offer_all(b);
}

static void
visit(struct probe *b, ck_t slot)
{
	ck_t session, rv;

	rv = cryptoki_token(b->p, slot, &b->token);
	if (rv != CKR_OK || (b->token.flags & CKF_TOKEN_INITIALIZED) == 0) {
		printf("# slot %lu: no token, or an empty one\n", slot);
		return;
	}
	if (b->wanted != NULL && strcmp(b->wanted, b->token.label) != 0)
		return;
	if (!b->list)
		say_token(b, slot);
	rv = b->p->open_session(slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
	if (rv != CKR_OK) {
		printf("#   it opens no session: CKR_ value %#lx\n", rv);
		return;
	}
	look(b, session);
	(void)b->p->close_session(session);
	if (b->list)
		list(b);
	else
		say_all(b);
}

/* --- the module ------------------------------------------------------------------- */

/* A PIN is for one token. */
static int
count_logins(const struct probe *b, const ck_t *slots, ck_t n)
{
	struct cryptoki_token token;
	int logins = 0;
	ck_t i;

	for (i = 0; i < n; i++)
		if (cryptoki_token(b->p, slots[i], &token) == CKR_OK &&
		    (token.flags & CKF_TOKEN_INITIALIZED) != 0 &&
		    (token.flags & CKF_LOGIN_REQUIRED) != 0 &&
		    (b->wanted == NULL || strcmp(b->wanted, token.label) == 0))
			logins++;
	return logins;
}

static int
visit_all(struct probe *b, struct ht_error *e)
{
	ck_t slots[SLOTS_MAX];
	ck_t i, n = SLOTS_MAX;
	ck_t rv = b->p->get_slot_list(1, slots, &n);

	if (rv != CKR_OK)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "%s: C_GetSlotList: CKR_ value %#lx", b->module, rv);
	if (n == 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "%s: it sees no token", b->module);
	if ((b->pin || b->pin_file != NULL) && count_logins(b, slots, n) > 1)
		return ht_error_set(e, HT_ERR_USAGE,
		    "several tokens: say with --token which one has the PIN");
	for (i = 0; i < n; i++)
		visit(b, slots[i]);
	print_configuration(b);
	return 0;
}

static int
probe(struct probe *b, struct ht_error *e)
{
	int rc;
	ck_t rv;

	b->p = cryptoki_load(b->module, e);
	if (b->p == NULL)
		return e->code;
	rv = b->p->initialize(NULL);
	if (rv != CKR_OK)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "%s: C_Initialize: CKR_ value %#lx", b->module, rv);
	rc = visit_all(b, e);
	(void)fflush(stdout); /* some modules crash now */
	(void)b->p->finalize(NULL);
	return rc;
}

static int
usage(void)
{
	fputs("usage: htsign-token --probe MODULE [--token=LABEL] "
	      "[--pin | --pin-file=FILE | --list]\n",
	    stderr);
	return -HT_ERR_USAGE;
}

int
probe_run(int argc, char **argv)
{
	static struct probe b;
	const struct option options[] = {
		{ "token", required_argument, NULL, 't' },
		{ "pin-file", required_argument, NULL, 'f' },
		{ "pin", no_argument, &b.pin, 1 },
		{ "list", no_argument, &b.list, 1 },
		{ NULL, 0, NULL, 0 },
	};
	struct ht_error e;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			b.wanted = optarg;
		else if (c == 'f')
			b.pin_file = optarg;
		else if (c != 0)
			return usage();
	}
	if (optind != argc - 1)
		return usage();
	b.module = argv[optind];
	rc = probe(&b, &e);
	buf_free(&b.tokens);
	buf_free(&b.signing);
	if (rc < 0)
		fprintf(stderr, "htsign-token: %s\n", e.text);
	return -rc;
}

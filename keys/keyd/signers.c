#include "config.h"

#include <string.h>

#include "keys/keyd/signers.h"
#include "lib/log.h"
#include "store/journal/journal.h"

/* The last second of the year 9999, as in a certificate (RFC 5280 4.1.2.5). */
#define LAST_TIME UINT64_C(253402300799)

static const unsigned int thresholds[] = { 7, 30, SETUP_SOON }; /* days */
#define THRESHOLDS (sizeof(thresholds) / sizeof(thresholds[0]))

/* What the journal knows of c. */
static void
recall(struct keyd *k, const struct setup_certificate *c,
    struct journal_signer *signer, struct journal_signer_known *known)
{
	struct ht_error e;

	signer->certificate = c->conf->name;
	chain_fingerprint(c->chain, signer->fingerprint);
	keyd_must(k,
	    journal_signer_known(k->store, signer->fingerprint, known, &e), &e);
}

static bool
is_revoked(const char *verdict)
{
	return strcmp(verdict, PROTOCOL_LOOKED_REVOKED) == 0;
}

/* Record a verdict that is another one than before. */
static void
record(struct keyd *k, struct setup_certificate *c, const char *verdict,
    const char *text, uint64_t revoked)
{
	struct journal_signer_known known;
	struct journal_signer signer;
	struct ht_error e;

	recall(k, c, &signer, &known);
	if (is_revoked(verdict) || is_revoked(known.verdict))
		c->revoked = true;
	if (strcmp(known.verdict, verdict) == 0 ||
	    (c->revoked && !is_revoked(verdict)))
		return;
	if (is_revoked(verdict))
		log_error("certificate %s has been revoked: %s", c->conf->name,
		    text);
	else
		log_notice("whether certificate %s is revoked: %s: %s",
		    c->conf->name, verdict, text);
	keyd_must(k,
	    journal_signer_looked(k->store, &signer, verdict, text,
	        (int64_t)revoked, &e),
	    &e);
}

/* Record that c expires, unless it has been said of as few days. */
static void
warn(struct keyd *k, const struct setup_certificate *c,
    const struct journal_signer *signer, unsigned int said)
{
	int64_t now = journal_now() / 1000000;
	char text[SETUP_EXPIRES];
	int64_t from, until;
	struct ht_error e;
	size_t i = 0;

	chain_validity(c->chain, &from, &until);
	while (
	    i < THRESHOLDS && !setup_expires(until, now, thresholds[i], text))
		i++;
	if (i == THRESHOLDS || (said != 0 && said <= thresholds[i]))
		return;
	log_notice("certificate %s %s", c->conf->name, text);
	keyd_must(k,
	    journal_signer_expires(k->store, signer, thresholds[i], until, &e),
	    &e);
}

void
signers_begin(struct keyd *k)
{
	struct journal_signer_known known;
	struct journal_signer signer;
	struct setup_certificate *c;
	size_t i;

	for (i = 0; i < k->setup->ncertificates; i++) {
		c = &k->setup->certificates[i];
		if (c->chain == NULL)
			continue;
		recall(k, c, &signer, &known);
		c->revoked = c->revoked || is_revoked(known.verdict);
		c->due = !is_revoked(known.verdict);
		c->look = 0;
		warn(k, c, &signer, known.days);
	}
}

/* Append what is asked about, or return why nobody can be asked. */
static const char *
question(const struct setup_certificate *c, struct buf *certificate,
    struct buf *issuer)
{
	struct ht_error e;

	if (chain_der(c->chain, 0, certificate, &e) < 0)
		return "there is no memory";
	if (chain_der(c->chain, 1, issuer, &e) < 0)
		return "it is its own issuer";
	return certificate->len + issuer->len > PROTOCOL_PART_MAX
	    ? "it is too large"
	    : NULL;
}

bool
signers_next(struct keyd *k, uint32_t tag, struct buf *certificate,
    struct buf *issuer)
{
	struct setup_certificate *c;
	size_t i, under_way = 0;
	const char *why;

	for (i = 0; i < k->setup->ncertificates; i++)
		under_way += k->setup->certificates[i].look != 0;
	for (i = 0; i < k->setup->ncertificates; i++) {
		c = &k->setup->certificates[i];
		if (!c->due || under_way >= PROTOCOL_LOOKS)
			continue;
		c->due = false;
		why = question(c, certificate, issuer);
		if (why == NULL) {
			c->look = tag;
			return true;
		}
		buf_reset(certificate);
		buf_reset(issuer);
		record(k, c, PROTOCOL_LOOKED_UNKNOWN, why, 0);
	}
	return false;
}

/* Whether this can be an answer. */
static bool
is_answer(const struct protocol_looked *looked)
{
	if (is_revoked(looked->verdict))
		return looked->revoked > 0 && looked->revoked <= LAST_TIME;
	return looked->revoked == 0 &&
	    (strcmp(looked->verdict, PROTOCOL_LOOKED_GOOD) == 0 ||
	        strcmp(looked->verdict, PROTOCOL_LOOKED_UNKNOWN) == 0);
}

bool
signers_looked(struct keyd *k, uint32_t tag,
    const struct protocol_looked *looked)
{
	struct setup_certificate *c;
	size_t i;

	if (tag == 0 || !is_answer(looked))
		return false;
	for (i = 0; i < k->setup->ncertificates; i++) {
		c = &k->setup->certificates[i];
		if (c->look != tag)
			continue;
		c->look = 0;
		record(k, c, looked->verdict, looked->text, looked->revoked);
		break;
	}
	return true;
}

void
signers_lost(struct keyd *k)
{
	struct setup_certificate *c;
	size_t i;

	for (i = 0; i < k->setup->ncertificates; i++) {
		c = &k->setup->certificates[i];
		c->due = c->due || c->look != 0;
		c->look = 0;
	}
}

void
signers_unknown(struct keyd *k, const char *text)
{
	struct setup_certificate *c;
	size_t i;

	for (i = 0; i < k->setup->ncertificates; i++) {
		c = &k->setup->certificates[i];
		if (c->chain != NULL)
			record(k, c, PROTOCOL_LOOKED_UNKNOWN, text, 0);
	}
}

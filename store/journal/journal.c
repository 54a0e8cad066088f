#include "config.h"

#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "store/journal/journal-note.h"

/* The states of a request that has not ended, as bits. */
#define ASKED (1U << 0)
#define DECIDED (1U << 1)
#define MAYBE_SIGNED (1U << 2)
#define SIGNED (1U << 3)
#define FINISHED (1U << 4)
#define KEPT (1U << 5)
#define STAMPED (1U << 6)

static const struct {
	const char *status;
	unsigned int bit;
} states[] = {
	{ "asked", ASKED },
	{ "decided", DECIDED },
	{ "maybe-signed", MAYBE_SIGNED },
	{ "signed", SIGNED },
	{ "finished", FINISHED },
	{ "kept", KEPT },
	{ "stamped", STAMPED },
};

/* The events of a request. */
static const struct {
	const char *kind;
	enum store_sql project; /* applies it to the table of requests */
	unsigned int after;     /* the states in which it is allowed */
} kinds[] = {
	{ "asked", SQL_PROJECT_ASKED, 0 },
	{ "pumped", SQL_PROJECT_PUMPED, ASKED },
	{ "archived", SQL_PROJECT_ARCHIVED, ASKED },
	{ "virustotal", SQL_PROJECT_CHECKED, ASKED },
	{ "pruned", SQL_PROJECT_PRUNED, 0 }, /* of no request */
	{ "first-use", SQL_PROJECT_FIRST_USE, ASKED | DECIDED | MAYBE_SIGNED },
	/* Again, if a token had it in vain, or gave it back. */
	{ "decided", SQL_PROJECT_DECIDED, ASKED | DECIDED | MAYBE_SIGNED },
	{ "maybe-signed", SQL_PROJECT_MAYBE_SIGNED, DECIDED },
	{ "signed", SQL_PROJECT_SIGNED, DECIDED },
	{ "stamped", SQL_PROJECT_STAMPED, SIGNED },
	{ "unstamped", SQL_PROJECT_UNSTAMPED, SIGNED },
	{ "finished", SQL_PROJECT_FINISHED, SIGNED | STAMPED },
	{ "kept", SQL_PROJECT_KEPT, ASKED },
	{ "delivered", SQL_PROJECT_ENDED, FINISHED | KEPT },
	{ "undelivered", SQL_PROJECT_ENDED, FINISHED | KEPT },
	{ "refused", SQL_PROJECT_ENDED,
	    ASKED | DECIDED | MAYBE_SIGNED | SIGNED | STAMPED },
	{ "failed", SQL_PROJECT_ENDED,
	    ASKED | DECIDED | MAYBE_SIGNED | SIGNED | STAMPED | FINISHED |
	        KEPT },
	{ "aborted", SQL_PROJECT_ENDED,
	    ASKED | DECIDED | MAYBE_SIGNED | SIGNED | STAMPED },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int64_t
journal_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
journal_last_time(const struct store *s)
{
	return s->last_time;
}

/* The time of a new event. */
static int64_t
stamp(struct store *s)
{
	int64_t now = journal_now();

	if (now > s->last_time)
		s->last_time = now;
	return now;
}

static size_t
find_kind(const char *kind)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			break;
	return i;
}

/* The state of a request as a bit.  0 if it has ended or does not exist. */
static int
find_state(struct store *s, uint64_t number, unsigned int *state,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_REQUEST_STATE);
	size_t i;
	int ret;

	*state = 0;
	store_bind_number(s, st, 1, number);
	if ((ret = store_step(s, st, e)) <= 0)
		return ret;
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (sqlite3_column_int(st, 1) == 0 &&
		    strcmp(states[i].status, store_column(st, 0)) == 0)
			*state = states[i].bit;
	(void)sqlite3_reset(st);
	return 0;
}

/* Check that the request allows the event now.  Opens the transaction. */
static int
check_state(struct store *s, uint64_t number, const char *kind,
    struct ht_error *e)
{
	unsigned int state;
	int ret;

	if ((ret = store_begin(s, e)) < 0)
		return ret;
	if ((ret = find_state(s, number, &state, e)) < 0)
		return ret;
	if ((kinds[find_kind(kind)].after & state) == 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "request %ju cannot be %s now", (uintmax_t)number, kind);
	return 0;
}

int
journal_project(struct store *s, const char *kind, int64_t seq,
    struct ht_error *e)
{
	size_t i = find_kind(kind);
	sqlite3_stmt *st;

	if (i == KINDS)
		return 0;
	st = store_statement(s, kinds[i].project);
	store_bind_time(s, st, 1, seq);
	if (kinds[i].project != SQL_PROJECT_ARCHIVED)
		return store_write(s, st, e);
	if (store_write(s, st, e) < 0)
		return e->code;
	st = store_statement(s, SQL_ARCHIVE_ADD);
	store_bind_time(s, st, 1, seq);
	return store_write(s, st, e);
}

/* Run a statement that inserts an event, then apply it to its request. */
static int
insert_event(struct store *s, sqlite3_stmt *st, const char *kind,
    uint64_t *number, int64_t *seq, struct ht_error *e)
{
	int64_t row[2];
	int ret;

	ret = store_write_returning(s, st, row, e);
	if (ret == 0)
		ret = journal_project(s, kind, row[0], e);
	if (ret < 0)
		return ret;
	if (number != NULL)
		*number = (uint64_t)row[1];
	if (seq != NULL)
		*seq = row[0];
	return 0;
}

/* --- requests -------------------------------------------------------- */

int
journal_asked(struct store *s, const struct journal_request *request,
    uint64_t *number, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	*number = 0;
	if ((ret = store_begin(s, e)) < 0)
		return ret;
	st = store_statement(s, SQL_ASKED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_text(s, st, 2, request->client);
	store_bind_text(s, st, 3, request->door);
	store_bind_text(s, st, 4, request->peer);
	store_bind_text(s, st, 5, request->banner);
	store_bind_number(s, st, 6, request->serial);
	store_bind_text(s, st, 7, request->profile);
	store_bind_text(s, st, 8, request->reply);
	store_bind_text(s, st, 9, request->description);
	store_bind_text(s, st, 10, request->url);
	store_bind_text(s, st, 11, request->name);
	store_bind_text(s, st, 12, request->options);
	store_bind_number(s, st, 13, request->port);
	store_bind_text(s, st, 14, request->fingerprint);
	store_bind_text(s, st, 15, request->version);
	return insert_event(s, st, "asked", number, NULL, e);
}

int
journal_pumped(struct store *s, uint64_t number, const struct journal_pumped *p,
    struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "pumped", e)) < 0)
		return ret;
	st = store_statement(s, SQL_PUMPED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_number(s, st, 3, p->size);
	store_bind_hex(s, st, 4, p->sha256, JOURNAL_SHA256);
	store_bind_text(s, st, 5, p->scan);
	store_bind_text(s, st, 6, p->text);
	store_bind_text(s, st, 7, p->database);
	return insert_event(s, st, "pumped", NULL, NULL, e);
}

/* Bind the parameters of INPUT, from the i-th one on. */
static void
bind_input(struct store *s, sqlite3_stmt *st, int i,
    const struct journal_input *input)
{
	store_bind_text(s, st, i, input->format);
	if (input->sha256 != NULL) {
		store_bind_number(s, st, i + 1, input->size);
		store_bind_hex(s, st, i + 2, input->sha256, JOURNAL_SHA256);
	}
	if (input->format != NULL)
		store_bind_number(s, st, i + 3, input->old_signature);
	store_bind_text(s, st, i + 4, input->product);
	store_bind_text(s, st, i + 5, input->company);
	store_bind_text(s, st, i + 6, input->version);
	if (input->received != 0)
		store_bind_time(s, st, i + 7, input->received);
}

int
journal_decided(struct store *s, uint64_t number,
    const struct journal_decision *decision, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "decided", e)) < 0)
		return ret;
	st = store_statement(s, SQL_DECIDED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	bind_input(s, st, 3, &decision->input);
	store_bind_text(s, st, 11, decision->algorithm);
	store_bind_hex(s, st, 12, decision->digest, decision->digest_len);
	store_bind_text(s, st, 13, decision->certificate);
	if (decision->fingerprint != NULL)
		store_bind_hex(s, st, 14, decision->fingerprint,
		    JOURNAL_SHA256);
	store_bind_text(s, st, 15, decision->token);
	store_bind_number(s, st, 16, decision->attempt);
	return insert_event(s, st, "decided", NULL, NULL, e);
}

int
journal_has_used(struct store *s, const char *client, const char *profile,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_USED);
	int ret;

	store_bind_text(s, st, 1, client);
	store_bind_text(s, st, 2, profile);
	ret = store_step(s, st, e);
	(void)sqlite3_reset(st);
	return ret;
}

int
journal_first_use(struct store *s, uint64_t number, const char *client,
    const char *profile, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "first-use",
		.request = number,
		.client = client,
		.profile = profile,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_archived(struct store *s, uint64_t number,
    const struct journal_archived *a, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "archived", e)) < 0)
		return ret;
	st = store_statement(s, SQL_ARCHIVED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_text(s, st, 3, a->both ? "both" : "input");
	store_bind_number(s, st, 4, a->size);
	store_bind_hex(s, st, 5, a->sha256, JOURNAL_SHA256);
	store_bind_text(s, st, 6, a->client);
	return insert_event(s, st, "archived", NULL, NULL, e);
}

int
journal_checked(struct store *s, uint64_t number,
    const struct journal_checked *c, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "virustotal", e)) < 0)
		return ret;
	st = store_statement(s, SQL_CHECKED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_text(s, st, 3, c->verdict);
	store_bind_text(s, st, 4, c->text);
	store_bind_time(s, st, 5, c->date);
	if (c->total > 0) {
		store_bind_number(s, st, 6, c->bad);
		store_bind_number(s, st, 7, c->total);
		store_bind_text(s, st, 8, c->engines);
	}
	return insert_event(s, st, "virustotal", NULL, NULL, e);
}

int
journal_pruned(struct store *s, const struct journal_old *old, const char *text,
    struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = store_begin(s, e)) < 0)
		return ret;
	st = store_statement(s, SQL_PRUNED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_text(s, st, 2, old->sha256);
	store_bind_number(s, st, 3, old->size);
	store_bind_text(s, st, 4, text);
	if ((ret = insert_event(s, st, "pruned", NULL, NULL, e)) < 0)
		return ret;
	st = store_statement(s, SQL_RECIPE_CLEAR);
	store_bind_text(s, st, 1, old->sha256);
	return store_write(s, st, e);
}

/* Keep the n bytes at p beside the events of a request. */
static int
keep(struct store *s, enum store_sql sql, uint64_t number, const uint8_t *p,
    size_t n, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, sql);

	store_bind_number(s, st, 1, number);
	store_bind_blob(s, st, 2, p, n);
	return store_write(s, st, e);
}

int
journal_signed(struct store *s, uint64_t number, const uint8_t *pkcs7, size_t n,
    struct ht_error *e)
{
	uint8_t sha256[JOURNAL_SHA256];
	sqlite3_stmt *st;
	int ret;

	if (n == 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "a signature of no bytes");
	if (EVP_Q_digest(NULL, "SHA256", NULL, pkcs7, n, sha256, NULL) != 1)
		return ht_error_set(e, HT_ERR_INTERNAL, "SHA-256 failed");
	if ((ret = check_state(s, number, "signed", e)) < 0)
		return ret;
	st = store_statement(s, SQL_SIGNED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_number(s, st, 3, n);
	store_bind_hex(s, st, 4, sha256, sizeof(sha256));
	store_bind_number(s, st, 5, n <= JOURNAL_PKCS7_MAX);
	if ((ret = insert_event(s, st, "signed", NULL, NULL, e)) < 0)
		return ret;
	if (n > JOURNAL_PKCS7_MAX)
		return 0;
	return keep(s, SQL_PKCS7_ADD, number, pkcs7, n, e);
}

int
journal_stamped(struct store *s, uint64_t number,
    const struct journal_timestamp *t, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "stamped", e)) < 0)
		return ret;
	st = store_statement(s, SQL_STAMPED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_text(s, st, 3, t->server);
	store_bind_time(s, st, 4, t->time);
	store_bind_text(s, st, 5, t->serial);
	store_bind_number(s, st, 6, t->tries);
	if ((ret = insert_event(s, st, "stamped", NULL, NULL, e)) < 0)
		return ret;
	return keep(s, SQL_TIMESTAMP_ADD, number, t->token, t->token_len, e);
}

int
journal_unstamped(struct store *s, uint64_t number, unsigned int tries,
    const char *text, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "unstamped", e)) < 0)
		return ret;
	st = store_statement(s, SQL_UNSTAMPED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_number(s, st, 3, tries);
	store_bind_text(s, st, 4, text);
	return insert_event(s, st, "unstamped", NULL, NULL, e);
}

int
journal_finished(struct store *s, uint64_t number, uint64_t size,
    const uint8_t sha256[JOURNAL_SHA256], struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "finished", e)) < 0)
		return ret;
	st = store_statement(s, SQL_FINISHED);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	store_bind_number(s, st, 3, size);
	store_bind_hex(s, st, 4, sha256, JOURNAL_SHA256);
	return insert_event(s, st, "finished", NULL, NULL, e);
}

int
journal_recipe(struct store *s, uint64_t number, const uint8_t *bytes, size_t n,
    struct ht_error *e)
{
	return keep(s, SQL_RECIPE_ADD, number, bytes, n, e);
}

int
journal_kept(struct store *s, uint64_t number, const struct journal_kept *kept,
    struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_state(s, number, "kept", e)) < 0)
		return ret;
	st = store_statement(s, SQL_KEPT);
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, number);
	bind_input(s, st, 3, &kept->input);
	store_bind_number(s, st, 11, kept->output_size);
	store_bind_hex(s, st, 12, kept->output_sha256, JOURNAL_SHA256);
	return insert_event(s, st, "kept", NULL, NULL, e);
}

/* --- all other events ------------------------------------------------ */

static void
bind_note(struct store *s, sqlite3_stmt *st, const struct journal_note *note)
{
	static const struct store_actor nobody;
	const struct store_actor *actor = note->actor;
	/* In the order of the parameters of SQL_NOTE, from ?7 on. */
	const char *const texts[] = { note->client, note->profile, note->token,
		note->door, note->peer, note->reason, note->code, note->text,
		note->principal, note->fingerprint, note->version, note->name };
	size_t i;

	if (actor == NULL)
		actor = &nobody;
	store_bind_time(s, st, 1, stamp(s));
	store_bind_number(s, st, 2, note->request);
	store_bind_text(s, st, 3, note->kind);
	store_bind_text(s, st, 4, actor->name);
	store_bind_text(s, st, 5, actor->role);
	store_bind_text(s, st, 6, actor->peer);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		store_bind_text(s, st, 7 + (int)i, texts[i]);
	store_bind_number(s, st, 19, note->serial);
	store_bind_number(s, st, 20, note->count);
	store_bind_number(s, st, 21, note->seconds);
	store_bind_number(s, st, 22, note->exit);
	if (note->offset != HT_NO_OFFSET)
		store_bind_number(s, st, 23, note->offset);
	if (strcmp(note->kind, "delivered") == 0)
		store_bind_number(s, st, 24, note->bytes);
	store_bind_time(s, st, 25, note->valid_after);
	store_bind_time(s, st, 26, note->valid_before);
	store_bind_number(s, st, 27, note->test);
	store_bind_text(s, st, 28, note->certificate);
	store_bind_number(s, st, 29, note->days);
	store_bind_time(s, st, 30, note->revoked);
	if (note->input != NULL)
		bind_input(s, st, 31, note->input);
	store_bind_text(s, st, 39, note->source);
	store_bind_number(s, st, 40, note->uses);
}

int
journal_note(struct store *s, const struct journal_note *note, int64_t *seq,
    struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if (note->request != 0)
		ret = check_state(s, note->request, note->kind, e);
	else
		ret = store_begin(s, e);
	if (ret < 0)
		return ret;
	st = store_statement(s, SQL_NOTE);
	bind_note(s, st, note);
	return insert_event(s, st, note->kind, NULL, seq, e);
}

static int
end_request(struct store *s, uint64_t number, const char *kind,
    const struct journal_end *why, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = kind,
		.request = number,
		.exit = (uint64_t)why->status,
		.code = why->code,
		.offset = why->offset,
		.text = why->text,
		.input = why->input,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_refused(struct store *s, uint64_t number, const struct journal_end *why,
    struct ht_error *e)
{
	return end_request(s, number, "refused", why, e);
}

int
journal_failed(struct store *s, uint64_t number, const struct journal_end *why,
    struct ht_error *e)
{
	return end_request(s, number, "failed", why, e);
}

/* Record an event that has only a code and a text. */
static int
say(struct store *s, uint64_t number, const char *kind, const char *code,
    const char *text, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = kind,
		.request = number,
		.code = code,
		.text = text,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_maybe_signed(struct store *s, uint64_t number, const char *text,
    struct ht_error *e)
{
	return say(s, number, "maybe-signed", NULL, text, e);
}

int
journal_aborted(struct store *s, uint64_t number, const char *code,
    const char *text, struct ht_error *e)
{
	return say(s, number, "aborted", code, text, e);
}

int
journal_undelivered(struct store *s, uint64_t number, const char *code,
    const char *text, struct ht_error *e)
{
	return say(s, number, "undelivered", code, text, e);
}

int
journal_delivered(struct store *s, uint64_t number, uint64_t bytes,
    struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "delivered",
		.request = number,
		.bytes = bytes,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

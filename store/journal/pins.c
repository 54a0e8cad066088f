#include "config.h"

#include <string.h>
#include <sys/random.h>

#include "store/journal/journal.h"
#include "store/journal/pin-key.h"
#include "store/store-private.h"

int
pin_salt(struct store *s, const char *token, uint8_t salt[PIN_SALT],
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_PIN_SALT);
	int ret;

	store_bind_text(s, st, 1, token);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	if (ret > 0 && sqlite3_column_bytes(st, 0) == PIN_SALT) {
		memcpy(salt, sqlite3_column_blob(st, 0), PIN_SALT);
		ret = 0;
	} else if (ret > 0) {
		ret = ht_error_set(e, HT_ERR_DATA,
		    "the journal is damaged: a salt of %d bytes",
		    sqlite3_column_bytes(st, 0));
	} else if (getrandom(salt, PIN_SALT, 0) != PIN_SALT) {
		ret = ht_error_errno(e, "getrandom");
	}
	(void)sqlite3_reset(st);
	return ret;
}

/* Whether an attempt at the token stands whose secret is not ours. */
static int
is_lost(struct store *s, const char *token, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_PIN_LOST);
	uint8_t id[PIN_KEY_ID];
	int ret;

	if ((ret = pin_key_id(s, id, e)) < 0)
		return ret;
	store_bind_text(s, st, 1, token);
	store_bind_blob(s, st, 2, id, sizeof(id));
	ret = store_step(s, st, e);
	(void)sqlite3_reset(st);
	return ret;
}

int
pin_attempt_stands(struct store *s, const char *token,
    const uint8_t hash[PIN_HASH], struct pin_attempt *a, struct ht_error *e)
{
	sqlite3_stmt *st;
	uint8_t keyed[PIN_HASH];
	int ret;

	memset(a, 0, sizeof(*a));
	if ((ret = is_lost(s, token, e)) != 0) {
		a->lost = ret > 0;
		return ret;
	}
	if ((ret = pin_keyed(s, hash, keyed, e)) < 0)
		return ret;
	st = store_statement(s, SQL_PIN_STANDS);
	store_bind_text(s, st, 1, token);
	store_bind_blob(s, st, 2, keyed, PIN_HASH);
	ret = store_step(s, st, e);
	if (ret > 0) {
		a->flags = (uint8_t)sqlite3_column_int(st, 0);
		a->unknown = (uint64_t)sqlite3_column_int64(st, 1);
	}
	(void)sqlite3_reset(st);
	return ret;
}

int
pin_attempt_add(struct store *s, const char *token,
    const uint8_t salt[PIN_SALT], const uint8_t hash[PIN_HASH],
    const struct pin_attempt *a, struct ht_error *e)
{
	uint8_t keyed[PIN_HASH], id[PIN_KEY_ID];
	sqlite3_stmt *st;
	int ret;

	ret = pin_keyed(s, hash, keyed, e);
	if (ret == 0)
		ret = pin_key_id(s, id, e);
	if (ret == 0)
		ret = store_begin(s, e);
	if (ret < 0)
		return ret;
	st = store_statement(s, SQL_PIN_ADD);
	store_bind_text(s, st, 1, token);
	store_bind_blob(s, st, 2, salt, PIN_SALT);
	store_bind_blob(s, st, 3, keyed, PIN_HASH);
	store_bind_time(s, st, 4, journal_now());
	store_bind_number(s, st, 5, a->flags);
	store_bind_number(s, st, 6, a->unknown);
	store_bind_blob(s, st, 7, id, sizeof(id));
	return store_write(s, st, e);
}

int
pin_attempt_refused(struct store *s, const char *token, struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if ((ret = store_begin(s, e)) < 0)
		return ret;
	st = store_statement(s, SQL_PIN_REFUSED);
	store_bind_text(s, st, 1, token);
	return store_write(s, st, e);
}

int
pin_attempt_clear(struct store *s, const char *token, uint64_t *count,
    struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	if (count != NULL)
		*count = 0;
	if ((ret = store_begin(s, e)) < 0)
		return ret;
	st = store_statement(s, SQL_PIN_CLEAR);
	store_bind_text(s, st, 1, token);
	if ((ret = store_write(s, st, e)) < 0)
		return ret;
	if (count != NULL)
		*count = (uint64_t)sqlite3_changes64(s->db);
	s->wipe_wal = true;
	return 0;
}

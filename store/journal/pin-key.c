#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/modes.h"
#include "store/journal/pin-key.h"
#include "store/store-private.h"

/* --- the file ---------------------------------------------------------- */

static int
sync_folder(const char *path, struct ht_error *e)
{
	char folder[PATH_MAX];
	char *slash;
	int fd, rc = 0;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		(void)snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		rc = ht_error_errno(e, "%s", folder);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int
write_all(int fd, const uint8_t key[PIN_KEY], struct ht_error *e)
{
	if (write(fd, key, PIN_KEY) == PIN_KEY && fsync(fd) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "there is no room for the secret of PINs' hashes");
	return ht_error_errno(e, "the secret of PINs' hashes");
}

/* The file is there whole and durable, or not at all. */
static int
make(const char *path, struct ht_error *e)
{
	uint8_t key[PIN_KEY];
	char new[PATH_MAX];
	int fd, rc;

	(void)snprintf(new, sizeof(new), "%s.new", path);
	(void)unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ht_error_errno(e, "%s", new);
	if (getrandom(key, sizeof(key), 0) != PIN_KEY)
		rc = ht_error_errno(e, "getrandom");
	else
		rc = write_all(fd, key, e);
	(void)close(fd);
	ht_wipe(key, sizeof(key));
	if (rc == 0 && rename(new, path) < 0)
		rc = ht_error_errno(e, "%s", path);
	if (rc < 0)
		(void)unlink(new);
	return rc < 0 ? rc : sync_folder(path, e);
}

static int
load(struct store *s, const char *path, struct ht_error *e)
{
	const struct modes m = { .owner = geteuid(),
		.secret = true,
		.alone = true };
	uint8_t bytes[PIN_KEY + 1];
	int fd = modes_open(path, &m, e);
	ssize_t n;
	int rc = 0;

	if (fd < 0)
		return fd;
	n = read(fd, bytes, sizeof(bytes));
	if (n < 0)
		rc = ht_error_errno(e, "%s", path);
	else if (n != PIN_KEY)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "%s has %zd bytes instead of %d: bring it back, or remove "
		    "it; then an administrator must unlock tokens whose PIN "
		    "was tried in vain",
		    path, n, PIN_KEY);
	else
		memcpy(s->pin_key, bytes, PIN_KEY);
	(void)close(fd);
	ht_wipe(bytes, sizeof(bytes));
	s->keyed = rc == 0;
	return rc;
}

/* --- what is done with it ---------------------------------------------- */

static int
mac(const struct store *s, const uint8_t *p, size_t n, uint8_t out[PIN_HASH],
    struct ht_error *e)
{
	unsigned int len = 0;

	if (!s->keyed)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the secret of PINs' hashes is not open");
	if (HMAC(EVP_sha256(), s->pin_key, PIN_KEY, p, n, out, &len) == NULL ||
	    len != PIN_HASH)
		return ht_error_set(e, HT_ERR_INTERNAL, "HMAC failed");
	return 0;
}

int
pin_keyed(const struct store *s, const uint8_t hash[PIN_HASH],
    uint8_t out[PIN_HASH], struct ht_error *e)
{
	return mac(s, hash, PIN_HASH, out, e);
}

int
pin_key_id(const struct store *s, uint8_t id[PIN_KEY_ID], struct ht_error *e)
{
	static const uint8_t label[] = "htsign pin.key";
	uint8_t out[PIN_HASH];
	int rc = mac(s, label, sizeof(label), out, e);

	if (rc == 0)
		memcpy(id, out, PIN_KEY_ID);
	return rc;
}

/* Key one hash of version 10 of the store.  0: there is none. */
static int
key_one(struct store *s, struct ht_error *e)
{
	uint8_t old[PIN_HASH], keyed[PIN_HASH], id[PIN_KEY_ID];
	sqlite3_stmt *st = store_statement(s, SQL_PIN_UNKEYED), *update;
	int rc = store_step(s, st, e);

	if (rc <= 0)
		return rc;
	if (sqlite3_column_bytes(st, 1) != PIN_HASH)
		return ht_error_set(e, HT_ERR_DATA,
		    "the journal is damaged: a PIN's hash of %d bytes",
		    sqlite3_column_bytes(st, 1));
	memcpy(old, sqlite3_column_blob(st, 1), PIN_HASH);
	rc = pin_keyed(s, old, keyed, e);
	if (rc == 0)
		rc = pin_key_id(s, id, e);
	if (rc == 0)
		rc = store_begin(s, e);
	if (rc < 0)
		return rc;
	update = store_statement(s, SQL_PIN_KEYED);
	store_bind_text(s, update, 1, store_column(st, 0));
	store_bind_blob(s, update, 2, old, PIN_HASH);
	store_bind_blob(s, update, 3, keyed, PIN_HASH);
	store_bind_blob(s, update, 4, id, PIN_KEY_ID);
	rc = store_write(s, update, e);
	(void)sqlite3_reset(st);
	s->wipe_wal = true;
	return rc < 0 ? rc : 1;
}

int
pin_key_open(struct store *s, const char *path, struct ht_error *e)
{
	int rc = 0;

	if (access(path, F_OK) < 0 && errno == ENOENT)
		rc = make(path, e);
	if (rc == 0)
		rc = load(s, path, e);
	if (rc < 0)
		return rc;
	do {
		rc = key_one(s, e);
	} while (rc > 0);
	return rc < 0 ? rc : store_commit(s, e);
}

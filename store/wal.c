/*
 * The write-ahead log (WAL) is where a commit goes.  It is kept at its size and
 * allocated in advance, and so is its index, the file -shm.  SQLite writes it
 * from its start again after each checkpoint that was complete, so a commit
 * needs no new blocks of the disk.  Who reads the WAL at that moment is in the
 * way of that: then it is tried again.
 * The database itself grows at a checkpoint.  If there is no room for that, the
 * WAL goes on growing into what is allocated.
 */

#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "store/store-private.h"

/* Bytes before each page of the WAL, and before the first. */
#define FRAME_HEADER 24
#define WAL_HEADER 32

/* Frames in the WAL that make a checkpoint due; and more, after one failed. */
#define CHECKPOINT 1000
#define CHECKPOINT_AGAIN 256

/* What a transaction and each write in it may need beside its own bytes. */
#define TRANSACTION ((uint64_t)64 << 10)
#define WRITE ((uint64_t)8 << 10)

/* So many frames are too many: somebody reads, and does not end. */
#define TOO_LONG 16000

/* The index has such blocks, each for so many frames; fewer in the first. */
#define INDEX_BLOCK ((uint64_t)32 << 10)
#define INDEX_FRAMES 4096
#define INDEX_HEADER 34

/* The WAL grows by such steps. */
#define STEP ((uint64_t)256 << 10)

static int
committed(void *cookie, sqlite3 *db, const char *name, int frames)
{
	struct store *s = cookie;

	(void)db;
	(void)name;
	s->frames = (uint64_t)frames;
	return SQLITE_OK;
}

int
store_wal_open(struct store *s, int page, struct ht_error *e)
{
	const char *path = sqlite3_db_filename(s->db, "main");
	const char *name = sqlite3_filename_wal(path);
	char index[PATH_MAX];

	s->frame = (uint64_t)page + FRAME_HEADER;
	s->checkpoint = CHECKPOINT;
	s->wal = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (s->wal < 0)
		return ht_error_errno(e, "%s", name);
	(void)snprintf(index, sizeof(index), "%s-shm", path);
	s->shm = open(index, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (s->shm < 0)
		return ht_error_errno(e, "%s", index);
	(void)sqlite3_wal_hook(s->db, committed, s);
	return 0;
}

/*
 * Copy what the WAL has to the database, so that SQLite begins it anew.  Fails
 * with HT_ERR_UNAVAILABLE if the database cannot grow, or somebody reads the
 * WAL, which spoils nothing.
 */
static int
checkpoint(struct store *s, int mode, struct ht_error *e)
{
	struct ht_error why;
	int rc;

	rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
	if (rc == SQLITE_OK) {
		s->frames = 0;
		s->checkpoint = CHECKPOINT;
		return 0;
	}
	s->checkpoint = s->frames + CHECKPOINT_AGAIN;
	if (s->frames >= TOO_LONG)
		s->hindered = true;
	rc = store_engine_error(s, &why);
	if (rc != HT_ERR_UNAVAILABLE)
		return store_spoil(s, &why, e);
	if (e != NULL)
		*e = why;
	return rc;
}

/*
 * PIN hashes are overwritten in the database, and the WAL is emptied.  Then it
 * gets its room again, unless somebody has taken it meanwhile.
 */
static int
wipe(struct store *s, struct ht_error *e)
{
	uint64_t allocated = s->allocated;
	int rc = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE, e);

	if (rc < 0)
		return rc;
	s->wipe_wal = false;
	s->allocated = 0;
	if (allocated > 0 && posix_fallocate(s->wal, 0, (off_t)allocated) == 0)
		s->allocated = allocated;
	return 0;
}

int
store_wal_committed(struct store *s, struct ht_error *e)
{
	int rc = 0;

	if (s->wipe_wal)
		rc = wipe(s, e);
	else if (s->frames >= s->checkpoint)
		rc = checkpoint(s, SQLITE_CHECKPOINT_RESTART, e);
	/* Without room, or with somebody who reads, it is tried again. */
	return rc == HT_ERR_UNAVAILABLE ? 0 : rc;
}

bool
store_hindered(struct store *s)
{
	bool was = s->hindered;

	s->hindered = false;
	return was;
}

static uint64_t
needed(const struct store *s, uint64_t bytes)
{
	return WAL_HEADER + s->frames * s->frame + TRANSACTION +
	    s->writes * WRITE + s->bytes + bytes;
}

/* Allocate so many bytes of the WAL, and the blocks of the index for them. */
static bool
allocate(const struct store *s, uint64_t size)
{
	uint64_t frames = size / s->frame + INDEX_HEADER;

	return posix_fallocate(s->shm, 0,
	           (off_t)((frames / INDEX_FRAMES + 1) * INDEX_BLOCK)) == 0 &&
	    posix_fallocate(s->wal, 0, (off_t)size) == 0;
}

int
store_reserve(struct store *s, uint64_t bytes, struct ht_error *e)
{
	uint64_t size;

	if (needed(s, bytes) <= s->allocated)
		return 0;
	size = (needed(s, bytes) + STEP - 1) / STEP * STEP;
	if (allocate(s, size)) {
		s->allocated = size;
		return 0;
	}
	if (!s->open && s->frames > 0 &&
	    checkpoint(s, SQLITE_CHECKPOINT_RESTART, e) < 0 &&
	    s->failure.code != 0)
		return s->failure.code;
	if (needed(s, bytes) <= s->allocated)
		return 0;
	return ht_error_set(e, HT_ERR_UNAVAILABLE,
	    "there is no room on the disk of the journal");
}

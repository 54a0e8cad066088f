#include "config.h"

#include <pthread.h>
#include <string.h>

#include "htsign-shell/tap.h"

/* Smaller files are hashed without the thread. */
#define LARGE ((uint64_t)1 << 20)

/* The thread gets this many bytes at a time: waking costs more than copying. */
#define SLOT ((size_t)512 << 10)

/* The thread's stack: it only calls EVP_DigestUpdate. */
#define STACK ((size_t)128 << 10)

/*
 * The thread hashes one slot while the caller fills the other.  While tap is
 * NULL, the thread has nothing to do and uses no tap.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool there;
	struct tap *tap;
	const uint8_t *p;
	size_t n;
	size_t next;   /* the slot that the caller fills */
	size_t filled; /* bytes in this slot */
	uint8_t slot[2][SLOT];
} helper = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

static void
update(struct tap *t, const uint8_t *p, size_t n)
{
	if (EVP_DigestUpdate(t->ctx, p, n) != 1)
		t->failed = true;
}

static void *
help(void *nothing)
{
	(void)pthread_mutex_lock(&helper.lock);
	helper.there = true;
	(void)pthread_cond_broadcast(&helper.changed);
	for (;;) {
		while (helper.tap == NULL)
			(void)pthread_cond_wait(&helper.changed, &helper.lock);
		(void)pthread_mutex_unlock(&helper.lock);
		update(helper.tap, helper.p, helper.n);
		(void)pthread_mutex_lock(&helper.lock);
		helper.tap = NULL;
		(void)pthread_cond_broadcast(&helper.changed);
	}
	return nothing;
}

void
tap_prepare(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	if (pthread_attr_init(&attributes) != 0)
		return;
	rc = pthread_attr_setstacksize(&attributes, STACK);
	if (rc == 0)
		rc = pthread_attr_setdetachstate(&attributes,
		    PTHREAD_CREATE_DETACHED);
	if (rc == 0)
		rc = pthread_create(&thread, &attributes, help, NULL);
	(void)pthread_attr_destroy(&attributes);
	if (rc != 0)
		return;
	/* seccomp will forbid the calls by which a thread starts: wait. */
	(void)pthread_mutex_lock(&helper.lock);
	while (!helper.there)
		(void)pthread_cond_wait(&helper.changed, &helper.lock);
	(void)pthread_mutex_unlock(&helper.lock);
}

/* The caller holds the lock. */
static void
wait_for_help(void)
{
	while (helper.tap != NULL)
		(void)pthread_cond_wait(&helper.changed, &helper.lock);
}

/* Give the slot to the thread. */
static void
hand_over(struct tap *t)
{
	(void)pthread_mutex_lock(&helper.lock);
	wait_for_help();
	helper.tap = t;
	helper.p = helper.slot[helper.next];
	helper.n = helper.filled;
	(void)pthread_mutex_unlock(&helper.lock);
	/* After the unlock, since the thread takes the lock when it wakes. */
	(void)pthread_cond_broadcast(&helper.changed);
	helper.next ^= 1;
	helper.filled = 0;
}

static void
take_back(void)
{
	(void)pthread_mutex_lock(&helper.lock);
	wait_for_help();
	(void)pthread_mutex_unlock(&helper.lock);
}

int
tap_start(struct tap *t, struct ht_error *e)
{
	t->seen = 0;
	t->ctx = EVP_MD_CTX_new();
	t->failed = t->ctx == NULL ||
	    EVP_DigestInit_ex(t->ctx, EVP_sha256(), NULL) != 1;
	if (t->failed)
		return ht_error_set(e, HT_ERR_INTERNAL, "no SHA-256");
	return 0;
}

void
tap_bytes(void *cookie, const uint8_t *p, size_t n)
{
	struct tap *t = cookie;
	size_t piece;

	t->seen += n;
	if (!helper.there || t->seen < LARGE) {
		update(t, p, n);
		return;
	}
	for (; n > 0; p += piece, n -= piece) {
		piece = SLOT - helper.filled;
		if (piece > n)
			piece = n;
		memcpy(helper.slot[helper.next] + helper.filled, p, piece);
		helper.filled += piece;
		if (helper.filled == SLOT)
			hand_over(t);
	}
}

int
tap_end(struct tap *t, uint8_t out[TAP_SHA256], struct ht_error *e)
{
	take_back();
	/* The rest, which did not fill a slot. */
	update(t, helper.slot[helper.next], helper.filled);
	helper.filled = 0;
	if (t->failed || EVP_DigestFinal_ex(t->ctx, out, NULL) != 1)
		return ht_error_set(e, HT_ERR_INTERNAL, "SHA-256 failed");
	return 0;
}

int
tap_once(const void *p, size_t n, uint8_t out[TAP_SHA256], struct ht_error *e)
{
	struct tap t = { NULL, 0, false };
	int rc = tap_start(&t, e);

	if (rc == 0) {
		tap_bytes(&t, p, n);
		rc = tap_end(&t, out, e);
	}
	tap_free(&t);
	return rc;
}

void
tap_free(struct tap *t)
{
	take_back();
	helper.filled = 0;
	EVP_MD_CTX_free(t->ctx);
	t->ctx = NULL;
}

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"

static struct token_job *
job_of(struct queue_item *item)
{
	return (struct token_job *)(void *)item; /* its first member */
}

/* End a job that is in no list. */
static void
finish(struct token_job *job, const uint8_t *signature, size_t n,
    const struct ht_error *e)
{
	job->token->njobs--;
	if (signature != NULL)
		job->token->signatures++;
	job->ops.done(job->cookie, signature, n, e);
	free(job);
}

static bool
pin_is_wanted(const struct token *t)
{
	const struct token_job *job;

	TAILQ_FOREACH(job, &t->window, entry)
		if (t->keys[job->key].each)
			return true;
	return false;
}

/* Take a job out of the window, in any phase. */
static void
leave_window(struct token_job *job)
{
	struct token *t = job->token;

	TAILQ_REMOVE(&t->window, job, entry);
	t->nwindow--;
	if (job->phase == JOB_SENT)
		t->nsent--;
	job->phase = JOB_ENDING;
	if (!pin_is_wanted(t))
		token_each_done(t);
}

int
token_check(const struct token *t, uint32_t key, struct ht_error *e)
{
	uint64_t now = loop_now();

	if (key >= t->nkeys || t->store == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "token %s has no key %u", t->name, (unsigned int)key);
	if (t->phase == TOKEN_LOCKED)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "token %s is locked: an administrator must unlock it",
		    t->name);
	if (t->phase == TOKEN_DOWN && t->retry_at > now + TOKEN_PATIENCE)
		return token_say_away(t, e);
	if (t->phase == TOKEN_READY && key < t->next_key && !t->keys[key].found)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "token %s, key \"%s\": %s", t->name, t->keys[key].uri,
		    t->keys[key].reason);
	return 0;
}

int
token_check_now(const struct token *t, uint32_t key, struct ht_error *e)
{
	int rc = token_check(t, key, e);

	if (rc == 0 && t->phase <= TOKEN_WAITING && t->reason[0] != '\0')
		return token_say_away(t, e);
	return rc == HT_ERR_INTERNAL ? 0 : rc;
}

static struct token_job *
take_next(struct token *t)
{
	struct token_job *job = TAILQ_FIRST(&t->again);
	struct queue_item *item;

	if (job != NULL) {
		TAILQ_REMOVE(&t->again, job, entry);
		return job;
	}
	item = queue_take(&t->queue);
	return item != NULL ? job_of(item) : NULL;
}

void
token_fill(struct token *t)
{
	struct token_job *job;
	struct ht_error e;

	while (t->phase == TOKEN_READY &&
	    t->nwindow < TOKEN_WINDOW * t->sessions &&
	    (job = take_next(t)) != NULL) {
		/* In the window first: nobody can cancel it there. */
		job->phase = JOB_WRITTEN;
		TAILQ_INSERT_TAIL(&t->window, job, entry);
		t->nwindow++;
		ht_error_clear(&e);
		if (token_check(t, job->key, &e) == 0 &&
		    job->ops.authorise(job->cookie, job->attempt + 1, &e) ==
		        0) {
			job->attempt++;
			if (t->keys[job->key].each)
				(void)token_each_record(t);
			continue;
		}
		leave_window(job);
		finish(job, NULL, 0, &e);
	}
}

static void
on_kick(void *cookie)
{
	struct token *t = cookie;

	t->kick = NULL;
	token_fill(t);
}

/* --- handing over ------------------------------------------------------ */

/*
 * A job on its second attempt is sent alone.  If it kills the worker, no other
 * job is lost with it again.  So is one that wants the PIN: if that is refused,
 * no other one has cost a try.
 */
static bool
is_sociable(const struct token *t, const struct token_job *job)
{
	return job->attempt == 1 && !t->keys[job->key].each;
}

static bool
may_go(const struct token *t, const struct token_job *job)
{
	if (job->phase != JOB_COMMITTED)
		return false;
	return t->nsent == 0 ||
	    (is_sociable(t, job) && is_sociable(t, TAILQ_FIRST(&t->window)));
}

/* Return the first job that was not sent, if it may go now, or NULL. */
static struct token_job *
next_to_go(const struct token *t)
{
	struct token_job *job;

	TAILQ_FOREACH(job, &t->window, entry)
		if (job->phase != JOB_SENT)
			return may_go(t, job) ? job : NULL;
	return NULL;
}

/*
 * The worker has begun with as many jobs as it has sessions.  The deadline is
 * that of the one that it has had for longest.
 */
void
token_await_jobs(struct token *t)
{
	struct token_job *job;
	unsigned int i = 0;

	TAILQ_FOREACH(job, &t->window, entry) {
		if (i++ == t->sessions || job->phase != JOB_SENT)
			break;
		if (job->since == 0)
			job->since = loop_now();
	}
	if (t->nsent > 0)
		token_await_since(t, TAILQ_FIRST(&t->window)->since);
	else
		token_await_nothing(t);
}

static void
send_job(struct token *t, struct token_job *job)
{
	bool each = t->keys[job->key].each;
	struct protocol_token_sign body;

	memset(&body, 0, sizeof(body));
	body.key = job->key;
	memcpy(body.digest, job->digest, sizeof(body.digest));
	body.hash = cursor_over(job->hash, job->nhash);
	job->tag = ++t->last_tag;
	job->phase = JOB_SENT;
	job->since = 0;
	t->nsent++;
	t->each.at_risk = each;
	if (!token_say(t, PROTOCOL_TOKEN_SIGN, job->tag, &body,
	        each ? t->guard : -1))
		return;
	if (each)
		token_unguard(t); /* now it is the worker's */
	token_await_jobs(t);
}

void
token_hand_over(struct token *t)
{
	struct token_job *job;
	struct ht_error e;

	/* First the token looks for keys that were added meanwhile. */
	while (t->phase == TOKEN_READY && t->next_key == t->nkeys) {
		job = next_to_go(t);
		if (job == NULL ||
		    (t->keys[job->key].each && !token_each_record(t)))
			return;
		ht_error_clear(&e);
		if (t->keys[job->key].each && token_guard(t, &e) < 0) {
			t->machine->failed(t, e.text);
			return;
		}
		if (job->ops.confirm(job->cookie, &e) == 0) {
			send_job(t, job);
		} else {
			leave_window(job);
			finish(job, NULL, 0, &e);
		}
	}
}

/* --- answers ----------------------------------------------------------- */

/* Take the job that tag answers out of the window, or return NULL. */
static struct token_job *
answered_job(struct token *t, uint32_t tag)
{
	struct token_job *job;

	TAILQ_FOREACH(job, &t->window, entry)
		if (job->phase == JOB_SENT && job->tag == tag)
			break;
	if (job == NULL)
		return NULL;
	t->each.at_risk = false;
	if (t->slow)
		token_set_reason(t, "");
	t->slow = false;
	leave_window(job);
	token_await_jobs(t);
	return job;
}

bool
token_signed(struct token *t, uint32_t tag, struct cursor signature)
{
	struct token_job *job = answered_job(t, tag);

	if (job != NULL)
		finish(job, signature.p, signature.left, NULL);
	return job != NULL;
}

bool
token_not_signed(struct token *t, uint32_t tag, const char *why)
{
	struct token_job *job = answered_job(t, tag);
	struct ht_error e;

	if (job == NULL)
		return false;
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "token %s did not sign: %s",
	    t->name, why);
	log_error("%s", e.text);
	finish(job, NULL, 0, &e);
	return true;
}

/* --- failing ----------------------------------------------------------- */

static void
end_list(struct job_list *list, const struct ht_error *e)
{
	struct token_job *job;

	while ((job = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, job, entry);
		finish(job, NULL, 0, e);
	}
}

void
token_take_back(struct token *t, const char *text)
{
	struct job_list given_up = TAILQ_HEAD_INITIALIZER(given_up);
	struct token_job *job;
	struct ht_error e;

	while (
	    (job = TAILQ_FIRST(&t->window)) != NULL && job->phase == JOB_SENT) {
		leave_window(job);
		if (job->attempt < TOKEN_ATTEMPTS) {
			job->phase = JOB_QUEUED;
			TAILQ_INSERT_TAIL(&t->again, job, entry);
		} else {
			TAILQ_INSERT_TAIL(&given_up, job, entry);
		}
		job->ops.lost(job->cookie, text);
	}
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE,
	    "token %s failed twice with this: %s", t->name, text);
	end_list(&given_up, &e);
}

void
token_offer(struct token *t, const struct ht_error *e)
{
	struct job_list going = TAILQ_HEAD_INITIALIZER(going);
	struct queue_item *item, *next_item;
	struct token_job *job, *next;

	for (job = TAILQ_FIRST(&t->window); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->phase != JOB_COMMITTED ||
		    !job->ops.elsewhere(job->cookie))
			continue;
		leave_window(job);
		TAILQ_INSERT_TAIL(&going, job, entry);
	}
	for (job = TAILQ_FIRST(&t->again); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (!job->ops.elsewhere(job->cookie))
			continue;
		TAILQ_REMOVE(&t->again, job, entry);
		TAILQ_INSERT_TAIL(&going, job, entry);
	}
	for (item = queue_next(&t->queue, NULL); item != NULL;
	     item = next_item) {
		next_item = queue_next(&t->queue, item);
		job = job_of(item);
		if (!job->ops.elsewhere(job->cookie))
			continue;
		queue_remove(&t->queue, item);
		TAILQ_INSERT_TAIL(&going, job, entry);
	}
	end_list(&going, e);
}

void
token_end_written(struct token *t)
{
	struct job_list undone = TAILQ_HEAD_INITIALIZER(undone);
	struct token_job *job, *next;
	struct ht_error e;

	for (job = TAILQ_FIRST(&t->window); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->phase != JOB_WRITTEN)
			continue;
		leave_window(job);
		TAILQ_INSERT_TAIL(&undone, job, entry);
	}
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "no room for the record");
	end_list(&undone, &e);
}

void
token_end_all(struct token *t, const struct ht_error *e)
{
	struct job_list all = TAILQ_HEAD_INITIALIZER(all);
	struct queue_item *item;
	struct token_job *job;

	/* First move all jobs to one list: callbacks may submit new ones. */
	while ((job = TAILQ_FIRST(&t->window)) != NULL) {
		leave_window(job);
		TAILQ_INSERT_TAIL(&all, job, entry);
	}
	TAILQ_CONCAT(&all, &t->again, entry);
	while ((item = queue_take(&t->queue)) != NULL)
		TAILQ_INSERT_TAIL(&all, job_of(item), entry);
	TAILQ_FOREACH(job, &all, entry)
		job->phase = JOB_ENDING;
	end_list(&all, e);
}

/* --- the owner's side -------------------------------------------------- */

/* Fill the window in the next round of the loop, after the caller. */
static int
kick(struct token *t)
{
	if (t->kick == NULL && t->phase == TOKEN_READY)
		t->kick = loop_timer_add(t->loop, 0, on_kick, t);
	return t->kick != NULL || t->phase != TOKEN_READY ? 0 : HT_ERR_INTERNAL;
}

static struct token_job *
new_job(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie)
{
	struct token_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->token = t;
	job->ops = *ops;
	job->cookie = cookie;
	job->key = work->key;
	memcpy(job->digest, work->digest, strlen(work->digest) + 1);
	memcpy(job->hash, work->hash, work->n);
	job->nhash = work->n;
	job->attempt = work->lost;
	return job;
}

int
token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **out,
    struct ht_error *e)
{
	struct token_job *job;
	int rc = token_check(t, work->key, e);

	*out = NULL;
	if (rc < 0)
		return rc;
	if (work->n > TOKEN_HASH_MAX || strlen(work->digest) >= PROTOCOL_WORD)
		return ht_error_set(e, HT_ERR_INTERNAL, "not a digest");
	rc = token_wake(t, e);
	if (rc < 0)
		return rc;
	job = new_job(t, work, ops, cookie);
	if (job == NULL || kick(t) < 0 ||
	    queue_put(&t->queue, work->client, &job->item) < 0) {
		free(job);
		return ht_error_memory(e);
	}
	t->njobs++;
	*out = job;
	return 0;
}

bool
token_cancel(struct token_job *job)
{
	struct token *t = job->token;

	if (job->item.client == NULL)
		return false;
	queue_remove(&t->queue, &job->item);
	t->njobs--;
	free(job);
	return true;
}

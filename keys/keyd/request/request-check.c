#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/archive.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "lib/json.h"

static const struct conf_profile *
profile_of(const struct request *r)
{
	return conf_profile(r->keyd->setup->conf, r->profile);
}

static void
go_on(struct request *r)
{
	if (r->keeps)
		request_keep(r);
	else
		request_sign(r);
}

/* --- what it has said ---------------------------------------------------- */

/* The next engine of the list: its name, category and result. */
struct engine {
	char name[PROTOCOL_NAME], category[PROTOCOL_NAME],
	    result[PROTOCOL_NAME];
};

static bool
next_engine(struct cursor *c, struct engine *e)
{
	return c->left > 0 && cursor_text(c, e->name, sizeof(e->name)) == 0 &&
	    cursor_text(c, e->category, sizeof(e->category)) == 0 &&
	    cursor_text(c, e->result, sizeof(e->result)) == 0;
}

static bool
calls_it_bad(const struct engine *e)
{
	return strcmp(e->category, "malicious") == 0 ||
	    strcmp(e->category, "suspicious") == 0;
}

static bool
is_fatal(const struct conf_profile *profile, const struct engine *e)
{
	size_t i;

	for (i = 0; i < profile->nvt_fatal_engines; i++)
		if (strcmp(profile->vt_fatal_engines[i], e->name) == 0)
			return calls_it_bad(e);
	return false;
}

/* Judge an analysis.  Those that call the file bad are named in text. */
static const char *
judge(const struct conf_profile *profile, const struct protocol_checked *a,
    char text[PROTOCOL_TEXT])
{
	struct cursor c = a->engines;
	struct engine engine;
	bool fatal = false;
	size_t n;

	(void)snprintf(text, PROTOCOL_TEXT, "%u of %u engines call it bad",
	    (unsigned int)a->bad, (unsigned int)a->total);
	while (next_engine(&c, &engine)) {
		fatal = fatal || is_fatal(profile, &engine);
		n = strlen(text);
		if (calls_it_bad(&engine))
			(void)snprintf(text + n, PROTOCOL_TEXT - n, "%s %s",
			    strchr(text, ':') == NULL ? ":" : ",", engine.name);
	}
	if (fatal ||
	    (uint64_t)a->bad * 100 >
	        (uint64_t)profile->vt_max_bad_percent * a->total)
		return "bad";
	return "clean";
}

/* All engines as one JSON array. */
static void
put_engines(struct cursor c, struct buf *out)
{
	struct engine engine;

	json_open(out, NULL, '[');
	while (next_engine(&c, &engine)) {
		json_open(out, NULL, '{');
		json_text(out, "engine", engine.name);
		json_text(out, "category", engine.category);
		json_text(out, "result", engine.result);
		json_close(out, '}');
	}
	json_close(out, ']');
	buf_u8(out, '\0');
}

static void
record(struct request *r, const char *verdict, const char *text,
    const struct protocol_checked *a)
{
	struct journal_checked said = { verdict, text, (int64_t)a->date, a->bad,
		a->total, NULL };
	struct store *s = r->keyd->store;
	uint64_t before = store_written(s);
	struct buf engines = BUF_INIT;
	struct ht_error e;
	int rc;

	put_engines(a->engines, &engines);
	said.engines = (const char *)engines.data;
	rc = buf_failed(&engines) < 0
	    ? ht_error_memory(&e)
	    : journal_checked(s, r->number, &said, &e);
	keyd_must(r->keyd, rc, &e);
	buf_free(&engines);
	quota_charge(r->keyd->quota, r->who.name, 0, store_written(s) - before);
}

/* There is no analysis. */
static void
unknown(struct request *r, const char *why)
{
	static const struct protocol_checked nothing;
	const struct conf_profile *profile = profile_of(r);
	struct protocol_refuse no;
	size_t n = strlen(r->note);

	record(r, "unknown", why, &nothing);
	if (profile == NULL || profile->virustotal == CONF_SCAN_REQUIRED) {
		keyd_refusal(&no, HT_ERR_UNAVAILABLE, "virustotal",
		    "VirusTotal has no answer: %.200s", why);
		request_say_no(r, false, &no);
		return;
	}
	(void)snprintf(r->note + n, sizeof(r->note) - n, "%sVirusTotal: %.200s",
	    n > 0 ? "; " : "", why);
	go_on(r);
}

static void
answered(void *cookie, const struct protocol_checked *a)
{
	struct request *r = cookie;
	const struct conf_profile *profile = profile_of(r);
	char text[PROTOCOL_TEXT];
	struct protocol_refuse no;
	const char *verdict;

	r->check = NULL;
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
	if (a->known == 0 || profile == NULL) {
		unknown(r, profile == NULL ? "the profile is gone" : a->text);
		return;
	}
	verdict = judge(profile, a, text);
	record(r, verdict, text, a);
	if (strcmp(verdict, "clean") == 0) {
		go_on(r);
		return;
	}
	keyd_refusal(&no, HT_ERR_REFUSED, "virus", "VirusTotal: %.200s", text);
	request_say_no(r, true, &no);
}

/* --- asking -------------------------------------------------------------- */

/* The kept file, if it may be uploaded. */
static int
open_file(const struct request *r, const struct conf_profile *profile,
    int *file, struct ht_error *e)
{
	char name[2 * JOURNAL_SHA256 + 1];
	size_t i;

	*file = -1;
	if (profile->vt_upload == CONF_UPLOAD_NONE)
		return 0;
	for (i = 0; i < JOURNAL_SHA256; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", r->pumped_sha256[i]);
	*file = archive_open(r->keyd->archive, name, e);
	return *file < 0 ? e->code : 0;
}

/* A quarter of the time that is left is for what follows. */
static int
ask(struct request *r, const struct conf_profile *profile, struct ht_error *e)
{
	uint64_t now = loop_now();
	struct check_work work = { r->who.name, r->pumped_sha256,
		r->pumped_size, -1, profile->vt_upload == CONF_UPLOAD_PRIVATE,
		r->ends > now ? (r->ends - now) / 4 * 3 : 0 };
	int rc = open_file(r, profile, &work.file, e);

	return rc < 0
	    ? rc
	    : checks_begin(r->keyd->checks, &work, answered, r, &r->check, e);
}

void
request_check(struct request *r)
{
	const struct conf_profile *profile = profile_of(r);
	struct ht_error e;

	if (profile == NULL || profile->virustotal == CONF_SCAN_NONE)
		go_on(r);
	else if (ask(r, profile, &e) < 0)
		unknown(r, e.text);
	else
		request_start_waiting(r);
}

#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "formats/format.h"
#include "htsign-shell/existing.h"
#include "htsign-shell/greeting.h"
#include "htsign-shell/postflight.h"
#include "htsign-shell/sign.h"
#include "htsign-shell/tap.h"
#include "lib/log.h"
#include "signature/content.h"
#include "signature/der.h"

/* A client that neither sends nor takes a byte for this long is gone. */
#define IDLE 120 /* seconds */

/* Nor is one waited for whose bytes come one by one, so many a second. */
#define SLOW 1024
#define SLOW_AFTER 600 /* seconds */

/* Nor an htsign-pump, which itself waits for clamd for up to 150 seconds. */
#define PIPE_IDLE 180 /* seconds */

/* Without a command, the greeting is shown after this long without input. */
#define GREETING_AFTER 1000 /* ms */

/* The most that signing adds to a file beside the PKCS#7, in bytes. */
#define PADDING ((uint64_t)64 << 10)

/* Processor time: CPU_LEAST seconds, and a second for each CPU_BYTES. */
#define CPU_LEAST 600
#define CPU_BYTES ((uint64_t)16 << 20)

/* Words for the journal: why a request failed. */
#define WHY_EMPTY "empty"
#define WHY_UPLOAD "upload"
#define WHY_NOT_SIGNABLE "not-signable"
#define WHY_FORMAT "format"
#define WHY_DAMAGED "damaged"
#define WHY_CUT "cut"
#define WHY_EXISTING "existing"
#define WHY_OUTPUT "output"
#define WHY_INTERNAL "internal"

_Static_assert(PROTOCOL_SELF == FORMAT_VERSION_TEXT,
    "what a file says of itself fits CONTENT");

struct signing {
	struct keyd_client *keyd;
	const struct protocol_welcome *welcome;
	struct request_line *request;
	struct protocol_go go;
	int spool;
	struct tap tap;
	struct input *in;
	struct format_file *file;
	bool hashes; /* the input; else htsign-pump does */
	uint8_t sha256[REQUEST_LINE_SHA256]; /* of the input, if it hashes */
	enum existing_action action;
	bool had_timestamp;          /* of the signature that is replaced */
	struct protocol_signed said; /* of the new signature */
	struct buf pkcs7;            /* the signature that goes into the file */
	struct cursor over; /* its content; points into pkcs7 or file */
	struct output *out;
	const char *why; /* for the journal; NULL if keyd knows, or is gone */
	char waiting[PROTOCOL_WORD]; /* the last reason that was logged */
};

/* --- the upload ---------------------------------------------------------- */

/* Any message from keyd while we read the file ends the request. */
static int
watch_keyd(void *cookie, struct ht_error *e)
{
	struct signing *s = cookie;
	int rc = keyd_client_check(s->keyd, e);

	if (rc < 0)
		s->why = NULL;
	return rc;
}

/* Whether GO allows this format. */
static bool
format_allowed(const struct protocol_go *go, const struct format *wanted)
{
	size_t n = strlen(wanted->name);
	const char *name = go->formats;

	while (strncmp(name, wanted->name, n) != 0 ||
	    (name[n] != ',' && name[n] != '\0')) {
		name = strchr(name, ',');
		if (name == NULL)
			return false;
		name++;
	}
	return true;
}

static int
lower_limit(__rlimit_resource_t resource, rlim_t most, struct ht_error *e)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return ht_error_errno(e, "getrlimit");
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)
		limit.rlim_max = most;
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit(resource, &limit) < 0)
		return ht_error_errno(e, "setrlimit");
	return 0;
}

/*
 * Even a subverted shell cannot fill the disk with its spool.  The output is
 * not much larger than the input.  Processor time is limited by the size of the
 * input; 4 GiB take a minute.
 */
static int
limit_resources(uint64_t max_size, struct ht_error *e)
{
	uint64_t most = max_size + PROTOCOL_PKCS7_MAX + PADDING;
	int rc;

	if (most < max_size)
		return ht_error_set(e, HT_ERR_INTERNAL, "no limit on files");
	rc = lower_limit(RLIMIT_FSIZE, most, e);
	if (rc == 0)
		rc = lower_limit(RLIMIT_CPU, CPU_LEAST + max_size / CPU_BYTES,
		    e);
	return rc;
}

static int
open_input(struct signing *s, struct ht_error *e)
{
	bool again = s->request->begin.reply == PROTOCOL_REPLY_FULL ||
	    existing_nests(&s->go) || s->go.version != 0;
	struct input_stream how = {
		.fd = STDIN_FILENO,
		.spool = again ? s->spool : -1,
		.pipe = s->keyd->pipe,
		.pipe_idle = PIPE_IDLE,
		.max_size = s->go.max_size,
		.idle = IDLE,
		.least = SLOW,
		.slow_after = SLOW_AFTER,
		.watch_fd = keyd_client_fd(s->keyd),
		.watch = watch_keyd,
		.watch_cookie = s,
	};
	int rc = limit_resources(s->go.max_size, e);

	if (rc < 0)
		return rc;
	s->in = input_stream(&how, e);
	if (s->in == NULL)
		return HT_ERR_INTERNAL;
	/* What goes back as it came is compared with what htsign-pump has. */
	s->hashes = s->keyd->pipe < 0 || existing_keeps(&s->go);
	if (!s->hashes)
		return 0;
	rc = tap_start(&s->tap, e);
	if (rc == 0)
		rc = input_tap(s->in, tap_bytes, &s->tap, e);
	return rc;
}

/*
 * After a failed read, correct the word for the journal.  Only HT_ERR_DATA is
 * about the bytes.  Other causes: too many bytes, too slow, no room.
 */
static void
blame_upload(struct signing *s, int rc)
{
	if (s->why != NULL && rc != HT_ERR_DATA)
		s->why = rc == HT_ERR_INTERNAL ? WHY_INTERNAL : WHY_UPLOAD;
}

/* Wait for the first byte.  Greet a client that gave no command either. */
static int
first_byte(struct signing *s, struct ht_error *e)
{
	struct pollfd in = { STDIN_FILENO, POLLIN, 0 };
	bool greeted = false;
	const uint8_t *p;
	size_t got;
	int rc;

	if (s->request->bare && poll(&in, 1, GREETING_AFTER) == 0) {
		greeting_show(s->welcome);
		greeted = true;
	}
	rc = input_read(s->in, 0, 1, &p, &got, e);
	if (rc < 0)
		blame_upload(s, rc);
	if (rc < 0 || got == 1)
		return rc;
	s->why = WHY_EMPTY;
	if (!s->request->bare)
		return ht_error_set(e, HT_ERR_DATA, "the input is empty");
	if (!greeted)
		greeting_show(s->welcome);
	return ht_error_set(e, HT_ERR_USAGE,
	    "there is no command and no input");
}

/* --- what arrived -------------------------------------------------------- */

static bool
is_catalog(const struct signing *s)
{
	return strcmp(s->file->format->name, CONTENT_CAT) == 0;
}

static int
digest_input(struct signing *s, struct ht_error *e)
{
	struct format_options options = s->request->signature;
	const char *name = s->request->begin.name;
	const struct format *format;
	int rc;

	s->why = WHY_NOT_SIGNABLE;
	rc = format_detect(s->in, name[0] != '\0' ? name : NULL, &format, e);
	if (rc < 0) {
		blame_upload(s, rc);
		return rc;
	}
	s->why = WHY_FORMAT;
	if (!format_allowed(&s->go, format))
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the profile %s does not sign %s files", s->go.profile,
		    format->title);
	s->why = WHY_DAMAGED;
	options.algorithm = s->go.digest;
	options.as_signed = existing_nests(&s->go);
	options.remains = true;
	rc = format->seeks ? input_spool(s->in, s->spool, e) : 0;
	if (rc == 0)
		rc = format_digest(format, s->in, &options, &s->file, e);
	if (rc < 0) {
		blame_upload(s, rc);
		/* The input did not refuse: the format did. */
		if (rc == HT_ERR_REFUSED && !input_failed(s->in))
			s->why = WHY_FORMAT;
		return rc;
	}
	s->why = WHY_FORMAT;
	if (is_catalog(s) && s->file->content.len > s->go.max_ctl)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the CTL has %zu bytes, more than the %" PRIu64
		    " that profile %s allows",
		    s->file->content.len, s->go.max_ctl, s->go.profile);
	return 0;
}

/* Compare the upload with --size and --sha256. */
static int
check_input(struct signing *s, struct ht_error *e)
{
	const struct protocol_begin *begin = &s->request->begin;
	uint64_t size;
	int rc;

	s->why = WHY_INTERNAL;
	rc = input_drain(s->in, &size, e);
	if (rc < 0) {
		blame_upload(s, rc);
		return rc;
	}
	if (s->hashes)
		rc = tap_end(&s->tap, s->sha256, e);
	if (rc < 0)
		return rc;
	s->why = WHY_CUT;
	if (begin->size != PROTOCOL_SIZE_UNKNOWN && begin->size != size)
		return ht_error_set(e, HT_ERR_DATA,
		    "%s%" PRIu64 " bytes arrived, not %" PRIu64,
		    size < begin->size ? "the upload was cut: " : "", size,
		    begin->size);
	if (s->hashes && begin->sha256.left == sizeof(s->sha256) &&
	    memcmp(begin->sha256.p, s->sha256, sizeof(s->sha256)) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the upload was cut: its SHA-256 differs");
	return 0;
}

/* Whether the first signature has a timestamp.  A damaged one has none. */
static bool
is_timestamped(const struct buf *signature)
{
	struct cursor c = buf_cursor(signature);
	struct pkcs7 *p7 = NULL;
	struct der first;
	bool is;

	is = der_next(&c, &first, NULL) == 0 &&
	    pkcs7_parse(first.whole.p, first.whole.left, &p7, NULL) == 0 &&
	    pkcs7_count(p7, PKCS7_TIMESTAMP) > 0;
	pkcs7_free(p7);
	return is;
}

/* Decide what to do with an old signature. */
static int
decide(struct signing *s, struct ht_error *e)
{
	int rc;

	s->why = WHY_EXISTING;
	rc = existing_decide(&s->go, s->file, &s->action, e);
	if (rc < 0 && rc != HT_ERR_REFUSED)
		blame_upload(s, rc);
	s->had_timestamp = rc == 0 && s->action == EXISTING_SIGN &&
	    is_timestamped(&s->file->signature);
	if (s->action == EXISTING_SIGN)
		buf_free(&s->file->signature);
	return rc;
}

/* What is signed, and may not be what was wanted. */
static void
warn(const struct signing *s)
{
	if (s->said.note[0] != '\0')
		log_notice("request %" PRIu64 ": warning: %s", s->keyd->number,
		    s->said.note);
	if (s->had_timestamp && s->said.roots.left == 0)
		log_notice("request %" PRIu64 ": warning: the signature that "
		           "was replaced had a timestamp, and the new one has "
		           "none",
		    s->keyd->number);
	if (s->file->warning != NULL)
		log_notice("request %" PRIu64 ": warning: %s", s->keyd->number,
		    s->file->warning);
}

/* --- the signature ------------------------------------------------------- */

/* Log why we wait, if the reason is new. */
static void
show_waiting(void *cookie, const struct protocol_wait *wait)
{
	struct signing *s = cookie;

	if (strcmp(s->waiting, wait->reason) == 0)
		return;
	memcpy(s->waiting, wait->reason, sizeof(s->waiting));
	log_notice("request %" PRIu64 ": waiting: %s", s->keyd->number,
	    wait->text[0] != '\0' ? wait->text : wait->reason);
}

static int
get_signature(struct signing *s, struct ht_error *e)
{
	const struct buf *publisher = &s->file->publisher;
	struct protocol_content content;
	struct format_version version;
	int rc;

	s->why = WHY_INTERNAL;
	rc = format_version(s->file, &version, e);
	if (rc < 0)
		return rc;
	s->over = buf_cursor(&s->file->content);
	memset(&content, 0, sizeof(content));
	content.kind = is_catalog(s) ? PROTOCOL_KIND_CTL : PROTOCOL_KIND_SPC;
	(void)snprintf(content.format, sizeof(content.format), "%s",
	    s->file->spc);
	if (publisher->len > 0 && publisher->len < sizeof(content.publisher))
		memcpy(content.publisher, publisher->data, publisher->len);
	content.size = s->file->size;
	content.sha256 =
	    cursor_over(s->sha256, s->hashes ? sizeof(s->sha256) : 0);
	content.existing = s->file->was_signed;
	memcpy(content.product, version.product, sizeof(content.product));
	memcpy(content.company, version.company, sizeof(content.company));
	memcpy(content.version, version.version, sizeof(content.version));
	s->why = NULL;
	rc = keyd_client_content(s->keyd, &content, s->over, &s->pkcs7,
	    &s->said, e);
	if (rc < 0)
		return rc;
	/* With page hashes the content is too long for a second copy. */
	s->over = postflight_find(&s->pkcs7, s->over);
	if (s->over.p != s->file->content.data)
		buf_free(&s->file->content);
	return 0;
}

/* --- the output ---------------------------------------------------------- */

static int
plan_output(struct signing *s, struct ht_error *e)
{
	struct ht_error why;
	int rc;

	if (s->request->begin.reply == PROTOCOL_REPLY_FULL) {
		rc = format_plan(s->file, s->pkcs7.data, s->pkcs7.len, &s->out,
		    &why);
		/* The file was good, so keyd has sent no signature. */
		if (rc == HT_ERR_DATA)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "the result does not verify: %s", why.text);
		if (rc < 0)
			*e = why;
		return rc;
	}
	s->out = output_new(s->in, e);
	if (s->out == NULL)
		return HT_ERR_INTERNAL;
	return output_borrowed(s->out, s->pkcs7.data, s->pkcs7.len, e);
}

/* Nest the new signature in the old one, if the profile says so. */
static int
nest(struct signing *s, struct ht_error *e)
{
	if (s->action != EXISTING_NEST)
		return 0;
	return existing_nest(s->file, &s->pkcs7, &s->over, e);
}

/* How the output is made of the input, if keyd keeps that. */
static int
write_recipe(const struct signing *s, struct buf *recipe, struct ht_error *e)
{
	if (s->go.recipe == 0)
		return 0;
	output_recipe(s->out, recipe);
	if (buf_failed(recipe) < 0)
		return ht_error_memory(e);
	if (recipe->len > PROTOCOL_RECIPE_MAX)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the output has %zu bytes that the file has not, which is "
		    "more than can be kept",
		    recipe->len);
	return 0;
}

/* Have keyd record and release the output. */
static int
say_output(struct signing *s, const uint8_t *sha256, struct ht_error *e)
{
	struct protocol_output output;
	struct buf recipe = BUF_INIT;
	int rc = write_recipe(s, &recipe, e);

	if (rc == 0) {
		s->why = NULL;
		output.size = output_size(s->out);
		output.sha256 = cursor_over(sha256, REQUEST_LINE_SHA256);
		rc = keyd_client_output(s->keyd, &output, buf_cursor(&recipe),
		    e);
	}
	buf_free(&recipe);
	return rc;
}

/* Make and verify the output, and have it released. */
static int
release_output(struct signing *s, struct ht_error *e)
{
	uint8_t sha256[REQUEST_LINE_SHA256];
	int rc = 0;

	s->why = WHY_OUTPUT;
	if (s->said.roots.left > 0)
		rc = postflight_stamp(&s->pkcs7, s->said.roots, e);
	if (rc == 0)
		rc = nest(s, e);
	if (rc == 0)
		rc = plan_output(s, e);
	if (rc < 0)
		return rc;
	if (s->request->begin.reply == PROTOCOL_REPLY_FULL)
		rc = postflight_file(s->file->format, s->out, &s->pkcs7,
		    s->over, sha256, e);
	else
		rc = postflight_pkcs7(&s->pkcs7, s->over, sha256, e);
	return rc < 0 ? rc : say_output(s, sha256, e);
}

static int
sign(struct signing *s, struct ht_error *e)
{
	int rc = get_signature(s, e);

	if (rc == 0)
		rc = release_output(s, e);
	if (rc == 0 && s->file->remains.what[0] != '\0')
		log_notice("request %" PRIu64 ": taken out: %s",
		    s->keyd->number, s->file->remains.what);
	return rc;
}

/* Return the file unchanged. */
static int
keep(struct signing *s, struct ht_error *e)
{
	uint8_t sha256[REQUEST_LINE_SHA256];
	char signer[PROTOCOL_TEXT];
	struct protocol_kept kept;
	int rc;

	s->why = WHY_INTERNAL;
	rc = existing_keep(s->file, s->request->begin.reply, s->sha256, &s->out,
	    &kept, sha256, e);
	if (rc < 0)
		return rc;
	s->why = NULL;
	rc = keyd_client_kept(s->keyd, &kept, e);
	if (rc < 0)
		return rc;
	existing_signer(s->file, signer, sizeof(signer));
	log_notice("request %" PRIu64 ": nothing was signed: the file goes "
	           "back with the signature that it has, by %s",
	    s->keyd->number, signer);
	return 0;
}

/*
 * Write the output to the client, and tell keyd how much of it was written.
 * The client gets its output even if keyd is gone by then.
 */
static int
deliver(struct signing *s, struct ht_error *e)
{
	struct ht_error ignored;
	uint64_t written;
	int rc;

	rc = output_write(s->out, STDOUT_FILENO, IDLE, &written, e);
	if (rc == 0)
		(void)keyd_client_delivered(s->keyd, written, &ignored);
	return rc;
}

/* --- all of it ----------------------------------------------------------- */

static int
sign_steps(struct signing *s, struct ht_error *e)
{
	int rc;

	rc = keyd_client_begin(s->keyd, &s->request->begin, &s->go, &s->spool,
	    e);
	if (rc < 0)
		return rc;
	s->why = WHY_INTERNAL;
	rc = open_input(s, e);
	if (rc == 0)
		rc = first_byte(s, e);
	if (rc == 0)
		rc = digest_input(s, e);
	if (rc == 0)
		rc = check_input(s, e);
	if (rc == 0)
		rc = decide(s, e);
	if (rc == 0 && s->action == EXISTING_KEEP)
		rc = keep(s, e);
	else if (rc == 0)
		rc = sign(s, e);
	if (rc == 0 && s->action != EXISTING_KEEP)
		warn(s);
	if (rc == 0)
		rc = deliver(s, e);
	return rc;
}

int
sign_run(struct keyd_client *keyd, const struct protocol_welcome *welcome,
    struct request_line *request, struct ht_error *e)
{
	struct signing s;
	struct ht_error answer;
	int rc;

	memset(&s, 0, sizeof(s));
	s.keyd = keyd;
	keyd->waiting = show_waiting;
	keyd->cookie = &s;
	s.welcome = welcome;
	s.request = request;
	s.spool = -1;
	rc = sign_steps(&s, e);
	/* A refusal that keyd has sent meanwhile is the one that is on record. */
	if (rc < 0 && s.why != NULL &&
	    keyd_client_fail(keyd, e, s.why, &answer) < 0 && keyd->refused) {
		*e = answer;
		rc = e->code;
	}
	if (rc == HT_ERR_USAGE && request->bare && keyd->refused)
		greeting_show(s.welcome);
	keyd->waiting = NULL;
	keyd->cookie = NULL;
	output_free(s.out);
	format_file_free(s.file);
	input_free(s.in);
	tap_free(&s.tap);
	buf_free(&s.pkcs7);
	if (s.spool >= 0)
		(void)close(s.spool);
	return rc;
}

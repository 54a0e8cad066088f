#include "config.h"

#include <jansson.h>

#include <stdio.h>
#include <string.h>

#include "fetch/virustotal.h"

static int
read_json(struct cursor json, json_t **root, struct ht_error *e)
{
	json_error_t why;

	*root = json_loadb((const char *)json.p, json.left,
	    JSON_REJECT_DUPLICATES, &why);
	if (*root != NULL)
		return 0;
	return ht_error_set(e, HT_ERR_DATA, "its answer is no JSON");
}

/* The member of a member, and so on; NULL if one is missing. */
static json_t *
member(json_t *at, const char *const *names)
{
	for (; at != NULL && *names != NULL; names++)
		at = json_object_get(at, *names);
	return at;
}
#define MEMBER(at, ...) member(at, (const char *const[]){ __VA_ARGS__, NULL })

/* Append a text of theirs as a string. */
static void
put(struct buf *out, const char *text)
{
	char word[VIRUSTOTAL_WORD];
	size_t n = 0;

	for (; text != NULL && *text != '\0' && n < sizeof(word) - 1; text++)
		word[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	word[n] = '\0';
	buf_text(out, word);
}

/* Whether an engine with this category has looked at the file. */
static bool
has_verdict(const char *category, bool *bad)
{
	*bad = strcmp(category, "malicious") == 0 ||
	    strcmp(category, "suspicious") == 0;
	return *bad || strcmp(category, "harmless") == 0 ||
	    strcmp(category, "undetected") == 0;
}

/* One more engine.  HT_ERR_DATA if there are too many. */
static int
add(struct virustotal_report *out, const char *name, const char *category,
    const char *result, struct ht_error *e)
{
	bool bad;

	if (out->listed == VIRUSTOTAL_ENGINES)
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer lists too many engines");
	out->listed++;
	if (has_verdict(category, &bad)) {
		out->total++;
		out->bad += bad;
	}
	put(&out->engines, name);
	put(&out->engines, category);
	put(&out->engines, result);
	return 0;
}

static int
add_all(struct virustotal_report *out, json_t *engines, struct ht_error *e)
{
	const char *name, *category;
	json_t *engine;

	if (!json_is_object(engines))
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer does not list the engines");
	json_object_foreach(engines, name, engine)
	{
		category =
		    json_string_value(json_object_get(engine, "category"));
		if (category == NULL)
			return ht_error_set(e, HT_ERR_DATA,
			    "its answer has an engine without a category");
		if (add(out, name, category,
		        json_string_value(json_object_get(engine, "result")),
		        e) < 0)
			return e->code;
	}
	return 0;
}

/* What is listed is all. */
static int
complete(const struct virustotal_report *out, struct ht_error *e)
{
	if (buf_failed(&out->engines) < 0)
		return ht_error_memory(e);
	if (out->total == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "no engine has looked at the file");
	return 0;
}

static int
check_file(json_t *name, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct ht_error *e)
{
	char hex[2 * VIRUSTOTAL_SHA256 + 1];
	size_t i;

	for (i = 0; i < VIRUSTOTAL_SHA256; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
	if (json_is_string(name) && strcmp(json_string_value(name), hex) == 0)
		return 0;
	return ht_error_set(e, HT_ERR_DATA, "its answer is about another file");
}

static int
read_file(json_t *root, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e)
{
	json_t *about = MEMBER(root, "data", "attributes");
	json_t *date = MEMBER(about, "last_analysis_date");

	if (check_file(MEMBER(about, "sha256"), sha256, e) < 0)
		return e->code;
	if (!json_is_integer(date) || json_integer_value(date) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer has no date of an analysis");
	out->date = json_integer_value(date);
	if (add_all(out, MEMBER(about, "last_analysis_results"), e) < 0)
		return e->code;
	return complete(out, e);
}

int
virustotal_file(struct cursor json, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e)
{
	json_t *root;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_json(json, &root, e);
	if (rc == 0)
		rc = read_file(root, sha256, out, e);
	json_decref(root);
	return rc;
}

/* The words for a verdict, and the categories that mean the same. */
static const struct {
	const char *verdict, *category;
} verdicts[] = {
	{ "VERDICT_MALICIOUS", "malicious" },
	{ "VERDICT_SUSPICIOUS", "suspicious" },
	{ "VERDICT_UNDETECTED", "undetected" },
	{ "VERDICT_BENIGN", "harmless" },
};

static const char *
category_of(const char *verdict)
{
	size_t i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (strcmp(verdict, verdicts[i].verdict) == 0)
			return verdicts[i].category;
	return "unknown";
}

static int
read_private(json_t *root, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e)
{
	json_t *about = MEMBER(root, "data", "attributes");
	json_t *sandboxes = MEMBER(about, "sandbox_verdicts");
	const char *verdict =
	    json_string_value(MEMBER(about, "threat_verdict"));

	if (check_file(MEMBER(about, "sha256"), sha256, e) < 0)
		return e->code;
	if (verdict != NULL &&
	    add(out, "VirusTotal", category_of(verdict), verdict, e) < 0)
		return e->code;
	if (sandboxes != NULL && add_all(out, sandboxes, e) < 0)
		return e->code;
	return complete(out, e);
}

int
virustotal_private(struct cursor json, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e)
{
	json_t *root;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_json(json, &root, e);
	if (rc == 0)
		rc = read_private(root, sha256, out, e);
	json_decref(root);
	return rc;
}

static int
read_analysis(json_t *root, const uint8_t sha256[VIRUSTOTAL_SHA256],
    bool private, struct virustotal_report *out, struct ht_error *e)
{
	json_t *about = MEMBER(root, "data", "attributes");
	const char *status = json_string_value(MEMBER(about, "status"));
	json_t *date = MEMBER(about, "date");

	if (status == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer has no status of an analysis");
	if (strcmp(status, "completed") != 0)
		return 0;
	if (check_file(MEMBER(root, "meta", "file_info", "sha256"), sha256, e) <
	    0)
		return e->code;
	if (!json_is_integer(date) || json_integer_value(date) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer has no date of an analysis");
	out->date = json_integer_value(date);
	if (private)
		return 1;
	if (add_all(out, MEMBER(about, "results"), e) < 0 ||
	    complete(out, e) < 0)
		return e->code;
	return 1;
}

int
virustotal_analysis(struct cursor json, const uint8_t sha256[VIRUSTOTAL_SHA256],
    bool private, struct virustotal_report *out, struct ht_error *e)
{
	json_t *root;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_json(json, &root, e);
	if (rc == 0)
		rc = read_analysis(root, sha256, private, out, e);
	json_decref(root);
	return rc;
}

/* A text that the answer has in this place. */
static int
read_text(struct cursor json, const char *const *names, const char *allowed,
    char out[VIRUSTOTAL_URL], struct ht_error *e)
{
	const char *text;
	json_t *root;
	int rc = read_json(json, &root, e);

	if (rc < 0)
		return rc;
	text = json_string_value(member(root, names));
	if (text == NULL || *text == '\0' || strlen(text) >= VIRUSTOTAL_URL ||
	    text[strspn(text, allowed)] != '\0')
		rc = ht_error_set(e, HT_ERR_DATA,
		    "its answer to an upload is none");
	else
		(void)snprintf(out, VIRUSTOTAL_URL, "%s", text);
	json_decref(root);
	return rc;
}

#define ALPHANUMERIC                                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/*
 * Whether a URL is of the base's host, or of one in its domain: VirusTotal takes
 * large files at bigfiles.virustotal.com.
 */
static bool
is_theirs(const char *base, const char *url)
{
	const char *own = strstr(base, "//"), *host = strstr(url, "//");
	size_t nown, nhost;

	if (own == NULL || host == NULL)
		return false;
	own += 2;
	host += 2;
	nown = strcspn(own, "/");
	nhost = strcspn(host, "/");
	if (nhost == nown && strncmp(host, own, nown) == 0)
		return true;
	if (strncmp(own, "www.", 4) != 0 ||
	    strspn(host, ALPHANUMERIC "-.") != nhost)
		return false;
	own += 3;
	nown -= 3;
	return nhost > nown && strncmp(host + nhost - nown, own, nown) == 0;
}

int
virustotal_upload_url(struct cursor json, const char *base,
    char out[VIRUSTOTAL_URL], struct ht_error *e)
{
	static const char *const names[] = { "data", NULL };
	char url[VIRUSTOTAL_URL];

	out[0] = '\0';
	if (read_text(json, names, ALPHANUMERIC "-._~:/?#[]@!$&'()*+,;=%", url,
	        e) < 0)
		return e->code;
	if (!is_theirs(base, url) ||
	    snprintf(out, VIRUSTOTAL_URL, "%.*s%s", (int)strcspn(base, "/"),
	        base, strstr(url, "//")) >= VIRUSTOTAL_URL) {
		out[0] = '\0';
		return ht_error_set(e, HT_ERR_DATA,
		    "it names another host for uploads");
	}
	return 0;
}

int
virustotal_upload(struct cursor json, char out[VIRUSTOTAL_URL],
    struct ht_error *e)
{
	static const char *const names[] = { "data", "id", NULL };

	return read_text(json, names, ALPHANUMERIC "-_=", out, e);
}

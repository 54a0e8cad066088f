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

static int
count(json_t *engines, struct virustotal_report *out, struct ht_error *e)
{
	const char *name, *category;
	json_t *engine;
	bool bad;

	if (!json_is_object(engines) ||
	    json_object_size(engines) > VIRUSTOTAL_ENGINES)
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer does not list the engines");
	json_object_foreach(engines, name, engine)
	{
		category =
		    json_string_value(json_object_get(engine, "category"));
		if (category == NULL)
			return ht_error_set(e, HT_ERR_DATA,
			    "its answer has an engine without a category");
		if (has_verdict(category, &bad)) {
			out->total++;
			out->bad += bad;
		}
		put(&out->engines, name);
		put(&out->engines, category);
		put(&out->engines,
		    json_string_value(json_object_get(engine, "result")));
	}
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
	if (!json_is_integer(date))
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer has no date of an analysis");
	out->date = json_integer_value(date);
	return count(MEMBER(about, "last_analysis_results"), out, e);
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

static int
read_analysis(json_t *root, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e)
{
	json_t *about = MEMBER(root, "data", "attributes");
	const char *status = json_string_value(MEMBER(about, "status"));
	json_t *date = MEMBER(about, "date");
	int rc;

	if (status == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "its answer has no status of an analysis");
	if (strcmp(status, "completed") != 0)
		return 0;
	rc = check_file(MEMBER(root, "meta", "file_info", "sha256"), sha256, e);
	if (rc == 0)
		rc = count(MEMBER(about, "results"), out, e);
	out->date = json_integer_value(date);
	return rc < 0 ? rc : 1;
}

int
virustotal_analysis(struct cursor json, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e)
{
	json_t *root;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_json(json, &root, e);
	if (rc == 0)
		rc = read_analysis(root, sha256, out, e);
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

int
virustotal_upload_url(struct cursor json, char out[VIRUSTOTAL_URL],
    struct ht_error *e)
{
	static const char *const names[] = { "data", NULL };

	return read_text(json, names, ALPHANUMERIC "-._~:/?#[]@!$&'()*+,;=%",
	    out, e);
}

int
virustotal_upload(struct cursor json, char out[VIRUSTOTAL_URL],
    struct ht_error *e)
{
	static const char *const names[] = { "data", "id", NULL };

	return read_text(json, names, ALPHANUMERIC "-_=", out, e);
}

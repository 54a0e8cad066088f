#include "config.h"

#include <fnmatch.h>
#include <string.h>

#include "keys/keyd/request/rules.h"
#include "lib/utf8.h"

/* The most bytes that are shown of a pattern, and of a text. */
#define PATTERN_SHOWN 90
#define TEXT_SHOWN 60

/* --- what is said ---------------------------------------------------------- */

/* What is missing, as an option that gives it; or NULL. */
static const char *
missing(const struct conf_profile *profile, const struct protocol_begin *begin)
{
	const struct {
		unsigned int bit;
		bool is_there;
		const char *option;
	} things[] = {
		{ CONF_REQUIRE_DESCRIPTION,
		    begin->description[0] != '\0' ||
		        profile->description != NULL,
		    "a description, behind the profile" },
		{ CONF_REQUIRE_URL,
		    begin->url[0] != '\0' || profile->url != NULL,
		    "--url=URL" },
		{ CONF_REQUIRE_SIZE, begin->size != PROTOCOL_SIZE_UNKNOWN,
		    "--size=BYTES" },
		{ CONF_REQUIRE_SHA256, begin->sha256.left > 0, "--sha256=HEX" },
	};
	size_t i;

	for (i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		if ((profile->require & things[i].bit) != 0 &&
		    !things[i].is_there)
			return things[i].option;
	return NULL;
}

/* --- the name -------------------------------------------------------------- */

static bool
matches(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

static bool
has_name(const struct conf_profile *profile, const char *name)
{
	size_t i;

	for (i = 0; i < profile->nnames; i++)
		if (matches(profile->names[i], name))
			return true;
	return profile->nnames == 0;
}

/* The patterns, as many as there is room for, and whether there are more. */
static void
put_names(const struct conf_profile *profile, char text[PROTOCOL_TEXT / 2])
{
	size_t i, n = 0;
	int shown;

	for (i = 0; i < profile->nnames; i++) {
		shown = utf8_clip(profile->names[i], PATTERN_SHOWN);
		if (n + (size_t)shown + sizeof(", , ...") > PROTOCOL_TEXT / 2) {
			(void)snprintf(text + n, PROTOCOL_TEXT / 2 - n,
			    ", ...");
			return;
		}
		n += (size_t)snprintf(text + n, PROTOCOL_TEXT / 2 - n, "%s%.*s",
		    i > 0 ? ", " : "", shown, profile->names[i]);
	}
}

int
rules_begin(const struct conf_profile *profile,
    const struct protocol_begin *begin, struct protocol_refuse *no)
{
	const char *wanted = missing(profile, begin);
	char names[PROTOCOL_TEXT / 2] = "";

	if (wanted != NULL) {
		keyd_refusal(no, HT_ERR_USAGE, "require", "profile %s wants %s",
		    profile->name, wanted);
		return HT_ERR_USAGE;
	}
	if (has_name(profile, begin->name))
		return 0;
	put_names(profile, names);
	if (begin->name[0] == '\0') {
		keyd_refusal(no, HT_ERR_USAGE, "require",
		    "profile %s wants --name=FILE: it signs %s", profile->name,
		    names);
		return HT_ERR_USAGE;
	}
	keyd_refusal(no, HT_ERR_DENIED, "name",
	    "profile %s does not sign files of this name: it signs %s",
	    profile->name, names);
	return HT_ERR_DENIED;
}

/* --- what the file says ------------------------------------------------------ */

bool
rules_want_version(const struct conf_profile *profile)
{
	const struct conf_version *v = &profile->version_info;

	return v->product != NULL || v->company != NULL || v->version != NULL;
}

int
rules_content(const struct conf_profile *profile,
    const struct protocol_content *content, struct protocol_refuse *no)
{
	const struct conf_version *v = &profile->version_info;
	const struct {
		const char *what, *wanted, *found;
		bool good;
	} things[] = {
		{ "ProductName", v->product, content->product,
		    v->product == NULL ||
		        strcmp(v->product, content->product) == 0 },
		{ "CompanyName", v->company, content->company,
		    v->company == NULL ||
		        strcmp(v->company, content->company) == 0 },
		{ "version", v->version, content->version,
		    v->version == NULL ||
		        (content->version[0] != '\0' &&
		            matches(v->version, content->version)) },
	};
	size_t i;

	for (i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (things[i].good)
			continue;
		keyd_refusal(no, HT_ERR_DENIED, "version-info",
		    "profile %s signs files whose %s is \"%.*s\"; this one "
		    "%s%.*s%s",
		    profile->name, things[i].what,
		    utf8_clip(things[i].wanted, TEXT_SHOWN), things[i].wanted,
		    things[i].found[0] != '\0' ? "has \"" : "has none",
		    utf8_clip(things[i].found, TEXT_SHOWN), things[i].found,
		    things[i].found[0] != '\0' ? "\"" : "");
		return HT_ERR_DENIED;
	}
	return 0;
}

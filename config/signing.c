#include "config.h"

#include <stdio.h>
#include <string.h>

#include "config/table.h"

static const struct conf_word digests[] = {
	{ "sha256", CONF_SHA256 },
	{ "sha384", CONF_SHA384 },
	{ "sha512", CONF_SHA512 },
	{ NULL, 0 },
};

static const struct conf_word formats[] = {
	{ "pe", CONF_FORMAT_PE },
	{ "cab", CONF_FORMAT_CAB },
	{ "msi", CONF_FORMAT_MSI },
	{ "cat", CONF_FORMAT_CAT },
	{ "script", CONF_FORMAT_SCRIPT },
	{ "appx", CONF_FORMAT_APPX },
	{ NULL, 0 },
};

/*
 * The names in formats/, and the bit of the word that stands for each.
 */
static const struct {
	const char *name;
	unsigned int bit;
} format_names[] = {
	{ "pe", CONF_FORMAT_PE },
	{ "appx", CONF_FORMAT_APPX },
	{ "appxbundle", CONF_FORMAT_APPX },
	{ "cab", CONF_FORMAT_CAB },
	{ "cat", CONF_FORMAT_CAT },
	{ "msi", CONF_FORMAT_MSI },
	{ "ps1", CONF_FORMAT_SCRIPT },
	{ "ps1xml", CONF_FORMAT_SCRIPT },
	{ "mof", CONF_FORMAT_SCRIPT },
	{ "js", CONF_FORMAT_SCRIPT },
	{ "vbs", CONF_FORMAT_SCRIPT },
	{ "wsf", CONF_FORMAT_SCRIPT },
};
#define FORMAT_NAMES (sizeof(format_names) / sizeof(format_names[0]))

static const struct conf_word doors[] = {
	{ "sshd-sign", CONF_DOOR_SSHD_SIGN },
	{ "openssh", CONF_DOOR_OPENSSH },
	{ NULL, 0 },
};

static const struct conf_word existing[] = {
	{ "refuse", CONF_EXISTING_REFUSE },
	{ "own", CONF_EXISTING_OWN },
	{ "replace", CONF_EXISTING_REPLACE },
	{ "nest", CONF_EXISTING_NEST },
	{ "keep", CONF_EXISTING_KEEP },
	{ NULL, 0 },
};

static const struct conf_word timestamps[] = {
	{ "none", CONF_TIMESTAMP_NONE },
	{ "attempt", CONF_TIMESTAMP_ATTEMPT },
	{ "required", CONF_TIMESTAMP_REQUIRED },
	{ NULL, 0 },
};

static const struct conf_word scans[] = {
	{ "none", CONF_SCAN_NONE },
	{ "attempt", CONF_SCAN_ATTEMPT },
	{ "required", CONF_SCAN_REQUIRED },
	{ NULL, 0 },
};

static const struct conf_word uploads[] = {
	{ "none", CONF_UPLOAD_NONE },
	{ "private", CONF_UPLOAD_PRIVATE },
	{ "public", CONF_UPLOAD_PUBLIC },
	{ NULL, 0 },
};

static const struct conf_word archives[] = {
	{ "none", CONF_ARCHIVE_NONE },
	{ "input", CONF_ARCHIVE_INPUT },
	{ "both", CONF_ARCHIVE_BOTH },
	{ NULL, 0 },
};

static const struct conf_word requires[] = {
	{ "description", CONF_REQUIRE_DESCRIPTION },
	{ "url", CONF_REQUIRE_URL },
	{ "size", CONF_REQUIRE_SIZE },
	{ "sha256", CONF_REQUIRE_SHA256 },
	{ NULL, 0 },
};

static const struct conf_word statements[] = {
	{ "individual", CONF_STATEMENT_INDIVIDUAL },
	{ "commercial", CONF_STATEMENT_COMMERCIAL },
	{ NULL, 0 },
};

/* --- tokens ---------------------------------------------------------- */

static bool
is_credential_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/* "ask", "file:PATH", "credential:NAME" */
static int
read_pin(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_token *token = out;
	const char *text = conf_string(r, s);

	if (text == NULL)
		return r->e->code;
	if (strcmp(text, "each") == 0)
		return conf_mistake(r, s, "pin \"each\" is not built yet");
	if (strcmp(text, "ask") == 0) {
		token->pin = CONF_PIN_ASK;
	} else if (strncmp(text, "file:/", 6) == 0) {
		token->pin = CONF_PIN_FILE;
		token->pin_where = text + 5;
	} else if (strncmp(text, "credential:", 11) == 0 &&
	    is_credential_name(text + 11)) {
		token->pin = CONF_PIN_CREDENTIAL;
		token->pin_where = text + 11;
	} else {
		return conf_mistake(r, s,
		    "%s can be \"ask\", \"file:/PATH\", \"credential:NAME\"",
		    f->key);
	}
	return 0;
}

/* Whether text is "NAME=value", as in environ(7). */
static bool
is_variable(const char *text)
{
	const char *c = text;

	while (*c == '_' || (*c >= 'A' && *c <= 'Z') ||
	    (*c >= 'a' && *c <= 'z') || (c > text && *c >= '0' && *c <= '9'))
		c++;
	return c > text && *c == '=';
}

/* Variables for the module. */
static int
read_environment(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_token *token = out;
	const config_setting_t *element;
	int i, n = conf_length(r, s);
	const char **texts;

	if (n < 0 || (texts = conf_alloc(r, (size_t)n, sizeof(*texts))) == NULL)
		return r->e->code;
	for (i = 0; i < n; i++) {
		element = config_setting_get_elem(s, (unsigned int)i);
		texts[i] = conf_string(r, element);
		if (texts[i] == NULL)
			return r->e->code;
		if (!is_variable(texts[i]))
			return conf_mistake(r, element,
			    "%s takes \"NAME=value\"", f->key);
	}
	token->environment = texts;
	token->nenvironment = (size_t)n;
	return 0;
}

/* The library of SoftHSM has had two names. */
static bool
is_softhsm(const char *module)
{
	const char *base = strrchr(module, '/') + 1;

	return strcmp(base, "libsofthsm2.so") == 0 ||
	    strcmp(base, "libsofthsm.so") == 0;
}

static int
token_check(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_token *token = out;

	(void)f;
	if ((token->module == NULL) == (token->file == NULL))
		return conf_mistake(r, s,
		    "token \"%s\" needs either module or file", token->name);
	if (token->file != NULL &&
	    (token->label != NULL || token->serial != NULL ||
	        token->pin != CONF_PIN_NONE || token->nenvironment > 0 ||
	        token->nwritable > 0 || token->pin_counted ||
	        token->pin_retries > 0))
		return conf_mistake(r, s,
		    "token \"%s\" is a key file: label, serial, pin, "
		    "pin_counted, pin_retries, environment and writable are "
		    "for modules",
		    token->name);
	if (token->module != NULL && token->label == NULL &&
	    token->serial == NULL)
		return conf_mistake(r, s, "token \"%s\" needs label or serial",
		    token->name);
	if (token->module != NULL && token->pin == CONF_PIN_NONE)
		token->pin = CONF_PIN_ASK;
	token->test = token->file != NULL || is_softhsm(token->module);
	return 0;
}

static void
token_defaults(void *out)
{
	struct conf_token *token = out;

	token->timeout = 30;
	token->sessions = 1;
}

#define TOKEN(member) .offset = offsetof(struct conf_token, member)

static const struct conf_field token_fields[] = {
	{ "name", conf_read_name, TOKEN(name), .required = true },
	{ "module", conf_read_path, TOKEN(module) },
	{ "label", conf_read_text, TOKEN(label) },
	{ "serial", conf_read_text, TOKEN(serial) },
	{ "file", conf_read_path, TOKEN(file) },
	{ .key = "pin", .read = read_pin },
	{ "pin_counted", conf_read_bool, TOKEN(pin_counted) },
	{ "pin_retries", conf_read_number, TOKEN(pin_retries), .max = 9 },
	{ .key = "environment", .read = read_environment },
	{ "writable", conf_read_paths, TOKEN(writable),
	    offsetof(struct conf_token, nwritable) },
	{ "timeout", conf_read_number, TOKEN(timeout), .min = 1, .max = 600 },
	{ "sessions", conf_read_number, TOKEN(sessions), .min = 1, .max = 16 },
	CONF_RATES(offsetof(struct conf_token, rates)),
	{ "max_size", conf_read_size, TOKEN(rates.max_size) },
	{ .key = NULL },
};

const struct conf_section conf_token_section = {
	.fields = token_fields,
	.size = sizeof(struct conf_token),
	.defaults = token_defaults,
	.check = token_check,
};

/* --- certificates ---------------------------------------------------- */

static int
read_token(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_certificate *certificate = out;
	const char *name = conf_string(r, s);

	(void)f;
	if (name == NULL)
		return r->e->code;
	certificate->token = conf_token(r->conf, name);
	if (certificate->token == NULL)
		return conf_mistake(r, s, "there is no token \"%s\"", name);
	return 0;
}

static int
read_uri(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_certificate *certificate = out;

	certificate->key = conf_string(r, s);
	if (certificate->key == NULL)
		return r->e->code;
	if (strncmp(certificate->key, "pkcs11:", 7) != 0)
		return conf_mistake(r, s, "%s must be a pkcs11: URI", f->key);
	return 0;
}

static int
certificate_check(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const struct conf_certificate *certificate = out;
	bool file = certificate->token->file != NULL;

	(void)f;
	if (file && certificate->key != NULL)
		return conf_mistake(r, s,
		    "certificate \"%s\" must not have key: token \"%s\" is a "
		    "key file",
		    certificate->name, certificate->token->name);
	if (!file && certificate->key == NULL)
		return conf_mistake(r, s,
		    "certificate \"%s\" needs key, a pkcs11: URI",
		    certificate->name);
	return 0;
}

#define CERTIFICATE(member) .offset = offsetof(struct conf_certificate, member)

static const struct conf_field certificate_fields[] = {
	{ "name", conf_read_name, CERTIFICATE(name), .required = true },
	{ "token", read_token, .required = true },
	{ .key = "key", .read = read_uri },
	{ "chain", conf_read_path, CERTIFICATE(chain), .required = true },
	{ .key = NULL },
};

const struct conf_section conf_certificate_section = {
	.fields = certificate_fields,
	.size = sizeof(struct conf_certificate),
	.check = certificate_check,
};

/* --- profiles -------------------------------------------------------- */

static const void *
find_certificate(const struct conf *c, const char *name)
{
	return conf_certificate(c, name);
}

static const void *
find_server(const struct conf *c, const char *name)
{
	return conf_server(c, name);
}

/* A list of names, of what find knows.  Returns NULL with r->e on error. */
static const void **
read_names(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, const char *what,
    const void *(*find)(const struct conf *c, const char *name), size_t *count)
{
	const config_setting_t *element;
	int i, j, n = conf_length(r, s);
	const void **list;
	const char *name;

	if (n == 0)
		(void)conf_mistake(r, s, "%s must name one or more", f->key);
	if (n <= 0 || (list = conf_alloc(r, (size_t)n, sizeof(*list))) == NULL)
		return NULL;
	for (i = 0; i < n; i++) {
		element = config_setting_get_elem(s, (unsigned int)i);
		if ((name = conf_string(r, element)) == NULL)
			return NULL;
		if ((list[i] = find(r->conf, name)) == NULL) {
			(void)conf_mistake(r, element, "there is no %s \"%s\"",
			    what, name);
			return NULL;
		}
		for (j = 0; j < i; j++)
			if (list[j] == list[i]) {
				(void)conf_mistake(r, element,
				    "%s has \"%s\" twice", f->key, name);
				return NULL;
			}
	}
	*count = (size_t)n;
	return list;
}

static int
read_certificates(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_profile *profile = out;

	profile->certificates =
	    (const struct conf_certificate *const *)read_names(r, s, f,
	        "certificate", find_certificate, &profile->ncertificates);
	return profile->certificates == NULL ? r->e->code : 0;
}

static int
read_servers(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_profile *profile = out;

	profile->servers = (const struct conf_server *const *)read_names(r, s,
	    f, "timestamp server", find_server, &profile->nservers);
	return profile->servers == NULL ? r->e->code : 0;
}

/* A list of texts, as conf_read_paths reads paths. */
static int
read_texts(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	int i, n = conf_length(r, s);
	const char **list;

	if (n < 0)
		return r->e->code;
	list = conf_alloc(r, (size_t)n + 1, sizeof(*list));
	if (list == NULL)
		return HT_ERR_INTERNAL;
	for (i = 0; i < n; i++) {
		list[i] =
		    conf_string(r, config_setting_get_elem(s, (unsigned int)i));
		if (list[i] == NULL)
			return r->e->code;
	}
	*(const char *const **)((char *)out + f->offset) = list;
	*(size_t *)((char *)out + f->count_offset) = (size_t)n;
	return 0;
}

/*
 * A pattern of fnmatch(3).  That takes a set without an end for these characters
 * themselves, which nobody means.
 */
static int
check_pattern(struct conf_reader *r, const config_setting_t *s,
    const char *pattern)
{
	const char *set = strchr(pattern, '['), *end;

	for (; set != NULL; set = strchr(end, '[')) {
		/* "[]" and "[!]" begin a set that has a bracket in it. */
		end = set + 1 + strspn(set + 1, "!^");
		end = *end != '\0' ? strchr(end + 1, ']') : NULL;
		if (end == NULL)
			return conf_mistake(r, s,
			    "a set of the pattern \"%s\" has no ]", pattern);
	}
	return 0;
}

/* Patterns for names without folders. */
static int
read_patterns(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const struct conf_profile *profile = out;
	const config_setting_t *element;
	int rc = read_texts(r, s, f, out);
	size_t i;

	if (rc == 0 && profile->nnames == 0)
		return conf_mistake(r, s, "%s must have one or more", f->key);
	for (i = 0; rc == 0 && i < profile->nnames; i++) {
		element = config_setting_get_elem(s, (unsigned int)i);
		if (strpbrk(profile->names[i], "/\\") != NULL)
			rc = conf_mistake(r, element,
			    "%s are of files, without folders: \"%s\"", f->key,
			    profile->names[i]);
		else
			rc = check_pattern(r, element, profile->names[i]);
	}
	return rc;
}

static int
read_pattern(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const struct conf_version *v = out;
	int rc = conf_read_text(r, s, f, out);

	return rc < 0 ? rc : check_pattern(r, s, v->version);
}

#define INFO(member) .offset = offsetof(struct conf_version, member)

static const struct conf_field version_fields[] = {
	{ "ProductName", conf_read_text, INFO(product) },
	{ "CompanyName", conf_read_text, INFO(company) },
	{ "version", read_pattern, INFO(version) },
	{ .key = NULL },
};

static const struct conf_section version_section = {
	.fields = version_fields,
	.size = sizeof(struct conf_version),
};

static int
read_version_info(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const struct conf_version *v =
	    &((const struct conf_profile *)out)->version_info;
	int rc = conf_read_group(r, s, f, out);

	if (rc == 0 && v->product == NULL && v->company == NULL &&
	    v->version == NULL)
		return conf_mistake(r, s, "%s must have one or more", f->key);
	return rc;
}

static int
read_profile_name(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const struct conf_profile *profile = out;
	int ret = conf_read_name(r, s, f, out);

	if (ret == 0 && names_is_verb(profile->name))
		return conf_mistake(r, s,
		    "a profile cannot be named \"%s\": that is a verb",
		    profile->name);
	return ret;
}

static int
read_max_ctl(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_profile *profile = out;
	int rc = conf_read_size(r, s, f, out);

	if (rc == 0 && profile->max_ctl > CONF_MAX_CTL)
		rc = conf_mistake(r, s, "max_ctl must be at most \"%uK\"",
		    (unsigned int)(CONF_MAX_CTL >> 10));
	return rc;
}

static void
profile_defaults(void *out)
{
	struct conf_profile *profile = out;

	profile->text = "";
	profile->digest = CONF_SHA256;
	profile->max_size = (uint64_t)2 << 30;
	profile->max_ctl = (uint64_t)256 << 10;
	profile->formats = CONF_FORMATS_DEFAULT;
	profile->doors = CONF_DOOR_SSHD_SIGN | CONF_DOOR_OPENSSH;
	profile->existing = CONF_EXISTING_OWN;
	profile->statement = CONF_STATEMENT_INDIVIDUAL;
	profile->max_queue = 256;
	profile->deadline = 300;
	profile->vt_max_bad_percent = 5;
}

/* A profile that names no servers has all. */
static int
profile_check(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_profile *profile = out;
	const struct conf *c = r->conf;
	const struct conf_server **all;

	(void)f;
	if (profile->virustotal != CONF_SCAN_NONE && c->virustotal_key == NULL)
		return conf_mistake(r, s,
		    "profile \"%s\" asks VirusTotal: the file needs "
		    "virustotal_key",
		    profile->name);
	if (profile->vt_upload != CONF_UPLOAD_NONE &&
	    (profile->virustotal == CONF_SCAN_NONE ||
	        profile->archive == CONF_ARCHIVE_NONE))
		return conf_mistake(r, s,
		    "profile \"%s\" uploads to VirusTotal: it needs "
		    "virustotal and archive",
		    profile->name);
	if (profile->timestamp == CONF_TIMESTAMP_NONE || profile->nservers > 0)
		return 0;
	if (c->nservers == 0)
		return conf_mistake(r, s,
		    "profile \"%s\" has timestamps: the file needs "
		    "timestamp_servers",
		    profile->name);
	all = conf_alloc(r, c->nservers, sizeof(*all));
	if (all == NULL)
		return HT_ERR_INTERNAL;
	for (; profile->nservers < c->nservers; profile->nservers++)
		all[profile->nservers] = &c->servers[profile->nservers];
	profile->servers = all;
	return 0;
}

#define PROFILE(member) .offset = offsetof(struct conf_profile, member)

static const struct conf_field profile_fields[] = {
	{ "name", read_profile_name, PROFILE(name), .required = true },
	{ "text", conf_read_text, PROFILE(text) },
	{ "certificates", read_certificates, .required = true },
	{ "digest", conf_read_word, PROFILE(digest), .words = digests },
	{ "max_size", conf_read_size, PROFILE(max_size) },
	{ "max_ctl", read_max_ctl, PROFILE(max_ctl) },
	{ "formats", conf_read_flags, PROFILE(formats), .words = formats },
	{ "doors", conf_read_flags, PROFILE(doors), .words = doors },
	{ "existing", conf_read_word, PROFILE(existing), .words = existing },
	{ "statement", conf_read_word, PROFILE(statement),
	    .words = statements },
	{ "description", conf_read_text, PROFILE(description) },
	{ "url", conf_read_text, PROFILE(url) },
	{ "signing_time", conf_read_bool, PROFILE(signing_time) },
	{ "allow_weak", conf_read_bool, PROFILE(allow_weak) },
	{ "max_queue", conf_read_number, PROFILE(max_queue), .min = 1,
	    .max = 10000 },
	{ "deadline", conf_read_number, PROFILE(deadline), .min = 1,
	    .max = 86400 },
	{ "timestamp", conf_read_word, PROFILE(timestamp),
	    .words = timestamps },
	{ .key = "timestamp_servers", .read = read_servers },
	{ "clamav", conf_read_word, PROFILE(clamav), .words = scans },
	{ "virustotal", conf_read_word, PROFILE(virustotal), .words = scans },
	{ "vt_upload", conf_read_word, PROFILE(vt_upload), .words = uploads },
	{ "vt_max_bad_percent", conf_read_number, PROFILE(vt_max_bad_percent),
	    .max = 100 },
	{ "vt_fatal_engines", read_texts, PROFILE(vt_fatal_engines),
	    offsetof(struct conf_profile, nvt_fatal_engines) },
	{ "archive", conf_read_word, PROFILE(archive), .words = archives },
	{ "names", read_patterns, PROFILE(names),
	    offsetof(struct conf_profile, nnames) },
	{ "version_info", read_version_info, PROFILE(version_info),
	    .section = &version_section },
	{ "require", conf_read_flags, PROFILE(require), .words = requires },
	CONF_RATES(offsetof(struct conf_profile, rates)),
	{ .key = "timestamp_policy", .read = conf_read_later },
	{ .key = "approval", .read = conf_read_later },
	{ .key = "page_hashes", .read = conf_read_later },
	{ .key = NULL },
};

const struct conf_section conf_profile_section = {
	.fields = profile_fields,
	.size = sizeof(struct conf_profile),
	.defaults = profile_defaults,
	.check = profile_check,
};

const char *
conf_existing_text(enum conf_existing value)
{
	const struct conf_word *word;

	for (word = existing; word->word != NULL; word++)
		if (word->value == (unsigned int)value)
			break;
	return word->word;
}

bool
conf_format_in(unsigned int bits, const char *name)
{
	size_t i;

	for (i = 0; i < FORMAT_NAMES; i++)
		if (strcmp(format_names[i].name, name) == 0)
			return (bits & format_names[i].bit) != 0;
	return false;
}

void
conf_formats_text(unsigned int bits, char *out, size_t size)
{
	size_t used = 0;
	size_t i;

	out[0] = '\0';
	for (i = 0; i < FORMAT_NAMES; i++)
		if ((bits & format_names[i].bit) != 0 && used < size)
			used += (size_t)snprintf(out + used, size - used,
			    "%s%s", used > 0 ? "," : "", format_names[i].name);
}

/* --- looking things up ----------------------------------------------- */

const struct conf_token *
conf_token(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ntokens; i++)
		if (strcmp(c->tokens[i].name, name) == 0)
			return &c->tokens[i];
	return NULL;
}

const struct conf_certificate *
conf_certificate(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ncertificates; i++)
		if (strcmp(c->certificates[i].name, name) == 0)
			return &c->certificates[i];
	return NULL;
}

const struct conf_profile *
conf_profile(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nprofiles; i++)
		if (strcmp(c->profiles[i].name, name) == 0)
			return &c->profiles[i];
	return NULL;
}

bool
conf_profile_pumps(const struct conf_profile *p)
{
	return p->clamav != CONF_SCAN_NONE || p->virustotal != CONF_SCAN_NONE ||
	    p->archive != CONF_ARCHIVE_NONE;
}

bool
conf_pumps(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->nprofiles; i++)
		if (conf_profile_pumps(&c->profiles[i]))
			return true;
	return false;
}

const char *
conf_digest_text(enum conf_digest digest)
{
	switch (digest) {
	case CONF_SHA384:
		return "sha384";
	case CONF_SHA512:
		return "sha512";
	case CONF_SHA256:
		break;
	}
	return "sha256";
}

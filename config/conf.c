#include "config.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "config/include.h"
#include "config/table.h"

/* --- the file as a whole --------------------------------------------- */

static int
read_account(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_account *account =
	    (struct conf_account *)((char *)out + f->offset);
	struct conf_field number = { .key = f->key,
		.min = 1,
		.max = UINT32_MAX - 2 };
	int ret = 0;

	account->line = config_setting_source_line(s);
	account->name = NULL;
	if (config_setting_is_number(s)) {
		number.offset = offsetof(struct conf_account, uid);
		ret = conf_read_number(r, s, &number, account);
	} else if ((account->name = conf_string(r, s)) == NULL) {
		ret = r->e->code;
	}
	return ret;
}

#define USER(user) .offset = (user) * sizeof(struct conf_account)

static const struct conf_field users_fields[] = {
	{ "keyd", read_account, USER(CONF_USER_KEYD) },
	{ "token", read_account, USER(CONF_USER_TOKEN) },
	{ "net", read_account, USER(CONF_USER_NET) },
	{ "sign", read_account, USER(CONF_USER_SIGN) },
	{ "admin", read_account, USER(CONF_USER_ADMIN) },
	{ "auth", read_account, USER(CONF_USER_AUTH) },
	{ "fetch", read_account, USER(CONF_USER_FETCH) },
	{ "pump", read_account, USER(CONF_USER_PUMP) },
	{ "reader", read_account, USER(CONF_USER_READER) },
	{ .key = NULL },
};

static const struct conf_section users_section = {
	.fields = users_fields,
	.size = sizeof(struct conf_account[CONF_USERS]),
};

static void
root_defaults(void *out)
{
	static const char *const names[CONF_USERS] = {
		[CONF_USER_KEYD] = "htsign-keyd",
		[CONF_USER_TOKEN] = "htsign-token",
		[CONF_USER_NET] = "htsign-net",
		[CONF_USER_SIGN] = "htsign-sign",
		[CONF_USER_ADMIN] = "htsign-admin",
		[CONF_USER_AUTH] = "htsign-auth",
		[CONF_USER_FETCH] = "htsign-fetch",
		[CONF_USER_PUMP] = "htsign-pump",
		[CONF_USER_READER] = "htsign-reader",
	};
	struct conf *c = out;
	size_t i;

	c->state = "/var/lib/htsign";
	c->run = "/run/htsign";
	c->clamav_socket = "/run/clamav/clamd.ctl";
	c->clamav_max_size = (uint64_t)100 << 20;
	c->clamav_max_age = 7;
	c->clamav_parallel = 8;
	c->virustotal_url = "https://www.virustotal.com/api/v3";
	c->virustotal_minute = 4;
	c->virustotal_day = 500;
	c->archive_days = 730;
	c->archive_max = (uint64_t)16 << 30;
	for (i = 0; i < CONF_USERS; i++) {
		c->users[i].name = names[i];
		c->users[i].line = 1;
	}
}

/* Check the rules of single_user (DESIGN.md, section 2). */
static int
check_single_user(struct conf_reader *r, const config_setting_t *root)
{
	const struct conf *c = r->conf;
	size_t i;

	for (i = 0; i < c->ssh.nlisten; i++)
		if (!c->ssh.listen[i].loopback)
			return conf_mistake(r,
			    config_setting_get_member(root, "ssh"),
			    "single_user listens on loopback only, not on %s",
			    c->ssh.listen[i].text);
	for (i = 0; i < c->ntokens; i++)
		if (!c->tokens[i].test)
			return conf_mistake(r,
			    config_setting_get_elem(
			        config_setting_get_member(root, "tokens"),
			        (unsigned int)i),
			    "single_user takes key files and SoftHSM only, "
			    "not token \"%s\"",
			    c->tokens[i].name);
	return 0;
}

static int
root_check(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	static const char folder[] = "/spool";
	struct conf *c = out;
	char *spool;
	size_t n = strlen(c->state);

	(void)f;
	if (c->spool == NULL) {
		spool = conf_alloc(r, n + sizeof(folder), 1);
		if (spool == NULL)
			return HT_ERR_INTERNAL;
		memcpy(spool, c->state, n);
		memcpy(spool + n, folder, sizeof(folder));
		c->spool = spool;
	}
	if (strlen(c->run) > CONF_RUN_MAX)
		return conf_mistake(r, config_setting_get_member(s, "run"),
		    "run is too long for the sockets in it: at most %d bytes",
		    CONF_RUN_MAX);
	return c->single_user ? check_single_user(r, s) : 0;
}

static int
read_max_scan(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf *c = out;
	int rc = conf_read_size(r, s, f, out);

	if (rc == 0 &&
	    (c->clamav_max_size < CONF_MIN_SCAN ||
	        c->clamav_max_size > CONF_MAX_SCAN))
		rc = conf_mistake(r, s,
		    "clamav_max_size must be from \"1K\" to \"2000M\"");
	return rc;
}

/* The key goes with each request: in the clear to this machine alone. */
static int
read_virustotal(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf *c = out;
	int rc = conf_read_http(r, s, f, out);

	if (rc == 0 && strncmp(c->virustotal_url, "https://", 8) != 0 &&
	    strncmp(c->virustotal_url, "http://127.0.0.1:", 17) != 0)
		rc = conf_mistake(r, s,
		    "virustotal_url must begin with https://");
	return rc;
}

#define ROOT(member) .offset = offsetof(struct conf, member)
#define ROOT_COUNT(member) .count_offset = offsetof(struct conf, member)

/* Read in this order: each may refer to those before it. */
static const struct conf_field root_fields[] = {
	{ "state", conf_read_path, ROOT(state) },
	{ "spool", conf_read_path, ROOT(spool) },
	{ "run", conf_read_path, ROOT(run) },
	{ "single_user", conf_read_bool, ROOT(single_user) },
	{ "users", conf_read_group, ROOT(users), .section = &users_section },
	{ "ssh", conf_read_group, ROOT(ssh), .section = &conf_ssh_section,
	    .required = true },
	{ "tokens", conf_read_list, ROOT(tokens), ROOT_COUNT(ntokens),
	    .section = &conf_token_section },
	{ "certificates", conf_read_list, ROOT(certificates),
	    ROOT_COUNT(ncertificates), .section = &conf_certificate_section },
	{ "proxy", conf_read_http, ROOT(proxy) },
	{ "timestamp_servers", conf_read_list, ROOT(servers),
	    ROOT_COUNT(nservers), .section = &conf_server_section },
	{ "clamav_socket", conf_read_path, ROOT(clamav_socket) },
	{ "clamav_max_size", read_max_scan, ROOT(clamav_max_size) },
	{ "clamav_max_age", conf_read_number, ROOT(clamav_max_age), .min = 1,
	    .max = 3650 },
	{ "clamav_parallel", conf_read_number, ROOT(clamav_parallel), .min = 1,
	    .max = 100 },
	{ "virustotal_key", conf_read_path, ROOT(virustotal_key) },
	{ "virustotal_url", read_virustotal, ROOT(virustotal_url) },
	{ "virustotal_minute", conf_read_number, ROOT(virustotal_minute),
	    .min = 1, .max = 100000 },
	{ "virustotal_day", conf_read_number, ROOT(virustotal_day), .min = 1,
	    .max = 10000000 },
	{ "archive_days", conf_read_number, ROOT(archive_days), .min = 1,
	    .max = 36500 },
	{ "archive_max", conf_read_size, ROOT(archive_max) },
	{ "profiles", conf_read_list, ROOT(profiles), ROOT_COUNT(nprofiles),
	    .section = &conf_profile_section },
	{ "rates", conf_read_group, .offset = 0,
	    .section = &conf_rates_section },
	{ .key = NULL },
};

static const struct conf_section root_section = {
	.fields = root_fields,
	.size = sizeof(struct conf),
	.defaults = root_defaults,
	.check = root_check,
};

/* --- reading it ------------------------------------------------------ */

/*
 * What is wrong with a line that libconfig would accept, or NULL.  libconfig
 * would read other files, and end a text at a NUL.
 */
static const char *
line_mistake(const char *line, size_t n)
{
	size_t blank = strspn(line, " \t");

	if (memchr(line, '\0', n) != NULL)
		return "a NUL byte";
	if (n - blank >= 8 && memcmp(line + blank, "@include", 8) == 0)
		return "@include is for the file itself only";
	if (memmem(line, n, "\\x00", 4) != NULL ||
	    memmem(line, n, "\\X00", 4) != NULL)
		return "a text cannot hold a NUL";
	return NULL;
}

/* text is NUL-terminated. */
static int
check_text(struct conf_reader *r, const struct buf *text)
{
	const char *p = (const char *)text->data, *end = p + text->len - 1;
	const char *next, *what;
	unsigned int line;

	for (line = 1; p < end; line++, p = next + 1) {
		next = memchr(p, '\n', (size_t)(end - p));
		if (next == NULL)
			next = end;
		what = line_mistake(p, (size_t)(next - p));
		if (what != NULL) {
			(void)ht_error_set(r->e, HT_ERR_USAGE, "%s", what);
			return conf_line(r->conf, line, r->e);
		}
	}
	return 0;
}

static int
read_text(struct conf_reader *r, const char *text)
{
	config_t file;
	int ret;

	config_init(&file);
	if (config_read_string(&file, text) == CONFIG_TRUE) {
		ret = conf_section_read(r, config_root_setting(&file),
		    &root_section, r->conf);
	} else {
		(void)ht_error_set(r->e, HT_ERR_USAGE, "%s",
		    config_error_text(&file));
		ret = conf_line(r->conf, (unsigned int)config_error_line(&file),
		    r->e);
	}
	config_destroy(&file);
	return ret;
}

/* Read the n bytes at from, or else the file at path. */
static struct conf *
read_conf(const char *path, const char *from, size_t n, struct ht_error *e)
{
	struct ht_error local = { 0, HT_NO_OFFSET, "" };
	struct conf_reader r = { .e = e != NULL ? e : &local };
	struct buf text = BUF_INIT;
	char *copy;
	int rc;

	r.conf = calloc(1, sizeof(*r.conf));
	if (r.conf == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	copy = conf_alloc(&r, strlen(path) + 1, 1);
	rc = copy == NULL ? HT_ERR_INTERNAL : 0;
	if (rc == 0) {
		memcpy(copy, path, strlen(path));
		r.conf->path = copy;
		rc = from == NULL ? conf_include_read(&r, copy, &text)
		                  : conf_include_none(&r, copy, from, n, &text);
	}
	buf_u8(&text, '\0');
	if (rc == 0 && buf_failed(&text) < 0)
		rc = ht_error_memory(r.e);
	if (rc == 0)
		rc = check_text(&r, &text);
	if (rc == 0)
		rc = read_text(&r, (const char *)text.data);
	buf_free(&text);
	if (rc == 0)
		return r.conf;
	conf_free(r.conf);
	return NULL;
}

struct conf *
conf_parse(const char *path, const char *text, size_t n, struct ht_error *e)
{
	return read_conf(path, text, n, e);
}

struct conf *
conf_load(const char *path, struct ht_error *e)
{
	struct conf *c = read_conf(path, NULL, 0, e);

	if (c != NULL && conf_include_check(c, c->single_user, e) < 0) {
		conf_free(c);
		return NULL;
	}
	return c;
}

/* --- accounts -------------------------------------------------------- */

/* An htsign that was upgraded may not have them yet. */
static bool
may_be_missing(const struct conf *c, const struct conf_account *account)
{
	return account == &c->users[CONF_USER_READER] ||
	    (account == &c->users[CONF_USER_PUMP] && !conf_pumps(c));
}

static int
resolve_account(struct conf *c, struct conf_account *account,
    struct ht_error *e)
{
	const struct passwd *pw;

	if (c->single_user) {
		account->uid = geteuid();
		account->gid = getegid();
		return 0;
	}
	pw = account->name != NULL ? getpwnam(account->name)
	                           : getpwuid(account->uid);
	if (pw == NULL && account->name != NULL && may_be_missing(c, account)) {
		account->uid = (uid_t)-1;
		account->gid = (gid_t)-1;
		return 0;
	}
	if (pw == NULL && account->name != NULL) {
		(void)ht_error_set(e, HT_ERR_USAGE,
		    "there is no account \"%s\"", account->name);
		return conf_line(c, account->line, e);
	}
	if (pw != NULL)
		account->uid = pw->pw_uid;
	account->gid = pw != NULL ? pw->pw_gid : (gid_t)account->uid;
	if (account->uid == 0 || account->gid == 0) {
		(void)ht_error_set(e, HT_ERR_USAGE,
		    "an account in users must not have the uid 0");
		return conf_line(c, account->line, e);
	}
	return 0;
}

int
conf_resolve(struct conf *c, struct ht_error *e)
{
	size_t i, j;
	int ret;

	for (i = 0; i < CONF_USERS; i++) {
		ret = resolve_account(c, &c->users[i], e);
		if (ret < 0)
			return ret;
		for (j = 0; j < i && !c->single_user; j++)
			if (c->users[j].uid == c->users[i].uid &&
			    c->users[i].uid != (uid_t)-1) {
				(void)ht_error_set(e, HT_ERR_USAGE,
				    "two users have the uid %u",
				    (unsigned int)c->users[i].uid);
				return conf_line(c, c->users[i].line, e);
			}
	}
	return 0;
}

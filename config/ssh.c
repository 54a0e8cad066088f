#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config/table.h"
#include "lib/base64.h"
#include "lib/buf.h"

/* The longest "[ADDRESS]:PORT". */
#define LISTEN_MAX 64

#define STARTUPS_MAX 10000

static const struct conf_word admin_roles[] = {
	{ "admin", NAMES_ADMIN },
	{ "approver", NAMES_APPROVER },
	{ "auditor", NAMES_AUDITOR },
	{ NULL, 0 },
};

/* A decimal number from min to max without sign or space, or 0. */
static unsigned int
parse_number(const char *text, unsigned int min, unsigned int max)
{
	unsigned long value;
	size_t n = strlen(text);

	if (n < 1 || n > 6 || strspn(text, "0123456789") != n)
		return 0;
	value = strtoul(text, NULL, 10);
	return value >= min && value <= max ? (unsigned int)value : 0;
}

static bool
fill_ipv4(struct conf_listen *l, const char *host, unsigned int port)
{
	struct sockaddr_in in;

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	in.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return false;
	memcpy(&l->address, &in, sizeof(in));
	l->length = sizeof(in);
	l->loopback = ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return true;
}

static bool
fill_ipv6(struct conf_listen *l, const char *host, unsigned int port)
{
	struct sockaddr_in6 in;

	memset(&in, 0, sizeof(in));
	in.sin6_family = AF_INET6;
	in.sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1)
		return false;
	memcpy(&l->address, &in, sizeof(in));
	l->length = sizeof(in);
	l->loopback = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
	return true;
}

/* "1.2.3.4:22" or "[::1]:22" */
static bool
parse_listen(struct conf_listen *l, const char *text)
{
	char host[LISTEN_MAX];
	const char *colon = strrchr(text, ':');
	unsigned int port;
	size_t n;

	if (colon == NULL || strlen(text) >= sizeof(host))
		return false;
	port = parse_number(colon + 1, 1, 65535);
	n = (size_t)(colon - text);
	if (port == 0 || n == 0)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] != '[')
		return fill_ipv4(l, host, port);
	if (host[n - 1] != ']')
		return false;
	host[n - 1] = '\0';
	return fill_ipv6(l, host + 1, port);
}

static int
read_listen(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_ssh *ssh = out;
	const config_setting_t *element;
	struct conf_listen *list;
	int i, n = conf_length(r, s);

	(void)f;
	if (n < 0 || (list = conf_alloc(r, (size_t)n, sizeof(*list))) == NULL)
		return r->e->code;
	for (i = 0; i < n; i++) {
		element = config_setting_get_elem(s, (unsigned int)i);
		if ((list[i].text = conf_string(r, element)) == NULL)
			return r->e->code;
		if (!parse_listen(&list[i], list[i].text))
			return conf_mistake(r, element,
			    "listen is an address and a port, like "
			    "\"0.0.0.0:2222\" or \"[::]:2222\"");
	}
	ssh->listen = list;
	ssh->nlisten = (size_t)n;
	return 0;
}

/* Cut text at its next colon; NULL if there is none. */
static char *
next_part(char *text)
{
	char *colon = text == NULL ? NULL : strchr(text, ':');

	if (colon == NULL)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

/* "START:RATE:FULL", as in sshd_config(5) */
static int
read_startups(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_ssh *ssh = out;
	const char *text = conf_string(r, s);
	char start[32] = "", *rate, *full;

	if (text == NULL)
		return r->e->code;
	if (strlen(text) < sizeof(start))
		memcpy(start, text, strlen(text) + 1);
	rate = next_part(start);
	full = next_part(rate);
	if (full != NULL) {
		ssh->startups = parse_number(start, 1, STARTUPS_MAX);
		ssh->startups_rate = parse_number(rate, 1, 100);
		ssh->startups_full = parse_number(full, 1, STARTUPS_MAX);
	}
	if (full == NULL || ssh->startups == 0 || ssh->startups_rate == 0 ||
	    ssh->startups_full < ssh->startups)
		return conf_mistake(r, s,
		    "%s is START:RATE:FULL, like \"100:30:300\": connections, "
		    "percent, connections",
		    f->key);
	return 0;
}

/*
 * Whether the key blob of an authorized_keys line, in base64, begins with the
 * type that the line names.
 */
static bool
blob_has_type(const char *base64, size_t n, const char *type)
{
	struct buf blob = BUF_INIT;
	struct cursor in, inner;
	bool ok;

	ok = base64_decode(cursor_over(base64, n), BASE64_STANDARD, &blob) == 0;
	in = buf_cursor(&blob);
	ok = ok && cursor_string(&in, &inner) == 0 && cursor_is(inner, type);
	buf_free(&blob);
	return ok;
}

static int
read_key(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_admin *admin = out;
	const char *line = conf_string(r, s), *base64;
	char type[64] = "";
	size_t n;

	if (line == NULL)
		return r->e->code;
	n = strcspn(line, " ");
	if (n < sizeof(type))
		memcpy(type, line, n);
	base64 = line + n + (line[n] == ' ');
	if (!blob_has_type(base64, strcspn(base64, " "), type))
		return conf_mistake(r, s,
		    "%s is the line of a .pub file: type, base64, comment",
		    f->key);
	admin->key = line;
	return 0;
}

#define ADMIN(member) .offset = offsetof(struct conf_admin, member)

static const struct conf_field admin_fields[] = {
	{ "name", conf_read_name, ADMIN(name), .required = true },
	{ "role", conf_read_word, ADMIN(role), .words = admin_roles,
	    .required = true },
	{ "key", read_key, .required = true },
	{ .key = NULL },
};

static const struct conf_section admin_section = {
	.fields = admin_fields,
	.size = sizeof(struct conf_admin),
};

static void
ssh_defaults(void *out)
{
	struct conf_ssh *ssh = out;

	ssh->startups = 100;
	ssh->startups_rate = 30;
	ssh->startups_full = 300;
	ssh->login_grace = 20;
	ssh->max_auth_tries = 6;
	ssh->max_connections = 512;
	ssh->idle = 300;
	ssh->keepalive = 30;
}

static int
ssh_check(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const struct conf_ssh *ssh = out;

	(void)f;
	if (ssh->nlisten > 0 && ssh->nhost_keys == 0)
		return conf_mistake(r, s, "ssh.listen needs ssh.host_keys");
	return 0;
}

#define SSH(member) .offset = offsetof(struct conf_ssh, member)
#define SSH_COUNT(member) .count_offset = offsetof(struct conf_ssh, member)

static const struct conf_field ssh_fields[] = {
	{ .key = "listen", .read = read_listen },
	{ "host_keys", conf_read_paths, SSH(host_keys), SSH_COUNT(nhost_keys) },
	{ "user_ca", conf_read_path, SSH(user_ca), .required = true },
	{ "admin_ca", conf_read_path, SSH(admin_ca) },
	{ "admins", conf_read_list, SSH(admins), SSH_COUNT(nadmins),
	    .section = &admin_section },
	{ "admin", conf_read_bool, SSH(admin) },
	{ .key = "max_startups", .read = read_startups },
	{ "login_grace", conf_read_number, SSH(login_grace), .min = 1,
	    .max = 600 },
	{ "max_auth_tries", conf_read_number, SSH(max_auth_tries), .min = 1,
	    .max = 100 },
	{ "max_connections", conf_read_number, SSH(max_connections), .min = 1,
	    .max = 10000 },
	{ "idle", conf_read_number, SSH(idle), .min = 1, .max = 86400 },
	{ "keepalive", conf_read_number, SSH(keepalive), .min = 0,
	    .max = 3600 },
	{ "allow_sk", conf_read_bool, SSH(allow_sk) },
	{ "compatible", conf_read_bool, SSH(compatible) },
	{ .key = NULL },
};

const struct conf_section conf_ssh_section = {
	.fields = ssh_fields,
	.size = sizeof(struct conf_ssh),
	.defaults = ssh_defaults,
	.check = ssh_check,
};

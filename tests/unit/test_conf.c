#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/conf.h"
#include "tests/support/scratch.h"

#define KEY                                                                    \
	"ssh-ed25519 "                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

/* Everything that a minimal file needs, on its first lines. */
#define SSH "ssh: { user_ca = \"/ca\"; };\n"
#define TOKENS                                                                 \
	"tokens = ( { name = \"hw\"; module = \"/x.so\"; label = \"L\"; },\n"  \
	"  { name = \"soft\"; module = \"/l/libsofthsm2.so\"; serial = \"1\";" \
	" },\n"                                                                \
	"  { name = \"pem\"; file = \"/k.pem\"; } );\n"
#define CERTIFICATES                                                           \
	"certificates = ( { name = \"c\"; token = \"pem\"; chain = \"/c\"; }," \
	"\n  { name = \"d\"; token = \"hw\"; chain = \"/d\";"                  \
	" key = \"pkcs11:object=d\"; } );\n"
#define BASE SSH TOKENS CERTIFICATES
#define PROFILE(more)                                                          \
	BASE "profiles = ( { name = \"p\"; certificates = [ \"c\" ];\n" more   \
	     " } );\n"

static const char full[] =
    "state = \"/s t\"; run = \"/r\"; single_user = true;\n"
    "users: { keyd = 1001; sign = \"nobody\"; };\n"
    "ssh: { listen = [ \"127.0.0.1:2222\", \"[::1]:22\" ];\n"
    "  host_keys = ( \"/h1\", \"/h2\" ); user_ca = \"/uca\";\n"
    "  admin_ca = \"/aca.pub\"; admin = true; allow_sk = true;"
    "  compatible = true;\n"
    "  admins = ( { name = \"ann\"; role = \"auditor\";\n"
    "    key = \"" KEY " ann@x\"; } );\n"
    "  max_startups = \"5:50:7\"; login_grace = 3; max_auth_tries = 2;\n"
    "  max_connections = 9; idle = 10; keepalive = 0; };\n"
    "tokens = ( { name = \"soft\"; module = \"/l/libsofthsm2.so\";\n"
    "    label = \"L\"; serial = \"S\"; pin = \"file:/pin\"; timeout = 5;\n"
    "    pin_counted = true; pin_retries = 2;\n"
    "    environment = [ \"A_1=x y\", \"B=\" ]; writable = [ \"/w\" ]; },\n"
    "  { name = \"cred\"; module = \"/l/libsofthsm2.so\"; serial = \"S\";\n"
    "    pin = \"credential:pin-1\"; },\n"
    "  { name = \"pem\"; file = \"/k.pem\"; } );\n"
    "certificates = ( { name = \"c\"; token = \"soft\";\n"
    "    key = \"pkcs11:object=c\"; chain = \"/c.pem\"; },\n"
    "  { name = \"d\"; token = \"pem\"; chain = \"/d.pem\"; } );\n"
    "profiles = ( { name = \"production\"; text = \"Gr\\xc3\\xbc\\xc3\\x9f\";\n"
    "    certificates = [ \"d\", \"c\" ]; digest = \"sha384\";\n"
    "    max_size = \"3M\"; formats = [ \"pe\" ]; existing = \"nest\";\n"
    "    description = \"D\"; url = \"https://u/\"; signing_time = true;\n"
    "    statement = \"commercial\"; doors = [ \"openssh\" ];\n"
    "    allow_weak = true; max_queue = 4; },\n"
    "  { name = \"small\"; certificates = [ \"c\" ]; max_size = 77; } );\n";

/* libconfig 1.5 loses a text where the syntax is wrong. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static struct conf *
parse(const char *text)
{
	struct ht_error e = { .text = "" };
	struct conf *c = conf_parse("f", text, strlen(text), &e);

	assert_string_equal(e.text, "");
	assert_non_null(c);
	return c;
}

static void
refuse(const char *text, const char *expected)
{
	struct ht_error e = { .text = "" };

	assert_null(conf_parse("f", text, strlen(text), &e));
	assert_string_equal(e.text, expected);
	assert_int_equal(e.code, HT_ERR_USAGE);
	assert_null(conf_parse("f", text, strlen(text), NULL));
}

static void
test_full_root_and_ssh(void **state)
{
	struct conf *c = parse(full);
	const struct conf_ssh *ssh = &c->ssh;
	const struct sockaddr_in6 *in6;
	const struct sockaddr_in *in;

	(void)state;
	assert_string_equal(c->path, "f");
	assert_string_equal(c->state, "/s t");
	assert_string_equal(c->run, "/r");
	assert_true(c->single_user);
	assert_null(c->users[CONF_USER_KEYD].name);
	assert_int_equal(c->users[CONF_USER_KEYD].uid, 1001);
	assert_string_equal(c->users[CONF_USER_SIGN].name, "nobody");
	assert_string_equal(c->users[CONF_USER_AUTH].name, "htsign-auth");
	assert_int_equal(ssh->nlisten, 2);
	in = (const struct sockaddr_in *)&ssh->listen[0].address;
	assert_int_equal(ssh->listen[0].length, sizeof(*in));
	assert_int_equal(ntohs(in->sin_port), 2222);
	assert_int_equal(ntohl(in->sin_addr.s_addr), 0x7f000001);
	in6 = (const struct sockaddr_in6 *)&ssh->listen[1].address;
	assert_int_equal(ssh->listen[1].length, sizeof(*in6));
	assert_int_equal(ntohs(in6->sin6_port), 22);
	assert_true(ssh->listen[1].loopback);
	assert_int_equal(ssh->nhost_keys, 2);
	assert_string_equal(ssh->host_keys[1], "/h2");
	assert_string_equal(ssh->user_ca, "/uca");
	assert_string_equal(ssh->admin_ca, "/aca.pub");
	assert_int_equal(ssh->nadmins, 1);
	assert_string_equal(ssh->admins[0].name, "ann");
	assert_int_equal(ssh->admins[0].role, NAMES_AUDITOR);
	assert_string_equal(ssh->admins[0].key, KEY " ann@x");
	assert_true(ssh->admin);
	assert_true(ssh->allow_sk);
	assert_true(ssh->compatible);
	assert_int_equal(ssh->startups, 5);
	assert_int_equal(ssh->startups_rate, 50);
	assert_int_equal(ssh->startups_full, 7);
	assert_int_equal(ssh->login_grace, 3);
	assert_int_equal(ssh->max_auth_tries, 2);
	assert_int_equal(ssh->max_connections, 9);
	assert_int_equal(ssh->idle, 10);
	assert_int_equal(ssh->keepalive, 0);
	conf_free(c);
}

static void
test_full_signing(void **state)
{
	struct conf *c = parse(full);
	const struct conf_token *soft = conf_token(c, "soft");
	const struct conf_profile *p = conf_profile(c, "production");

	(void)state;
	assert_int_equal(c->ntokens, 3);
	assert_string_equal(soft->label, "L");
	assert_string_equal(soft->serial, "S");
	assert_int_equal(soft->pin, CONF_PIN_FILE);
	assert_string_equal(soft->pin_where, "/pin");
	assert_int_equal(soft->timeout, 5);
	assert_true(soft->pin_counted);
	assert_int_equal(soft->pin_retries, 2);
	assert_int_equal(soft->nenvironment, 2);
	assert_string_equal(soft->environment[0], "A_1=x y");
	assert_int_equal(soft->nwritable, 1);
	assert_string_equal(soft->writable[0], "/w");
	assert_true(soft->test);
	assert_int_equal(conf_token(c, "cred")->pin, CONF_PIN_CREDENTIAL);
	assert_string_equal(conf_token(c, "cred")->pin_where, "pin-1");
	assert_string_equal(conf_token(c, "pem")->file, "/k.pem");
	assert_int_equal(conf_token(c, "pem")->pin, CONF_PIN_NONE);
	assert_true(conf_token(c, "pem")->test);
	assert_null(conf_token(c, "none"));
	assert_ptr_equal(conf_certificate(c, "c")->token, soft);
	assert_string_equal(conf_certificate(c, "c")->key, "pkcs11:object=c");
	assert_null(conf_certificate(c, "d")->key);
	assert_string_equal(conf_certificate(c, "d")->chain, "/d.pem");
	assert_string_equal(p->text, "Gr\xc3\xbc\xc3\x9f");
	assert_int_equal(p->ncertificates, 2);
	assert_ptr_equal(p->certificates[0], conf_certificate(c, "d"));
	assert_int_equal(p->digest, CONF_SHA384);
	assert_string_equal(conf_digest_text(p->digest), "sha384");
	assert_int_equal(p->max_size, 3 << 20);
	assert_int_equal(p->formats, CONF_FORMAT_PE);
	assert_int_equal(p->doors, CONF_DOOR_OPENSSH);
	assert_int_equal(p->existing, CONF_EXISTING_NEST);
	assert_int_equal(p->statement, CONF_STATEMENT_COMMERCIAL);
	assert_string_equal(p->description, "D");
	assert_string_equal(p->url, "https://u/");
	assert_true(p->signing_time);
	assert_true(p->allow_weak);
	assert_int_equal(p->max_queue, 4);
	assert_int_equal(conf_profile(c, "small")->max_size, 77);
	assert_null(conf_profile(c, "smal"));
	conf_free(c);
}

static void
test_words_for_existing_signatures(void **state)
{
	static const char *const words[] = { "refuse", "own", "replace", "nest",
		"keep" };
	const struct conf_profile *p;
	char text[1024];
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    PROFILE("existing = \"%s\";"), words[i]);
		c = parse(text);
		p = conf_profile(c, "p");
		assert_string_equal(conf_existing_text(p->existing), words[i]);
		conf_free(c);
	}
}

static void
test_names_of_formats(void **state)
{
	char text[64];

	(void)state;
	conf_formats_text(CONF_FORMAT_PE | CONF_FORMAT_CAB, text, sizeof(text));
	assert_string_equal(text, "pe,cab");
	conf_formats_text(CONF_FORMAT_SCRIPT, text, sizeof(text));
	assert_string_equal(text, "ps1,ps1xml,mof,js,vbs,wsf");
	conf_formats_text(CONF_FORMAT_APPX | CONF_FORMAT_CAT, text,
	    sizeof(text));
	assert_string_equal(text, "appx,appxbundle,cat");
	assert_false(conf_format_in(CONF_FORMATS_DEFAULT, "cat"));
	assert_true(conf_format_in(CONF_FORMATS_DEFAULT, "appxbundle"));
	assert_true(conf_format_in(CONF_FORMAT_SCRIPT, "vbs"));
	assert_false(conf_format_in(CONF_FORMATS_DEFAULT, "vbs"));
	assert_false(conf_format_in(CONF_FORMATS_DEFAULT, "script"));
	assert_true(conf_format_in(CONF_FORMATS_DEFAULT, "cab"));
}

static void
test_defaults(void **state)
{
	struct conf *c = parse(PROFILE(""));
	const struct conf_profile *p = conf_profile(c, "p");

	(void)state;
	assert_string_equal(c->state, "/var/lib/htsign");
	assert_string_equal(c->run, "/run/htsign");
	assert_false(c->single_user);
	assert_int_equal(c->ssh.nlisten, 0);
	assert_int_equal(c->ssh.startups, 100);
	assert_int_equal(c->ssh.startups_rate, 30);
	assert_int_equal(c->ssh.startups_full, 300);
	assert_int_equal(c->ssh.login_grace, 20);
	assert_int_equal(c->ssh.max_auth_tries, 6);
	assert_int_equal(c->ssh.max_connections, 512);
	assert_int_equal(c->ssh.idle, 300);
	assert_int_equal(c->ssh.keepalive, 30);
	assert_false(c->ssh.admin);
	assert_false(c->ssh.allow_sk);
	assert_false(c->ssh.compatible);
	assert_null(c->ssh.admin_ca);
	assert_false(conf_token(c, "hw")->test);
	assert_int_equal(conf_token(c, "hw")->pin, CONF_PIN_ASK);
	assert_int_equal(conf_token(c, "hw")->timeout, 30);
	assert_false(conf_token(c, "hw")->pin_counted);
	assert_int_equal(conf_token(c, "hw")->pin_retries, 0);
	assert_string_equal(p->text, "");
	assert_int_equal(p->digest, CONF_SHA256);
	assert_true(p->max_size == (uint64_t)2 << 30);
	assert_int_equal(p->formats, CONF_FORMATS_DEFAULT);
	assert_int_equal(p->doors, CONF_DOOR_OPENSSH | CONF_DOOR_SSHD_SIGN);
	assert_int_equal(p->existing, CONF_EXISTING_OWN);
	assert_int_equal(p->statement, CONF_STATEMENT_INDIVIDUAL);
	assert_null(p->description);
	assert_false(p->signing_time);
	assert_false(p->allow_weak);
	assert_int_equal(p->max_queue, 256);
	conf_free(c);
}

static void
test_root_mistakes(void **state)
{
	(void)state;
	refuse("", "f:1: the file needs ssh");
	refuse("ssh: {\n};\n", "f:1: ssh needs user_ca");
	refuse("\nssh = 1;\n", "f:2: ssh must be a group { … }");
	refuse(SSH "\ncolour = 1;\n", "f:3: unknown key colour");
	refuse(SSH "state = \"/a\";\nstate = \"/b\";\n",
	    "f:3: duplicate setting name");
	refuse(SSH "state = \"var\";", "f:2: state must be an absolute path");
	refuse(SSH "state = 5;", "f:2: state must be text in quotes");
	refuse(SSH "state = \"/a\\nb\";",
	    "f:2: state must be 1 to 1024 bytes of printable UTF-8");
	refuse(SSH "state = \"/a\xff\";",
	    "f:2: state must be 1 to 1024 bytes of printable UTF-8");
	refuse(SSH "single_user = 1;",
	    "f:2: single_user must be true or false");
	refuse(SSH "users: { boss = 1; };", "f:2: unknown key boss");
	refuse(SSH "users: { keyd = -1; };",
	    "f:2: keyd must be a number from 1 to 4294967293");
	refuse("a = \n\n;", "f:3: syntax error");
	refuse(SSH "tokens = 5;", "f:2: tokens must be a list");
	refuse(SSH "tokens = ( 5 );", "f:2: tokens must be a group { … }");
}

static void
test_what_libconfig_would_do(void **state)
{
	static const char nul[] = SSH "state = \"/a\0b\";";
	struct ht_error e;

	(void)state;
	refuse(SSH "  @include \"/etc/passwd\"\n",
	    "f:2: @include is for the file itself only");
	refuse(SSH "state = \"/a\\x00b\";", "f:2: a text cannot hold a NUL");
	refuse(SSH "state = \"/a\\X00b\";", "f:2: a text cannot hold a NUL");
	assert_null(conf_parse("f", nul, sizeof(nul) - 1, &e));
	assert_string_equal(e.text, "f:2: a NUL byte");
}

static void
test_run_has_room_for_sockets(void **state)
{
	char text[256];

	(void)state;
	(void)snprintf(text, sizeof(text), SSH "run = \"/%089d\";", 1);
	conf_free(parse(text));
	(void)snprintf(text, sizeof(text), SSH "run = \"/%090d\";", 1);
	refuse(text,
	    "f:2: run is too long for the sockets in it: at most 90 bytes");
}

static void
test_ssh_mistakes(void **state)
{
	static const char *const listen[] = { "127.0.0.1", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1: 2", "localhost:22", ":22",
		"[::1:22", "::1:22", "[::1]22", "[127.0.0.1]:22", "1.2.3:4",
		"127.0.0.1:+2", "[]:1", "[:1" };
	static const char *const startups[] = { "", "1", "1:2",
		"1:2:", "0:30:5", "10:30:9", "10:0:10", "10:101:10", "1:1:1:1",
		"1:1:10001", "-1:1:1", "1111111111:11111111111111:1111111111" };
	char text[256];
	size_t i;

	(void)state;
#define IN_SSH(more) "ssh: { user_ca = \"/ca\";\n" more " };"
	for (i = 0; i < sizeof(listen) / sizeof(listen[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    IN_SSH("host_keys = [ \"/h\" ]; listen = [ \"%s\" ];"),
		    listen[i]);
		refuse(text,
		    "f:2: listen is an address and a port, like "
		    "\"0.0.0.0:2222\" or \"[::]:2222\"");
	}
	for (i = 1; i < sizeof(startups) / sizeof(startups[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    IN_SSH("max_startups = \"%s\";"), startups[i]);
		refuse(text,
		    "f:2: max_startups is START:RATE:FULL, like "
		    "\"100:30:300\": connections, percent, connections");
	}
	refuse(IN_SSH("listen = [ \"0.0.0.0:1\" ];"),
	    "f:1: ssh.listen needs ssh.host_keys");
	refuse(IN_SSH("host_keys = \"/h\";"), "f:2: host_keys must be a list");
	refuse(IN_SSH("host_keys = [ \"/h\", \"i\" ];"),
	    "f:2: host_keys must be an absolute path");
	refuse(IN_SSH("login_grace = 0;"),
	    "f:2: login_grace must be a number from 1 to 600");
	refuse(IN_SSH("login_grace = 1.5;"),
	    "f:2: login_grace must be a number from 1 to 600");
	refuse(IN_SSH("idle = 4294967297L;"),
	    "f:2: idle must be a number from 1 to 86400");
}

static void
test_admin_mistakes(void **state)
{
	(void)state;
#define ADMIN(more) IN_SSH("admins = ( { name = \"a\"; " more " } );")
	refuse(ADMIN(""), "f:2: admins needs role");
	refuse(ADMIN("role = \"client\"; key = \"" KEY "\";"),
	    "f:2: role can be \"admin\", \"approver\", \"auditor\"");
#define BAD_KEY "f:2: key is the line of a .pub file: type, base64, comment"
	refuse(ADMIN("role = \"admin\"; key = \"ssh-ed25519\";"), BAD_KEY);
	refuse(ADMIN("role = \"admin\"; key = \"ssh-ed25519 A\";"), BAD_KEY);
	refuse(ADMIN("role = \"admin\"; key = \" " KEY "\";"), BAD_KEY);
	refuse(ADMIN("role = \"admin\"; key = \"x" KEY "\";"), BAD_KEY);
	refuse(ADMIN("role = \"admin\"; key = \"no-pty " KEY "\";"), BAD_KEY);
	refuse(IN_SSH("admins = ( { name = \"Ann\"; } );"),
	    "f:2: a name is 1 to 63 of a-z, 0-9, '.', '_' and '-', and starts "
	    "with a letter or digit");
	refuse(IN_SSH("admins = ( { name = \"a\"; role = \"admin\";\n key = "
	              "\"" KEY "\"; },\n { name = \"a\"; role = \"admin\";\n "
	              "key = \"" KEY "\"; } );"),
	    "f:4: admins has \"a\" twice");
}

static void
test_token_mistakes(void **state)
{
	(void)state;
#define TOKEN(more) SSH "tokens = ( { name = \"t\"; " more " } );"
	refuse(TOKEN(""), "f:2: token \"t\" needs either module or file");
	refuse(TOKEN("module = \"/m\"; file = \"/f\";"),
	    "f:2: token \"t\" needs either module or file");
	refuse(TOKEN("module = \"/m\";"),
	    "f:2: token \"t\" needs label or serial");
#define KEY_FILE                                                               \
	"f:2: token \"t\" is a key file: label, serial, pin, pin_counted, "    \
	"pin_retries, environment and writable are for modules"
	refuse(TOKEN("file = \"/f\"; pin = \"ask\";"), KEY_FILE);
	refuse(TOKEN("file = \"/f\"; label = \"l\";"), KEY_FILE);
	refuse(TOKEN("file = \"/f\"; pin_counted = true;"), KEY_FILE);
	refuse(TOKEN("file = \"/f\"; pin_retries = 1;"), KEY_FILE);
	refuse(TOKEN("file = \"/f\"; writable = [ \"/w\" ];"), KEY_FILE);
	refuse(TOKEN("environment = [ \"A\" ];"),
	    "f:2: environment takes \"NAME=value\"");
	refuse(TOKEN("environment = [ \"1A=b\" ];"),
	    "f:2: environment takes \"NAME=value\"");
	refuse(TOKEN("writable = [ \"w\" ];"),
	    "f:2: writable must be an absolute path");
	refuse(TOKEN("pin = \"each\";"), "f:2: pin \"each\" is not built yet");
#define BAD_PIN "f:2: pin can be \"ask\", \"file:/PATH\", \"credential:NAME\""
	refuse(TOKEN("pin = \"1234\";"), BAD_PIN);
	refuse(TOKEN("pin = \"file:pin\";"), BAD_PIN);
	refuse(TOKEN("pin = \"credential:\";"), BAD_PIN);
	refuse(TOKEN("pin = \"credential:../x\";"), BAD_PIN);
	refuse(SSH TOKENS "tokens = ();", "f:5: duplicate setting name");
	refuse(SSH "tokens = ( { name = \"t\"; file = \"/f\"; },\n"
	           "{ name = \"t\"; file = \"/g\"; } );",
	    "f:3: tokens has \"t\" twice");
}

static void
test_certificate_mistakes(void **state)
{
	(void)state;
#define CERTIFICATE(more)                                                      \
	SSH TOKENS "certificates = ( { name = \"c\"; chain = \"/c\";\n" more   \
	           " } );"
	refuse(CERTIFICATE(""), "f:5: certificates needs token");
	refuse(CERTIFICATE("token = \"no\";"), "f:6: there is no token \"no\"");
	refuse(CERTIFICATE("token = \"hw\";"),
	    "f:5: certificate \"c\" needs key, a pkcs11: URI");
	refuse(CERTIFICATE("token = \"hw\"; key = \"object=c\";"),
	    "f:6: key must be a pkcs11: URI");
	refuse(CERTIFICATE("token = \"pem\"; key = \"pkcs11:object=c\";"),
	    "f:5: certificate \"c\" must not have key: token \"pem\" is a "
	    "key file");
	refuse(SSH TOKENS "certificates = ( { name = \"c\"; token = \"pem\"; } "
	                  ");",
	    "f:5: certificates needs chain");
}

#define SERVER(more)                                                           \
	SSH "timestamp_servers = (\n"                                          \
	    "{ name = \"a\"; url = \"http://a/\"; operator = \"A\";\n"         \
	    "  roots = \"/a\"; " more                                          \
	    " }, { name = \"b\"; operator = \"B\";\n"                          \
	    "  url = \"https://b/x\"; roots = \"/b\"; interval = 15; } );\n"
#define STAMPED(more)                                                          \
	SERVER("")                                                             \
	"tokens = ( { name = \"t\"; file = \"/k\"; } );\n"                     \
	"certificates = ( { name = \"c\"; token = \"t\"; chain = \"/c\"; } "   \
	");\n"                                                                 \
	"profiles = ( { name = \"p\"; certificates = [ \"c\" ];\n" more        \
	" } );"

static void
test_timestamps(void **state)
{
	struct conf *c;

	(void)state;
	c = parse(STAMPED("timestamp = \"attempt\";"));
	assert_int_equal(c->nservers, 2);
	assert_string_equal(c->servers[0].url, "http://a/");
	assert_string_equal(c->servers[0].operator, "A");
	assert_int_equal(c->servers[0].interval, 0);
	assert_string_equal(c->servers[1].roots, "/b");
	assert_int_equal(c->servers[1].interval, 15);
	assert_int_equal(c->profiles[0].timestamp, CONF_TIMESTAMP_ATTEMPT);
	assert_int_equal(c->profiles[0].nservers, 2);
	assert_ptr_equal(c->profiles[0].servers[1], &c->servers[1]);
	assert_null(c->proxy);
	conf_free(c);
	c = parse(STAMPED(
	    "timestamp = \"required\";"
	    "timestamp_servers = [ \"b\" ];") "proxy = \"http://p:3128\";");
	assert_int_equal(c->profiles[0].timestamp, CONF_TIMESTAMP_REQUIRED);
	assert_int_equal(c->profiles[0].nservers, 1);
	assert_ptr_equal(c->profiles[0].servers[0], conf_server(c, "b"));
	assert_null(conf_server(c, "c"));
	assert_string_equal(c->proxy, "http://p:3128");
	conf_free(c);
	c = parse(STAMPED(""));
	assert_int_equal(c->profiles[0].timestamp, CONF_TIMESTAMP_NONE);
	assert_int_equal(c->profiles[0].nservers, 0);
	conf_free(c);
	refuse(STAMPED("timestamp = \"maybe\";"),
	    "f:9: timestamp can be \"none\", \"attempt\", \"required\"");
	refuse(STAMPED("timestamp_servers = [ \"c\" ];"),
	    "f:9: there is no timestamp server \"c\"");
	refuse(STAMPED("timestamp_servers = [ \"a\", \"a\" ];"),
	    "f:9: timestamp_servers has \"a\" twice");
	refuse(STAMPED("timestamp_servers = [ ];"),
	    "f:9: timestamp_servers must name one or more");
	refuse(SERVER("interval = 3601;"),
	    "f:4: interval must be a number from 0 to 3600");
	refuse(SSH "timestamp_servers = ( { name = \"a\"; operator = \"A\"; "
	           "roots = \"/r\"; url = \"ftp://a/\"; } );",
	    "f:2: url must be an http:// or https:// URL");
	refuse(SSH "timestamp_servers = ( { name = \"a\"; operator = \"A\"; "
	           "roots = \"/r\"; } );",
	    "f:2: timestamp_servers needs url");
	refuse(SSH "proxy = \"http://a b\";",
	    "f:2: proxy must be an http:// or https:// URL");
	refuse(PROFILE("timestamp = \"required\";"),
	    "f:7: profile \"p\" has timestamps: the file needs "
	    "timestamp_servers");
}

static void
test_what_is_looked_at_and_kept(void **state)
{
	const struct conf_profile *p;
	struct conf *c;

	(void)state;
	c = parse(PROFILE(""));
	p = conf_profile(c, "p");
	assert_int_equal(p->virustotal, CONF_SCAN_NONE);
	assert_int_equal(p->archive, CONF_ARCHIVE_NONE);
	assert_int_equal(p->vt_max_bad_percent, 5);
	assert_int_equal(c->archive_days, 730);
	assert_true(c->archive_max == (uint64_t)16 << 30);
	assert_int_equal(c->virustotal_minute, 4);
	assert_int_equal(c->virustotal_day, 500);
	assert_false(conf_pumps(c));
	conf_free(c);
}

static void
test_rules(void **state)
{
	const struct conf_profile *p;
	struct conf *c;

	(void)state;
	c = parse(PROFILE("names = [ \"a[!]x].exe\", \"[]]\" ]; "
	                  "version_info = { CompanyName = \"Us\"; "
	                  "version = \"[12].*\"; }; "
	                  "require = [ \"url\", \"sha256\" ];"));
	p = conf_profile(c, "p");
	assert_int_equal(p->nnames, 2);
	assert_string_equal(p->names[1], "[]]");
	assert_null(p->version_info.product);
	assert_string_equal(p->version_info.company, "Us");
	assert_string_equal(p->version_info.version, "[12].*");
	assert_int_equal(p->require, CONF_REQUIRE_URL | CONF_REQUIRE_SHA256);
	conf_free(c);
	c = parse(PROFILE(""));
	p = conf_profile(c, "p");
	assert_int_equal(p->nnames, 0);
	assert_int_equal(p->require, 0);
	conf_free(c);
	refuse(PROFILE("names = [ ];"), "f:8: names must have one or more");
	refuse(PROFILE("names = [ \"a\", \"b\\\\c\" ];"),
	    "f:8: names are of files, without folders: \"b\\c\"");
	refuse(PROFILE("names = [ \"[a]-[b\" ];"),
	    "f:8: a set of the pattern \"[a]-[b\" has no ]");
	refuse(PROFILE("names = [ \"a[\" ];"),
	    "f:8: a set of the pattern \"a[\" has no ]");
	refuse(PROFILE("names = [ \"[!]\" ];"),
	    "f:8: a set of the pattern \"[!]\" has no ]");
	refuse(PROFILE("version_info = { version = \"[1\"; };"),
	    "f:8: a set of the pattern \"[1\" has no ]");
	refuse(PROFILE("version_info = { };"),
	    "f:8: version_info must have one or more");
	refuse(PROFILE("version_info = { Author = \"x\"; };"),
	    "f:8: unknown key Author");
	refuse(PROFILE("require = [ \"luck\" ];"),
	    "f:8: require can be \"description\", \"url\", \"size\", "
	    "\"sha256\"");
}

static void
test_virustotal(void **state)
{
	static const char key[] = "virustotal_key = \"/k\"; "
	                          "virustotal_url = \"http://127.0.0.1:1/a\"; ";
	const struct conf_profile *p;
	char text[1024];
	struct conf *c;

	(void)state;
	(void)snprintf(text, sizeof(text), "%s%s", key,
	    PROFILE("virustotal = \"required\"; vt_upload = \"public\"; "
	            "archive = \"both\"; vt_max_bad_percent = 0; "
	            "vt_fatal_engines = [ \"A\", \"B\" ];"));
	c = parse(text);
	p = conf_profile(c, "p");
	assert_int_equal(p->virustotal, CONF_SCAN_REQUIRED);
	assert_int_equal(p->vt_upload, CONF_UPLOAD_PUBLIC);
	assert_int_equal(p->archive, CONF_ARCHIVE_BOTH);
	assert_int_equal(p->nvt_fatal_engines, 2);
	assert_string_equal(p->vt_fatal_engines[1], "B");
	assert_true(conf_pumps(c));
	conf_free(c);
	refuse(PROFILE("virustotal = \"attempt\";"),
	    "f:7: profile \"p\" asks VirusTotal: the file needs "
	    "virustotal_key");
	(void)snprintf(text, sizeof(text), "%s%s", key,
	    PROFILE("virustotal = \"attempt\"; vt_upload = \"private\";"));
	refuse(text,
	    "f:7: profile \"p\" uploads to VirusTotal: it needs virustotal "
	    "and archive");
	refuse(SSH "virustotal_url = \"http://vt.example/api\";",
	    "f:2: virustotal_url must begin with https://");
}

static void
test_profile_mistakes(void **state)
{
	static const char *const sizes[] = { "0", "-5", "2.5", "\"\"", "\"2T\"",
		"\"G\"", "\"1025G\"", "\"2 G\"", "\"9999999999999\"",
		"1099511627777L", "true" };
	static const char *const later[] = { "timestamp_policy", "approval",
		"page_hashes" };
	char text[1024], expected[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		(void)snprintf(text, sizeof(text), PROFILE("max_size = %s;"),
		    sizes[i]);
		refuse(text,
		    "f:8: max_size must be a number of bytes, or text like "
		    "\"512M\" or "
		    "\"2G\", at most \"1024G\"");
	}
	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		(void)snprintf(text, sizeof(text), PROFILE("%s = \"x\";"),
		    later[i]);
		(void)snprintf(expected, sizeof(expected),
		    "f:8: %s is not built yet", later[i]);
		refuse(text, expected);
	}
	refuse(PROFILE("digest = \"sha1\";"),
	    "f:8: digest can be \"sha256\", \"sha384\", \"sha512\"");
	refuse(PROFILE("max_ctl = \"961K\";"),
	    "f:8: max_ctl must be at most \"960K\"");
	refuse(PROFILE("formats = [ ];"), "f:8: formats must name one or more");
	refuse(PROFILE("existing = \"append\";"),
	    "f:8: existing can be \"refuse\", \"own\", \"replace\", "
	    "\"nest\", \"keep\"");
	refuse(PROFILE("doors = [ \"back\" ];"),
	    "f:8: doors can be \"sshd-sign\", \"openssh\"");
	refuse(PROFILE("max_queue = 0;"),
	    "f:8: max_queue must be a number from 1 to 10000");
}

static void
test_rates(void **state)
{
	struct conf_rates r;
	struct conf *c;

	(void)state;
	c = parse(PROFILE(
	    "requests_minute = 5; requests_day = 6;"
	    " requests_at_once = 7; bytes_day = \"8K\";") "rates: { "
	                                                  "each_client: { "
	                                                  "requests_minute = "
	                                                  "10;"
	                                                  " refused_minute = "
	                                                  "3; max_size = "
	                                                  "\"1G\"; };\n"
	                                                  "clients = ( { name "
	                                                  "= \"ci\"; "
	                                                  "requests_minute = "
	                                                  "20;"
	                                                  " bytes_day = 9; "
	                                                  "requests_at_once = "
	                                                  "2; },\n"
	                                                  "{ name = \"b\"; "
	                                                  "max_size = 7; "
	                                                  "refused_minute = 1;"
	                                                  " requests_day = 4; "
	                                                  "} ); };");
	assert_int_equal(c->profiles[0].rates.requests_minute, 5);
	assert_int_equal(c->profiles[0].rates.requests_day, 6);
	assert_int_equal(c->profiles[0].rates.requests_at_once, 7);
	assert_int_equal(c->profiles[0].rates.bytes_day, 8192);
	conf_client_rates(c, "other", &r);
	assert_memory_equal(&r, &c->each_client, sizeof(r));
	assert_int_equal(r.requests_minute, 10);
	assert_int_equal(r.requests_day, 0);
	assert_int_equal(r.refused_minute, 3);
	assert_int_equal(r.max_size, 1 << 30);
	conf_client_rates(c, "ci", &r);
	assert_int_equal(r.requests_minute, 20);
	assert_int_equal(r.requests_at_once, 2);
	assert_int_equal(r.refused_minute, 3);
	assert_int_equal(r.bytes_day, 9);
	assert_int_equal(r.max_size, 1 << 30);
	conf_client_rates(c, "b", &r);
	assert_int_equal(r.requests_minute, 10);
	assert_int_equal(r.requests_day, 4);
	assert_int_equal(r.refused_minute, 1);
	assert_int_equal(r.max_size, 7);
	conf_free(c);
	c = parse(SSH "tokens = ( { name = \"pem\"; file = \"/k.pem\";"
	              " requests_minute = 1; max_size = 2; } );");
	assert_int_equal(c->tokens[0].rates.requests_minute, 1);
	assert_int_equal(c->tokens[0].rates.max_size, 2);
	conf_free(c);
	refuse(SSH "rates: {\neach_client: { requests_minute = 0; }; };",
	    "f:3: requests_minute must be a number from 1 to 100000000");
	refuse(SSH "rates: { clients = ( { name = \"ci\";\n"
	           "bytes_day = \"1x\"; } ); };",
	    "f:3: bytes_day must be a number of bytes, or text like \"512M\" "
	    "or \"2G\", at most \"1024G\"");
	refuse(SSH "rates: { clients = ( { name = \"ci\"; },\n"
	           "{ name = \"ci\"; } ); };",
	    "f:3: clients has \"ci\" twice");
	refuse(SSH "rates: { clients = ( {\nrequests_day = 1; } ); };",
	    "f:2: clients needs name");
	refuse(SSH "rates: {\nrequests_day = 1; };",
	    "f:3: unknown key requests_day");
	refuse(PROFILE("refused_minute = 1;"),
	    "f:8: unknown key refused_minute");
}

static void
test_profile_references(void **state)
{
	static const char *const verbs[] = { "help", "profiles", "wait",
		"result", "verify", "default", "ls", "rsync", "scp", "sftp" };
	char text[1024], expected[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    BASE "profiles = ( { name = \"%s\"; } );", verbs[i]);
		(void)snprintf(expected, sizeof(expected),
		    "f:7: a profile cannot be named \"%s\": that is a verb",
		    verbs[i]);
		refuse(text, expected);
	}
	refuse(BASE "profiles = ( { name = \"p\"; certificates = [ \"x\" ]; } "
	            ");",
	    "f:7: there is no certificate \"x\"");
	refuse(BASE "profiles = ( { name = \"p\"; certificates = [ ]; } );",
	    "f:7: certificates must name one or more");
	refuse(BASE "profiles = ( { name = \"p\"; certificates = "
	            "[ \"c\", \"c\" ]; } );",
	    "f:7: certificates has \"c\" twice");
	refuse(BASE "profiles = ( { name = \"p\"; } );",
	    "f:7: profiles needs certificates");
}

static void
test_single_user(void **state)
{
	struct conf *c = parse("single_user = true;\n" SSH);
	size_t i;

	(void)state;
	assert_int_equal(conf_resolve(c, NULL), 0);
	for (i = 0; i < CONF_USERS; i++) {
		assert_int_equal(c->users[i].uid, geteuid());
		assert_int_equal(c->users[i].gid, getegid());
	}
	conf_free(c);
	refuse("single_user = true;\n" IN_SSH(
	           "host_keys = [ \"/h\" ]; listen = [ \"127.9.9.9:1\", "
	           "\"10.0.0.1:1\" ];"),
	    "f:2: single_user listens on loopback only, not on 10.0.0.1:1");
	refuse("single_user = true;\n" IN_SSH(
	           "host_keys = [ \"/h\" ]; listen = [ \"[::]:1\" ];"),
	    "f:2: single_user listens on loopback only, not on [::]:1");
	refuse("single_user = true;\n" SSH TOKENS,
	    "f:3: single_user takes key files and SoftHSM only, not token "
	    "\"hw\"");
}

static void
test_accounts(void **state)
{
	struct conf *c =
	    parse(SSH "users: { keyd = \"nobody\"; token = 61001;"
	              " net = 61002;\n sign = 61003;"
	              " admin = 61004; auth = 61005; fetch = 61006; };");
	struct ht_error e;

	(void)state;
	assert_int_equal(conf_resolve(c, &e), 0);
	assert_int_equal(c->users[CONF_USER_KEYD].uid, 65534);
	assert_int_equal(c->users[CONF_USER_KEYD].gid, 65534);
	assert_int_equal(c->users[CONF_USER_AUTH].uid, 61005);
	assert_int_equal(c->users[CONF_USER_AUTH].gid, 61005);
	conf_free(c);

	c = parse(SSH "users: { keyd = 61000; token = 61000; };");
	assert_int_equal(conf_resolve(c, &e), HT_ERR_USAGE);
	assert_string_equal(e.text, "f:2: two users have the uid 61000");
	conf_free(c);
	c = parse(SSH "users: { keyd = \"no-such-account\"; };");
	assert_int_equal(conf_resolve(c, &e), HT_ERR_USAGE);
	assert_string_equal(e.text,
	    "f:2: there is no account \"no-such-account\"");
	conf_free(c);
	c = parse(SSH "users: { keyd = \"root\"; };");
	assert_int_equal(conf_resolve(c, &e), HT_ERR_USAGE);
	assert_string_equal(e.text,
	    "f:2: an account in users must not have the uid 0");
	conf_free(c);
}

static void
test_long_list(void **state)
{
	static char text[64 * 1024] = SSH "profiles = ( ";
	int i;

	(void)state;
	for (i = 0; i < 1001; i++)
		(void)snprintf(text + strlen(text), 16, "%s{ name = 1; }",
		    i > 0 ? "," : "");
	(void)snprintf(text + strlen(text), 16, " );");
	refuse(text, "f:2: profiles has more than 1000 elements");
}

static void
test_truncated(void **state)
{
	struct ht_error e;
	struct conf *c;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(full) - 1; n++) {
		c = conf_parse("f", full, n, &e);
		if (c == NULL)
			assert_int_equal(e.code, HT_ERR_USAGE);
		conf_free(c);
	}
}

static void
test_flipped(void **state)
{
	static char text[sizeof(full)];
	struct ht_error e;
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < 8 * (sizeof(full) - 1); i += 3) {
		memcpy(text, full, sizeof(full));
		text[i / 8] ^= (char)(1 << i % 8);
		c = conf_parse("f", text, sizeof(full) - 1, &e);
		if (c == NULL)
			assert_int_equal(e.code, HT_ERR_USAGE);
		conf_free(c);
	}
}

#define INSTALLED "/usr/share/htsign/timestamp-servers.conf"

/* Include the list of the tree instead of the one that is installed. */
static void
include_ours(struct buf *sample)
{
	const char *srcdir = getenv("srcdir"), *at;
	struct buf out = BUF_INIT;
	char real[PATH_MAX], path[4096];

	(void)snprintf(path, sizeof(path), "%s/config/timestamp-servers.conf",
	    srcdir != NULL ? srcdir : "..");
	assert_non_null(realpath(path, real));
	at = memmem(sample->data, sample->len, INSTALLED, strlen(INSTALLED));
	assert_non_null(at);
	buf_bytes(&out, sample->data, (size_t)(at - (char *)sample->data));
	buf_format(&out, "%s", real);
	at += strlen(INSTALLED);
	buf_bytes(&out, at, (size_t)((char *)sample->data + sample->len - at));
	buf_free(sample);
	*sample = out;
}

static void
write_text(const char *file, const char *text)
{
	scratch_write(file, text, strlen(text));
}

static void
load_fails(const char *file, const char *text, const char *expected)
{
	struct ht_error e = { .text = "" };

	write_text(file, text);
	assert_null(conf_load("main", &e));
	assert_string_equal(e.text, expected);
	assert_int_equal(e.code, HT_ERR_USAGE);
}

/* A mistake is said of the file and the line that it is in. */
static void
test_include(void **state)
{
	char here[PATH_MAX], text[3 * PATH_MAX], expected[2 * PATH_MAX];
	struct ht_error e = { .text = "" };
	struct conf *c;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	(void)snprintf(text, sizeof(text),
	    SSH "single_user = true;\n"
	        "\t@include  \"%s/part\" \n"
	        "run = \"/r\";\n"
	        "@include \"%s/none\"\n"
	        "proxy = 5;\n",
	    here, here);
	write_text("none", "");
	write_text("part", "# one\nspool = 1;");
	(void)snprintf(expected, sizeof(expected),
	    "%s/part:2: spool must be text in quotes", here);
	load_fails("main", text, expected);
	write_text("part", "# one\nspool = \"/s\";");
	load_fails("main", text, "main:6: proxy must be text in quotes");
	(void)snprintf(expected, sizeof(expected), "%s/part:1: unknown key x",
	    here);
	load_fails("part", "x = 1;\n", expected);
	(void)snprintf(expected, sizeof(expected),
	    "%s/part:2: @include is for the file itself only", here);
	load_fails("part", "\n@include \"/etc/passwd\"\n", expected);
	(void)snprintf(expected, sizeof(expected), "%s/part:1: syntax error",
	    here);
	load_fails("part", "}\n", expected);
	*strstr(text, "proxy") = '#';
	write_text("main", text);
	write_text("part", "spool = \"/s\";");
	c = conf_load("main", &e);
	assert_string_equal(e.text, "");
	assert_non_null(c);
	assert_string_equal(c->spool, "/s");
	assert_string_equal(c->run, "/r");
	assert_int_equal(c->nsources, 5);
	assert_int_equal(c->sources[4].line, 6);
	(void)ht_error_set(&e, HT_ERR_USAGE, "no");
	assert_int_equal(conf_at(c, c->run, &e), HT_ERR_USAGE);
	assert_string_equal(e.text, "main:4: no");
	conf_free(c);
	assert_int_equal(chmod("part", 0666), 0);
	(void)snprintf(expected, sizeof(expected),
	    "main:3: others can change this: chmod go-w %s/part", here);
	load_fails("none", "\n", expected);
	assert_int_equal(unlink("part"), 0);
	(void)snprintf(expected, sizeof(expected),
	    "main:3: %s/part: No such file or directory", here);
	load_fails("none", "\n", expected);
	load_fails("main", "\n@include \"part\"\n",
	    "main:2: @include takes an absolute path in quotes");
	load_fails("main", "@include \"/part\n",
	    "main:1: @include takes an absolute path in quotes");
	load_fails("main", "@include \"/part\" x\n",
	    "main:1: @include takes an absolute path in quotes");
}

/* Without single_user the way to an included file counts as well. */
static void
test_way_to_included(void **state)
{
	char here[PATH_MAX], text[2 * PATH_MAX], expected[2 * PATH_MAX];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(mkdir("open", 0755), 0);
	assert_int_equal(chmod("open", 0777), 0);
	write_text("open/part", "\n");
	(void)snprintf(text, sizeof(text), SSH "@include \"%s/open/part\"\n",
	    here);
	(void)snprintf(expected, sizeof(expected),
	    "others can change this: chmod go-w %s/open", here);
	load_fails("main", text, expected);
}

static void
test_files(void **state)
{
	const char *srcdir = getenv("srcdir");
	struct ht_error e = { .text = "" };
	struct buf sample = BUF_INIT;
	char path[4096];
	struct conf *c;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/config/htsign.conf.sample",
	    srcdir != NULL ? srcdir : "..");
	scratch_read(path, &sample);
	include_ours(&sample);
	scratch_write("sample", sample.data, sample.len);
	buf_free(&sample);
	c = conf_load("sample", &e);
	assert_string_equal(e.text, "");
	assert_non_null(c);
	assert_int_equal(c->nprofiles, 1);
	assert_int_equal(c->profiles[0].timestamp, CONF_TIMESTAMP_REQUIRED);
	assert_int_equal(c->profiles[0].nservers, 7);
	assert_ptr_equal(c->profiles[0].servers[1], conf_server(c, "sectigo"));
	assert_int_equal(c->profiles[0].servers[1]->interval, 15);
	assert_int_equal(c->nsources, 3);
	assert_ptr_equal(c->sources[0].path, c->path);
	conf_free(c);
	assert_int_equal(chmod("sample", 0666), 0);
	assert_null(conf_load("sample", &e));
	assert_int_equal(e.code, HT_ERR_USAGE);
	assert_string_equal(e.text,
	    "others can change this: chmod go-w sample");
	assert_null(conf_load("/nonexistent/htsign.conf", &e));
	assert_int_equal(e.code, HT_ERR_USAGE);
	assert_string_equal(e.text,
	    "/nonexistent/htsign.conf: No such file or directory");
	assert_null(conf_load("/", &e));
	assert_string_equal(e.text, "/: Is a directory");
	assert_int_equal(truncate("sample", 1048577), 0);
	assert_int_equal(chmod("sample", 0644), 0);
	assert_null(conf_load("sample", &e));
	assert_string_equal(e.text, "sample:1: more than 1048576 bytes");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_root_and_ssh),
		cmocka_unit_test(test_full_signing),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_words_for_existing_signatures),
		cmocka_unit_test(test_names_of_formats),
		cmocka_unit_test(test_root_mistakes),
		cmocka_unit_test(test_what_libconfig_would_do),
		cmocka_unit_test(test_run_has_room_for_sockets),
		cmocka_unit_test(test_ssh_mistakes),
		cmocka_unit_test(test_admin_mistakes),
		cmocka_unit_test(test_token_mistakes),
		cmocka_unit_test(test_certificate_mistakes),
		cmocka_unit_test(test_timestamps),
		cmocka_unit_test(test_what_is_looked_at_and_kept),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_virustotal),
		cmocka_unit_test(test_profile_mistakes),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_profile_references),
		cmocka_unit_test(test_single_user),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_way_to_included),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}

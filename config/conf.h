/*
 * The configuration, htsign.conf(5): what exists on this machine.
 *
 * conf_load opens the file and what it includes, and asks no name service, so a
 * sandboxed process can reload.  An error is one line, "FILE:LINE: what is wrong".
 * The caller gets a complete struct conf or none.  Callers only read it.  Its
 * pointers are valid until conf_free.
 */

#ifndef CONFIG_CONF_H
#define CONFIG_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "lib/error.h"
#include "protocol/names.h"

#define CONF_DEFAULT_PATH HT_SYSCONFDIR "/htsign.conf"

/* The largest configuration, with all that it includes, in bytes. */
#define CONF_MAX ((size_t)1 << 20)

/* The most elements of a list in it. */
#define CONF_LIST_MAX 1000

/* The largest max_size, in bytes. */
#define CONF_MAX_SIZE ((uint64_t)1 << 40)

/* The largest max_ctl, in bytes: PROTOCOL_CTL_MAX. */
#define CONF_MAX_CTL ((uint64_t)960 << 10)

/* The least and the largest clamav_max_size: clamd scans nothing over 2 GB. */
#define CONF_MIN_SCAN ((uint64_t)1 << 10)
#define CONF_MAX_SCAN ((uint64_t)2000 << 20)

/* The longest run, in bytes: the path of its sockets must fit sockaddr_un. */
#define CONF_RUN_MAX 90

enum conf_user {
	CONF_USER_KEYD,   /* htsign-keyd: policy, journal, SSH CA */
	CONF_USER_TOKEN,  /* htsign-token: the token workers */
	CONF_USER_NET,    /* htsign-net: sshd-sign's network processes */
	CONF_USER_SIGN,   /* htsign-sign: shells that sign */
	CONF_USER_ADMIN,  /* htsign-admin: shells of administrators */
	CONF_USER_AUTH,   /* htsign-auth: htsign-principals */
	CONF_USER_FETCH,  /* htsign-fetch: HTTP for keyd */
	CONF_USER_PUMP,   /* htsign-pump: needed only if conf_pumps */
	CONF_USER_READER, /* htsign-reader: what administrators look at */
	CONF_USERS
};

struct conf_account {
	const char *name; /* NULL if the configuration gives a number */
	uid_t uid;        /* valid after conf_resolve */
	gid_t gid;        /* the account's primary group */
	unsigned int line;
};

struct conf_listen {
	const char *text; /* "127.0.0.1:2222", "[::1]:2222" */
	struct sockaddr_storage address;
	socklen_t length;
	bool loopback;
};

struct conf_admin {
	const char *name;
	enum names_role role; /* never NAMES_CLIENT */
	const char *key;      /* one authorized_keys line without options:
	                         "ssh-ed25519 AAAA… [comment]"; only its
	                         shape has been checked */
};

struct conf_ssh {
	const struct conf_listen *listen;
	size_t nlisten;
	const char *const *host_keys; /* private keys, paths */
	size_t nhost_keys;
	const char *user_ca;  /* private key of the clients' CA, path; never
	                         NULL */
	const char *admin_ca; /* public key of the administrators' CA, path;
	                         or NULL */
	const struct conf_admin *admins;
	size_t nadmins;
	bool admin;                  /* sshd-sign also takes administrators who
	                               do not come over loopback; default
	                               false */
	unsigned int startups;       /* max_startups, START:RATE:FULL as in */
	unsigned int startups_rate;  /* sshd_config(5): connections that have */
	unsigned int startups_full;  /* not authenticated; default 100:30:300 */
	unsigned int login_grace;    /* seconds, 1 to 600; default 20 */
	unsigned int max_auth_tries; /* 1 to 100; default 6 */
	unsigned int max_connections; /* 1 to 10000; default 512 */
	unsigned int idle;            /* seconds without a channel, 1 to 86400;
	                                 default 300 */
	unsigned int keepalive; /* seconds between probes of a silent client,
	                           0 (never) to 3600; default 30 */
	bool allow_sk;          /* sk- user keys at sshd-sign; default false */
	bool compatible;        /* AES-CTR, too, at sshd-sign; default false */
};

/* The most requests that a rate can allow. */
#define CONF_RATE_MAX 100000000

/* How much somebody or something may be used; 0 for no limit. */
struct conf_rates {
	unsigned int requests_minute;
	unsigned int requests_day;
	unsigned int requests_at_once;
	unsigned int refused_minute; /* refused requests; of clients only */
	uint64_t bytes_day;
	uint64_t max_size; /* bytes; of a profile it is its own max_size */
};

/* The rates of one client, where they are not those of each. */
struct conf_client {
	const char *name;
	struct conf_rates rates;
};

enum conf_pin {
	CONF_PIN_NONE,      /* a key file: no PIN */
	CONF_PIN_ASK,       /* an administrator unlocks after each start */
	CONF_PIN_FILE,      /* pin_where is an absolute path */
	CONF_PIN_CREDENTIAL /* pin_where names a systemd credential */
};

/*
 * A PKCS#11 token has module, and label or serial or both.  A key file has
 * file.  The fields of the other kind are NULL.
 */
struct conf_token {
	const char *name;
	const char *module; /* absolute path of the PKCS#11 library */
	const char *label;
	const char *serial;
	const char *file; /* absolute path of a PEM private key */
	enum conf_pin pin;
	const char *pin_where;
	/* What a module needs: PKCS#11 tokens only. */
	const char *const *environment; /* "NAME=value" */
	size_t nenvironment;
	const char *const *writable; /* folders it writes to: absolute paths */
	size_t nwritable;
	unsigned int timeout; /* seconds that one operation may take, 1 to
	                         600; default 30 */
	bool pin_counted;     /* the token's flags tell whether it has refused
	                         a PIN since the last login; default false */
	unsigned int pin_retries; /* how often a PIN is tried again after an
	                             attempt of unknown outcome, 0 to 9;
	                             default 0 */
	unsigned int sessions; /* signatures that the token makes at a time, 1
	                          to 16; default 1 */
	bool test;             /* a key file or SoftHSM: not for production */
	struct conf_rates rates;
};

struct conf_certificate {
	const char *name;
	const struct conf_token *token;
	const char *key;   /* "pkcs11:…" URI (RFC 7512); NULL for key files */
	const char *chain; /* PEM file, signing certificate first; path */
};

enum conf_digest { CONF_SHA256 = 256, CONF_SHA384 = 384, CONF_SHA512 = 512 };

/* A timestamp authority (RFC 3161). */
struct conf_server {
	const char *name;
	const char *url;       /* http:// or https:// */
	const char *operator;  /* who runs it, for people */
	unsigned int interval; /* the least seconds between two requests, 0 to
	                          3600; default 0 */
	const char *roots;     /* PEM file of the certificates that its tokens
	                          are checked by; path */
};

/* The largest file of roots, in bytes. */
#define CONF_ROOTS_MAX ((size_t)32 << 10)

enum conf_timestamp {
	CONF_TIMESTAMP_NONE,
	CONF_TIMESTAMP_ATTEMPT, /* without one if all servers fail */
	CONF_TIMESTAMP_REQUIRED
};

/* Whether a file must be scanned before it is signed. */
enum conf_scan {
	CONF_SCAN_NONE,
	CONF_SCAN_ATTEMPT, /* also signed if it cannot be scanned */
	CONF_SCAN_REQUIRED
};

/* The longest file of a VirusTotal key, in bytes. */
#define CONF_KEY_MAX ((size_t)256)

/* What may be uploaded to VirusTotal. */
enum conf_upload {
	CONF_UPLOAD_NONE,
	CONF_UPLOAD_PRIVATE,
	CONF_UPLOAD_PUBLIC /* others get the file */
};

/* What is kept of what is signed. */
enum conf_archive {
	CONF_ARCHIVE_NONE,
	CONF_ARCHIVE_INPUT,
	CONF_ARCHIVE_BOTH /* and how the output is made of it */
};

/* What happens to a file that is signed already. */
enum conf_existing {
	CONF_EXISTING_OWN,     /* if we signed it, replace the signature;
	                          otherwise refuse the file */
	CONF_EXISTING_REFUSE,  /* refuse the file */
	CONF_EXISTING_REPLACE, /* replace the signature, whoever made it */
	CONF_EXISTING_NEST,    /* keep the signature and nest ours in it */
	CONF_EXISTING_KEEP     /* give the file back as it came */
};

/* Bits of what a request must have. */
#define CONF_REQUIRE_DESCRIPTION (1U << 0)
#define CONF_REQUIRE_URL (1U << 1)
#define CONF_REQUIRE_SIZE (1U << 2)
#define CONF_REQUIRE_SHA256 (1U << 3)

/* What a file must say of itself; NULL: anything. */
struct conf_version {
	const char *product; /* its ProductName */
	const char *company; /* its CompanyName, or Manufacturer */
	const char *version; /* a pattern for its version */
};

enum conf_statement { CONF_STATEMENT_INDIVIDUAL, CONF_STATEMENT_COMMERCIAL };

/*
 * Bits of formats, and of doors.  Catalogs and scripts are not in the default.
 * A catalog vouches for files that nobody saw.  The type of a script is only
 * the client's word.
 */
#define CONF_FORMAT_PE (1U << 0)
#define CONF_FORMAT_CAB (1U << 1)
#define CONF_FORMAT_MSI (1U << 2)
#define CONF_FORMAT_APPX (1U << 3)
#define CONF_FORMAT_CAT (1U << 4)
#define CONF_FORMAT_SCRIPT (1U << 5)
#define CONF_FORMATS_DEFAULT                                                   \
	(CONF_FORMAT_PE | CONF_FORMAT_CAB | CONF_FORMAT_MSI | CONF_FORMAT_APPX)
#define CONF_DOOR_SSHD_SIGN (1U << 0)
#define CONF_DOOR_OPENSSH (1U << 1)

struct conf_profile {
	const char *name; /* never a verb */
	const char *text; /* shown by `profiles`; default "" */
	const struct conf_certificate *const *certificates; /* in order of
	                                                       preference */
	size_t ncertificates;                               /* at least 1 */
	enum conf_digest digest;       /* default CONF_SHA256 */
	uint64_t max_size;             /* bytes; default 2 GiB */
	uint64_t max_ctl;              /* of a catalog's CTL, bytes, at most
	                                  CONF_MAX_CTL; default 256 KiB */
	unsigned int formats;          /* default CONF_FORMATS_DEFAULT */
	unsigned int doors;            /* default all */
	enum conf_existing existing;   /* default CONF_EXISTING_OWN */
	enum conf_statement statement; /* SpcStatementType; individual */
	const char *description;       /* default, UTF-8; or NULL */
	const char *url;               /* default; or NULL */
	bool signing_time;      /* add a signingTime attribute; default false */
	bool allow_weak;        /* RSA below 3072 bits; default false.  Warn
	                           wherever it is used */
	unsigned int max_queue; /* requests of one client that wait or are
	                           being signed; 1 to 10000; default 256 */
	unsigned int deadline;  /* seconds from the end of an upload to the
	                          release, 1 to 86400; default 300 */
	enum conf_timestamp timestamp; /* default CONF_TIMESTAMP_NONE */
	const struct conf_server *const *servers; /* that may give it; default
	                                             all.  At least 1, if a
	                                             timestamp is wanted */
	size_t nservers;
	enum conf_scan clamav;           /* default CONF_SCAN_NONE */
	enum conf_scan virustotal;       /* default CONF_SCAN_NONE */
	enum conf_upload vt_upload;      /* default CONF_UPLOAD_NONE; needs an
	                               archive */
	unsigned int vt_max_bad_percent; /* of the engines, 0 to 100; default
	                                    0 */
	const char *const *vt_fatal_engines; /* each of which is enough */
	size_t nvt_fatal_engines;
	enum conf_archive archive; /* default CONF_ARCHIVE_NONE */
	const char *const *names;  /* patterns for file names, one of which must
	                              match; none: any name */
	size_t nnames;
	struct conf_version version_info;
	unsigned int require; /* default 0 */
	struct conf_rates rates;
};

/* Some lines of the text that a configuration is. */
struct conf_source {
	const char *path;   /* the file that they are from */
	unsigned int first; /* the first one's number in the whole text */
	unsigned int line;  /* and in its file; both count from 1 */
};

struct conf {
	const char *path;            /* a copy of conf_load's */
	struct conf_source *sources; /* in order */
	size_t nsources;
	const char *state; /* folder; default /var/lib/htsign */
	const char *spool; /* folder of the spools; default STATE/spool */
	const char *run;   /* folder of the sockets; default /run/htsign */
	bool single_user;  /* all under one uid: for tests only */
	struct conf_account users[CONF_USERS];
	struct conf_ssh ssh;
	const struct conf_token *tokens;
	size_t ntokens;
	const struct conf_certificate *certificates;
	size_t ncertificates;
	const char *proxy; /* of htsign-fetch: http:// or https://; or NULL */
	const struct conf_server *servers; /* of timestamps */
	size_t nservers;
	const char *clamav_socket;    /* of clamd; default
	                              /run/clamav/clamd.ctl */
	uint64_t clamav_max_size;     /* a larger file is not scanned; bytes, at
	                              most CONF_MAX_SCAN; default 100 MiB */
	unsigned int clamav_max_age;  /* of the database, in days, 1 to 3650;
	                                 default 7 */
	unsigned int clamav_parallel; /* streams, 1 to 100; default 8 */
	const char *virustotal_key; /* the file of the account's key; or NULL */
	const char *virustotal_url; /* default VirusTotal's own */
	unsigned int virustotal_minute; /* requests, 1 to 100000; default 4 */
	unsigned int virustotal_day;    /* 1 to 10000000; default 500 */
	unsigned int archive_days;      /* that files are kept, 1 to 36500;
	                                 default 730 */
	uint64_t archive_max;           /* bytes of all kept files; default
	                                 16 GiB */
	const struct conf_profile *profiles;
	size_t nprofiles;
	struct conf_rates each_client;     /* conf_client_rates */
	const struct conf_client *clients; /* that have rates of their own */
	size_t nclients;
	struct conf_memory *memory; /* private */
};

/*
 * Read and check the file at path, and those that it includes by lines
 *
 *	@include "/PATH"
 *
 * which have none of these.  Errors name path as given.  Also checks
 * the rules of single_user: loopback listeners and test tokens only.  The
 * caller frees the result with conf_free.  On error returns NULL and *e:
 * HT_ERR_USAGE for a mistake in a file ("FILE:LINE: …"), if one cannot be
 * opened, or if others than root and the caller's uid can change it (modes.h);
 * HT_ERR_INTERNAL if it cannot be read or there is no memory.
 */
struct conf *conf_load(const char *path, struct ht_error *e);

/*
 * The same for n bytes of text in memory, which includes nothing.  path is for
 * error messages only.
 */
struct conf *conf_parse(const char *path, const char *text, size_t n,
    struct ht_error *e);

void conf_free(struct conf *c); /* NULL is fine */

/*
 * Fill in uid and gid of every account.  Under single_user these are the
 * effective ids of this process, and programs start their children with
 * PROC_SAME.  Otherwise looks up names with getpwnam(3) and numbers with
 * getpwuid(3).  A number without an account gets the group of the same number.
 * HT_ERR_USAGE ("FILE:LINE: …") if there is no such account, two accounts
 * share a uid, or an account is root's.  That of htsign-reader may be missing,
 * and where not conf_pumps that of htsign-pump: its uid is (uid_t)-1 then.
 */
int conf_resolve(struct conf *c, struct ht_error *e);

/*
 * Whether htsign-pump is needed: for this profile, or for any.
 */
bool conf_profile_pumps(const struct conf_profile *p);
bool conf_pumps(const struct conf *c);

/*
 * Put "FILE:LINE: " before the text of *e, which tells what is wrong with text,
 * a text of c.  LINE is that of its setting, or 1 for a default.  Returns
 * e->code.
 */
int conf_at(const struct conf *c, const char *text, struct ht_error *e);

/*
 * Look up by name.  NULL if there is none.
 */
const struct conf_token *conf_token(const struct conf *c, const char *name);
const struct conf_certificate *conf_certificate(const struct conf *c,
    const char *name);
const struct conf_server *conf_server(const struct conf *c, const char *name);
const struct conf_profile *conf_profile(const struct conf *c, const char *name);

/*
 * The rates of that client: its own, and those of each where it has none.
 */
void conf_client_rates(const struct conf *c, const char *client,
    struct conf_rates *out);

/*
 * "sha256", "sha384", "sha512".
 */
const char *conf_digest_text(enum conf_digest digest);

/*
 * "own", "refuse", "replace", "nest", "keep".
 */
const char *conf_existing_text(enum conf_existing existing);

/*
 * Whether the bits have the format of that name: "pe", as in struct format.
 * A bit may stand for several formats: CONF_FORMAT_SCRIPT for all scripts.
 */
bool conf_format_in(unsigned int formats, const char *name);

/*
 * Write the names of the bits' formats to out, joined by commas.  The text is
 * cut to size bytes, its NUL included.
 */
void conf_formats_text(unsigned int formats, char *out, size_t size);

#endif

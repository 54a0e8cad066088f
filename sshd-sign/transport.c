#include "config.h"

#include <libssh/libssh.h>
#include <libssh/server.h>

#include "config/files.h"
#include "sshd-sign/transport.h"

/*
 * The first one resists quantum computers; libssh has it since 0.12.  A libssh
 * leaves algorithms out of the list that it does not know.
 */
#define KEY_EXCHANGE                                                           \
	"mlkem768x25519-sha256,"                                               \
	"curve25519-sha256,curve25519-sha256@libssh.org"

/*
 * Only AES-GCM: if they can choose, clients take a slower cipher.  AES-GCM
 * needs no MAC, but the list must not be empty.
 */
#define CIPHERS "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#define MACS "hmac-sha2-256-etm@openssh.com"

/* With ssh.compatible: for clients that have no AES-GCM. */
#define MORE_CIPHERS "," TRANSPORT_COMPATIBLE
#define MORE_MACS ",hmac-sha2-512-etm@openssh.com"

#define HOST_KEYS                                                              \
	"ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"                 \
	"ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"

/*
 * libssh looks up the plain name of a signature in this list.  It also shows
 * the list to clients, which look up the names of certificates.  So both kinds
 * of names are listed.
 */
#define USER_KEYS                                                              \
	"ssh-ed25519-cert-v01@openssh.com,"                                    \
	"ecdsa-sha2-nistp256-cert-v01@openssh.com,"                            \
	"ecdsa-sha2-nistp384-cert-v01@openssh.com,"                            \
	"ecdsa-sha2-nistp521-cert-v01@openssh.com,"                            \
	"rsa-sha2-512-cert-v01@openssh.com,"                                   \
	"rsa-sha2-256-cert-v01@openssh.com," HOST_KEYS
#define USER_SK_KEYS                                                           \
	",sk-ssh-ed25519-cert-v01@openssh.com,"                                \
	"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,"                         \
	"sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com"

struct option {
	enum ssh_bind_options_e name;
	const char *value;
};

static int
set_options(ssh_bind bind, const struct conf_ssh *conf, struct ht_error *e)
{
	const char *ciphers = conf->compatible ? CIPHERS MORE_CIPHERS : CIPHERS;
	const char *macs = conf->compatible ? MACS MORE_MACS : MACS;
	const struct option options[] = {
		{ SSH_BIND_OPTIONS_KEY_EXCHANGE, KEY_EXCHANGE },
		{ SSH_BIND_OPTIONS_CIPHERS_C_S, ciphers },
		{ SSH_BIND_OPTIONS_CIPHERS_S_C, ciphers },
		{ SSH_BIND_OPTIONS_HMAC_C_S, macs },
		{ SSH_BIND_OPTIONS_HMAC_S_C, macs },
		{ SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, HOST_KEYS },
		{ SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES,
		    conf->allow_sk ? USER_KEYS USER_SK_KEYS : USER_KEYS },
		{ SSH_BIND_OPTIONS_BANNER, "htsign" },
	};
	bool no_file = false;
	size_t i;

	if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG,
	        &no_file) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "libssh: %s",
		    ssh_get_error(bind));
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (ssh_bind_options_set(bind, options[i].name,
		        options[i].value) < 0)
			return ht_error_set(e, HT_ERR_INTERNAL, "libssh: %s",
			    ssh_get_error(bind));
	return 0;
}

/*
 * Read the key now: a network process cannot open the file.
 */
static int
import_key(ssh_bind bind, const char *path, struct ht_error *e)
{
	ssh_key key = NULL;

	if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) != SSH_OK)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s: cannot read a private host key", path);
	if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0) {
		ssh_key_free(key);
		return ht_error_set(e, HT_ERR_USAGE, "%s: %s", path,
		    ssh_get_error(bind));
	}
	return 0;
}

ssh_bind
transport_new(const struct conf *conf, struct ht_error *e)
{
	const struct conf_ssh *ssh = &conf->ssh;
	const struct modes safe = conf_modes(conf, CONF_USERS, true);
	ssh_bind bind = NULL;
	size_t i;
	int rc;

	(void)ssh_set_log_level(SSH_LOG_NOLOG);
	if (ssh_init() < 0 || (bind = ssh_bind_new()) == NULL) {
		(void)ht_error_set(e, HT_ERR_INTERNAL, "libssh does not start");
		return NULL;
	}
	rc = set_options(bind, ssh, e);
	for (i = 0; i < ssh->nhost_keys && rc == 0; i++) {
		rc = modes_check(ssh->host_keys[i], &safe, e);
		if (rc == 0)
			rc = import_key(bind, ssh->host_keys[i], e);
		if (rc < 0)
			rc = conf_at(conf, ssh->host_keys[i], e);
	}
	if (rc == 0)
		return bind;
	ssh_bind_free(bind);
	return NULL;
}

/* As a value for compression, "no" would still offer zlib after "none". */
ssh_session
transport_session(ssh_bind bind, int fd)
{
	ssh_session session = ssh_new();

	if (session == NULL)
		return NULL;
	if (ssh_options_set(session, SSH_OPTIONS_COMPRESSION, "none") == 0 &&
	    ssh_bind_accept_fd(bind, session, fd) == SSH_OK) {
		ssh_set_blocking(session, 0);
		ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
		return session;
	}
	ssh_free(session);
	return NULL;
}

/*
 * Names of clients, profiles, tokens, certificates and administrators.  Also
 * the principals of SSH certificates that contain such names (DESIGN.md,
 * section 4).
 */

#ifndef PROTOCOL_NAMES_H
#define PROTOCOL_NAMES_H

#include <stdbool.h>

#include "lib/error.h"

/* The longest name in bytes, without its NUL and with it. */
#define NAMES_MAX 63
#define NAMES_SIZE (NAMES_MAX + 1)

/* Room for a principal: "client:" and a name. */
#define NAMES_PRINCIPAL_SIZE (sizeof("client:") + NAMES_MAX)

enum names_role { NAMES_CLIENT, NAMES_ADMIN, NAMES_APPROVER, NAMES_AUDITOR };

struct names_principal {
	enum names_role role;
	char client[NAMES_SIZE]; /* NAMES_CLIENT only; empty otherwise */
};

/*
 * Whether name matches [a-z0-9][a-z0-9._-]{0,62}.  NULL does not.
 */
bool names_valid(const char *name);

/*
 * Whether word is a verb of the request line: help, profiles, wait, result,
 * verify or default; or what is asked of other servers: ls, rsync, scp, sftp.
 * No profile may have such a name.
 */
bool names_is_verb(const char *word);

/*
 * "client", "admin", "approver" or "auditor".
 */
const char *names_role_text(enum names_role role);

/*
 * Parse "client:NAME", "role:admin", "role:approver" or "role:auditor".
 * HT_ERR_DENIED for anything else.  Read text from outside with cursor_text
 * first: it refuses a NUL.
 */
int names_principal_parse(const char *text, struct names_principal *p,
    struct ht_error *e);

/*
 * Write p as the text that names_principal_parse reads, NUL-terminated.
 */
void names_principal_format(const struct names_principal *p,
    char out[NAMES_PRINCIPAL_SIZE]);

#endif

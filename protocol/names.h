/*
 * Names of clients, profiles, tokens, certificates and administrators, and the
 * principals of SSH certificates that carry them (DESIGN.md, "Who vouches for
 * a client").
 */

#ifndef PROTOCOL_NAMES_H
#define PROTOCOL_NAMES_H

#include <stdbool.h>

#include "lib/error.h"

/* The longest name, without its NUL, and room for one. */
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
 * Whether name (NULL is not) matches [a-z0-9][a-z0-9._-]{0,62}.
 */
bool names_valid(const char *name);

/*
 * Whether word is a verb of the request line (help, profiles, wait, result,
 * verify, default), which no profile may be named like.
 */
bool names_is_verb(const char *word);

/*
 * "client", "admin", "approver" or "auditor".
 */
const char *names_role_text(enum names_role role);

/*
 * The role of an administrator from its word; false if there is none such.
 * "client" is none.
 */
bool names_role_parse(const char *word, enum names_role *role);

/*
 * Read "client:NAME", "role:admin", "role:approver" or "role:auditor";
 * HT_ERR_DENIED for all else.  Text from outside comes through cursor_text,
 * which refuses a NUL.
 */
int names_principal_parse(const char *text, struct names_principal *p,
    struct ht_error *e);

/*
 * Write p as above.  p is as names_principal_parse makes it.
 */
void names_principal_format(const struct names_principal *p,
    char out[NAMES_PRINCIPAL_SIZE]);

#endif

/*
 * What the files of the administrators' verbs share.
 */

#ifndef KEYS_KEYD_ADMIN_VERBS_PRIVATE_H
#define KEYS_KEYD_ADMIN_VERBS_PRIVATE_H

#include "keys/keyd/admin/verbs.h"
#include "lib/put.h"
#include "store/authority/clients.h"

/* Roles. */
#define VERBS_READERS                                                          \
	(1u << NAMES_ADMIN | 1u << NAMES_APPROVER | 1u << NAMES_AUDITOR)
#define VERBS_ADMINS (1u << NAMES_ADMIN)

struct verb {
	const char *words; /* "client add"; NULL ends a table */
	const char *args;  /* for people; [--NAME] and [--NAME=VALUE] hold */
	size_t min, max;   /* number of words, with the verb's */
	unsigned int roles;
	/* As verbs_run.  Words and options are already checked. */
	int (*run)(struct verbs_command *c, struct ht_error *e);
	const char *text;
};

/*
 * The verbs of each file.  verbs.c lists these tables.
 */
extern const struct verb verbs_of_clients[], verbs_of_certificates[],
    verbs_of_freezes[], verbs_of_setup[], verbs_of_status[], verbs_of_tokens[],
    verbs_of_journal[];

/*
 * Return the value of --name=VALUE, "" for --name alone, or NULL.  The value is
 * borrowed from c.
 */
const char *verbs_option(const struct verbs_command *c, const char *name);

/*
 * verbs_number reads a decimal number.  verbs_duration reads a time and returns
 * seconds: "90", "90s", "15m", "8h" or "30d", from 1 s to CLIENT_MAX_TTL_LIMIT.
 * verbs_limit returns the rows that --limit asks for, 100 without it.  All
 * return HT_ERR_USAGE for anything else.
 */
int verbs_number(const char *text, uint64_t *n);
int verbs_duration(const char *text, uint64_t *seconds, struct ht_error *e);
int verbs_limit(const struct verbs_command *c, unsigned int *rows,
    struct ht_error *e);

/*
 * Append a line for each thing that is wrong with the endpoint, which says what
 * to do.  Returns their number.
 */
unsigned int verbs_put_troubles(struct verbs_command *c);

/*
 * Returns HT_ERR_USAGE if the configuration has no such profile.
 */
int verbs_check_profile(const struct verbs_command *c, const char *profile,
    struct ht_error *e);

/*
 * Append a line with a user certificate, in JSON with --json.  cookie is the
 * command.  For user_certificate_each.
 */
int verbs_put_certificate(void *cookie,
    const struct user_certificate *certificate);

#endif

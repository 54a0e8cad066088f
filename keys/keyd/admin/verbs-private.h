/*
 * Between the files of the administrators' verbs: the verbs, words and columns.
 */

#ifndef KEYS_KEYD_ADMIN_VERBS_PRIVATE_H
#define KEYS_KEYD_ADMIN_VERBS_PRIVATE_H

#include "keys/keyd/admin/verbs.h"

/* Roles. */
#define VERBS_READERS                                                          \
	(1u << NAMES_ADMIN | 1u << NAMES_APPROVER | 1u << NAMES_AUDITOR)
#define VERBS_ADMINS (1u << NAMES_ADMIN)

struct verb {
	const char *words;   /* "client add"; NULL ends a table */
	const char *args;    /* for people */
	const char *options; /* names, each followed by a space */
	size_t min, max;     /* words, the verb's included */
	unsigned int roles;
	/* As verbs_run, with words and options already checked. */
	int (*run)(struct verbs_command *c, struct ht_error *e);
	const char *text;
};

/*
 * A file's verbs, as verbs.c has them in its table of tables.
 */
extern const struct verb verbs_of_clients[], verbs_of_tokens[],
    verbs_of_journal[];

/*
 * The value of --name=VALUE, "" for --name, or NULL.
 */
const char *verbs_option(const struct verbs_command *c, const char *name);

/*
 * A decimal number; seconds from "90", "90s", "15m", "8h" or "30d"; the rows
 * that --limit asks for.  0 or HT_ERR_USAGE.
 */
int verbs_number(const char *text, uint64_t *n);
int verbs_duration(const char *text, uint64_t *seconds, struct ht_error *e);
int verbs_limit(const struct verbs_command *c, unsigned int *rows,
    struct ht_error *e);

/*
 * HT_ERR_USAGE if the configuration has no such profile.
 */
int verbs_check_profile(const struct verbs_command *c, const char *profile,
    struct ht_error *e);

/*
 * Append what others wrote, made harmless for a terminal: as it is, as a
 * column of at least width, as JSON.
 */
void verbs_put_escaped(struct buf *out, const char *text);
void verbs_put_column(struct buf *out, int width, const char *text);
void verbs_put_json(struct buf *out, const char *json);

#endif

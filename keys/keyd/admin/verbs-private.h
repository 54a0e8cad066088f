/*
 * Between the files of the administrators' verbs: words and columns, and the
 * verbs themselves, which verbs.c has in its table.
 */

#ifndef KEYS_KEYD_ADMIN_VERBS_PRIVATE_H
#define KEYS_KEYD_ADMIN_VERBS_PRIVATE_H

#include "keys/keyd/admin/verbs.h"

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

/*
 * The verbs: each as verbs_run, with words and options already checked.
 */
int verbs_client_add(struct verbs_command *c, struct ht_error *e);
int verbs_client_change(struct verbs_command *c, struct ht_error *e);
int verbs_client_disable(struct verbs_command *c, struct ht_error *e);
int verbs_client_list(struct verbs_command *c, struct ht_error *e);
int verbs_grant(struct verbs_command *c, struct ht_error *e);
int verbs_ungrant(struct verbs_command *c, struct ht_error *e);
int verbs_issue(struct verbs_command *c, struct ht_error *e);
int verbs_revoke(struct verbs_command *c, struct ht_error *e);
int verbs_certificates(struct verbs_command *c, struct ht_error *e);
int verbs_unlock(struct verbs_command *c, struct ht_error *e);
int verbs_tokens(struct verbs_command *c, struct ht_error *e);
int verbs_log(struct verbs_command *c, struct ht_error *e);
int verbs_show(struct verbs_command *c, struct ht_error *e);
int verbs_events(struct verbs_command *c, struct ht_error *e);

#endif

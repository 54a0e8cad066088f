/*
 * The files that a configuration names: whose they have to be, and who may get
 * at them (lib/modes.h).  Under single_user they are the user's own, and the
 * folders above them may be anybody's.
 */

#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include "config/conf.h"
#include "lib/buf.h"
#include "lib/modes.h"

/*
 * How a file must be that user reads, after conf_resolve.  CONF_USERS is root.
 */
struct modes conf_modes(const struct conf *c, enum conf_user user, bool secret);

/*
 * Append a file that user reads to out.  Errors of modes_check; HT_ERR_USAGE if
 * it has more than max bytes; HT_ERR_INTERNAL if it cannot be read or there is no
 * memory.
 */
int conf_read(const struct conf *c, enum conf_user user, const char *path,
    bool secret, size_t max, struct buf *out, struct ht_error *e);

/*
 * Check the files of a token: its module, what the variables of that name, its
 * key file and its PIN.  Errors of modes_check, with the setting's file and
 * line.  Here and below only root can, since some lie where only root can look.
 */
int conf_check_token(const struct conf *c, const struct conf_token *token,
    struct ht_error *e);

/*
 * Check the host keys.  Errors as above.
 */
int conf_check_host_keys(const struct conf *c, struct ht_error *e);

#endif

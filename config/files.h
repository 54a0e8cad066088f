/*
 * The files that a configuration names: whose they have to be, and who may get
 * at them (lib/modes.h).  Under single_user they are the user's own, and the
 * folders above them may be anybody's.
 */

#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include "config/conf.h"
#include "lib/modes.h"

/*
 * How a file must be that user reads, after conf_resolve.  CONF_USERS is root.
 */
struct modes conf_modes(const struct conf *c, enum conf_user user, bool secret);

/*
 * Check the files of tokens: modules, what their variables name, key files and
 * PINs.  Errors of modes_check.
 */
int conf_check_tokens(const struct conf *c, struct ht_error *e);

/*
 * Check all files.  Only root can, since some lie where only root can look.
 * Errors of modes_check.
 */
int conf_check_files(const struct conf *c, struct ht_error *e);

#endif

#include "config.h"

#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/token/confine.h"
#include "lib/log.h"
#include "lib/sandbox.h"

#define PATHS_MAX 48

static int
add_path(struct sandbox_path *paths, size_t *n, const char *path,
    enum sandbox_access access)
{
	if (*n == PATHS_MAX)
		return HT_ERR_INTERNAL;
	paths[*n].path = path;
	paths[*n].access = access;
	(*n)++;
	return 0;
}

/*
 * What any module may use: libraries, the system's configuration, the sockets
 * of daemons, and devices that are none.  Home folders, htsign's own folders
 * below /var, and /dev/shm are not among them.
 */
static int
common_paths(struct sandbox_path *paths, size_t *n)
{
	static const struct sandbox_path common[] = {
		{ "/usr", SANDBOX_READ },
		{ "/lib", SANDBOX_READ },
		{ "/lib32", SANDBOX_READ },
		{ "/lib64", SANDBOX_READ },
		{ "/opt", SANDBOX_READ },
		{ "/etc", SANDBOX_READ },
		{ "/run", SANDBOX_READ },
		{ "/proc", SANDBOX_READ },
		{ "/sys", SANDBOX_READ },
		{ "/dev/null", SANDBOX_READ_WRITE },
		{ "/dev/zero", SANDBOX_READ },
		{ "/dev/random", SANDBOX_READ },
		{ "/dev/urandom", SANDBOX_READ },
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(common) / sizeof(*common) && rc == 0; i++)
		if (access(common[i].path, F_OK) == 0)
			rc = add_path(paths, n, common[i].path,
			    common[i].access);
	return rc;
}

/* Whether the module drives USB devices itself, as the configuration says. */
static bool
drives_usb(const struct sandbox_path *paths, size_t n)
{
	static const char usb[] = "/dev/bus/usb";
	size_t i;

	for (i = 0; i < n; i++)
		if (strncmp(paths[i].path, usb, sizeof(usb) - 1) == 0)
			return true;
	return false;
}

/*
 * Add the configured paths and set the configured variables.  Both lists are
 * strings, one after the other.
 */
static int
configured_paths(const struct protocol_token_open *open,
    struct sandbox_path *paths, size_t *n, char (*texts)[PATH_MAX])
{
	struct cursor writable = open->writable;
	struct cursor environment = open->environment;
	char *text, *value;

	while (writable.left > 0 && *n < PATHS_MAX) {
		text = texts[*n];
		if (cursor_text(&writable, text, PATH_MAX) < 0 ||
		    add_path(paths, n, text, SANDBOX_READ_WRITE) < 0)
			return HT_ERR_INTERNAL;
	}
	/* If a variable names a file, the module may read that file. */
	while (environment.left > 0 && *n < PATHS_MAX) {
		text = texts[*n];
		if (cursor_text(&environment, text, PATH_MAX) < 0 ||
		    (value = strchr(text, '=')) == NULL)
			return HT_ERR_INTERNAL;
		*value++ = '\0';
		if (setenv(text, value, 1) < 0)
			return HT_ERR_INTERNAL;
		if (value[0] == '/' && access(value, F_OK) == 0 &&
		    add_path(paths, n, value, SANDBOX_READ) < 0)
			return HT_ERR_INTERNAL;
	}
	return writable.left + environment.left > 0 ? HT_ERR_INTERNAL : 0;
}

/*
 * Some modules crash without these variables.  The folder need not be there;
 * what the configuration says comes later and counts.
 */
static void
name_user(void)
{
	const struct passwd *user = getpwuid(getuid());

	if (user == NULL)
		return;
	(void)setenv("USER", user->pw_name, 1);
	(void)setenv("HOME", user->pw_dir, 1);
}

int
confine(const struct protocol_token_open *open, struct ht_error *e)
{
	static char texts[PATHS_MAX][PATH_MAX];
	struct sandbox_path paths[PATHS_MAX];
	size_t n = 0;
	int landlock = 0;
	int rc = 0;

	if (open->module[0] != '\0') {
		name_user();
		rc = common_paths(paths, &n);
		if (rc == 0)
			rc = add_path(paths, &n, open->module, SANDBOX_READ);
		if (rc == 0)
			rc = configured_paths(open, paths, &n, texts);
	}
	if (rc < 0)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "too many folders and variables for one token");
	rc = sandbox_enter(drives_usb(paths, n) ? SANDBOX_TOKEN_USB
	                                        : SANDBOX_TOKEN,
	    paths, n, &landlock, e);
	if (rc == 0 && landlock == 0)
		log_notice("no Landlock here: files are guarded by uid only");
	return rc;
}

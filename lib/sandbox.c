#include "config.h"

#include <sys/prctl.h>

#include "lib/sandbox-private.h"
#include "lib/sandbox.h"

#ifdef HT_NO_SANDBOX
/* A build on purpose without protection: for debuggers and sanitizers. */
static int
confine(enum sandbox_role role, const struct sandbox_path *paths, size_t npaths,
    int *landlock, struct ht_error *e)
{
	(void)role;
	(void)paths;
	(void)npaths;
	(void)landlock;
	(void)e;
	return 0;
}
#else
static int
confine(enum sandbox_role role, const struct sandbox_path *paths, size_t npaths,
    int *landlock, struct ht_error *e)
{
	int rc;

	rc = sandbox_landlock(role, paths, npaths, landlock, e);
	if (rc < 0)
		return rc;
	return sandbox_seccomp(role, e);
}
#endif

int
sandbox_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e)
{
	*landlock = 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ht_error_errno(e, "no_new_privs");
	return confine(role, paths, npaths, landlock, e);
}

#include "config.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/sandbox-private.h"
#include "lib/sandbox.h"

#ifdef HT_NO_SANDBOX
/* A build without sandbox, on purpose: for debuggers and sanitizers. */
static int
confine_files(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e)
{
	(void)role;
	(void)paths;
	(void)npaths;
	(void)landlock;
	(void)e;
	return 0;
}

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
#define SHELL (1U << SANDBOX_SHELL)
#define NETWORK (1U << SANDBOX_NETWORK)
#define PUMP (1U << SANDBOX_PUMP)
#define READER (1U << SANDBOX_READER)

/*
 * Limit what a process takes from the machine that handles a client's bytes, to
 * many times what it needs.  One that loops or was taken over must not starve
 * other processes.
 */
static int
limit(enum sandbox_role role, struct ht_error *e)
{
	static const struct {
		__rlimit_resource_t resource;
		rlim_t most;
		unsigned int roles;
	} limits[] = {
		{ RLIMIT_AS, (rlim_t)256 << 20,
		    SHELL | NETWORK | PUMP | READER },
		{ RLIMIT_CPU, 86400, SHELL },
		{ RLIMIT_NOFILE, 64, SHELL | PUMP },
		{ RLIMIT_NOFILE, 128, READER },
	};
	struct rlimit now;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if ((limits[i].roles & 1U << role) == 0)
			continue;
		if (getrlimit(limits[i].resource, &now) < 0)
			return ht_error_errno(e, "getrlimit");
		if (now.rlim_max > limits[i].most)
			now.rlim_max = limits[i].most;
		now.rlim_cur = now.rlim_max;
		if (setrlimit(limits[i].resource, &now) < 0)
			return ht_error_errno(e, "setrlimit");
	}
	return 0;
}

static int
confine_files(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e)
{
	return sandbox_landlock(role, paths, npaths, landlock, e);
}

static int
confine(enum sandbox_role role, const struct sandbox_path *paths, size_t npaths,
    int *landlock, struct ht_error *e)
{
	int rc;

	rc = sandbox_landlock(role, paths, npaths, landlock, e);
	if (rc == 0)
		rc = limit(role, e);
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

int
sandbox_files(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e)
{
	*landlock = 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ht_error_errno(e, "no_new_privs");
	return confine_files(role, paths, npaths, landlock, e);
}

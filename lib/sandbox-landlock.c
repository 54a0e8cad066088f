#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sandbox-private.h"

/*
 * Rights that newer kernels know but older headers do not define.  The numbers
 * are the kernel's interface and do not change.
 */
#define FS_REFER (UINT64_C(1) << 13)     /* version 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)  /* version 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* version 5 */
#define NET_BIND_TCP (UINT64_C(1) << 0)  /* version 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_SOCKET (UINT64_C(1) << 0) /* version 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

/* The rights of version 1: all except the ones above. */
#define FS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                               \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |       \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |     \
	    LANDLOCK_ACCESS_FS_MAKE_REG | FS_REFER | FS_TRUNCATE |             \
	    FS_IOCTL_DEV)

/* The rights that the kernel accepts for a path that is no folder. */
#define FS_OF_FILES                                                            \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |          \
	    LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* struct landlock_ruleset_attr of version 6. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/*
 * Every right that a kernel of this version can take away from role.  Returns
 * the size of struct ruleset in that version.
 */
static size_t
describe(enum sandbox_role role, int abi, struct ruleset *r)
{
	r->fs = FS_FIRST;
	r->net = 0;
	r->scoped = 0;
	if (abi >= 2)
		r->fs |= FS_REFER;
	if (abi >= 3)
		r->fs |= FS_TRUNCATE;
	if (abi >= 5)
		r->fs |= FS_IOCTL_DEV;
	if (abi < 4)
		return sizeof(r->fs);
	r->net = NET_BIND_TCP;
	/* A vendor's module connects to a network HSM over TCP. */
	if (role != SANDBOX_TOKEN && role != SANDBOX_TOKEN_USB &&
	    role != SANDBOX_FETCH)
		r->net |= NET_CONNECT_TCP;
	if (abi < 6)
		return sizeof(r->fs) + sizeof(r->net);
	r->scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	return sizeof(*r);
}

static int
allow_path(int ruleset, uint64_t handled, const struct sandbox_path *path,
    struct ht_error *e)
{
	struct landlock_path_beneath_attr rule;
	struct stat st;
	int rc = 0;

	rule.allowed_access = FS_READ;
	if (path->access == SANDBOX_READ_WRITE)
		rule.allowed_access |= FS_WRITE;
	rule.allowed_access &= handled;
	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return ht_error_errno(e, "%s", path->path);
	if (fstat(rule.parent_fd, &st) < 0)
		rc = ht_error_errno(e, "%s", path->path);
	else if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILES;
	if (rc == 0 &&
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	        &rule, 0) < 0)
		rc = ht_error_errno(e, "Landlock rule for %s", path->path);
	(void)close(rule.parent_fd);
	return rc;
}

int
sandbox_landlock(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *abi, struct ht_error *e)
{
	struct ruleset r;
	size_t size, i;
	int fd, rc = 0;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi < 0)
		*abi = 0;
	/* The children of a PARENT would inherit its limits. */
	if (*abi == 0 || role == SANDBOX_PARENT)
		return 0;
	size = describe(role, *abi, &r);
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (fd < 0)
		return ht_error_errno(e, "Landlock");
	for (i = 0; i < npaths && rc == 0; i++)
		rc = allow_path(fd, r.fs, &paths[i], e);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = ht_error_errno(e, "Landlock");
	(void)close(fd);
	return rc;
}

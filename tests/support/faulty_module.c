/*
 * A PKCS#11 module for tests: passes everything on to the one that
 * FAULTY_MODULE names, counts some calls, and fails as it is told.
 *
 * FAULTY_CONTROL names a folder.  "calls" in it gets a line for each counted
 * call, and for each session that was really opened or closed.  A file named
 * after a fault makes the next calls fail so, one for each byte that it holds:
 *
 *	sign-crash sign-hang sign-removed sign-logged-out sign-refused
 *	login-crash login-hang login-removed login-slow login-late-crash
 *	login-wrong
 *	open-removed
 *
 * and sign-poison: a crash if what is to be signed ends with a byte of 1.
 * login-late-crash is a crash after the token has judged the PIN, login-slow a
 * pause of 50 ms before and after that.
 *
 * A login is counted as "login", as "login-low" if the token says before it that
 * it has refused a PIN, and as "login-refused" if it refuses this one.  A file
 * "pin-flags" holds a digit, of which the bits become the CKF_USER_PIN_ flags
 * COUNT_LOW (1), FINAL_TRY (2) and LOCKED (4) that the token is said to have.
 *
 * As it is initialized it tries what a module must not do, and counts what works:
 * "shm", a file in /dev/shm; "netlink" and "vsock", such sockets.
 *
 * It has no random bytes, which it says as OpenSC does of some PIV cards.
 */

#include "config.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* PKCS #11 v2.40: types as they are on this machine, functions by number. */
typedef unsigned long rv_t;

#define CKR_OK 0x000UL
#define CKR_KEY_TYPE_INCONSISTENT 0x063UL
#define CKR_DEVICE_REMOVED 0x032UL
#define CKR_GENERAL_ERROR 0x005UL
#define CKR_RANDOM_SEED_NOT_SUPPORTED 0x120UL
#define CKR_FUNCTION_FAILED 0x006UL
#define CKR_USER_NOT_LOGGED_IN 0x101UL
#define CKR_PIN_INCORRECT 0x0a0UL

#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define PIN_FLAGS 0x70000UL

struct token_info {
	char names[96]; /* label, manufacturer, model, serial */
	unsigned long flags;
	unsigned long more[12]; /* more than there is */
};

enum {
	INITIALIZE = 0,
	GET_TOKEN_INFO = 6,
	OPEN_SESSION = 12,
	CLOSE_SESSION = 13,
	CLOSE_ALL_SESSIONS = 14,
	LOGIN = 18,
	FIND_INIT = 26,
	SIGN_INIT = 42,
	SIGN = 43,
	SEED_RANDOM = 63,
	GENERATE_RANDOM = 64,
	FUNCTIONS = 68
};

struct function_list {
	unsigned char version[2];
	void *function[FUNCTIONS];
};

rv_t C_GetFunctionList(struct function_list **list);

static struct function_list *real;
static struct function_list ours;
static unsigned long used; /* the slot of the last session */

static void
count(const char *call)
{
	const char *folder = getenv("FAULTY_CONTROL");
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/calls", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0)
		return;
	dprintf(fd, "%s\n", call);
	(void)close(fd);
}

/* Whether the fault is to happen; that uses one byte of its file up. */
static int
is_due(const char *fault)
{
	const char *folder = getenv("FAULTY_CONTROL");
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, fault);
	if (stat(path, &st) < 0 || st.st_size == 0)
		return 0;
	if (truncate(path, st.st_size - 1) < 0)
		abort();
	return 1;
}

static void
count_works(const char *what, int fd)
{
	if (fd < 0)
		return;
	count(what);
	(void)close(fd);
}

static rv_t
initialize(void *args)
{
	rv_t (*call)(void *) = (rv_t(*)(void *))real->function[INITIALIZE];

	count("initialize");
	count_works("shm",
	    open("/dev/shm/htsign-probe", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	(void)unlink("/dev/shm/htsign-probe");
	count_works("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	count_works("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	return call(args);
}

static rv_t
get_token_info(unsigned long slot, struct token_info *info)
{
	rv_t (*call)(unsigned long, struct token_info *) = (rv_t(*)(
	    unsigned long, struct token_info *))real->function[GET_TOKEN_INFO];
	const char *folder = getenv("FAULTY_CONTROL");
	char path[PATH_MAX];
	rv_t rv = call(slot, info);
	char digit;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/pin-flags", folder);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return rv;
	if (rv == CKR_OK && read(fd, &digit, 1) == 1)
		info->flags = (info->flags & ~PIN_FLAGS) |
		    (unsigned long)(digit - '0') * CKF_USER_PIN_COUNT_LOW;
	(void)close(fd);
	return rv;
}

static rv_t
open_session(unsigned long slot, unsigned long flags, void *application,
    void *notify, unsigned long *session)
{
	rv_t (*call)(unsigned long, unsigned long, void *, void *,
	    unsigned long *) = (rv_t(*)(unsigned long, unsigned long, void *,
	    void *, unsigned long *))real->function[OPEN_SESSION];
	rv_t rv;

	count("open-session");
	used = slot;
	if (is_due("open-removed"))
		return CKR_DEVICE_REMOVED;
	rv = call(slot, flags, application, notify, session);
	if (rv == CKR_OK)
		count("session-opened");
	return rv;
}

static rv_t
close_session(unsigned long session)
{
	rv_t (*call)(unsigned long) =
	    (rv_t(*)(unsigned long))real->function[CLOSE_SESSION];
	rv_t rv = call(session);

	if (rv == CKR_OK)
		count("session-closed");
	return rv;
}

static rv_t
close_all_sessions(unsigned long slot)
{
	rv_t (*call)(unsigned long) =
	    (rv_t(*)(unsigned long))real->function[CLOSE_ALL_SESSIONS];
	rv_t rv = call(slot);

	if (rv == CKR_OK)
		count("all-sessions-closed");
	return rv;
}

static rv_t
login(unsigned long session, unsigned long user, void *pin, unsigned long n)
{
	rv_t (*call)(unsigned long, unsigned long, void *, unsigned long) =
	    (rv_t(*)(unsigned long, unsigned long, void *,
	        unsigned long))real->function[LOGIN];
	struct token_info info;
	int slow;
	rv_t rv;

	count("login");
	if (get_token_info(used, &info) == CKR_OK &&
	    (info.flags & CKF_USER_PIN_COUNT_LOW) != 0)
		count("login-low");
	if (is_due("login-crash"))
		_exit(9);
	if (is_due("login-hang"))
		for (;;)
			(void)pause();
	if (is_due("login-removed"))
		return CKR_DEVICE_REMOVED;
	if (is_due("login-wrong"))
		return CKR_PIN_INCORRECT;
	slow = is_due("login-slow");
	if (slow)
		(void)usleep(50000);
	rv = call(session, user, pin, n);
	if (rv == CKR_PIN_INCORRECT)
		count("login-refused");
	if (slow)
		(void)usleep(50000);
	if (is_due("login-late-crash"))
		_exit(9);
	return rv;
}

static rv_t
find_init(unsigned long session, void *attributes, unsigned long n)
{
	rv_t (*call)(unsigned long, void *, unsigned long) = (rv_t(*)(
	    unsigned long, void *, unsigned long))real->function[FIND_INIT];

	count("find");
	return call(session, attributes, n);
}

static rv_t
sign_init(unsigned long session, void *mechanism, unsigned long key)
{
	rv_t (*call)(unsigned long, void *, unsigned long) = (rv_t(*)(
	    unsigned long, void *, unsigned long))real->function[SIGN_INIT];

	if (is_due("sign-removed"))
		return CKR_DEVICE_REMOVED;
	if (is_due("sign-logged-out"))
		return CKR_USER_NOT_LOGGED_IN;
	if (is_due("sign-refused"))
		return CKR_KEY_TYPE_INCONSISTENT;
	return call(session, mechanism, key);
}

static rv_t
sign(unsigned long session, void *data, unsigned long n, void *signature,
    unsigned long *size)
{
	rv_t (*call)(unsigned long, void *, unsigned long, void *,
	    unsigned long *) = (rv_t(*)(unsigned long, void *, unsigned long,
	    void *, unsigned long *))real->function[SIGN];

	count("sign");
	if (is_due("sign-crash"))
		_exit(9);
	if (n > 0 && ((unsigned char *)data)[n - 1] == 1 &&
	    is_due("sign-poison"))
		_exit(9);
	if (is_due("sign-hang"))
		for (;;)
			(void)pause();
	return call(session, data, n, signature, size);
}

static rv_t
seed_random(unsigned long session, void *seed, unsigned long n)
{
	(void)session;
	(void)seed;
	(void)n;
	return CKR_RANDOM_SEED_NOT_SUPPORTED;
}

static rv_t
generate_random(unsigned long session, void *bytes, unsigned long n)
{
	(void)session;
	(void)bytes;
	(void)n;
	return CKR_GENERAL_ERROR;
}

rv_t
C_GetFunctionList(struct function_list **list)
{
	rv_t (*get)(struct function_list **);
	const char *path = getenv("FAULTY_MODULE");
	void *library;

	if (path == NULL || (library = dlopen(path, RTLD_NOW)) == NULL)
		return CKR_FUNCTION_FAILED;
	get = (rv_t(*)(struct function_list **))dlsym(library,
	    "C_GetFunctionList");
	if (get == NULL || get(&real) != 0)
		return CKR_FUNCTION_FAILED;
	ours = *real;
	ours.function[INITIALIZE] = (void *)initialize;
	ours.function[GET_TOKEN_INFO] = (void *)get_token_info;
	ours.function[OPEN_SESSION] = (void *)open_session;
	ours.function[CLOSE_SESSION] = (void *)close_session;
	ours.function[CLOSE_ALL_SESSIONS] = (void *)close_all_sessions;
	ours.function[LOGIN] = (void *)login;
	ours.function[FIND_INIT] = (void *)find_init;
	ours.function[SIGN_INIT] = (void *)sign_init;
	ours.function[SIGN] = (void *)sign;
	ours.function[SEED_RANDOM] = (void *)seed_random;
	ours.function[GENERATE_RANDOM] = (void *)generate_random;
	*list = &ours;
	return 0;
}

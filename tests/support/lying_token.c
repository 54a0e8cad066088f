/*
 * A token that lies: a PKCS#11 module for tests that passes everything on to
 * the one that LYING_MODULE names, counts some calls, and fails as it is told.
 *
 * LYING_CONTROL names a folder.  "calls" in it gets a line for each counted
 * call, for each session that was really opened or closed, and for each fault
 * that happened, "fault NAME".  A file named after a fault makes the next calls
 * fail so, one for each byte that it holds:
 *
 *	sign-crash sign-hang sign-removed sign-logged-out sign-refused
 *	sign-forgets	the token has really logged out
 *	sign-context	C_Sign wants a context-specific login before it
 *	sign-wrong sign-short	a signature with a wrong bit, without its end
 *	sign-unknown	a return value that no standard has
 *	login-crash login-hang login-removed login-slow login-late-crash
 *	login-wrong	a PIN is refused that is right
 *	open-removed open-arguments	C_OpenSession
 *	slots-empty keys-empty	nothing is there at first
 *	extractable	a key is said to be
 *	finalize-crash	as the module is unloaded
 *	unplugs reopens	from C_SignInit on, for a while: what follows
 *
 * and sign-poison: a crash if what is to be signed ends with a byte of 1.
 * login-late-crash is a crash after the token has judged the PIN, login-slow a
 * pause of 50 ms before and after that.
 *
 * Two conditions hold until the time at which their file was last changed, which
 * is ahead: "unplugged", the token is not there; "closed", the module cannot be
 * initialized.  The faults unplugs and reopens begin them, for WHILE ms; with
 * reopens the process crashes, too.
 *
 * A file "session-limit" holds a digit: with so many sessions C_OpenSession says
 * CKR_ARGUMENTS_BAD.  With a file "one-thread" there is a crash, "two-threads",
 * if two threads are in this module at once.
 *
 * A file "seed" holds two numbers, a seed and odds: of so many C_SignInit one, by
 * lot, makes a fault due, any of those that are drawn[] below.  The same seed
 * draws the same, whichever process signs.
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
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keys/token/cryptoki.h"

#define PIN_FLAGS                                                              \
	(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED)
#define CKR_OF_NO_STANDARD 0x8badf00dUL
#define WHILE 4000 /* ms */

ck_t C_GetFunctionList(struct cryptoki **list);

static struct cryptoki *real;
static struct cryptoki ours;
static ck_t used;         /* the slot of the last session */
static ck_t sessions;     /* that are open */
static bool wants_login;  /* context-specific, before the next C_Sign */
static atomic_int inside; /* threads */

/* --- the folder of control ----------------------------------------------- */

static const char *
path_of(const char *name, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", getenv("LYING_CONTROL"), name);
	return path;
}

static void
count(const char *call)
{
	char path[PATH_MAX];
	int fd =
	    open(path_of("calls", path), O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (fd < 0)
		return;
	dprintf(fd, "%s\n", call);
	(void)close(fd);
}

/* Whether the fault is to happen; that uses one byte of its file up. */
static bool
is_due(const char *fault)
{
	char path[PATH_MAX], line[64];
	struct stat st;

	if (stat(path_of(fault, path), &st) < 0 || st.st_size == 0)
		return false;
	if (truncate(path, st.st_size - 1) < 0)
		abort();
	(void)snprintf(line, sizeof(line), "fault %s", fault);
	count(line);
	return true;
}

/* Append a byte; returns how many there were. */
static unsigned long
add_byte(const char *name)
{
	char path[PATH_MAX];
	int fd = open(path_of(name, path), O_WRONLY | O_CREAT | O_APPEND, 0666);
	off_t end;

	if (fd < 0 || write(fd, "!", 1) != 1 ||
	    (end = lseek(fd, 0, SEEK_CUR)) < 1)
		abort();
	(void)close(fd);
	return (unsigned long)end - 1;
}

/* The start of what a file holds; "" if there is none. */
static const char *
content(const char *name, char text[32])
{
	char path[PATH_MAX];
	int fd = open(path_of(name, path), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, 31);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return text;
}

static bool
holds_still(const char *condition)
{
	char path[PATH_MAX];
	struct timespec now;
	struct stat st;

	if (stat(path_of(condition, path), &st) < 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec < st.st_mtim.tv_sec ||
	    (now.tv_sec == st.st_mtim.tv_sec &&
	        now.tv_nsec < st.st_mtim.tv_nsec);
}

static void
begin(const char *condition)
{
	char path[PATH_MAX];
	struct timespec times[2];

	(void)add_byte(condition);
	(void)clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec += WHILE / 1000;
	times[1] = times[0];
	if (utimensat(AT_FDCWD, path_of(condition, path), times, 0) < 0)
		abort();
}

static void
crash(void)
{
	(void)raise(SIGSEGV);
	_exit(9);
}

static void
hang(void)
{
	for (;;)
		(void)pause();
}

/* Faults that a seed may draw: first one that is at hand, then how it shows. */
static const struct {
	const char *fault, *shown_by;
} drawn[] = {
	{ "sign-hang", NULL },
	{ "sign-crash", NULL },
	{ "sign-removed", NULL },
	{ "sign-logged-out", NULL },
	{ "sign-forgets", NULL },
	{ "sign-context", NULL },
	{ "sign-refused", NULL },
	{ "sign-wrong", NULL },
	{ "sign-short", NULL },
	{ "sign-unknown", NULL },
	{ "unplugs", NULL },
	{ "reopens", NULL },
	{ "open-arguments", "sign-removed" },
	{ "open-removed", "sign-removed" },
	{ "slots-empty", "sign-removed" },
	{ "keys-empty", "sign-removed" },
	{ "finalize-crash", "sign-removed" },
	{ "login-removed", "sign-forgets" },
	{ "login-crash", "sign-forgets" },
	{ "login-late-crash", "sign-crash" },
};

/* SplitMix64. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

static void
draw(void)
{
	const size_t n = sizeof(drawn) / sizeof(*drawn);
	unsigned long seed, odds;
	char text[32], *end;
	uint64_t lot;

	seed = strtoul(content("seed", text), &end, 10);
	odds = strtoul(end, NULL, 10);
	if (odds == 0)
		return;
	lot = mix(((uint64_t)seed << 32) +
	    (add_byte("draws") + 1) * 0x9e3779b97f4a7c15U);
	if (lot % odds != 0)
		return;
	lot = lot / odds % n;
	(void)add_byte(drawn[lot].fault);
	if (drawn[lot].shown_by != NULL)
		(void)add_byte(drawn[lot].shown_by);
}

/* --- threads --------------------------------------------------------------- */

static void
enter(void)
{
	char path[PATH_MAX];

	if (access(path_of("one-thread", path), F_OK) < 0)
		return;
	if (atomic_fetch_add(&inside, 1) > 0) {
		count("two-threads");
		crash();
	}
}

static ck_t
leave(ck_t rv)
{
	if (inside > 0)
		atomic_fetch_sub(&inside, 1);
	return rv;
}

/* --- the calls ------------------------------------------------------------- */

static void
count_works(const char *what, int fd)
{
	if (fd < 0)
		return;
	count(what);
	(void)close(fd);
}

static ck_t
initialize(void *args)
{
	count("initialize");
	count_works("shm",
	    open("/dev/shm/htsign-probe", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	(void)unlink("/dev/shm/htsign-probe");
	count_works("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	count_works("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	if (holds_still("closed"))
		return CKR_FUNCTION_FAILED;
	return real->initialize(args);
}

static ck_t
finalize(void *reserved)
{
	if (is_due("finalize-crash"))
		crash();
	return real->finalize(reserved);
}

static ck_t
get_slot_list(unsigned char present, ck_t *slots, ck_t *n)
{
	/* It is asked for their number first. */
	if (holds_still("unplugged") ||
	    (slots == NULL && is_due("slots-empty"))) {
		*n = 0;
		return CKR_OK;
	}
	return real->get_slot_list(present, slots, n);
}

static ck_t
get_token_info(ck_t slot, struct ck_token_info *info)
{
	char text[32];
	ck_t rv;

	if (holds_still("unplugged"))
		return CKR_TOKEN_NOT_PRESENT;
	rv = real->get_token_info(slot, info);
	if (rv == CKR_OK && content("pin-flags", text)[0] != '\0')
		info->flags = (info->flags & ~PIN_FLAGS) |
		    (ck_t)(text[0] - '0') * CKF_USER_PIN_COUNT_LOW;
	return rv;
}

static ck_t
open_session(ck_t slot, ck_t flags, void *application, void *notify,
    ck_t *session)
{
	char text[32];
	ck_t rv;

	count("open-session");
	used = slot;
	if (holds_still("unplugged"))
		return CKR_TOKEN_NOT_PRESENT;
	if (is_due("open-removed"))
		return CKR_DEVICE_REMOVED;
	content("session-limit", text);
	if (is_due("open-arguments") ||
	    (text[0] != '\0' && sessions >= (ck_t)(text[0] - '0')))
		return CKR_ARGUMENTS_BAD;
	enter();
	rv = leave(
	    real->open_session(slot, flags, application, notify, session));
	if (rv == CKR_OK) {
		count("session-opened");
		sessions++;
	}
	return rv;
}

static ck_t
close_session(ck_t session)
{
	ck_t rv = real->close_session(session);

	if (rv == CKR_OK) {
		count("session-closed");
		sessions--;
	}
	return rv;
}

static ck_t
close_all_sessions(ck_t slot)
{
	ck_t rv = real->close_all_sessions(slot);

	if (rv == CKR_OK) {
		count("all-sessions-closed");
		sessions = 0;
	}
	return rv;
}

static ck_t
login(ck_t session, ck_t user, void *pin, ck_t n)
{
	struct ck_token_info info;
	bool slow;
	ck_t rv;

	count("login");
	if (user == CKU_CONTEXT_SPECIFIC)
		wants_login = false;
	if (get_token_info(used, &info) == CKR_OK &&
	    (info.flags & CKF_USER_PIN_COUNT_LOW) != 0)
		count("login-low");
	if (is_due("login-crash"))
		crash();
	if (is_due("login-hang"))
		hang();
	if (is_due("login-removed") || holds_still("unplugged"))
		return CKR_DEVICE_REMOVED;
	if (is_due("login-wrong"))
		return CKR_PIN_INCORRECT;
	slow = is_due("login-slow");
	if (slow)
		(void)usleep(50000);
	enter();
	rv = leave(real->login(session, user, pin, n));
	if (rv == CKR_PIN_INCORRECT)
		count("login-refused");
	if (slow)
		(void)usleep(50000);
	if (is_due("login-late-crash"))
		crash();
	return rv;
}

static ck_t
find_init(ck_t session, struct ck_attribute *attributes, ck_t n)
{
	count("find");
	enter();
	return leave(real->find_init(session, attributes, n));
}

static ck_t
find(ck_t session, ck_t *objects, ck_t max, ck_t *n)
{
	if (is_due("keys-empty")) {
		*n = 0;
		return CKR_OK;
	}
	return real->find(session, objects, max, n);
}

static ck_t
get_attribute_value(ck_t session, ck_t object, struct ck_attribute *wanted,
    ck_t n)
{
	ck_t rv = real->get_attribute_value(session, object, wanted, n);

	if (rv == CKR_OK && wanted->type == CKA_EXTRACTABLE &&
	    wanted->value != NULL && is_due("extractable"))
		*(unsigned char *)wanted->value = 1;
	return rv;
}

static ck_t
sign_init(ck_t session, void *mechanism, ck_t key)
{
	draw();
	if (is_due("reopens")) {
		begin("closed");
		crash();
	}
	if (is_due("unplugs"))
		begin("unplugged");
	if (is_due("sign-removed") || holds_still("unplugged"))
		return CKR_DEVICE_REMOVED;
	if (is_due("sign-logged-out"))
		return CKR_USER_NOT_LOGGED_IN;
	if (is_due("sign-refused"))
		return CKR_KEY_TYPE_INCONSISTENT;
	if (is_due("sign-unknown"))
		return CKR_OF_NO_STANDARD;
	if (is_due("sign-forgets"))
		(void)real->logout(session);
	wants_login = is_due("sign-context");
	enter();
	return leave(real->sign_init(session, mechanism, key));
}

static ck_t
sign(ck_t session, void *data, ck_t n, void *signature, ck_t *size)
{
	ck_t rv;

	count("sign");
	if (is_due("sign-crash"))
		crash();
	if (n > 0 && ((unsigned char *)data)[n - 1] == 1 &&
	    is_due("sign-poison"))
		crash();
	if (is_due("sign-hang"))
		hang();
	if (wants_login)
		return CKR_USER_NOT_LOGGED_IN;
	enter();
	if (inside > 0)
		(void)usleep(50000); /* for the other one to come */
	rv = leave(real->sign(session, data, n, signature, size));
	if (rv == CKR_OK && signature != NULL && is_due("sign-wrong"))
		((unsigned char *)signature)[*size / 2] ^= 1;
	if (rv == CKR_OK && signature != NULL && is_due("sign-short"))
		*size -= 8;
	return rv;
}

static ck_t
seed_random(ck_t session, void *seed, ck_t n)
{
	(void)session;
	(void)seed;
	(void)n;
	return CKR_RANDOM_SEED_NOT_SUPPORTED;
}

static ck_t
generate_random(ck_t session, void *bytes, ck_t n)
{
	(void)session;
	(void)bytes;
	(void)n;
	return CKR_GENERAL_ERROR;
}

ck_t
C_GetFunctionList(struct cryptoki **list)
{
	const char *path = getenv("LYING_MODULE");
	cryptoki_get *get;
	void *library;

	if (path == NULL || (library = dlopen(path, RTLD_NOW)) == NULL)
		return CKR_FUNCTION_FAILED;
	get = (cryptoki_get *)dlsym(library, "C_GetFunctionList");
	if (get == NULL || get(&real) != CKR_OK)
		return CKR_FUNCTION_FAILED;
	ours = *real;
	ours.initialize = initialize;
	ours.finalize = finalize;
	ours.get_slot_list = get_slot_list;
	ours.get_token_info = get_token_info;
	ours.open_session = open_session;
	ours.close_session = close_session;
	ours.close_all_sessions = close_all_sessions;
	ours.login = login;
	ours.find_init = find_init;
	ours.find = find;
	ours.get_attribute_value = get_attribute_value;
	ours.sign_init = sign_init;
	ours.sign = sign;
	ours.seed_random = seed_random;
	ours.generate_random = generate_random;
	*list = &ours;
	return CKR_OK;
}

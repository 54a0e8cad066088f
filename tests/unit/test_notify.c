#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/notify.h"
#include "tests/support/scratch.h"

static struct loop *loop;

static int
enter(void **state)
{
	loop = loop_new();
	return loop == NULL ? -1 : scratch_enter(state);
}

static int
leave(void **state)
{
	loop_free(loop);
	return scratch_leave(state);
}

/* The service manager's socket, at a name as the variable has it. */
static int
manager(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t n = offsetof(struct sockaddr_un, sun_path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, name, strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	n += (socklen_t)strlen(name);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, n), 0);
	(void)setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
expect_ready(const char *name)
{
	int fd = manager(name);
	char text[64] = "";
	struct ht_error e;

	assert_int_equal(notify_ready(loop, &e), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "READY=1");
	/* Once. */
	assert_int_equal(notify_ready(loop, &e), 0);
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), -1);
	(void)close(fd);
}

static void
by_path(void **state)
{
	char path[4096];

	(void)state;
	assert_non_null(getcwd(path, sizeof(path) - 8));
	memcpy(path + strlen(path), "/notify", 8);
	expect_ready(path);
}

static void
by_abstract_name(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "@htsign-test/notify/%d",
	    (int)getpid());
	expect_ready(name);
}

static void
what_cannot_be_told(void **state)
{
	char name[256];
	struct ht_error e;

	(void)state;
	(void)setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	assert_int_equal(notify_ready(loop, &e), HT_ERR_USAGE);
	assert_null(getenv("NOTIFY_SOCKET"));
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	(void)setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_ready(loop, &e), HT_ERR_USAGE);
	(void)setenv("NOTIFY_SOCKET", "/nowhere", 1);
	assert_int_equal(notify_ready(loop, &e), HT_ERR_INTERNAL);
	assert_null(getenv("NOTIFY_SOCKET"));
}

/* As long as the loop turns, twice in the time of the watchdog. */
static void
a_watchdog(void **state)
{
	struct ht_error e;
	char text[64] = "";
	uint64_t start;
	int fd, i;

	(void)state;
	fd = manager("@htsign-test/watchdog");
	(void)setenv("WATCHDOG_USEC", "200000", 1);
	start = loop_now();
	assert_int_equal(notify_ready(loop, &e), 0);
	assert_null(getenv("WATCHDOG_USEC"));
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
	for (i = 0; i < 3; i++) {
		assert_int_equal(loop_once(loop, &e), 0);
		memset(text, 0, sizeof(text));
		assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 10);
		assert_string_equal(text, "WATCHDOG=1");
	}
	assert_true(loop_now() - start >= 300);
	(void)close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_path),
		cmocka_unit_test(by_abstract_name),
		cmocka_unit_test(what_cannot_be_told),
		cmocka_unit_test(a_watchdog),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

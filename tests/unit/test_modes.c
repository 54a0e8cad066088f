/*
 * Whether others can get at a file: itself, the folders and links above it.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/modes.h"
#include "tests/support/scratch.h"

static const char *const files[] = { "a/b/file", "link/file", "a/far/../file",
	"a/./b//file" };

/* a/b/file, a link to a/b, and a/far, a link to a/b/c. */
static int
make_files(void **state)
{
	if (scratch_enter(state) != 0 || mkdir("a", 0755) != 0 ||
	    mkdir("a/b", 0755) != 0 || mkdir("a/b/c", 0755) != 0 ||
	    symlink("a/b", "link") != 0 || symlink("b/c", "a/far") != 0)
		return -1;
	scratch_write("a/b/file", "secret", 6);
	return 0;
}

/* Check a file in all ways: text is the end of the error, or NULL for none. */
static void
expect(const char *path, bool secret, bool alone, const char *text)
{
	const struct modes m = { geteuid(), secret, alone };
	char whole[256];
	struct ht_error e;
	char bytes[8];
	int fd;

	assert_non_null(getcwd(whole, 128));
	(void)snprintf(whole + strlen(whole), 128, "/%s", path);
	ht_error_clear(&e);
	if (text == NULL) {
		assert_int_equal(modes_check(path, &m, &e), 0);
		assert_int_equal(modes_check(whole, &m, &e), 0);
		fd = modes_open(path, &m, &e);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, bytes, sizeof(bytes)), 6);
		assert_int_equal(close(fd), 0);
		return;
	}
	assert_int_equal(modes_open(path, &m, &e), HT_ERR_USAGE);
	ht_error_clear(&e);
	assert_int_equal(modes_check(whole, &m, &e), HT_ERR_USAGE);
	ht_error_clear(&e);
	assert_int_equal(modes_check(path, &m, &e), HT_ERR_USAGE);
	assert_true(strlen(e.text) >= strlen(text));
	assert_string_equal(e.text + strlen(e.text) - strlen(text), text);
}

static void
expect_all(bool secret, const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		expect(files[i], secret, false, text);
}

static void
test_a_file(void **state)
{
	static const struct {
		mode_t mode;
		const char *public, *secret;
	} cases[] = {
		{ 0600, NULL, NULL },
		{ 0400, NULL, NULL },
		{ 0640, NULL, "/a/b/file" },
		{ 0604, NULL, "/a/b/file" },
		{ 0601, NULL, "/a/b/file" },
		{ 0644, NULL, "/a/b/file" },
		{ 0620, "/a/b/file", "/a/b/file" },
		{ 0602, "/a/b/file", "/a/b/file" },
		{ 0666, "/a/b/file", "/a/b/file" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(chmod("a/b/file", cases[i].mode), 0);
		expect_all(false, cases[i].public);
		expect_all(true, cases[i].secret);
		expect("a/b/file", false, true,
		    cases[i].public != NULL ? "a/b/file" : NULL);
		expect("a/b/file", true, true,
		    cases[i].secret != NULL ? "a/b/file" : NULL);
	}
	assert_int_equal(chmod("a/b/file", 0600), 0);
}

static void
test_the_line_that_mends_it(void **state)
{
	(void)state;
	assert_int_equal(chmod("a/b/file", 0644), 0);
	expect("a/b/file", true, true,
	    "others can read this: chmod go= a/b/file");
	assert_int_equal(chmod("a/b/file", 0666), 0);
	expect("a/b/file", false, true,
	    "others can change this: chmod go-w a/b/file");
	assert_int_equal(chmod("a/b/file", 0600), 0);
}

static void
test_folders(void **state)
{
	static const char *const folders[] = { "a", "a/b" };
	static const char *const ends[] = { "/a", "/a/b" };
	static const mode_t bad[] = { 0775, 0757, 0777 };
	size_t i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 3; j++) {
			assert_int_equal(chmod(folders[i], bad[j]), 0);
			expect_all(false, ends[i]);
			expect("a/b/file", true, true, NULL);
		}
		/* As /tmp is, where nobody can move what another owns. */
		assert_int_equal(chmod(folders[i], 01777), 0);
		expect_all(true, NULL);
		assert_int_equal(chmod(folders[i], 0755), 0);
	}
	expect_all(true, NULL);
}

/* Only the way of the link leads through this folder. */
static void
test_a_folder_of_links(void **state)
{
	char here[128], target[192];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	(void)snprintf(target, sizeof(target), "%s/a/b/file", here);
	assert_int_equal(mkdir("links", 0755), 0);
	assert_int_equal(symlink(target, "links/first"), 0);
	assert_int_equal(symlink("links/first", "second"), 0);
	expect("second", true, false, NULL);
	assert_int_equal(chmod("links", 0777), 0);
	expect("second", true, false, "/links");
	expect("second", true, true, NULL);
	assert_int_equal(symlink("circle", "circle"), 0);
	expect("circle", true, false, "Too many levels of symbolic links");
}

static void
test_owners(void **state)
{
	static const char *const owned[] = { "a", "a/b", "a/b/file" };
	struct modes m = { 12345, true, false };
	struct ht_error e;
	size_t i;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(lchown("link", 23456, 23456), 0);
	assert_int_equal(modes_check("link/file", &m, &e), HT_ERR_USAGE);
	assert_int_equal(lchown("link", 0, 0), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(chown(owned[i], 12345, 12345), 0);
		assert_int_equal(modes_check("link/file", &m, &e), 0);
		assert_int_equal(chown(owned[i], 23456, 23456), 0);
		assert_int_equal(modes_check("link/file", &m, &e),
		    HT_ERR_USAGE);
		assert_non_null(
		    strstr(e.text, "uid 23456 must not own this: "));
		assert_non_null(
		    strstr(e.text, i == 2 ? "chown 12345 /" : "chown 0 /"));
		assert_int_equal(chown(owned[i], 0, 0), 0);
	}
}

static void
test_nothing_there(void **state)
{
	(void)state;
	expect("away", false, false, "/away: No such file or directory");
	expect("away", false, true, "away: No such file or directory");
	expect("a/b/file/more", false, false, "Not a directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_the_line_that_mends_it),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_a_folder_of_links),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, make_files, scratch_leave);
}

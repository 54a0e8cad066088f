/*
 * What htsign-keyd decides by, in the test's own process: a configuration, a
 * store (tests/support/store_scratch.h), and a clock that stands still.  No
 * token is started.  Keys of SSH are those of tests/support/ssh_ca.h: the first
 * CA is the clients', the second the administrators'.
 *
 * A program that uses this is linked with core_ldflags of Makefile.am: they put
 * the clock of the test in the place of the system's.
 */

#ifndef TESTS_SUPPORT_CORE_SCRATCH_H
#define TESTS_SUPPORT_CORE_SCRATCH_H

#include "keys/keyd/core.h"
#include "tests/support/ssh_ca.h"

#define CORE_CLIENTS_CA (&ssh_cas[0])
#define CORE_ADMINS_CA (&ssh_cas[1])

extern struct keyd core;

/* The time, in microseconds since 1970. */
extern int64_t core_now;

/*
 * Make folder and keys, and drop them; for each test, a store and the clock at
 * SSH_CA_NOW, and the end of those and of the configuration.  They have the
 * form of cmocka's functions for groups and for tests.
 */
int core_enter(void **state);
int core_leave(void **state);
int core_set_up(void **state);
int core_tear_down(void **state);
#define CORE_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, core_set_up, core_tear_down)

/*
 * Configure it anew: with these lines in ssh besides the clients' CA, and with
 * the rest behind.  A $ stands for the folder.  Failing fails the test.
 */
void core_configure(const char *ssh, const char *rest);

/*
 * Put the certificate that the CA issues for a user's key into blob, in the
 * place of what is there.  core_request is for the client "ci", and for a
 * minute before and after SSH_CA_NOW; the other for "ann" in a role.
 */
extern const struct sshcert_request core_request;
void core_issue(const struct ssh_ca *ca, const struct ssh_ca_user *user,
    struct sshcert_request request, struct buf *blob);
void core_issue_role(const struct ssh_ca *ca, enum names_role role,
    struct buf *blob);

/*
 * Commit and send what there is.  One turn of keyd's loop, and that: what has
 * come is answered.  One before which so many seconds have passed, to timers.
 */
void core_settle(void);
void core_turn(void);
void core_wait(unsigned int seconds);

/* Who did what a test needs in the store. */
extern const struct store_actor core_actor;

/*
 * How many events of that kind are in the journal whose JSON holds text.
 */
unsigned int core_events(const char *kind, const char *text);

#endif

/*
 * The core of htsign-keyd in the test's own process: a configuration, a store
 * (tests/support/store_scratch.h), and a clock that stands still.  No token is
 * started.  SSH keys are those of tests/support/ssh_ca.h.  The first CA is for
 * clients, the second one for administrators.
 *
 * Link a program that uses this with core_ldflags of Makefile.am.  They replace
 * the system's clock with that of the test.
 */

#ifndef TESTS_SUPPORT_CORE_SCRATCH_H
#define TESTS_SUPPORT_CORE_SCRATCH_H

#include "keys/keyd/core.h"
#include "tests/support/ssh_ca.h"

#define CORE_CLIENTS_CA (&ssh_cas[0])
#define CORE_ADMINS_CA (&ssh_cas[1])

extern struct keyd core;

/* The time of the test's clock, in microseconds since 1970. */
extern int64_t core_now;

/*
 * For cmocka's groups: core_enter makes the folder and the keys, core_leave
 * removes them.  For each test: core_set_up makes a store and sets the clock to
 * SSH_CA_NOW; core_tear_down removes the store and the configuration.
 */
int core_enter(void **state);
int core_leave(void **state);
int core_set_up(void **state);
int core_tear_down(void **state);
#define CORE_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, core_set_up, core_tear_down)

/*
 * Load a new configuration.  ssh is added to the group ssh, which has the
 * clients' CA; rest is added at the end.  A $ stands for the folder.  A failure
 * fails the test.
 */
void core_configure(const char *ssh, const char *rest);

/*
 * Issue a certificate of ca and put it into blob, whose old content is
 * replaced.  core_issue is for user's key.  core_request is for the client
 * "ci", from a minute before SSH_CA_NOW to a minute after it.  core_issue_role
 * is for "ann" in a role.
 */
extern const struct sshcert_request core_request;
void core_issue(const struct ssh_ca *ca, const struct ssh_ca_user *user,
    struct sshcert_request request, struct buf *blob);
void core_issue_role(const struct ssh_ca *ca, enum names_role role,
    struct buf *blob);

/*
 * core_settle commits and sends all that is pending.  core_turn runs one turn
 * of keyd's loop and settles, so that messages are answered.  core_wait first
 * lets seconds pass for timers, and does not wait for messages.
 */
void core_settle(void);
void core_turn(void);
void core_wait(unsigned int seconds);

/* The actor of changes that a test itself makes in the store. */
extern const struct store_actor core_actor;

/*
 * The number of events of this kind in the journal whose JSON contains text.
 */
unsigned int core_events(const char *kind, const char *text);

#endif

/*
 * A store for each test, in a scratch folder (tests/support/scratch.h).
 */

#ifndef TESTS_SUPPORT_STORE_SCRATCH_H
#define TESTS_SUPPORT_STORE_SCRATCH_H

#include "store/store.h"

#define STORE_PATH "store.db"

/* The open one. */
extern struct store *store;

/*
 * Open it, new or as it was left; close it and remove its files.  Both have
 * the form of cmocka's functions for one test, as has store_remove for tests
 * that open and close by themselves.
 */
int store_set_up(void **state);
int store_tear_down(void **state);
int store_remove(void **state);

#endif

/*
 * A store for each test, in a scratch folder (tests/support/scratch.h).
 */

#ifndef TESTS_SUPPORT_STORE_SCRATCH_H
#define TESTS_SUPPORT_STORE_SCRATCH_H

#include "store/store.h"

#define STORE_PATH "store.db"
#define STORE_PIN_KEY "pin.key"

/* The open store. */
extern struct store *store;

/*
 * store_set_up opens the store, new or as it was left.  store_tear_down closes
 * it and removes its files.  store_remove only removes the files, for tests
 * that open and close the store themselves.  All are functions of cmocka for
 * one test.
 */
int store_set_up(void **state);
int store_tear_down(void **state);
int store_remove(void **state);

#endif

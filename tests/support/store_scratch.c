#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "store/journal/pins.h"
#include "tests/support/store_scratch.h"

struct store *store;

int
store_set_up(void **state)
{
	struct ht_error e;

	(void)state;
	store = store_open(STORE_PATH, &e);
	if (store == NULL || pin_key_open(store, STORE_PIN_KEY, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	return 0;
}

int
store_tear_down(void **state)
{
	store_close(store);
	store = NULL;
	return store_remove(state);
}

int
store_remove(void **state)
{
	static const char *const files[] = { STORE_PATH, STORE_PATH "-wal",
		STORE_PATH "-shm", STORE_PATH "-journal", STORE_PATH "-lock",
		STORE_PIN_KEY };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	return 0;
}

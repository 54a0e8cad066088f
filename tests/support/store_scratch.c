#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/store_scratch.h"

struct store *store;

int
store_set_up(void **state)
{
	struct ht_error e;

	(void)state;
	store = store_open(STORE_PATH, &e);
	if (store == NULL)
		(void)fprintf(stderr, "%s\n", e.text);
	return store == NULL ? -1 : 0;
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
		STORE_PATH "-shm", STORE_PATH "-journal" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	return 0;
}

#include "config.h"

#include <sys/queue.h>
#include <sys/statvfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/disk-ledger.h"
#include "protocol/names.h"

struct disk_account {
	LIST_ENTRY(disk_account) entry;
	char client[NAMES_SIZE];
	const char *kind; /* a static text */
	uint64_t bytes;
	size_t open;
};

struct disk_ledger {
	int folder;
	LIST_HEAD(, disk_account) accounts;
};

struct disk_ledger *
disk_ledger_new(int folder)
{
	struct disk_ledger *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->folder = folder;
	return l;
}

void
disk_ledger_free(struct disk_ledger *l)
{
	free(l);
}

struct disk_account *
disk_account_open(struct disk_ledger *l, const char *client, const char *kind)
{
	struct disk_account *a;

	LIST_FOREACH(a, &l->accounts, entry)
		if (strcmp(a->client, client) == 0 &&
		    strcmp(a->kind, kind) == 0)
			break;
	if (a == NULL) {
		a = calloc(1, sizeof(*a));
		if (a == NULL)
			return NULL;
		(void)snprintf(a->client, sizeof(a->client), "%s", client);
		a->kind = kind;
		LIST_INSERT_HEAD(&l->accounts, a, entry);
	}
	a->open++;
	return a;
}

void
disk_account_close(struct disk_account *a)
{
	if (a == NULL || --a->open > 0)
		return;
	LIST_REMOVE(a, entry);
	free(a);
}

void
disk_charge(struct disk_account *a, uint64_t bytes)
{
	a->bytes += bytes;
}

void
disk_release(struct disk_account *a, uint64_t bytes)
{
	a->bytes -= bytes < a->bytes ? bytes : a->bytes;
}

uint64_t
disk_held(const struct disk_ledger *l, const char *client, const char *kind)
{
	const struct disk_account *a;
	uint64_t bytes = 0;

	LIST_FOREACH(a, &l->accounts, entry)
		if ((client == NULL || strcmp(a->client, client) == 0) &&
		    (kind == NULL || strcmp(a->kind, kind) == 0))
			bytes += a->bytes;
	return bytes;
}

uint64_t
disk_free(const struct disk_ledger *l)
{
	struct statvfs fs;

	if (fstatvfs(l->folder, &fs) < 0)
		return 0;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* The bytes that all clients together may hold. */
static uint64_t
capacity(const struct disk_ledger *l)
{
	uint64_t most = disk_free(l) + disk_held(l, NULL, NULL), left = 0;
	struct statvfs fs;

	if (fstatvfs(l->folder, &fs) == 0)
		left = (uint64_t)fs.f_blocks * fs.f_frsize / 8;
	if (left > DISK_LEFT)
		left = DISK_LEFT;
	return most > left ? most - left : 0;
}

static uint64_t
share(const struct disk_ledger *l, const char *client)
{
	uint64_t others = disk_held(l, NULL, NULL) - disk_held(l, client, NULL);
	uint64_t all = capacity(l);

	return all > others ? (all - others) / 2 : 0;
}

uint64_t
disk_over(const struct disk_ledger *l, const char *client)
{
	uint64_t own = disk_held(l, client, NULL), most = share(l, client);

	return own > most ? own - most : 0;
}

uint64_t
disk_left(const struct disk_ledger *l, const char *client)
{
	uint64_t own = disk_held(l, client, NULL), most = share(l, client);

	return most > own ? most - own : 0;
}

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-chain.h"
#include "lib/buf.h"

/* --- lists --------------------------------------------------------------- */

int
cfb_list_push(struct cfb_list *list, uint32_t v, struct ht_error *e)
{
	size_t room = list->room == 0 ? 64 : list->room * 2;
	uint32_t *grown;

	if (list->n == list->room) {
		grown = reallocarray(list->v, room, sizeof(*grown));
		if (grown == NULL)
			return ht_error_memory(e);
		list->v = grown;
		list->room = room;
	}
	list->v[list->n++] = v;
	return 0;
}

int
cfb_list_copy(struct cfb_list *to, const struct cfb_list *from,
    struct ht_error *e)
{
	memset(to, 0, sizeof(*to));
	if (from->n == 0)
		return 0;
	to->v = calloc(from->n, sizeof(*to->v));
	if (to->v == NULL)
		return ht_error_memory(e);
	memcpy(to->v, from->v, from->n * sizeof(*to->v));
	to->n = from->n;
	to->room = from->n;
	return 0;
}

void
cfb_list_free(struct cfb_list *list)
{
	free(list->v);
	memset(list, 0, sizeof(*list));
}

/* --- places -------------------------------------------------------------- */

uint64_t
cfb_sector_at(const struct cfb *cfb, uint32_t sector)
{
	return ((uint64_t)sector + 1) << cfb->shift;
}

uint64_t
cfb_mini_at(const struct cfb *cfb, const struct cfb_list *mini_stream,
    uint32_t mini_sector)
{
	unsigned int shift = cfb->shift - CFB_MINI_SHIFT;
	uint32_t within = mini_sector & ((UINT32_C(1) << shift) - 1);

	return cfb_sector_at(cfb, mini_stream->v[mini_sector >> shift]) +
	    ((uint64_t)within << CFB_MINI_SHIFT);
}

bool
cfb_is_zero(const uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (*p != 0)
			return false;
	}
	return true;
}

/* --- chains -------------------------------------------------------------- */

int
cfb_claim(uint8_t *claimed, uint32_t all, uint32_t one, const char *what,
    uint64_t at, struct ht_error *e)
{
	if (one >= all)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "%s: sector 0x%lx is not in the file ([MS-CFB] 2.3)", what,
		    (unsigned long)one);
	if ((claimed[one / 8] & 1U << one % 8) != 0)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "%s: sector 0x%lx is used twice ([MS-CFB] 2.3)", what,
		    (unsigned long)one);
	claimed[one / 8] |= (uint8_t)(1U << one % 8);
	return 0;
}

int
cfb_claim_sector(struct cfb *cfb, uint32_t sector, const char *what,
    uint64_t at, struct ht_error *e)
{
	return cfb_claim(cfb->claimed, cfb->sectors, sector, what, at, e);
}

int
cfb_read_chain(struct cfb *cfb, uint32_t sector, size_t max, const char *what,
    struct cfb_list *list, struct ht_error *e)
{
	uint64_t at = 0;
	int rc;

	for (; sector != CFB_ENDOFCHAIN; sector = cfb->fat.v[sector]) {
		if (list->n == max)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "%s is longer than %zu sectors", what, max);
		if ((rc = cfb_claim_sector(cfb, sector, what, at, e)) < 0 ||
		    (rc = cfb_list_push(list, sector, e)) < 0)
			return rc;
		at = cfb_sector_at(cfb, sector);
	}
	return 0;
}

int
cfb_check_length(const struct cfb_list *list, uint32_t expected,
    const char *what, uint64_t at, struct ht_error *e)
{
	if (list->n == expected)
		return 0;
	return ht_error_at(e, HT_ERR_DATA, at,
	    "%s has %zu sectors where the header says %lu ([MS-CFB] 2.2)", what,
	    list->n, (unsigned long)expected);
}

int
cfb_read_table_sector(struct cfb *cfb, uint32_t sector, struct cfb_list *table,
    uint32_t count, bool also_end, struct ht_error *e)
{
	uint64_t at = cfb_sector_at(cfb, sector);
	const uint8_t *p;
	struct cursor c;
	uint32_t v;
	size_t got;
	int rc;

	rc = input_read(cfb->in, at, (size_t)1 << cfb->shift, &p, &got, e);
	if (rc < 0)
		return rc;
	if (got < (size_t)1 << cfb->shift)
		return ht_error_at(e, HT_ERR_DATA, at + got,
		    "the file ends inside the FAT");
	for (c = cursor_over(p, got); rc == 0 && cursor_u32le(&c, &v) == 0;) {
		if (table->n < count)
			rc = cfb_list_push(table, v, e);
		else if (v != CFB_FREESECT &&
		    !(also_end && v == CFB_ENDOFCHAIN))
			rc = ht_error_at(e, HT_ERR_DATA, at,
			    "an entry for a sector behind the last is not "
			    "free ([MS-CFB] 2.3)");
	}
	return rc;
}

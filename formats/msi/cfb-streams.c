/*
 * The streams of a compound file, and what is in none.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-chain.h"
#include "formats/remains.h"
#include "lib/buf.h"

/* --- the mini stream ----------------------------------------------------- */

static int
read_mini_fat(struct cfb *cfb, struct ht_error *e)
{
	const struct cfb_header *h = &cfb->header;
	const struct cfb_entry *root = &cfb->entries[0];
	uint32_t count = (uint32_t)(root->size >> CFB_MINI_SHIFT);
	uint32_t first = h->mini_fat;
	size_t i;
	int rc;

	/* Some writers mark an absent mini FAT in this way. */
	if (h->mini_fat_sectors == 0 && first == CFB_FREESECT)
		first = CFB_ENDOFCHAIN;
	rc = cfb_read_chain(cfb, first, h->mini_fat_sectors, "the mini FAT",
	    &cfb->mini_fat_sectors, e);
	if (rc == 0)
		rc = cfb_check_length(&cfb->mini_fat_sectors,
		    h->mini_fat_sectors, "the mini FAT", 0x40, e);
	for (i = 0; rc == 0 && i < cfb->mini_fat_sectors.n; i++)
		rc = cfb_read_table_sector(cfb, cfb->mini_fat_sectors.v[i],
		    &cfb->mini_fat, count, true, e);
	if (rc == 0 && cfb->mini_fat.n < count)
		rc = ht_error_at(e, HT_ERR_DATA, 0x40,
		    "the mini FAT does not cover the whole mini stream "
		    "([MS-CFB] 2.4)");
	return rc;
}

int
cfb_read_mini_stream(struct cfb *cfb, struct ht_error *e)
{
	const struct cfb_entry *root = &cfb->entries[0];
	uint64_t at = cfb_entry_at(cfb, &cfb->directory, 0);
	uint64_t capacity;
	int rc;

	if (root->size % CFB_MINI != 0 || root->size > CFB_MINI_MAX)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a mini stream of %llu bytes ([MS-CFB] 2.6.3)",
		    (unsigned long long)root->size);
	if (root->size > 0) {
		rc = cfb_read_chain(cfb, root->start, cfb->sectors,
		    "the mini stream", &cfb->mini_stream, e);
		if (rc < 0)
			return rc;
	}
	capacity = (uint64_t)cfb->mini_stream.n << cfb->shift;
	if (capacity < root->size ||
	    capacity - root->size >= UINT64_C(1) << cfb->shift)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "the mini stream's chain is not as long as the stream "
		    "([MS-CFB] 2.6.3)");
	return read_mini_fat(cfb, e);
}

/* --- streams ------------------------------------------------------------- */

/*
 * Walk the chain of a stream and claim its sectors or mini sectors.  The chain
 * must be as long as the stream.
 */
static int
check_stream(struct cfb *cfb, uint8_t *mini_claimed,
    const struct cfb_entry *stream, uint64_t at, struct ht_error *e)
{
	bool mini = stream->size < CFB_CUTOFF;
	const struct cfb_list *table = mini ? &cfb->mini_fat : &cfb->fat;
	unsigned int shift = mini ? CFB_MINI_SHIFT : cfb->shift;
	uint64_t left = (stream->size + ((UINT64_C(1) << shift) - 1)) >> shift;
	uint32_t one = stream->start;
	int rc;

	if (stream->size == 0)
		return 0;
	for (; left > 0; left--, one = table->v[one]) {
		rc = cfb_claim(mini ? mini_claimed : cfb->claimed,
		    (uint32_t)table->n, one, "stream", at, e);
		if (rc < 0)
			return rc;
	}
	if (one != CFB_ENDOFCHAIN)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a stream's chain goes on behind its end ([MS-CFB] 2.3)");
	return 0;
}

/*
 * Pass count contiguous bytes of the file to fn, in chunks.
 */
static int
read_run(struct input *in, uint64_t at, uint64_t count, cfb_bytes_fn *fn,
    void *cookie, struct ht_error *e)
{
	const uint8_t *p;
	size_t want;
	size_t got;
	int rc;

	for (; count > 0; at += want, count -= want) {
		want = count < INPUT_CHUNK ? (size_t)count : INPUT_CHUNK;
		rc = input_read(in, at, want, &p, &got, e);
		if (rc < 0)
			return rc;
		if (got < want)
			return ht_error_at(e, HT_ERR_DATA, at + got,
			    "the file ends inside a stream");
		rc = fn(cookie, p, got, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
cfb_read_stream(const struct cfb *cfb, const struct cfb_entry *stream,
    cfb_bytes_fn *fn, void *cookie, struct ht_error *e)
{
	bool mini = stream->size < CFB_CUTOFF;
	const struct cfb_list *table = mini ? &cfb->mini_fat : &cfb->fat;
	uint64_t unit = mini ? CFB_MINI : UINT64_C(1) << cfb->shift;
	uint64_t left = stream->size;
	uint32_t one = stream->start;
	uint64_t start = 0;
	uint64_t n = 0;
	uint64_t at;
	int rc;

	for (; left > 0; one = table->v[one]) {
		at = mini ? cfb_mini_at(cfb, &cfb->mini_stream, one)
		          : cfb_sector_at(cfb, one);
		if (at != start + n) {
			rc = read_run(cfb->in, start, n, fn, cookie, e);
			if (rc < 0)
				return rc;
			start = at;
			n = 0;
		}
		n += left < unit ? left : unit;
		left -= left < unit ? left : unit;
	}
	return read_run(cfb->in, start, n, fn, cookie, e);
}

/* --- what is in no chain ------------------------------------------------- */

/* Bytes in free sectors that are not zero, and the first one's place. */
struct stray {
	uint64_t count;
	uint64_t first;
	uint64_t at; /* of the next byte that is passed */
};

static int
count_stray(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	struct stray *stray = cookie;
	size_t all = n;
	size_t i;

	(void)e;
	/* There may be much, and hardly ever anything in it. */
	if (n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0)
		n = 0;
	for (i = 0; i < n; i++) {
		if (p[i] != 0 && stray->count++ == 0)
			stray->first = stray->at + i;
	}
	stray->at += all;
	return 0;
}

/*
 * Check that everything unclaimed among the first n is free, and count what is
 * not zero.
 */
static int
check_free(const struct cfb *cfb, const uint8_t *claimed, bool mini, size_t n,
    struct stray *stray, struct ht_error *e)
{
	const struct cfb_list *table = mini ? &cfb->mini_fat : &cfb->fat;
	uint64_t unit = mini ? CFB_MINI : UINT64_C(1) << cfb->shift;
	uint64_t start = 0;
	uint64_t length = 0;
	uint64_t at;
	uint32_t i;
	int rc;

	for (i = 0; i < n; i++) {
		if ((claimed[i / 8] & 1U << i % 8) != 0)
			continue;
		at = mini ? cfb_mini_at(cfb, &cfb->mini_stream, i)
		          : cfb_sector_at(cfb, i);
		if (table->v[i] != CFB_FREESECT)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "a sector that is not free is in no stream "
			    "([MS-CFB] 2.3)");
		if (at != start + length) {
			stray->at = start;
			rc = read_run(cfb->in, start, length, count_stray,
			    stray, e);
			if (rc < 0)
				return rc;
			start = at;
			length = 0;
		}
		length += unit;
	}
	stray->at = start;
	return read_run(cfb->in, start, length, count_stray, stray, e);
}

/*
 * Check that the last sector is in a chain.  *n is the number of sectors up to
 * the last one that is.
 */
static int
check_end(const struct cfb *cfb, uint32_t *n, struct ht_error *e)
{
	uint64_t end;

	*n = cfb->sectors;
	while (*n > 0 && cfb->fat.v[*n - 1] == CFB_FREESECT)
		--*n;
	if (*n == cfb->sectors)
		return 0;
	end = cfb_sector_at(cfb, *n);
	return remains_of_data(cfb->remains, cfb->size - end, e, end,
	    "%llu bytes behind the last allocated sector ([MS-CFB] 2.3)",
	    (unsigned long long)(cfb->size - end));
}

/*
 * Check what is in no chain.
 */
static int
check_rest(const struct cfb *cfb, const uint8_t *mini_claimed,
    struct ht_error *e)
{
	struct stray stray = { 0, 0, 0 };
	uint32_t n;
	int rc;

	if ((rc = check_end(cfb, &n, e)) < 0 ||
	    (rc = check_free(cfb, cfb->claimed, false, n, &stray, e)) < 0 ||
	    (rc = check_free(cfb, mini_claimed, true, cfb->mini_fat.n, &stray,
	         e)) < 0)
		return rc;
	if (stray.count == 0)
		return 0;
	return remains_of_data(cfb->remains, stray.count, e, stray.first,
	    "%llu bytes of data in free sectors, which no signature covers "
	    "([MS-CFB] 2.3)",
	    (unsigned long long)stray.count);
}

int
cfb_check_streams(struct cfb *cfb, struct ht_error *e)
{
	uint8_t *mini_claimed = calloc(cfb->mini_fat.n / 8 + 1, 1);
	const struct cfb_entry *entry;
	uint32_t i;
	int rc = 0;

	if (mini_claimed == NULL)
		return ht_error_memory(e);
	for (i = 0; rc == 0 && i < cfb->entry_count; i++) {
		entry = &cfb->entries[i];
		if (entry->type == CFB_STREAM)
			rc = check_stream(cfb, mini_claimed, entry,
			    cfb_entry_at(cfb, &cfb->directory, i), e);
	}
	if (rc == 0)
		rc = check_rest(cfb, mini_claimed, e);
	free(mini_claimed);
	return rc;
}

/*
 * A compound file's directory: its entries, and the trees that they form.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-chain.h"
#include "formats/remains.h"
#include "lib/buf.h"

uint64_t
cfb_entry_at(const struct cfb *cfb, const struct cfb_list *directory,
    uint32_t entry)
{
	uint32_t each = (UINT32_C(1) << cfb->shift) / CFB_ENTRY;

	return cfb_sector_at(cfb, directory->v[entry / each]) +
	    (uint64_t)(entry % each) * CFB_ENTRY;
}

/* --- names --------------------------------------------------------------- */

static uint16_t
unit_of(const struct cfb_entry *entry, unsigned int i)
{
	return (uint16_t)(entry->name[i] | entry->name[i + 1] << 8);
}

/*
 * Upper case of Unicode for the letters that occur: Latin, Greek and Cyrillic.
 * Windows Installer's own names have only letters without case.
 */
static uint16_t
upper(uint16_t c)
{
	static const struct {
		uint16_t first;
		uint16_t last;
		uint16_t step;
		int difference;
	} ranges[] = {
		{ 0x0061, 0x007a, 1, -32 },
		{ 0x00e0, 0x00f6, 1, -32 },
		{ 0x00f8, 0x00fe, 1, -32 },
		{ 0x00ff, 0x00ff, 1, 121 },
		{ 0x0101, 0x012f, 2, -1 },
		{ 0x0133, 0x0137, 2, -1 },
		{ 0x013a, 0x0148, 2, -1 },
		{ 0x014b, 0x0177, 2, -1 },
		{ 0x017a, 0x017e, 2, -1 },
		{ 0x03ac, 0x03ac, 1, -38 },
		{ 0x03ad, 0x03af, 1, -37 },
		{ 0x03b1, 0x03c1, 1, -32 },
		{ 0x03c3, 0x03cb, 1, -32 },
		{ 0x03cc, 0x03cc, 1, -64 },
		{ 0x03cd, 0x03ce, 1, -63 },
		{ 0x0430, 0x044f, 1, -32 },
		{ 0x0450, 0x045f, 1, -80 },
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last &&
		    (c - ranges[i].first) % ranges[i].step == 0)
			return (uint16_t)(c + ranges[i].difference);
	}
	return c;
}

int
cfb_compare(const struct cfb_entry *a, const struct cfb_entry *b)
{
	unsigned int i;
	int difference = a->name_size - b->name_size;

	for (i = 0; difference == 0 && i + 1 < a->name_size; i += 2)
		difference = upper(unit_of(a, i)) - upper(unit_of(b, i));
	return difference;
}

const struct cfb_entry *
cfb_find(const struct cfb *cfb, const void *name, size_t name_size)
{
	const struct cfb_entry *root = &cfb->entries[0];
	struct cfb_entry wanted;
	uint32_t i;

	memset(&wanted, 0, sizeof(wanted));
	memcpy(wanted.name, name, name_size);
	wanted.name_size = (uint16_t)name_size;
	for (i = 0; i < root->count; i++) {
		if (cfb_compare(cfb->members[root->first + i], &wanted) == 0)
			return cfb->members[root->first + i];
	}
	return NULL;
}

/* --- entries ------------------------------------------------------------- */

/*
 * Whether the name is valid: its only NUL ends it.
 */
static bool
is_name(const struct cfb_entry *entry)
{
	unsigned int i;

	if (entry->name_size < 4 || entry->name_size > CFB_NAME ||
	    entry->name_size % 2 != 0)
		return false;
	for (i = 0; i + 2 < entry->name_size; i += 2) {
		if (unit_of(entry, i) == 0)
			return false;
	}
	return unit_of(entry, i) == 0;
}

/*
 * Count the bytes of data in an unused entry.  It is all zeros, except that its
 * three numbers of other entries may say "none".
 */
static unsigned int
count_stale(const uint8_t *p)
{
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < CFB_ENTRY; i++)
		count += p[i] != 0 && !(i >= 0x44 && i < 0x50 && p[i] == 0xff);
	return count;
}

/*
 * Note what is in an unused entry, and forget it.
 */
static void
forget_entry(struct cfb *cfb, struct cfb_entry *entry, const uint8_t *p,
    uint64_t at)
{
	unsigned int stale = count_stale(p);

	if (cfb->stale == 0)
		cfb->stale_at = at;
	cfb->stale += stale;
	memset(entry, 0, sizeof(*entry));
	entry->stale = stale > 0;
}

static void
decode(const uint8_t *p, struct cfb_entry *entry)
{
	struct cursor c = cursor_over(p, CFB_ENTRY);
	struct cursor bytes;

	memset(entry, 0, sizeof(*entry));
	(void)cursor_bytes(&c, CFB_NAME, &bytes);
	memcpy(entry->name, bytes.p, CFB_NAME);
	(void)cursor_u16le(&c, &entry->name_size);
	(void)cursor_u8(&c, &entry->type);
	(void)cursor_u8(&c, &entry->colour);
	(void)cursor_u32le(&c, &entry->left);
	(void)cursor_u32le(&c, &entry->right);
	(void)cursor_u32le(&c, &entry->child);
	(void)cursor_bytes(&c, sizeof(entry->clsid), &bytes);
	memcpy(entry->clsid, bytes.p, sizeof(entry->clsid));
	(void)cursor_bytes(&c, sizeof(entry->metadata), &bytes);
	memcpy(entry->metadata, bytes.p, sizeof(entry->metadata));
	(void)cursor_u32le(&c, &entry->start);
	(void)cursor_u64le(&c, &entry->size);
}

/*
 * Read the next entry.  It must have a valid type and a name.
 */
static int
read_entry(struct cfb *cfb, const uint8_t *p, uint64_t at, struct ht_error *e)
{
	struct cfb_entry *entry = &cfb->entries[cfb->entry_count];
	bool first = cfb->entry_count == 0;

	decode(p, entry);
	cfb->entry_count++;
	/* Old writers did not clear the upper half ([MS-CFB] 2.6.3). */
	if (cfb->version == 3)
		entry->size &= UINT32_MAX;
	if (entry->type == CFB_UNUSED && !first) {
		forget_entry(cfb, entry, p, at);
		return 0;
	}
	if (entry->type != (first ? CFB_ROOT : CFB_STREAM) &&
	    (first || entry->type != CFB_STORAGE))
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a directory entry of type %u ([MS-CFB] 2.6.1)",
		    entry->type);
	if (!is_name(entry))
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a directory entry without a proper name ([MS-CFB] 2.6.1)");
	if (entry->type != CFB_STORAGE && entry->size > CFB_SIZE_MAX)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a stream of %llu bytes ([MS-CFB] 2.6.3)",
		    (unsigned long long)entry->size);
	return 0;
}

int
cfb_read_directory(struct cfb *cfb, struct ht_error *e)
{
	uint32_t each = (UINT32_C(1) << cfb->shift) / CFB_ENTRY;
	uint32_t expected = cfb->version == 3 ? 0 : (uint32_t)cfb->directory.n;
	const uint8_t *p;
	size_t got;
	uint32_t i;
	uint32_t j;
	int rc;

	if (cfb->header.directory_sectors != expected || cfb->directory.n == 0)
		return ht_error_at(e, HT_ERR_DATA, 0x28,
		    "the directory has %zu sectors where the header says %lu "
		    "([MS-CFB] 2.2)",
		    cfb->directory.n,
		    (unsigned long)cfb->header.directory_sectors);
	cfb->entries = calloc(cfb->directory.n * each, sizeof(*cfb->entries));
	if (cfb->entries == NULL)
		return ht_error_memory(e);
	for (i = 0; i < cfb->directory.n; i++) {
		uint64_t at = cfb_sector_at(cfb, cfb->directory.v[i]);

		rc = input_read(cfb->in, at, (size_t)1 << cfb->shift, &p, &got,
		    e);
		if (rc == 0 && got < (size_t)1 << cfb->shift)
			rc = ht_error_at(e, HT_ERR_DATA, at + got,
			    "the file ends inside the directory");
		for (j = 0; rc == 0 && j < each; j++)
			rc = read_entry(cfb, p + (size_t)j * CFB_ENTRY,
			    at + (uint64_t)j * CFB_ENTRY, e);
		if (rc < 0)
			return rc;
	}
	if (cfb->stale == 0)
		return 0;
	return remains_of_data(cfb->remains, cfb->stale, e, cfb->stale_at,
	    "%llu bytes of data in unused directory entries, which no "
	    "signature covers ([MS-CFB] 2.6.1)",
	    (unsigned long long)cfb->stale);
}

/* --- trees --------------------------------------------------------------- */

/* What a walk needs: the path down, and the entries met. */
struct walk {
	uint32_t *stack;
	size_t depth;
	bool *seen;
};

static int
damaged_tree(const struct cfb *cfb, uint32_t entry, const char *why,
    struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_DATA,
	    cfb_entry_at(cfb, &cfb->directory, entry), "%s ([MS-CFB] 2.6.4)",
	    why);
}

/*
 * Go down the left side from node, a child of parent.
 */
static int
descend(struct cfb *cfb, struct walk *walk, uint32_t node, uint32_t parent,
    struct ht_error *e)
{
	while (node != CFB_NOSTREAM) {
		if (node >= cfb->entry_count ||
		    cfb->entries[node].type == CFB_UNUSED)
			return damaged_tree(cfb, parent,
			    "a directory entry refers to a missing one", e);
		if (walk->seen[node])
			return damaged_tree(cfb, parent,
			    "two directory entries refer to the same one", e);
		walk->seen[node] = true;
		walk->stack[walk->depth++] = node;
		parent = node;
		node = cfb->entries[node].left;
	}
	return 0;
}

/*
 * Read the members of a storage, in order.
 */
static int
read_members(struct cfb *cfb, struct walk *walk, struct cfb_entry *storage,
    struct ht_error *e)
{
	uint32_t node = (uint32_t)(storage - cfb->entries);
	struct cfb_entry *entry;
	int rc;

	storage->first = cfb->member_count;
	rc = descend(cfb, walk, storage->child, node, e);
	while (rc == 0 && walk->depth > 0) {
		node = walk->stack[--walk->depth];
		entry = &cfb->entries[node];
		if (storage->count > 0 &&
		    cfb_compare(cfb->members[cfb->member_count - 1], entry) >=
		        0)
			return damaged_tree(cfb, node,
			    "a directory entry is not in its place in the tree",
			    e);
		cfb->members[cfb->member_count++] = entry;
		storage->count++;
		rc = descend(cfb, walk, entry->right, node, e);
	}
	return rc;
}

static int
walk_trees(struct cfb *cfb, struct walk *walk, struct ht_error *e)
{
	uint32_t i;
	int rc;

	if (cfb->entries[0].left != CFB_NOSTREAM ||
	    cfb->entries[0].right != CFB_NOSTREAM)
		return damaged_tree(cfb, 0, "the root has siblings", e);
	walk->seen[0] = true;
	rc = read_members(cfb, walk, &cfb->entries[0], e);
	/* The list grows during the loop. */
	for (i = 0; rc == 0 && i < cfb->member_count; i++) {
		if (cfb->members[i]->type == CFB_STORAGE)
			rc = read_members(cfb, walk, cfb->members[i], e);
		else if (cfb->members[i]->child != CFB_NOSTREAM)
			rc = damaged_tree(cfb,
			    (uint32_t)(cfb->members[i] - cfb->entries),
			    "a stream has child entries", e);
	}
	for (i = 0; rc == 0 && i < cfb->entry_count; i++) {
		if (cfb->entries[i].type != CFB_UNUSED && !walk->seen[i])
			rc = damaged_tree(cfb, i,
			    "a directory entry is in no storage", e);
	}
	return rc;
}

int
cfb_read_trees(struct cfb *cfb, struct ht_error *e)
{
	struct walk walk = { NULL, 0, NULL };
	int rc;

	cfb->members = calloc(cfb->entry_count, sizeof(struct cfb_entry *));
	walk.stack = calloc(cfb->entry_count, sizeof(*walk.stack));
	walk.seen = calloc(cfb->entry_count, sizeof(*walk.seen));
	if (cfb->members == NULL || walk.stack == NULL || walk.seen == NULL)
		rc = ht_error_memory(e);
	else
		rc = walk_trees(cfb, &walk, e);
	free(walk.stack);
	free(walk.seen);
	return rc;
}

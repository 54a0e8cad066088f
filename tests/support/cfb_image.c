#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cfb_image.h"

#define END UINT32_C(0xfffffffe)
#define FREE UINT32_C(0xffffffff)
#define MINI 64
#define CUTOFF 4096
#define HEADER_FATS 109

static const uint8_t package[16] = { 0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0,
	0, 0, 0, 0, 0, 0x46 };

/* Each storage's CLSID tells which it is. */
static void
put_clsid(struct buf *out, size_t place, bool storage)
{
	uint8_t clsid[16] = { 0 };

	if (storage)
		clsid[0] = (uint8_t)(place + 1);
	buf_bytes(out, clsid, sizeof(clsid));
}

/* A node of a tree: a balanced one over siblings in order. */
struct node {
	const struct cfb_image_entry *entry;
	size_t place;
	uint32_t left;
	uint32_t right;
	uint32_t child;
	uint32_t start;
};

struct image {
	const struct cfb_image_entry *entries;
	size_t n;
	size_t sector;
	size_t sectors; /* so far */
	uint32_t *fat;
	struct node *nodes;
	uint32_t *mini_fat;
	size_t minis;
	struct buf mini;
	struct buf *out;
};

uint8_t
cfb_image_byte(size_t entry, size_t i)
{
	return (uint8_t)(entry * 31 + i * 7 + (i >> 8) + 1);
}

static void
put_content(struct buf *out, size_t place, size_t size)
{
	uint8_t *p = buf_room(out, size);
	size_t i;

	for (i = 0; p != NULL && i < size; i++)
		p[i] = cfb_image_byte(place, i);
}

static int
by_tree(const void *a, const void *b)
{
	const struct node *left = *(struct node *const *)a;
	const struct node *right = *(struct node *const *)b;
	const char *p = left->entry->name;
	const char *q = right->entry->name;
	int difference = (int)strlen(p) - (int)strlen(q);

	for (; difference == 0 && *p != '\0'; p++, q++)
		difference =
		    toupper((unsigned char)*p) - toupper((unsigned char)*q);
	return difference;
}

/* Numbers in the directory are one more than the place: the root is first. */
static uint32_t
plant(struct node **nodes, size_t n)
{
	size_t middle = n / 2;

	if (n == 0)
		return FREE;
	nodes[middle]->left = plant(nodes, middle);
	nodes[middle]->right = plant(nodes + middle + 1, n - middle - 1);
	return (uint32_t)nodes[middle]->place + 1;
}

static uint32_t
plant_children(struct image *image, int parent)
{
	struct node **children = calloc(image->n + 1, sizeof(*children));
	size_t count = 0;
	uint32_t top;
	size_t i;

	if (children == NULL)
		abort();
	for (i = 0; i < image->n; i++) {
		if (image->entries[i].parent == parent)
			children[count++] = &image->nodes[i];
	}
	qsort(children, count, sizeof(*children), by_tree);
	top = plant(children, count);
	free(children);
	return top;
}

/* A chain of new sectors for size bytes, which the caller puts. */
static uint32_t
chain(struct image *image, size_t size)
{
	size_t count = (size + image->sector - 1) / image->sector;
	uint32_t start = (uint32_t)image->sectors;
	size_t i;

	for (i = 0; i < count; i++)
		image->fat[image->sectors + i] = (uint32_t)(start + i + 1);
	if (count == 0)
		return END;
	image->sectors += count;
	image->fat[image->sectors - 1] = END;
	return start;
}

static void
pad(struct image *image, uint8_t with)
{
	while (image->out->len % image->sector != 0)
		buf_u8(image->out, with);
}

static void
put_streams(struct image *image)
{
	const struct cfb_image_entry *entry;
	size_t count;
	size_t i;
	size_t j;

	for (i = 0; i < image->n; i++) {
		entry = &image->entries[i];
		image->nodes[i].start = END;
		if (entry->size == CFB_IMAGE_STORAGE || entry->size == 0)
			continue;
		if (entry->size >= CUTOFF) {
			image->nodes[i].start = chain(image, entry->size);
			put_content(image->out, i, entry->size);
			pad(image, 0);
			continue;
		}
		count = (entry->size + MINI - 1) / MINI;
		image->nodes[i].start = (uint32_t)image->minis;
		for (j = 0; j < count; j++, image->minis++)
			image->mini_fat[image->minis] =
			    j + 1 < count ? (uint32_t)image->minis + 1 : END;
		put_content(&image->mini, i, entry->size);
		buf_zeros(&image->mini, count * MINI - entry->size);
	}
}

static void
put_name(struct buf *out, const char *name)
{
	size_t length = strlen(name);
	size_t i;

	for (i = 0; i < length; i++)
		buf_u16le(out, (unsigned char)name[i]);
	buf_zeros(out, 64 - 2 * length);
	buf_u16le(out, (uint16_t)(2 * length + 2));
}

static void
put_root(struct image *image, uint32_t start)
{
	struct buf *out = image->out;

	put_name(out, "Root Entry");
	buf_u8(out, 5);
	buf_u8(out, 1);
	buf_u32le(out, FREE);
	buf_u32le(out, FREE);
	buf_u32le(out, plant_children(image, CFB_IMAGE_ROOT));
	buf_bytes(out, package, sizeof(package));
	buf_zeros(out, 20);
	buf_u32le(out, start);
	buf_u32le(out, (uint32_t)image->mini.len);
	buf_u32le(out, 0);
}

static void
put_entry(struct image *image, size_t place)
{
	const struct node *node = &image->nodes[place];
	bool storage = node->entry->size == CFB_IMAGE_STORAGE;
	struct buf *out = image->out;

	put_name(out, node->entry->name);
	buf_u8(out, storage ? 1 : 2);
	buf_u8(out, 1);
	buf_u32le(out, node->left);
	buf_u32le(out, node->right);
	buf_u32le(out, node->child);
	put_clsid(out, place, storage);
	buf_u32le(out, 0);
	buf_zeros(out, 16);
	buf_u32le(out, storage ? 0 : node->start);
	buf_u32le(out, storage ? 0 : (uint32_t)node->entry->size);
	buf_u32le(out, 0);
}

/* Empty entries fill the last sector. */
static uint32_t
put_directory(struct image *image, uint32_t mini_start)
{
	uint32_t start = chain(image, (image->n + 1) * 128);
	size_t i;

	for (i = 0; i < image->n; i++) {
		image->nodes[i].entry = &image->entries[i];
		image->nodes[i].place = i;
		image->nodes[i].child = FREE;
	}
	put_root(image, mini_start);
	for (i = 0; i < image->n; i++) {
		if (image->entries[i].size == CFB_IMAGE_STORAGE)
			image->nodes[i].child = plant_children(image, (int)i);
	}
	for (i = 0; i < image->n; i++)
		put_entry(image, i);
	while (image->out->len % image->sector != 0) {
		buf_zeros(image->out, 64 + 4);
		buf_u32le(image->out, FREE);
		buf_u32le(image->out, FREE);
		buf_u32le(image->out, FREE);
		buf_zeros(image->out, 48);
	}
	return start;
}

/* How many FAT and DIFAT sectors it takes to know of themselves, too. */
static void
count_fat(const struct image *image, size_t *fats, size_t *difats)
{
	size_t each = image->sector / 4;

	*fats = 0;
	*difats = 0;
	while (*fats * each < image->sectors + *fats + *difats) {
		++*fats;
		*difats = *fats <= HEADER_FATS
		    ? 0
		    : (*fats - HEADER_FATS + each - 2) / (each - 1);
	}
}

static void
put_fat(struct image *image, size_t fats, size_t difats)
{
	size_t each = image->sector / 4;
	size_t first = image->sectors;
	size_t next = HEADER_FATS;
	size_t i;
	size_t j;

	for (i = 0; i < fats; i++)
		image->fat[image->sectors++] = UINT32_C(0xfffffffd);
	for (i = 0; i < difats; i++)
		image->fat[image->sectors++] = UINT32_C(0xfffffffc);
	for (i = 0; i < fats * each; i++)
		buf_u32le(image->out,
		    i < image->sectors ? image->fat[i] : FREE);
	for (i = 0; i < difats; i++) {
		for (j = 0; j < each - 1; j++, next++)
			buf_u32le(image->out,
			    next < fats ? (uint32_t)(first + next) : FREE);
		buf_u32le(image->out,
		    i + 1 < difats ? (uint32_t)(first + fats + i + 1) : END);
	}
}

static void
put_header(struct image *image, unsigned int version, struct buf *out,
    uint32_t directory, uint32_t directories, uint32_t mini_fat,
    uint32_t mini_fats)
{
	static const uint8_t magic[8] = { 0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1,
		0x1a, 0xe1 };
	size_t fats;
	size_t difats;
	size_t i;

	count_fat(image, &fats, &difats);
	buf_bytes(out, magic, sizeof(magic));
	buf_zeros(out, 16);
	buf_u16le(out, 0x3e);
	buf_u16le(out, (uint16_t)version);
	buf_u16le(out, 0xfffe);
	buf_u16le(out, version == 3 ? 9 : 12);
	buf_u16le(out, 6);
	buf_zeros(out, 6);
	buf_u32le(out, version == 3 ? 0 : directories);
	buf_u32le(out, (uint32_t)fats);
	buf_u32le(out, directory);
	buf_u32le(out, 0);
	buf_u32le(out, CUTOFF);
	buf_u32le(out, mini_fat);
	buf_u32le(out, mini_fats);
	buf_u32le(out, difats > 0 ? (uint32_t)(image->sectors + fats) : END);
	buf_u32le(out, (uint32_t)difats);
	for (i = 0; i < HEADER_FATS; i++)
		buf_u32le(out,
		    i < fats ? (uint32_t)(image->sectors + i) : FREE);
	buf_zeros(out, image->sector - 512);
	put_fat(image, fats, difats);
	buf_bytes(out, image->out->data, image->out->len);
}

void
cfb_image_build(unsigned int version, const struct cfb_image_entry *entries,
    size_t n, struct buf *out)
{
	struct image image = { .entries = entries, .n = n };
	struct buf body = BUF_INIT;
	size_t total = 1 << 16;
	size_t before;
	uint32_t mini_start;
	uint32_t mini_fat;
	uint32_t directory;
	size_t i;

	image.sector = version == 3 ? 512 : 4096;
	image.out = &body;
	body.limit = out->limit;
	image.mini.limit = out->limit;
	for (i = 0; i < n; i++)
		total += entries[i].size == CFB_IMAGE_STORAGE
		    ? 1
		    : entries[i].size / MINI + 2;
	image.fat = calloc(total, sizeof(*image.fat));
	image.mini_fat = calloc(total, sizeof(*image.mini_fat));
	image.nodes = calloc(n + 1, sizeof(*image.nodes));
	put_streams(&image);
	mini_start = chain(&image, image.mini.len);
	buf_bytes(&body, image.mini.data, image.mini.len);
	pad(&image, 0);
	before = image.sectors;
	mini_fat = chain(&image, image.minis * 4);
	for (i = 0; i < image.minis; i++)
		buf_u32le(&body, image.mini_fat[i]);
	pad(&image, 0xff);
	i = image.sectors;
	directory = put_directory(&image, mini_start);
	put_header(&image, version, out, directory,
	    (uint32_t)(image.sectors - i), mini_fat, (uint32_t)(i - before));
	free(image.fat);
	free(image.mini_fat);
	free(image.nodes);
	buf_free(&image.mini);
	buf_free(&body);
}

/* --- what is covered ----------------------------------------------------- */

/* ASCII names sort as their UTF-16LE bytes do. */
static int
by_name(const void *a, const void *b)
{
	const struct cfb_image_entry *const *left = a;
	const struct cfb_image_entry *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static void
cover(const struct cfb_image_entry *entries, size_t n, int parent,
    struct buf *out)
{
	const struct cfb_image_entry **members =
	    calloc(n + 1, sizeof(*members));
	size_t count = 0;
	size_t i;

	if (members == NULL)
		abort();
	for (i = 0; i < n; i++) {
		if (entries[i].parent == parent &&
		    (parent != CFB_IMAGE_ROOT ||
		        (strcmp(entries[i].name, "\5DigitalSignature") != 0 &&
		            strcmp(entries[i].name,
		                "\5MsiDigitalSignatureEx") != 0)))
			members[count++] = &entries[i];
	}
	qsort(members, count, sizeof(*members), by_name);
	for (i = 0; i < count; i++) {
		size_t place = (size_t)(members[i] - entries);

		if (members[i]->size == CFB_IMAGE_STORAGE)
			cover(entries, n, (int)place, out);
		else
			put_content(out, place, members[i]->size);
	}
	if (parent == CFB_IMAGE_ROOT)
		buf_bytes(out, package, sizeof(package));
	else
		put_clsid(out, (size_t)parent, true);
	free(members);
}

void
cfb_image_covered(const struct cfb_image_entry *entries, size_t n,
    struct buf *out)
{
	cover(entries, n, CFB_IMAGE_ROOT, out);
}

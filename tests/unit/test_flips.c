/*
 * Flip a bit of every byte of small signed files: verifying fails, but where
 * neither digest nor signature nor a rule of the format's structure can know.
 * Each such place has a name here, and there verifying must still succeed.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "formats/appx/appx-parts.h"
#include "formats/msi/cfb.h"
#include "tests/support/mutate.h"
#include "tests/support/samples.h"

/* The PKCS#7 is the same in all files, and test_cms.c flips it, too. */
#define STEP_IN_PKCS7 7

/* A larger file has every so many bytes flipped; odd, for all bits. */
#define LARGE 16384
#define STEP_IN_LARGE 5

/* A signed file, and one bit of it that is flipped. */
struct flip {
	const struct sample *sample;
	const struct buf *bytes; /* before */
	size_t at;
	uint8_t bit; /* as a mask */
	void *state; /* of the format's */
};

/*
 * What the flip may do: verifying fails (NULL), or it succeeds, because of
 * this.  A reason that ends with MAYBE holds as long as the structure is right.
 */
#define MAYBE "; as long as it fits"

static bool
within(size_t at, size_t start, size_t n)
{
	return at >= start && at - start < n;
}

static uint32_t
u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t
u32(const uint8_t *p)
{
	return u16(p) | u16(p + 2) << 16;
}

/* --- PE ------------------------------------------------------------------- */

static const char *
pe_free(const struct flip *f)
{
	const uint8_t *p = f->bytes->data;

	if (within(f->at, u32(p + 0x3c) + 88, 4))
		return "CheckSum, which signing changes; only drivers' counts";
	return NULL;
}

/* --- CAB ------------------------------------------------------------------ */

static const char *
cab_free(const struct flip *f)
{
	if (f->at == 39)
		return "cbCFData, which says how to read what is covered" MAYBE;
	return NULL;
}

/* --- MSI ------------------------------------------------------------------ */

static void *
msi_open(const struct buf *bytes, struct input **in)
{
	struct cfb *cfb = calloc(1, sizeof(*cfb));
	struct ht_error e;

	*in = input_memory(bytes->data, bytes->len, &e);
	assert_non_null(*in);
	assert_non_null(cfb);
	assert_int_equal(cfb_open(cfb, *in, NULL, &e), 0);
	return cfb;
}

static void
msi_close(void *state)
{
	cfb_close(state);
	free(state);
}

static const struct cfb_entry *
find(const struct cfb *cfb, const char *ascii)
{
	uint8_t name[CFB_NAME] = { 0 };
	size_t i;

	for (i = 0; ascii[i] != '\0'; i++)
		name[2 * i] = (uint8_t)ascii[i];
	return cfb_find(cfb, name, 2 * i + 2);
}

/*
 * A directory entry.  MsiDigitalSignatureEx covers more of it, but not those
 * of the two signatures' own.
 */
static const char *
entry_free(const struct cfb *cfb, const struct cfb_entry *entry, size_t at)
{
	const struct cfb_entry *p7 = find(cfb, "\5DigitalSignature");
	const struct cfb_entry *ex = find(cfb, "\5MsiDigitalSignatureEx");
	bool extended = ex != NULL && entry != p7 && entry != ex;
	bool root = entry->type == CFB_ROOT;
	bool stream = entry->type == CFB_STREAM;

	if (entry->type == CFB_UNUSED)
		return NULL;
	if (within(at, 0, entry->name_size))
		return extended && !root ? NULL : "a name" MAYBE;
	if (within(at, 0, CFB_NAME))
		return "what is behind a name";
	if (at == 0x43)
		return "the colour in a tree, which only writers look at";
	if (within(at, 0x50, 16))
		return stream ? "the CLSID of a stream" : NULL;
	if (within(at, 0x60, 4))
		return extended ? NULL : "state bits";
	if (within(at, 0x64, 16))
		return extended && !root ? NULL : "times";
	if (within(at, 0x74, 4))
		return (stream && entry->size > 0) || root
		    ? NULL
		    : "the place of what is empty";
	if (within(at, 0x78, 4) && root)
		return "the size of the mini stream" MAYBE;
	if (within(at, 0x78, 8) && !stream && !root)
		return "the size of a storage";
	if (within(at, 0x7c, 4) && cfb->version == 3)
		return "the upper half of a size";
	return NULL;
}

/*
 * The rest of the last sector of this chain of n bytes.
 */
static bool
is_rest(const struct cfb *cfb, const struct cfb_entry *entry, size_t at)
{
	bool mini = entry->type == CFB_STREAM && entry->size < CFB_CUTOFF;
	size_t unit = mini ? CFB_MINI : (size_t)1 << cfb->shift;
	size_t used = (size_t)entry->size % unit;
	const struct cfb_list *fat = mini ? &cfb->mini_fat : &cfb->fat;
	uint32_t last = entry->start;

	if (entry->type == CFB_UNUSED || entry->type == CFB_STORAGE ||
	    used == 0)
		return false;
	while (fat->v[last] != CFB_ENDOFCHAIN)
		last = fat->v[last];
	return within(at,
	    (size_t)(mini ? cfb_mini_at(cfb, &cfb->mini_stream, last)
	                  : cfb_sector_at(cfb, last)) +
	        used,
	    unit - used);
}

/*
 * An entry of the mini FAT behind the mini stream's end is free, by whichever
 * number.
 */
static bool
is_mini_fat_end(const struct cfb *cfb, const struct flip *f)
{
	size_t start = (size_t)cfb_sector_at(cfb, cfb->mini_fat_sectors.v[0]);
	size_t used = 4 * ((size_t)cfb->entries[0].size / CFB_MINI);
	size_t sector = (size_t)1 << cfb->shift;

	return within(f->at, start + used, sector - used) && f->at % 4 == 0 &&
	    f->bit == 1;
}

static const char *
msi_free(const struct flip *f)
{
	const struct cfb *cfb = f->state;
	size_t at;
	uint32_t i;

	if (within(f->at, 8, 16))
		return "the header's CLSID, which nobody uses";
	if (within(f->at, 0x18, 2))
		return "the minor version";
	if (within(f->at, 0x34, 4))
		return "the transaction number";
	if (f->at == 0x44 && f->bit == 1)
		return "no DIFAT, by either number";
	if (is_mini_fat_end(cfb, f))
		return "no mini sector, by either number";
	for (i = 0; i < cfb->entry_count; i++) {
		at = (size_t)cfb_entry_at(cfb, &cfb->directory, i);
		if (within(f->at, at, CFB_ENTRY))
			return entry_free(cfb, &cfb->entries[i], f->at - at);
		if (is_rest(cfb, &cfb->entries[i], f->at))
			return "the rest of a stream's last sector";
	}
	return NULL;
}

/* --- APPX ----------------------------------------------------------------- */

static void *
appx_open(const struct buf *bytes, struct input **in)
{
	struct appx_parts *parts = calloc(1, sizeof(*parts));
	struct ht_error e;

	*in = input_memory(bytes->data, bytes->len, &e);
	assert_non_null(*in);
	assert_non_null(parts);
	assert_int_equal(appx_parts_open(parts, *in, &e), 0);
	return parts;
}

static void
appx_close(void *state)
{
	appx_parts_close(state);
	free(state);
}

/*
 * The digest leaves out the signature's own entry.  Of that, what says where it
 * is and what it contains is bound to the rest.
 */
static const char *
appx_free(const struct flip *f)
{
	const struct appx_parts *parts = f->state;
	const struct zip_entry *p7x = &parts->part[APPX_P7X];
	size_t central = (size_t)parts->zip.directory_end - p7x->central.left;
	size_t at = f->at - (size_t)p7x->offset;

	if (within(at, 4, 2))
		return "the version needed for the signature's entry";
	if (within(at, 10, 4))
		return "its time";
	at = f->at - central;
	if (within(at, 4, 4))
		return "the versions in its entry in the directory";
	if (within(at, 12, 4))
		return "its time there";
	if (within(at, 36, 6))
		return "its attributes";
	return NULL;
}

/* --- the PKCS#7 ----------------------------------------------------------- */

/*
 * Verified for itself, and up to the root.
 */
static bool
pkcs7_is_good(const struct buf *der)
{
	struct pkcs7 *p7;
	struct ht_error e;
	int rc;

	rc = pkcs7_parse(der->data, der->len, &p7, &e);
	if (rc == 0)
		rc = pkcs7_verify(p7, &e);
	if (rc == 0)
		rc = pkcs7_verify_chain_at(p7, signing_p256.root.data,
		    signing_p256.root.len - 1, time(NULL), &e);
	pkcs7_free(p7);
	return rc == 0;
}

/*
 * Where the name of the signer's issuer is in the SignerInfo.
 */
static size_t
issuer_in(const struct buf *der)
{
	static const char name[] = "Test Intermediate";
	size_t n = sizeof(name) - 1;
	size_t i = der->len - n;

	while (i > 0 && memcmp(der->data + i, name, n) != 0)
		i--;
	assert_true(i > 0);
	return i;
}

/*
 * A flip in the PKCS#7, which is now after and still good.
 */
static const char *
pkcs7_free_at(const struct buf *before, const struct buf *after)
{
	size_t issuer = issuer_in(before);
	size_t i = 0;

	assert_int_equal(before->len, after->len);
	while (before->data[i] == after->data[i])
		i++;
	if ((before->data[i] ^ after->data[i]) == 0x20 &&
	    (before->data[i] == 0x30 || before->data[i] == 0x31 ||
	        before->data[i] == 0xa0))
		return "whether a tag is marked as that of a constructed value";
	if (within(i, issuer, 17))
		return "the case of a letter in the SignerInfo's issuer";
	if (i == issuer - 2)
		return "the string type of the SignerInfo's issuer";
	return NULL;
}

/* --- all ------------------------------------------------------------------ */

static struct kind {
	const char *kind;
	const char *(*why_free)(const struct flip *f);
	void *(*open)(const struct buf *bytes, struct input **in);
	void (*close)(void *state);
} kinds[] = {
	{ "pe", pe_free, NULL, NULL },
	{ "cab", cab_free, NULL, NULL },
	{ "msi", msi_free, msi_open, msi_close },
	{ "cat", NULL, NULL, NULL },
	{ "appx", appx_free, appx_open, appx_close },
	{ "script", NULL, NULL, NULL },
};

/*
 * Why the flip may go unnoticed, or NULL.  If it was in the PKCS#7, that tells.
 */
static const char *
why_free(const struct kind *kind, const struct flip *f, const struct buf *p7,
    const uint8_t *flipped, bool *in_pkcs7)
{
	struct buf found = BUF_INIT;
	const char *why = NULL;

	sample_signature(f->sample, flipped, f->bytes->len, &found);
	*in_pkcs7 = found.len > 0 &&
	    (found.len != p7->len ||
	        memcmp(found.data, p7->data, p7->len) != 0);
	if (!*in_pkcs7 && kind->why_free != NULL)
		why = kind->why_free(f);
	if (*in_pkcs7 && f->at % STEP_IN_PKCS7 == 0 && pkcs7_is_good(&found)) {
		why = pkcs7_free_at(p7, &found);
		if (why == NULL)
			fail_msg("a PKCS#7 with a flip is good");
	}
	buf_free(&found);
	return why;
}

/*
 * Returns whether the flip did what it should.
 */
static bool
is_as_expected(const struct kind *kind, const struct flip *f,
    const struct buf *p7, const uint8_t *flipped)
{
	struct ht_error e;
	const char *why;
	bool in_pkcs7;
	bool fails;
	int rc;

	why = why_free(kind, f, p7, flipped, &in_pkcs7);
	if (in_pkcs7 && f->at % STEP_IN_PKCS7 != 0)
		return true;
	rc =
	    sample_verify(f->sample, &signing_p256, flipped, f->bytes->len, &e);
	fails = rc == HT_ERR_DATA || rc == HT_ERR_REFUSED;
	if (fails ? why == NULL || strstr(why, MAYBE) != NULL
	          : rc == 0 && why != NULL)
		return true;
	print_error("%s: bit 0x%02x at 0x%zx: %s, but should%s%s\n",
	    f->sample->name, f->bit, f->at, rc == 0 ? "verifies" : e.text,
	    why == NULL ? " not" : ": ", why == NULL ? "" : why);
	return false;
}

static void
flip_all(const struct kind *kind, struct flip *f, const struct buf *p7)
{
	size_t n = f->bytes->len;
	size_t step = (n > LARGE ? STEP_IN_LARGE : 1) * mutate_step();
	uint8_t *flipped = malloc(n);
	bool good = true;

	assert_non_null(flipped);
	memcpy(flipped, f->bytes->data, n);
	for (f->at = 0; f->at < n; f->at += step) {
		f->bit = (uint8_t)(1 << f->at % 8);
		flipped[f->at] ^= f->bit;
		good = is_as_expected(kind, f, p7, flipped) && good;
		flipped[f->at] ^= f->bit;
	}
	free(flipped);
	assert_true(good);
}

static void
flip_file(const struct kind *kind, const struct sample *sample)
{
	struct buf bytes = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct input *in = NULL;
	struct flip f = { .sample = sample, .bytes = &bytes };
	struct ht_error e;

	sample_sign(sample, &signing_p256, &bytes);
	sample_signature(sample, bytes.data, bytes.len, &p7);
	assert_int_equal(
	    sample_verify(sample, &signing_p256, bytes.data, bytes.len, &e), 0);
	if (kind->open != NULL)
		f.state = kind->open(&bytes, &in);
	flip_all(kind, &f, &p7);
	if (kind->close != NULL)
		kind->close(f.state);
	input_free(in);
	buf_free(&p7);
	buf_free(&bytes);
}

static void
test_flips(void **state)
{
	const struct kind *kind = *state;
	size_t i;

	for (i = 0; i < samples_count; i++) {
		if (strcmp(samples[i].kind, kind->kind) == 0)
			flip_file(kind, &samples[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "PE", test_flips, NULL, NULL, &kinds[0] },
		{ "CAB", test_flips, NULL, NULL, &kinds[1] },
		{ "MSI", test_flips, NULL, NULL, &kinds[2] },
		{ "catalogs", test_flips, NULL, NULL, &kinds[3] },
		{ "APPX", test_flips, NULL, NULL, &kinds[4] },
		{ "scripts", test_flips, NULL, NULL, &kinds[5] },
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}

/*
 * Windows Installer packages (msi), patches (msp), merge modules (msm) and
 * transforms (mst): compound files with a signature in a stream of the root.
 *
 * The digest covers the content of all streams but the signature's two.  It
 * goes storage by storage, with the members sorted by the bytes of their names.
 * After each storage's members comes its CLSID.  It does not cover names,
 * sizes, state bits and times.
 *
 * A second digest covers these.  It is made if msi_ex asks for it, or if a
 * signature that stays has it.  It is in the stream MsiDigitalSignatureEx, and
 * the first digest then begins with it.
 */

#include "config.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "formats/msi/cfb-edit.h"
#include "formats/msi/cfb.h"
#include "formats/msi/msi-version.h"
#include "signature/spc-asn1.h"

/* UTF-16LE; C adds the second byte of the NUL. */
static const uint8_t signature_name[] = "\5\0D\0i\0g\0i\0t\0a\0l\0S\0i\0g\0n\0"
                                        "a\0t\0u\0r\0e\0\0";
static const uint8_t signature_ex_name[] =
    "\5\0M\0s\0i\0D\0i\0g\0i\0t\0a\0l\0S\0i\0g\0n\0a\0t\0u\0r\0e\0E\0x\0\0";

/* The longest comment of a ZIP file, and the record around it. */
#define ZIP_COMMENT_MAX 65535
#define ZIP_END 22

/* What the digest leaves for the plan. */
struct msi {
	struct cfb cfb;
	bool extended; /* a signature is to have MsiDigitalSignatureEx */
	bool stale;    /* the file has that with another digest */
	struct spc_digest metadata;
};

static int
msi_detect(struct input *in, const char *file_name, bool *is,
    struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	(void)file_name;
	rc = input_read(in, 0, CFB_MAGIC_SIZE, &p, &got, e);
	*is = rc == 0 && got == CFB_MAGIC_SIZE &&
	    memcmp(p, CFB_MAGIC, CFB_MAGIC_SIZE) == 0;
	return rc;
}

/* --- what may be signed -------------------------------------------------- */

/*
 * Check that this is Windows Installer's.  Other compound files are documents
 * of all kinds.
 */
static int
check_class(const struct cfb *cfb, struct ht_error *e)
{
	static const uint8_t classes[][16] = {
		/* {000C1082-…} transforms, 1084 packages, 1086 patches */
		{ 0x82, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0,
		    0x46 },
		{ 0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0,
		    0x46 },
		{ 0x86, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0,
		    0x46 },
	};
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (memcmp(cfb->entries[0].clsid, classes[i],
		        sizeof(classes[i])) == 0)
			return 0;
	}
	return ht_error_at(e, HT_ERR_DATA,
	    cfb_entry_at(cfb, &cfb->directory, 0) + 0x50,
	    "a compound file, but not Windows Installer's: its root has "
	    "another CLSID");
}

/*
 * Refuse what ends like a ZIP file.  Java takes it for one, and would run it
 * under a signature that does not cover what Java reads (CVE-2020-1464).
 */
static int
check_zip(const struct cfb *cfb, struct ht_error *e)
{
	static const size_t most = ZIP_COMMENT_MAX + ZIP_END;
	uint64_t at = cfb->size > most ? cfb->size - most : 0;
	const uint8_t *p;
	size_t got;
	size_t left;
	int rc;

	rc = input_read(cfb->in, at, most, &p, &got, e);
	if (rc < 0)
		return rc;
	for (left = got; left >= ZIP_END; p++, left--) {
		if (p[0] == 'P' && memcmp(p, "PK\5\6", 4) == 0 &&
		    (size_t)(p[20] | p[21] << 8) == left - ZIP_END)
			return ht_error_at(e, HT_ERR_DATA, cfb->size - left,
			    "the file is also a ZIP file, whose end record is "
			    "here (CVE-2020-1464)");
	}
	return 0;
}

/*
 * Find the stream of that name; *found is NULL if there is none.  Windows
 * ignores case, so another spelling is refused.
 */
static int
find_stream(const struct cfb *cfb, const uint8_t *name, size_t name_size,
    const struct cfb_entry **found, struct ht_error *e)
{
	const struct cfb_entry *entry = cfb_find(cfb, name, name_size);

	*found = entry;
	if (entry != NULL &&
	    (entry->type != CFB_STREAM ||
	        memcmp(entry->name, name, name_size) != 0))
		return ht_error_at(e, HT_ERR_DATA,
		    cfb_entry_at(cfb, &cfb->directory,
		        (uint32_t)(entry - cfb->entries)),
		    "an entry named like a signature is not that stream");
	return 0;
}

/* --- the digests --------------------------------------------------------- */

static int
update(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	EVP_MD_CTX *md = cookie;

	if (EVP_DigestUpdate(md, p, n) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	return 0;
}

/*
 * The order of the members in the digests: by the bytes of the names.
 */
static int
by_name(const void *a, const void *b)
{
	const struct cfb_entry *left = *(struct cfb_entry *const *)a;
	const struct cfb_entry *right = *(struct cfb_entry *const *)b;
	size_t n = left->name_size < right->name_size ? left->name_size
	                                              : right->name_size;
	int difference = memcmp(left->name, right->name, n);

	return difference != 0 ? difference
	                       : left->name_size - right->name_size;
}

static void
sort_members(struct cfb *cfb)
{
	const struct cfb_entry *entry;
	uint32_t i;

	for (i = 0; i < cfb->entry_count; i++) {
		entry = &cfb->entries[i];
		if (entry->count > 1)
			qsort(&cfb->members[entry->first], entry->count,
			    sizeof(struct cfb_entry *), by_name);
	}
}

/*
 * Digest what MsiDigitalSignatureEx covers of an entry.
 */
static int
digest_metadata(const struct cfb_entry *entry, EVP_MD_CTX *md,
    struct ht_error *e)
{
	struct buf bytes = BUF_INIT;
	int rc;

	if (entry->type != CFB_ROOT)
		buf_bytes(&bytes, entry->name, entry->name_size - 2U);
	if (entry->type == CFB_STREAM)
		buf_u32le(&bytes, (uint32_t)entry->size);
	else
		buf_bytes(&bytes, entry->clsid, sizeof(entry->clsid));
	/* The root's times change when a file is opened. */
	buf_bytes(&bytes, entry->metadata,
	    entry->type == CFB_ROOT ? 4 : sizeof(entry->metadata));
	rc = buf_failed(&bytes);
	if (rc == 0)
		rc = update(md, bytes.data, bytes.len, e);
	else
		rc = ht_error_memory(e);
	buf_free(&bytes);
	return rc;
}

/* A storage, and the index of its next member. */
struct level {
	const struct cfb_entry *storage;
	uint32_t next;
};

struct tree_digest {
	const struct msi *msi;
	EVP_MD_CTX *md;
	bool metadata;
	const struct cfb_entry *left_out[2];
	struct level *levels;
	size_t depth;
};

static int
enter(struct tree_digest *t, const struct cfb_entry *storage,
    struct ht_error *e)
{
	t->levels[t->depth++] = (struct level){ storage, 0 };
	return t->metadata ? digest_metadata(storage, t->md, e) : 0;
}

static int
leave(struct tree_digest *t, struct ht_error *e)
{
	const struct cfb_entry *storage = t->levels[--t->depth].storage;

	if (t->metadata)
		return 0;
	return update(t->md, storage->clsid, sizeof(storage->clsid), e);
}

static int
digest_member(struct tree_digest *t, const struct cfb_entry *entry,
    struct ht_error *e)
{
	if (entry == t->left_out[0] || entry == t->left_out[1])
		return 0;
	if (entry->type == CFB_STORAGE)
		return enter(t, entry, e);
	if (t->metadata)
		return digest_metadata(entry, t->md, e);
	return cfb_read_stream(&t->msi->cfb, entry, update, t->md, e);
}

/*
 * Depth first, but without recursion, because the file decides how deep it is.
 */
static int
digest_tree(struct tree_digest *t, struct ht_error *e)
{
	const struct cfb *cfb = &t->msi->cfb;
	struct level *level;
	int rc;

	t->levels = calloc(cfb->entry_count, sizeof(*t->levels));
	if (t->levels == NULL)
		return ht_error_memory(e);
	rc = enter(t, &cfb->entries[0], e);
	while (rc == 0 && t->depth > 0) {
		level = &t->levels[t->depth - 1];
		if (level->next == level->storage->count)
			rc = leave(t, e);
		else
			rc = digest_member(t,
			    cfb->members[level->storage->first + level->next++],
			    e);
	}
	free(t->levels);
	return rc;
}

static int
digest_all(struct msi *msi, EVP_MD_CTX *md, const struct cfb_entry *signature,
    const struct cfb_entry *extended, struct spc_digest *out,
    struct ht_error *e)
{
	struct tree_digest t = { .msi = msi,
		.md = md,
		.left_out = { signature, extended } };
	const EVP_MD *algorithm = spc_md(out->algorithm);
	int rc;

	if (EVP_DigestInit_ex(md, algorithm, NULL) != 1)
		goto failed;
	if (msi->extended) {
		msi->metadata = *out;
		t.metadata = true;
		rc = digest_tree(&t, e);
		if (rc < 0)
			return rc;
		if (EVP_DigestFinal_ex(md, msi->metadata.value, NULL) != 1 ||
		    EVP_DigestInit_ex(md, algorithm, NULL) != 1 ||
		    EVP_DigestUpdate(md, msi->metadata.value,
		        msi->metadata.length) != 1)
			goto failed;
		t.metadata = false;
	}
	rc = digest_tree(&t, e);
	if (rc < 0)
		return rc;
	if (EVP_DigestFinal_ex(md, out->value, NULL) == 1)
		return 0;
failed:
	return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
}

/* --- the hooks ----------------------------------------------------------- */

static int
append(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	struct buf *out = cookie;

	buf_bytes(out, p, n);
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

static int
check_length(const struct cfb *cfb, const struct cfb_entry *stream, size_t max,
    struct ht_error *e)
{
	if (stream->size <= max)
		return 0;
	return ht_error_at(e, HT_ERR_DATA,
	    cfb_entry_at(cfb, &cfb->directory,
	        (uint32_t)(stream - cfb->entries)),
	    "a signature of more than %zu bytes", max);
}

static int
read_whole(const struct cfb *cfb, const struct cfb_entry *stream, size_t max,
    struct buf *out, struct ht_error *e)
{
	int rc = check_length(cfb, stream, max, e);

	return rc < 0 ? rc : cfb_read_stream(cfb, stream, append, out, e);
}

/*
 * Set stale to whether the file's digest of its metadata is another one.
 */
static int
compare_metadata(struct msi *msi, const struct cfb_entry *extended,
    struct ht_error *e)
{
	struct buf found = BUF_INIT;
	int rc;

	rc = read_whole(&msi->cfb, extended, CFB_CUTOFF, &found, e);
	msi->stale = found.len != msi->metadata.length ||
	    memcmp(found.data, msi->metadata.value, found.len) != 0;
	buf_free(&found);
	return rc;
}

static int
digest_file(struct format_file *file, EVP_MD_CTX *md, struct msi *msi,
    struct ht_error *e)
{
	const struct cfb_entry *signature;
	const struct cfb_entry *extended;
	int rc;

	if ((rc = cfb_open(&msi->cfb, file->in,
	         file->options.remains ? &file->remains : NULL, e)) < 0 ||
	    (rc = check_class(&msi->cfb, e)) < 0 ||
	    (rc = check_zip(&msi->cfb, e)) < 0 ||
	    (rc = find_stream(&msi->cfb, signature_name, sizeof(signature_name),
	         &signature, e)) < 0 ||
	    (rc = find_stream(&msi->cfb, signature_ex_name,
	         sizeof(signature_ex_name), &extended, e)) < 0)
		return rc;
	/* Removing it leaves zeros, which are held in memory. */
	if (extended != NULL &&
	    (rc = check_length(&msi->cfb, extended, CFB_CUTOFF, e)) < 0)
		return rc;
	file->size = msi->cfb.size;
	file->was_signed = signature != NULL;
	if (file->was_signed && file->options.as_signed)
		file->options.msi_ex = extended != NULL;
	msi->extended = file->options.msi_ex;
	sort_members(&msi->cfb);
	rc = digest_all(msi, md, signature, extended, &file->digest, e);
	if (rc == 0 && msi->extended && extended != NULL)
		rc = compare_metadata(msi, extended, e);
	if (rc == 0 && file->was_signed)
		rc = read_whole(&msi->cfb, signature, PKCS7_MAX,
		    &file->signature, e);
	return rc;
}

static int
msi_digest(struct format_file *file, struct ht_error *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct msi *msi = calloc(1, sizeof(*msi));
	int rc;

	file->state = msi;
	if (md == NULL || msi == NULL)
		rc = ht_error_memory(e);
	else
		rc = digest_file(file, md, msi, e);
	if (rc == 0)
		rc = spc_encode(file->format->name, &file->digest,
		    &file->content, e);
	EVP_MD_CTX_free(md);
	return rc;
}

static int
msi_check(const struct format_file *file, struct ht_error *e)
{
	const struct msi *msi = file->state;

	if (msi->extended && msi->stale)
		return ht_error_set(e, HT_ERR_DATA,
		    "names, sizes or times are not those that "
		    "MsiDigitalSignatureEx covers");
	return 0;
}

/*
 * Remove any signature of the file: both streams, since one is useless without
 * the other.
 */
static int
remove_signature(struct cfb_edit *edit, struct ht_error *e)
{
	int rc;

	rc = cfb_edit_remove(edit, signature_name, sizeof(signature_name), e);
	if (rc == 0)
		rc = cfb_edit_remove(edit, signature_ex_name,
		    sizeof(signature_ex_name), e);
	return rc;
}

static int
put_signature(struct cfb_edit *edit, const struct msi *msi, const void *p7,
    size_t n, struct ht_error *e)
{
	int rc = 0;

	if (msi->extended)
		rc = cfb_edit_put(edit, signature_ex_name,
		    sizeof(signature_ex_name), msi->metadata.value,
		    msi->metadata.length, e);
	if (rc == 0)
		rc = cfb_edit_put(edit, signature_name, sizeof(signature_name),
		    p7, n, e);
	return rc;
}

static int
msi_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	const struct msi *msi = file->state;
	struct cfb_edit *edit;
	int rc;

	if (n > PKCS7_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_MAX);
	rc = cfb_edit_new(&msi->cfb, &edit, e);
	if (rc == 0)
		rc = remove_signature(edit, e);
	if (rc == 0 && p7 != NULL)
		rc = put_signature(edit, msi, p7, n, e);
	if (rc == 0)
		rc = cfb_edit_plan(edit, plan, e);
	cfb_edit_free(edit);
	return rc;
}

static int
msi_signature(struct input *in, struct buf *p7, struct format_remains *remains,
    struct ht_error *e)
{
	const struct cfb_entry *stream;
	struct cfb cfb;
	int rc;

	rc = cfb_open(&cfb, in, remains, e);
	if (rc == 0)
		rc = find_stream(&cfb, signature_name, sizeof(signature_name),
		    &stream, e);
	if (rc == 0 && stream != NULL)
		rc = read_whole(&cfb, stream, PKCS7_MAX, p7, e);
	cfb_close(&cfb);
	return rc;
}

static int
msi_version(const struct format_file *file, struct format_version *out,
    struct ht_error *e)
{
	const struct msi *msi = file->state;

	return msi_version_read(&msi->cfb, out, e);
}

static void
msi_clear(struct format_file *file)
{
	struct msi *msi = file->state;

	if (msi != NULL)
		cfb_close(&msi->cfb);
	free(msi);
	file->state = NULL;
}

const struct format format_msi = {
	.name = "msi",
	.title = "MSI",
	.nests = true,
	.seeks = true,
	.size_max = CFB_SIZE_MAX,
	.detect = msi_detect,
	.digest = msi_digest,
	.check = msi_check,
	.plan = msi_plan,
	.signature = msi_signature,
	.version = msi_version,
	.clear = msi_clear,
};

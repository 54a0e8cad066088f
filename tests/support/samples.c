#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/cab_image.h"
#include "tests/support/catalog.h"
#include "tests/support/cfb_image.h"
#include "tests/support/package.h"
#include "tests/support/pe_image.h"
#include "tests/support/samples.h"
#include "tests/support/signable.h"

/* --- PE ------------------------------------------------------------------ */

static const struct pe_image program = { .machine = PE_IMAGE_X64 };
static const struct pe_image driver = { .machine = PE_IMAGE_ARM64,
	.efi = true };
/* All fields at odd offsets. */
static const struct pe_image installer = { .machine = PE_IMAGE_X86,
	.lfanew = 77,
	.payload = 13 };
static const struct pe_image gap = { .machine = PE_IMAGE_X64,
	.lfanew = 128,
	.gap = 512,
	.code = 1000 };

static void
make_pe(const void *how, struct buf *out)
{
	const struct pe_image *image = how;

	pe_image_build(image, out);
	pe_image_payload(0, buf_room(out, (size_t)image->payload),
	    (size_t)image->payload);
}

/* --- CAB ----------------------------------------------------------------- */

static const struct cab_image cabinet = { .size = 300, .folders = 3 };
static const struct cab_image in_set = { .size = 77,
	.previous = true,
	.next = true,
	.number = 1 };
static const struct cab_image area_in_use = { .size = 40,
	.cabinet_area = 60,
	.first = 26,
	.next = true };
static const struct cab_image areas = { .size = 40,
	.folder_area = 128,
	.data_area = 3,
	.folders = 2 };

static void
make_cab(const void *how, struct buf *out)
{
	cab_image_build(how, out);
}

/* --- MSI ----------------------------------------------------------------- */

/* In a storage, the signature's name is one like others. */
static const struct cfb_image_entry entries[] = {
	{ "beta", CFB_IMAGE_ROOT, 4100 }, { "a", CFB_IMAGE_ROOT, 100 },
	{ "storage", CFB_IMAGE_ROOT, CFB_IMAGE_STORAGE },
	{ "\5DigitalSignature", 2, 200 }, { "deeper", 2, CFB_IMAGE_STORAGE },
	{ "below", 4, 65 }, { "empty", CFB_IMAGE_ROOT, 0 },
	{ "\5MsiDigitalSignatureEx", CFB_IMAGE_ROOT, 32 }, /* a wrong one */
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static const struct compound_file {
	unsigned int version;
	size_t entries;
} version_3 = { 3, ENTRIES - 1 }, version_3_extended = { 3, ENTRIES },
  version_4 = { 4, ENTRIES - 1 }, version_4_extended = { 4, ENTRIES };

static void
make_msi(const void *how, struct buf *out)
{
	const struct compound_file *file = how;

	cfb_image_build(file->version, entries, file->entries, out);
}

/* --- catalogs and packages ------------------------------------------------ */

static const unsigned int one_member = 1;
static const unsigned int three_members = 3;

static void
make_cat(const void *how, struct buf *out)
{
	catalog_make(*(const unsigned int *)how, CATALOG_GOOD, out);
}

static const struct package package = { .method = "sha256",
	.publisher = "CN=Test Signer",
	.files = 1,
	.size = 100 };
static const struct package overridden = { .method = "sha256",
	.publisher = "CN=Test Signer",
	.types_first = true,
	.overridden = true };
static const struct package bundle = { .method = "sha256",
	.publisher = "CN=Test Signer",
	.bundle = true,
	.zip64 = true,
	.deflated = true,
	.descriptor = 24,
	.code_integrity = true,
	.files = 1,
	.size = 100 };

static void
make_appx(const void *how, struct buf *out)
{
	package_make(how, out);
}

/* --- scripts -------------------------------------------------------------- */

static void
make_text(const void *how, struct buf *out)
{
	buf_bytes(out, how, strlen(how));
}

/* ASCII text as UTF-16LE with its mark. */
static void
make_wide(const void *how, struct buf *out)
{
	const char *p;

	buf_u16le(out, 0xfeff);
	for (p = how; *p != '\0'; p++)
		buf_u16le(out, (uint8_t)*p);
}

/* --- all ------------------------------------------------------------------ */

static const struct format_options pages = { .algorithm = "sha256",
	.page_hashes = true };
static const struct format_options extended = { .algorithm = "sha256",
	.msi_ex = true };

const struct sample samples[] = {
	{ "pe", "program.exe", make_pe, &program, 0, NULL },
	{ "pe", "driver.efi", make_pe, &driver, 0, NULL },
	{ "pe", "installer.exe", make_pe, &installer, 13, NULL },
	{ "pe", "gap.dll", make_pe, &gap, 0, NULL },
	{ "pe", "pages.dll", make_pe, &gap, 0, &pages },
	{ "cab", "cabinet.cab", make_cab, &cabinet, 0, NULL },
	{ "cab", "in-set.cab", make_cab, &in_set, 0, NULL },
	{ "cab", "area-in-use.cab", make_cab, &area_in_use, 0, NULL },
	{ "cab", "areas.cab", make_cab, &areas, 0, NULL },
	{ "msi", "version-3.msi", make_msi, &version_3, 0, NULL },
	{ "msi", "version-3-extended.msi", make_msi, &version_3_extended, 0,
	    &extended },
	{ "msi", "version-4.msi", make_msi, &version_4, 0, NULL },
	{ "msi", "version-4-extended.msi", make_msi, &version_4_extended, 0,
	    &extended },
	{ "msi", "made-extended.msi", make_msi, &version_3, 0, &extended },
	{ "cat", "one.cat", make_cat, &one_member, 0, NULL },
	{ "cat", "three.cat", make_cat, &three_members, 0, NULL },
	{ "appx", "package.msix", make_appx, &package, 0, NULL },
	{ "appx", "overridden.appx", make_appx, &overridden, 0, NULL },
	{ "appx", "bundle.msixbundle", make_appx, &bundle, 0, NULL },
	{ "script", "a.ps1", make_text, "one\r\n\xc3\xbc\r\n", 0, NULL },
	{ "script", "wide.ps1", make_wide, "one\r\n", 0, NULL },
	{ "script", "a.ps1xml", make_text, "<a/>\r\n", 0, NULL },
	{ "script", "a.mof", make_text, "class A { };", 0, NULL },
	{ "script", "a.js", make_text, "one(\"\xfc\");\n", 0, NULL },
	{ "script", "wide.vbs", make_wide, "MsgBox 1\r\n", 0, NULL },
	{ "script", "a.wsf", make_text, "<job>\r\n\xc3\xbc</job>\r\n", 0,
	    NULL },
};
const size_t samples_count = sizeof(samples) / sizeof(samples[0]);

void
sample_make(const struct sample *sample, struct buf *out)
{
	sample->make(sample->how, out);
	assert_int_equal(buf_failed(out), 0);
}

int
sample_open(const struct sample *sample, struct input *in,
    struct format_file **file, struct ht_error *e)
{
	return signable_digest(in, sample->name, sample->options, file, e);
}

void
sample_sign(const struct sample *sample, struct signing *signing,
    struct buf *out)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME,
		.description = "My App" };
	struct format_file *file;
	struct input *in;
	struct buf plain = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct ht_error e;

	sample_make(sample, &plain);
	in = input_memory(plain.data, plain.len, &e);
	if (sample_open(sample, in, &file, &e) < 0 ||
	    signing_sign(signing, file->spc, &file->content, &options, &p7,
	        &e) < 0)
		fail_msg("%s: %s", sample->name, e.text);
	signable_attach(file, p7.data, p7.len, out);
	format_file_free(file);
	input_free(in);
	buf_free(&p7);
	buf_free(&plain);
}

int
sample_digest(const struct sample *sample, const void *p, size_t n,
    struct ht_error *e)
{
	return signable_try(p, n, sample->name, sample->options, e);
}

int
sample_verify(const struct sample *sample, const struct signing *signing,
    const void *p, size_t n, struct ht_error *e)
{
	struct format_verified verified = { 0 };
	struct input *in = input_memory(p, n, e);
	const struct format *format;
	int rc;

	ht_error_clear(e);
	assert_non_null(in);
	rc = format_detect(in, sample->name, &format, e);
	if (rc == 0)
		rc = format_verify(format, in, NULL, &verified, e);
	if (rc == 0)
		rc = pkcs7_verify_chain_at(verified.all[0].p7,
		    signing->root.data, signing->root.len - 1, time(NULL), e);
	format_verified_clear(&verified);
	input_free(in);
	return rc;
}

void
sample_signature(const struct sample *sample, const void *p, size_t n,
    struct buf *p7)
{
	const struct format *format;
	struct ht_error e;
	struct input *in = input_memory(p, n, &e);

	assert_non_null(in);
	if (format_detect(in, sample->name, &format, &e) < 0 ||
	    format->signature(in, p7, NULL, &e) < 0)
		buf_reset(p7);
	input_free(in);
}

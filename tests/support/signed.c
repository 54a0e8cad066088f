#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/padding.h"
#include "formats/pe/pe-table.h"
#include "signature/init.h"
#include "tests/support/cab_image.h"
#include "tests/support/catalog.h"
#include "tests/support/cfb_image.h"
#include "tests/support/package.h"
#include "tests/support/pe_image.h"
#include "tests/support/signable.h"
#include "tests/support/signed.h"

struct signing signed_ours;
struct signing signed_other;

/* --- samples of all formats ----------------------------------------------- */

void
signed_make_pe(struct buf *out)
{
	static const struct pe_image image = { PE_IMAGE_X64, false, 0, 0, 0,
		0 };

	pe_image_build(&image, out);
}

void
signed_make_large_pe(struct buf *out)
{
	static const struct pe_image image = { PE_IMAGE_X64, false, 0, 0,
		1 << 20, 5 };
	uint8_t *payload;

	pe_image_build(&image, out);
	payload = buf_room(out, 5);
	pe_image_payload(0, payload, 5);
}

static void
make_cab(struct buf *out)
{
	static const struct cab_image image = { .size = 300000 };

	cab_image_build(&image, out);
}

static void
make_msi(struct buf *out)
{
	static const struct cfb_image_entry entries[] = {
		{ "beta", CFB_IMAGE_ROOT, 5000 },
		{ "a", CFB_IMAGE_ROOT, 100 },
	};

	cfb_image_build(3, entries, 2, out);
}

static void
make_appx(struct buf *out)
{
	static const struct package package = { .method = "sha256",
		.publisher = "CN=Test Signer",
		.files = 1,
		.size = 100 };

	package_make(&package, out);
}

static void
make_cat(struct buf *out)
{
	catalog_make(3, CATALOG_GOOD, out);
}

static void
make_script(struct buf *out)
{
	static const char text[] = "<job>\r\nx\r\n</job>\r\n";

	buf_bytes(out, text, strlen(text));
}

const struct signed_sample signed_samples[SIGNED_SAMPLES] = {
	{ "pe", "pe", NULL, signed_make_pe, true },
	{ "pe", "pe", NULL, signed_make_large_pe, true },
	{ "cab", "cab", NULL, make_cab, true },
	{ "msi", "msi", NULL, make_msi, false },
	{ "appx", "appx", NULL, make_appx, false },
	{ "cat", "cat", NULL, make_cat, true },
	{ "js", "js", "a.js", make_script, true },
	{ "mof", "mof", "a.mof", make_script, true },
	{ "ps1", "ps1", "a.psm1", make_script, true },
	{ "ps1xml", "ps1xml", "a.cdxml", make_script, true },
	{ "vbs", "vbs", "a.vbs", make_script, true },
	{ "wsf", "wsf", "a.wsf", make_script, true },
};

/* --- signing -------------------------------------------------------------- */

void
signed_sign_as(const struct format_options *how,
    const struct signed_sample *sample, struct signing *key,
    const struct buf *plain, struct buf *p7, struct buf *out)
{
	const struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct format_file *file;
	struct ht_error e;
	struct input *in = input_memory(plain->data, plain->len, &e);

	file = signable_open(in, sample->file_name, how);
	assert_string_equal(file->format->name, sample->format);
	if (signing_sign(key, sample->spc, &file->content, &options, p7, &e) <
	    0)
		fail_msg("%s", e.text);
	signable_attach(file, p7->data, p7->len, out);
	format_file_free(file);
	input_free(in);
}

void
signed_sign(const struct signed_sample *sample, struct signing *key,
    const struct buf *plain, struct buf *p7, struct buf *out)
{
	signed_sign_as(NULL, sample, key, plain, p7, out);
}

void
signed_put_entry(struct buf *table, const void *p7, size_t n)
{
	pe_table_header(table, n);
	buf_bytes(table, p7, n);
	buf_zeros(table, padding_of(n));
}

void
signed_put_pe(const struct buf *table, struct buf *out)
{
	uint8_t *entry;
	size_t at;

	signed_make_pe(out);
	at = (size_t)(out->data[0x3c] | out->data[0x3d] << 8);
	entry = out->data + at + 168;
	assert_int_equal(out->len % 8, 0);
	entry[0] = (uint8_t)out->len;
	entry[1] = (uint8_t)(out->len >> 8);
	entry[4] = (uint8_t)table->len;
	entry[5] = (uint8_t)(table->len >> 8);
	buf_bytes(out, table->data, table->len);
}

void
signed_go(const char *word, struct buf *own, struct protocol_go *go)
{
	struct ht_error e;
	struct chain *chain;

	memset(go, 0, sizeof(*go));
	(void)snprintf(go->existing, sizeof(go->existing), "%s", word);
	(void)snprintf(go->profile, sizeof(go->profile), "release");
	assert_int_equal(chain_load(signed_ours.pem.data,
	                     signed_ours.pem.len - 1, &chain, &e),
	    0);
	buf_zeros(own, PROTOCOL_FINGERPRINT);
	chain_fingerprint(chain, buf_room(own, PROTOCOL_FINGERPRINT));
	go->own = buf_cursor(own);
	chain_free(chain);
}

int
signed_start(void **state)
{
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0 ||
	    signing_make("P-256", &signed_ours, &e) < 0)
		return -1;
	return signing_make("P-256", &signed_other, &e);
}

int
signed_stop(void **state)
{
	(void)state;
	signing_clear(&signed_ours);
	signing_clear(&signed_other);
	return 0;
}

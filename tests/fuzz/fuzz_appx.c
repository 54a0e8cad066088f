/*
 * An APPX package from outside.  What does not begin like one, but with a byte
 * below 3, is one of its parts instead: a mutation rarely gets past the
 * checksums that these are behind.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/appx/appx-parts.h"
#include "formats/appx/xml.h"
#include "tests/fuzz/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/*
 * The signature's type is added once, and goes again.
 */
static void
change_types(const uint8_t *p, size_t n)
{
	struct buf with = BUF_INIT;
	struct buf without = BUF_INIT;
	struct buf again = BUF_INIT;
	bool changed;

	if (appx_add_type(p, n, &with, &changed, NULL) == 0 && changed) {
		if (appx_add_type(with.data, with.len, &again, &changed, NULL) <
		        0 ||
		    changed || again.len > 0 ||
		    appx_remove_type(with.data, with.len, &without, &changed,
		        NULL) < 0 ||
		    !changed || without.len != n ||
		    memcmp(without.data, p, n) != 0)
			abort();
	}
	buf_reset(&without);
	(void)appx_remove_type(p, n, &without, &changed, NULL);
	buf_free(&with);
	buf_free(&without);
	buf_free(&again);
}

static void
read_publisher(const uint8_t *p, size_t n)
{
	struct buf publisher = BUF_INIT;
	struct xml_tag tag;
	struct xml xml;
	bool more = true;
	bool found;

	if (xml_open(&xml, "AppxManifest.xml", p, n, NULL) < 0)
		return;
	while (xml_next(&xml, &tag, &more, NULL) == 0 && more) {
		(void)xml_attribute(&xml, &tag, "Publisher", &publisher, &found,
		    NULL);
		buf_reset(&publisher);
	}
	buf_free(&publisher);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *algorithm;

	if (n > 0 && p[0] == 0)
		change_types(p + 1, n - 1);
	else if (n > 0 && p[0] == 1)
		read_publisher(p + 1, n - 1);
	else if (n > 0 && p[0] == 2)
		(void)appx_hash_method(p + 1, n - 1, &algorithm, NULL);
	else
		fuzz_format(p, n, NULL);
	return 0;
}

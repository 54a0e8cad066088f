#include "config.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "lib/buf.h"
#include "pump/clamd.h"
#include "pump/selftest.h"

/* EICAR's test file, in parts, so that nobody finds it in this program. */
#define EICAR 68
static const char parts[3][25] = { "X5O!P%@AP[4\\PZX54(P^)7CC",
	")7}$EICAR-STANDARD-ANTIV", "IRUS-TEST-FILE!$H+H*" };

/* Zip: what is before a file's bytes, and in the central directory; the end. */
#define LOCAL 30
#define CENTRAL 46
#define END 22

static const char filler_name[] = "filler", eicar_name[] = "eicar.com";
#define NAMES (sizeof(filler_name) - 1 + sizeof(eicar_name) - 1)
#define OVERHEAD (2 * (LOCAL + CENTRAL) + 2 * NAMES + END)

/* A zip is sent in pieces; zeros fill it up. */
static const uint8_t zeros[64 << 10];

/* The fields that both headers of a stored file have. */
static void
put_common(struct buf *b, const char *name, uint32_t crc, uint32_t size)
{
	buf_u16le(b, 10); /* version, flags, stored, time and date */
	buf_u16le(b, 0);
	buf_u16le(b, 0);
	buf_u32le(b, 0x21 << 16);
	buf_u32le(b, crc);
	buf_u32le(b, size);
	buf_u32le(b, size);
	buf_u16le(b, (uint16_t)strlen(name));
	buf_u16le(b, 0);
}

static void
put_local(struct buf *b, const char *name, uint32_t crc, uint32_t size)
{
	buf_bytes(b, "PK\003\004", 4);
	put_common(b, name, crc, size);
	buf_bytes(b, name, strlen(name));
}

static void
put_central(struct buf *b, const char *name, uint32_t crc, uint32_t size,
    uint32_t at)
{
	buf_bytes(b, "PK\001\002", 4);
	buf_u16le(b, 10);
	put_common(b, name, crc, size);
	buf_bytes(b, zeros, 10); /* comment, disk, attributes */
	buf_u32le(b, at);
	buf_bytes(b, name, strlen(name));
}

static void
put_end(struct buf *b, uint32_t directory, uint32_t at)
{
	buf_bytes(b, "PK\005\006\0\0\0\0", 8);
	buf_u16le(b, 2);
	buf_u16le(b, 2);
	buf_u32le(b, directory);
	buf_u32le(b, at);
	buf_u16le(b, 0);
}

/* Send size zeros.  Returns their CRC; sends nothing if d is NULL. */
static uint32_t
put_filler(struct clamd *d, uint32_t size)
{
	uLong crc = crc32(0, NULL, 0);
	uint32_t n;

	for (; size > 0; size -= n) {
		n = size < sizeof(zeros) ? size : sizeof(zeros);
		if (d != NULL)
			clamd_bytes(d, zeros, n);
		else
			crc = crc32(crc, zeros, n);
	}
	return (uint32_t)crc;
}

/* A zip of size bytes: filler, then the test file. */
static void
put_zip(struct clamd *d, const char *eicar, uint32_t size)
{
	uint32_t filler = size - OVERHEAD - EICAR, second, directory, crc[2];
	struct buf b = BUF_INIT;

	crc[0] = put_filler(NULL, filler);
	crc[1] =
	    (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)eicar, EICAR);
	put_local(&b, filler_name, crc[0], filler);
	clamd_bytes(d, b.data, b.len);
	(void)put_filler(d, filler);
	second = (uint32_t)b.len + filler;
	buf_reset(&b);
	put_local(&b, eicar_name, crc[1], EICAR);
	buf_bytes(&b, eicar, EICAR);
	directory = (uint32_t)b.len;
	put_central(&b, filler_name, crc[0], filler, 0);
	put_central(&b, eicar_name, crc[1], EICAR, second);
	put_end(&b, (uint32_t)b.len - directory, second + directory);
	clamd_bytes(d, b.data, b.len);
	buf_free(&b);
}

/* Whether the virus that has been sent is found.  If not, says of what. */
static bool
is_found(struct clamd *d, const char *what, struct protocol_tested *tested)
{
	struct protocol_verdict v;

	clamd_end(d, &v);
	tested->date = clamd_date(v.database);
	memcpy(tested->database, v.database, sizeof(tested->database));
	if (strcmp(v.verdict, PROTOCOL_VERDICT_VIRUS) == 0)
		return true;
	(void)snprintf(tested->trouble, sizeof(tested->trouble),
	    "it does not find %s: %.200s", what,
	    v.text[0] != '\0' ? v.text : v.verdict);
	return false;
}

int
selftest_run(struct child *c, const struct protocol_test *what,
    struct ht_error *e)
{
	struct protocol_tested tested;
	struct clamd plain, zipped;
	char eicar[EICAR + 1];
	int rc;

	memset(&tested, 0, sizeof(tested));
	(void)snprintf(eicar, sizeof(eicar), "%s%s%s", parts[0], parts[1],
	    parts[2]);
	clamd_open(&plain, c, what->clamd, what->scan_max);
	clamd_open(&zipped, c, what->clamd, what->scan_max);
	rc = child_confine(e);
	if (rc < 0)
		return rc;
	clamd_begin(&plain);
	clamd_bytes(&plain, (const uint8_t *)eicar, EICAR);
	if (is_found(&plain, "a virus", &tested)) {
		clamd_begin(&zipped);
		put_zip(&zipped, eicar, (uint32_t)what->scan_max);
		(void)is_found(&zipped,
		    "a virus at the end of a zip of clamav_max_size", &tested);
	}
	return child_report(c, PROTOCOL_TESTED, &tested, e);
}

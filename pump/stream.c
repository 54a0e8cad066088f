#include "config.h"

#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pump/clamd.h"
#include "pump/stream.h"

/* The bytes of one read.  A pipe has no more at a time. */
#define PIECE ((size_t)64 << 10)

/* After so many bytes the kernel is told to write them. */
#define STRIDE ((uint64_t)8 << 20)

#define SHA256 32

/* Read once.  *n is 0 at the end. */
static int
take(const struct child *c, uint8_t *p, size_t *n, struct ht_error *e)
{
	ssize_t did;
	int rc = child_wait(c, c->pipe, POLLIN, -1, e);

	*n = 0;
	if (rc < 0)
		return rc;
	do {
		did = read(c->pipe, p, PIECE);
	} while (did < 0 && errno == EINTR);
	if (did < 0)
		return ht_error_errno(e, "cannot read the pipe");
	*n = (size_t)did;
	return 0;
}

/* What cannot be kept is said to keyd, which refuses the file then. */
static int
unkept(struct child *c, int why, struct ht_error *e)
{
	struct protocol_unkept body;

	(void)snprintf(body.text, sizeof(body.text),
	    "the file cannot be kept: %s", strerror(why));
	(void)child_report(c, PROTOCOL_UNKEPT, &body, e);
	return ht_error_set(e, HT_ERR_UNAVAILABLE, "%s", body.text);
}

static int
keep(struct child *c, const uint8_t *p, size_t n, struct ht_error *e)
{
	ssize_t did;

	while (c->file >= 0 && n > 0) {
		did = write(c->file, p, n);
		if (did < 0 && errno != EINTR)
			return unkept(c, errno, e);
		if (did > 0) {
			p += did;
			n -= (size_t)did;
		}
	}
	return 0;
}

/* Have the kernel write what it has, so that less is left for the end. */
static void
write_out(const struct child *c, uint64_t from, uint64_t to)
{
	if (c->file >= 0 && to / STRIDE > from / STRIDE)
		(void)sync_file_range(c->file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* All that comes is hashed, is for clamd as well, and is kept. */
static int
pass(struct child *c, const struct protocol_pump *what, struct clamd *clamd,
    EVP_MD_CTX *md, uint64_t *size, struct ht_error *e)
{
	uint8_t piece[PIECE];
	size_t n;
	int rc;

	for (*size = 0;; *size += n) {
		rc = take(c, piece, &n, e);
		if (rc == 0 && n == 0 && c->file >= 0 && fsync(c->file) < 0)
			return unkept(c, errno, e);
		if (rc < 0 || n == 0)
			return rc;
		if (n > what->max_size - *size)
			return ht_error_set(e, HT_ERR_DATA,
			    "more than %llu bytes",
			    (unsigned long long)what->max_size);
		if (EVP_DigestUpdate(md, piece, n) != 1)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "SHA-256 failed");
		rc = keep(c, piece, n, e);
		if (rc < 0)
			return rc;
		write_out(c, *size, *size + n);
		if (clamd != NULL)
			clamd_bytes(clamd, piece, n);
	}
}

static int
report_bytes(struct child *c, EVP_MD_CTX *md, uint64_t size, struct ht_error *e)
{
	uint8_t sha256[SHA256] = { 0 };
	struct protocol_pumped pumped = { size,
		cursor_over(sha256, sizeof(sha256)) };

	if (EVP_DigestFinal_ex(md, sha256, NULL) != 1)
		return ht_error_set(e, HT_ERR_INTERNAL, "SHA-256 failed");
	return child_report(c, PROTOCOL_PUMPED, &pumped, e);
}

int
stream_run(struct child *c, const struct protocol_pump *what,
    struct ht_error *e)
{
	struct protocol_verdict verdict;
	struct clamd clamd;
	bool scans = what->clamd[0] != '\0';
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t size;
	int rc;

	memset(&verdict, 0, sizeof(verdict));
	if (scans)
		clamd_open(&clamd, c, what->clamd, what->scan_max);
	rc = child_confine(e);
	if (rc == 0 &&
	    (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1))
		rc = ht_error_memory(e);
	if (rc == 0 && scans)
		clamd_begin(&clamd);
	if (rc == 0)
		rc = pass(c, what, scans ? &clamd : NULL, md, &size, e);
	if (rc == 0)
		rc = report_bytes(c, md, size, e);
	if (rc == 0 && scans)
		clamd_end(&clamd, &verdict);
	if (rc == 0)
		rc = child_report(c, PROTOCOL_VERDICT, &verdict, e);
	EVP_MD_CTX_free(md);
	return rc;
}

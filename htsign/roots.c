#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "htsign/file.h"
#include "htsign/roots.h"
#include "lib/base64.h"
#include "signature/der.h"

/* The characters in a line of PEM (RFC 7468, section 2). */
#define LINE ((size_t)64)

static void
put_pem(const struct buf *der, struct buf *out)
{
	struct buf text = BUF_INIT;
	size_t at;
	size_t n;

	base64_encode(der->data, der->len, BASE64_STANDARD, &text);
	buf_format(out, "-----BEGIN CERTIFICATE-----\n");
	for (at = 0; at < text.len; at += n) {
		n = text.len - at < LINE ? text.len - at : LINE;
		buf_bytes(out, text.data + at, n);
		buf_u8(out, '\n');
	}
	buf_format(out, "-----END CERTIFICATE-----\n");
	if (buf_failed(&text) < 0)
		out->failed = true;
	buf_free(&text);
}

/* Whether these bytes are one SEQUENCE, as a certificate is in DER. */
static bool
is_der(const struct buf *bytes)
{
	struct cursor c = buf_cursor(bytes);
	struct der value;

	return bytes->len > 0 && bytes->data[0] == DER_SEQUENCE &&
	    der_next(&c, &value, NULL) == 0 && c.left == 0;
}

static int
read_one(const char *path, size_t max, struct buf *out, struct ht_error *e)
{
	struct buf bytes = BUF_INIT;
	int rc = file_read(path, max, &bytes, e);

	if (rc == 0 && is_der(&bytes)) {
		put_pem(&bytes, out);
	} else if (rc == 0) {
		buf_bytes(out, bytes.data, bytes.len);
		buf_u8(out, '\n');
	}
	if (rc == 0 && buf_failed(out) < 0)
		rc = ht_error_memory(e);
	if (rc == 0 && out->len > max)
		rc = ht_error_set(e, HT_ERR_DATA, "%s: over %zu bytes", path,
		    max);
	buf_free(&bytes);
	return rc;
}

static int
read_folder(const char *path, DIR *folder, size_t max, struct buf *out,
    struct ht_error *e)
{
	const struct dirent *entry;
	char file[PATH_MAX];
	struct stat st;
	int rc = 0;

	while (rc == 0 && (entry = readdir(folder)) != NULL) {
		if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) <
		        (int)sizeof(file) &&
		    stat(file, &st) == 0 && S_ISREG(st.st_mode))
			rc = read_one(file, max, out, e);
	}
	if (rc == 0 && out->len == 0)
		rc = ht_error_set(e, HT_ERR_USAGE, "%s: no file in the folder",
		    path);
	return rc;
}

int
roots_read(const char *path, size_t max, struct buf *out, struct ht_error *e)
{
	DIR *folder = opendir(path);
	int rc;

	if (folder == NULL)
		return read_one(path, max, out, e);
	rc = read_folder(path, folder, max, out, e);
	(void)closedir(folder);
	return rc;
}

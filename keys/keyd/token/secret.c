#include "config.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys/keyd/token/secret.h"
#include "lib/buf.h"
#include "lib/modes.h"

/* N, r and p of scrypt, as RFC 7914 suggests for interactive logins. */
#define COST 16384
#define BLOCK 8
#define PARALLEL 1
#define MEMORY ((uint64_t)32 << 20)

/* Alone on its pages, because the kernel locks whole pages. */
struct secret {
	size_t n;
	uint8_t bytes[SECRET_MAX + 2]; /* with room for a line end */
};

struct secret *
secret_new(struct ht_error *e)
{
	struct secret *s;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED) {
		(void)ht_error_errno(e, "memory for a PIN");
		return NULL;
	}
	if (mlock(s, sizeof(*s)) < 0 ||
	    madvise(s, sizeof(*s), MADV_DONTDUMP) < 0) {
		(void)ht_error_errno(e, "locked memory for a PIN");
		(void)munmap(s, sizeof(*s));
		return NULL;
	}
	return s;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	secret_forget(s);
	(void)munmap(s, sizeof(*s));
}

void
secret_forget(struct secret *s)
{
	ht_wipe(s, sizeof(*s));
}

bool
secret_held(const struct secret *s)
{
	return s->n > 0;
}

const uint8_t *
secret_bytes(const struct secret *s, size_t *n)
{
	*n = s->n;
	return s->bytes;
}

int
secret_set(struct secret *s, const uint8_t *p, size_t n, struct ht_error *e)
{
	secret_forget(s);
	if (n == 0 || n > SECRET_MAX || memchr(p, '\0', n) != NULL)
		return ht_error_set(e, HT_ERR_USAGE, "a PIN has 1 to %d bytes",
		    SECRET_MAX);
	memcpy(s->bytes, p, n);
	s->n = n;
	return 0;
}

/* Return the length of the line in n bytes; 0 if they are not one line. */
static size_t
line_length(const uint8_t *p, size_t n)
{
	if (n > 0 && p[n - 1] == '\n')
		n--;
	if (n > 0 && p[n - 1] == '\r')
		n--;
	if (n > SECRET_MAX || memchr(p, '\n', n) != NULL ||
	    memchr(p, '\0', n) != NULL)
		return 0;
	return n;
}

int
secret_read(struct secret *s, const char *path, struct ht_error *e)
{
	ssize_t n;
	int fd, rc = 0;

	secret_forget(s);
	fd = modes_open_as_owner(path);
	if (fd < 0)
		return ht_error_set(e, HT_ERR_USAGE, "PIN: %s: %s", path,
		    strerror(errno));
	n = read(fd, s->bytes, sizeof(s->bytes));
	if (n < 0)
		rc = ht_error_errno(e, "PIN: %s", path);
	else
		s->n = line_length(s->bytes, (size_t)n);
	(void)close(fd);
	if (rc == 0 && s->n == 0)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "%s: a PIN must be one line, not empty or too long", path);
	if (rc < 0)
		secret_forget(s);
	return rc;
}

int
secret_hash(const struct secret *s, const uint8_t *salt, size_t nsalt,
    uint8_t *hash, size_t nhash, struct ht_error *e)
{
	if (EVP_PBE_scrypt((const char *)s->bytes, s->n, salt, nsalt, COST,
	        BLOCK, PARALLEL, MEMORY, hash, nhash) != 1)
		return ht_error_set(e, HT_ERR_INTERNAL, "scrypt failed");
	return 0;
}

/*
 * A session as the network process reports it, as keyd reads it and as the
 * shell does.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "htsign-shell/environment.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A report has one encoding. */
static void
for_keyd(struct cursor in)
{
	struct protocol_session_blob blob;
	struct buf out = BUF_INIT;

	if (protocol_session_get(in, &blob) < 0)
		return;
	protocol_session_put(&out, &blob);
	if (buf_failed(&out) < 0 || out.len != in.left ||
	    memcmp(out.data, in.p, in.left) != 0)
		abort();
	buf_free(&out);
}

static void
for_the_shell(struct cursor in)
{
	struct environment_source source = { memfd_create("blob", 0), -1 };
	struct protocol_hello hello;
	struct environment env;
	struct ht_error e;

	memset(&env, 0, sizeof(env));
	memset(&hello, 0, sizeof(hello));
	if (write(source.blob, in.p, in.left) == (ssize_t)in.left &&
	    lseek(source.blob, 0, SEEK_SET) == 0 &&
	    environment_read(&source, &env, &e) == 0)
		environment_hello(&env, &hello);
	else if (source.blob >= 0)
		(void)close(source.blob);
	environment_free(&env);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	for_keyd(cursor_over(p, n));
	for_the_shell(cursor_over(p, n));
	return 0;
}

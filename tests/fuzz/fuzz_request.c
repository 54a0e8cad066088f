/*
 * The request line, the same text as the client's variables, and the record
 * that OpenSSH's sshd leaves of a login.
 */

#include "config.h"

#include "htsign-shell/environment.h"
#include "htsign-shell/request-line.h"
#include "htsign-shell/words.h"
#include "protocol/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was taken can be put on the wire, and holds no surprise. */
static void
check(const struct request_line *r)
{
	struct buf out = BUF_INIT;
	const char *c;

	if (r->begin.profile[0] != '\0' && !names_valid(r->begin.profile))
		abort();
	for (c = r->begin.description; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			abort();
	if (strpbrk(r->begin.name, "/\\\n") != NULL)
		abort();
	if (protocol_encode(PROTOCOL_BEGIN, &r->begin, &out) < 0)
		abort();
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct request_line_defaults none = { NULL, NULL, NULL };
	struct request_line_defaults all;
	struct buf certificate = BUF_INIT;
	struct request_line r;
	struct ht_error e;
	char *line = malloc(n + 1);

	if (line == NULL)
		return 0;
	if (n > 0)
		memcpy(line, p, n);
	line[n] = '\0';
	all.description = all.url = all.name = line;
	if (request_line_parse(line, &none, &r, &e) == 0)
		check(&r);
	if (request_line_parse("p", &all, &r, &e) == 0)
		check(&r);
	(void)environment_certificate(p, n, &certificate, &e);
	buf_free(&certificate);
	free(line);
	return 0;
}

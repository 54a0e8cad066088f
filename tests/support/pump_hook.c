/*
 * Makes of htsign-shell one that lies to htsign-pump, as the description of its
 * request says: linked with --wrap=keyd_client_begin and --wrap=input_stream.
 *
 *	PUMP other	it gets other bytes, as many as --size says
 *	PUMP nothing	it gets none
 *	PUMP more	it gets a byte more
 *	PUMP open	it never hears of the end
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "lib/input.h"
#include "protocol/keyd-client.h"

int __real_keyd_client_begin(struct keyd_client *k,
    const struct protocol_begin *begin, struct protocol_go *go, int *spool,
    struct ht_error *e);
int __wrap_keyd_client_begin(struct keyd_client *k,
    const struct protocol_begin *begin, struct protocol_go *go, int *spool,
    struct ht_error *e);
struct input *__real_input_stream(const struct input_stream *how,
    struct ht_error *e);
struct input *__wrap_input_stream(const struct input_stream *how,
    struct ht_error *e);

static char lie[16];
static uint64_t size;
static int left_open;

int
__wrap_keyd_client_begin(struct keyd_client *k,
    const struct protocol_begin *begin, struct protocol_go *go, int *spool,
    struct ht_error *e)
{
	static const char mark[] = "PUMP ";

	if (strncmp(begin->description, mark, sizeof(mark) - 1) == 0)
		(void)snprintf(lie, sizeof(lie), "%s",
		    begin->description + sizeof(mark) - 1);
	size = begin->size;
	return __real_keyd_client_begin(k, begin, go, spool, e);
}

static void
put(int fd, uint64_t n)
{
	while (n > 0 && write(fd, "x", 1) == 1)
		n--;
}

struct input *
__wrap_input_stream(const struct input_stream *how, struct ht_error *e)
{
	struct input_stream lying = *how;

	if (how->pipe < 0 || lie[0] == '\0')
		return __real_input_stream(how, e);
	if (strcmp(lie, "open") == 0)
		left_open = dup(how->pipe);
	else if (strcmp(lie, "more") == 0)
		put(how->pipe, 1);
	else
		lying.pipe = -1;
	if (strcmp(lie, "other") == 0)
		put(how->pipe, size);
	return __real_input_stream(&lying, e);
}

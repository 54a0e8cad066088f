/*
 * The file being read: pull-through input.
 *
 * Every format is written against this one interface.  An input is a stream
 * that is still arriving, a file, or whatever has its bytes, such as an output
 * plan (lib/output.h); reading at an offset waits until those bytes are there.
 * What must see each byte of an upload sees it once, as it arrives: those are
 * the taps.
 *
 * Without a spool a stream keeps its first INPUT_HEAD bytes, and what was last
 * read; reading earlier bytes outside those is a programming error (HT_ERR_
 * INTERNAL).  With a spool (an unlinked file that the stream is copied to) any
 * offset that has arrived can be read again.
 */

#ifndef LIB_INPUT_H
#define LIB_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* How much of the start of a stream can always be read again. */
#define INPUT_HEAD ((size_t)64 << 10)

/* The most that one input_read may ask for. */
#define INPUT_CHUNK ((size_t)256 << 10)

struct input;

/*
 * Called with every byte of a stream, in order, as it arrives; with n == 0
 * never.  Must not fail: it keeps its own state and says so later.
 */
typedef void input_tap_fn(void *cookie, const uint8_t *p, size_t n);

/*
 * Asked while a stream waits for more bytes: what else to poll, and what to do
 * when that is readable.  A negative return ends the read with that code and
 * the error it filled in.  The shell uses it to notice that keyd refused or
 * went away while an upload is going on.
 */
typedef int input_watch_fn(void *cookie, struct ht_error *e);

struct input_stream {
	int fd;            /* stays the caller's */
	int spool;         /* an empty read-write file, or -1; not owned */
	uint64_t max_size; /* bytes; more is HT_ERR_REFUSED, before any tap
				 or consumer has seen the byte beyond it */
	unsigned int idle; /* seconds without a byte: HT_ERR_UNAVAILABLE;
				 0 waits for ever */
	int watch_fd;      /* or -1 */
	input_watch_fn *watch;
	void *watch_cookie;
};

/*
 * As input_read, of n bytes from 1 to INPUT_CHUNK.
 */
typedef int input_source_fn(const void *cookie, uint64_t offset, size_t n,
    const uint8_t **p, size_t *got, struct ht_error *e);

/*
 * An input over a stream, a file (a seekable descriptor, which stays the
 * caller's; read with pread, never mapped), memory (copied), or size bytes from
 * elsewhere (cookie must outlive the input).  NULL and *e on no memory or a bad
 * descriptor.
 */
struct input *input_stream(const struct input_stream *how, struct ht_error *e);
struct input *input_file(int fd, struct ht_error *e);
struct input *input_memory(const void *p, size_t n, struct ht_error *e);
struct input *input_over(input_source_fn *source, const void *cookie,
    uint64_t size, struct ht_error *e);
void input_free(struct input *in);

/*
 * Keep a stream in a spool from now on, with what has already arrived: for a
 * format that seeks, once it is known.  HT_ERR_INTERNAL if more than INPUT_HEAD
 * has been read by then; else as the spool's part of input_read.  Does nothing
 * where any offset can be read anyhow.
 */
int input_spool(struct input *in, int spool, struct ht_error *e);

/*
 * Register a tap on a stream before its first read, at most INPUT_TAPS of
 * them; on other inputs a tap sees each byte that is read for the first time,
 * in order, and input_drain makes sure that it sees all.
 */
#define INPUT_TAPS 4
int input_tap(struct input *in, input_tap_fn *fn, void *cookie,
    struct ht_error *e);

/*
 * Make *p point to the bytes at offset, n <= INPUT_CHUNK of them, and *got how
 * many there are: less than n only where the file ends.  *p is valid until
 * the next call on this input.  Waits; HT_ERR_REFUSED over max_size,
 * HT_ERR_UNAVAILABLE for a stream that stalled or was cut, the code of the
 * watch function, HT_ERR_INTERNAL for an offset that is gone.
 */
int input_read(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e);

/*
 * Exactly n bytes at offset copied to out, or HT_ERR_DATA if the file ends
 * before that, else as input_read.  n may be larger than INPUT_CHUNK.
 */
int input_copy(struct input *in, uint64_t offset, void *out, size_t n,
    struct ht_error *e);

/*
 * Read to the end and say in *size how long the file is.  Afterwards every tap
 * has seen every byte.
 */
int input_drain(struct input *in, uint64_t *size, struct ht_error *e);

/*
 * How many bytes have arrived so far (but for a stream: the size).
 */
uint64_t input_arrived(const struct input *in);

/*
 * Whether a read failed for another reason than what the bytes are: too many,
 * too slow, no room for them.
 */
bool input_failed(const struct input *in);

/*
 * A descriptor that has each byte that arrived at its offset, the input's own
 * and for reading only; or -1.
 */
int input_descriptor(const struct input *in);

/*
 * Whether any offset that arrived can be read again.
 */
bool input_seekable(const struct input *in);

#endif

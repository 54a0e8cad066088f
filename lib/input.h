/*
 * The file being read: pull-through input.
 *
 * Every format is written against this one interface.  An input is a stream
 * that is still arriving, a file, memory, or another source such as an output
 * plan (lib/output.h).  A read at an offset waits until those bytes arrive.
 * A tap sees each byte of an upload once, as it arrives.
 *
 * Without a spool, a stream keeps its first INPUT_HEAD bytes and what was read
 * last.  Reading other earlier bytes is a programming error (HT_ERR_INTERNAL).
 * A spool is an unlinked file to which the stream is copied.  With a spool, any
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
 * Called with every byte of a stream, in order, as it arrives.  n is never 0.
 * A tap cannot fail: it keeps its own state and reports an error later.
 */
typedef void input_tap_fn(void *cookie, const uint8_t *p, size_t n);

/*
 * Called when watch_fd is readable while a stream waits.  A negative
 * return ends the read with that code and with *e.  The shell uses it to
 * notice that keyd refused or went away during an upload.
 */
typedef int input_watch_fn(void *cookie, struct ht_error *e);

struct input_stream {
	int fd;                 /* the caller keeps it */
	int spool;              /* an empty read-write file, which the caller
				 keeps; or -1 */
	int pipe;               /* each byte is written to it, too; the caller
				 keeps it, and it does not block; or -1 */
	unsigned int pipe_idle; /* after so many seconds in which it takes no
				    byte: HT_ERR_UNAVAILABLE; 0 waits for
				    ever */
	uint64_t max_size;  /* in bytes; a longer stream is HT_ERR_REFUSED, and
				 no tap or consumer sees the byte beyond */
	unsigned int idle;  /* after so many seconds without a byte:
				 HT_ERR_UNAVAILABLE; 0 waits for ever */
	unsigned int least; /* so many bytes a second, on average from the
				    first one on, or HT_ERR_TEMPORARY; 0 for
				    no such limit */
	unsigned int
	    slow_after; /* looked at after so many seconds, 1 or more */
	int watch_fd;   /* or -1 */
	input_watch_fn *watch;
	void *watch_cookie;
};

/*
 * Does and returns what input_read does.  n is from 1 to INPUT_CHUNK.
 */
typedef int input_source_fn(const void *cookie, uint64_t offset, size_t n,
    const uint8_t **p, size_t *got, struct ht_error *e);

/*
 * Make an input, which the caller frees.  input_stream reads a descriptor as
 * *how says.  input_file reads a regular file with pread(2) and never maps it.
 * The caller keeps fd.  input_memory copies n bytes at p.  input_over gets size
 * bytes from source; cookie must outlive the input.  All return NULL and *e
 * (HT_ERR_INTERNAL) if there is no memory.  So does input_file if fd is bad or
 * no regular file.
 */
struct input *input_stream(const struct input_stream *how, struct ht_error *e);
struct input *input_file(int fd, struct ht_error *e);
struct input *input_memory(const void *p, size_t n, struct ht_error *e);
struct input *input_over(input_source_fn *source, const void *cookie,
    uint64_t size, struct ht_error *e);
void input_free(struct input *in);

/*
 * Give a stream a spool later: for a format that seeks, once it is known.
 * Copies what has arrived to the spool, an empty read-write file that the
 * caller keeps.  Does nothing if the input is seekable already.
 * HT_ERR_INTERNAL if the start of the stream is gone, which does not happen
 * before a read beyond INPUT_HEAD.  HT_ERR_UNAVAILABLE if the spool has no
 * room.  After an error the stream has no spool.
 */
int input_spool(struct input *in, int spool, struct ht_error *e);

/*
 * Register a tap before the first read.  On an input that is no stream, a tap
 * sees each byte when it is read for the first time, in order; bytes that are
 * skipped come with input_drain.  HT_ERR_INTERNAL for more than INPUT_TAPS
 * taps, or after the first read.
 */
#define INPUT_TAPS 4
int input_tap(struct input *in, input_tap_fn *fn, void *cookie,
    struct ht_error *e);

/*
 * Read n <= INPUT_CHUNK bytes at offset, waiting for them.  *p points to the
 * bytes and *got is their number, less than n only at the end of the file.  *p
 * is borrowed until the next call on this input.
 *
 * HT_ERR_REFUSED if a stream exceeds max_size.  HT_ERR_UNAVAILABLE if a stream
 * stalled or was cut, or the spool has no room.  HT_ERR_TEMPORARY if a stream is
 * too slow.  HT_ERR_DATA if a file became
 * shorter.  HT_ERR_INTERNAL if the bytes at offset are gone, n is too large, or
 * a system call failed.  An error of the watch function is returned as it is.
 * After an error a stream receives no more: later reads return the same error.
 */
int input_read(struct input *in, uint64_t offset, size_t n, const uint8_t **p,
    size_t *got, struct ht_error *e);

/*
 * Copy exactly n bytes at offset to out.  n may be larger than INPUT_CHUNK.
 * HT_ERR_DATA if the file ends before that.  Also the errors of input_read.
 */
int input_copy(struct input *in, uint64_t offset, void *out, size_t n,
    struct ht_error *e);

/*
 * Read to the end and set *size to the length of the file in bytes.
 * Afterwards every tap has seen every byte.  Returns the errors of input_read.
 */
int input_drain(struct input *in, uint64_t *size, struct ht_error *e);

/*
 * Whether a stream failed while it arrived: too many bytes, too slow, cut, or
 * no room for them.  This tells such an error from one in the bytes
 * themselves.  Always false for an input that is no stream.
 */
bool input_failed(const struct input *in);

/*
 * A descriptor that has each arrived byte at its offset: the spool, or the
 * file.  -1 if there is none.  Borrowed, and for reading only.
 */
int input_descriptor(const struct input *in);

#endif

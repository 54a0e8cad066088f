/*
 * clamd(8), as one stream: INSTREAM, and VERSION beside it, for the database.
 *
 * clamd answers OK to what is over its limits, so the stream has a limit of its
 * own.  Whatever else keeps a stream from being scanned makes it
 * PROTOCOL_VERDICT_UNSCANNED.  No function fails: clamd_end says all.
 */

#ifndef PUMP_CLAMD_H
#define PUMP_CLAMD_H

#include "pump/child.h"

/* The longest answer, in bytes, with its NUL. */
#define CLAMD_ANSWER 1024

/* How long clamd may take for its next byte, in milliseconds. */
#define CLAMD_PATIENCE 150000

struct clamd {
	const struct child *child;
	int stream; /* its connections; -1: closed */
	int version;
	uint64_t left;     /* bytes that may follow */
	struct ht_error e; /* why it is not scanned; code 0: none */
};

/*
 * Connect to the socket at path, for a stream of at most most bytes.  For a
 * child that has not entered its sandbox yet.  child is borrowed.
 */
void clamd_open(struct clamd *d, const struct child *child, const char *path,
    uint64_t most);

/*
 * Begin the stream; send n more bytes of it; end it, and wait for the answer.
 */
void clamd_begin(struct clamd *d);
void clamd_bytes(struct clamd *d, const uint8_t *p, size_t n);
void clamd_end(struct clamd *d, struct protocol_verdict *v);

/*
 * What an answer of n bytes to INSTREAM, without its NUL, says.  A byte that
 * clamd does not use in the name of a virus makes it no answer.
 */
void clamd_verdict(const char *answer, size_t n, struct protocol_verdict *v);

/*
 * The date in an answer to VERSION, "ClamAV 1.4.3/27000/Sun Nov 29 03:53:37
 * 2026", in seconds since 1970, taken as UTC.  0 if there is none.
 */
uint64_t clamd_date(const char *answer);

#endif

/*
 * A keyd for tests of shells.  It is a real peer with its own key.  It fails at
 * the step and in the way that the test chooses.
 */

#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include "protocol/messages.h"
#include "tests/support/signing.h"
#include "tests/support/tsa.h"

/* The number of all requests. */
#define PEER_NUMBER 17

/* When keyd fails, and how. */
enum peer_step {
	PEER_AT_HELLO,
	PEER_AT_BEGIN,
	PEER_AT_CONTENT,
	PEER_AT_PARTS, /* after half of the signature */
	PEER_AT_OUTPUT,
	PEER_AT_COMMAND,
	PEER_NEVER
};
enum peer_fault {
	PEER_CLOSES,
	PEER_SPEAKS_OUT_OF_TURN,
	PEER_SENDS_GARBAGE,
	PEER_REFUSES,
	PEER_SIGNS_SOMETHING_ELSE, /* PEER_AT_CONTENT only */
	PEER_SENDS_NO_PKCS7        /* PEER_AT_CONTENT only */
};

struct peer {
	struct signing *key;
	enum peer_step step;
	enum peer_fault fault;
	const char *formats;  /* of GO */
	const char *existing; /* of GO; for "own", GO has key's certificate */
	uint64_t max_size;
	const char *profile;       /* of WELCOME */
	const char *waits;         /* a reason to send in WAIT, or NULL */
	const struct tsa *roots;   /* whose root is in SIGNED, or NULL */
	const struct tsa *stamps;  /* who stamps the signature, or NULL */
	bool stamps_another;       /* the timestamp is of something else */
	int64_t stamp_late;        /* by so many seconds from now */
	const char *note;          /* in SIGNED, or NULL */
	bool refuses_early;        /* send REFUSE during the upload */
	bool admin;                /* the connection of an administrator */
	struct protocol_done done; /* the answer to COMMAND, after a PRINT */
	/* What the shell has sent. */
	struct protocol_hello hello;
	struct protocol_begin begin;
	struct protocol_content content;
	struct protocol_fail fail; /* status 0 if it has sent none */
	struct protocol_output output;
	struct protocol_kept kept;
	uint8_t input_sha256[32];
	uint8_t output_sha256[32];
	uint64_t delivered;
	size_t spooled;
	struct buf words; /* of a COMMAND; the test frees both */
	struct buf input;
};

/*
 * A peer that does nothing wrong and signs with key, which is borrowed.
 */
struct peer peer_good(struct signing *key);

/*
 * Serve the shell at fd until the shell leaves or keyd fails.  Consumes fd.  *k
 * then has what the shell sent.  A shell that breaks the rules of the protocol
 * fails the test.
 */
void peer_serve(struct peer *k, int fd);

#endif

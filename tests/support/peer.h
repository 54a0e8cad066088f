/*
 * A keyd for tests of its shells: a real peer with a key of its own, which
 * fails where and how the test wants.
 */

#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include "protocol/messages.h"
#include "tests/support/signing.h"

/* The number of every request. */
#define PEER_NUMBER 17

/* Where keyd stops being as it should, and how. */
enum peer_step {
	PEER_AT_HELLO,
	PEER_AT_BEGIN,
	PEER_AT_CONTENT,
	PEER_AT_PARTS, /* half of the signature is out */
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
	const char *existing; /* of GO: "own" means the key's certificate */
	uint64_t max_size;
	const char *profile;       /* of WELCOME */
	const char *waits;         /* a reason, or NULL */
	bool refuses_early;        /* REFUSE during the upload */
	bool admin;                /* it is an administrator's connection */
	struct protocol_done done; /* after a COMMAND, and PRINT "printed" */
	/* What the shell said. */
	struct protocol_hello hello;
	struct protocol_begin begin;
	struct protocol_content content;
	struct protocol_fail fail; /* status 0: none */
	struct protocol_output output;
	struct protocol_kept kept;
	uint8_t input_sha256[32];
	uint8_t output_sha256[32];
	uint64_t delivered;
	size_t spooled;
	struct buf words; /* of a COMMAND, to be freed */
	struct buf input;
};

/*
 * One that does nothing wrong, and signs with key.
 */
struct peer peer_good(struct signing *key);

/*
 * Serve the shell at fd, which it owns, until the shell goes or keyd fails;
 * what the shell said is in *k afterwards.  A shell that breaks the rules of
 * the protocol fails the test.
 */
void peer_serve(struct peer *k, int fd);

#endif

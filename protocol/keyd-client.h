/*
 * The half that asks: what htsign-shell and htsign-principals say to
 * htsign-keyd.  Each function is one step and waits for the answer.
 *
 * Every function returns 0 or HT_ERR_*.  If keyd refused, the code is the one
 * that keyd gave and *e has its text.  k->refusal is the whole refusal, with
 * the number of the request and the seconds after which to try again.  If a
 * send fails and keyd has refused before, the error is that refusal.
 * HT_ERR_UNAVAILABLE if keyd is gone or silent.  HT_ERR_INTERNAL if keyd breaks
 * the protocol, a message does not fit, or there is no memory.  After an error
 * call only keyd_client_fail, if a request is open, and keyd_client_close.
 */

#ifndef PROTOCOL_KEYD_CLIENT_H
#define PROTOCOL_KEYD_CLIENT_H

#include "protocol/messages.h"

/* A keyd that is silent for so long counts as gone, in milliseconds. */
#define KEYD_CLIENT_TIMEOUT 60000

/* The shortest wait that the user is told of, in milliseconds. */
#define KEYD_CLIENT_PATIENCE 2000

typedef void keyd_client_waiting_fn(void *cookie,
    const struct protocol_wait *wait);

struct keyd_client {
	struct protocol_link link;
	int pipe; /* of the open request: for each byte of the input; or -1.
	             What sends KEPT or CONTENT closes it before */
	keyd_client_waiting_fn *waiting; /* the caller's: called when nothing
	                                    follows a WAIT within
	                                    KEYD_CLIENT_PATIENCE; or NULL */
	void *cookie;
	int (*file)(void *cookie, int fd, const struct protocol_file *file,
	    struct ht_error *e); /* the caller's, for FILE; or NULL */
	int (*pause)(int fd, struct ht_error *e); /* the caller's: waits until
	                fd can be read; its error ends keyd_client_command;
	                or NULL */
	struct buf own;   /* memory of own in the last GO */
	struct buf roots; /* memory of roots in the last SIGNED */
	uint64_t number;  /* of the open or the last request; or 0 */
	bool refused;
	struct protocol_refuse refusal;
};

/*
 * Connect to the socket at path.  A keyd that is being started is waited for.
 * HT_ERR_UNAVAILABLE if keyd is not there within 5 seconds.
 */
int keyd_client_connect(struct keyd_client *k, const char *path,
    enum protocol_kind kind, struct ht_error *e);

/*
 * Use the bound connection that our server passed to us.  Owns fd from now on,
 * and closes it on error.
 */
int keyd_client_bound(struct keyd_client *k, int fd, enum protocol_kind kind,
    struct ht_error *e);
void keyd_client_close(struct keyd_client *k);

/*
 * HELLO and WELCOME.  welcome->profiles points into *profiles, which is empty
 * before and which the caller frees.
 */
int keyd_client_greet(struct keyd_client *k, const struct protocol_hello *hello,
    struct protocol_welcome *welcome, struct buf *profiles, struct ht_error *e);

/*
 * ASK and TICKET: the only step of htsign-principals.
 */
int keyd_client_ticket(struct keyd_client *k, const struct protocol_ask *ask,
    struct protocol_ticket_for *ticket, struct ht_error *e);

/*
 * BEGIN and GO.  The caller closes *spool; it is -1 on error.  go->own is valid
 * until the next keyd_client_begin or keyd_client_close.  Sets k->number and
 * k->pipe.
 */
int keyd_client_begin(struct keyd_client *k, const struct protocol_begin *begin,
    struct protocol_go *go, int *spool, struct ht_error *e);

/*
 * Whether keyd has ended the request while we read the file.  For the watch
 * function of an input (lib/input.h), over the descriptor keyd_client_fd.
 * Receives what has arrived.  Returns 0, or the error that ended the request.
 * Any message but REFUSE is HT_ERR_INTERNAL.
 */
int keyd_client_fd(const struct keyd_client *k);
int keyd_client_check(struct keyd_client *k, struct ht_error *e);

/*
 * CONTENT with der in PARTs, then wait for SIGNED.  Sets content->length.
 * Appends the PKCS#7 to *pkcs7.  said->roots is valid until the next such call
 * or keyd_client_close.  HT_ERR_REFUSED if der is empty or exceeds
 * protocol_content_max.
 */
int keyd_client_content(struct keyd_client *k, struct protocol_content *content,
    struct cursor der, struct buf *pkcs7, struct protocol_signed *said,
    struct ht_error *e);

/*
 * OUTPUT, with the recipe in PARTs if GO wants one, and RELEASE.  Sets
 * output->length.  After success the output may leave the process.
 */
int keyd_client_output(struct keyd_client *k, struct protocol_output *output,
    struct cursor recipe, struct ht_error *e);

/*
 * KEPT and RELEASE, for a file that goes back as it came.  Replaces
 * keyd_client_content and keyd_client_output.  Only if existing in GO is
 * "keep".
 */
int keyd_client_kept(struct keyd_client *k, const struct protocol_kept *kept,
    struct ht_error *e);

/*
 * DELIVERED, which keyd does not answer.
 */
int keyd_client_delivered(struct keyd_client *k, uint64_t bytes,
    struct ht_error *e);

/*
 * FAIL and NOTED: end the request with the code, offset and text of *why.
 * word is its code in the journal.  Sets k->number.  Does nothing and returns 0
 * if keyd has refused, because the journal has that already, or if there is no
 * connection.  If htsign-pump has left the pipe, waits for keyd's refusal instead.
 * Harmless if keyd is gone.
 */
int keyd_client_fail(struct keyd_client *k, const struct ht_error *why,
    const char *word, struct ht_error *e);

/*
 * COMMAND, FILE, PRINT and DONE.  words is a list of strings made with buf_text.
 * Calls print with each piece of stdout; an error of print ends the command.
 * For a FILE it calls k->file before, which takes over fd.
 * done->status says how the command ended: a failed command is no error of this
 * function.
 */
typedef int keyd_client_print_fn(void *cookie, struct cursor bytes,
    struct ht_error *e);
int keyd_client_command(struct keyd_client *k, const struct buf *words,
    struct cursor input, keyd_client_print_fn *print, void *cookie,
    struct protocol_done *done, struct ht_error *e);

/*
 * A command that k->pause has ended goes on in keyd.  Until its DONE has come
 * the connection is busy, and takes no other command.  keyd_client_rest receives
 * what has arrived of its answer, without waiting, and forgets it.  It also
 * tells of a connection that is gone.
 */
bool keyd_client_busy(const struct keyd_client *k);
int keyd_client_rest(struct keyd_client *k, struct ht_error *e);

#endif

/*
 * The half that asks: what htsign-shell and htsign-principals say to
 * htsign-keyd, one step a function, waiting for the answer.
 *
 * Every function returns 0 or HT_ERR_*.  When keyd refused, the code is the one
 * it gave, the text is in *e, and k->refusal holds all of it, with the
 * request's number and the seconds after which to try again; when keyd is gone
 * or silent the code is HT_ERR_UNAVAILABLE.  Where sending fails, the error is
 * keyd's, if it has said why.  After an error only keyd_client_fail, where a
 * request is open, and keyd_client_close may follow.
 */

#ifndef PROTOCOL_KEYD_CLIENT_H
#define PROTOCOL_KEYD_CLIENT_H

#include "protocol/messages.h"

/* keyd silent for so long is away, in milliseconds. */
#define KEYD_CLIENT_TIMEOUT 60000

/* Waiting for less is not worth a word, in milliseconds. */
#define KEYD_CLIENT_PATIENCE 2000

struct keyd_client {
	struct protocol_link link;
	struct buf own;  /* what the last GO's own points into */
	uint64_t number; /* of the open request, or of the last one; or 0 */
	bool refused;
	struct protocol_refuse refusal;
};

/*
 * Connect to the socket at path, or take over a connection that the server
 * which started us has bound (fd is its own from then on).
 * HT_ERR_UNAVAILABLE if keyd is not there.
 */
int keyd_client_connect(struct keyd_client *k, const char *path,
    enum protocol_kind kind, struct ht_error *e);
int keyd_client_bound(struct keyd_client *k, int fd, enum protocol_kind kind,
    struct ht_error *e);
void keyd_client_close(struct keyd_client *k);

/*
 * HELLO and WELCOME.  welcome->profiles points into *profiles, which the
 * caller frees.
 */
int keyd_client_greet(struct keyd_client *k, const struct protocol_hello *hello,
    struct protocol_welcome *welcome, struct buf *profiles, struct ht_error *e);

/*
 * ASK and TICKET, for htsign-principals: the only thing said there.
 */
int keyd_client_ticket(struct keyd_client *k, const struct protocol_ask *ask,
    struct protocol_ticket_for *ticket, struct ht_error *e);

/*
 * BEGIN and GO: *spool is the caller's to close, and go->own is valid until the
 * next BEGIN or keyd_client_close.
 */
int keyd_client_begin(struct keyd_client *k, const struct protocol_begin *begin,
    struct protocol_go *go, int *spool, struct ht_error *e);

/*
 * Has keyd ended the request while we were busy with the file?  For the watch
 * function of an input over the descriptor keyd_client_fd: takes what arrived.
 * 0, or the reason why the request is over.
 */
int keyd_client_fd(const struct keyd_client *k);
int keyd_client_check(struct keyd_client *k, struct ht_error *e);

/*
 * CONTENT, and the wait for the signature.  waiting (or NULL) is called for
 * every WAIT that has lasted for KEYD_CLIENT_PATIENCE.  The PKCS#7 is put at
 * the end of *pkcs7 and the name of the certificate copied to certificate
 * (PROTOCOL_NAME bytes).
 */
typedef void keyd_client_waiting_fn(void *cookie,
    const struct protocol_wait *wait);
int keyd_client_content(struct keyd_client *k, struct protocol_content *content,
    struct cursor der, keyd_client_waiting_fn *waiting, void *cookie,
    struct buf *pkcs7, char *certificate, struct ht_error *e);

/*
 * OUTPUT and RELEASE: after this the signature may leave.
 */
int keyd_client_output(struct keyd_client *k,
    const struct protocol_output *output, struct ht_error *e);

/*
 * KEPT and RELEASE, for a file that goes back as it came: in the place of
 * keyd_client_content and keyd_client_output, where GO said so.
 */
int keyd_client_kept(struct keyd_client *k, const struct protocol_kept *kept,
    struct ht_error *e);

/*
 * DELIVERED: not answered.
 */
int keyd_client_delivered(struct keyd_client *k, uint64_t bytes,
    struct ht_error *e);

/*
 * FAIL and NOTED: the request ends with why (its code, offset and text) and
 * the word that names it in the journal.  k->number is the request's number
 * afterwards.  Not after keyd has refused (the journal has that already), and
 * harmless when keyd is gone.
 */
int keyd_client_fail(struct keyd_client *k, const struct ht_error *why,
    const char *word, struct ht_error *e);

/*
 * COMMAND, PRINT and DONE.  words is a list of strings as buf_text puts them;
 * print gets what belongs on stdout.  *done is filled in; its status says how
 * the command ended, which is no error of this function.
 */
typedef int keyd_client_print_fn(void *cookie, struct cursor bytes,
    struct ht_error *e);
int keyd_client_command(struct keyd_client *k, const struct buf *words,
    struct cursor input, keyd_client_print_fn *print, void *cookie,
    struct protocol_done *done, struct ht_error *e);

#endif

/*
 * Every message between the processes of htsign: its fields, who may send it,
 * in which state of a link, and with how many descriptors.  The tables in
 * messages.c enforce that.  PROTOCOL.md says the same in words.
 *
 * A link is one connection between two kinds of process.  Both ends keep its
 * state in a struct protocol_link and pass every frame through it.  So neither
 * end accepts a message that the other may not send now.
 */

#ifndef PROTOCOL_MESSAGES_H
#define PROTOCOL_MESSAGES_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/msg.h"

#define PROTOCOL_VERSION 1

/* Sizes of texts in bytes, the NUL included. */
#define PROTOCOL_NAME 64    /* client, profile, certificate, token */
#define PROTOCOL_WORD 32    /* a code or a reason, for programs */
#define PROTOCOL_TEXT 256   /* a line for people */
#define PROTOCOL_ADDRESS 64 /* an IP address, without the port */
#define PROTOCOL_TICKET 1024
#define PROTOCOL_DESCRIPTION 1025
#define PROTOCOL_FILENAME 256
#define PROTOCOL_PUBLISHER 2049
#define PROTOCOL_SELF 256 /* what a file says of itself */
#define PROTOCOL_PATH 512

/* Limits in bytes on content that comes in PARTs, and on one PART. */
#define PROTOCOL_CONTENT_MAX ((uint32_t)16 << 10)
#define PROTOCOL_PAGES_MAX ((uint32_t)9441075) /* a PE's with page hashes */
#define PROTOCOL_CTL_MAX ((uint32_t)960 << 10)
#define PROTOCOL_PKCS7_MAX ((uint32_t)10 << 20)
#define PROTOCOL_RECIPE_MAX ((uint32_t)12 << 20)
#define PROTOCOL_PART_MAX ((size_t)60 << 10)
#define PROTOCOL_PROFILES_MAX 64

/* The SHA-256 of one of our certificates, and of all of them, in bytes. */
#define PROTOCOL_FINGERPRINT ((size_t)32)
#define PROTOCOL_OWN_MAX ((size_t)1000 * 32)

/* A timestamp token, and the PEM of the roots by which it is checked. */
#define PROTOCOL_STAMP_MAX ((size_t)60 << 10)
#define PROTOCOL_ROOTS_MAX ((size_t)32 << 10)

/* How many STAMPs may be under way, and for how long each, in milliseconds. */
#define PROTOCOL_STAMPS 16
#define PROTOCOL_STAMP_TIME ((uint32_t)60000)

/* How many LOOKs may be under way. */
#define PROTOCOL_LOOKS 4

enum protocol_type {
	/* shell and keyd: signing */
	PROTOCOL_HELLO = 1,
	PROTOCOL_WELCOME,
	PROTOCOL_REFUSE,
	PROTOCOL_BEGIN,
	PROTOCOL_GO,
	PROTOCOL_CONTENT,
	PROTOCOL_PART,
	PROTOCOL_WAIT,
	PROTOCOL_SIGNED,
	PROTOCOL_OUTPUT,
	PROTOCOL_KEPT,
	PROTOCOL_RELEASE,
	PROTOCOL_DELIVERED,
	PROTOCOL_FAIL,
	PROTOCOL_NOTED,
	/* shell and keyd: administration */
	PROTOCOL_COMMAND,
	PROTOCOL_PRINT,
	PROTOCOL_FILE,
	PROTOCOL_DONE,
	PROTOCOL_READER,
	/* htsign-principals and keyd */
	PROTOCOL_ASK,
	PROTOCOL_TICKET_FOR,
	/* sshd-sign's listener and keyd */
	PROTOCOL_LOGIN,
	PROTOCOL_ADMIT,
	PROTOCOL_SESSION,
	PROTOCOL_START,
	PROTOCOL_STRANGER,
	PROTOCOL_REVOKED,
	/* keyd and its parent */
	PROTOCOL_READY,
	PROTOCOL_SPAWN,
	PROTOCOL_SPAWNED,
	PROTOCOL_KILL,
	/* keyd and a token worker */
	PROTOCOL_TOKEN_OPEN,
	PROTOCOL_TOKEN_OPENED,
	PROTOCOL_TOKEN_LOGIN,
	PROTOCOL_TOKEN_LOGGED_IN,
	PROTOCOL_TOKEN_KEY,
	PROTOCOL_TOKEN_KEY_FOUND,
	PROTOCOL_TOKEN_SIGN,
	PROTOCOL_TOKEN_SIGNATURE,
	PROTOCOL_TOKEN_TROUBLE,
	/* htsign-fetch and keyd */
	PROTOCOL_FETCH_HELLO,
	PROTOCOL_STAMP,
	PROTOCOL_STAMP_CANCEL,
	PROTOCOL_STAMPED,
	PROTOCOL_STAMP_FAILED,
	PROTOCOL_LOOK,
	PROTOCOL_LOOKED,
	PROTOCOL_CHECK,
	PROTOCOL_CHECK_CANCEL,
	PROTOCOL_CHECKED,
	/* keyd and htsign-pump, and the children of that */
	PROTOCOL_PUMP,
	PROTOCOL_TEST,
	PROTOCOL_UNKEPT,
	PROTOCOL_PUMPED,
	PROTOCOL_VERDICT,
	PROTOCOL_TESTED,
	/* keyd and htsign-reader */
	PROTOCOL_STORE,
	PROTOCOL_READ,
	PROTOCOL_TYPES /* one more than the last */
};

/* The sockets in the run folder, by who connects. */
#define PROTOCOL_SOCKET_SIGN "agent.sock"
#define PROTOCOL_SOCKET_ADMIN "admin.sock"
#define PROTOCOL_SOCKET_PRINCIPALS "principals.sock"
#define PROTOCOL_SOCKET_SSHD "sshd.sock"
#define PROTOCOL_SOCKET_FETCH "fetch.sock"

/* How a connection reached the shell. */
#define PROTOCOL_DOOR_SSHD_SIGN "sshd-sign"
#define PROTOCOL_DOOR_OPENSSH "openssh"
#define PROTOCOL_DOOR_LOCAL "local"

/* keyd counts a REFUSE with this code only after a STRANGER. */
#define PROTOCOL_UNKNOWN_KEY "unknown-key"

/* What a request wants back. */
enum protocol_reply { PROTOCOL_REPLY_FULL, PROTOCOL_REPLY_PKCS7 };

/* What the content to be signed is. */
enum protocol_content_kind { PROTOCOL_KIND_SPC, PROTOCOL_KIND_CTL };

/* The client did not announce a size. */
#define PROTOCOL_SIZE_UNKNOWN UINT64_MAX

/* A cursor points into the frame.  It is valid as long as its struct msg. */

struct protocol_hello {
	uint32_t version;
	char door[PROTOCOL_WORD];
	char ticket[PROTOCOL_TICKET]; /* "" on a bound connection */
	struct cursor certificate;    /* the SSH blob; empty if bound */
	char peer[PROTOCOL_ADDRESS];
	char local[PROTOCOL_ADDRESS];
	uint32_t port; /* of peer, or 0 */
	char banner[PROTOCOL_TEXT];
};

struct protocol_welcome {
	char role[PROTOCOL_WORD]; /* client, admin, approver, auditor */
	char name[PROTOCOL_NAME];
	char profile[PROTOCOL_NAME]; /* the default one, or "" */
	struct cursor profiles;      /* strings: name, text, name, text, … */
	char notice[PROTOCOL_TEXT];  /* "" or "test", shown in the greeting */
};

struct protocol_refuse {
	uint32_t status; /* exit status, 64 to 77 */
	char code[PROTOCOL_WORD];
	char text[PROTOCOL_TEXT];
	uint32_t retry;  /* seconds, or 0 */
	uint64_t number; /* the request's, or 0 */
};

struct protocol_begin {
	char profile[PROTOCOL_NAME]; /* "" is the default */
	uint8_t reply;               /* enum protocol_reply */
	char description[PROTOCOL_DESCRIPTION];
	char url[PROTOCOL_DESCRIPTION];
	char name[PROTOCOL_FILENAME];
	char options[PROTOCOL_WORD]; /* words, separated by one space */
	uint64_t size;               /* bytes, or PROTOCOL_SIZE_UNKNOWN */
	struct cursor sha256;        /* 32 bytes, or empty */
};

struct protocol_go { /* with the spool, and perhaps a pipe to htsign-pump */
	uint64_t number;
	char profile[PROTOCOL_NAME];
	char digest[PROTOCOL_WORD];   /* sha256, sha384, sha512 */
	uint64_t max_size;            /* bytes */
	char formats[PROTOCOL_TEXT];  /* names, separated by commas */
	char existing[PROTOCOL_WORD]; /* "own", "refuse", … */
	struct cursor own; /* for "own": our certificates, each as the SHA-256
	                      of its DER; at most PROTOCOL_OWN_MAX bytes */
	uint64_t max_ctl;  /* of a catalog's CTL, bytes */
	uint8_t recipe;    /* 1: OUTPUT has one */
	uint8_t version;   /* 1: CONTENT has to say what the file says of
	                      itself */
};

struct protocol_content { /* length bytes follow in PARTs */
	uint8_t kind;     /* enum protocol_content_kind */
	char format[PROTOCOL_WORD];
	uint64_t size;        /* of the input, bytes */
	struct cursor sha256; /* of the input, 32 bytes; empty if there is a
				 pipe */
	uint8_t existing;     /* 1: the input carried a signature */
	char publisher[PROTOCOL_PUBLISHER]; /* the only signer that the input
					       allows, or "" */
	uint32_t length;
	char product[PROTOCOL_SELF]; /* what the file says of itself, or "" */
	char company[PROTOCOL_SELF];
	char version[PROTOCOL_SELF];
};

struct protocol_part {
	struct cursor bytes;
};

struct protocol_wait {
	char reason[PROTOCOL_WORD]; /* queue, pin, timestamp, scan */
	char text[PROTOCOL_TEXT];
};

struct protocol_signed { /* length bytes follow in PARTs */
	char certificate[PROTOCOL_NAME];
	uint32_t length;
	struct cursor roots; /* PEM: those of the server that has stamped it, at
				most PROTOCOL_ROOTS_MAX bytes; or empty */
	char note[PROTOCOL_TEXT]; /* for people: why it is not stamped; or "" */
};

struct protocol_output {
	uint64_t size;
	struct cursor sha256;
	uint32_t length; /* of the recipe, which follows in PARTs; or 0 */
};

struct protocol_kept { /* instead of CONTENT, SIGNED and OUTPUT */
	char format[PROTOCOL_WORD];
	uint64_t size;        /* of the input, bytes */
	struct cursor sha256; /* of the input, 32 bytes */
	uint64_t output_size;
	struct cursor output_sha256;
};

struct protocol_number { /* RELEASE, NOTED */
	uint64_t number;
};

struct protocol_delivered {
	uint64_t bytes;
};

struct protocol_fail {
	uint32_t status;
	char code[PROTOCOL_WORD];
	uint64_t offset; /* in the input, or HT_NO_OFFSET */
	char text[PROTOCOL_TEXT];
};

struct protocol_command {
	struct cursor words; /* strings */
	struct cursor input; /* from stdin: a public key or a PIN */
};

struct protocol_print {
	struct cursor bytes;
};

struct protocol_file {        /* with a file to read */
	uint64_t size;        /* of what is made of it */
	struct cursor sha256; /* and that, 32 bytes */
	uint32_t length;      /* of the recipe, which follows in PRINTs; 0: the
	                         file itself */
};

struct protocol_done {
	uint32_t status;
	char text[PROTOCOL_TEXT]; /* one line for stderr, or "" */
};

struct protocol_ask {
	char user[PROTOCOL_NAME];
	struct cursor certificate;
};

struct protocol_ticket_for {
	char ticket[PROTOCOL_TICKET];
	char principal[PROTOCOL_TEXT];
};

/*
 * LOGIN and SESSION, from the listener of sshd-sign.  The blob is a struct
 * protocol_session_blob of the network process.  The listener relays it unread.
 */
struct protocol_relayed {
	char peer[PROTOCOL_ADDRESS]; /* as the listener sees it */
	uint32_t port;               /* the same */
	char local[PROTOCOL_ADDRESS];
	struct cursor blob;
};

struct protocol_admit {
	uint8_t admin; /* 1: an administrator, of any role */
	char name[PROTOCOL_NAME];
	uint64_t serial;         /* of the certificate, or 0 */
	char key[PROTOCOL_NAME]; /* its fingerprint, "SHA256:…" */
};

struct protocol_revoked {         /* all its connections must end */
	char name[PROTOCOL_NAME]; /* of the client, or "": */
	uint64_t serial;          /* of the certificate, unless: */
	char key[PROTOCOL_NAME];  /* the fingerprint of the key, or "" */
};

struct protocol_stranger {
	char peer[PROTOCOL_ADDRESS];
};

struct protocol_start { /* with one descriptor: the bound connection */
	uint8_t admin;  /* 1: an administrator's shell */
};

struct protocol_ready {
	uint32_t token_uid; /* (uid_t)-1: that of the parent */
	uint32_t token_gid;
	uint32_t tokens;   /* the number of workers */
	uint32_t pump_uid; /* (uid_t)-1: that of the parent */
	uint32_t pump_gid;
	uint32_t reader_uid;
	uint32_t reader_gid;
};

struct protocol_worker { /* SPAWN, KILL; SPAWNED with one descriptor */
	uint32_t index;  /* the number of tokens: htsign-pump, then
	                    htsign-reader */
};

struct protocol_token_open {        /* with one descriptor for a key file */
	char module[PROTOCOL_PATH]; /* "" for a key file */
	char label[PROTOCOL_NAME];
	char serial[PROTOCOL_NAME];
	struct cursor environment; /* of the module: strings NAME=value */
	struct cursor writable;    /* folders that it may write to: strings */
	uint32_t sessions;         /* signatures to make at a time, at most
	                      PROTOCOL_TOKEN_SESSIONS */
};
#define PROTOCOL_TOKEN_SESSIONS 16

struct protocol_token_opened {
	char serial[PROTOCOL_NAME];
	char model[PROTOCOL_NAME];    /* "" for a key file */
	char firmware[PROTOCOL_WORD]; /* "" for a key file */
	uint8_t login;                /* 1: a PIN is needed */
	uint8_t pin_flags;            /* bits PROTOCOL_PIN_* */
};

/* What a token says of its user's PIN: the CKF_USER_PIN_* of PKCS #11. */
enum protocol_pin_flag {
	PROTOCOL_PIN_COUNT_LOW = 1, /* refused since the last login */
	PROTOCOL_PIN_FINAL_TRY = 2, /* one more refusal locks it */
	PROTOCOL_PIN_LOCKED = 4
};

struct protocol_token_login {
	struct cursor pin;
};

struct protocol_token_key {
	uint32_t key;            /* a number that keyd chooses */
	char uri[PROTOCOL_PATH]; /* PKCS#11 URI, or "" */
	struct cursor spki;      /* DER of the certificate's public key */
};

struct protocol_token_key_found {
	uint32_t key;
	uint8_t each;        /* 1: it wants the PIN for each signature */
	uint8_t extractable; /* 1: the token would give the key away */
};

struct protocol_token_sign { /* with one descriptor, the lock, if the key wants
                                the PIN */
	uint32_t key;
	char digest[PROTOCOL_WORD]; /* the name of the algorithm */
	struct cursor hash;
};

struct protocol_token_signature {
	struct cursor bytes; /* RSA: PKCS #1 v1.5; EC: DER ECDSA-Sig-Value */
};

/* What went wrong at a token. */
enum protocol_trouble {
	PROTOCOL_TROUBLE_GONE = 1, /* no such token, or it was unplugged */
	PROTOCOL_TROUBLE_PIN,      /* wrong PIN */
	PROTOCOL_TROUBLE_LOCKED,   /* the token has locked its PIN */
	PROTOCOL_TROUBLE_KEY,      /* no such key */
	PROTOCOL_TROUBLE_LOGIN,    /* not logged in, or no longer */
	PROTOCOL_TROUBLE_FAILED,   /* the operation failed */
	PROTOCOL_TROUBLE_UNKNOWN   /* the token had the PIN for a signature, and
	                              nobody knows what became of that */
};

struct protocol_token_trouble {
	uint8_t trouble; /* enum protocol_trouble */
	char text[PROTOCOL_TEXT];
};

struct protocol_fetch_hello {
	uint32_t version;
};

struct protocol_stamp {             /* the tag names it to the end */
	char digest[PROTOCOL_WORD]; /* sha256, sha384, sha512 */
	struct cursor imprint;      /* the digest of what is to be stamped */
	uint64_t not_before;        /* the signer's certificate is valid, */
	uint64_t not_after;         /* in seconds since 1970 */
	uint32_t milliseconds;      /* for all servers together, at most
				       PROTOCOL_STAMP_TIME */
	struct cursor servers;      /* names that may be asked: strings */
	uint32_t place;             /* who has a lower one is asked for first */
};

struct protocol_stamped {
	char server[PROTOCOL_NAME];
	uint64_t time;              /* genTime, in seconds since 1970 */
	char serial[PROTOCOL_NAME]; /* of the token, in hex */
	uint32_t tries;             /* servers that were asked */
	struct cursor token;        /* DER, at most PROTOCOL_STAMP_MAX bytes */
};

struct protocol_stamp_failed {
	uint32_t tries;
	char text[PROTOCOL_TEXT]; /* what each server has done */
};

struct protocol_look {
	struct cursor certificate; /* DER */
	struct cursor issuer;      /* DER */
};

struct protocol_looked {
	char verdict[PROTOCOL_WORD]; /* PROTOCOL_LOOKED_* */
	char text[PROTOCOL_TEXT];    /* who said it, or why it is unknown */
	uint64_t revoked;            /* since 1970 in seconds; or 0 */
};

struct protocol_check {        /* perhaps with the file, to be uploaded */
	struct cursor sha256;  /* 32 bytes */
	uint64_t size;         /* of the file, bytes */
	uint8_t private;       /* 1: an upload is not shared with others */
	uint32_t milliseconds; /* to the answer */
};

struct protocol_checked {
	uint8_t known;  /* 1: there is an analysis; 0: text says why not */
	uint64_t date;  /* of it, in seconds since 1970 */
	uint32_t bad;   /* engines that call the file bad */
	uint32_t total; /* that have looked at it */
	struct cursor engines; /* strings: name, category, result, name, … */
	char text[PROTOCOL_TEXT];
	uint32_t asked; /* requests that it took */
};

struct protocol_pump { /* with a pipe to read, perhaps a file to keep it in,
                          and a link for reports */
	char clamd[PROTOCOL_PATH]; /* its socket; "": nothing is scanned */
	uint64_t scan_max;         /* a file of more bytes is not scanned */
	uint64_t max_size;         /* there are never more bytes than that */
};

struct protocol_test { /* with a link for reports */
	char clamd[PROTOCOL_PATH];
	uint64_t scan_max;
};

struct protocol_unkept {
	char text[PROTOCOL_TEXT]; /* why what came could not be kept */
};

struct protocol_pumped { /* all has arrived, and is kept if it was to be */
	uint64_t size;
	struct cursor sha256; /* 32 bytes */
};

struct protocol_verdict {
	char verdict[PROTOCOL_WORD];  /* PROTOCOL_VERDICT_*, or "" */
	char text[PROTOCOL_TEXT];     /* the virus, or why it is unscanned */
	char database[PROTOCOL_TEXT]; /* the scanner and its database, or "" */
};

#define PROTOCOL_VERDICT_CLEAN "clean"
#define PROTOCOL_VERDICT_VIRUS "virus"
#define PROTOCOL_VERDICT_UNSCANNED "unscanned"

struct protocol_tested {
	char trouble[PROTOCOL_TEXT]; /* "": it finds what it should */
	char database[PROTOCOL_TEXT];
	uint64_t date; /* of the database, in seconds since 1970; 0: none */
};

#define PROTOCOL_LOOKED_GOOD "good"
#define PROTOCOL_LOOKED_REVOKED "revoked"
#define PROTOCOL_LOOKED_UNKNOWN "unknown"

struct protocol_store {
	char path[PROTOCOL_PATH]; /* of the database */
};

/* What is read, as the verbs of administrators call it. */
enum protocol_read_what {
	PROTOCOL_READ_LOG,
	PROTOCOL_READ_SHOW,
	PROTOCOL_READ_EVENTS
};

struct protocol_read { /* with one descriptor: the other end has the answer */
	uint8_t what;  /* enum protocol_read_what */
	uint8_t json;  /* 1: a JSON object a line */
	uint64_t request; /* SHOW: that one */
	uint32_t limit;   /* the newest; 0: all */
	/* LOG: only those; "" does not filter. */
	char client[PROTOCOL_NAME];
	char profile[PROTOCOL_NAME];
	char status[PROTOCOL_WORD];
	char result[PROTOCOL_WORD];
};

union protocol_body {
	struct protocol_hello hello;
	struct protocol_welcome welcome;
	struct protocol_refuse refuse;
	struct protocol_begin begin;
	struct protocol_go go;
	struct protocol_content content;
	struct protocol_part part;
	struct protocol_wait wait;
	struct protocol_signed signed_;
	struct protocol_output output;
	struct protocol_kept kept;
	struct protocol_number number;
	struct protocol_delivered delivered;
	struct protocol_fail fail;
	struct protocol_command command;
	struct protocol_print print;
	struct protocol_file file;
	struct protocol_done done;
	struct protocol_ask ask;
	struct protocol_ticket_for ticket_for;
	struct protocol_relayed relayed;
	struct protocol_admit admit;
	struct protocol_revoked revoked;
	struct protocol_start start;
	struct protocol_stranger stranger;
	struct protocol_ready ready;
	struct protocol_worker worker;
	struct protocol_token_open token_open;
	struct protocol_token_opened token_opened;
	struct protocol_token_login token_login;
	struct protocol_token_key token_key;
	struct protocol_token_key_found token_key_found;
	struct protocol_token_sign token_sign;
	struct protocol_token_signature token_signature;
	struct protocol_token_trouble token_trouble;
	struct protocol_fetch_hello fetch_hello;
	struct protocol_stamp stamp;
	struct protocol_stamped stamped;
	struct protocol_stamp_failed stamp_failed;
	struct protocol_look look;
	struct protocol_looked looked;
	struct protocol_check check;
	struct protocol_checked checked;
	struct protocol_pump pump;
	struct protocol_test test;
	struct protocol_unkept unkept;
	struct protocol_pumped pumped;
	struct protocol_verdict verdict;
	struct protocol_tested tested;
	struct protocol_store store;
	struct protocol_read read;
};

/* Who is at the two ends.  One asks; the other answers, and that is keyd
 * unless a comment here says otherwise. */
enum protocol_kind {
	PROTOCOL_LINK_SIGN,
	PROTOCOL_LINK_ADMIN,
	PROTOCOL_LINK_PRINCIPALS,
	PROTOCOL_LINK_SSHD,
	PROTOCOL_LINK_PARENT, /* keyd asks its parent */
	PROTOCOL_LINK_TOKEN,  /* keyd asks a worker */
	PROTOCOL_LINK_FETCH,  /* htsign-fetch says HELLO, keyd asks then */
	PROTOCOL_LINK_PUMP,   /* keyd asks htsign-pump */
	PROTOCOL_LINK_REPORT, /* a child of htsign-pump tells keyd */
	PROTOCOL_LINK_READER, /* keyd asks htsign-reader */
	PROTOCOL_LINK_ANSWER, /* htsign-reader tells a shell */
	PROTOCOL_LINK_KINDS   /* how many there are */
};

enum protocol_state {
	PROTOCOL_NEW,      /* before HELLO, or READY to the parent */
	PROTOCOL_GREETED,  /* after HELLO */
	PROTOCOL_IDLE,     /* welcomed; no request is open */
	PROTOCOL_ASKED,    /* after BEGIN or ASK */
	PROTOCOL_GRANTED,  /* after GO: the shell reads the file */
	PROTOCOL_CONTENTS, /* after CONTENT: PARTs, then the token signs */
	PROTOCOL_SIGNING,  /* after SIGNED: PARTs, then the shell makes the
			      output */
	PROTOCOL_MADE,     /* after OUTPUT or KEPT */
	PROTOCOL_RELEASED, /* after RELEASE */
	PROTOCOL_FAILED,   /* after FAIL, before NOTED */
	PROTOCOL_BUSY,     /* a COMMAND runs; after PUMPED */
	PROTOCOL_OVER      /* no message is allowed */
};

struct protocol_link {
	struct msg_channel *channel;
	enum protocol_kind kind;
	enum protocol_state state;
	bool asker; /* this end asks */
};

/*
 * Start a link over fd.  It owns fd, and closes it also on error.  A link
 * without a greeting starts in state IDLE.  A bound connection has a greeting:
 * HELLO.  HT_ERR_INTERNAL if there is no memory.  protocol_close accepts an
 * all-zero link.
 */
int protocol_open(struct protocol_link *link, int fd, enum protocol_kind kind,
    bool asker, struct ht_error *e);
void protocol_close(struct protocol_link *link);

/*
 * Queue a message with its descriptors, which are duplicated: the caller keeps
 * its own.  body is the struct of the type, or NULL for a type without fields.
 * msg_flush(link->channel) sends it.  HT_ERR_INTERNAL if the type may not be
 * sent now, or not with so many descriptors.  Also if body does not fit or
 * there is no memory.
 */
int protocol_queue(struct protocol_link *link, enum protocol_type type,
    uint32_t tag, const void *body, const int *fds, size_t nfds,
    struct ht_error *e);

/*
 * The same, then wait without a limit until it is sent.  HT_ERR_UNAVAILABLE if
 * the peer is gone.
 */
int protocol_send(struct protocol_link *link, enum protocol_type type,
    uint32_t tag, const void *body, const int *fds, size_t nfds,
    struct ht_error *e);

/*
 * Receive the next message.  Returns 1 with *m and *body filled in, or 0 if
 * none has arrived.  The caller owns the descriptors in *m.  HT_ERR_UNAVAILABLE
 * if the peer is gone.  HT_ERR_DATA if the message may not come now, or if its
 * framing, fields or descriptors are wrong.  After an error the caller closes
 * the link, and no descriptor is left open.
 *
 * protocol_wait waits at most timeout milliseconds and never returns 0; -1
 * waits for ever.  HT_ERR_UNAVAILABLE also when the time is over.
 */
int protocol_next(struct protocol_link *link, struct msg *m,
    union protocol_body *body, struct ht_error *e);
int protocol_wait(struct protocol_link *link, struct msg *m,
    union protocol_body *body, int timeout, struct ht_error *e);

/*
 * Encode or decode the fields of a message without a link: for tests and
 * fuzzing.  Encoding appends to out; HT_ERR_INTERNAL if body does not fit or
 * out failed.  Decoding borrows the bytes of in; HT_ERR_DATA if they are not
 * exactly the fields of type.
 */
int protocol_encode(enum protocol_type type, const void *body, struct buf *out);
int protocol_decode(enum protocol_type type, struct cursor in,
    union protocol_body *body);

/*
 * The name of a type in PROTOCOL.md, for logs and tests.  "?" if unknown.
 */
const char *protocol_name(enum protocol_type type);

/*
 * Queue the next PART of content: at most PROTOCOL_PART_MAX bytes from *rest.
 * Advances *rest past them.  Returns what protocol_queue does.
 */
int protocol_part(struct protocol_link *link, uint32_t tag, struct cursor *rest,
    struct ht_error *e);

/*
 * The largest content of a kind (enum protocol_content_kind) and a format, in
 * bytes.  0 for an unknown kind.  Does not check whether the format has content
 * of that kind.  A profile may allow less.
 */
uint32_t protocol_content_max(unsigned int kind, const char *format);

/*
 * The report of sshd-sign's network process.  The listener relays it to keyd
 * unread, and hands it to the shell on a descriptor.
 */
struct protocol_session_blob {
	char user[PROTOCOL_NAME];
	struct cursor key;         /* the key or certificate that was proved */
	struct cursor environment; /* of a session: strings "NAME=value"; a
	                              command is SSH_ORIGINAL_COMMAND */
};
#define PROTOCOL_SESSION_MAX ((size_t)48 << 10)

/*
 * Append the report to out, or read one, borrowing the bytes of in.
 * protocol_session_get returns HT_ERR_DATA if in is malformed.
 */
void protocol_session_put(struct buf *out,
    const struct protocol_session_blob *s);
int protocol_session_get(struct cursor in, struct protocol_session_blob *s);

#endif

/*
 * Every message between the processes of htsign: its fields, who may send it,
 * in which state of a link, and with how many descriptors.  PROTOCOL.md says
 * the same in words; the tables in messages.c are what is enforced.
 *
 * A link is one connection between two kinds of process.  Both ends keep its
 * state in a struct protocol_link and pass every frame through it, so neither
 * accepts what the other may not say now.
 */

#ifndef PROTOCOL_MESSAGES_H
#define PROTOCOL_MESSAGES_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/msg.h"

#define PROTOCOL_VERSION 1

/* Room for texts, the NUL included. */
#define PROTOCOL_NAME 64    /* client, profile, certificate, token */
#define PROTOCOL_WORD 32    /* a code or a reason, for programs */
#define PROTOCOL_TEXT 256   /* a line for people */
#define PROTOCOL_ADDRESS 64 /* an IP address, without the port */
#define PROTOCOL_TICKET 1024
#define PROTOCOL_DESCRIPTION 1025
#define PROTOCOL_FILENAME 256
#define PROTOCOL_PUBLISHER 2049
#define PROTOCOL_PATH 512

/* Limits on content that travels in PART frames, in bytes. */
#define PROTOCOL_CONTENT_MAX ((uint32_t)16 << 10)
#define PROTOCOL_PAGES_MAX ((uint32_t)9441075) /* a PE's with page hashes */
#define PROTOCOL_CTL_MAX ((uint32_t)960 << 10)
#define PROTOCOL_PKCS7_MAX ((uint32_t)10 << 20)
#define PROTOCOL_PART_MAX ((size_t)60 << 10)
#define PROTOCOL_PROFILES_MAX 64

/* Our own certificates are known by a SHA-256; bytes of one, and of all. */
#define PROTOCOL_FINGERPRINT ((size_t)32)
#define PROTOCOL_OWN_MAX ((size_t)1000 * 32)

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
	PROTOCOL_DONE,
	/* htsign-principals and keyd */
	PROTOCOL_ASK,
	PROTOCOL_TICKET_FOR,
	/* sshd-sign's listener and keyd */
	PROTOCOL_LOGIN,
	PROTOCOL_ADMIT,
	PROTOCOL_SESSION,
	PROTOCOL_START,
	PROTOCOL_STRANGER,
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
	PROTOCOL_TYPES /* how many there are, and 0 */
};

/* The sockets in the run folder, by who connects. */
#define PROTOCOL_SOCKET_SIGN "agent.sock"
#define PROTOCOL_SOCKET_ADMIN "admin.sock"
#define PROTOCOL_SOCKET_PRINCIPALS "principals.sock"
#define PROTOCOL_SOCKET_SSHD "sshd.sock"

/* How a connection reached the shell. */
#define PROTOCOL_DOOR_SSHD_SIGN "sshd-sign"
#define PROTOCOL_DOOR_OPENSSH "openssh"
#define PROTOCOL_DOOR_LOCAL "local"

/* The code of a REFUSE that is counted later, by STRANGER. */
#define PROTOCOL_UNKNOWN_KEY "unknown-key"

/* What a request wants back. */
enum protocol_reply { PROTOCOL_REPLY_FULL, PROTOCOL_REPLY_PKCS7 };

/* What the content to be signed is. */
enum protocol_content_kind { PROTOCOL_KIND_SPC, PROTOCOL_KIND_CTL };

/* A size that the client did not say. */
#define PROTOCOL_SIZE_UNKNOWN UINT64_MAX

/* Bytes fields point into the frame: they live as long as its struct msg. */

struct protocol_hello {
	uint32_t version;
	char door[PROTOCOL_WORD];
	char ticket[PROTOCOL_TICKET]; /* "" where the connection is bound */
	struct cursor certificate;    /* the SSH blob; empty where bound */
	char peer[PROTOCOL_ADDRESS];
	char local[PROTOCOL_ADDRESS];
	char banner[PROTOCOL_TEXT];
};

struct protocol_welcome {
	char role[PROTOCOL_WORD]; /* client, admin, approver, auditor */
	char name[PROTOCOL_NAME];
	char profile[PROTOCOL_NAME]; /* the default one, or "" */
	struct cursor profiles;      /* name and text, in turn, as strings */
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
	char options[PROTOCOL_WORD]; /* words, with a space between */
	uint64_t size;               /* bytes, or PROTOCOL_SIZE_UNKNOWN */
	struct cursor sha256;        /* 32 bytes, or none */
};

struct protocol_go { /* with one descriptor: the spool */
	uint64_t number;
	char profile[PROTOCOL_NAME];
	char digest[PROTOCOL_WORD];   /* sha256, sha384, sha512 */
	uint64_t max_size;            /* bytes */
	char formats[PROTOCOL_TEXT];  /* names joined by commas */
	char existing[PROTOCOL_WORD]; /* "own", "refuse", … */
	struct cursor own; /* of "own": the certificates that are, each as the
	                      SHA-256 of its DER, PROTOCOL_OWN_MAX bytes at
	                      most */
	uint64_t max_ctl;  /* bytes of a catalog's CTL */
};

struct protocol_content { /* followed by PARTs that make up length bytes */
	uint8_t kind;     /* enum protocol_content_kind */
	char format[PROTOCOL_WORD];
	uint64_t size;        /* of the input, bytes */
	struct cursor sha256; /* of the input, 32 bytes */
	uint8_t existing;     /* 1: the input carried a signature */
	char publisher[PROTOCOL_PUBLISHER]; /* whom the input names as its
					       signer, or "" */
	uint32_t length;
};

struct protocol_part {
	struct cursor bytes;
};

struct protocol_wait {
	char reason[PROTOCOL_WORD]; /* queue, pin */
	char text[PROTOCOL_TEXT];
};

struct protocol_signed { /* followed by PARTs that make up length bytes */
	char certificate[PROTOCOL_NAME];
	uint32_t length;
};

struct protocol_output {
	uint64_t size;
	struct cursor sha256;
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
	struct cursor input; /* what came on stdin: a public key, a PIN */
};

struct protocol_print {
	struct cursor bytes;
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
 * LOGIN and SESSION: what sshd-sign's listener passes on.  The blob comes from
 * the network process and is relayed unread; see struct protocol_session_blob.
 */
struct protocol_relayed {
	char peer[PROTOCOL_ADDRESS]; /* as the listener sees it */
	char local[PROTOCOL_ADDRESS];
	struct cursor blob;
};

struct protocol_stranger {
	char peer[PROTOCOL_ADDRESS];
};

struct protocol_start { /* with one descriptor: the bound connection */
	uint8_t admin;  /* 1: an administrator's shell */
};

struct protocol_ready {
	uint32_t token_uid; /* (uid_t)-1: the same as the parent */
	uint32_t token_gid;
	uint32_t tokens; /* how many workers there will be */
};

struct protocol_worker { /* SPAWN, KILL; SPAWNED with one descriptor */
	uint32_t index;
};

struct protocol_token_open {        /* with one descriptor for a key file */
	char module[PROTOCOL_PATH]; /* "" for a key file */
	char label[PROTOCOL_NAME];
	char serial[PROTOCOL_NAME];
	struct cursor environment; /* for the module: strings, NAME=value */
	struct cursor writable;    /* folders it may write to: strings */
};

struct protocol_token_opened {
	char serial[PROTOCOL_NAME];
	uint8_t login; /* 1: a PIN is needed */
};

struct protocol_token_login {
	struct cursor pin;
};

struct protocol_token_key {
	uint32_t key;            /* a number of keyd's choice */
	char uri[PROTOCOL_PATH]; /* PKCS#11 URI, or "" */
	struct cursor spki;      /* DER of the certificate's public key */
};

struct protocol_token_key_found {
	uint32_t key;
};

struct protocol_token_sign {
	uint32_t key;
	char digest[PROTOCOL_WORD]; /* its name */
	struct cursor hash;
};

struct protocol_token_signature {
	struct cursor bytes; /* RSA: as it is; EC: DER of ECDSA-Sig-Value */
};

/* What a token may have to complain about. */
enum protocol_trouble {
	PROTOCOL_TROUBLE_GONE = 1, /* no such token now, or it went away */
	PROTOCOL_TROUBLE_PIN,      /* wrong PIN */
	PROTOCOL_TROUBLE_LOCKED,   /* the token has locked its PIN */
	PROTOCOL_TROUBLE_KEY,      /* no such key */
	PROTOCOL_TROUBLE_LOGIN,    /* not logged in (any more) */
	PROTOCOL_TROUBLE_FAILED    /* the operation failed */
};

struct protocol_token_trouble {
	uint8_t trouble; /* enum protocol_trouble */
	char text[PROTOCOL_TEXT];
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
	struct protocol_done done;
	struct protocol_ask ask;
	struct protocol_ticket_for ticket_for;
	struct protocol_relayed relayed;
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
};

/* Who is at which end.  The first of a link asks, the second (keyd, or the
 * token worker, or the parent) answers. */
enum protocol_kind {
	PROTOCOL_LINK_SIGN,
	PROTOCOL_LINK_ADMIN,
	PROTOCOL_LINK_PRINCIPALS,
	PROTOCOL_LINK_SSHD,
	PROTOCOL_LINK_PARENT, /* keyd asks its parent */
	PROTOCOL_LINK_TOKEN,  /* keyd asks a worker */
	PROTOCOL_LINK_KINDS   /* how many there are */
};

enum protocol_state {
	PROTOCOL_NEW,      /* before HELLO */
	PROTOCOL_GREETED,  /* HELLO is out */
	PROTOCOL_IDLE,     /* welcomed; no request is open */
	PROTOCOL_ASKED,    /* BEGIN is out */
	PROTOCOL_GRANTED,  /* GO is out; the file is read */
	PROTOCOL_CONTENTS, /* CONTENT is out, PARTs follow, then the key */
	PROTOCOL_SIGNING,  /* SIGNED is out, PARTs follow, then the output is
			      made */
	PROTOCOL_MADE,     /* OUTPUT or KEPT is out */
	PROTOCOL_RELEASED, /* RELEASE is out */
	PROTOCOL_FAILED,   /* FAIL is out, NOTED is awaited */
	PROTOCOL_BUSY,     /* an administrator's COMMAND runs */
	PROTOCOL_OVER      /* nothing more may be said */
};

struct protocol_link {
	struct msg_channel *channel;
	enum protocol_kind kind;
	enum protocol_state state;
	bool asker; /* which end this is */
};

/*
 * Start a link over fd, which it owns; kinds without a greeting start IDLE,
 * a bound connection still says HELLO.  HT_ERR_INTERNAL if there is no memory;
 * fd is closed then.  protocol_close(link) is fine on an all-zero link.
 */
int protocol_open(struct protocol_link *link, int fd, enum protocol_kind kind,
    bool asker, struct ht_error *e);
void protocol_close(struct protocol_link *link);

/*
 * Check that type may be sent now, encode body (the struct that goes with the
 * type, or NULL where it has no fields) and queue the frame with its
 * descriptors; msg_flush on link->channel sends it.  HT_ERR_INTERNAL for what
 * may not be said now or does not fit: our own mistake.
 */
int protocol_queue(struct protocol_link *link, enum protocol_type type,
    uint32_t tag, const void *body, const int *fds, size_t nfds,
    struct ht_error *e);

/*
 * The same, and wait until it is sent.
 */
int protocol_send(struct protocol_link *link, enum protocol_type type,
    uint32_t tag, const void *body, const int *fds, size_t nfds,
    struct ht_error *e);

/*
 * Take the next message off the link: 1 with *m and *body filled in, 0 if none
 * has arrived, HT_ERR_UNAVAILABLE if the peer is gone, HT_ERR_DATA if it may
 * not say this now, or if fields or descriptors are wrong; the descriptors are
 * closed then, and the caller closes the link.  protocol_wait waits for
 * timeout milliseconds (-1: for ever; HT_ERR_UNAVAILABLE when they are over).
 */
int protocol_next(struct protocol_link *link, struct msg *m,
    union protocol_body *body, struct ht_error *e);
int protocol_wait(struct protocol_link *link, struct msg *m,
    union protocol_body *body, int timeout, struct ht_error *e);

/*
 * The fields of a message, as bytes, without a link: for tests and for fuzzing.
 */
int protocol_encode(enum protocol_type type, const void *body, struct buf *out);
int protocol_decode(enum protocol_type type, struct cursor in,
    union protocol_body *body);

/*
 * A type's name as PROTOCOL.md has it, for logs and tests.
 */
const char *protocol_name(enum protocol_type type);

/*
 * Content that travels in PARTs: queue the next one, with the beginning of
 * *rest, which then is what is left.  As protocol_queue.
 */
int protocol_part(struct protocol_link *link, uint32_t tag, struct cursor *rest,
    struct ht_error *e);

/*
 * The largest content of this kind (enum protocol_content_kind) and the format
 * of that name, in bytes; 0 for a kind that there is not.  Whether the format
 * has content of that kind at all is not asked here, and a profile may allow
 * less.
 */
uint32_t protocol_content_max(unsigned int kind, const char *format);

/*
 * What sshd-sign's network process sends to keyd through its listener (which
 * does not look at it), and what the listener hands to the shell on a
 * descriptor: the user name, the key or certificate that was proved, and for a
 * session its environment as "NAME=value" strings, among them
 * SSH_ORIGINAL_COMMAND where there is a command.
 */
struct protocol_session_blob {
	char user[PROTOCOL_NAME];
	struct cursor key;
	struct cursor environment;
};
#define PROTOCOL_SESSION_MAX ((size_t)48 << 10)

void protocol_session_put(struct buf *out,
    const struct protocol_session_blob *s);
int protocol_session_get(struct cursor in, struct protocol_session_blob *s);

#endif

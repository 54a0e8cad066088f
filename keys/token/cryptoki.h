/*
 * What we call of PKCS#11: the types and values of PKCS #11 v2.40 as they are on
 * this machine, and how they are called.  A field that we do not use has a name
 * that begins with "no_".
 */

#ifndef KEYS_TOKEN_CRYPTOKI_H
#define KEYS_TOKEN_CRYPTOKI_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* CK_RV, CK_ULONG and all handles. */
typedef unsigned long ck_t;

#define CKR_OK 0x000UL
#define CKR_GENERAL_ERROR 0x005UL
#define CKR_FUNCTION_FAILED 0x006UL
#define CKR_ARGUMENTS_BAD 0x007UL
#define CKR_CANT_LOCK 0x00aUL
#define CKR_DEVICE_REMOVED 0x032UL
#define CKR_KEY_TYPE_INCONSISTENT 0x063UL
#define CKR_PIN_INCORRECT 0x0a0UL
#define CKR_TOKEN_NOT_PRESENT 0x0e0UL
#define CKR_USER_ALREADY_LOGGED_IN 0x100UL
#define CKR_USER_NOT_LOGGED_IN 0x101UL
#define CKR_RANDOM_SEED_NOT_SUPPORTED 0x120UL
#define CKR_CRYPTOKI_ALREADY_INITIALIZED 0x191UL

#define CKF_OS_LOCKING_OK 0x2UL
#define CKF_LOGIN_REQUIRED 0x4UL
#define CKF_SERIAL_SESSION 0x4UL
#define CKF_TOKEN_INITIALIZED 0x400UL
#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL
#define CKF_USER_PIN_LOCKED 0x40000UL

#define CKU_USER 1UL
#define CKU_CONTEXT_SPECIFIC 2UL

#define CKO_CERTIFICATE 1UL
#define CKO_PUBLIC_KEY 2UL
#define CKO_PRIVATE_KEY 3UL

#define CKM_RSA_PKCS 0x0001UL
#define CKM_ECDSA 0x1041UL

#define CKK_RSA 0UL
#define CKK_EC 3UL

#define CKA_CLASS 0x000UL
#define CKA_LABEL 0x003UL
#define CKA_VALUE 0x011UL
#define CKA_KEY_TYPE 0x100UL
#define CKA_ID 0x102UL
#define CKA_SIGN 0x108UL
#define CKA_MODULUS 0x120UL
#define CKA_EXTRACTABLE 0x162UL
#define CKA_EC_PARAMS 0x180UL
#define CKA_EC_POINT 0x181UL
#define CKA_ALWAYS_AUTHENTICATE 0x202UL

/* The initial ones pad with spaces, and are no strings. */
struct ck_token_info {
	unsigned char label[32];
	unsigned char manufacturer[32];
	unsigned char model[16];
	unsigned char serial[16];
	ck_t flags;
	ck_t no_counts[10];
	unsigned char no_hardware[2];
	unsigned char firmware[2];
	unsigned char no_time[16];
};

struct ck_attribute {
	ck_t type;
	void *value;
	ck_t n; /* (ck_t)-1: the object does not have it */
};

/* CK_C_INITIALIZE_ARGS. */
struct ck_initialize {
	void *no_mutexes[4];
	ck_t flags;
	void *reserved;
};

/* CK_MECHANISM. */
struct ck_mechanism {
	ck_t type;
	void *parameter;
	ck_t n;
};

/* CK_FUNCTION_LIST. */
struct cryptoki {
	unsigned char version[2];
	ck_t (*initialize)(void *args);
	ck_t (*finalize)(void *reserved);
	void *no_info[2];
	ck_t (*get_slot_list)(unsigned char present, ck_t *slots, ck_t *n);
	void *no_slot_info;
	ck_t (*get_token_info)(ck_t slot, struct ck_token_info *info);
	void *no_mechanisms[5];
	ck_t (*open_session)(ck_t slot, ck_t flags, void *application,
	    void *notify, ck_t *session);
	ck_t (*close_session)(ck_t session);
	ck_t (*close_all_sessions)(ck_t slot);
	void *no_state[3];
	ck_t (*login)(ck_t session, ck_t user, void *pin, ck_t n);
	ck_t (*logout)(ck_t session);
	void *no_objects[4];
	ck_t (*get_attribute_value)(ck_t session, ck_t object,
	    struct ck_attribute *attributes, ck_t n);
	void *no_setting;
	ck_t (
	    *find_init)(ck_t session, struct ck_attribute *attributes, ck_t n);
	ck_t (*find)(ck_t session, ck_t *objects, ck_t max, ck_t *n);
	ck_t (*find_final)(ck_t session);
	void *no_ciphers[13];
	ck_t (*sign_init)(ck_t session, void *mechanism, ck_t key);
	ck_t (*sign)(ck_t session, void *data, ck_t n, void *signature,
	    ck_t *size);
	void *no_verifying[19];
	ck_t (*seed_random)(ck_t session, void *seed, ck_t n);
	ck_t (*generate_random)(ck_t session, void *bytes, ck_t n);
	void *no_waiting[3];
};

/* The type of C_GetFunctionList, the one name that is looked up. */
typedef ck_t cryptoki_get(struct cryptoki **list);

/*
 * Load the module at path, and do not initialize it.  libcrypto may be the
 * module's as well as ours, so it stays for as long as the process.  The result
 * is the module's own.  NULL if the file cannot be loaded or is no PKCS#11
 * module; e is HT_ERR_UNAVAILABLE then.
 */
struct cryptoki *cryptoki_load(const char *path, struct ht_error *e);

/* What a token says of itself.  Texts are not escaped. */
struct cryptoki_token {
	char label[33];
	char manufacturer[33];
	char model[17];
	char serial[17];
	char firmware[8]; /* "2.6" */
	ck_t flags;       /* CKF_* */
};

/*
 * Ask the token in a slot what it is.  Returns a CKR_*.
 */
ck_t cryptoki_token(const struct cryptoki *p, ck_t slot,
    struct cryptoki_token *token);

/*
 * Find the *n objects that the session sees and that have all wanted attributes;
 * those after CRYPTOKI_OBJECTS are left out.  Returns a CKR_*.
 */
#define CRYPTOKI_OBJECTS 64
ck_t cryptoki_find(const struct cryptoki *p, ck_t session,
    struct ck_attribute *wanted, ck_t nwanted, ck_t objects[CRYPTOKI_OBJECTS],
    ck_t *n);

/*
 * Read an attribute of an object.  Returns its length in bytes; 0 if there is
 * none, or if it is longer than size.
 */
size_t cryptoki_attribute(const struct cryptoki *p, ck_t session, ck_t object,
    ck_t type, void *out, size_t size);

/*
 * Whether an attribute of the type CK_BBOOL is there, and true.
 */
bool cryptoki_is_true(const struct cryptoki *p, ck_t session, ck_t object,
    ck_t type);

#endif

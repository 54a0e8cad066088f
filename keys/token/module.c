#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/token/module.h"

#define SLOTS_MAX 64

/* How often the slots are looked at, and the time between, in ms. */
#define LOOKS 10
#define LOOK_AGAIN 100

/* --- complaints -------------------------------------------------------- */

/*
 * The return values of PKCS #11 v2.40, section 2, that keyd acts on.  After
 * GONE, only loading the module again is known to help.
 */
static const struct {
	ck_t value;
	enum protocol_trouble trouble;
	const char *name;
} meanings[] = {
	{ 0x003, PROTOCOL_TROUBLE_GONE, "CKR_SLOT_ID_INVALID" },
	{ 0x005, PROTOCOL_TROUBLE_GONE, "CKR_GENERAL_ERROR" },
	{ 0x006, PROTOCOL_TROUBLE_GONE, "CKR_FUNCTION_FAILED" },
	{ 0x007, PROTOCOL_TROUBLE_FAILED, "CKR_ARGUMENTS_BAD" },
	{ 0x030, PROTOCOL_TROUBLE_GONE, "CKR_DEVICE_ERROR" },
	{ 0x031, PROTOCOL_TROUBLE_GONE, "CKR_DEVICE_MEMORY" },
	{ 0x032, PROTOCOL_TROUBLE_GONE, "CKR_DEVICE_REMOVED" },
	{ 0x060, PROTOCOL_TROUBLE_GONE, "CKR_KEY_HANDLE_INVALID" },
	{ 0x063, PROTOCOL_TROUBLE_FAILED, "CKR_KEY_TYPE_INCONSISTENT" },
	{ 0x070, PROTOCOL_TROUBLE_FAILED, "CKR_MECHANISM_INVALID" },
	{ 0x082, PROTOCOL_TROUBLE_GONE, "CKR_OBJECT_HANDLE_INVALID" },
	{ 0x090, PROTOCOL_TROUBLE_GONE, "CKR_OPERATION_ACTIVE" },
	{ 0x0a0, PROTOCOL_TROUBLE_PIN, "CKR_PIN_INCORRECT" },
	{ 0x0a1, PROTOCOL_TROUBLE_PIN, "CKR_PIN_INVALID" },
	{ 0x0a2, PROTOCOL_TROUBLE_PIN, "CKR_PIN_LEN_RANGE" },
	{ 0x0a3, PROTOCOL_TROUBLE_LOCKED, "CKR_PIN_EXPIRED" },
	{ 0x0a4, PROTOCOL_TROUBLE_LOCKED, "CKR_PIN_LOCKED" },
	{ 0x0b0, PROTOCOL_TROUBLE_GONE, "CKR_SESSION_CLOSED" },
	{ 0x0b1, PROTOCOL_TROUBLE_FAILED, "CKR_SESSION_COUNT" },
	{ 0x0b3, PROTOCOL_TROUBLE_GONE, "CKR_SESSION_HANDLE_INVALID" },
	{ 0x0e0, PROTOCOL_TROUBLE_GONE, "CKR_TOKEN_NOT_PRESENT" },
	{ 0x0e1, PROTOCOL_TROUBLE_GONE, "CKR_TOKEN_NOT_RECOGNIZED" },
	{ 0x101, PROTOCOL_TROUBLE_LOGIN, "CKR_USER_NOT_LOGGED_IN" },
	{ 0x190, PROTOCOL_TROUBLE_GONE, "CKR_CRYPTOKI_NOT_INITIALIZED" },
};

int
module_trouble(struct protocol_token_trouble *t, enum protocol_trouble trouble,
    const char *fmt, ...)
{
	va_list ap;

	t->trouble = (uint8_t)trouble;
	va_start(ap, fmt);
	(void)vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
	return HT_ERR_UNAVAILABLE;
}

int
module_complaint(struct protocol_token_trouble *t, const char *call, ck_t value)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].value == value)
			return module_trouble(t, meanings[i].trouble, "%s: %s",
			    call, meanings[i].name);
	return module_trouble(t, PROTOCOL_TROUBLE_FAILED, "%s: error %#lx",
	    call, value);
}

/* --- opening ----------------------------------------------------------- */

/* A module that cannot have locks is told that there is one thread. */
static int
load(struct module *m, const char *path, struct protocol_token_trouble *t)
{
	struct ck_initialize threads = { .flags = CKF_OS_LOCKING_OK };
	struct ht_error e;
	ck_t rv;

	m->p = cryptoki_load(path, &e);
	if (m->p == NULL)
		return module_trouble(t, PROTOCOL_TROUBLE_FAILED, "%s", e.text);
	rv = m->p->initialize(&threads);
	m->threads = rv == CKR_OK;
	if (rv == CKR_CANT_LOCK || rv == CKR_ARGUMENTS_BAD)
		rv = m->p->initialize(NULL);
	if (rv != CKR_OK) {
		m->p = NULL;
		return module_complaint(t, "C_Initialize", rv);
	}
	return 0;
}

static bool
is_wanted(const char *text, const char *own)
{
	return text[0] == '\0' || strcmp(text, own) == 0;
}

/* Look once.  *found counts the tokens that fit; the last is m's. */
static int
look(struct module *m, const char *label, const char *serial, ck_t *n,
    unsigned int *found, struct protocol_token_trouble *t)
{
	ck_t slots[SLOTS_MAX];
	struct cryptoki_token token;
	ck_t rv, i;

	*n = SLOTS_MAX;
	*found = 0;
	rv = m->p->get_slot_list(1, slots, n);
	if (rv != CKR_OK)
		return module_complaint(t, "C_GetSlotList", rv);
	for (i = 0; i < *n; i++) {
		if (cryptoki_token(m->p, slots[i], &token) != CKR_OK ||
		    (token.flags & CKF_TOKEN_INITIALIZED) == 0 ||
		    !is_wanted(label, token.label) ||
		    !is_wanted(serial, token.serial))
			continue;
		(*found)++;
		m->slot = slots[i];
		m->token = token;
	}
	return 0;
}

static int
find_token(struct module *m, const char *label, const char *serial,
    struct protocol_token_trouble *t)
{
	unsigned int found = 0;
	unsigned int i;
	ck_t n = 0;

	for (i = 0; i < LOOKS && found == 0; i++) {
		if (i > 0)
			(void)usleep(LOOK_AGAIN * 1000);
		if (look(m, label, serial, &n, &found, t) < 0)
			return HT_ERR_UNAVAILABLE;
	}
	if (found > 1)
		return module_trouble(t, PROTOCOL_TROUBLE_GONE,
		    "two tokens fit: configure the serial number");
	if (found == 0)
		return module_trouble(t, PROTOCOL_TROUBLE_GONE,
		    "no token \"%s\" in %lu slots",
		    label[0] != '\0' ? label : serial, n);
	return module_session(m, &m->session, t);
}

int
module_open(struct module **out, const char *path, const char *label,
    const char *serial, struct protocol_token_trouble *t)
{
	struct module *m = calloc(1, sizeof(*m));
	int rc;

	*out = NULL;
	if (m == NULL)
		return module_trouble(t, PROTOCOL_TROUBLE_FAILED,
		    "out of memory");
	rc = load(m, path, t);
	if (rc == 0)
		rc = find_token(m, label, serial, t);
	if (rc < 0)
		module_free(m);
	else
		*out = m;
	return rc;
}

void
module_free(struct module *m)
{
	if (m != NULL && m->p != NULL)
		(void)m->p->finalize(NULL);
	free(m);
}

int
module_session(struct module *m, ck_t *session,
    struct protocol_token_trouble *t)
{
	ck_t rv = m->p->open_session(m->slot, CKF_SERIAL_SESSION, NULL, NULL,
	    session);

	return rv == CKR_OK ? 0 : module_complaint(t, "C_OpenSession", rv);
}

bool
module_wants_login(const struct module *m)
{
	return (m->token.flags & CKF_LOGIN_REQUIRED) != 0;
}

uint8_t
module_pin_flags(const struct module *m)
{
	uint8_t flags = 0;

	if ((m->token.flags & CKF_USER_PIN_COUNT_LOW) != 0)
		flags |= PROTOCOL_PIN_COUNT_LOW;
	if ((m->token.flags & CKF_USER_PIN_FINAL_TRY) != 0)
		flags |= PROTOCOL_PIN_FINAL_TRY;
	if ((m->token.flags & CKF_USER_PIN_LOCKED) != 0)
		flags |= PROTOCOL_PIN_LOCKED;
	return flags;
}

int
module_login(struct module *m, const char *pin,
    struct protocol_token_trouble *t)
{
	ck_t rv = m->p->login(m->session, CKU_USER, (void *)(uintptr_t)pin,
	    strlen(pin));

	return rv == CKR_OK ? 0 : module_complaint(t, "C_Login", rv);
}

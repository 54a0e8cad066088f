/*
 * The yardstick: how many signatures a second a bare PKCS#11 loop makes, in
 * one process that has logged in once.
 *
 *	pkcs11-loop MODULE TOKEN-LABEL PIN COUNT
 *
 * Prints the seconds that COUNT signatures (CKM_RSA_PKCS over a SHA-256
 * DigestInfo, as Authenticode needs them) took.
 */

#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

static void
check(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	(void)fprintf(stderr, "pkcs11-loop: %s: 0x%lx\n", what, rv);
	exit(1);
}

static CK_FUNCTION_LIST *
load(const char *module)
{
	CK_C_GetFunctionList get;
	CK_FUNCTION_LIST *f;
	void *lib = dlopen(module, RTLD_NOW);

	if (lib == NULL) {
		(void)fprintf(stderr, "pkcs11-loop: %s\n", dlerror());
		exit(1);
	}
	*(void **)&get = dlsym(lib, "C_GetFunctionList");
	check(get(&f), "C_GetFunctionList");
	check(f->C_Initialize(NULL), "C_Initialize");
	return f;
}

static CK_SLOT_ID
find_slot(CK_FUNCTION_LIST *f, const char *label)
{
	CK_SLOT_ID slots[64];
	CK_ULONG i, n = 64;
	CK_TOKEN_INFO info;

	check(f->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
	for (i = 0; i < n; i++) {
		check(f->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
		if (strncmp((const char *)info.label, label, strlen(label)) ==
		    0)
			return slots[i];
	}
	(void)fprintf(stderr, "pkcs11-loop: no token %s\n", label);
	exit(1);
}

static CK_OBJECT_HANDLE
find_key(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE find[] = { { CKA_CLASS, &class, sizeof(class) } };
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	CK_ULONG n;

	check(f->C_FindObjectsInit(s, find, 1), "C_FindObjectsInit");
	check(f->C_FindObjects(s, &key, 1, &n), "C_FindObjects");
	check(f->C_FindObjectsFinal(s), "C_FindObjectsFinal");
	if (n != 1) {
		(void)fprintf(stderr, "pkcs11-loop: no private key\n");
		exit(1);
	}
	return key;
}

int
main(int argc, char **argv)
{
	static const CK_BYTE prefix[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
		0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
		0x00, 0x04, 0x20 };
	CK_BYTE info[sizeof(prefix) + 32] = { 0 }, signature[1024];
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	struct timespec from, to;
	CK_SESSION_HANDLE session;
	CK_FUNCTION_LIST *f;
	CK_OBJECT_HANDLE key;
	CK_ULONG n;
	long i, count;

	if (argc != 5 || (count = strtol(argv[4], NULL, 10)) <= 0) {
		(void)fprintf(stderr,
		    "usage: pkcs11-loop MODULE TOKEN-LABEL PIN COUNT\n");
		return 64;
	}
	f = load(argv[1]);
	check(f->C_OpenSession(find_slot(f, argv[2]), CKF_SERIAL_SESSION, NULL,
	          NULL, &session),
	    "C_OpenSession");
	check(f->C_Login(session, CKU_USER, (CK_UTF8CHAR *)argv[3],
	          strlen(argv[3])),
	    "C_Login");
	key = find_key(f, session);
	memcpy(info, prefix, sizeof(prefix));
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < count; i++) {
		info[sizeof(info) - 1] = (CK_BYTE)i;
		n = sizeof(signature);
		check(f->C_SignInit(session, &mechanism, key), "C_SignInit");
		check(f->C_Sign(session, info, sizeof(info), signature, &n),
		    "C_Sign");
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	(void)printf("%.6f\n",
	    (double)(to.tv_sec - from.tv_sec) +
	        (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}

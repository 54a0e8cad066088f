/*
 * Errors: what went wrong, as one code and one line.
 *
 * Every function that can fail returns 0 or one of the negative HT_ERR_*
 * codes, or a pointer or NULL.  The reason goes into the struct ht_error that
 * the caller passed.  A code is a negated exit status of DESIGN.md, section 8,
 * so a program ends with exit(-code).
 */

#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#include <stdint.h>

#define HT_ERR_USAGE (-64)       /* the request makes no sense */
#define HT_ERR_DATA (-65)        /* the input is damaged, or not of this type */
#define HT_ERR_REFUSED (-66)     /* the file was refused by a rule */
#define HT_ERR_UNAVAILABLE (-69) /* a needed service is away */
#define HT_ERR_INTERNAL (-70)    /* our own mistake, or the system's */
#define HT_ERR_TEMPORARY (-75)   /* try again after a while */
#define HT_ERR_DENIED (-77)      /* not allowed */

/* The error has no place in the input. */
#define HT_NO_OFFSET UINT64_MAX

struct ht_error {
	int code;        /* 0, or HT_ERR_* */
	uint64_t offset; /* where in the input, or HT_NO_OFFSET */
	char text[240];  /* one line without a newline; may hold outside
			    bytes, so it is escaped where it is shown */
};

/*
 * Clear *e: code 0, no offset, empty text.
 */
void ht_error_clear(struct ht_error *e);

/*
 * Fill *e with code and the formatted text, which is cut to fit.  e may be
 * NULL.  Returns code, so a function can end with `return ht_error_set(…)`.
 */
int ht_error_set(struct ht_error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The same, for damage found at a byte offset of the input.
 */
int ht_error_at(struct ht_error *e, int code, uint64_t offset, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/*
 * The same for a failed system call.  Appends ": " and the text of errno.  The
 * code is HT_ERR_UNAVAILABLE for ENOSPC, EDQUOT and EFBIG, else
 * HT_ERR_INTERNAL.
 */
int ht_error_errno(struct ht_error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same for a failed allocation: HT_ERR_INTERNAL and "out of memory".
 */
int ht_error_memory(struct ht_error *e);

#endif

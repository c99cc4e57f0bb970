/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong: a code a program can act on and a sentence a person can act on.
 *
 * A function that can fail returns 0 or one of these (negative) codes and fills the
 * `struct err` it was given. It returns the error or logs it, never both. Codes become
 * HTTP answers once, in api/error.c. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define ERR_TEXT_MAX 512

/* The numbers stand in snapshots (what became of a keyed write) and are forever. */
enum err_code {
    ERR_NONE = 0,
    ERR_INVALID = -1,          /* what was given is wrong as the text says */
    ERR_NOT_FOUND = -2,        /* nothing of that name */
    ERR_EXISTS = -3,           /* the name is taken */
    ERR_CONFLICT = -4,         /* the state does not allow it now */
    ERR_PRECONDITION = -5,     /* the version asked for is not the current one */
    ERR_NOT_LEADER = -6,       /* another node leads; nothing happened */
    ERR_UNAVAILABLE = -7,      /* no majority, or not ready; nothing happened */
    ERR_BUSY = -8,             /* a bounded queue is full; nothing happened */
    ERR_FULL = -9,             /* the disk is full; nothing happened */
    ERR_OUTCOME_UNKNOWN = -10, /* it may still happen, or has */
    ERR_TIMEOUT = -11,         /* a deadline passed */
    ERR_CANCELLED = -12,       /* the owner stopped it */
    ERR_TOO_LARGE = -13,       /* over a limit of base/limits.h */
    ERR_UNSUPPORTED = -14,     /* this build or level cannot do it */
    ERR_CORRUPT = -15,         /* stored or received bytes are damaged */
    ERR_IO = -16,              /* the operating system refused */
    ERR_INTERNAL = -17,        /* a bug of ours */
    ERR_LEVEL = -18,           /* above the cluster's feature level; nothing happened */
    ERR_KEY_REUSED = -19,      /* the idempotency key belongs to another request */
};

struct err {
    enum err_code code;
    char text[ERR_TEXT_MAX];
};

/* Fill `err` (which may be NULL) with a code and a printf sentence. Returns `code`, so
 * that a failing function can `return err_set(...)`. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int err_setv(struct err *err, enum err_code code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Put "prefix: " before the text of `err`; the code stays. Returns the code. */
int err_prefix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The code's word as it stands in logs and JSON: "not_found". Never NULL. */
const char *err_code_name(enum err_code code);

#endif

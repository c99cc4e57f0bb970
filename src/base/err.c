/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_setv(struct err *err, enum err_code code, const char *format, va_list args)
{
    if (err != NULL) {
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, args);
    }
    return (int)code;
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_setv(err, code, format, args);
    va_end(args);
    return (int)code;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (err == NULL) {
        return ERR_INTERNAL;
    }
    char old[ERR_TEXT_MAX];
    memcpy(old, err->text, sizeof old);

    va_list args;
    va_start(args, format);
    int len = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof err->text) {
        snprintf(err->text + len, sizeof err->text - (size_t)len, ": %s", old);
    }
    return (int)err->code;
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return "ok";
    case ERR_INVALID:
        return "invalid";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_EXISTS:
        return "exists";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_PRECONDITION:
        return "precondition_failed";
    case ERR_NOT_LEADER:
        return "not_leader";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_BUSY:
        return "busy";
    case ERR_FULL:
        return "disk_full";
    case ERR_OUTCOME_UNKNOWN:
        return "outcome_unknown";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_TOO_LARGE:
        return "too_large";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_IO:
        return "io";
    case ERR_INTERNAL:
        return "internal";
    case ERR_KEY_REUSED:
        return "key_reused";
    case ERR_LEVEL:
        return "feature_level";
    }
    return "unknown";
}

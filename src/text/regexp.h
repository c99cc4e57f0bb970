/* SPDX-License-Identifier: Apache-2.0 */
/* Is this a regular expression in Go's (RE2) syntax? It is judged, not compiled: what
 * matches is decided where it is used. */
#ifndef TEXT_REGEXP_H
#define TEXT_REGEXP_H

#include <stddef.h>

#include "base/err.h"

/* ERR_INVALID in Go's words: `error parsing regexp: missing closing ): ` and so on. */
int regexp_check(const char *text, size_t len, struct err *err);

#endif

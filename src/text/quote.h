/* SPDX-License-Identifier: Apache-2.0 */
/* Text as Go's %q shows it in error messages. */
#ifndef TEXT_QUOTE_H
#define TEXT_QUOTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Append `"text"` with Go's escapes; of a long text only the beginning, then `…`. Not
 * terminated. */
void quote_put(struct buf *out, const char *text, size_t len);

/* Append one code point as within those quotes, escaped if it is `quote`. */
void quote_put_rune(struct buf *out, uint32_t rune, char quote);

/* The same in a new, terminated string: mem_free() it. */
char *quote_text(const char *text, size_t len);

#endif

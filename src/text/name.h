/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tasks: HCL identifiers (spec/cts.md 7.6). */
#ifndef TEXT_NAME_H
#define TEXT_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* A letter or underscore, then letters, digits, underscores, dashes. Letters and digits
 * are Unicode's; bytes that are not UTF-8 are neither. */
bool name_is_identifier(const char *text, size_t len);

#endif

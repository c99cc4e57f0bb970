/* SPDX-License-Identifier: Apache-2.0 */
/* "host:port" as people write it in files and on command lines. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>

#include "base/limits.h"

/* "host:port" or "[v6]:port" apart: the host without brackets, the port's digits
 * (borrowed from `address`). False if it is neither, or no port from 0 to 65535, or has
 * LIMIT_ADDRESS_BYTES or more; a host may be a name or a number, without blanks,
 * controls, slashes, quotes, brackets. */
bool address_split(const char *address, char host[LIMIT_ADDRESS_BYTES],
                   const char **port);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* "host:port" ⇄ what the socket calls take. */
#ifndef RAFT_PEER_ADDRESS_H
#define RAFT_PEER_ADDRESS_H

#include <stdbool.h>

#include "base/limits.h"

struct sockaddr;

/* "host:port" or "[v6]:port" apart: the host without brackets, the port's digits
 * (borrowed from `address`). False if it is neither, or no port from 0 to 65535. */
bool address_split(const char *address, char host[LIMIT_ADDRESS_BYTES],
                   const char **port);

/* An IPv4 or IPv6 address in numbers, "127.0.0.1" or "::1"; "?" for any other. */
void address_host(const struct sockaddr *address, char out[LIMIT_ADDRESS_BYTES]);

/* The same with its port: "127.0.0.1:8658", "[::1]:8658". */
void address_print(const struct sockaddr *address, char out[LIMIT_ADDRESS_BYTES]);

#endif

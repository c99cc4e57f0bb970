/* SPDX-License-Identifier: Apache-2.0 */
/* What the socket calls give, as text. */
#ifndef RAFT_PEER_ADDRESS_H
#define RAFT_PEER_ADDRESS_H

#include "base/limits.h"

struct sockaddr;

/* An IPv4 or IPv6 address in numbers, "127.0.0.1" or "::1"; "?" for any other. */
void address_host(const struct sockaddr *address, char out[LIMIT_ADDRESS_BYTES]);

/* The same with its port: "127.0.0.1:8658", "[::1]:8658". */
void address_print(const struct sockaddr *address, char out[LIMIT_ADDRESS_BYTES]);

#endif

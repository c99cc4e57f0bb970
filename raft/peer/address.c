/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/peer/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static unsigned address_numbers(const struct sockaddr *address,
                                char out[LIMIT_ADDRESS_BYTES])
{
    const struct sockaddr_in *four = (const void *)address;
    const struct sockaddr_in6 *six = (const void *)address;
    snprintf(out, LIMIT_ADDRESS_BYTES, "?");
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, out, LIMIT_ADDRESS_BYTES);
        return ntohs(four->sin_port);
    }
    if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &six->sin6_addr, out, LIMIT_ADDRESS_BYTES);
        return ntohs(six->sin6_port);
    }
    return 0;
}

void address_host(const struct sockaddr *address, char out[LIMIT_ADDRESS_BYTES])
{
    address_numbers(address, out);
}

void address_print(const struct sockaddr *address, char out[LIMIT_ADDRESS_BYTES])
{
    char host[LIMIT_ADDRESS_BYTES];
    unsigned port = address_numbers(address, host);
    snprintf(out, LIMIT_ADDRESS_BYTES,
             address->sa_family == AF_INET6 ? "[%.100s]:%u" : "%.100s:%u", host, port);
}

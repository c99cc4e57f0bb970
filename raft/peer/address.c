/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/peer/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PORT_DIGITS 5
#define PORT_MAX    65535

bool address_split(const char *address, char host[LIMIT_ADDRESS_BYTES],
                   const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    if (len == 0 || len >= LIMIT_ADDRESS_BYTES) {
        return false;
    }
    const char *digits = colon + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > PORT_DIGITS || digits[count] != '\0' ||
        strtol(digits, NULL, 10) > PORT_MAX) {
        return false;
    }
    bool bracketed = len > 2 && address[0] == '[' && address[len - 1] == ']';
    if (!bracketed && memchr(address, ':', len) != NULL) {
        return false; /* "::1:80": where its port begins is anybody's guess */
    }
    size_t skip = bracketed ? 1 : 0;
    memcpy(host, address + skip, len - 2 * skip);
    host[len - 2 * skip] = '\0';
    *port = digits;
    return true;
}

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

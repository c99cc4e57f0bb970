/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PORT_DIGITS 5
#define PORT_MAX    65535

bool address_split(const char *address, char host[LIMIT_ADDRESS_BYTES],
                   const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    if (len == 0 || strlen(address) >= LIMIT_ADDRESS_BYTES) {
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
    len -= 2 * skip;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)address[skip + i];
        if (c <= ' ' || c >= 127 || strchr("[]/\"'\\", c) != NULL) {
            return false;
        }
    }
    memcpy(host, address + skip, len);
    host[len] = '\0';
    *port = digits;
    struct in6_addr six;
    return !bracketed || inet_pton(AF_INET6, host, &six) == 1;
}

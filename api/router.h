/* SPDX-License-Identifier: Apache-2.0 */
/* The route table (api/routes.def): no handler can be reached around it. */
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "api/call.h"

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE };
enum access { ACCESS_PUBLIC, ACCESS_READ, ACCESS_WRITE, ACCESS_RUN, ACCESS_OPERATE };
enum needs_leader { LEADER_ANY, LEADER_FIRST, LEADER_AFTER };

struct route {
    enum method method;
    const char *path;
    enum access access;
    enum needs_leader leader;
    void (*handler)(struct call *call);
};

/* Find the route of the call's method and path, apply access class and leader rule, and
 * run the handler; answers 404 and 405 itself. */
void router_dispatch(struct call *call);

/* Every handler of the table. */
#define X(METHOD, path, ACCESS, LEADER, handler) void handler(struct call *call);
#include "api/routes.def"
#undef X

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the nodes until one has done it, or it is certain that none will.
 *
 * A read goes to the first node that answers; a write follows the nodes' word to the
 * leader. What certainly did not happen is tried on the next node, ever more slowly,
 * until the timeout. A write whose outcome is not known is sent again only if it has an
 * idempotency key, and with it. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/nodes.h"
#include "http/http.h"

#define CLIENT_ANSWER_MAX (256u * 1024 * 1024)

struct client {
    struct nodes nodes;
    uint64_t timeout_ms; /* for one request, all tries together */
    char *token;         /* owned; what is shown to the nodes, or NULL */
};

struct client_request {
    const char *method; /* NULL: GET */
    const char *path;   /* with its query, encoded; `begin` may put another here */
    const char *accept; /* the header of that name; NULL: anything */
    const char *type;   /* of the body; NULL: application/json */
    const void *body;   /* JSON, or NULL */
    size_t body_len;
    const char *key;      /* of a write that may be repeated: a fresh one, or NULL */
    const char *if_match; /* the header of that name, or NULL */
    const char *look;     /* of a write: the command that shows whether it happened */
    /* It asks for a run: a 504 whose Location names that is an answer like a 2xx, for
     * who then waits for the run, and a 500 that names it tells what became of it. */
    bool names_run;
    /* Instead of keeping the body: as in http.h. `begin` runs before each try, which
     * sends it all again. The timeout is then for finding a node, and for each pause.
     */
    int (*begin)(void *arg, struct err *err);
    int (*on_body)(void *arg, const void *data, size_t len, struct err *err);
    void *arg;
    /* A read whose answer has no end. Where it ends all the same, or breaks off, it is
     * asked for again, elsewhere if there is an elsewhere; the timeout is for that,
     * each time. client_ask() then comes back with an error only: a refusal, one of the
     * callbacks, or that no node was found. */
    bool endless;
};

/* CLI_EXIT_OK: `answer` is a 2xx; else `err` says why not. `answer` must be fresh;
 * close it in any case. */
int client_ask(struct client *client, const struct client_request *request,
               struct http_answer *answer, struct err *err);

/* Append a segment of a path, or a value of a query, with all that is not plain
 * encoded.
 */
void client_put_encoded(struct buf *out, const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <uv.h>

#include "http/http.h"

struct waiting {
    struct http_client *client;
    struct http_answer *answer;
};

static void wait_done(void *arg, struct http_answer *answer)
{
    struct waiting *waiting = arg;
    struct http_answer empty = *waiting->answer;
    *waiting->answer = *answer;
    *answer = empty;
    http_client_close(waiting->client, NULL, NULL);
}

void http_wait(const struct http_request *request, struct http_answer *answer)
{
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0) {
        err_set(&answer->err, ERR_IO, "no descriptor is left for it");
        return; /* the outcome of a fresh answer is HTTP_NOT_SENT */
    }
    struct waiting waiting = {.client = http_client_new(&loop), .answer = answer};
    http_start(waiting.client, request, wait_done, &waiting);
    uv_run(&loop, UV_RUN_DEFAULT);
    int rv = uv_loop_close(&loop);
    assert(rv == 0); /* the client closed all it had opened */
    (void)rv;
}

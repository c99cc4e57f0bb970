/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work.h"

#include "api/server_internal.h"
#include "base/mem.h"

static void work_next(struct api *api);

static void work_run(uv_work_t *request)
{
    struct work *work = request->data;
    work->run(work);
}

static void work_done(uv_work_t *request, int status)
{
    (void)status; /* never cancelled */
    struct work *work = request->data;
    struct api *api = work->api;
    mem_free(request);
    api->work = work->next;
    if (api->work == NULL) {
        api->last_work = &api->work;
    } else {
        work_next(api);
    }
    work->done(work);
    api_settle(api);
}

static void work_next(struct api *api)
{
    uv_work_t *request = mem_zalloc(sizeof *request);
    request->data = api->work;
    uv_queue_work(api->options.loop, request, work_run, work_done);
}

void work_start(struct api *api, struct work *work)
{
    bool idle = api->work == NULL;
    work->api = api;
    work->next = NULL;
    *api->last_work = work;
    api->last_work = &work->next;
    if (idle) {
        work_next(api);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cts/admit.h"

#include <string.h>

#include "base/mem.h"
#include "json/task_json.h"
#include "json/task_view.h"
#include "text/cron.h"
#include "text/zone_file.h"

static int check_module(const struct path_folders *folders,
                        const struct task_draft *draft, struct err *err)
{
    if (folders->count == 0) {
        return 0;
    }
    char *module = task_view_module(draft->text, draft->text_len);
    int rc = path_inside(module != NULL ? module : "", folders, err);
    mem_free(module);
    return rc == 0 ? 0 : err_prefix(err, "module");
}

static int check_zone(const struct task_draft *draft, struct err *err)
{
    char *line = task_view_cron(draft->text, draft->text_len);
    struct cron cron = {0};
    int rc = line != NULL ? cron_parse(line, strlen(line), &cron, err) : 0;
    mem_free(line);
    if (rc != 0 || cron.zone[0] == '\0') {
        return rc;
    }
    struct zone *zone;
    rc = zone_load(cron.zone, &zone, err);
    zone_free(zone);
    if (rc != 0) {
        err_prefix(err, "schedule");
        err->code = ERR_INVALID; /* it is the request that is wrong */
    }
    return rc;
}

int task_admit(const struct path_folders *folders, struct task_json *json,
               struct err *err)
{
    int rc = check_module(folders, &json->draft, err);
    if (rc == 0) {
        rc = check_zone(&json->draft, err);
    }
    if (rc != 0) {
        json->draft = (struct task_draft){0};
        rc = ERR_INVALID;
    }
    return rc;
}

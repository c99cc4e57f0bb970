/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a run that this node knows only by its folder.
 *
 *   a result                                → ENDED
 *   no claim                                → NOTHING: no supervisor was started
 *   of another boot                         → DEAD: nothing outlives the machine
 *   the socket answers                      → ALIVE
 *   of another pid namespace                → DEAD: it ended with its first process
 *   else no supervisor, or one that is not to be:
 *     no record → one is made that says so; whoever comes late finds it and gives up
 *     a record  → that supervisor, its cgroup and all that carries the mark are killed,
 *                 until two looks in a row find nothing                → DEAD
 *
 * The order is what makes it safe. A supervisor listens before it makes the record and
 * makes the record before it starts anything: so without a record nothing was started,
 * and with one the socket is there. It writes the result when no process is left, so a
 * result is always the last word, and is looked for once more at the end. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "exec/container.h"
#include "exec/files.h"
#include "exec/place.h"

#define SETTLE_LOOKS    40 /* then the loop has its thread back for a while */
#define SETTLE_PAUSE_US 5000
#define SETTLE_GRACE_MS 5000 /* of an order that is just being removed */

/* False: somebody else has just made one. */
static bool forbid(int folder_fd)
{
    struct buf data;
    buf_init(&data);
    files_put_record(&data, &(struct files_record){.containment = EXEC_CONTAIN_WALK});
    int failed = files_link(folder_fd, FILES_RECORD, &data, NULL);
    buf_close(&data);
    return failed == 0;
}

/* One look: is anything alive, and is it killed? */
static bool kill_left(const struct files_record *record, uint64_t mark)
{
    bool left = false;
    if (record->pid != 0) {
        left = process_kill((pid_t)record->pid, record->start_ticks);
        struct container container = {.kind = record->containment};
        memcpy(container.path, record->cgroup, sizeof container.path);
        if (!container_is_empty(&container)) {
            container_kill(&container);
            left = true;
        }
    }
    return process_kill_marked(mark) > 0 || left;
}

static bool kill_all(const struct files_record *record, uint64_t mark)
{
    int clean = 0;
    for (int i = 0; i < SETTLE_LOOKS && clean < 2; i++) {
        clean = kill_left(record, mark) ? 0 : clean + 1;
        if (clean == 0) {
            usleep(SETTLE_PAUSE_US);
        }
    }
    if (clean < 2) {
        return false;
    }
    struct container container = {.kind = record->containment};
    memcpy(container.path, record->cgroup, sizeof container.path);
    container_remove(&container);
    process_kill((pid_t)record->guard,
                 record->guard_ticks); /* frozen, or about to end */
    return true;
}

/* What a namespace that ended left: empty, or it stays. */
static void remove_cgroup(int folder_fd)
{
    struct files_record record;
    if (files_read_record(folder_fd, &record, NULL) == 0 && record.pid != 0) {
        struct container container = {.kind = record.containment};
        memcpy(container.path, record.cgroup, sizeof container.path);
        container_remove(&container);
    }
}

static enum place_finding bury(int folder_fd, uint64_t mark)
{
    struct files_record record;
    int failed = files_read_record(folder_fd, &record, NULL);
    if (failed == ERR_NOT_FOUND) {
        if (!forbid(folder_fd)) {
            return PLACE_AGAIN;
        }
        record = (struct files_record){.containment = EXEC_CONTAIN_WALK};
    } else if (failed != 0) { /* damaged: what carries the mark can still be found */
        record = (struct files_record){.containment = EXEC_CONTAIN_WALK};
    }
    return kill_all(&record, mark) ? PLACE_DEAD : PLACE_AGAIN;
}

static uint32_t read_grace(int folder_fd)
{
    struct files_order order;
    struct buf data;
    uint32_t grace_ms = SETTLE_GRACE_MS;
    if (files_read(folder_fd, FILES_ORDER, &data, NULL) == 0 &&
        files_get_order(&data, &order, NULL) == 0) {
        grace_ms = order.grace_ms;
        files_order_close(&order);
    }
    buf_close(&data);
    return grace_ms;
}

static enum place_finding look(const struct place *place, int folder_fd, bool force,
                               struct place_settled *out)
{
    struct files_claim claim;
    int failed = files_read_claim(folder_fd, &claim, NULL);
    if (failed == ERR_NOT_FOUND) {
        return PLACE_NOTHING;
    }
    if (failed != 0) { /* cut short by a crash, before anything was started */
        claim = (struct files_claim){0};
        memcpy(claim.boot, place->boot, sizeof claim.boot);
        claim.pid_namespace = place->pid_namespace;
    }
    if (strcmp(claim.boot, place->boot) != 0) {
        return PLACE_DEAD;
    }
    if (!force) {
        out->fd = place_connect(folder_fd);
        if (out->fd >= 0) {
            out->grace_ms = read_grace(folder_fd);
            return PLACE_ALIVE;
        }
        if (errno != ECONNREFUSED && errno != ENOENT) {
            return PLACE_AGAIN;
        }
    }
    if (claim.pid_namespace != place->pid_namespace) {
        remove_cgroup(folder_fd);
        return PLACE_DEAD;
    }
    return bury(folder_fd, claim.mark);
}

void place_settle(const struct place *place, uint64_t run, bool force,
                  struct place_settled *out)
{
    *out = (struct place_settled){.finding = PLACE_NOTHING, .fd = -1};
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0) {
        return;
    }
    if (files_read_result(folder_fd, &out->result, NULL) == 0) {
        out->finding = PLACE_ENDED;
    } else {
        out->finding = look(place, folder_fd, force, out);
    }
    if (out->finding == PLACE_DEAD) {
        if (files_read_result(folder_fd, &out->result, NULL) == 0) {
            out->finding = PLACE_ENDED;
        }
        place_end_log(folder_fd);
    }
    close(folder_fd);
}

int place_conclude(const struct place *place, uint64_t run,
                   const struct driver_result *result, struct err *err)
{
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0) {
        return err_set(err, ERR_NOT_FOUND, "run %llu has no folder",
                       (unsigned long long)run);
    }
    int failed = files_write_result(folder_fd, result, err);
    close(folder_fd);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a run that this node knows only by its folder.
 *
 *   claimed by another node                 → killed, then NOTHING: its number means
 *                                             nothing here
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
#include <sys/socket.h>
#include <unistd.h>

#include "exec/container.h"
#include "exec/files.h"
#include "exec/place.h"

#define SETTLE_LOOKS    40 /* then the loop has its thread back for a while */
#define SETTLE_PAUSE_US 5000
#define SETTLE_GRACE_MS 5000 /* of an order that is just being removed */

/* False: somebody else has just made one, or it cannot be made. */
static bool forbid(int folder_fd)
{
    struct buf data;
    buf_init(&data);
    files_put_record(&data, &(struct files_record){.containment = EXEC_CONTAIN_WALK});
    int failed = files_link(folder_fd, FILES_RECORD, &data, NULL);
    buf_close(&data);
    if (failed == ERR_FULL) { /* an empty one says the same, and needs no room */
        int fd = openat(folder_fd, FILES_RECORD,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close(fd);
            failed = 0;
        }
    }
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

/* Its folder was removed; its supervisor sees that too, and ends when its program has.
 */
static bool kill_marked(uint64_t mark)
{
    return kill_all(&(struct files_record){.containment = EXEC_CONTAIN_WALK}, mark);
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
    } else if (failed == ERR_UNAVAILABLE) {
        return PLACE_AGAIN;
    } else if (failed != 0) { /* damaged: what carries the mark can still be found */
        record = (struct files_record){.containment = EXEC_CONTAIN_WALK};
    }
    return kill_all(&record, mark) ? PLACE_DEAD : PLACE_AGAIN;
}

/* What is needed of an order, if it is still there. */
static void read_order(int folder_fd, uint32_t *grace_ms, uint64_t *mark)
{
    struct files_order order;
    struct buf data;
    if (files_read(folder_fd, FILES_ORDER, &data, NULL) == 0 &&
        files_get_order(&data, &order, NULL) == 0) {
        *grace_ms = order.grace_ms;
        *mark = order.mark;
        files_order_close(&order);
    }
    buf_close(&data);
}

/* Whoever listens is the supervisor that made the record, as far as both are known: a
 * program of the node's own user can put a socket of its own there. Numbers of another
 * namespace cannot be compared. */
static bool is_recorded(int folder_fd, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    struct files_record record;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.pid == 0 ||
           files_read_record(folder_fd, &record, NULL) != 0 ||
           (uint64_t)peer.pid == record.pid;
}

/* PLACE_ALIVE: there is one, and its mark; PLACE_NOTHING, PLACE_AGAIN. One that is
 * damaged was cut short by a crash, before anything was started, or later by somebody:
 * the order has the mark too. */
static enum place_finding read_claim(const struct place *place, int folder_fd,
                                     struct files_claim *claim, uint32_t *grace_ms)
{
    int failed = files_read_claim(folder_fd, claim, NULL);
    if (failed == ERR_NOT_FOUND) {
        return PLACE_NOTHING;
    }
    if (failed == ERR_UNAVAILABLE) {
        return PLACE_AGAIN;
    }
    uint64_t mark = 0;
    *grace_ms = SETTLE_GRACE_MS;
    read_order(folder_fd, grace_ms, &mark);
    if (failed != 0) {
        *claim = (struct files_claim){.mark = mark};
        memcpy(claim->boot, place->boot, sizeof claim->boot);
        claim->pid_namespace = place->pid_namespace;
    }
    return PLACE_ALIVE;
}

/* PLACE_DEAD: no supervisor is there, or not the run's. */
static enum place_finding connect_to(int folder_fd, bool same_namespace, int *out)
{
    int fd = place_connect(folder_fd);
    if (fd < 0) {
        return errno == ECONNREFUSED || errno == ENOENT ? PLACE_DEAD : PLACE_AGAIN;
    }
    if (same_namespace && !is_recorded(folder_fd, fd)) {
        close(fd);
        return PLACE_DEAD;
    }
    *out = fd;
    return PLACE_ALIVE;
}

static enum place_finding look(const struct place *place, int folder_fd, bool force,
                               struct place_settled *out)
{
    struct files_claim claim;
    enum place_finding finding = read_claim(place, folder_fd, &claim, &out->grace_ms);
    if (finding != PLACE_ALIVE) {
        return finding;
    }
    out->mark = claim.mark;
    if (strcmp(claim.boot, place->boot) != 0) {
        return PLACE_DEAD;
    }
    bool same_namespace = claim.pid_namespace == place->pid_namespace;
    finding = force ? PLACE_DEAD : connect_to(folder_fd, same_namespace, &out->fd);
    if (finding != PLACE_DEAD) {
        return finding;
    }
    if (!same_namespace) {
        remove_cgroup(folder_fd);
        return PLACE_DEAD;
    }
    return bury(folder_fd, claim.mark);
}

/* PLACE_DEAD: there is no result, or none that can be used. */
static enum place_finding by_result(int folder_fd, struct place_settled *out)
{
    switch (files_read_result(folder_fd, &out->result, NULL)) {
    case 0:
        return PLACE_ENDED;
    case ERR_UNAVAILABLE:
        return PLACE_AGAIN;
    default:
        return PLACE_DEAD;
    }
}

bool place_is_foreign(const struct place *place, int folder_fd)
{
    struct files_claim claim;
    return files_read_claim(folder_fd, &claim, NULL) == 0 && claim.node != place->node;
}

void place_settle(const struct place *place, uint64_t run, bool force,
                  struct place_settled *out)
{
    *out = (struct place_settled){.fd = -1, .mark = out->mark};
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0) {
        bool none = place_has_none(errno) && (out->mark == 0 || kill_marked(out->mark));
        out->finding = none ? PLACE_NOTHING : PLACE_AGAIN;
        return;
    }
    bool foreign = place_is_foreign(place, folder_fd);
    out->finding = by_result(folder_fd, out);
    if (out->finding == PLACE_DEAD) {
        out->finding = look(place, folder_fd, force || foreign, out);
    }
    if (out->finding == PLACE_DEAD) {
        out->finding = by_result(folder_fd, out);
    }
    if (out->finding == PLACE_DEAD) {
        place_end_log(folder_fd);
    }
    if (foreign && (out->finding == PLACE_DEAD || out->finding == PLACE_ENDED)) {
        out->finding = PLACE_NOTHING;
        out->foreign = true;
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

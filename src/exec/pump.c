/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PUMP_BYTES (64 * 1024)
/* A pipe holds no more; who still writes then was handed it from outside the run. */
#define PUMP_LAST_READS 64

/* False: nothing more will come, or nothing is there. */
static bool take(struct pump *pump, char *bytes)
{
    ssize_t got = read(pump->output_fd, bytes, PUMP_BYTES);
    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got <= 0) {
        return false;
    }
    words_put(pump->words, bytes, (size_t)got);
    runlog_writer_put(pump->log, bytes, (size_t)got);
    return true;
}

static void *run(void *arg)
{
    struct pump *pump = arg;
    static char bytes[PUMP_BYTES]; /* there is one at a time */
    bool open = true;
    while (open && !atomic_load(&pump->finishing)) {
        struct pollfd fds[] = {
            {.fd = pump->output_fd, .events = POLLIN},
            {.fd = pump->wake_fd, .events = POLLIN},
        };
        if (poll(fds, 2, -1) > 0 && fds[0].revents != 0) {
            open = take(pump, bytes);
        }
    }
    fcntl(pump->output_fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; open && i < PUMP_LAST_READS; i++) {
        open = take(pump, bytes);
    }
    return NULL;
}

int pump_start(struct pump *pump, int output_fd, struct runlog_writer *log,
               struct words *words, struct err *err)
{
    *pump = (struct pump){
        .output_fd = output_fd,
        .wake_fd = eventfd(0, EFD_CLOEXEC),
        .log = log,
        .words = words,
    };
    int number = pump->wake_fd < 0 ? errno : 0;
    if (number == 0) {
        number = pthread_create(&pump->thread, NULL, run, pump);
    }
    if (number != 0) {
        if (pump->wake_fd >= 0) {
            close(pump->wake_fd);
        }
        close(output_fd);
        return err_set(err, ERR_IO, "cannot take the output: %s", strerror(number));
    }
    return 0;
}

void pump_finish(struct pump *pump)
{
    atomic_store(&pump->finishing, true);
    uint64_t one = 1;
    ssize_t written = write(pump->wake_fd, &one, sizeof one);
    (void)written; /* a counter of 1 has room */
    pthread_join(pump->thread, NULL);
    close(pump->wake_fd);
    close(pump->output_fd);
}

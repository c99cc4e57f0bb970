/* SPDX-License-Identifier: Apache-2.0 */
/* One run, from its first try to its result.
 *
 *             ┌───────── the next try ──────────┐
 *             ▼                                 │
 *          WAITING ──▶ RUNNING ──▶ LEAVING ─────┤ nothing is left
 *             │           │                     │
 *             │           └──▶ STOPPING ────────┤
 *             └── stopped ──────────────────────┴──▶ GONE ──▶ DONE
 *
 * Happy path: the program is forked, its end comes as SIGCHLD, waitpid() says that
 * there is no other child. This process is the subreaper of all it has started, so "no
 * child" means that nothing of the run is left, and only then is the result written.
 *
 * What stops it is time, never the end of a connection: a node may go and come back.
 * All times are CLOCK_BOOTTIME, which counts while the machine sleeps. Of what a node
 * said meanwhile the deadline is taken first and judged then: it was lawful when it was
 * said. A step of the ladder is due at a moment counted from the deadline itself, so
 * whoever wakes late skips the steps that are over, to SIGKILL.
 *
 * The program's output is taken by a thread (exec/pump.h); this one never waits for a
 * disk while processes are there.
 *
 * Failure modes: no process can be made, or the program cannot be executed → failed,
 * and no other try. A result that cannot be written is told to whoever listens and
 * tried again each second: the supervisor stays until it is on disk or a node has it.
 */
#include "exec/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "exec/process.h"

#define SUPERVISOR_RESULT_AGAIN_MS 1000
#define SUPERVISOR_EMPTY_AGAIN_MS  10 /* a cgroup lags behind waitpid() */

static void move_to(struct supervisor *supervisor, enum supervisor_state next)
{
    static const uint8_t allowed[] = {
        [SUPERVISOR_WAITING] = 1 << SUPERVISOR_RUNNING | 1 << SUPERVISOR_GONE,
        [SUPERVISOR_RUNNING] = 1 << SUPERVISOR_LEAVING | 1 << SUPERVISOR_STOPPING |
                               1 << SUPERVISOR_WAITING | 1 << SUPERVISOR_GONE,
        [SUPERVISOR_LEAVING] = 1 << SUPERVISOR_WAITING | 1 << SUPERVISOR_GONE,
        [SUPERVISOR_STOPPING] = 1 << SUPERVISOR_GONE,
        [SUPERVISOR_GONE] = 1 << SUPERVISOR_DONE,
        [SUPERVISOR_DONE] = 0,
    };
    assert((allowed[supervisor->state] >> next & 1) == 1);
    supervisor->state = next;
}

/* --- telling
 * ---------------------------------------------------------------------------- */

static enum talk_phase phase_of(enum supervisor_state state)
{
    switch (state) {
    case SUPERVISOR_WAITING:
        return TALK_WAITING;
    case SUPERVISOR_RUNNING:
    case SUPERVISOR_LEAVING:
        return TALK_RUNNING;
    case SUPERVISOR_STOPPING:
        return TALK_STOPPING;
    case SUPERVISOR_GONE:
    case SUPERVISOR_DONE:
        return TALK_GONE;
    }
    return TALK_GONE;
}

static void tell_state(struct supervisor *supervisor)
{
    struct buf frame;
    buf_init(&frame);
    talk_put_state(&frame, &(struct talk_state){
                               .phase = phase_of(supervisor->state),
                               .deadline_ms = supervisor->deadline_ms,
                               .started_ms = supervisor->result.started_ms,
                           });
    links_tell(&supervisor->links, &frame);
    buf_close(&frame);
}

static void tell_result(struct supervisor *supervisor, bool on_disk)
{
    struct buf frame;
    buf_init(&frame);
    talk_put_result(&frame, on_disk, &supervisor->result);
    links_tell(&supervisor->links, &frame);
    buf_close(&frame);
}

/* A line between what the program prints. */
static void note(struct supervisor *supervisor, const char *text)
{
    char *line = mem_printf("muster: %s\n", text);
    runlog_writer_put(&supervisor->log, line, strlen(line));
    mem_free(line);
}

/* Somebody has removed the folder: no node that is started anew will ever know of this
 * run, nor come for its result. */
static bool folder_is_gone(const struct supervisor *supervisor)
{
    struct stat status;
    return fstat(supervisor->folder_fd, &status) == 0 && status.st_nlink == 0;
}

/* --- the end
 * ---------------------------------------------------------------------------- */

static void end_with(struct supervisor *supervisor, enum driver_outcome outcome,
                     const char *text)
{
    supervisor->result.outcome = outcome;
    supervisor->result.ended_ms = process_wall_ms();
    tries_copy_text(supervisor->result.text, text, strlen(text));
    container_remove(&supervisor->container);
    move_to(supervisor, SUPERVISOR_GONE);
    if (supervisor->guard != NULL) {
        atomic_store(&supervisor->guard->gone, true);
    }
    supervisor->wait_until_ms = 0;
    tell_state(supervisor);
    runlog_writer_end(&supervisor->log);
}

static void end_by_reason(struct supervisor *supervisor, const char *how)
{
    enum driver_outcome outcome = DRIVER_LOST;
    const char *why = "";
    switch (supervisor->reason) {
    case REASON_NONE:
    case REASON_DEADLINE:
        why = supervisor->result.started_ms == 0
                  ? "the lease ran out before it began"
                  : "stopped at its deadline: its node could not renew its lease";
        break;
    case REASON_TIME_LIMIT:
        outcome = DRIVER_TIMED_OUT;
        why = "stopped at its time limit";
        break;
    case REASON_CANCEL:
        outcome = DRIVER_CANCELLED;
        why = "cancelled";
        break;
    case REASON_SIGNAL:
        why = "its supervisor was told to end by a signal";
        break;
    case REASON_FOLDER:
        why = "its folder was removed";
        break;
    }
    char *text = mem_printf("%s%s%s", why, how[0] != '\0' ? "; " : "", how);
    end_with(supervisor, outcome, text);
    mem_free(text);
}

/* A short plan goes with the result, a long one is in the log alone. */
static void end_well(struct supervisor *supervisor)
{
    struct buf plan;
    buf_init(&plan);
    if (supervisor->order.inspect && words_whole(&supervisor->words)) {
        words_all(&supervisor->words, DRIVER_TEXT_SIZE, &plan);
        if (plan.len >= DRIVER_TEXT_SIZE) {
            plan.len = 0;
        }
    }
    buf_put_u8(&plan, 0);
    end_with(supervisor, DRIVER_SUCCESS, (const char *)plan.data);
    buf_close(&plan);
}

static void write_result(struct supervisor *supervisor, uint64_t now_ms)
{
    struct err err;
    fchmod(supervisor->folder_fd, FILES_MODE); /* its program may have changed that */
    bool on_disk =
        files_write_result(supervisor->folder_fd, &supervisor->result, &err) == 0;
    if (!on_disk) {
        fprintf(stderr, "%s\n", err.text);
    }
    tell_result(supervisor, on_disk);
    if (on_disk || folder_is_gone(supervisor)) {
        move_to(supervisor, SUPERVISOR_DONE);
    }
    supervisor->wait_until_ms = now_ms + SUPERVISOR_RESULT_AGAIN_MS;
}

/* --- tries
 * ------------------------------------------------------------------------------ */

static bool went_well(const struct supervisor *supervisor)
{
    const struct tries_ending *ending = &supervisor->ending;
    return !ending->never_began && ending->signal == 0 &&
           (ending->exit_code == 0 ||
            (supervisor->order.inspect && ending->exit_code == 2));
}

static void try_failed(struct supervisor *supervisor, const char *how, uint64_t now_ms)
{
    tries_failed(&supervisor->tries, how);
    if (supervisor->reason != REASON_NONE ||
        !tries_again(&supervisor->tries, &supervisor->ending)) {
        end_with(supervisor, DRIVER_FAILED, supervisor->tries.text);
        return;
    }
    uint64_t chance = 0;
    id_random(&chance, sizeof chance);
    uint64_t wait_ms = tries_wait_ms(&supervisor->tries, chance);
    char text[128];
    snprintf(text, sizeof text, "try %u of %u failed; the next one in %u ms",
             supervisor->tries.made, supervisor->tries.allowed, (unsigned)wait_ms);
    note(supervisor, text);
    supervisor->wait_until_ms = now_ms + wait_ms;
    supervisor->ladder = (struct ladder){0};
    move_to(supervisor, SUPERVISOR_WAITING);
    tell_state(supervisor);
}

static void look_whether_begun(struct supervisor *supervisor)
{
    if (supervisor->program.begun_fd < 0) {
        return;
    }
    bool begun = false;
    int failed = program_begun(&supervisor->program, &supervisor->order, &begun,
                               &supervisor->begin_err);
    if (failed == 0 && !begun) {
        return;
    }
    close(supervisor->program.begun_fd);
    supervisor->program.begun_fd = -1;
    if (begun && supervisor->result.started_ms == 0) {
        supervisor->result.started_ms = process_wall_ms();
        tell_state(supervisor);
    }
}

/* No process is left. */
static void try_over(struct supervisor *supervisor, uint64_t now_ms)
{
    look_whether_begun(supervisor);
    if (supervisor->program.begun_fd >= 0) { /* it was killed before it could say */
        close(supervisor->program.begun_fd);
        supervisor->program.begun_fd = -1;
    }
    pump_finish(&supervisor->pump);
    struct tries_ending *ending = &supervisor->ending;
    ending->never_began = supervisor->begin_err.code != ERR_NONE;
    ending->why = supervisor->begin_err.text;
    ending->out_of_memory =
        container_starved(&supervisor->container) > supervisor->starved;
    supervisor->result.exit_code = ending->exit_code;
    supervisor->result.signal = ending->signal;

    char how[DRIVER_TEXT_SIZE];
    tries_describe(ending, &supervisor->words, how);
    if (supervisor->state == SUPERVISOR_STOPPING) {
        end_by_reason(supervisor, how);
    } else if (went_well(supervisor)) {
        supervisor->result.changes =
            supervisor->order.inspect && ending->exit_code == 2;
        end_well(supervisor);
    } else {
        try_failed(supervisor, how, now_ms);
    }
}

static void start_try(struct supervisor *supervisor)
{
    struct err err;
    words_clear(&supervisor->words);
    supervisor->ending = (struct tries_ending){0};
    supervisor->starved = container_starved(&supervisor->container);
    supervisor->begin_err.code = ERR_NONE;
    move_to(supervisor, SUPERVISOR_RUNNING);
    if (program_start(&supervisor->program, &supervisor->order, &supervisor->container,
                      supervisor->folder, &err) != 0) {
        end_with(supervisor, DRIVER_FAILED, err.text);
        return;
    }
    supervisor->program_lives = true;
    supervisor->childless = false;
    if (pump_start(&supervisor->pump, supervisor->program.output_fd, &supervisor->log,
                   &supervisor->words, &err) != 0) {
        /* Without its output it would block or die: it does not run. */
        fprintf(stderr, "%s\n", err.text);
        abort(); /* it is killed with this process */
    }
    tell_state(supervisor);
}

/* --- stopping
 * ----------------------------------------------------------------------------- */

static void stop(struct supervisor *supervisor, enum supervisor_reason reason,
                 uint64_t since_ms)
{
    if (supervisor->reason != REASON_NONE || supervisor->state >= SUPERVISOR_GONE) {
        return;
    }
    supervisor->reason = reason;
    if (supervisor->state == SUPERVISOR_RUNNING) {
        ladder_begin(&supervisor->ladder, since_ms, supervisor->order.grace_ms);
        move_to(supervisor, SUPERVISOR_STOPPING);
        tell_state(supervisor);
    }
}

static void signal_all(struct supervisor *supervisor, int signal)
{
    process_signal_below(getpid(), signal);
    if (signal == SIGKILL) {
        container_kill(&supervisor->container);
    } else {
        process_signal_below(getpid(), SIGCONT); /* what was stopped must hear it */
    }
}

/* False: a process is left. */
static bool reap(struct supervisor *supervisor)
{
    int status = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (supervisor->program_lives && pid == supervisor->program.pid) {
            supervisor->program_lives = false;
            tries_ending_of(status, &supervisor->ending);
        }
    }
    supervisor->childless = pid < 0 && errno == ECHILD;
    return supervisor->childless && container_is_empty(&supervisor->container);
}

static bool has_processes(const struct supervisor *supervisor)
{
    return supervisor->state == SUPERVISOR_RUNNING ||
           supervisor->state == SUPERVISOR_LEAVING ||
           supervisor->state == SUPERVISOR_STOPPING;
}

/* --- one turn
 * ------------------------------------------------------------------------------- */

static void look_at_processes(struct supervisor *supervisor, uint64_t now_ms)
{
    if (!has_processes(supervisor)) {
        return;
    }
    look_whether_begun(supervisor);
    if (reap(supervisor)) {
        try_over(supervisor, now_ms);
        return;
    }
    if (!supervisor->program_lives && supervisor->state == SUPERVISOR_RUNNING) {
        ladder_begin(&supervisor->ladder, now_ms, supervisor->order.grace_ms);
        move_to(supervisor, SUPERVISOR_LEAVING);
    }
    int signal = ladder_step(&supervisor->ladder, now_ms);
    if (signal != 0) {
        signal_all(supervisor, signal);
    }
}

static void look_at_clock(struct supervisor *supervisor, uint64_t now_ms)
{
    if (now_ms >= supervisor->deadline_ms) {
        stop(supervisor, REASON_DEADLINE, supervisor->deadline_ms);
    }
    if (now_ms >= supervisor->limit_at_ms) {
        stop(supervisor, REASON_TIME_LIMIT, supervisor->limit_at_ms);
    }
    if (folder_is_gone(supervisor)) { /* a node that is there gives it the grace */
        stop(supervisor, REASON_FOLDER, links_any(&supervisor->links) ? now_ms : 0);
    }
}

static void turn(struct supervisor *supervisor)
{
    uint64_t now_ms = process_boot_ms();
    look_at_clock(supervisor, now_ms);
    if (supervisor->state == SUPERVISOR_WAITING) {
        if (supervisor->reason != REASON_NONE) {
            end_by_reason(supervisor, supervisor->tries.text);
        } else if (now_ms >= supervisor->wait_until_ms) {
            start_try(supervisor);
        }
    }
    look_at_processes(supervisor, now_ms);
    if (supervisor->state == SUPERVISOR_GONE && supervisor->bye) {
        move_to(supervisor, SUPERVISOR_DONE);
    } else if (supervisor->state == SUPERVISOR_GONE &&
               now_ms >= supervisor->wait_until_ms) {
        write_result(supervisor, now_ms);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_turn_ms(const struct supervisor *supervisor)
{
    uint64_t next = UINT64_MAX;
    if (supervisor->state == SUPERVISOR_WAITING ||
        supervisor->state == SUPERVISOR_GONE) {
        next = supervisor->wait_until_ms;
    }
    if (supervisor->state != SUPERVISOR_GONE && supervisor->reason == REASON_NONE) {
        next = least(next, least(supervisor->deadline_ms, supervisor->limit_at_ms));
    }
    if (has_processes(supervisor)) {
        next = least(next, ladder_next_ms(&supervisor->ladder));
        if (supervisor->childless) {
            next = least(next, process_boot_ms() + SUPERVISOR_EMPTY_AGAIN_MS);
        }
    }
    return next;
}

static void arm(const struct supervisor *supervisor)
{
    uint64_t at_ms = next_turn_ms(supervisor);
    struct itimerspec spec = {0}; /* disarmed */
    if (at_ms < UINT64_MAX / 2) {
        at_ms = at_ms > 0 ? at_ms : 1;
        spec.it_value.tv_sec = (time_t)(at_ms / 1000);
        spec.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
    }
    timerfd_settime(supervisor->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void expect(struct supervisor *supervisor)
{
    guard_expect(supervisor->guard, supervisor->deadline_ms,
                 supervisor->order.grace_ms);
}

static void hear(struct supervisor *supervisor)
{
    struct links_news news;
    links_read(&supervisor->links, &news);
    if (news.feed_ms > supervisor->deadline_ms && supervisor->reason == REASON_NONE) {
        supervisor->deadline_ms = news.feed_ms;
        expect(supervisor);
    }
    if (news.stop) {
        stop(supervisor, REASON_CANCEL, process_boot_ms());
    }
    supervisor->bye = supervisor->bye || news.bye;
    if (news.asked) {
        tell_state(supervisor);
        if (supervisor->state == SUPERVISOR_GONE) {
            tell_result(supervisor, false);
        }
    }
}

static void hear_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGTERM) {
            stop(supervisor, REASON_SIGNAL, process_boot_ms());
        }
    }
}

static void wait_for_news(struct supervisor *supervisor)
{
    struct pollfd fds[4 + LINKS_MAX] = {
        {.fd = supervisor->timer_fd, .events = POLLIN},
        {.fd = supervisor->signal_fd, .events = POLLIN},
        {.fd = supervisor->links.listen_fd, .events = POLLIN},
        {.fd = has_processes(supervisor) ? supervisor->program.begun_fd : -1,
         .events = POLLIN},
    };
    for (size_t i = 0; i < LINKS_MAX; i++) {
        fds[4 + i] =
            (struct pollfd){.fd = supervisor->links.link[i].fd, .events = POLLIN};
    }
    poll(fds, 4 + LINKS_MAX, -1);
}

void supervisor_refuse(struct supervisor *supervisor, const char *text)
{
    end_with(supervisor, DRIVER_FAILED, text);
}

void supervisor_run(struct supervisor *supervisor)
{
    expect(supervisor);
    while (supervisor->state != SUPERVISOR_DONE) {
        hear(supervisor);
        hear_signals(supervisor);
        turn(supervisor);
        if (supervisor->state != SUPERVISOR_DONE) {
            arm(supervisor);
            wait_for_news(supervisor);
        }
    }
}

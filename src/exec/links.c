/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/links.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exec/process.h"

int links_open(struct links *links, const char *name, struct err *err)
{
    *links = (struct links){.listen_fd = -1};
    for (size_t i = 0; i < LINKS_MAX; i++) {
        links->link[i].fd = -1;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, LINKS_MAX) != 0) {
        int number = errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_set(err, number == EADDRINUSE ? ERR_EXISTS : ERR_IO, "%s: %s", name,
                       strerror(number));
    }
    links->listen_fd = fd;
    return 0;
}

static void link_close(struct link *link)
{
    close(link->fd);
    link->fd = -1;
    buf_close(&link->received);
}

void links_close(struct links *links)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (links->link[i].fd >= 0) {
            link_close(&links->link[i]);
        }
    }
    if (links->listen_fd >= 0) {
        close(links->listen_fd);
        links->listen_fd = -1;
    }
}

/* Is that what this process supervises? Whoever has ended meanwhile is no node either.
 */
static bool is_below(pid_t pid)
{
    struct process process = {.parent = pid};
    while (process.parent > 1 && process.parent != getpid()) {
        if (!process_read(process.parent, &process)) {
            return true;
        }
    }
    return process.parent == getpid();
}

/* A run does not feed itself, nor report its own end. 0: a process of a namespace that
 * this one does not see, and so nothing that is below it. */
static bool may_speak(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           !is_below(peer.pid);
}

/* A node that comes when all places are taken is the newest: the first one goes. */
static void links_accept(struct links *links, struct links_news *news)
{
    int fd;
    while ((fd = accept4(links->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
           0) {
        if (!may_speak(fd)) {
            close(fd);
            continue;
        }
        size_t slot = 0;
        while (slot < LINKS_MAX && links->link[slot].fd >= 0) {
            slot++;
        }
        if (slot == LINKS_MAX) {
            slot = 0;
            link_close(&links->link[slot]);
        }
        links->link[slot].fd = fd;
        buf_init(&links->link[slot].received);
        news->asked = true;
    }
}

static void take_frame(uint8_t kind, struct cursor *payload, struct links_news *news)
{
    news->asked = true;
    if (kind == TALK_FEED) {
        uint64_t deadline_ms = cursor_u64(payload);
        if (cursor_done(payload) && deadline_ms > news->feed_ms) {
            news->feed_ms = deadline_ms;
        }
    } else if (kind == TALK_STOP) {
        news->stop = true;
    } else if (kind == TALK_BYE) {
        news->bye = true;
    }
}

/* False: it is to be closed. */
static bool link_read(struct link *link, struct links_news *news)
{
    bool open = true;
    for (;;) {
        buf_reserve(&link->received, 1024);
        ssize_t got = recv(link->fd, link->received.data + link->received.len, 1024, 0);
        if (got <= 0) {
            open = got < 0 && (errno == EAGAIN || errno == EINTR);
            break;
        }
        link->received.len += (size_t)got;
        uint8_t kind = 0;
        struct cursor payload;
        int len;
        while ((len = talk_frame(&link->received, &kind, &payload)) > 0) {
            take_frame(kind, &payload, news);
            talk_drop(&link->received, (size_t)len);
        }
        if (len < 0) {
            return false;
        }
    }
    return open;
}

void links_read(struct links *links, struct links_news *news)
{
    *news = (struct links_news){0};
    links_accept(links, news);
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &links->link[i];
        if (link->fd >= 0 && !link_read(link, news)) {
            link_close(link);
        }
    }
}

bool links_any(const struct links *links)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (links->link[i].fd >= 0) {
            return true;
        }
    }
    return false;
}

void links_tell(struct links *links, const struct buf *frame)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &links->link[i];
        if (link->fd >= 0 && send(link->fd, frame->data, frame->len, MSG_NOSIGNAL) !=
                                 (ssize_t)frame->len) {
            link_close(link);
        }
    }
}
